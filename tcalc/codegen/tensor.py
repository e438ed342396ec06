"""Tensors on their way to arrays: a value, and how the axes of the tensor run over it.

Much of a tensor is known without being written down.  A transpose is another order of axes, a
broadcast an axis that the value lacks, a unit tensor two axes that run together, a window an axis
that runs over a part.  `Tensor` says so, and only what needs it has zeros and copies made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache

from tcalc.codegen.program import (
    Addend,
    Extent,
    Index,
    Memory,
    Number,
    Operation,
    Placed,
    Product,
    Program,
    Requirement,
    Slice,
    Spread,
    Statement,
    Sum,
    Typed,
    Value,
    View,
    at_most,
    first_axes,
)
from tcalc.expr.dims import Dim, Shape
from tcalc.records import dataclass

ONE = Fraction(1)


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of a tensor: it runs with a label, from the place `start` on, or stays at `start`.

    With a `length` the axis is longer than the label: elsewhere the tensor is zero.
    """

    label: int | None
    start: Dim | None = None
    length: Dim | None = None

    @property
    def whole(self) -> bool:
        return self.start is None

    @property
    def index(self) -> Index:
        """The part of the axis where the tensor is not zero."""
        if self.start is None:
            return None
        return self.start if self.length is None else Slice(self.start, self.length)


@cache
def along(label: int) -> Axis:
    """The axis that runs with a label: one object for each."""
    return Axis(label)


