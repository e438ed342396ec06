"""`logsumexp` and its derivatives, shifted by the maximum so that nothing overflows.

``y = log Σ exp(x[i])``, ``dy = Σ p[i] dx[i]`` with ``p = softmax(x)``, and
``dp[i] = p[i] (dx[i] - Σ p[j] dx[j])`` (Boyd & Vandenberghe, Convex Optimization, 3.1.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.polynomial import Polynomial
from tcalc.expr.primitive import Fact, Holds, LinearMap, linear_map
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.function import Function, OfScalar, normalisation, reduction
from tcalc.primitives.labels import groups
from tcalc.primitives.reductions import Reduction, span
from tcalc.primitives.routines import Embedded, Routine, elements, per_element


class LogSumExp(Reduction):
    """``log Σ exp(x)`` over the last axes."""

    name = "logsumexp"
    analytic = True

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        (i,) = groups(1, self.axes)
        # dy = p[i] dx[i]
        return linear_map(node, 0, "", i, (1, i, (softmax(node.args[0], self.axes),)))

    def evaluate(self, *arrays: Any) -> Any:
        return log_sum_exp(arrays[0], self.over)

    def routine(self, node: Apply) -> Routine:
        return Embedded(log_sum_exp, (self.over,), fresh=True, work=per_element(4))


def log_sum_exp(x: Array, axes: tuple[int, ...]) -> Array:
    """log(sum(exp(x))) about the largest element; infinite elements included."""
    top = np.max(x.real, axis=axes, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    return np.log(np.sum(np.exp(x - top), axis=axes)) + top.reshape(x.shape[: x.ndim - len(axes)])


class Softmax(Reduction):
    """``exp(x) / Σ exp(x)`` over the last axes."""

    name = "softmax"
    letter = "p"
    analytic = True
    bounded = True
    keeps = True
    along_last = True

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        i, j = groups(2, self.axes)
        (along,) = linear_map(node, 0, i, i, (1, i, (node,)))
        (across,) = linear_map(node, 0, i, j, (-1, f"{i},{j}", (node, node)))
        # dp[i] = p[i] dx[i] - p[i] p[j] dx[j]
        return (along, across)

    def evaluate(self, *arrays: Any) -> Any:
        return soft_max(arrays[0], self.over)

    def routine(self, node: Apply) -> Routine:
        return Embedded(soft_max, (self.over,), fresh=True, work=self._work)

    def _work(self, given: Sequence[Shape], made: Sequence[Shape]) -> Polynomial:
        # Maxima, differences, exponentials, sums, and quotients.
        rows = given[0][: len(given[0]) - self.axes]
        return 5 * elements(given[0]) - 2 * elements(rows)

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return True if fact in (Fact.POSITIVE, Fact.NONNEGATIVE) else None


def soft_max(x: Array, axes: tuple[int, ...]) -> Array:
    """exp(x) / sum(exp(x)), about the largest element."""
    e = np.exp(x - np.max(x.real, axis=axes, keepdims=True))
    e /= np.sum(e, axis=axes, keepdims=True)
    return e


def logsumexp(x: Node, axes: int | None = None) -> Node:
    """``log Σ exp(x)`` over the last axes."""
    return build.apply(LogSumExp(span(x, axes)), x) if span(x, axes) else x


def softmax(x: Node, axes: int = 1) -> Node:
    """Exponentials that sum to one over the last axes."""
    return build.apply(Softmax(axes), x) if axes else build.ones(x.dims)


def logsoftmax(x: Node, axes: int = 1) -> Node:
    """The logarithm of `softmax`: ``x - logsumexp(x)``."""
    lead, labels = x.order - axes, tuple(range(x.order))
    dims = dict(enumerate(x.dims))
    spread = build.einsum([logsumexp(x, axes)], [labels[:lead]], labels, dims)
    return build.subtract(x, spread)


FUNCTIONS = (
    Function(
        "logsumexp",
        (reduction(logsumexp),),
        "log(sum(exp(x))), without overflow",
        derivative="softmax(x)",
        of_scalar=OfScalar.ITSELF,
    ),
    Function(
        "softmax",
        (normalisation(softmax),),
        "exp(x)/sum(exp(x)) along the last axis, without overflow",
        derivative="diag(p) - p*p', p = softmax(x)",
    ),
    Function(
        "logsoftmax",
        (normalisation(logsoftmax),),
        "log(softmax(x)) along the last axis, without overflow",
        derivative="1 - p, p = softmax(x)",
    ),
)
