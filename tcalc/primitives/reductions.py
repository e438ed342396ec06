"""Sums, means, products and extrema over the last axes, mapped over the axes before."""

from __future__ import annotations

import math
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape, product
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Fact, Holds, LinearMap, Notation, Style, linear_map
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.function import Function, OfScalar, elementwise_form, normalisation, reduction
from tcalc.primitives.labels import groups
from tcalc.primitives.piecewise import maximum, minimum
from tcalc.primitives.power import reciprocal
from tcalc.primitives.routines import Coded, Embedded, Routine, Template, per_element

_KEPT = (Fact.POSITIVE, Fact.NONNEGATIVE, Fact.INTEGER)
"""What products and extrema have if all elements have it."""


class Reduction(Coded):
    """A function of the last `axes` axes taken together, mapped over the axes before.

    `keeps` tells whether those axes stay (softmax) or go (max), `along_last` whether they are the
    last one alone where no indices are given, and not all.
    """

    keeps = False
    along_last = False

    def __init__(self, axes: int) -> None:
        self.axes = axes

    @property
    def key(self) -> str:
        return f"{self.name}({self.axes})"

    @property
    def over(self) -> tuple[int, ...]:
        """The axes that are taken together, counted from the end: an argument for NumPy."""
        return tuple(range(-self.axes, 0))

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (x,) = arguments
        if len(x) < self.axes:
            raise ValueError(f"{self.name} over {self.axes} axes of a tensor with {len(x)}")
        return (x if self.keeps else x[: len(x) - self.axes],)


class Prod(Reduction):
    """The product of all elements; its derivative is exact where some of them are zero."""

    name = "prod"
    analytic = True

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        (i,) = groups(1, self.axes)
        # dy = Π_{j≠i} x[j] dx[i]
        return linear_map(node, 0, "", i, (1, i, (prod_others(node.args[0], self.axes),)))

    def evaluate(self, *arrays: Any) -> Any:
        return np.prod(arrays[0], axis=self.over)

    def routine(self, node: Apply) -> Routine:
        return Template(f"np.prod({{0}}, axis={self.over})", work=per_element(1, -1))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return True if fact in _KEPT and holds(node.args[0], fact) else None


class ProdOthers(Reduction):
    """For each element the product of all the others; exact where some of them are zero."""

    name = "prodothers"
    analytic = True
    keeps = True
    along_last = True

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        (x,) = node.args
        i, j = groups(2, self.axes)
        replaced, same = _replaced_in_turn(x, self.axes)
        apart = build.subtract(build.ones(same.dims), same)
        pairs = prod_others(replaced, self.axes)
        # dy[i] = Σ_{j≠i} Π_{k≠i,j} x[k] dx[j]
        return linear_map(node, 0, i, j, (1, f"{i}{j},{i}{j}", (apart, pairs)))

    def evaluate(self, *arrays: Any) -> Any:
        (x,) = arrays
        lead = x.shape[: x.ndim - self.axes]
        flat = x.reshape(*lead, math.prod(x.shape[len(lead) :]))
        rows = np.where(np.eye(flat.shape[-1], dtype=bool), 1, flat[..., None, :])
        return np.prod(rows, axis=-1).reshape(x.shape)

    def routine(self, node: Apply) -> Routine:
        return Embedded(products_of_others, (self.axes,), work=per_element(3))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return True if fact in _KEPT and holds(node.args[0], fact) else None

    def notation(self, node: Apply) -> Notation:
        return Notation(Style.OTHERS if node.order == 1 else Style.CALL, self.name)


def products_of_others(x: Array, axes: int) -> Array:
    """For each element of the last axes the product of all before it and of all behind it."""
    lead = x.shape[: x.ndim - axes]
    flat = x.reshape(*lead, int(np.prod(np.asarray(x.shape[x.ndim - axes :]))))
    found, behind = np.ones_like(flat), np.ones_like(flat)
    found[..., 1:] = np.cumprod(flat[..., :-1], axis=-1)
    behind[..., :-1] = np.cumprod(flat[..., :0:-1], axis=-1)[..., ::-1]
    found *= behind
    return found.reshape(x.shape)


def _replaced_in_turn(x: Node, axes: int) -> tuple[Node, Node]:
    """``x[j] (1 - δ[i,j]) + δ[i,j]``, in which each element is one in turn, and δ[i,j]."""
    lead = tuple(range(x.order - axes))
    i = tuple(f"i{k}" for k in range(axes))
    j = tuple(f"j{k}" for k in range(axes))
    core = x.dims[len(lead) :]
    units, pairs = [build.delta(dim) for dim in core], list(zip(i, j, strict=True))
    same = build.einsum(units, pairs, (*i, *j))
    dims = dict(zip((*lead, *i, *j), (*x.dims, *core), strict=True))
    spread = build.einsum([x], [(*lead, *j)], (*lead, *i, *j), dims)
    everywhere = build.einsum([same], [(*i, *j)], (*lead, *i, *j), dims)
    kept = build.add([(1, spread), (-1, build.hadamard(spread, everywhere)), (1, everywhere)])
    return kept, same


def written_out(node: Apply) -> Node:
    """`prodothers` as `prod`, of a tensor in which each element is one in turn."""
    primitive = node.primitive
    assert isinstance(primitive, ProdOthers)
    return prod(_replaced_in_turn(node.args[0], primitive.axes)[0], primitive.axes)


