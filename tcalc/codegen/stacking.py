"""Stacks of small arrays, and operations on all arrays of a stack at once.

The first axis of a stack goes over its arrays.  Arrays that are neighbours in another array, or in
a stack that is there already, are a part of that; others are copied side by side.  Single arrays
are taken out of a stack where somebody needs them by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TypeAlias

from tcalc.codegen.alike import views_of
from tcalc.codegen.program import (
    Call,
    EinSum,
    Factorise,
    Fold,
    FromFactor,
    MatMul,
    Memory,
    Operation,
    Pick,
    Placed,
    Product,
    Rows,
    Slice,
    Statement,
    Sum,
    TensorDot,
    Value,
    View,
)
from tcalc.expr.dims import Dim, Shape

Column: TypeAlias = Sequence[Value]


class Stacks:
    """The stacks of a program as it is written anew; `made` has what makes each value of it."""

    def __init__(self, made: Mapping[Value, Statement], fresh: int) -> None:
        self.made = made
        self.fresh = fresh
        self.place: dict[Value, tuple[Value, int]] = {}
        self.loose: set[Value] = set()
        self.unpacked: dict[Value, Column] = {}
        self.known: dict[tuple[Value, ...], Value] = {}
        self.pending: list[Statement] = []

    def together(
        self, statement: Statement, columns: Sequence[Column], results: Column, singly: int
    ) -> list[Statement]:
        """The statements that make the `results` of alike ones, of which one is given, at once.

        So many of them are needed `singly`.
        """
        order = self._order(columns, len(results))
        stacked = [
            column[0] if len(set(column)) == 1 else self._stack([column[k] for k in order])
            for column in columns
        ]
        single = [value is column[0] for value, column in zip(stacked, columns, strict=True)]
        dims = (Dim.of(len(results)), *results[0].dims)
        made = self._made(statement, stacked, single, dims)
        for number, k in enumerate(order):
            self.place[results[k]] = made, number
        self.loose.update(results)
        if 2 * singly >= len(results):
            self.unpacked[made] = [results[k] for k in order]
        return self._taken_along()

    def alone(self, statement: Statement) -> list[Statement]:
        """A statement by itself, after what takes its operands out of their stacks."""
        match statement.operation:
            case Sum(addends=(), placed=parts) if len(parts) > 1 and are_rows(parts):
                return self.copied(statement, parts)
        return [*self.taken(statement.reads), statement]

    def taken(self, values: Iterable[Value]) -> list[Statement]:
        """The statements that take arrays out of their stacks, unless they have been."""
        for value in values:
            if value not in self.loose:
                continue
            stack, number = self.place[value]
            if stack in self.unpacked:
                members = self.unpacked[stack]
                self.loose.difference_update(members)
                self.pending.append(Statement(tuple(members), Rows(stack)))
            else:
                self.loose.discard(value)
                index = (Dim.of(number), *(None for _ in value.dims))
                self.pending.append(Statement((value,), Pick(stack, index)))
        return self._taken_along()

    def side_by_side(self, *sums: Statement) -> list[Statement]:
        """Sums that put as many arrays side by side, in an order that is one for all of them.

        Those of one stack come one after the other, and are copied as one.
        """
        terms = list(zip(*map(_parts, sums), strict=True))
        terms.sort(key=lambda term: [self._turn(part) for part in term])
        made: list[Statement] = []
        for statement, parts in zip(sums, zip(*terms, strict=True), strict=True):
            made += self.copied(statement, parts)
        return made

    def _turn(self, part: Placed) -> tuple[int, tuple[int | None, ...], Fraction, int]:
        """What parts are ordered by: those of one stack, and then alike ones, come together."""
        stack, number = self._stack_of(part.view.value)
        return stack, part.view.axes, part.coefficient, number

    def _stack_of(self, value: Value) -> tuple[int, int]:
        if value not in self.place:
            return -1, 0
        stack, number = self.place[value]
        return stack.number, number

    def copied(self, statement: Statement, parts: Sequence[Placed]) -> list[Statement]:
        """A sum of arrays side by side, made of stretches of stacks as far as it can be."""
        runs: list[list[Placed]] = []
        for part in parts:
            if runs and self._follows(runs[-1][-1], part):
                runs[-1].append(part)
            else:
                runs.append([part])
        placed: list[Placed] = []
        start = Dim.of(0)
        for run in runs:
            first, length = run[0], _length(run[0]) * Dim.of(len(run))
            rest = first.index[1:]
            if len(run) < 2 and not isinstance(first.index[0], Slice):
                placed.append(replace(first, index=(start, *rest)))
            else:
                view = self._stretch(run) if len(run) > 1 else first.view
                labels = tuple(range(len(view.axes)))
                placed.append(
                    Placed(first.coefficient, view, (Slice(start, length), *rest), labels)
                )
            start = start + length
        before = self.taken(part.view.value for part in placed)
        total = statement.operation
        assert isinstance(total, Sum)
        operation: Operation = replace(total, placed=tuple(placed))
        if len(placed) == 1 and placed[0].coefficient == 1:
            operation = Fold(placed[0].view, total.dims)
        return [*before, replace(statement, operation=operation)]

    def _follows(self, part: Placed, other: Placed) -> bool:
        """Whether an array comes right after another one in a stack, and is copied like it.

        Arrays in no stack are put into one where each would get another axis, or be turned.
        """
        kinds = type(part.index[0]) is type(other.index[0])
        if part.view.axes != other.view.axes or part.coefficient != other.coefficient or not kinds:
            return False
        (stack, number), found = self._stack_of(part.view.value), self._stack_of(other.view.value)
        if stack < 0:
            return found[0] < 0 and not (part.view.plain and isinstance(part.index[0], Slice))
        return found == (stack, number + 1)

    def _stretch(self, run: Sequence[Placed]) -> View:
        """Neighbours in a stack, one below the other."""
        values = [part.view.value for part in run]
        stack = self._stack(values)
        first = run[0]
        axes = (0, *(axis + 1 for axis in first.view.axes if axis is not None))
        if not isinstance(first.index[0], Slice):
            return View(stack, axes)
        length, rows, *rest = (stack.dims[axis] for axis in axes)
        dims = (length * rows, *rest)
        return View.of(self._make(Fold(View(stack, axes), dims), dims))

    def _taken_along(self) -> list[Statement]:
        made, self.pending = self.pending, []
        return made

    def _make(self, operation: Operation, dims: Shape, memory: Memory = Memory.FRESH) -> Value:
        value = Value(self.fresh, dims, memory)
        self.fresh += 1
        self.pending.append(Statement((value,), operation))
        return value

    def _order(self, columns: Sequence[Column], length: int) -> list[int]:
        """The order of arrays: that of an operand which is a part of another array already."""
        for column in columns:
            places = [self._place(value) for value in column]
            known = [x for x in places if x is not None]
            if len(known) == length and len({source for source, _ in known}) == 1:
                numbers = [number for _, number in known]
                if len(set(numbers)) == length:
                    return sorted(range(length), key=numbers.__getitem__)
        return list(range(length))

    def _place(self, value: Value) -> tuple[Value, int] | None:
        """The stack, or another array, that a value is taken from, and its number in it."""
        if value in self.place:
            return self.place[value]
        match self.made[value].operation:
            case Pick(source=source, index=(Dim() as first, *rest)) if not any(
                x is not None for x in rest
            ):
                return None if first.value is None else (source, first.value)
        return None

    def _stack(self, values: Column) -> Value:
        """The values as one array."""
        key = tuple(values)
        if key not in self.known:
            self.known[key] = self._neighbours(values) or self._copies(values)
        return self.known[key]

    def _neighbours(self, values: Column) -> Value | None:
        """A stretch of another array, if the values are one."""
        places = [self._place(value) for value in values]
        known = [x for x in places if x is not None]
        if len(known) < len(values) or len({source for source, _ in known}) > 1:
            return None
        source, start = known[0]
        if [number for _, number in known] != list(range(start, start + len(values))):
            return None
        length = Dim.of(len(values))
        if source.dims[0] == length:
            return source
        index = (Slice(Dim.of(start), length), *(None for _ in values[0].dims))
        return self._make(Pick(source, index), (length, *values[0].dims), source.memory)

    def _copies(self, values: Column) -> Value:
        """The values copied one after the other."""
        first, *rest = values[0].dims
        length = Dim.of(len(values))
        dims = (length * first, *rest)
        parts = tuple(
            Placed(
                Fraction(1),
                View.of(value),
                (Slice(first * Dim.of(k), first), *(None for _ in rest)),
                tuple(range(len(value.dims))),
            )
            for k, value in enumerate(values)
        )
        made = Value(self.fresh, dims)
        self.fresh += 1
        before, self.pending = self.pending, []
        total = Statement((made,), Sum(dims, (), parts, spans=False))
        self.pending = [*before, *self.copied(total, parts)]
        folded = (length, first, *rest)
        return self._make(Fold(View.of(made), folded), folded)

    def _made(
        self, statement: Statement, stacked: Sequence[Value], single: Sequence[bool], dims: Shape
    ) -> Value:
        """The operation of alike statements on stacks; operands that all share are `single`."""
        operation = statement.operation
        views = views_of(operation, self.made)
        match operation:
            case MatMul():
                return self._product(views, stacked, single, dims)
            case FromFactor(factor=factor):
                (matrix,) = stacked
                former = self.made[factor].operation
                assert isinstance(former, Factorise)
                view = View(matrix, (0, *(k + 1 for k in views[0].axes if k is not None)))
                opaque = self._make(replace(former, matrix=view), ())
                return self._make(replace(operation, factor=opaque), dims)
            case Product(factors=factors):
                wide = _spread(views, stacked, single, len(dims))
                return self._make(Product(wide[: len(factors)], wide[len(factors) :]), dims)
            case Sum(addends=addends):
                wide = _spread(views, stacked, single, len(dims))
                terms = tuple(replace(x, view=v) for x, v in zip(addends, wide, strict=True))
                return self._make(Sum(dims, terms), dims)
            case Call():
                wide = _spread(views, stacked, single, len(dims))
                return self._make(replace(operation, arguments=wide), dims)
            case _:
                raise AssertionError("an operation without a form")

    def _product(
        self, views: Sequence[View], stacked: Sequence[Value], single: Sequence[bool], dims: Shape
    ) -> Value:
        """Matrix products: one of BLAS where an operand is shared, else one for each array."""
        left, right = views
        if single[1] and len(left.axes) <= 2:
            # All rows of the stack one below the other.
            axes = _last(left, 1), _first(right)
            return self._make(TensorDot(stacked[0], right.value, axes), dims)
        if single[0] and len(right.axes) == 1:
            axes = _first(right, 1), _last(left)
            return self._make(TensorDot(stacked[1], left.value, axes), dims)
        if len(left.axes) == len(right.axes) == 2:
            return self._make(MatMul(*_spread(views, stacked, single, 3)), dims)
        return self._einsum(left, right, stacked, single, dims)

    def _einsum(
        self,
        left: View,
        right: View,
        stacked: Sequence[Value],
        single: Sequence[bool],
        dims: Shape,
    ) -> Value:
        """A product with a vector for each array of a stack."""
        step, summed, row, column = range(4)
        first = (row, summed)[2 - len(left.axes) :]
        second = (summed, column)[: len(right.axes)]
        output = (step, *(x for x in (*first, *second) if x != summed))
        rows: list[tuple[int, ...]] = []
        for view, labels, alone in zip((left, right), (first, second), single, strict=True):
            own = tuple(label for _, label in sorted(zip(view.axes, labels, strict=True)))
            rows.append(own if alone else (step, *own))
        return self._make(EinSum(tuple(stacked), tuple(rows), output), dims)


def _last(view: View, lead: int = 0) -> tuple[int, ...]:
    """The axis that a left factor is summed over, in a stack one further."""
    axis = view.axes[-1]
    assert axis is not None
    return (axis + lead,)


def _first(view: View, lead: int = 0) -> tuple[int, ...]:
    """The axis that a right factor is summed over, in a stack one further."""
    axis = view.axes[0]
    assert axis is not None
    return (axis + lead,)


def _spread(
    views: Sequence[View], stacked: Sequence[Value], single: Sequence[bool], order: int
) -> tuple[View, ...]:
    """Operands with the axis of stacks in front, and new axes where they lack some."""
    wide: list[View] = []
    for view, value, alone in zip(views, stacked, single, strict=True):
        if alone:
            wide.append(view)
            continue
        own = tuple([None if axis is None else axis + 1 for axis in view.axes])
        wide.append(View(value, (0, *(None for _ in range(order - 1 - len(own))), *own)))
    return tuple(wide)


def are_rows(parts: Sequence[Placed]) -> bool:
    """Whether parts of a sum are rows of it, one after the other."""
    start = Dim.of(0)
    for part in parts:
        first, *rest = part.index
        if (first.start if isinstance(first, Slice) else first) != start:
            return False
        labels = tuple(range(len(part.view.axes)))
        if part.labels != labels or None in part.view.axes or any(x is not None for x in rest):
            return False
        start = start + _length(part)
    return True


def _parts(statement: Statement) -> tuple[Placed, ...]:
    assert isinstance(statement.operation, Sum)
    return statement.operation.placed


def _length(part: Placed) -> Dim:
    """The rows of a part."""
    return part.index[0].length if isinstance(part.index[0], Slice) else Dim.of(1)
