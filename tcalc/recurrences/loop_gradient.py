"""The value of one loop together with its gradient, by the adjoint recurrence."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tcalc import calculus, runtime
from tcalc.codegen.options import Backend
from tcalc.codegen.signature import Signature
from tcalc.expr import build
from tcalc.expr.names import FreeNames
from tcalc.expr.nodes import Node, Var
from tcalc.expr.traverse import variables
from tcalc.primitives.operators import is_zero
from tcalc.recurrences.adjoint import active_inputs, adjoint_of
from tcalc.recurrences.functions_in_c import Back
from tcalc.recurrences.one_call import OneCall
from tcalc.recurrences.running import Forward, Run, Runner, Tape
from tcalc.recurrences.step import Step
from tcalc.recurrences.stepper import Arrays, called
from tcalc.recurrences.sweep import Plan, Sweep


class LoopGradient:
    """The value of a loop and its gradient by some inputs, one behind the other in a list.

    A call runs the loop forward, storing what the backward pass needs of each step, and then
    backward.
    """

    def __init__(self, step: Step, wrt: Sequence[Var], backend: Backend = "numpy") -> None:
        self._loop = loop = Runner(step, [step.value], wrt, backend)
        step = loop.step
        self._wrt = [*wrt]
        self._adjoint = adjoint_of(step, step.value, wrt)
        direct = calculus.derivatives(step.value, self._wrt, "reverse")
        self._direct = {x: g for x, g in zip(wrt, direct, strict=True) if not is_zero(g)}
        self._bars: dict[Var, Var] = {}
        self._parts = self._gradient_of_bars()

    @cached_property
    def _in_one_call(self) -> OneCall | None:
        if self._loop.backend != "c":
            return None
        return OneCall(self._loop, [self._loop.step.value], back=self._way_back)

    @cached_property
    def _back_in_one_call(self) -> OneCall | None:
        if self._loop.backend != "c":
            return None
        tape = [*self._adjoint.kept, *self._taken]
        return OneCall(self._loop, [], back=self._way_back, tape=tape)

    @property
    def _way_back(self) -> Back:
        return Back(self._adjoint, self._direct, self._bars, self._parts)

    @cached_property
    def _taken(self) -> list[Var]:
        """The states before a step that the step backwards takes."""
        before = {x.before for x in self._loop.step.states if x.before is not None}
        return [x for x in variables(self._adjoint.results) if x in before]

    @property
    def kept(self) -> list[Node]:
        """What the way back needs of each step."""
        return [*self._adjoint.kept.values(), *self._taken]

    @cached_property
    def _forward(self) -> Forward:
        return Forward(self._loop, self.kept, [self._loop.step.value])

    @cached_property
    def _terminal(self) -> dict[int, Var]:
        """The cotangents of what no step takes: there are some behind the last one, none before."""
        adjoint = self._adjoint
        return {k: bar for k, bar in adjoint.cotangents.items() if k not in adjoint.before}

    @cached_property
    def _back(self) -> Sweep:
        loop, adjoint = self._loop, self._adjoint
        step = loop.step
        return Sweep(
            Plan(
                states={adjoint.cotangents[k]: bar for k, bar in adjoint.before.items()},
                given=(
                    *self._terminal.values(),
                    *adjoint.kept,
                    *self._taken,
                    *(x.slice for x in step.series),
                    step.counter,
                ),
                fixed=loop.fixed,
                rows=[*adjoint.slices.values()],
                sums=[*adjoint.constants.values()],
                counter=step.counter.name,
                backend=loop.backend,
            )
        )

    @cached_property
    def _end(self) -> runtime.CompiledFunction:
        """The value, and what it takes of the last step and of inputs."""
        loop = self._loop
        ends = [loop.step.value, *self._adjoint.first.values(), *self._direct.values()]
        return runtime.compile(ends, variables=(*loop.inputs, *loop.last))

    @cached_property
    def _gradient(self) -> runtime.CompiledFunction:
        bars = [*self._adjoint.cotangents.values(), *self._bars.values()]
        return runtime.compile(self._parts, variables=(*self._loop.inputs, *bars))

    def _gradient_of_bars(self) -> list[Node]:
        """The gradient, of the cotangents of all that the loop and the value take."""
        step, adjoint = self._loop.step, self._adjoint
        active = active_inputs(step, self._wrt)
        names = FreeNames({*step.names, *(x.name for x in adjoint.cotangents.values())})
        pairs: list[tuple[Node, Node]] = []
        for k, state in enumerate(step.states):
            if state.before in active and state.before in step.prologue:
                bar = adjoint.cotangents[k] if k in adjoint.before else adjoint.steady.get(k)
                if bar is not None:
                    pairs.append((step.prologue[state.before], bar))
        sources = [step.series[k].source for k in adjoint.slices]
        for x in dict.fromkeys([*adjoint.constants, *sources, *self._direct]):
            assert isinstance(x, Var)
            self._bars[x] = build.var(names.give(f"{x.name}_bar"), x.dims, ())
            pairs.append((step.prologue.get(x, x), self._bars[x]))
        found = (
            calculus.vjps(pairs, self._wrt) if pairs else [build.zeros(x.dims) for x in self._wrt]
        )
        return [calculus.project(g, x) for g, x in zip(found, self._wrt, strict=True)]

    @property
    def signature(self) -> Signature:
        """The names and dimensions of the arguments."""
        return self._loop.signature

    def __call__(self, arguments: Arrays) -> list[Any]:
        found: list[Any] = self._loop.step.wording(self._run)(arguments)
        return found

    def _run(self, arguments: Arrays) -> list[Any]:
        found = self._in_one_call(arguments) if self._in_one_call is not None else None
        return found or self._back_from(self._forward(self._loop.run(arguments)))

    def back_from(self, tape: Tape) -> list[Any]:
        """The same from a run forward, which has `kept` of each step."""
        found: list[Any] = self._loop.step.wording(self._back_from)(tape)
        return found

    def back_in_one_call(self, arguments: Arrays, rows: Sequence[Any]) -> list[Any] | None:
        """The parts of the gradient, where one call of C makes them of `kept` of each step."""
        if self._back_in_one_call is None:
            return None
        found: list[Any] | None = self._loop.step.wording(self._back_in_one_call)(arguments, rows)
        return found

    def run(self, arguments: Arrays) -> Run:
        """The arrays of a call."""
        found: Run = self._loop.step.wording(self._loop.run)(arguments)
        return found

    def _back_from(self, tape: Tape) -> list[Any]:
        """The value and the parts of the gradient, in as few calls as there are functions."""
        loop, adjoint = self._loop, self._adjoint
        run, left, rows = tape
        value, *ends = called(self._end, left)
        count = len(adjoint.first)
        first, direct = dict(zip(adjoint.first, ends[:count], strict=True)), ends[count:]
        bars = [first[k] if k in first else self._zero_cotangent(k, left) for k in adjoint.before]
        names = [x.name for x in (*adjoint.kept, *self._taken)]
        given = run.given | dict(zip(names, rows, strict=True))
        given |= {bar.name: run.at_last(first[k]) for k, bar in self._terminal.items()}
        swept = self._back.run(bars, given, run.fixed, run.numbers, run.sizes, backwards=True)
        totals: dict[Var, Any] = dict(zip(adjoint.constants, swept.sums, strict=True))
        for k, cotangents in zip(adjoint.slices, swept.rows, strict=True):
            series = loop.step.series[k]
            assert isinstance(series.source, Var)
            whole = run.spread(series, cotangents)
            totals[series.source] = _added(totals.get(series.source), whole)
        for x, part in zip(self._direct, direct, strict=True):
            totals[x] = _added(totals.get(x), part)
        bars_of = zip(adjoint.before, swept.states, strict=True)
        found = {adjoint.cotangents[k].name: x for k, x in bars_of}
        found |= {self._bars[x].name: total for x, total in totals.items()}
        return [value, *called(self._gradient, {**run.fixed, **found})]

    def _zero_cotangent(self, place: int, arrays: Arrays) -> Any:
        """The cotangent of a state of which the value has nothing."""
        before = self._loop.step.states[place].before
        assert before is not None
        return np.zeros_like(arrays[before.name])


def _added(total: Any, part: Any) -> Any:
    """A sum with another term; neither is written over, as several results may be one array."""
    return part if total is None else total + part
