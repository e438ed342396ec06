"""Functions of arrays, compiled from expressions.

`compile` makes a `CompiledFunction` from nodes.  It writes and runs a module for each combination
of sizes that it meets, since the best order of contraction depends on them, and remembers it.
"""

from tcalc.runtime.compiled import BoundFunction, CompiledFunction, compile

__all__ = ["BoundFunction", "CompiledFunction", "compile"]
