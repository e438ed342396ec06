"""What the steps of a recurrence make, as functions of arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Never

import numpy as np

from tcalc.codegen.options import Backend
from tcalc.codegen.signature import Signature, describe
from tcalc.expr.nodes import Node
from tcalc.primitives.arrays import NumPyArray as Array
from tcalc.recurrences.earlier import Earlier
from tcalc.recurrences.functions_in_c import EachStep
from tcalc.recurrences.one_call import OneCall
from tcalc.recurrences.running import Forward, Runner
from tcalc.recurrences.step import Step
from tcalc.recurrences.stepper import Arrays
from tcalc.runtime.arguments import CallSignature, refuse_positions


class RecurrenceSteps:
    """A function of arrays that gives the values of some names in all steps, one row per step.

    The result is an array for one name, a dictionary of arrays for several.
    """

    __signature__ = CallSignature()
    bound: tuple[str, ...] = ()

    def __init__(
        self,
        loops: Sequence[Step],
        wanted: Mapping[str, Node],
        single: bool,
        backend: Backend = "numpy",
    ) -> None:
        roots = [*wanted.values()]
        self._loop = Runner(loops[-1], roots, backend=backend)
        self._earlier = Earlier(loops[:-1], [self._loop.signature], backend=backend)
        self._roots = roots
        self._in_one_call = None
        if backend == "c":
            self._in_one_call = OneCall(self._loop, [], [EachStep(x) for x in roots])
        self._names = [*wanted]
        self._single = single

    @cached_property
    def _forward(self) -> Forward:
        return Forward(self._loop, self._roots, [])

    @property
    def signature(self) -> Signature:
        """The names and dimensions of the arguments."""
        return self._earlier.signature

    def __call__(self, /, *positional: Never, **arguments: Any) -> Array | dict[str, Array]:
        if positional:
            refuse_positions(positional, self.signature.names)
        arrays = self._earlier(arguments, self._loop.signature)
        rows = self._loop.step.wording(self._rows)(arrays)
        found = dict(zip(self._names, map(np.array, rows), strict=True))
        return found[self._names[0]] if self._single else found

    def _rows(self, arguments: Arrays) -> list[Any]:
        found = self._in_one_call(arguments) if self._in_one_call is not None else None
        return self._forward(self._loop.run(arguments)).rows if found is None else found

    def __repr__(self) -> str:
        arguments = ", ".join(map(describe, self.signature.arguments))
        return f"<RecurrenceSteps({arguments}) of {', '.join(self._names)}>"
