"""What all steps of a recurrence do by themselves, done for all of them in one call.

    w1 = V1 @ e1, w2 = V2 @ e2, …   ->   w = np.einsum("tij,tj->ti", V, e)

A call of NumPy takes as long as some hundred multiplications.  The steps of a filter have matrices
of a few rows, and its code is calls for the most part.  Operands that the recurrence makes one by
one are put into a stack first, which takes half of a call for each; so groups of statements are
made together where on the whole that saves time, by the costs that have been measured.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from heapq import heappop, heappush
from itertools import chain

from tcalc.codegen.alike import classes, views_of
from tcalc.codegen.memory import count
from tcalc.codegen.program import (
    Call,
    FromFactor,
    MatMul,
    Memory,
    Pick,
    Product,
    Program,
    Statement,
    Sum,
    TensorDot,
    Value,
    unused_number,
    without_unused,
)
from tcalc.codegen.stacking import Stacks, are_rows
from tcalc.primitives.routines import Template
from tcalc.records import dataclass

SMALL = 1 << 8
"""The elements of a result, or of an operand, up to which a call takes longer than the work."""
LARGE = 1 << 16
"""The most elements of a stack, so that it lies in the processor's caches."""

STACKED, TAKEN, FIXED = 20, 6, 300
"""Hundredths of a microsecond to put an array into a stack, to take one out, to call at all."""


@dataclass(frozen=True, slots=True)
class Group:
    """Statements to be made together, in the order of their places, and their operands.

    `columns` has for each operand its values in all of them.
    """

    places: tuple[int, ...]
    columns: tuple[tuple[Value, ...], ...]


def with_batches(program: Program, sizes: Mapping[str, int]) -> Program:
    """The program with statements of all steps of a recurrence made together where it pays."""
    batching = _Batching(program, sizes)
    groups = batching.paying()
    return batching.run(groups) if groups else program


