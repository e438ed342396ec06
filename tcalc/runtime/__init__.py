"""Functions of arrays, compiled from expressions.

`compile` makes a `CompiledFunction` from nodes.  It writes and runs a module for each combination
of sizes that it meets, since the best order of contraction depends on them, and remembers it.
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
