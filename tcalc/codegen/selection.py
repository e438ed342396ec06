"""The factors of a product that select instead of multiplying, put into effect on the others.

A unit vector on a label fixes it to one place; a window lets its long axis run with its short
one; a triangular mask zeroes a part of an operand that has both its labels.  What is left are
operands: arrays with labels, to be multiplied and summed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, replace
from typing import TypeAlias

from tcalc.codegen.opening import OpenProduct
from tcalc.codegen.program import Call, Diagonal, Index, Memory, Pick, Slice, Triangle, Value, View
from tcalc.codegen.tensor import Axis, Builder, Tensor, along, arranged
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.nodes import Apply, Const, Node
from tcalc.expr.primitive import Labels
from tcalc.primitives.onehot import is_onehot, place_name, places_of
from tcalc.primitives.routines import Embedded
from tcalc.primitives.selection import LowerMask, UnitVector, Window
from tcalc.primitives.shifts import Shifts, ends, shifts_of
from tcalc.records import dataclass
from tcalc.simplify.special import with_one_place


@dataclass(frozen=True, slots=True)
class Operand:
    """An array of a product, with the labels of its axes; one to divide by if `divides`.

    The array is the whole of a triangle of ones where there is a `mask`.
    """

    value: Value
    labels: Labels
    divides: bool = False
    mask: LowerMask | None = None


@dataclass(frozen=True, slots=True)
class Inverted:
    """The inverse of a matrix that may be applied, with the labels of its axes."""

    node: Apply
    labels: Labels


@dataclass(frozen=True, slots=True)
class Indicator:
    """A tensor of zeros, and ones at the places that an array of integers has, counted from 0.

    The array has the labels `rows`; `long` are the labels, and `dims` the sizes, of the axes along
    which the ones have their places.  Of several the last runs fastest; the `parts` then are the
    indicators for each.  Places that are sums of indices are also told by `shifts`.
    """

    places: Value
    rows: Labels
    long: Labels
    dims: Shape
    parts: tuple[Indicator, ...] = ()
    shifts: Shifts | None = None

    @property
    def labels(self) -> Labels:
        """The labels of all axes."""
        return self.rows + self.long


Part: TypeAlias = Operand | Indicator | Inverted


@dataclass(slots=True)
class Selected:
    """A product without its selections: what to contract, and where the result lies."""

    operands: list[Part]
    output: tuple[Axis, ...]
    dims: dict[int, Dim]
    masks: list[tuple[Node, Labels]] = field(default_factory=list)

    @property
    def kept(self) -> Labels:
        """The labels of the result, in the order of its axes."""
        found = (axis.label for axis in self.output if axis.label is not None)
        return tuple(dict.fromkeys(found))


class Selection:
    """The selections of one product.

    `applied` are the inverses that are not to be formed, and `divisors` the reciprocals that are
    not to be computed.
    """

    def __init__(
        self,
        product: OpenProduct,
        builder: Builder,
        applied: Collection[Node] = (),
        divisors: Collection[Node] = (),
    ) -> None:
        factors, rows, self.output = with_one_place(product.factors, product.rows, product.output)
        self.builder = builder
        self.dims: dict[int, Dim] = dict(zip(self.output, product.dims, strict=True))
        self.kept_whole: set[int] = set()
        self.places: set[int] = set()  # along which indicators have their ones
        self.picked: dict[int, Dim] = {}
        self.moved: dict[int, tuple[int, Dim]] = {}
        self.masks: list[tuple[Node, Labels]] = []
        self.divisors = divisors
        self.dense: list[tuple[Node, Labels]] = []
        self.indicators: list[tuple[Apply, Labels]] = []
        self.inverses: list[tuple[Apply, Labels]] = []
        self._sort(list(zip(factors, rows, strict=True)), applied)

    def _sort(self, parts: Sequence[tuple[Node, Labels]], applied: Collection[Node]) -> None:
        """Tell the factors that select from those that multiply.

        Which labels an inverse keeps whole is known before windows and unit vectors are looked at.
        """
        windows: list[tuple[Node, Window, Labels]] = []
        units: list[tuple[Node, UnitVector, int]] = []
        for factor, row in parts:
            self.dims.update(zip(row, factor.dims, strict=True))
            if is_onehot(factor) and len(set(row)) == len(row):
                self.indicators.append((factor, row))
                self.places.add(row[-1])
                continue
            if factor.operands and factor not in applied:
                self.dense.append((factor, row))
                continue
            match factor:
                case Const():
                    pass  # ones that carry a summed size: the label is counted later
                case Apply(primitive=UnitVector() as unit):
                    units.append((factor, unit, row[0]))
                case Apply(primitive=Window() as window):
                    windows.append((factor, window, row))
                case Apply(primitive=LowerMask()):
                    self.masks.append((factor, row))
                case Apply() if factor in applied and len(set(row)) == len(row):
                    self.inverses.append((factor, row))
                    self.kept_whole.update(row)
                case _:
                    self.dense.append((factor, row))
        for factor, window, row in windows:
            if not self._moves(window, *row):
                self.dense.append((factor, row))
        for factor, unit, label in units:
            if not self._picks(unit, label):
                self.dense.append((factor, (label,)))

    def _moves(self, window: Window, short: int, long: int) -> bool:
        """Let the long axis of a window run with the short one; false where it may not."""
        free = long not in self.moved and not {short, long} & self.kept_whole
        free = free and long not in self.places
        if not free or self.resolve(short)[0] == self.resolve(long)[0]:
            return False
        self.builder.require(Dim.of(1), window.start)
        self.builder.require(window.stop, window.dim)
        self.builder.require(window.start - 1, window.stop)  # an empty one exists
        self.moved[long] = (short, window.start - 1)
        return True

    def _picks(self, unit: UnitVector, label: int) -> bool:
        """Fix a label to the place of a unit vector; false where it may not be fixed."""
        if label in self.moved or label in self.picked:
            return False
        if label in self.kept_whole or label in self.places:
            return False
        self.builder.require(Dim.of(1), unit.index)
        self.builder.require(unit.index, unit.dim)
        self.picked[label] = unit.index - 1
        return True

    def resolve(self, label: int) -> tuple[int, Dim | None]:
        """The label that this one runs with, and from which place on."""
        start: Dim | None = None
        while label in self.moved:
            label, offset = self.moved[label]
            start = offset if start is None else start + offset
        return label, start

    @property
    def selects(self) -> bool:
        """Whether any label stays at a place, or runs with another."""
        return bool(self.moved or self.picked)

    @property
    def parts(self) -> list[tuple[Node, Labels]]:
        """The operands as they were given, indicators and then inverses last."""
        return [*self.dense, *self.masks, *self.indicators, *self.inverses]

    def rows(self) -> tuple[list[Labels], Labels]:
        """The labels of all `parts`, of what selections leave of them, and of the result."""
        if not self.selects:
            return [tuple(dict.fromkeys(row)) for _, row in self.parts], self.output
        rows = [
            tuple(
                label
                for label in dict.fromkeys(self.resolve(label)[0] for label in row)
                if label not in self.picked
            )
            for _, row in self.parts
        ]
        axes = (self._axis(label) for label in self.output)
        return rows, tuple(axis.label for axis in axes if axis.label is not None)

    def run(self, tensors: Mapping[Node, Tensor]) -> Selected:
        """Put the selections into effect."""
        operands: list[Part] = []
        for factor, row in self.dense:
            if factor in self.divisors:
                (factor,) = factor.operands
                operand = self._operand(tensors[factor], factor.dims, row)
                operands.append(replace(operand, divides=True))
            else:
                operands.append(self._operand(tensors[factor], factor.dims, row))
        operands += [self._indicator(x, row, tensors) for x, row in self.indicators]
        operands += [Inverted(factor, row) for factor, row in self.inverses]
        selected = Selected(operands, tuple(map(self._axis, self.output)), self.dims)
        for mask, row in self.masks:
            self._mask(selected, mask, row, tensors)
        self._count_sizes(selected)
        return selected

    def _indicator(self, node: Apply, row: Labels, tensors: Mapping[Node, Tensor]) -> Indicator:
        """The places of the ones, looked at for all rows before some of them are selected."""
        positions, size = node.args[0], node.dims[-1]
        shifts = shifts_of(node)
        if shifts is not None:
            low, high = ends(shifts.coefficients, shifts.offset, shifts.dims)
            self.builder.require(Dim.of(1), low)
            self.builder.require(high, size)
        given = self.builder.plain(tensors[positions], positions.dims)
        routine = Embedded(places_of, (place_name(node),), sizes=(size,))
        call = Call(routine, (View.of(self.builder.typed(given.value)),))
        whole = replace(given, value=self.builder.make(call, given.value.dims))
        found = self._operand(whole, positions.dims, row[:-1])
        is_whole = found.value is whole.value and found.labels == row[:-1]
        return Indicator(
            found.value, found.labels, row[-1:], (size,), shifts=shifts if is_whole else None
        )

    def _axis(self, label: int) -> Axis:
        if not self.selects:
            return along(label)
        base, start = self.resolve(label)
        if base in self.picked:
            return Axis(None, self.picked[base] if start is None else self.picked[base] + start)
        return Axis(base, start, None if start is None else self.dims[base])

    def _operand(self, tensor: Tensor, dims: Shape, row: Sequence[int]) -> Operand:
        """A factor, indexed and sliced, with equal labels taken along the diagonal."""
        plain = self.builder.plain(tensor, dims)
        return diagonal(self.builder, *self._index(plain, row))

    def _index(self, tensor: Tensor, row: Sequence[int]) -> tuple[Value, Labels]:
        if not self.selects:
            return tensor.value, tuple([row[place] for place in tensor.places])
        index: list[Index] = []
        labels: list[int] = []
        for place in tensor.places:
            axis = self._axis(row[place])
            index.append(axis.index)
            if axis.label is not None:
                labels.append(axis.label)
        if all(part is None for part in index):
            return tensor.value, tuple(labels)
        shape: list[Dim] = []
        for part, dim in zip(index, tensor.value.dims, strict=True):
            if part is None or isinstance(part, Slice):
                shape.append(dim if part is None else part.length)
        picked = Pick(tensor.value, tuple(index))
        return self.builder.make(picked, tuple(shape), tensor.value.memory), tuple(labels)

    def _mask(
        self, selected: Selected, node: Node, row: Labels, tensors: Mapping[Node, Tensor]
    ) -> None:
        """Zero a part of an operand, or of the result; else the mask is one more operand."""
        (i, first), (j, second) = self.resolve(row[0]), self.resolve(row[1])
        simple = first is None and second is None and i != j and not {i, j} & set(self.picked)
        if simple:
            for place, operand in enumerate(selected.operands):
                if not isinstance(operand, Operand) or operand.divides:
                    continue
                if {i, j} <= set(operand.labels):
                    selected.operands[place] = triangle(self.builder, operand, node, i, j)
                    return
            if {i, j} <= set(selected.kept):
                selected.masks.append((node, (i, j)))
                return
        operand = self._operand(tensors[node], node.dims, row)
        if simple and operand.labels == (i, j):
            assert isinstance(node, Apply)
            assert isinstance(node.primitive, LowerMask)
            operand = replace(operand, mask=node.primitive)
        selected.operands.append(operand)

    def _count_sizes(self, selected: Selected) -> None:
        """A summed label that no operand has counts as its size."""
        carried = {label for operand in selected.operands for label in operand.labels}
        if len(carried) == len(self.dims) and not self.selects:
            return
        carried |= set(selected.kept) | {x for _, row in selected.masks for x in row}
        for label, dim in self.dims.items():
            base, _ = self.resolve(label)
            if base == label and base not in carried and base not in self.picked:
                selected.operands.append(Operand(self.builder.extent(dim), ()))


def triangle(builder: Builder, operand: Operand, mask: Node, i: int, j: int) -> Operand:
    """The operand with zeros where the place along j is beyond that along i plus the offset."""
    assert isinstance(mask, Apply)
    assert isinstance(mask.primitive, LowerMask)
    offset = mask.primitive.offset
    lead = tuple(label for label in operand.labels if label not in (i, j))
    places = {label: k for k, label in enumerate(operand.labels)}
    lower = places[i] < places[j]
    order = (*lead, i, j) if lower else (*lead, j, i)
    # With the axes the other way round, col <= row + k is row >= col - k: an upper triangle.
    view = arranged(operand.value, operand.labels, order)
    dims = tuple(operand.value.dims[places[label]] for label in order)
    cut = Triangle(view, offset if lower else -offset, lower)
    return Operand(builder.make(cut, dims, Memory.FRESH), order)


def diagonal(builder: Builder, value: Value, labels: Labels) -> Operand:
    """The value with one axis for each label, where axes that share one run together."""
    once = tuple(dict.fromkeys(labels))
    if len(once) == len(labels):
        return Operand(value, labels)
    number = {label: k for k, label in enumerate(once)}
    short = Diagonal(value, tuple(number[x] for x in labels), tuple(range(len(once))))
    dims = tuple(value.dims[labels.index(label)] for label in once)
    return Operand(builder.make(short, dims, value.memory), once)
