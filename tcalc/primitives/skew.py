"""The matrix of a cross product, ``skew(x) y = x × y``, and with it the permutation symbol.

    skew(x) = [0 -x3 x2; x3 0 -x1; -x2 x1 0],    skew(x)[i,j] = -Σ ε[i,j,k] x[k]

It is linear, and its derivative is the skew matrices of the unit vectors, ``skew(eye(3))[k,i,j] =
-ε[k,i,j]``: this is how the permutation symbol ε is made and written.
"""

from __future__ import annotations

from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import LinearMap, Primitive, linear_map
from tcalc.primitives.arrays import np
from tcalc.primitives.selection import unit

SPACE = Dim.of(3)

ENTRIES = ((0, 1, 2, -1), (0, 2, 1, 1), (1, 0, 2, 1), (1, 2, 0, -1), (2, 0, 1, -1), (2, 1, 0, 1))
"""Row, column, element and sign of what is not zero."""


class Skew(Primitive):
    """The matrices whose product with a vector is the cross product, of vectors ``[..., 3]``."""

    name = "skew"
    analytic = True

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (x,) = arguments
        if not x or x[-1] != SPACE:
            raise ValueError("skew takes vectors of three elements")
        return ((*x, SPACE),)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        # dS[i,j] = skew(e_k)[i,j] dx[k]
        return linear_map(node, 0, "ij", "k", (1, "kij", (skew(build.delta(SPACE)),)))

    def evaluate(self, *arrays: Any) -> Any:
        (x,) = arrays
        made = np.zeros((*x.shape, 3), x.dtype)
        for i, j, k, sign in ENTRIES:
            made[..., i, j] = sign * x[..., k]
        return made

    def expansion(self, node: Apply) -> Node:
        (x,) = node.args
        lead = tuple(range(x.order - 1))
        i, j, k = range(x.order, x.order + 3)
        return build.sum_of(
            *[
                build.scale(
                    sign,
                    build.einsum(
                        [x, *(unit(1 + place, SPACE) for place in (row, column, element))],
                        [(*lead, k), (i,), (j,), (k,)],
                        (*lead, i, j),
                    ),
                )
                for row, column, element, sign in ENTRIES
            ]
        )


def skew(x: Node) -> Node:
    """The matrices of the cross products with vectors of three elements."""
    return build.apply(Skew(), x)


def cross(x: Node, y: Node) -> Node:
    """The cross products of vectors of three elements, ``skew(x) y``."""
    axes = tuple(range(x.order + 1))
    return build.einsum([skew(x), y], [axes, (*axes[:-2], axes[-1])], axes[:-1])
