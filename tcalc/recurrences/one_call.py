"""A run through all steps, with what is before and behind it, as one call of C.

Where arrays are small, to call half a dozen functions from Python and to make arrays between them
takes longer than all steps do.  Here what they hand on lies in one array, and each is told where
(`tcalc.recurrences.layout`).  Larger arrays are for `tcalc.recurrences.sweep`, which does what it
can for many steps at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tcalc import runtime
from tcalc.expr.nodes import Node, Var
from tcalc.recurrences.functions_in_c import Back, EachStep, Function, functions_of
from tcalc.recurrences.layout import Layout, Ready, UnfitError
from tcalc.recurrences.running import Runner
from tcalc.recurrences.stepper import Arrays, called
from tcalc.runtime.arguments import (
    at_sight,
    conversions,
    looks,
    looks_tell,
    to_be_verified,
    verify,
)

ENTRIES = 64
"""For how many combinations of types and shapes a run is kept ready."""


class OneCall:
    """A run through all steps by one call of C.

    It makes the `ends` of what the last step leaves, as the value, and `rows` of all steps.  With a
    way `back`, it makes the gradient of the value too; with a `tape`, the inputs of this that are
    another in each step and have been made before, it goes back alone.
    """

    def __init__(
        self,
        loop: Runner,
        ends: Sequence[Node],
        rows: Sequence[EachStep] = (),
        back: Back | None = None,
        tape: Sequence[Var] | None = None,
    ) -> None:
        self._loop = loop
        self._functions = functions_of(loop, ends, rows, back, tape)
        self._names = loop.signature.names
        declared = to_be_verified(loop.inputs, False)
        self._verified = [x for x in declared if x[1].name not in loop.step.handed]
        self._ready: dict[tuple[Any, ...], Ready] = {}

    def __getstate__(self) -> dict[str, Any]:
        # What is ready has addresses in this process, and is made again.
        return self.__dict__ | {"_ready": {}}

    def __call__(self, arguments: Arrays, tape: Sequence[Any] = ()) -> list[Any] | None:
        """The ends, the parts of the gradient, and the rows; a `tape` has an axis of the steps.

        It is None where `tcalc.recurrences.sweep` is to do it, or to say what is wrong.
        """
        seen = looks(arguments)
        ready = self._ready.get(seen) or self._enter(arguments, seen)
        if ready.calls is None:
            return None
        arrays = [arguments[name] for name in self._names]
        for place, convert in ready.conversions:
            arrays[place] = convert(arrays[place])
        for place, variable, positive in self._verified:
            if not at_sight(positive, arrays[place]):
                verify([variable], [arrays[place]], False)
        dtype = ready.counter.dtype
        first = np.empty(ready.size, dtype)
        results = [np.empty(shape, dtype) for shape in ready.results]
        if ready.opened:
            opened = called(self._opening, self._named(arrays))
            for part, x in zip(ready.opened, opened, strict=True):
                np.ravel([first, *results][part.array])[part.elements] = np.ravel(x)
        for k in ready.spread:
            results[k] = np.zeros(ready.results[k], dtype)
        kept = [np.asarray(x, dtype) for x in tape]
        moved = [np.ascontiguousarray(np.moveaxis(arrays[k], axis, 0)) for k, axis in ready.moved]
        if not ready.calls([first, *results, ready.counter, *arrays, *kept, *moved]):
            return None
        for k, axis in ready.spread.items():
            results[k] = np.ascontiguousarray(np.moveaxis(results[k], 0, axis))
        if ready.closed is not None:
            inside = {
                name: first[x.elements].reshape(x.shape)[()] for name, x in ready.closed.items()
            }
            gradient = called(self._gradient, self._named(arrays) | inside)
            for k, x in zip(self._functions.parts, gradient, strict=True):
                results[k] = x
        return [x if x.ndim else x[()] for x in results]

    def _named(self, arrays: Iterable[Any]) -> dict[str, Any]:
        return dict(zip(self._names, arrays, strict=True))

    @cached_property
    def _opening(self) -> Function:
        """What is computed before the loop, in NumPy's code."""
        return runtime.compile(self._functions.opening, variables=self._loop.inputs)

    @cached_property
    def _gradient(self) -> Function:
        """The function of that name, in NumPy's code."""
        functions = self._functions
        assert functions.gradient is not None
        parts = [functions.results[k] for k in functions.parts]
        taken = [x for x in functions.gradient.signature.arguments if x not in functions.lengths]
        return runtime.compile(parts, variables=(*self._loop.inputs, *taken))

    def _enter(self, arguments: Arrays, seen: tuple[Any, ...]) -> Ready:
        """What is done for arguments that are new, these checked."""
        run = self._loop.run(arguments)
        given = [arguments[name] for name in self._names]
        arrays = [run.fixed[name] for name in self._names]
        try:
            ready = Layout(self._functions, run).ready(
                [*conversions(self._loop.inputs, given, arrays)]
            )
        except UnfitError:
            ready = Ready(None)
        if looks_tell(arguments):
            if len(self._ready) >= ENTRIES:
                self._ready.clear()
            self._ready[seen] = ready
        return ready