class Extremum(Reduction):
    """The largest element, or the smallest; ties share the derivative evenly."""

    def __init__(self, axes: int, *, largest: bool) -> None:
        super().__init__(axes)
        self.largest = largest
        self.name = "max" if largest else "min"

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        (i,) = groups(1, self.axes)
        share = build.apply(Share(self.axes, largest=self.largest), *node.args)
        # dy = share[i] dx[i], Σ share = 1
        return linear_map(node, 0, "", i, (1, i, (share,)))

    def evaluate(self, *arrays: Any) -> Any:
        return (np.max if self.largest else np.min)(arrays[0], axis=self.over)

    def routine(self, node: Apply) -> Routine:
        return Template(f"np.{self.name}({{0}}, axis={self.over})", work=per_element(1, -1))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return True if fact in _KEPT and holds(node.args[0], fact) else None

    def notation(self, node: Apply) -> Notation:
        return Notation(name=self.name, latex=rf"\{self.name}")


class Share(Reduction):
    """The derivative of an extremum: 1 at it and 0 elsewhere, ties sharing evenly."""

    keeps = True

    def __init__(self, axes: int, *, largest: bool) -> None:
        super().__init__(axes)
        self.largest = largest
        self.name = "maxshare" if largest else "minshare"

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        return ()

    def evaluate(self, *arrays: Any) -> Any:
        return share_of_extremum(arrays[0], self.over, self.largest)

    def routine(self, node: Apply) -> Routine:
        return Embedded(share_of_extremum, (self.over, self.largest), work=per_element(3))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return True if fact is Fact.NONNEGATIVE else None


def share_of_extremum(x: Array, axes: tuple[int, ...], largest: bool) -> Array:
    """Ones at the largest (or smallest) elements, divided by their number; NaN where x has NaN."""
    top = np.max(x, axis=axes, keepdims=True) if largest else np.min(x, axis=axes, keepdims=True)
    at = (x == top).astype(x.dtype)
    count = at.sum(axis=axes, keepdims=True)
    return np.where(count > 0, at, np.nan) / np.where(count > 0, count, 1)


def span(x: Node, axes: int | None) -> int:
    """The number of axes to take together: all of them where no number is given."""
    return x.order if axes is None else axes


def total(x: Node, axes: int | None = None) -> Node:
    """The sum over the last axes, by default all."""
    labels = tuple(range(x.order))
    return build.einsum([x], [labels], labels[: x.order - span(x, axes)])


def mean(x: Node, axes: int | None = None) -> Node:
    """The mean over the last axes."""
    count = reciprocal(build.size(product(x.dims[x.order - span(x, axes) :])))
    return build.hadamard(count, total(x, axes))


def prod(x: Node, axes: int | None = None) -> Node:
    """The product over the last axes."""
    return build.apply(Prod(span(x, axes)), x) if span(x, axes) else x


def prod_others(x: Node, axes: int = 1) -> Node:
    """For each element of the last axes the product of all the others."""
    return build.apply(ProdOthers(axes), x) if axes else build.ones(x.dims)


def largest(x: Node, axes: int | None = None) -> Node:
    """The largest element over the last axes."""
    return build.apply(Extremum(span(x, axes), largest=True), x) if span(x, axes) else x


def smallest(x: Node, axes: int | None = None) -> Node:
    """The smallest element over the last axes."""
    return build.apply(Extremum(span(x, axes), largest=False), x) if span(x, axes) else x


def max_share(x: Node, axes: int | None = None) -> Node:
    """The derivative of the largest element."""
    return (
        build.apply(Share(span(x, axes), largest=True), x) if span(x, axes) else build.ones(x.dims)
    )


def min_share(x: Node, axes: int | None = None) -> Node:
    """The derivative of the smallest element."""
    return (
        build.apply(Share(span(x, axes), largest=False), x) if span(x, axes) else build.ones(x.dims)
    )


_TIES = "equal shares for equal elements"

FUNCTIONS = (
    Function("sum", (reduction(total),), "sum of all elements", derivative="1"),
    Function("mean", (reduction(mean),), "mean of all elements", derivative="1/size"),
    Function(
        "prod",
        (reduction(prod),),
        "product of all elements",
        derivative="prodothers(x)",
        of_scalar=OfScalar.ITSELF,
    ),
    Function(
        "prodothers",
        (normalisation(prod_others),),
        "along the last axis, for each element the product of all the others; exact at zeros",
        derivative="the product of all but two, zero for twice the same",
    ),
    Function(
        "max",
        (reduction(largest), elementwise_form(maximum, 2)),
        "largest element, or the larger of two numbers",
        derivative="1 at the largest, 0 elsewhere",
        kink=_TIES,
        of_scalar=OfScalar.ITSELF,
    ),
    Function(
        "min",
        (reduction(smallest), elementwise_form(minimum, 2)),
        "smallest element, or the smaller of two numbers",
        derivative="1 at the smallest, 0 elsewhere",
        kink=_TIES,
        of_scalar=OfScalar.ITSELF,
    ),
    Function(
        "maxshare",
        (normalisation(max_share, whole=True),),
        "the derivative of max: 1 at the largest element, else 0",
        derivative="0",
        kink=_TIES,
    ),
    Function(
        "minshare",
        (normalisation(min_share, whole=True),),
        "the derivative of min: 1 at the smallest element, else 0",
        derivative="0",
        kink=_TIES,
    ),
)
