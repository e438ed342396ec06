"""Where all that a run of a recurrence makes lies, so that one call of C does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tcalc.codegen.options import MEMORY_LIMIT
from tcalc.errors import UnsupportedError
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Node, Var
from tcalc.language.kept_program import Series
from tcalc.recurrences.adjoint import Adjoint
from tcalc.recurrences.functions_in_c import Back, EachStep, Function, Functions
from tcalc.recurrences.running import Run
from tcalc.runtime.native import NativeFunction
from tcalc.runtime.staged import Added, Calls, Place, Staged, runner

LARGEST = 1 << 16
"""The elements of a tensor of one step beyond which it is not calls that take the time."""
WIDEST = 1 << 15
"""The elements of what all steps take beyond which products with many rows at once are quicker."""
ALIGNED = 8
"""Of how many elements the beginnings of tensors are multiples, for vector instructions."""
Conversion: TypeAlias = tuple[int, Callable[[Any], Any]]


class Part(NamedTuple):
    """Some elements of one of the arrays, in the order in which they lie, and their shape."""

    array: int
    elements: slice
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ready:
    """A run for arguments of certain types and shapes.

    Attributes:
        calls: the call; None where the run is not for one.
        conversions: those of some arguments, by their places.
        size: the elements of its first array.
        results: the shapes of the arrays behind it: the results, rows behind the others.
        spread: of these those that are zero at first and have the axis of the steps in front, and
            which axis it is.
        counter: the numbers of the steps, and how many there are, the next array; the arguments
            follow.
        moved: which arguments follow again, behind what is kept of each step, with which axis in
            front.
        opened: where what is computed before the loop is to be, if it is not for C.
        closed: where what the gradient takes is, by name, if that is not for C: it may take none.
    """

    calls: Staged | None
    conversions: Sequence[Conversion] = ()
    size: int = 0
    results: Sequence[tuple[int, ...]] = ()
    spread: Mapping[int, int] = field(default_factory=dict)
    counter: Any = None
    moved: Sequence[tuple[int, int]] = ()
    opened: Sequence[Part] = ()
    closed: Mapping[str, Part] | None = None


class UnfitError(Exception):
    """A run is not for one call.

    Tensors are large, grow with the steps, or have no code in C; or a function is another for each
    number of steps, so that the compiler would run for each.
    """


class Rows(NamedTuple):
    """Tensors of one shape that lie one behind the other in an array, in bytes.

    The size is negative where they lie one before the other.
    """

    offset: int
    size: int
    array: int = 0

    def at(self, row: int, apart: int = 0) -> Place:
        return Place(self.array, self.offset + row * self.size, apart * self.size)


class Layout:
    """Where all that a run makes lies, for arguments of certain shapes."""

    def __init__(self, functions: Functions, run: Run) -> None:
        self._functions, self._run = functions, run
        self._step = functions.step
        self._count = len(run.numbers)
        numbers = run.given[self._step.counter.name]
        sizes = [dim.evaluate(run.sizes) for dim in functions.lengths.values()]
        #: The numbers of the steps, and behind them how many there are.
        self._counter = np.append(numbers, sizes).astype(numbers.dtype)
        self._bytes = self._counter.itemsize
        self._results = functions.results
        #: Behind the first array and the results are the numbers of the steps, then the arguments.
        self._numbers_at = 1 + len(self._results) + len(functions.rows)
        first = self._numbers_at + 1
        self._places = {name: first + k for k, name in enumerate(functions.names)}
        #: Where the inputs of the functions to come are, by name.
        self._known = {name: Place(k) for name, k in self._places.items()}
        for k, x in enumerate(functions.lengths, self._count):
            self._known[x.name] = Place(self._numbers_at, k * self._bytes)
        self._ends = [Place(1 + k) for k in range(functions.ends)]
        #: Where rows are wanted.
        wanted = enumerate(functions.rows, len(self._results))
        self._wanted = [self._in_result(k, x) for k, x in wanted]
        self._size = self._work = 0
        self._zeroed: list[tuple[int, int]] = []
        self._calls: list[Calls] = []
        self._moved: list[tuple[int, int]] = []
        self._spread: dict[int, int] = {}
        self._opened: list[Part] = []
        self._closed: dict[str, Part] | None = None

    def ready(self, conversions: Sequence[Conversion]) -> Ready:
        """All of a run; raises `UnfitError` where it is not for one call."""
        self._require_fit()
        runner(self._counter.dtype)  # is compiled beside what follows
        moving = self._forth() if self._functions.tape is None else self._from_tape()
        if self._functions.back is None:
            self._call(self._functions.end, self._ends)
        else:
            self._back(self._functions.back, moving)
        size = self._size + -(-self._work // ALIGNED) * ALIGNED
        whole = [self._whole(x) for x in self._functions.rows]
        if not self._calls or (size + sum(map(prod, whole))) * self._bytes > MEMORY_LIMIT:
            raise UnfitError
        return Ready(
            calls=Staged(self._calls, self._numbers(), self._size * self._bytes, self._zeroed),
            conversions=conversions,
            size=size,
            results=[
                *(
                    self._with_axis_in_front(self._shape(x.dims), self._spread.get(k, 0))
                    for k, x in enumerate(self._results)
                ),
                *whole,
            ],
            spread=self._spread,
            counter=self._counter,
            moved=self._moved,
            opened=self._opened,
            closed=self._closed,
        )

    def _require_fit(self) -> None:
        """Refuse what is not for one call before anything is compiled."""
        functions, back = self._functions, self._functions.back
        if self._counter.dtype not in (np.dtype(np.float64), np.dtype(np.float32)):
            raise UnfitError
        if 0 in self._run.sizes.values():
            raise UnfitError  # NumPy's code does it, and needs no compiler
        tensors: list[Node] = [*(x.after for x in self._step.states), *functions.before]
        tensors += [x.row for x in functions.rows]
        if back is not None:
            adjoint = back.adjoint
            tensors += [*adjoint.results, *adjoint.kept]
            if any(self._step.series[k].source not in functions.spread for k in adjoint.slices):
                raise UnfitError  # they become part of a tensor that grows with the steps
        if any(prod(self._shape(x.dims)) > LARGEST for x in tensors if not self._grows(x.dims)):
            raise UnfitError
        if functions.rows and any(prod(self._shape(x.dims)) > WIDEST for x in self._fixed()):
            raise UnfitError
        for function in (functions.forth, functions.end, functions.way_back):
            if function is not None and self._takes_steps(function):
                raise UnfitError

    def _fixed(self) -> list[Var]:
        """What is the same in all steps on the way forth."""
        forth, moving = self._functions.forth, {*self._step.moving}
        return [x for x in forth.signature.arguments if x not in moving] if forth else []

    def _grows(self, dims: Shape) -> bool:
        """Whether a shape depends on the number of steps."""
        names = self._step.growing
        return any(not names.isdisjoint(dim.names()) for dim in dims)

    def _takes_steps(self, function: Function) -> bool:
        """Whether a function is another for each number of steps."""
        return not self._step.growing.isdisjoint(function.signature.sizes)

    def _before(self, initial: Mapping[Var, Place]) -> None:
        """What is computed before the loop; some of it is what the states are at first."""
        functions = self._functions
        made: list[tuple[Place, Shape]] = []
        for x in functions.before:
            place = initial.get(x) or self._rows(x.dims).at(0)
            self._known[x.name] = place
            made.append((place, x.dims))
        for wanted, rows in zip(functions.rows, self._wanted, strict=True):
            made += [(rows.at(-k), early.dims) for k, early in enumerate(wanted.early, 1)]
        function = functions.prologue
        if function is not None and self._in_c(function) is None:
            self._opened = [self._part(place, dims) for place, dims in made]
        else:
            self._call(function, [place for place, _ in made])

    def _whole(self, x: EachStep) -> tuple[int, ...]:
        """The shape of what is wanted of all steps."""
        return (len(x.early) + self._count, *self._shape(x.row.dims))

    def _in_result(self, number: int, x: EachStep) -> Rows:
        """Where the row of the first step and those behind it are in the array of a result."""
        size = self._bytes_of(x.row)
        if x.sorted and self._step.direction < 0:
            return Rows((self._count - 1) * size, -size, 1 + number)
        return Rows(len(x.early) * size, size, 1 + number)

    def _forth(self) -> dict[str, Place]:
        """What is before the loop, and all steps; where their inputs are, and what they keep."""
        step, back, count = self._step, self._functions.back, self._count
        states = {
            x.before: self._rows(x.before.dims, count + 1)
            for x in step.states
            if x.before is not None
        }
        self._before({x: rows.at(0) for x, rows in states.items()})
        results = []
        for x in step.states:
            rows = self._rows(x.after.dims) if x.before is None else states[x.before]
            results.append(rows.at(0) if x.before is None else rows.at(1, 1))
            if x.last is not None:
                self._known[x.last.name] = rows.at(0 if x.before is None else count)
        results += [rows.at(0, 1) for rows in self._wanted]
        moving = self._given() | {x.name: rows.at(0, 1) for x, rows in states.items()}
        kept = {
            x.name: self._rows(x.dims, count).at(0, 1) for x in (back.adjoint.kept if back else ())
        }
        self._call(self._functions.forth, [*results, *kept.values()], moving, count)
        return moving | kept

    def _from_tape(self) -> dict[str, Place]:
        """Where inputs of a step backwards are whose way forth was done before."""
        self._before({})
        first = self._numbers_at + 1 + len(self._places)
        kept = enumerate(self._functions.tape or (), first)
        return self._given() | {x.name: Place(k, 0, self._bytes_of(x)) for k, x in kept}

    def _given(self) -> dict[str, Place]:
        """Where the number of a step is, and its slices."""
        found = {self._step.counter.name: Place(self._numbers_at, 0, self._bytes)}
        return found | {x.slice.name: self._slices(x) for x in self._functions.series}

    def _slices(self, series: Series) -> Place:
        """Where a step finds its slice of a tensor."""
        assert isinstance(series.source, Var)
        shape = [*self._shape(series.source.dims)]
        place = self._known[series.source.name]
        if series.axis:
            if series.source.name not in self._places:
                raise UnfitError
            behind = len(self._places) + len(self._functions.tape or ()) + len(self._moved)
            place = Place(self._numbers_at + 1 + behind)
            self._moved.append((self._functions.names.index(series.source.name), series.axis))
        del shape[series.axis]
        apart = prod(shape) * self._bytes
        taken = self._run.positions(series)
        return Place(place.array, place.offset + taken[0] * apart, taken.step * apart)

    def _cotangents_of(self, series: Series) -> Place:
        """Where the steps, from the last one back, have the cotangents of their slices."""
        assert isinstance(series.source, Var)
        number = self._functions.spread[series.source]
        shape = [*self._shape(series.source.dims)]
        del shape[series.axis]
        self._spread[number] = series.axis
        apart = prod(shape) * self._bytes
        taken = self._run.positions(series)
        return Place(1 + number, taken[-1] * apart, -taken.step * apart)

    def _back(self, back: Back, moving: Mapping[str, Place]) -> None:
        """The value with what it takes of the last step and of inputs, all steps back, and the end.

        Cotangents of states are handed on from step to step, those of inputs are added up.
        """
        adjoint, count = back.adjoint, self._count
        handed_on = {k: self._rows(adjoint.cotangents[k].dims, count + 1) for k in adjoint.before}
        ending = {
            k: self._rows(x.dims, count)
            for k, x in adjoint.cotangents.items()
            if k not in handed_on
        }
        totals = {x: self._rows(x.dims) for x in (*adjoint.constants, *back.direct)}
        self._end(back, handed_on, ending, totals)
        self._way_back(adjoint, moving, handed_on, ending, totals)
        self._known |= {adjoint.cotangents[k].name: rows.at(0) for k, rows in handed_on.items()}
        self._known |= {back.bars[x].name: rows.at(0) for x, rows in totals.items()}
        self._gradient()

    def _end(
        self,
        back: Back,
        handed_on: Mapping[int, Rows],
        ending: Mapping[int, Rows],
        totals: Mapping[Var, Rows],
    ) -> None:
        """The value with what it takes of the last step and of inputs, where the way back begins.

        What it takes nothing of is zero there.
        """
        adjoint, count = back.adjoint, self._count
        last = {k: rows.at(count) for k, rows in handed_on.items()}
        last |= {k: rows.at(count - 1) for k, rows in ending.items()}
        for rows in ending.values():
            self._zeroed.append((rows.offset, (count - 1) * rows.size))
        for k in handed_on.keys() - adjoint.first.keys():
            self._zeroed.append((last[k].offset, handed_on[k].size))
        for x in adjoint.constants:
            if x not in back.direct:
                self._zeroed.append((totals[x].offset, totals[x].size))
        direct = [totals[x].at(0) for x in back.direct]
        self._call(self._functions.end, [*self._ends, *(last[k] for k in adjoint.first), *direct])

    def _way_back(
        self,
        adjoint: Adjoint,
        moving: Mapping[str, Place],
        handed_on: Mapping[int, Rows],
        ending: Mapping[int, Rows],
        totals: Mapping[Var, Rows],
    ) -> None:
        """All steps, from the last one back."""
        count = self._count
        taken = {
            name: Place(x.array, x.offset + (count - 1) * x.apart, -x.apart)
            for name, x in moving.items()
        }
        names = {k: x.name for k, x in adjoint.cotangents.items()}
        taken |= {names[k]: rows.at(count, -1) for k, rows in handed_on.items()}
        taken |= {names[k]: rows.at(count - 1, -1) for k, rows in ending.items()}
        results = [rows.at(count - 1, -1) for rows in handed_on.values()]
        sums = [self._cotangents_of(self._step.series[k]) for k in adjoint.slices]
        sums += [totals[x].at(0) for x in adjoint.constants]
        terms = [self._rows(x.dims) for x in (*adjoint.slices.values(), *adjoint.constants)]
        added = [
            Added(k, place, rows.size // self._bytes)
            for k, (place, rows) in enumerate(zip(sums, terms, strict=True), len(results))
        ]
        results += [rows.at(0) for rows in terms]
        self._call(self._functions.way_back, results, taken, count, added)

    def _gradient(self) -> None:
        """The parts of the gradient; where they are not for C, where what they take is."""
        function = self._functions.gradient
        if function is not None and self._in_c(function) is None:
            others = {*self._places, *(x.name for x in self._functions.lengths)}
            inside = [x for x in function.signature.arguments if x.name not in others]
            self._closed = {x.name: self._part(self._known[x.name], x.dims) for x in inside}
        else:
            self._call(function, [Place(1 + k) for k in self._functions.parts])

    def _call(
        self,
        function: Function | None,
        results: Sequence[Place],
        moving: Mapping[str, Place] | None = None,
        count: int = 1,
        added: Sequence[Added] = (),
    ) -> None:
        """Calls of a function, of what is known and what each call has another of."""
        if function is None:
            return
        native = self._in_c(function)
        if native is None:
            raise UnfitError
        known = {**self._known, **(moving or {})}
        arguments = [known[name] for name in function.signature.names]
        self._work = max(self._work, native.module.work)
        self._calls.append(Calls(native, arguments, results, count, added))

    def _in_c(self, function: Function) -> NativeFunction | None:
        """A function in C, which is one for all numbers of steps; None if there is no such."""
        signature, dtype = function.signature, self._counter.dtype
        if self._takes_steps(function):
            return None
        like = {x.name: np.empty(self._shape(x.dims), dtype) for x in signature.arguments}
        try:
            native = function.unchecked(like)
        except UnsupportedError:  # the way by single calls says so, where it needs it too
            return None
        return native if isinstance(native, NativeFunction) and native.dtype == dtype else None

    def _rows(self, dims: Shape, count: int = 1) -> Rows:
        """Room for tensors of a shape."""
        elements = prod(self._shape(dims))
        start = self._size
        self._size += -(-elements * count // ALIGNED) * ALIGNED
        return Rows(start * self._bytes, elements * self._bytes)

    def _bytes_of(self, x: Node) -> int:
        return prod(self._shape(x.dims)) * self._bytes

    def _part(self, place: Place, dims: Shape) -> Part:
        """The elements of one tensor in its array."""
        shape, start = self._shape(dims), place.offset // self._bytes
        return Part(place.array, slice(start, start + prod(shape)), shape)

    def _shape(self, dims: Shape) -> tuple[int, ...]:
        return tuple(dim.evaluate(self._run.sizes) for dim in dims)

    @staticmethod
    def _with_axis_in_front(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
        return (*shape[axis : axis + 1], *shape[:axis], *shape[axis + 1 :])

    def _numbers(self) -> list[bool]:
        """Which of the arrays are NumPy's numbers."""
        arguments = [not np.ndim(self._run.fixed[name]) for name in self._places]
        before = self._numbers_at + 1
        behind = len(self._functions.tape or ()) + len(self._moved)
        return [False] * before + arguments + [False] * behind
