"""Functions of arrays, compiled from expressions.

`compile` makes a `CompiledFunction` from nodes.  For each combination of sizes that it meets, the
function writes a module and keeps it, since the best order of contraction depends on the sizes.
"""

from tcalc.codegen.options import MEMORY_LIMIT, Options
from tcalc.runtime.compiled import CompiledFunction, compile
from tcalc.runtime.factored import FactoredTensor, FactoredTerm
from tcalc.runtime.layout import FactoredFunction, Layout, described, needed, tables
from tcalc.runtime.restricted import Ends

__all__ = [
    "MEMORY_LIMIT",
    "CompiledFunction",
    "Ends",
    "FactoredFunction",
    "FactoredTensor",
    "FactoredTerm",
    "Layout",
    "Options",
    "compile",
    "described",
    "needed",
    "tables",
]
