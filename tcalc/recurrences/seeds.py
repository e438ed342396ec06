"""The gradient of an earlier loop, from the cotangents of what it hands on to later ones.

It is that of the product of these with what is handed on, a number: what the last step leaves
counts behind the loop, and the rows of a trajectory count in each step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tcalc.codegen.options import Backend
from tcalc.expr import build
from tcalc.expr.facts import known_properties
from tcalc.expr.names import FreeNames
from tcalc.expr.nodes import Node, Var
from tcalc.expr.traverse import dependents
from tcalc.language.kept_program import Series, State, Trajectory
from tcalc.recurrences.adjoint import active_inputs
from tcalc.recurrences.earlier import Handed, part_of
from tcalc.recurrences.loop_gradient import LoopGradient
from tcalc.recurrences.running import Tape
from tcalc.recurrences.step import Step
from tcalc.recurrences.stepper import Arrays


def active_outputs(step: Step, by: Sequence[Var]) -> list[Var]:
    """What a loop hands on to later ones that depends on some inputs."""
    live = dependents([x for made in step.outputs.values() for x in made], active_inputs(step, by))
    return [x for x, made in step.outputs.items() if not live.isdisjoint(made)]


class Seeding:
    """A step that adds up its product with the cotangents of what later loops take of it.

    Attributes:
        step: the step, whose value is the product.
        lasts: the inputs that are the cotangents of what the last step leaves, by this.
        rows: those of the rows of trajectories, in the order of the numbers of steps.
        slices: what a step takes of them.
        series: the same as slices of tensors.
        total: the input that the sum over the steps is, if there are rows.
        early: those of what stands before the first step.
    """

    def __init__(self, step: Step, wanted: Sequence[Var]) -> None:
        self._names = FreeNames({*step.names, *(x.name for x in step.outputs)})
        self.lasts: dict[Var, Var] = {}
        self.rows: dict[Trajectory, Var] = {}
        self.slices: dict[Trajectory, Var] = {}
        self.early: dict[Trajectory, list[Var]] = {}
        self.series: list[Series] = []
        self.total: Var | None = None
        terms: list[Node] = []
        for state in step.states:
            if state.last is not None and state.last in wanted:
                # The gradient by what is symmetric is so; the rows of one need not be.
                words = [x for x in known_properties(state.last) if x == "symmetric"]
                bar = self.lasts[state.last] = self._bar(state.last.name, state.last, words)
                terms.append(_inner(bar, state.last))
        for x in step.trajectories:
            if x.rows in wanted:
                self._add(x)
                pairs = zip(self.early[x], x.early, strict=True)
                terms += [_inner(bar, node) for bar, node in pairs]
        self.step = self._seeded(step, terms)

    def _bar(self, name: str, like: Node, words: Sequence[str] = ()) -> Var:
        return build.var(self._names.give(f"{name}_bar"), like.dims, words)

    def _add(self, trajectory: Trajectory) -> None:
        """Inputs for the cotangents of a trajectory."""
        name, row = trajectory.rows.name, trajectory.row
        count = trajectory.rows.dims[0] - len(trajectory.early)
        self.rows[trajectory] = build.var(self._names.give(f"{name}_bar"), (count, *row.dims))
        self.slices[trajectory] = self._bar(f"{name}_row", row)
        self.early[trajectory] = [self._bar(f"{name}_early", x) for x in trajectory.early]

    def _seeded(self, step: Step, terms: list[Node]) -> Step:
        bars = [*self.lasts.values(), *self.rows.values()]
        bars += [x for early in self.early.values() for x in early]
        states, prologue = [*step.states], dict(step.prologue)
        if self.rows:
            before, last = (build.var(self._names.give(f"seeded_{x}"), ()) for x in ("at", "last"))
            products = [_inner(bar, x.row) for x, bar in self.slices.items()]
            total = build.add([(1, before), *((1, x) for x in products)])
            zero = build.zeros(())
            states.append(State("seeded", "seeded", "seeded", before, zero, total, last))
            prologue[before] = zero
            terms.append(last)
            self.total = last
        lowest = step.start if step.direction > 0 else step.stop
        offset = 1 - lowest.evaluate({})
        slices = self.slices.items()
        self.series = [Series(x.name, self.rows[x], 0, offset, bar) for x, bar in slices]
        return replace(
            step,
            states=tuple(states),
            series=(*step.series, *self.series),
            prologue=prologue,
            inputs={**step.inputs, **{x.name: x for x in bars}},
            handed=step.handed | {x.name for x in bars},
            value=build.add([(1, x) for x in terms]),
        )


class Seeded:
    """The gradient of a loop by inputs, as a function of arrays and of cotangents.

    `wanted` is what later loops take of it, and have cotangents of.
    """

    def __init__(
        self, step: Step, wanted: Sequence[Var], by: Sequence[Var], backend: Backend
    ) -> None:
        self.seeding = seeding = Seeding(step, wanted)
        self.by = seeding.step.needed([seeding.step.value], by)
        self.gradient = LoopGradient(seeding.step, self.by, backend)
        self._backwards = step.direction < 0

    def __call__(
        self, arrays: Arrays, cotangents: Mapping[Var, Any], handed: Handed
    ) -> dict[Var, Any]:
        """The cotangents of inputs, from those of what was handed on."""
        seeding = self.seeding
        seeds = {bar.name: cotangents[x] for x, bar in seeding.lasts.items()}
        for x, bar in seeding.rows.items():
            whole = cotangents[x.rows]
            in_time = whole[::-1] if self._backwards else whole
            early = len(x.early)
            seeds[bar.name] = whole[: len(whole) - early] if self._backwards else whole[early:]
            for k, bar_of_early in enumerate(seeding.early[x]):
                seeds[bar_of_early.name] = in_time[early - 1 - k]
        given = part_of({**arrays, **seeds}, self.gradient.signature)
        parts = self.gradient.back_in_one_call(given, handed.kept)
        if parts is None:
            _, *parts = self.gradient.back_from(self._tape(arrays, given, handed))
        return dict(zip(self.by, parts, strict=True))

    def _tape(self, arrays: Arrays, given: Arrays, handed: Handed) -> Tape:
        """A run forward with the cotangents; the sum over the steps, which nothing takes, is 0."""
        seeding, run = self.seeding, handed.run
        run = self.gradient.run(given) if run is None else run.extended(given, seeding.series)
        left = {**run.fixed, **{x.name: arrays[x.name] for x in seeding.lasts}}
        if seeding.total is not None:
            left[seeding.total.name] = np.zeros((), next(iter(given.values())).dtype)[()]
        return Tape(run, left, handed.kept)


def _inner(x: Node, y: Node) -> Node:
    """The sum of the products of the elements of two tensors."""
    return build.sum_all(build.hadamard(x, y))
