"""Loops before the last one of a program: what they hand on to later ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tcalc import runtime
from tcalc.codegen.options import Backend
from tcalc.codegen.signature import Signature, signature_of, size_names
from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Node, Var
from tcalc.recurrences.running import Forward, Runner, Tape, checked
from tcalc.recurrences.step import Step
from tcalc.recurrences.stepper import Arrays, called


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

    def run(self, arguments: Arrays) -> tuple[dict[str, Any], dict[int, Tape]]:
        """The arguments and what the loops hand on, by name; and their runs, by their places."""
        arrays, _ = checked(self.signature, arguments, self.signature.arguments)
        tapes: dict[int, Tape] = {}
        for place, loop in self._loops.items():
            handed, tapes[place] = loop(arrays)
            arrays |= handed
        return arrays, tapes


class EarlierLoop:
    """One loop as a function of arrays, which gives what it hands on that is wanted, by name.

    It also gives its run, with what is to be `kept` of each step.
    """

    def __init__(
        self, step: Step, wanted: Iterable[Var], backend: Backend, kept: Sequence[Node] = ()
    ) -> None:
        outputs = step.outputs.keys() & {*wanted}
        self._lasts = [x.last for x in step.states if x.last is not None and x.last in outputs]
        self._trajectories = [x for x in step.trajectories if x.rows in outputs]
        rows = [x.row for x in self._trajectories]
        early = [x for trajectory in self._trajectories for x in trajectory.early]
        self._loop = Runner(step, [*rows, *kept, *early, *self._lasts], backend=backend)
        self._forward = Forward(self._loop, [*rows, *kept], self._lasts)
        self._early = runtime.compile(early, variables=self._loop.inputs) if early else None

    @property
    def signature(self) -> Signature:
        """The names and dimensions of the arguments."""
        return self._loop.signature

    def __call__(self, arrays: Arrays) -> tuple[dict[str, Any], Tape]:
        run = self._loop.step.wording(self._run)
        found: tuple[dict[str, Any], Tape] = run(part_of(arrays, self.signature))
        return found

    def _run(self, arrays: Arrays) -> tuple[dict[str, Any], Tape]:
        loop = self._loop
        run, left, rows = self._forward(loop.run(arrays))
        found = {x.name: left[x.name] for x in self._lasts}
        early = iter(called(self._early, run.fixed) if self._early is not None else ())
        count = len(self._trajectories)
        for trajectory, made in zip(self._trajectories, rows[:count], strict=True):
            before = [next(early) for _ in trajectory.early]
            # In the order of time, the one next to the first step is the last of them.
            whole = np.concatenate([np.stack(before[::-1]), made]) if before else made
            found[trajectory.rows.name] = np.ascontiguousarray(whole[:: loop.step.direction])
        return found, Tape(run, left, rows[count:])


def part_of(arrays: Arrays, signature: Signature) -> Mapping[str, Any]:
    """The arrays that a function takes."""
    return {name: arrays[name] for name in signature.names}
