"""A loop with arrays: what is computed before it, and its run through all steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np

from tcalc import runtime
from tcalc.codegen.options import Backend
from tcalc.codegen.signature import Signature, signature_of, size_names
from tcalc.errors import ArgumentError, UnsupportedError
from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Add, Node, Var
from tcalc.expr.sums import ONE
from tcalc.expr.traverse import postorder, use_counts, variables
from tcalc.language.kept_program import Series, State
from tcalc.recurrences.step import Step, useful_states
from tcalc.recurrences.stepper import Arrays, called
from tcalc.recurrences.sweep import Plan, Sweep
from tcalc.runtime.arguments import converted, is_sparse, measured, ordered, verify


class Run:
    """The arrays of one call.

    Attributes:
        fixed: the inputs and what is computed before the loop, by name.
        given: what else is another in each step, with an axis in front that counts the steps.
        numbers: the numbers of the steps.
        sizes: those of all dimensions, by name.
    """

    def __init__(self, step: Step, fixed: Arrays, sizes: Mapping[str, int]) -> None:
        self.fixed = fixed
        self.sizes = sizes
        self._handed = step.handed
        self._counter = counter = step.counter.name
        start, stop = step.start.evaluate(sizes), step.stop.evaluate(sizes)
        self.numbers = range(start, stop + step.direction, step.direction)
        if not self.numbers:
            raise ArgumentError(
                f"the loop from {counter} = {start} to {stop} has no steps",
                hint="give longer series"
                if step.growing
                else f"for {counter} = {start}:{-step.direction}:{stop} goes the other way",
            )
        dtype = next((x.dtype for x in fixed.values()), np.dtype(float))
        self.given = {x.slice.name: self._slices(x) for x in step.series}
        self.given[step.counter.name] = np.array(self.numbers).astype(dtype)

    def extended(self, inputs: Arrays, series: Iterable[Series]) -> Run:
        """The run with further inputs, and slices of them."""
        found = copy(self)
        found.fixed = {**self.fixed, **inputs}
        found.given = self.given | {x.slice.name: found._slices(x) for x in series}
        return found

    def _slices(self, series: Series) -> Any:
        assert isinstance(series.source, Var)
        source = self.fixed[series.source.name]
        taken = self.positions(series)
        first, last = min(taken), max(taken)
        size = source.shape[series.axis]
        if (first < 0 or last >= size) and series.source.name in self._handed:
            pairs = zip(self.numbers, taken, strict=True)
            missing = next(number for number, k in pairs if not 0 <= k < size)
            raise ArgumentError(
                f"{series.slice.name} is missing where {self._counter} = {missing}: the loop that "
                "makes it has no such step",
                hint="give series for as many steps as are taken of it",
            )
        if first < 0 or last >= size:
            raise ArgumentError(
                f"{series.slice.name} takes the positions {first + 1} to {last + 1} of an "
                f"axis that has {size}"
            )
        rows = np.moveaxis(source, series.axis, 0)[first : last + 1]
        return np.ascontiguousarray(rows[:: taken.step])

    def positions(self, series: Series) -> range:
        """The positions of the slices of a series, counted from 0."""
        shift, numbers = series.offset - 1, self.numbers
        return range(numbers.start + shift, numbers.stop + shift, numbers.step)

    def at_last(self, value: Any) -> Any:
        """Rows that are zero, but for that of the last step."""
        rows = np.zeros((len(self.numbers), *np.shape(value)), np.asarray(value).dtype)
        rows[-1] = value
        return rows

    def spread(self, series: Series, rows: Any) -> Any:
        """A tensor that has the slices of a series from some rows, and is zero besides."""
        assert isinstance(series.source, Var)
        whole = np.zeros_like(self.fixed[series.source.name], dtype=rows.dtype)
        taken = self.positions(series)
        np.moveaxis(whole, series.axis, 0)[min(taken) : max(taken) + 1] = rows[:: taken.step]
        return whole


def checked(
    signature: Signature, arguments: Arrays, declared: Sequence[Var]
) -> tuple[dict[str, Any], dict[str, int]]:
    """The arrays of a call by name, those that are declared to be something among them; sizes."""
    values = ordered(signature, arguments)
    for name, value in zip(signature.names, values, strict=True):
        if is_sparse(value) and not np.isscalar(value):
            raise UnsupportedError(
                f"{name} is sparse, and a loop that is kept takes dense arrays",
                hint=f"give {name}.toarray()",
            )
    arrays = converted(signature, values)
    sizes = measured(signature, arrays)
    found = dict(zip(signature.names, arrays, strict=True))
    verify(declared, [found[x.name] for x in declared], False)
    return found, sizes


class Runner:
    """A loop that is ready to run: what is computed before it, and one step of it.

    It has of the step what some `roots` need.  `wrt` are inputs whose shapes are needed too, for
    derivatives by them.  The `backend` runs the steps.
    """

    def __init__(
        self,
        step: Step,
        roots: Sequence[Node],
        wrt: Sequence[Var] = (),
        backend: Backend = "numpy",
    ) -> None:
        self.backend: Backend = backend
        self.step = step = step.part(roots)
        self.last = [x.last for x in step.states if x.last is not None]
        inside = {*step.moving, *step.prologue, *self.last}
        roots = [*roots, *step.prologue.values(), *(x.after for x in step.states)]
        roots += [x.source for x in step.series]
        known = [*step.inputs.values()]
        needed = [x for x in variables(roots) if x not in inside]
        sizes = size_names([*roots, *wrt]) | step.growing
        shape = build.ones([Dim.of(name) for name in sorted(sizes)])
        self.signature: Signature = signature_of([*needed, shape], known)
        prologue = [*step.prologue.values()]
        self.prologue = runtime.compile(prologue, variables=self.inputs) if prologue else None

    @property
    def inputs(self) -> tuple[Var, ...]:
        """The inputs of the program that a call has arrays for: not all need be given."""
        return self.signature.arguments

    @property
    def fixed(self) -> tuple[Var, ...]:
        """The inputs of a step that are the same in all of them."""
        return (*self.inputs, *self.step.constants)

    def run(self, arguments: Arrays) -> Run:
        """The arrays of a call with some arguments, these checked."""
        step = self.step
        # What loops hand on is what it is said to be.
        declared = [x for x in self.inputs if x.name not in step.handed]
        fixed, sizes = checked(self.signature, arguments, declared)
        if self.prologue is not None:
            opened = called(self.prologue, fixed)
            fixed |= {x.name: value for x, value in zip(step.prologue, opened, strict=True)}
        return Run(step, fixed, sizes)


class Tape(NamedTuple):
    """A run forward: what the last step leaves and all fixed arrays, by name; and rows."""

    run: Run
    left: dict[str, Any]
    rows: list[Any]


class Forward:
    """The run from the first step to the last: what the last one leaves, and rows of all.

    A state that only grows, ``f{t} = f{t-1} + ...``, is a sum over all steps.
    """

    def __init__(self, loop: Runner, rows: Sequence[Node], last: Sequence[Node]) -> None:
        step = loop.step
        useful = [step.states[k] for k in useful_states(step, [*rows, *last])]
        self._loop = loop
        self._rows = [*rows]
        self._sums = _growths(useful, rows)
        self._uncarried = [x for x in useful if x.before is None]
        self._states = [x for x in useful if x.before is not None and x not in self._sums]
        self._sweep = Sweep(
            Plan(
                states={x.before: x.after for x in self._states if x.before is not None},
                given=(*(x.slice for x in step.series), step.counter),
                fixed=loop.fixed,
                rows=[*rows, *(x.after for x in self._uncarried)],
                sums=[*self._sums.values()],
                counter=step.counter.name,
                backend=loop.backend,
            )
        )

    def __call__(self, run: Run) -> Tape:
        fixed = run.fixed
        first = [fixed[x.before.name] for x in self._states if x.before is not None]
        swept = self._sweep.run(first, run.given, fixed, run.numbers, run.sizes)
        count = len(self._rows)
        left = dict(zip(self._states, swept.states, strict=True))
        left |= {x: rows[-1] for x, rows in zip(self._uncarried, swept.rows[count:], strict=True)}
        for x, total in zip(self._sums, swept.sums, strict=True):
            assert x.before is not None
            left[x] = fixed[x.before.name] + total
        found = {x.last.name: value for x, value in left.items() if x.last is not None}
        return Tape(run, {**fixed, **found}, swept.rows[:count])


def _growths(states: Sequence[State], rows: Sequence[Node]) -> dict[State, Node]:
    """What a step adds to the states that nothing else takes, ``f{t} = f{t-1} + ...``."""
    roots = [*(x.after for x in states), *rows]
    uses = use_counts(postorder(roots), roots)
    found: dict[State, Node] = {}
    for x in states:
        before, after = x.before, x.after
        if before is None or not isinstance(after, Add) or (ONE, before) not in after.terms:
            continue
        if uses[before] == uses[after] == 1:
            found[x] = build.add([(c, term) for c, term in after.terms if term is not before])
    return found
