"""Public constructors: the normal form of products and sums.

Always true and cheap, kept for every node:

- A product is a *contraction* or a *view*.  A contraction has real factors only, in canonical
  order, labels numbered by first appearance, and its output labels ascending: it is interned
  modulo the order of its axes.  A view permutes, broadcasts, takes a diagonal or makes one;
  it multiplies and sums nothing.  A product of anything with a view opens the view.
- A unit tensor with a summed label is gone by renaming; one with both labels in the output is
  part of a view, linked to the first output axis of its class.
- Zeros annihilate; numbers stand as rational coefficients in an `Add`; a ones tensor is dropped,
  and a summed label that no other factor has leaves the size of its dimension as a factor.
- A sum has each term once, zero coefficients gone, in the order of digests.

Constructors never flatten a contraction into another, since how often a node is used is not
local knowledge, and do nothing debatable: that is a pass in `tcalc.simplify`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Node
from tcalc.expr.products import OpenProduct, Subscript, einsum, open_product, with_factors
from tcalc.expr.sums import (
    ONE,
    Number,
    add,
    apply,
    const,
    delta,
    ones,
    scale,
    subtract,
    sum_of,
    var,
    zeros,
)

__all__ = [
    "ONE",
    "Number",
    "OpenProduct",
    "Subscript",
    "add",
    "apply",
    "broadcast",
    "const",
    "delta",
    "einsum",
    "hadamard",
    "ones",
    "open_product",
    "outer",
    "scale",
    "size",
    "subtract",
    "sum_all",
    "sum_of",
    "transpose",
    "var",
    "with_factors",
    "zeros",
]


def transpose(x: Node, permutation: Sequence[int] | None = None) -> Node:
    """The tensor with its axes in another order, reversed by default."""
    axes = tuple(range(x.order))
    return einsum([x], [axes], axes[::-1] if permutation is None else tuple(permutation))


def hadamard(*factors: Node) -> Node:
    """The element-wise product of tensors of one shape; scalars multiply."""
    axes = tuple(range(max(factor.order for factor in factors)))
    return einsum(factors, [axes if factor.order else () for factor in factors], axes)


def broadcast(x: Node, dims: Iterable[Dim]) -> Node:
    """The tensor repeated along new leading axes, so that its shape becomes `dims`."""
    shape = tuple(dims)
    labels = tuple(range(len(shape)))
    return einsum([x], [labels[len(shape) - x.order :]], labels, dict(enumerate(shape)))


def outer(x: Node, y: Node) -> Node:
    """All products of an element of `x` and an element of `y`."""
    labels = tuple(range(x.order + y.order))
    return einsum([x, y], [labels[: x.order], labels[x.order :]], labels)


def sum_all(x: Node) -> Node:
    """The sum of all elements."""
    return einsum([x], [tuple(range(x.order))], ())


def size(dim: Dim) -> Node:
    """The size of a dimension as a scalar: the sum of as many ones."""
    return sum_all(ones((dim,)))
