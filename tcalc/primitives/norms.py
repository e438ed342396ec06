"""Norms over the last axes; that of a matrix is element-wise, Frobenius for `norm2`.

The gradient of ``norm2`` is the unit vector ``u = x/‖x‖``, a primitive of its own with the
derivative ``(δ[i,j] - u[i] u[j])/‖x‖``.  So no derivative of any order has a power of ``‖x‖``, or a
product of elements of x, that its value does not have too: ``x x'/‖x‖³`` leaves the range of
numbers long before ``(I - u u')/‖x‖`` does.
"""

from __future__ import annotations

from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Add, Apply, Const, Einsum, Node
from tcalc.expr.primitive import Fact, Holds, LinearMap, Notation, Primitive, Style, linear_map
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.function import Function, OfScalar, normalisation, reduction
from tcalc.primitives.labels import groups
from tcalc.primitives.piecewise import abs_
from tcalc.primitives.power import one_for_zero, quotient, reciprocal, reciprocal0
from tcalc.primitives.reductions import Reduction, largest, span, total
from tcalc.primitives.routines import Embedded, Routine, per_element


class Norm2(Reduction):
    """The square root of the sum of squares; its derivatives of all orders are 0 at 0."""

    name = "norm2"
    letter = "d"
    analytic = True
    even = True

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        (i,) = groups(1, self.axes)
        # d‖x‖ = u[i] dx[i], u = x/‖x‖, and 0 at 0
        return linear_map(node, 0, "", i, (1, i, (direction(node.args[0], self.axes),)))

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
        # Of a matrix it is Frobenius' norm: the subscript 2 would say the spectral one.
        return Notation(Style.NORM, "norm2", mark="F" if self.axes == 2 else "2")


def euclidean_norm(x: Array, axes: tuple[int, ...]) -> Array:
    """The square root of the sum of squares (no absolute values: analytic)."""
    return np.sqrt(np.sum(np.square(x), axis=axes))


def power_of_two_below(x: Array, axes: tuple[int, ...]) -> Array:
    """For each vector a power of two not above its largest absolute value, by which its squares
    stay in range and division is exact; 1 for zero, infinity and NaN."""
    top = np.max(np.abs(x), axis=axes, keepdims=True, initial=0)
    top = np.where((top > 0) & np.isfinite(top), top, 1)
    return np.ldexp(np.ones_like(top), np.frexp(top)[1] - 1)


class Direction(Primitive):
    """The unit vector ``x/‖x‖``.

    At 0 it is 0 with its derivatives of all orders where it is `extended`, else NaN as the quotient
    is.
    """

    name = "direction"
    analytic = True
    bounded = True

    def __init__(self, axes: int, extended: bool = True) -> None:
        self.axes = axes
        self.extended = extended

    @property
    def key(self) -> str:
        return f"{self.name}({self.axes}{'' if self.extended else ', nan at 0'})"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        return arguments

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        i, j = groups(2, self.axes)
        over = self.reciprocal(node.args[0])
        # du[i] = (dx[i] - u[i] u[j] dx[j])/‖x‖
        (along,) = linear_map(node, 0, i, i, (1, "", (over,)))
        (across,) = linear_map(node, 0, i, j, (-1, f"{i},{j},", (node, node, over)))
        return (along, across)

    def reciprocal(self, x: Node) -> Node:
        """One over the norm, with this value at 0."""
        norm = norm2(x, self.axes)
        return reciprocal0(norm) if self.extended else reciprocal(norm)

    def evaluate(self, *arrays: Any) -> Any:
        (x,) = arrays
        over = tuple(range(-self.axes, 0))
        x = x / power_of_two_below(x, over)
        norm = np.sqrt(np.sum(x**2, axis=over, keepdims=True))
        with np.errstate(invalid="ignore"):
            return x / (np.where(norm == 0, 1, norm) if self.extended else norm)

    def expansion(self, node: Apply) -> Node:
        """One division of each element, by a norm that others may use as well.

        The quotient stays what it is, where products of x and powers of its norm would meet.  But
        differences of repeated tensors, as of all pairs of rows, are expensive to form: there it is
        a product, which may be opened, at the price of its range.
        """
        (x,) = node.args
        norm = norm2(x, self.axes)
        lead = tuple(range(norm.order))
        axes = tuple(range(x.order))
        if _is_sum_of_repeated(x, norm.order):
            return build.einsum([x, self.reciprocal(x)], [axes, lead], axes)
        below = one_for_zero(norm) if self.extended else norm
        spread = build.einsum([below], [lead], axes, dict(enumerate(x.dims)))
        return quotient(x, spread)

    def written(self, node: Apply) -> Node:
        (x,) = node.args
        over = self.reciprocal(x)
        axes = tuple(range(x.order))
        return build.einsum([x, over], [axes, axes[: over.order]], axes)


def norm2(x: Node, axes: int | None = None) -> Node:
    """The Euclidean norm over the last axes."""
    return build.apply(Norm2(span(x, axes)), x) if span(x, axes) else abs_(x)


def direction(x: Node, axes: int | None = None, *, extended: bool = True) -> Node:
    """The unit vector over the last axes; at 0 it is 0, or NaN unless `extended`."""
    return build.apply(Direction(span(x, axes), extended), x)


def _is_sum_of_repeated(x: Node, lead: int) -> bool:
    """Whether a sum has terms that are the same along some of the first axes."""
    axes = set(range(lead))
    match x:
        case Einsum(factors=(Add() as inner,), subscripts=(row,), output=output) if x.is_view:
            axes = {axis for axis, label in enumerate(row) if label in output[:lead]}
            x = inner
    return isinstance(x, Add) and not all(_carried(term) >= axes for _, term in x.terms)


def _carried(term: Node) -> set[int]:
    """The axes along which a view varies."""
    if isinstance(term, Const):
        return set()
    if not (isinstance(term, Einsum) and term.is_view):
        return set(range(term.order))
    labels = {label for row in term.subscripts for label in row}
    return {k for k, label in enumerate(term.output) if label in labels}


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
        kink="0 at x = 0, at every order",
        of_scalar=OfScalar.ABSOLUTE,
    ),
    Function(
        "direction",
        (normalisation(direction, whole=True),),
        "the unit vector x/norm2(x) (of a matrix: as a whole), and 0 at x = 0",
        derivative="(eye(n) - u*u')/norm2(x), u = direction(x)",
        kink="0 at x = 0, at every order",
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
        of_scalar=OfScalar.ABSOLUTE,
    ),
)
