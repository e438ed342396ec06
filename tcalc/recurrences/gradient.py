"""The value of a recurrence together with its gradient, by the adjoint recurrence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Never

import numpy as np

from tcalc import calculus, runtime
from tcalc.expr import build
from tcalc.expr.names import free_name
from tcalc.expr.nodes import Const, Node, Var
from tcalc.recurrences.adjoint import active_inputs, adjoint_of
from tcalc.recurrences.running import Loop, Run, Stepper, called
from tcalc.runtime.arguments import CallSignature, refuse_positions


class RecurrenceGradient:
    """A function of arrays: the value of a recurrence, and its gradient by some inputs.

    The gradient is an array for one input, a dictionary of arrays for several.  A call runs the
    loop forth, keeping of each step what the way back needs, then back.
    """

    __signature__ = CallSignature()
    bound: tuple[str, ...] = ()

    def __init__(self, loop: Loop, wrt: Sequence[Var], single: bool) -> None:
        step = loop.step
        self.signature = loop.signature
        self._loop = loop
        self._wrt = [*wrt]
        self._single = single
        self._adjoint = adjoint = adjoint_of(step, step.value, wrt)
        afters = [x.after for x in step.states]
        self._forth = Stepper([*afters, *adjoint.kept.values()], step.moving, step.fixed)
        changing = (*adjoint.cotangents.values(), *adjoint.kept, *step.moving)
        self._back = Stepper(adjoint.results, changing, step.fixed) if adjoint.results else None
        direct = calculus.derivatives(step.value, self._wrt, "reverse")
        self._direct = {x: g for x, g in zip(wrt, direct, strict=True) if not _is_zero(g)}
        ends = [step.value, *adjoint.first.values(), *self._direct.values()]
        self._end = runtime.compile(ends, variables=(*step.inputs.values(), *loop.last))
        self._bars: dict[Var, Var] = {}
        self._gradient = self._compiled_gradient()

    def _compiled_gradient(self) -> runtime.CompiledFunction:
        """The gradient, from the cotangents of all that the loop and the value take."""
        step, adjoint = self._loop.step, self._adjoint
        active = active_inputs(step, self._wrt)
        taken = {*step.names, *(x.name for x in adjoint.cotangents.values())}
        pairs: list[tuple[Node, Node]] = []
        for k, state in enumerate(step.states):
            if state.before in active and state.before in step.opening:
                bar = adjoint.cotangents[k] if k in adjoint.before else adjoint.steady.get(k)
                if bar is not None:
                    pairs.append((step.opening[state.before], bar))
        sources = [step.series[k].source for k in adjoint.slices]
        for x in dict.fromkeys([*adjoint.constants, *sources, *self._direct]):
            assert isinstance(x, Var)
            name = free_name(f"{x.name}_bar", taken)
            taken.add(name)
            self._bars[x] = build.var(name, x.dims, ())
            pairs.append((step.opening.get(x, x), self._bars[x]))
        found = (
            calculus.vjps(pairs, self._wrt) if pairs else [build.zeros(x.dims) for x in self._wrt]
        )
        parts = [calculus.project(g, x) for g, x in zip(found, self._wrt, strict=True)]
        bars = [*adjoint.cotangents.values(), *self._bars.values()]
        return runtime.compile(parts, variables=(*step.inputs.values(), *bars))

    def __call__(self, /, *positional: Never, **arguments: Any) -> Any:
        if positional:
            refuse_positions(positional, self.signature.names)
        loop, adjoint = self._loop, self._adjoint
        run = loop.run(arguments)
        made = run.kept(run.forth(self._forth))
        value, *ends = called(self._end, loop.left(run, made[-1]))
        first = dict(zip(adjoint.first, ends, strict=False))
        direct = ends[len(first) :]
        bars = {
            k: first[k] if k in first else np.zeros_like(made[-1][k]) for k in adjoint.cotangents
        }
        totals = self._backwards(run, made, bars)
        for x, part in zip(self._direct, direct, strict=True):
            totals[x] = _added(totals.get(x), part)
        found = {adjoint.cotangents[k].name: x for k, x in bars.items()}
        found |= {self._bars[x].name: total for x, total in totals.items()}
        gradient = called(self._gradient, {**run.fixed, **found})
        if self._single:
            return value, gradient[0]
        return value, dict(zip((x.name for x in self._wrt), gradient, strict=True))

    def _backwards(self, run: Run, made: Sequence[Any], bars: dict[int, Any]) -> dict[Var, Any]:
        """The cotangents of constants and of what is run through; `bars` goes to the first step."""
        if self._back is None:
            return {}
        adjoint, count = self._adjoint, len(self._loop.step.states)
        states = [x[:count] for x in made]
        before = [run.first, *states[:-1]]
        none = {k: np.zeros_like(states[-1][k]) for k in bars if k not in adjoint.before}
        rows = [run.rows(k) for k in adjoint.slices]
        totals: list[Any] = [None] * len(adjoint.constants)
        call = None
        for k, number in reversed([*enumerate(run.numbers)]):
            values = [*bars.values(), *made[k][count:], *run.changing(number, before[k])]
            call = call or self._back.ready(run.fixed, values)
            results = iter(run.told(call, values, number))
            # What a state was before is told first; what no step takes has been told once.
            bars |= dict(zip(adjoint.before, results, strict=False)) | none
            for row in rows:
                row.add(number, next(results))
            for place, part in enumerate(results):
                totals[place] = _added(totals[place], part)
        found = dict(zip(adjoint.constants, totals, strict=True))
        for row in rows:
            found[row.source] = _added(found.get(row.source), row.whole)
        return found


def _added(total: Any, part: Any) -> Any:
    """A sum with another term; the sum is an array of ours, and may be written over."""
    if total is None:
        return part
    return np.add(total, part, out=total) if isinstance(total, np.ndarray) else total + part


def _is_zero(node: Node) -> bool:
    return isinstance(node, Const) and not node.value