@cache
def running(order: int) -> tuple[Axis, ...]:
    """Axes that each run with a label of their own, in order: one tuple for each count of them."""
    return tuple(map(along, range(order)))


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value with a label for each of its axes, and the axes of the tensor over these labels.

    A label that the value lacks is one along which the tensor is constant.
    """

    value: Value
    labels: tuple[int, ...]
    axes: tuple[Axis, ...]

    @staticmethod
    def of(value: Value) -> Tensor:
        order = len(value.dims)
        return Tensor(value, first_axes(order), running(order))

    @staticmethod
    def over(value: Value, labels: Sequence[int], output: Sequence[int]) -> Tensor:
        """A value under labels as a tensor whose axes run with `output`: equal ones together."""
        place = {label: k for k, label in enumerate(output)}
        if len(place) == len(output):
            return Tensor(value, tuple([place[x] for x in labels]), running(len(output)))
        return Tensor(value, tuple(labels), tuple(map(along, output)))

    @property
    def in_order(self) -> bool:
        """Whether the axes run with the labels 0, 1, 2, …"""
        return self.axes is running(len(self.axes))

    @property
    def plain(self) -> bool:
        """Whether it is zero nowhere by structure: a permutation and a broadcast at most."""
        if self.in_order:
            return True
        labels = {axis.label for axis in self.axes}
        return len(labels) == len(self.axes) and all(axis.start is None for axis in self.axes)

    @property
    def places(self) -> tuple[int, ...]:
        """For each axis of the value, the axis of the (plain) tensor that it is."""
        if self.in_order:
            return self.labels
        place = {axis.label: k for k, axis in enumerate(self.axes)}
        return tuple(place[label] for label in self.labels)

    @property
    def structure(self) -> tuple[tuple[int, Index], ...]:
        """How the axes run, without regard to names of labels: equal for tensors alike."""
        number: dict[int | None, int] = {None: -1}
        return tuple(
            (number.setdefault(axis.label, len(number) - 1), axis.index) for axis in self.axes
        )

    def relabelled(self) -> Tensor:
        """The same with labels numbered by first appearance among the axes."""
        if self.in_order:
            return self
        number: dict[int | None, int] = {}
        for axis in self.axes:
            if axis.label is not None:
                number.setdefault(axis.label, len(number))
        return Tensor(
            self.value,
            tuple(number[label] for label in self.labels),
            tuple(
                Axis(None if axis.label is None else number[axis.label], axis.start, axis.length)
                for axis in self.axes
            ),
        )


def arranged(value: Value, labels: Sequence[int], order: Sequence[int]) -> View:
    """A value as an operand whose axes are `order`; leading new axes are left out."""
    place = {label: axis for axis, label in enumerate(labels)}
    axes = [place.get(label) for label in order]
    lead = next((k for k, axis in enumerate(axes) if axis is not None), len(axes))
    return View(value, tuple(axes[lead:]))


class Builder:
    """A program as it grows: equal operations are made once."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.made: dict[Operation, tuple[Value, ...]] = {}
        self.sources: dict[Value, Operation] = {}
        self.numbers: dict[Value, Fraction] = {}
        self.requirements: dict[Requirement, None] = {}
        self.tuned = False

    def make(
        self,
        operation: Operation,
        dims: Shape,
        memory: Memory = Memory.FRESH,
        remark: str | Callable[[], str] = "",
    ) -> Value:
        """The value of an operation."""
        return self.make_all(operation, (dims,), memory, remark)[0]

    def make_all(
        self,
        operation: Operation,
        shapes: Sequence[Shape],
        memory: Memory = Memory.FRESH,
        remark: str | Callable[[], str] = "",
    ) -> tuple[Value, ...]:
        """The values of an operation with several results."""
        found = self.made.get(operation)
        if found is None:
            start = len(self.made)
            found = tuple(Value(start, dims, memory) for dims in shapes)
            self.made[operation] = found
            self.sources.update(dict.fromkeys(found, operation))
            text = remark if isinstance(remark, str) else remark()
            self.statements.append(Statement(found, operation, text))
        return found

    def number(self, value: Fraction) -> Value:
        """An exact number."""
        made = self.make(Number(value), (), Memory.NONE)
        self.numbers[made] = value
        return made

    def extent(self, dim: Dim) -> Value:
        """A size as a number."""
        if dim.value is not None:
            return self.number(Fraction(dim.value))
        return self.make(Extent(dim), (), Memory.NONE)

    def typed(self, value: Value) -> Value:
        """The value with the type of the arrays."""
        return self.make(Typed(value), (), Memory.FRESH) if value.weak else value

    def require(self, low: Dim, high: Dim) -> None:
        """Note that ``low <= high`` must hold, unless it always does."""
        if not at_most(low, high):
            self.requirements.setdefault(Requirement(low, high))

    def scaled(self, coefficient: Fraction, value: Value) -> Value:
        """A value times a number."""
        if value in self.numbers:
            return self.number(coefficient * self.numbers[value])
        if coefficient == 1:
            return value
        if (product := self.scaled_product(coefficient, value)) is not None:
            return product
        terms = (Addend(coefficient, View.of(value)),)
        memory = Memory.NONE if value.weak else Memory.FRESH
        return self.make(Sum(value.dims, terms), value.dims, memory)

    def scaled_product(self, coefficient: Fraction, value: Value) -> Value | None:
        """A product times a number that goes to a number among its factors, or to a small one."""
        operation = self.sources.get(value)
        if not isinstance(operation, Product) or not value.dims:
            return None
        for views in (operation.factors, operation.divisors):
            for place, view in enumerate(views):
                if view.value.dims:
                    continue
                above = views is operation.factors
                number = self.scaled(coefficient if above else 1 / coefficient, view.value)
                new = (*views[:place], View(number, ()), *views[place + 1 :])
                made = replace(operation, **{"factors" if above else "divisors": new})
                return self.make(made, value.dims)
        # The least of the factors of an outer product, where the result has more axes.
        place, least = min(enumerate(operation.factors), key=lambda x: len(x[1].value.dims))
        if len(least.value.dims) < len(value.dims):
            scaled = replace(least, value=self.scaled(coefficient, least.value))
            factors = (*operation.factors[:place], scaled, *operation.factors[place + 1 :])
            return self.make(replace(operation, factors=factors), value.dims)
        return None

    def filled(self, number: Fraction, dims: Shape) -> Value:
        """An array with one number in all places."""
        term = (Addend(number, View.of(self.number(ONE))),)
        return self.make(Sum(dims, term, spans=False), dims)

    def dense(self, tensor: Tensor, dims: Shape) -> View:
        """The whole tensor as an array, zeros and repetitions written out where there are any."""
        order = [axis.label for axis in tensor.axes]
        if not tensor.plain:
            made = self.make(
                Sum(dims, (), (placed(ONE, tensor, range(len(dims))),), spans=False), dims
            )
            return View.of(made)
        labels = [label for label in order if label is not None]
        if set(labels) == set(tensor.labels) and len(labels) == len(tensor.labels):
            return arranged(tensor.value, tensor.labels, labels)
        if tensor.value in self.numbers:
            return View.of(self.filled(self.numbers[tensor.value], dims))
        source = arranged(self.typed(tensor.value), tensor.labels, labels)
        return View.of(self.make(Spread(source, dims), dims, Memory.REPEATED))

    def plain(self, tensor: Tensor, dims: Shape) -> Tensor:
        """The tensor with zeros written out, where it has any by structure."""
        return tensor if tensor.plain else Tensor.of(self.dense(tensor, dims).value)

    def add(
        self,
        terms: Sequence[tuple[Fraction, Tensor]],
        dims: Shape,
        preferred: tuple[int, ...] | None = None,
    ) -> Tensor:
        """A sum of terms of one shape, its axes best in the order that is `preferred`."""
        terms = self._collected(terms)
        best = preferred or first_axes(len(dims))
        if all(tensor.in_order for _, tensor in terms):
            return self._add_alike(terms, best)
        structures = {tensor.structure for _, tensor in terms}
        if len(structures) == 1:
            return self._add_alike([(c, tensor.relabelled()) for c, tensor in terms], best)
        addends: list[tuple[Fraction, Value, tuple[int, ...]]] = []
        parts: list[tuple[Fraction, Tensor]] = []
        for c, tensor in terms:
            if tensor.plain:
                addends.append((c, tensor.value, tensor.places))
            else:
                parts.append((c, tensor))
        if not parts:
            return self._add_plain(addends, dims, best)
        covered = {place for _, _, places in addends for place in places}
        spans = bool(addends) and len(covered) == len(dims)
        # The terms on parts are added to the others as these lie, which may then be overwritten.
        sizes = dict(enumerate(dims))
        order = self._layout(addends, best) if spans else tuple(sizes)
        whole = tuple(self._addends(addends, order))
        shape = tuple(dims[place] for place in order)
        turned = tuple(placed(c, tensor, order) for c, tensor in parts)
        made = self.make(Sum(shape, whole, turned, spans), shape)
        return Tensor(made, order, running(len(dims)))

    def _collected(
        self, terms: Sequence[tuple[Fraction, Tensor]]
    ) -> Sequence[tuple[Fraction, Tensor]]:
        """Like terms added up first: what those that do not cancel leave may have fewer axes."""
        found: dict[Tensor, Fraction] = {}
        for c, tensor in terms:
            like = tensor.relabelled()
            found[like] = found.get(like, Fraction(0)) + c
        if len(found) == len(terms):
            return terms
        left = [(c, tensor) for tensor, c in found.items() if c]
        return left or [(ONE, Tensor(self.number(Fraction(0)), (), running(len(terms[0][1].axes))))]

    def _add_alike(
        self, terms: Sequence[tuple[Fraction, Tensor]], preferred: tuple[int, ...]
    ) -> Tensor:
        """Terms that run over their values in one way: the values are added."""
        first = terms[0][1]
        if len(terms) == 1:
            return Tensor(self.scaled(terms[0][0], first.value), first.labels, first.axes)
        addends = [(c, tensor.value, tensor.labels) for c, tensor in terms]
        if all(labels == first.labels for _, _, labels in addends):
            made = self._sum(addends, first.labels, first.value.dims)
            return Tensor(made, first.labels, first.axes)
        sizes = {
            label: dim
            for _, tensor in terms
            for label, dim in zip(tensor.labels, tensor.value.dims, strict=True)
        }
        order = self._layout(addends, tuple(x for x in preferred if x in sizes))
        shape = tuple(sizes[label] for label in order)
        return Tensor(self._sum(addends, order, shape), order, first.axes)

    def _add_plain(
        self,
        addends: Sequence[tuple[Fraction, Value, tuple[int, ...]]],
        dims: Shape,
        preferred: tuple[int, ...],
    ) -> Tensor:
        """Terms that are permuted and broadcast only; a common broadcast stays one."""
        sizes = {place: dims[place] for _, _, places in addends for place in places}
        order = self._layout(addends, tuple(x for x in preferred if x in sizes))
        value = self._sum(addends, order, tuple(sizes[place] for place in order))
        return Tensor(value, order, running(len(dims)))

    def _layout(
        self,
        addends: Sequence[tuple[Fraction, Value, tuple[int, ...]]],
        preferred: tuple[int, ...],
    ) -> tuple[int, ...]:
        """The order of axes of the sum: that of most of the full terms, to add them as they lie."""
        full = Counter(labels for _, _, labels in addends if len(labels) == len(preferred))
        return max(full, key=lambda order: (full[order], order == preferred), default=preferred)

    def _sum(
        self,
        addends: Sequence[tuple[Fraction, Value, tuple[int, ...]]],
        order: tuple[int, ...],
        dims: Shape,
    ) -> Value:
        weak = all(value.weak for _, value, _ in addends)
        memory = Memory.NONE if weak else Memory.FRESH
        return self.make(Sum(dims, tuple(self._addends(addends, order))), dims, memory)

    def _addends(
        self,
        addends: Sequence[tuple[Fraction, Value, tuple[int, ...]]],
        order: tuple[int, ...],
    ) -> list[Addend]:
        """Positive terms before negative ones, terms with many axes before those with few."""
        views: dict[View, Fraction] = {}
        constant = Fraction(0)
        for c, value, labels in addends:
            if value in self.numbers:
                constant += c * self.numbers[value]
            else:
                view = arranged(value, labels, order)
                known = views.get(view)
                views[view] = c if known is None else known + c
        made = [Addend(c, view) for view, c in views.items() if c or len(views) == 1]
        made.sort(key=lambda x: (x.coefficient.numerator < 0, -len(x.view.axes), not x.view.plain))
        if constant:
            first = constant > 0 and bool(made) and made[0].coefficient < 0
            made.insert(0 if first else len(made), Addend(constant, View.of(self.number(ONE))))
        return made

    def finish(self) -> Program:
        return Program(tuple(self.statements), (), tuple(self.requirements), tuned=self.tuned)


def placed(coefficient: Fraction, tensor: Tensor, layout: Sequence[int]) -> Placed:
    """The tensor as a term of a sum that lies on a part of it; `layout` has the sum's axes."""
    axes = [tensor.axes[place] for place in layout]
    remaining = [axis.label for axis in axes if axis.label is not None]
    order = tuple(dict.fromkeys(remaining))
    index = tuple(axis.index for axis in axes)
    view = arranged(tensor.value, tensor.labels, order)
    number = {label: k for k, label in enumerate(order)}
    return Placed(coefficient, view, index, tuple(number[label] for label in remaining))
