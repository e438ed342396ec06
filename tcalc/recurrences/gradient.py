"""The value of a recurrence together with its gradient, by the adjoint recurrence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Never

import numpy as np

from tcalc import calculus, printing, runtime
from tcalc.codegen.options import Backend
from tcalc.codegen.signature import describe
from tcalc.expr import build
from tcalc.expr.names import FreeNames
from tcalc.expr.nodes import Node, Var
from tcalc.expr.traverse import variables
from tcalc.primitives.operators import is_zero
from tcalc.recurrences.adjoint import active_inputs, adjoint_of
from tcalc.recurrences.formulas import adjoint_formulas
from tcalc.recurrences.layout import Back
from tcalc.recurrences.one_call import OneCall
from tcalc.recurrences.running import Forward, Runner
from tcalc.recurrences.step import Step
from tcalc.recurrences.stepper import Arrays, called
from tcalc.recurrences.sweep import Plan, Sweep
from tcalc.runtime.arguments import CallSignature, refuse_positions


class RecurrenceGradient:
    """A function of arrays: the value of a recurrence, and its gradient by some inputs.

    The gradient is an array for one input, a dictionary of arrays for several.  A call runs the
    loop forward, storing what the backward pass needs of each step, and then backward.
    """

    __signature__ = CallSignature()
    bound: tuple[str, ...] = ()

    def __init__(
        self, step: Step, wrt: Sequence[Var], single: bool, backend: Backend = "numpy"
    ) -> None:
        self._loop = loop = Runner(step, [step.value], wrt, backend)
        step = loop.step
        self.signature = loop.signature
        self._wrt = [*wrt]
        self._single = single
        self._adjoint = adjoint = adjoint_of(step, step.value, wrt)
        direct = calculus.derivatives(step.value, self._wrt, "reverse")
        self._direct = {x: g for x, g in zip(wrt, direct, strict=True) if not is_zero(g)}
        self._bars: dict[Var, Var] = {}
        self._parts = self._gradient_of_bars()
        self._in_one_call = None
        if backend == "c":
            back = Back(adjoint, self._direct, self._bars, self._parts)
            self._in_one_call = OneCall(loop, back)

    @cached_property
    def _taken(self) -> list[Var]:
        """The states before a step that the step backwards takes."""
        before = {x.before for x in self._loop.step.states if x.before is not None}
        return [x for x in variables(self._adjoint.results) if x in before]

    @cached_property
    def _forward(self) -> Forward:
        rows = [*self._adjoint.kept.values(), *self._taken]
        return Forward(self._loop, rows, [self._loop.step.value])

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

    def __call__(self, /, *positional: Never, **arguments: Any) -> Any:
        if positional:
            refuse_positions(positional, self.signature.names)
        return self._loop.step.wording(self._run)(arguments)

    def _run(self, arguments: Arrays) -> Any:
        found = self._in_one_call(arguments) if self._in_one_call is not None else None
        value, *gradient = found or self._by_single_calls(arguments)
        if self._single:
            return value, gradient[0]
        return value, dict(zip((x.name for x in self._wrt), gradient, strict=True))

    def _by_single_calls(self, arguments: Arrays) -> list[Any]:
        """The value and the parts of the gradient, in as few calls as there are functions."""
        loop, adjoint = self._loop, self._adjoint
        run = loop.run(arguments)
        left, rows = self._forward(run)
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

    def formulas(
        self, notation: printing.Notation = "auto", medium: printing.Medium = "text"
    ) -> str:
        """The adjoint recurrence: the statements of one backward step, one per line.

        ``m_bar{t}`` is the derivative of the value by ``m{t}``; the derivatives by inputs are
        accumulated from step to step, and contributions from outside the loop are left out.  The
        `medium` is ``"text"``, ``"latex"`` or ``"mathml"``.

        >>> import tcalc
        >>> walk = tcalc.recurrence('''
        ... x{0} = b
        ... f{0} = 0
        ... for t = 1:T
        ...     x{t} = tanh(A*x{t-1} + u[t,1:end])
        ...     f{t} = f{t-1} + norm2(x{t})^2
        ... end
        ... f{T}''', "A[n,n], b[n], u[T,n]")
        >>> print(walk.value_and_gradient("A").formulas())
        x_bar{t-1} = A'*((1 - x{t}.^2).*(x_bar{t} + 2*x{t}))
        A_bar += ((1 - x{t}.^2).*(x_bar{t} + 2*x{t}))*x{t-1}'
        """
        return adjoint_formulas(self._loop.step, self._wrt, notation, medium)

    def __repr__(self) -> str:
        arguments = ", ".join(map(describe, self.signature.arguments))
        return f"<RecurrenceGradient({arguments}) by {', '.join(x.name for x in self._wrt)}>"

    def _zero_cotangent(self, place: int, arrays: Arrays) -> Any:
        """The cotangent of a state of which the value has nothing."""
        before = self._loop.step.states[place].before
        assert before is not None
        return np.zeros_like(arrays[before.name])


def _added(total: Any, part: Any) -> Any:
    """A sum with another term; neither is written over, as several results may be one array."""
    return part if total is None else total + part


class RecurrenceProduct:
    """A function of arrays: the Hessian of a recurrence by some inputs, times a direction.

    `directions` maps the inputs to the arguments that are their directions.
    """

    __signature__ = CallSignature()
    bound: tuple[str, ...] = ()

    def __init__(self, slope: RecurrenceGradient, directions: Mapping[str, str]) -> None:
        self._slope = slope
        self.directions = dict(directions)
        self.signature = slope.signature

    def __call__(self, /, *positional: Never, **arguments: Any) -> Any:
        _, product = self._slope(*positional, **arguments)
        return product

    def __repr__(self) -> str:
        return f"<RecurrenceProduct({', '.join(map(describe, self.signature.arguments))})>"
