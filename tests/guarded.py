"""C functions called with memory around all arrays, and with work arrays full of something.

A function may write to its results and to the room that it works in, within their bounds, and what
it returns must not depend on what was there before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tcalc import runtime
from tcalc.runtime.native import VECTOR, NativeFunction
from tcalc.runtime.plans import Kind

Array = Any

AROUND = 24
FILLS = (np.nan, 3.0, -1e30)


def native_of(function: runtime.CompiledFunction, arrays: Mapping[str, Any]) -> NativeFunction:
    """The C function that a call with these arrays of one type uses."""
    shapes = [np.shape(arrays[name]) for name in function.signature.names]
    itemsize = np.result_type(*arrays.values()).itemsize
    plan = function._planner.plan(function.signature.measure(shapes), itemsize, Kind())
    assert isinstance(plan.compute, NativeFunction)
    return plan.compute


def guarded(function: runtime.CompiledFunction, **arrays: Any) -> list[Array] | None:
    """The results for arrays of one type, in the order of the outline; None where C gives up."""
    native = native_of(function, arrays)
    inputs = [np.asarray(arrays[name], native.dtype) for name in function.signature.names]
    found = [_called(native, inputs, fill) for fill in FILLS]
    first = found[0]
    for other in found[1:]:
        assert (first is None) == (other is None), "to give up depends on what was in memory"
        for x, y in zip(first or (), other or (), strict=True):
            np.testing.assert_array_equal(x, y, err_msg="a result depends on what was in memory")
    return first


def _called(native: NativeFunction, inputs: Sequence[Array], fill: float) -> list[Array] | None:
    module = native.module
    around: list[Array] = []

    def within(shape: tuple[int, ...], value: Array | None = None) -> Array:
        """An array in the middle of another one, with a value or full of `fill`."""
        count = int(np.prod(shape)) + 2 * AROUND
        whole = np.full(count + AROUND, fill, native.dtype)
        # The room to work in begins where it would be moved to.
        first = -(whole.ctypes.data // native.dtype.itemsize + AROUND) % (VECTOR // whole.itemsize)
        whole = whole[first : first + count]
        part = whole[AROUND:-AROUND].reshape(shape)
        if value is not None:
            part[...] = value
        around.extend((whole[:AROUND], whole[-AROUND:]))
        return part

    given = [
        x[()] if number else within(x.shape, x)
        for x, number in zip(inputs, module.numbers, strict=True)
    ]
    results = [within(shape) for shape in module.results]
    work = within((module.work,))
    kept: list[Array] = []
    status = 0
    if module.given:
        kept = [within((module.kept,))]
        status = native._prepare(*(given[k] for k in module.given), *kept, work)
        work[...] = fill
    status = status or native._call(*given, *results, *kept, work)
    for x, before in zip(given, inputs, strict=True):
        np.testing.assert_array_equal(x, before, err_msg="an argument was written to")
    for edge in around:
        np.testing.assert_array_equal(edge, np.full_like(edge, fill), err_msg="out of bounds")
    return None if status else results
