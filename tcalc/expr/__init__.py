"""The expression DAG: six node kinds, symbolic dimensions, facts, and the walkers.

This room knows no text, no arrays and no backend.  `build` has the constructors that keep the
normal form, `traverse` the only walkers of the DAG, `facts` what is known of a tensor.
"""

from tcalc.expr.dims import Dim, Shape, shape
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.primitive import (
    Fact,
    LinearMap,
    LinearTerm,
    Notation,
    Operator,
    Primitive,
    Style,
    linear_map,
)

__all__ = [
    "Add",
    "Apply",
    "Const",
    "Delta",
    "Dim",
    "Einsum",
    "Fact",
    "LinearMap",
    "LinearTerm",
    "Node",
    "Notation",
    "Operator",
    "Primitive",
    "Shape",
    "Style",
    "Var",
    "linear_map",
    "shape",
]
