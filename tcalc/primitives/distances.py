"""Squared distances between the rows of two matrices, as code computes them.

``Σ_k (A[i,k] - B[j,k])²`` is a sum of squares in every program and in every derivative.  The code
generator puts this primitive in its place, so that no array of all differences is made; it is not
differentiated, and has no name in the language.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Apply
from tcalc.expr.polynomial import Polynomial
from tcalc.expr.primitive import Fact, Holds, LinearMap
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.routines import Coded, Embedded, Routine, elements


class SquaredDistance(Coded):
    """``D[i,j] = Σ_k (A[i,k] - B[j,k])²``."""

    name = "squareddistance"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (m, k), (n, other) = arguments
        if k != other:
            raise ValueError(f"rows of the lengths {k} and {other}")
        return ((m, n),)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        raise TypeError("squareddistance is for code, after all derivatives are taken")

    def evaluate(self, *arrays: Any) -> Any:
        A, B = arrays
        return np.square(A[:, None, :] - B).sum(axis=2)

    def routine(self, node: Apply) -> Routine:
        return Embedded(squared_distances, fresh=True, work=_work)

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        if fact is Fact.SYMMETRIC and node.args[0] is node.args[1]:
            return True
        return True if fact is Fact.NONNEGATIVE else None


def _work(given: Sequence[Shape], made: Sequence[Shape]) -> Polynomial:
    """A difference, a square and an addition for each coordinate of each pair, but one addition."""
    pairs = elements(made[0])
    return pairs * given[0][1] * Fraction(3) - pairs


def squared_distances(A: Array, B: Array) -> Array:
    """The squared distances between the rows of A and those of B, without cancellation."""
    if A.dtype.kind == "f" and type(A).__module__ == type(B).__module__ == "numpy":
        from scipy.spatial.distance import cdist

        return cdist(A, B, "sqeuclidean").astype(A.dtype, copy=False)
    return np.square(A[:, None, :] - B).sum(axis=2)
