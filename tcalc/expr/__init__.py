"""The expression DAG: six kinds of node, symbolic dimensions, facts, and traversals.

This package knows nothing of text, arrays or backends.  `build` has the constructors that keep the
normal form, `traverse` the only traversals of the DAG, and `facts` what is known of a tensor.
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
