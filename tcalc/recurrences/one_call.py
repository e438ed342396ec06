"""A run through all steps, with what is before and behind it, as one call of C.

Where arrays are small, to call half a dozen functions from Python and to make arrays between them
takes longer than all steps do.  Here what they hand on lies in one array, and each is told where
(`tcalc.recurrences.layout`).  Larger arrays are for `tcalc.recurrences.sweep`, which does what it
can for many steps at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tcalc import runtime
from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.names import FreeNames
from tcalc.expr.nodes import Const, Einsum, Node, Var
from tcalc.expr.traverse import postorder, rebuild
from tcalc.recurrences.layout import (
    Back,
    Function,
    Functions,
    Layout,
    Ready,
    UnfitError,
    parts_beside,
)
from tcalc.recurrences.running import Runner
from tcalc.recurrences.step import Step
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
C = runtime.Options(backend="c")


class OneCall:
    """The value of a recurrence, and its gradient if the way back is given, by one call of C."""

    def __init__(self, loop: Runner, back: Back | None = None) -> None:
        self._loop = loop
        self._functions = _functions(loop, back)
        self._names = loop.signature.names
        declared = to_be_verified(loop.inputs, False)
        self._verified = [x for x in declared if x[1].name not in loop.step.handed]
        self._ready: dict[tuple[Any, ...], Ready] = {}

    def __getstate__(self) -> dict[str, Any]:
        # What is ready has addresses in this process, and is made again.
        return self.__dict__ | {"_ready": {}}

    def __call__(self, arguments: Arrays) -> list[Any] | None:
        """The value, and the parts of the gradient.

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
        if ready.opened:
            assert self._loop.prologue is not None
            opened = called(self._loop.prologue, self._named(arrays))
            for (part, _), x in zip(ready.opened, opened, strict=True):
                first[part] = np.ravel(x)
        results = [np.empty(shape, dtype) for shape in ready.results]
        for k in ready.spread:
            results[k] = np.zeros(ready.results[k], dtype)
        moved = [np.ascontiguousarray(np.moveaxis(arrays[k], axis, 0)) for k, axis in ready.moved]
        if not ready.calls([first, *results, ready.counter, *arrays, *moved]):
            return None
        for k, axis in ready.spread.items():
            results[k] = np.ascontiguousarray(np.moveaxis(results[k], 0, axis))
        if ready.closed is not None:
            inside = {
                name: first[x].reshape(shape)[()] for name, (x, shape) in ready.closed.items()
            }
            gradient = called(self._gradient, self._named(arrays) | inside)
            for k, x in zip(self._functions.parts, gradient, strict=True):
                results[k] = x
        return [x if x.ndim else x[()] for x in results]

    def _named(self, arrays: Iterable[Any]) -> dict[str, Any]:
        return dict(zip(self._names, arrays, strict=True))

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


def _functions(loop: Runner, back: Back | None) -> Functions:
    """The functions of a run; they are compiled when the shapes are known."""
    step, inputs = loop.step, loop.inputs
    inside = (*step.moving, *loop.fixed)
    before, forth, ends = [*step.prologue.values()], [x.after for x in step.states], [step.value]
    bars: tuple[Var, ...] = ()
    behind: tuple[Var, ...] = inside
    results: list[Node] = [step.value]
    way_back: list[Node] = []
    spread: dict[Var, int] = {}
    if back is not None:
        adjoint = back.adjoint
        forth += adjoint.kept.values()
        ends += [*adjoint.first.values(), *back.direct.values()]
        way_back += adjoint.results
        results += back.gradient
        spread = _spread(step, back, inputs)
        cotangents = (*adjoint.cotangents.values(),)
        bars = (*cotangents, *back.bars.values())
        behind = (*cotangents, *adjoint.kept, *inside)
    parts = [results[k] for k in parts_beside(spread, results)]
    lengths = _lengths(step, [*before, *forth, *ends, *way_back, *parts], (*behind, *bars))
    numbers = (*lengths.values(),)

    def in_c(roots: Sequence[Node], variables: Iterable[Var]) -> Function | None:
        if not roots:
            return None
        alike = rebuild(roots, replacements=lengths)
        return runtime.compile(alike, C, variables=(*variables, *numbers))

    return Functions(
        step=step,
        names=loop.signature.names,
        results=results,
        back=back,
        prologue=in_c(before, inputs),
        forth=in_c(forth, inside),
        end=in_c(ends, (*inputs, *loop.last)),
        way_back=in_c(way_back, behind),
        gradient=in_c(parts, (*inputs, *bars)),
        spread=spread,
        lengths={x: dim for node, x in lengths.items() if (dim := _length_of(node)) is not None},
    )


def _lengths(step: Step, roots: Sequence[Node], others: Iterable[Var]) -> dict[Node, Var]:
    """Inputs for the number of steps where it is a number, so that no function is for one alone."""
    names = FreeNames({*step.names, *(x.name for x in others)})
    growing = step.growing
    return {
        node: build.var(names.give(f"length_{k}"), ())
        for k, node in enumerate(postorder(roots), 1)
        if (dim := _length_of(node)) is not None and not growing.isdisjoint(dim.names())
    }


def _length_of(node: Node) -> Dim | None:
    """The dimension whose number of elements a scalar is, if it is one."""
    match node:
        case Einsum(factors=(Const(value=value, dims=(dim,)),), output=()) if value == 1:
            return dim
        case _:
            return None


def _spread(step: Step, back: Back, inputs: Iterable[Var]) -> dict[Var, int]:
    """The series whose slices along one axis are all that the value takes of them.

    With their places among the results.
    """
    apart = {*inputs} - {*back.adjoint.constants, *back.direct}
    axes: dict[Node, set[int]] = {}
    for k in back.adjoint.slices:
        axes.setdefault(step.series[k].source, set()).add(step.series[k].axis)
    bars: Mapping[Node, Var] = {
        bar: x for x, bar in back.bars.items() if x in apart and len(axes.get(x, ())) == 1
    }
    return {bars[part]: k for k, part in enumerate(back.gradient, 1) if part in bars}
