"""What runs a recurrence: functions that are called once a step, and the arrays of one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from tcalc import runtime
from tcalc.codegen.options import MEMORY_LIMIT
from tcalc.codegen.signature import Signature, signature_of
from tcalc.errors import ArgumentError, LimitError, TcalcError, UnsupportedError
from tcalc.expr import build
from tcalc.expr.nodes import Node, Var
from tcalc.expr.traverse import variables
from tcalc.language import Series
from tcalc.recurrences.step import Step
from tcalc.runtime.arguments import converted, is_sparse, measured, ordered, verify
from tcalc.runtime.compiled import retyped

Arrays: TypeAlias = Mapping[str, Any]
Call: TypeAlias = Callable[[Sequence[Any]], Any]


class Stepper:
    """A compiled function that is called once a step, of whose arguments few change."""

    def __init__(self, roots: Sequence[Node], changing: Sequence[Var], fixed: Iterable[Var]):
        self._function = runtime.compile([*roots], variables=(*changing, *fixed))
        self._changing = [x.name for x in changing]

    def ready(self, fixed: Arrays, first: Sequence[Any]) -> Call:
        """The function of what changes, for arrays of the types and shapes of some."""
        function = self._function
        arrays = {**fixed, **dict(zip(self._changing, first, strict=True))}
        names = function.signature.names
        arguments = [arrays[name] for name in names]
        compute = function.unchecked(dict(zip(names, arguments, strict=True)))
        places = [(names.index(x), k) for k, x in enumerate(self._changing) if x in names]

        def call(values: Sequence[Any]) -> Any:
            for place, k in places:
                arguments[place] = values[k]
            try:
                return compute(*arguments)
            except Exception as error:
                raise function.understood(error, arguments) from error

        return call


def called(function: runtime.CompiledFunction, arrays: Arrays) -> Any:
    """The results of a function for arrays by name, among others, that need no checks."""
    arguments = {name: arrays[name] for name in function.signature.names}
    compute = function.unchecked(arguments)
    try:
        return compute(*arguments.values())
    except Exception as error:
        raise function.understood(error, [*arguments.values()]) from error


class Rows:
    """The cotangent of a tensor that is run through, made of those of its slices."""

    def __init__(self, series: Series, turned: Any) -> None:
        assert isinstance(series.source, Var)
        self.source = series.source
        self._series = series
        self._turned = np.zeros_like(turned)

    def add(self, number: int, part: Any) -> None:
        """Add the cotangent of the slice that a step has taken."""
        self._turned[number + self._series.offset - 1] += part

    @property
    def whole(self) -> Any:
        """The cotangent of the tensor."""
        return np.moveaxis(self._turned, 0, self._series.axis)


class Run:
    """The arrays of one call: `fixed` are the inputs and what is computed before the loop."""

    def __init__(self, step: Step, fixed: Arrays, stop: int) -> None:
        self.fixed = fixed
        self.numbers = range(step.start, stop + 1)
        self.dtype = next((x.dtype for x in fixed.values()), np.dtype(float))
        self._step = step
        if not self.numbers:
            raise ArgumentError(f"the loop from {step.start} to {stop} has no steps")
        self._sources = [
            (self._turned(x.source, x.axis, x.offset), x.offset - 1) for x in step.series
        ]

    def _turned(self, tensor: Node, axis: int, offset: int) -> Any:
        """A tensor with the axis in front that is run through."""
        assert isinstance(tensor, Var)
        name = tensor.name
        source = self.fixed[name]
        first, last = (number + offset for number in (self.numbers[0], self.numbers[-1]))
        if first < 1 or last > source.shape[axis]:
            raise ArgumentError(
                f"the loop takes the positions {first} to {last} of an axis of {name}, which has "
                f"{source.shape[axis]}"
            )
        return np.ascontiguousarray(np.moveaxis(source, axis, 0))

    def changing(self, number: int, states: Sequence[Any]) -> list[Any]:
        """What is another in each step, as `Step.moving` has it."""
        pairs = zip(states, self._step.states, strict=True)
        values = [x for x, state in pairs if state.before is not None]
        values += [source[number + offset] for source, offset in self._sources]
        values.append(self.dtype.type(number))
        return values

    def rows(self, place: int) -> Rows:
        """The cotangent of the tensor whose slices are the series at a place: zero yet."""
        return Rows(self._step.series[place], self._sources[place][0])

    def forth(self, stepper: Stepper) -> Iterator[Any]:
        """What each step makes, one after the other: its states first."""
        states = self.first
        call = stepper.ready(self.fixed, self.changing(self.numbers[0], states))
        for number in self.numbers:
            made = self.told(call, self.changing(number, states), number)
            yield made
            states = made[: len(states)]

    @property
    def first(self) -> list[Any]:
        """The states before the first step; None where nothing takes one."""
        befores = (x.before for x in self._step.states)
        return [None if x is None else self.fixed[x.name] for x in befores]

    def kept(self, made: Iterable[Any]) -> list[Any]:
        """What the steps make, kept within the memory limit."""
        found: list[Any] = []
        for results in made:
            found.append(results)
            if len(found) == 1:
                self._require_memory(results)
        return found

    def told(self, call: Call, values: Sequence[Any], number: int) -> Any:
        """What a step makes; errors say which one it was."""
        try:
            return call(values)
        except TcalcError as error:
            error.message += f", in step {self._step.counter.name} = {number}"
            raise

    def _require_memory(self, made: Iterable[Any]) -> None:
        """Refuse to keep more than the memory limit, from what the first step has made."""
        size = sum(np.asarray(x).nbytes for x in made) * len(self.numbers)
        if size > MEMORY_LIMIT:
            raise LimitError(
                f"what {len(self.numbers)} steps make takes {size / 1e9:.3g} GB, above the limit "
                f"of {MEMORY_LIMIT / 1e9:.3g}",
                hint="run through shorter series",
            )


class Loop:
    """A loop that is ready to run: what is computed before it, and one step of it."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.last = [x.last for x in step.states if x.last is not None]
        inside = {*step.moving, *step.opening, *self.last}
        roots = [*step.opening.values(), step.value, *step.defined.values()]
        roots += [x.source for x in step.series]
        known = [*step.inputs.values()]
        needed = [x for x in variables(roots) if x not in inside]
        self.signature: Signature = signature_of([*needed, build.ones((step.stop,))], known)
        opening = [*step.opening.values()]
        self._opening = runtime.compile(opening, variables=known) if opening else None

    def run(self, arguments: Arrays) -> Run:
        """The arrays of a call with some arguments, these checked."""
        signature, step = self.signature, self.step
        values = ordered(signature, arguments)
        for name, value in zip(signature.names, values, strict=True):
            if is_sparse(value) and not np.isscalar(value):
                raise UnsupportedError(
                    f"{name} is sparse, and a loop that is kept takes dense arrays",
                    hint=f"give {name}.toarray()",
                )
        arrays = converted(signature, values)
        sizes = measured(signature, arrays)
        verify(signature.arguments, arrays, False)
        fixed = dict(zip(signature.names, arrays, strict=True))
        if self._opening is not None:
            # What depends on no input knows no type.
            dtype = next((x.dtype for x in arrays), np.dtype(float))
            opened = retyped(called(self._opening, fixed), dtype)
            fixed |= {x.name: value for x, value in zip(step.opening, opened, strict=True)}
        return Run(step, fixed, step.stop.evaluate(sizes))

    def left(self, run: Run, made: Sequence[Any]) -> dict[str, Any]:
        """What the last step has left, as inputs of the value, and all other inputs."""
        pairs = zip(self.step.states, made, strict=False)
        return {**run.fixed, **{x.last.name: value for x, value in pairs if x.last is not None}}
