"""Loops before the last one of a program: what they hand on to later ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from tcalc import runtime
from tcalc.codegen.options import Backend
from tcalc.codegen.signature import Signature, signature_of, size_names
from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Node, Var
from tcalc.recurrences.functions_in_c import EachStep
from tcalc.recurrences.one_call import OneCall
from tcalc.recurrences.running import Forward, Run, Runner, Tape, checked
from tcalc.recurrences.step import Step
from tcalc.recurrences.stepper import Arrays, called


class Handed(NamedTuple):
    """What a loop hands on, by name, and what is kept of each step.

    The run is there unless one call of C has done it all.
    """

    arrays: dict[str, Any]
    kept: list[Any]
    run: Run | None = None


class Earlier:
    """The first loops of a program, one run after the other, as far as later functions need them.

    `takers` are the signatures of these functions.  `signature` has the inputs of the program that
    all of them take together.  `kept` has, for some loops by their places, what a way back needs of
    each step.
    """

    def __init__(
        self,
        loops: Sequence[Step],
        takers: Sequence[Signature],
        wrt: Sequence[Var] = (),
        backend: Backend = "numpy",
        kept: Mapping[int, Sequence[Node]] | None = None,
    ) -> None:
        needed = {x for taker in takers for x in taker.arguments}
        sizes = {name for taker in takers for name in taker.sizes} | size_names(wrt)
        #: The loops of which something is needed, by their places.
        self._loops: dict[int, EarlierLoop] = {}
        for place, step in reversed([*enumerate(loops)]):
            if not needed.isdisjoint(step.outputs):
                loop = EarlierLoop(step, needed, backend, (kept or {}).get(place, ()))
                self._loops = {place: loop, **self._loops}
                needed |= {*loop.signature.arguments}
                sizes |= {*loop.signature.sizes}
        if not self._loops:
            (self.signature,) = takers
            return
        own = [x for x in loops[0].inputs.values() if x.name not in loops[0].handed]
        shape = build.ones([Dim.of(name) for name in sorted(sizes)])
        self.signature = signature_of([*(x for x in own if x in needed), shape], own)

    def __call__(self, arguments: Arrays, taker: Signature) -> Arrays:
        """What one of the functions takes of the arguments, and of what the loops hand on."""
        return part_of(self.run(arguments)[0], taker) if self._loops else arguments

    def run(self, arguments: Arrays) -> tuple[dict[str, Any], dict[int, Handed]]:
        """The arguments and what the loops hand on, by name; and the latter by their places."""
        arrays, _ = checked(self.signature, arguments, self.signature.arguments)
        found: dict[int, Handed] = {}
        for place, loop in self._loops.items():
            found[place] = loop(arrays)
            arrays |= found[place].arrays
        return arrays, found


class EarlierLoop:
    """One loop as a function of arrays, which gives what it hands on that is wanted.

    It also gives what is to be `kept` of each step.
    """

    def __init__(
        self, step: Step, wanted: Iterable[Var], backend: Backend, kept: Sequence[Node] = ()
    ) -> None:
        outputs = step.outputs.keys() & {*wanted}
        self._lasts = [x.last for x in step.states if x.last is not None and x.last in outputs]
        self._trajectories = [x for x in step.trajectories if x.rows in outputs]
        rows = [x.row for x in self._trajectories]
        early = [x for trajectory in self._trajectories for x in trajectory.early]
        self._rows = [*rows, *kept]
        self._loop = Runner(step, [*self._rows, *early, *self._lasts], backend=backend)
        self._early = runtime.compile(early, variables=self._loop.inputs) if early else None
        self._in_one_call = None
        if backend == "c":
            whole = [EachStep(x.row, x.early, sorted=True) for x in self._trajectories]
            whole += [EachStep(node) for node in kept]
            self._in_one_call = OneCall(self._loop, self._lasts, whole)

    @cached_property
    def _forward(self) -> Forward:
        return Forward(self._loop, self._rows, self._lasts)

    @property
    def signature(self) -> Signature:
        """The names and dimensions of the arguments."""
        return self._loop.signature

    def __call__(self, arrays: Arrays) -> Handed:
        run = self._loop.step.wording(self._run)
        found: Handed = run(part_of(arrays, self.signature))
        return found

    def _run(self, arrays: Arrays) -> Handed:
        made = self._in_one_call(arrays) if self._in_one_call is not None else None
        if made is None:
            return self._handed(self._forward(self._loop.run(arrays)))
        names = [*(x.name for x in self._lasts), *(x.rows.name for x in self._trajectories)]
        return Handed(dict(zip(names, made, strict=False)), made[len(names) :])

    def _handed(self, tape: Tape) -> Handed:
        run, left, rows = tape
        found = {x.name: left[x.name] for x in self._lasts}
        early = iter(called(self._early, run.fixed) if self._early is not None else ())
        count = len(self._trajectories)
        for trajectory, made in zip(self._trajectories, rows[:count], strict=True):
            before = [next(early) for _ in trajectory.early]
            # In the order of time, the one next to the first step is the last of them.
            whole = np.concatenate([np.stack(before[::-1]), made]) if before else made
            found[trajectory.rows.name] = np.ascontiguousarray(whole[:: self._loop.step.direction])
        return Handed(found, rows[count:], run)


def part_of(arrays: Arrays, signature: Signature) -> Mapping[str, Any]:
    """The arrays that a function takes."""
    return {name: arrays[name] for name in signature.names}