class _Batching:
    """One program on its way."""

    def __init__(self, program: Program, sizes: Mapping[str, int]) -> None:
        self.program = program
        self.sizes = sizes
        self.statements = program.statements
        self.made = {x: s for s in self.statements for x in s.results}
        self.place = {x: k for k, s in enumerate(self.statements) for x in s.results}
        self.users: dict[Value, list[int]] = defaultdict(list)

    def paying(self) -> list[Group]:
        """The groups that are better made together."""
        kept = {output.view.value for output in self.program.outputs}
        kept.update(self.program.hints)
        alike = classes(self.program)
        for place, statement in enumerate(self.statements if alike else ()):
            for value in statement.reads:
                self.users[value].append(place)
        found = [group for places in alike if (group := self._group(places, kept))]
        while True:
            inside = {place for group in found for place in group.places}
            wanted = Counter(
                column for group in found for column in group.columns if len(set(column)) > 1
            )
            paying = [group for group in found if self._gain(group, inside, wanted) > 0]
            if len(paying) == len(found):
                return found
            found = paying

    def _group(self, places: Sequence[int], kept: set[Value]) -> Group | None:
        """Those of alike statements that can be made together; None where they are few or large."""
        chosen = [
            k
            for k in places
            if not kept.intersection(self.statements[k].results)
            and self._is_refused_elsewhere(self.statements[k])
        ]
        if len(chosen) < 2:
            return None
        rows = [views_of(self.statements[k].operation, self.made) for k in chosen]
        columns = tuple(
            tuple([view.value for view in column]) for column in zip(*rows, strict=True)
        )
        values = [self.statements[chosen[0]].results[0], *(column[0] for column in columns)]
        largest = max(count(value.dims, self.sizes) for value in values)
        if largest > SMALL or largest * len(chosen) > LARGE:
            return None
        for column in columns:
            if len(set(column)) == 1:
                continue
            if any(x.memory is Memory.NONE or not x.dims for x in column):
                return None
        several = any(len(set(column)) > 1 for column in columns)
        return Group(tuple(chosen), columns) if several and values[0].dims else None

    def _is_refused_elsewhere(self, statement: Statement) -> bool:
        """Whether a matrix that is inverted is factorised for others too.

        What is not positive definite is refused there, and it is not in a stack.
        """
        operation = statement.operation
        return not isinstance(operation, FromFactor) or len(self.users[operation.factor]) > 1

    def _gain(self, group: Group, inside: set[int], wanted: Mapping[tuple[Value, ...], int]) -> int:
        """What it saves to make a group together, in hundredths of microseconds."""
        statement = self.statements[group.places[0]]
        alone, together = _costs(statement)
        gain = len(group.places) * (alone - together) - FIXED
        for column in set(group.columns):
            if len(set(column)) > 1 and not self._is_stacked(column, inside):
                gain -= len(column) * STACKED // wanted[column]
        return gain - self._singly(group, inside) * TAKEN

    def _singly(self, group: Group, inside: set[int]) -> int:
        """How many of the results are read by statements that are made by themselves."""
        results = (self.statements[k].results[0] for k in group.places)
        return sum(any(k not in inside for k in self.users[value]) for value in results)

    def _is_stacked(self, column: Sequence[Value], inside: set[int]) -> bool:
        """Whether arrays are parts of one already, or will be."""
        makers = [self.made[value] for value in column]
        if all(isinstance(x.operation, Pick) for x in makers):
            return len({x.reads for x in makers}) == 1
        return all(self.place[value] in inside for value in column)

    def run(self, groups: Sequence[Group]) -> Program:
        """The program with the groups made together, in an order in which all is there in time."""
        unit_of = list(range(len(self.statements)))
        for group in groups:
            for place in group.places:
                unit_of[place] = group.places[0]
        inside = {place for group in groups for place in group.places}
        by_unit = {group.places[0]: group for group in groups}
        pairs = {k: pair for k in range(len(self.statements)) if (pair := self._pair(k))}
        for place, pair in pairs.items():
            for other in pair:
                unit_of[other] = place
        stacks = Stacks(self.made, unused_number(self.program))
        statements: list[Statement] = []
        for unit in self._ordered(unit_of):
            statement = self.statements[unit]
            if unit in by_unit:
                group = by_unit[unit]
                results = [self.statements[k].results[0] for k in group.places]
                singly = self._singly(group, inside)
                statements += stacks.together(statement, group.columns, results, singly)
                continue
            if unit in pairs:
                statements += stacks.side_by_side(*(self.statements[k] for k in pairs[unit]))
            statements += stacks.alone(statement)
        statements += stacks.taken(output.view.value for output in self.program.outputs)
        made = replace(self.program, statements=tuple(statements), tuned=True)
        return without_unused(made)

    def _pair(self, place: int) -> tuple[int, ...]:
        """The two sums of arrays side by side that a sum of products is the product of."""
        match self.statements[place].operation:
            case TensorDot(left=left, right=right, axes=((0,), (0,))) if left is not right:
                pair = self.place[left], self.place[right]
            case _:
                return ()
        sums = [self.statements[k].operation for k in pair]
        alike = [
            x.placed for x in sums if isinstance(x, Sum) and not x.addends and are_rows(x.placed)
        ]
        if len(alike) < 2 or len(alike[0]) != len(alike[1]):
            return ()
        return pair if all(len(self.users[x]) == 1 for x in (left, right)) else ()

    def _ordered(self, unit_of: Sequence[int]) -> list[int]:
        """The units, which are statements or groups by their first places, operands first."""
        later: dict[int, set[int]] = defaultdict(set)
        for k, statement in enumerate(self.statements):
            for value in statement.reads:
                if unit_of[self.place[value]] != unit_of[k]:
                    later[unit_of[self.place[value]]].add(unit_of[k])
        missing = Counter(chain.from_iterable(later.values()))
        ready = sorted({unit for unit in unit_of if not missing[unit]})
        order: list[int] = []
        while ready:
            unit = heappop(ready)
            order.append(unit)
            for other in later[unit]:
                missing[other] -= 1
                if not missing[other]:
                    heappush(ready, other)
        assert len(order) == len(set(unit_of)), "what no recurrence ties is never in a cycle"
        return order


def _costs(statement: Statement) -> tuple[int, int]:
    """What a statement costs by itself, and one among many, in hundredths of microseconds."""
    match statement.operation:
        case MatMul():
            return 42, 6
        case Product(factors=factors, divisors=divisors):
            views = (*factors, *divisors)
            order = len(statement.results[0].dims)
            turned = sum(None in view.axes and len(view.axes) == order for view in views)
            return 50 * (len(views) - 1) + 35 * turned, 5 * len(views)
        case Sum(addends=addends):
            scaled = sum(abs(addend.coefficient) != 1 for addend in addends)
            return 50 * (len(addends) - 1 + scaled), 3 * (len(addends) + scaled)
        case Call(routine=routine):
            return (60, 10) if isinstance(routine, Template) else (300, 20)
        case FromFactor():
            return 200, 75
        case _:
            return 0, 0
