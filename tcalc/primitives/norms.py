"""Norms over the last axes; that of a matrix is element-wise, Frobenius for `norm2`."""

from __future__ import annotations

from typing import Any

from tcalc.expr import build
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Fact, Holds, LinearMap, Notation, Style, linear_map
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.function import Function, reduction
from tcalc.primitives.labels import groups
from tcalc.primitives.piecewise import abs_
from tcalc.primitives.power import reciprocal0
from tcalc.primitives.reductions import Reduction, largest, span, total
from tcalc.primitives.routines import Embedded, Routine, per_element


class Norm2(Reduction):
    """The square root of the sum of squares; its derivatives of all orders are 0 at 0."""

    name = "norm2"
    analytic = True

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        (i,) = groups(1, self.axes)
        # d‖x‖ = x[i]/‖x‖ dx[i], and 0 at 0
        return linear_map(node, 0, "", i, (1, f"{i},", (node.args[0], reciprocal0(node))))

    def evaluate(self, *arrays: Any) -> Any:
        (x,) = arrays
        scale = power_of_two_below(x, self.over)
        norm = np.sqrt(np.sum((x / scale) ** 2, axis=self.over))
        return norm * np.squeeze(scale, self.over)

    def routine(self, node: Apply) -> Routine:
        return Embedded(euclidean_norm, (self.over,), work=per_element(2))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return True if fact is Fact.NONNEGATIVE else None

    def notation(self, node: Apply) -> Notation:
        return Notation(Style.NORM, "norm2", mark="2")


def euclidean_norm(x: Array, axes: tuple[int, ...]) -> Array:
    """The square root of the sum of squares (no absolute values: analytic)."""
    return np.sqrt(np.sum(np.square(x), axis=axes))


def power_of_two_below(x: Array, axes: tuple[int, ...]) -> Array:
    """For each vector a power of two not above its largest absolute value, by which its squares
    stay in range and division is exact; 1 for zero, infinity and NaN."""
    top = np.max(np.abs(x), axis=axes, keepdims=True, initial=0)
    top = np.where((top > 0) & np.isfinite(top), top, 1)
    return np.ldexp(np.ones_like(top), np.frexp(top)[1] - 1)


def norm2(x: Node, axes: int | None = None) -> Node:
    """The Euclidean norm over the last axes."""
    return build.apply(Norm2(span(x, axes)), x) if span(x, axes) else abs_(x)


def norm1(x: Node, axes: int | None = None) -> Node:
    """The sum of absolute values over the last axes."""
    return total(abs_(x), axes)


def norminf(x: Node, axes: int | None = None) -> Node:
    """The largest absolute value over the last axes."""
    return largest(abs_(x), axes)


FUNCTIONS = (
    Function(
        "norm2",
        (reduction(norm2),),
        "Euclidean norm (of a matrix: Frobenius), to full accuracy wherever it is representable",
        derivative="x/norm2(x)",
        kink="0 at x = 0, at every order; powers of norm2(x) in the second derivative and beyond "
        "must be representable",
    ),
    Function(
        "norm1",
        (reduction(norm1),),
        "sum of absolute values, of a matrix too",
        derivative="sign(x)",
        kink="0 at zero elements",
    ),
    Function(
        "norminf",
        (reduction(norminf),),
        "largest absolute value",
        derivative="sign(x) at the largest, 0 elsewhere",
        kink="equal shares for equal absolute values",
    ),
)
