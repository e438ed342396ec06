"""Where all that a run of a recurrence makes lies, so that one call of C does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tcalc import runtime
from tcalc.codegen.options import MEMORY_LIMIT
from tcalc.errors import UnsupportedError
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.nodes import Node, Var
from tcalc.language.kept_program import Series
from tcalc.recurrences.adjoint import Adjoint
from tcalc.recurrences.running import Run
from tcalc.recurrences.step import Step
from tcalc.runtime.native import NativeFunction
from tcalc.runtime.staged import Added, Calls, Place, Staged, runner

LARGEST = 1 << 16
"""The elements of a tensor of one step beyond which it is not calls that take the time."""
ALIGNED = 8
"""Of how many elements the beginnings of tensors are multiples, for vector instructions."""
Function: TypeAlias = runtime.CompiledFunction
Conversion: TypeAlias = tuple[int, Callable[[Any], Any]]
Part: TypeAlias = tuple[slice, tuple[int, ...]]
"""Some elements of the first array, and their shape."""


@dataclass(frozen=True, slots=True)
class Back:
    """What is done behind the value for a gradient.

    Attributes:
        adjoint: the step backwards.
        direct: the derivatives of the value by inputs that it takes besides the last step.
        bars: inputs of the gradient: the cotangents of inputs and constants.
        gradient: the gradient, of the arguments, of these, and of the cotangents of states.
    """

    adjoint: Adjoint
    direct: Mapping[Var, Node]
    bars: Mapping[Var, Var]
    gradient: Sequence[Node]


@dataclass(frozen=True, slots=True)
class Functions:
    """The functions of a run, in C, those that are there.

    Attributes:
        step: the step, with what is before and behind the loop.
        names: those of the arguments.
        results: the value, and the parts of the gradient.
        back: what is done behind the value.
        prologue: of the arguments, what is computed before the loop.
        forth: of what a step takes, what it makes, and what the way back needs.
        end: the value, cotangents of what the last step leaves, and of inputs by the value alone.
        way_back: a step backwards.
        gradient: the parts of the gradient but for those of `spread`.
        spread: series of which the value takes slices along one axis alone: the parts that are
            their cotangents, by their places among the results.
        lengths: inputs of the functions that are numbers of steps, as in a mean over all of them.
    """

    step: Step
    names: Sequence[str]
    results: Sequence[Node]
    back: Back | None
    prologue: Function | None
    forth: Function | None
    end: Function | None
    way_back: Function | None
    gradient: Function | None
    spread: Mapping[Var, int]
    lengths: Mapping[Var, Dim]

    @property
    def parts(self) -> list[int]:
        """The places of the parts of the gradient that `gradient` makes, among the results."""
        return parts_beside(self.spread, self.results)


def parts_beside(spread: Mapping[Var, int], results: Sequence[Node]) -> list[int]:
    """The places of results that are parts of the gradient, but for those of `spread`."""
    apart = {*spread.values()}
    return [k for k in range(1, len(results)) if k not in apart]


@dataclass(frozen=True, slots=True)
class Ready:
    """A run for arguments of certain types and shapes.

    Attributes:
        calls: the call; None where the run is not for one.
        conversions: those of some arguments, by their places.
        size: the elements of its first array.
        results: the shapes of the arrays behind it: the results.
        spread: of these those that are zero at first and have the axis of the steps in front, and
            which axis it is.
        counter: the numbers of the steps, and how many there are, the next array; the arguments
            follow.
        moved: which arguments follow again, with which axis in front.
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
    """Tensors of one shape that lie one behind the other in the first array, in bytes."""

    offset: int
    size: int

    def at(self, row: int, apart: int = 0) -> Place:
        return Place(0, self.offset + row * self.size, apart * self.size)


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
        first = 2 + len(self._results)
        self._places = {name: first + k for k, name in enumerate(functions.names)}
        #: Where the inputs of the functions to come are, by name.
        self._known = {name: Place(k) for name, k in self._places.items()}
        for k, x in enumerate(functions.lengths, self._count):
            self._known[x.name] = Place(1 + len(self._results), k * self._bytes)
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
        states = self._before()
        moving, alone = self._forth(states)
        for x in self._step.states:
            if x.last is not None:
                rows = states.get(x.before)
                self._known[x.last.name] = rows.at(self._count) if rows else alone[x.after]
        if self._functions.back is None:
            self._call(self._functions.end, [Place(1)])
        else:
            self._back(self._functions.back, moving)
        size = self._size + -(-self._work // ALIGNED) * ALIGNED
        if size * self._bytes > MEMORY_LIMIT:
            raise UnfitError
        return Ready(
            calls=Staged(self._calls, self._numbers(), self._size * self._bytes, self._zeroed),
            conversions=conversions,
            size=size,
            results=[
                self._with_axis_in_front(self._shape(x.dims), self._spread.get(k, 0))
                for k, x in enumerate(self._results)
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
        tensors: list[Node] = [*(x.after for x in self._step.states), *self._step.prologue]
        if back is not None:
            adjoint = back.adjoint
            tensors += [*adjoint.results, *adjoint.kept]
            if any(self._step.series[k].source not in functions.spread for k in adjoint.slices):
                raise UnfitError  # they become part of a tensor that grows with the steps
        if any(prod(self._shape(x.dims)) > LARGEST for x in tensors if not self._grows(x.dims)):
            raise UnfitError
        for function in (functions.forth, functions.end, functions.way_back):
            if function is not None and self._takes_steps(function):
                raise UnfitError

    def _grows(self, dims: Shape) -> bool:
        """Whether a shape depends on the number of steps."""
        names = self._step.growing
        return any(not names.isdisjoint(dim.names()) for dim in dims)

    def _takes_steps(self, function: Function) -> bool:
        """Whether a function is another for each number of steps."""
        return not self._step.growing.isdisjoint(function.signature.sizes)

    def _before(self) -> dict[Var | None, Rows]:
        """What is computed before the loop; where the states before each step and the last are."""
        step = self._step
        states: dict[Var | None, Rows] = {}
        for x in step.states:
            if x.before is not None:
                states[x.before] = self._rows(x.before.dims, self._count + 1)
                self._known[x.before.name] = states[x.before].at(0)
        for constant in step.prologue:
            if constant not in states:
                self._known[constant.name] = self._rows(constant.dims).at(0)
        places = [self._known[x.name] for x in step.prologue]
        function = self._functions.prologue
        if function is not None and self._in_c(function) is None:
            pairs = zip(step.prologue, places, strict=True)
            self._opened = [self._part(place, x.dims) for x, place in pairs]
        else:
            self._call(function, places)
        return states

    def _forth(
        self, states: Mapping[Var | None, Rows]
    ) -> tuple[dict[str, Place], dict[Node, Place]]:
        """All steps; where inputs of a step are that others have otherwise, and what they keep."""
        step, back = self._step, self._functions.back
        alone = {x.after: self._rows(x.after.dims).at(0) for x in step.states if x.before is None}
        results = [
            alone[x.after] if x.before is None else states[x.before].at(1, 1) for x in step.states
        ]
        moving = {step.counter.name: Place(1 + len(self._results), 0, self._bytes)}
        moving |= {x.slice.name: self._slices(x) for x in step.series}
        moving |= {x.name: rows.at(0, 1) for x, rows in states.items() if x is not None}
        kept = {
            x.name: self._rows(x.dims, self._count).at(0, 1)
            for x in (back.adjoint.kept if back else ())
        }
        self._call(self._functions.forth, [*results, *kept.values()], moving, self._count)
        return moving | kept, alone

    def _slices(self, series: Series) -> Place:
        """Where a step finds its slice of a tensor."""
        assert isinstance(series.source, Var)
        shape = [*self._shape(series.source.dims)]
        place = self._known[series.source.name]
        if series.axis:
            if series.source.name not in self._places:
                raise UnfitError
            place = Place(2 + len(self._results) + len(self._places) + len(self._moved))
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
        self._call(self._functions.end, [Place(1), *(last[k] for k in adjoint.first), *direct])

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

    def _part(self, place: Place, dims: Shape) -> Part:
        """The elements of one tensor in the first array."""
        shape, start = self._shape(dims), place.offset // self._bytes
        return slice(start, start + prod(shape)), shape

    def _shape(self, dims: Shape) -> tuple[int, ...]:
        return tuple(dim.evaluate(self._run.sizes) for dim in dims)

    @staticmethod
    def _with_axis_in_front(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
        return (*shape[axis : axis + 1], *shape[:axis], *shape[axis + 1 :])

    def _numbers(self) -> list[bool]:
        """Which of the arrays are NumPy's numbers."""
        arguments = [not np.ndim(self._run.fixed[name]) for name in self._places]
        before = 2 + len(self._results)
        return [False] * before + arguments + [False] * len(self._moved)
