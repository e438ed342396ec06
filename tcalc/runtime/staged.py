"""C functions one after another, each as often as there are steps: a whole loop by one call.

To call a C function from Python takes as long as a step on small arrays, and a loop with what is
before and behind it is several functions.  Here one call runs through all of them.  Their arguments
and results are parts of a few arrays; where these parts are depends on shapes alone.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from tcalc.records import dataclass
from tcalc.runtime.libraries import Library, library
from tcalc.runtime.native import SCATTERED, NativeFunction, arrays_in_c

STAGES = """
/* Calls of functions, one after another.

   The arguments and results of the first call begin `offset` bytes behind the beginnings of some
   arrays, and those of each further call `apart` bytes behind those of the one before.  Some
   results are terms of sums, which lie likewise.  Some parts of the first array are 0 at first. */

struct stage {{
    int (*function)(char **, real *);
    long count, places;
    const long *array, *offset, *apart;
    long sums;
    const long *term, *length, *sum_array, *sum_offset, *sum_apart;
}};

static int run_stage(const struct stage *x, char *const *arrays, real *work)
{{
    char *at[x->places];
    for (long j = 0; j < x->places; j++) at[j] = arrays[x->array[j]] + x->offset[j];
    for (long k = 0; k < x->count; k++) {{
        if (x->function(at, work)) return 1;
        for (long m = 0; m < x->sums; m++) {{
            const real *restrict term = (const real *)at[x->term[m]];
            char *start = arrays[x->sum_array[m]] + x->sum_offset[m];
            real *restrict sum = (real *)(start + k * x->sum_apart[m]);
            for (long i = 0; i < x->length[m]; i++) sum[i] += term[i];
        }}
        for (long j = 0; j < x->places; j++) at[j] += x->apart[j];
    }}
    return 0;
}}

int run(long count, const struct stage *stages, long total, void *const *objects,
        const char *numbers, long zeros, const long *zeroed, long work)
{{
    char *arrays[total];
    for (long k = 0; k < total; k++) {{
        if (!numbers[k] && scattered(objects[k])) return {scattered};
        arrays[k] = numbers[k] ? (char *)contents(objects[k]) : (char *)elements(objects[k]);
    }}
    for (long k = 0; k < zeros; k++)
        __builtin_memset(arrays[0] + zeroed[2 * k], 0, zeroed[2 * k + 1]);
    for (long k = 0; k < count; k++)
        if (run_stage(stages + k, arrays, (real *)(arrays[0] + work))) return 1;
    return 0;
}}
"""
"""What runs through the stages."""

LONGS = ctypes.POINTER(ctypes.c_long)


class Stage(ctypes.Structure):
    """The same as `struct stage` in C."""

    _fields_ = (
        ("function", ctypes.c_void_p),
        *((name, ctypes.c_long) for name in ("count", "places")),
        *((name, LONGS) for name in ("array", "offset", "apart")),
        ("sums", ctypes.c_long),
        *((name, LONGS) for name in ("term", "length", "sum_array", "sum_offset", "sum_apart")),
    )


class Place(NamedTuple):
    """Where an argument or a result is: in which array, how many bytes from its beginning.

    In each further call it is `apart` bytes further on.
    """

    array: int
    offset: int = 0
    apart: int = 0


class Added(NamedTuple):
    """A result, by its number, that each call adds to so many elements at a place."""

    result: int
    sum: Place
    length: int


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of a function, one after another: its arguments, then its results."""

    function: NativeFunction
    arguments: Sequence[Place]
    results: Sequence[Place]
    count: int = 1
    added: Sequence[Added] = ()


def runner(dtype: np.dtype[Any]) -> Library:
    """What runs through stages of functions of one type, compiled from now on."""
    real = "double" if dtype == np.float64 else "float"
    return library(f"typedef {real} real;" + arrays_in_c() + STAGES.format(scattered=SCATTERED))


class Staged:
    """Calls of several functions, of one type, as one call.

    It takes arrays, and NumPy's numbers where `numbers` says so.  The first array is for what the
    functions hand on, and at its end, from `work` on, for their work; `zeroed` are parts of it, by
    offsets and lengths in bytes, that are 0 at first.
    """

    def __init__(
        self,
        calls: Sequence[Calls],
        numbers: Sequence[bool],
        work: int,
        zeroed: Sequence[tuple[int, int]] = (),
    ) -> None:
        self._kept = calls, [_Table(x) for x in calls]
        tables = self._kept[1]
        self._stages = (Stage * len(calls))(*(x.stage for x in tables))
        self._numbers = bytes(numbers)
        self._objects = ctypes.py_object * len(numbers)
        self._zeroed = _longs([*chain(*zeroed)])
        first = calls[0].function
        self._rest = ctypes.c_long(len(zeroed)), self._zeroed, ctypes.c_long(work)
        self._dtype = first.dtype
        self._run = runner(first.dtype).load().run

    def __call__(self, arrays: Sequence[Any]) -> bool:
        """Whether all functions did their work; else results have no meaning."""
        status = self._called(arrays)
        if status == SCATTERED:
            whole = [
                x if number else np.require(x, self._dtype, ["C", "A"])
                for x, number in zip(arrays, self._numbers, strict=True)
            ]
            status = self._called(whole)
        return not status

    def _called(self, arrays: Sequence[Any]) -> int:
        stages, numbers = self._stages, self._numbers
        objects = self._objects(*arrays)
        total = ctypes.c_long(len(numbers))
        count = ctypes.c_long(len(stages))
        status: int = self._run(count, stages, total, objects, numbers, *self._rest)
        return status


class _Table:
    """A stage as C has it, and the tables that it points to."""

    def __init__(self, calls: Calls) -> None:
        places = [*calls.arguments, *calls.results]
        start = len(calls.arguments)
        self._tables = [_longs([*column]) for column in zip(*places, strict=True)]
        sums = [(start + x.result, x.length, *x.sum) for x in calls.added]
        self._sums = [_longs([*column]) for column in zip(*sums, strict=True)] or [_longs([])] * 5
        self.stage = Stage(
            calls.function.once, calls.count, len(places), *self._tables, len(sums), *self._sums
        )


def _longs(numbers: Sequence[int]) -> Any:
    return (ctypes.c_long * len(numbers))(*numbers)


def run_steps(
    function: NativeFunction,
    places: Sequence[int],
    states: Sequence[Any],
    given: Sequence[Any],
    rest: Sequence[Any],
    count: int,
    backwards: bool,
) -> tuple[list[Any], list[Any]] | None:
    """The states at the beginning and after each of `count` calls, and their further results.

    Its arguments, in the order that `places` tell, are the states, a row of each of `given`, and
    the rest; its first results are the states for the next call.  `backwards` goes from the last
    row to the first; rows are in the order of `given` in any case.  It is None where a call gives
    up.
    """
    dtype = function.dtype
    work = np.empty(function.module.work, dtype)
    rows = [np.require(x, dtype, ["C", "A"]) for x in given]
    constants = [np.require(x, dtype, ["C", "A"]) for x in rest]
    carried = [np.empty((count + 1, *np.shape(x)), dtype) for x in states]
    shapes = function.module.results[len(states) :]
    made = [np.empty((count, *shape), dtype) for shape in shapes]
    for whole, x in zip(carried, states, strict=True):
        whole[-1 if backwards else 0] = x
    sign = -1 if backwards else 1
    arrays = [work, *carried, *rows, *constants, *made]
    number = {id(x): k for k, x in enumerate(arrays)}

    def along(x: Any, row: int) -> Place:
        apart = x.strides[0]
        return Place(number[id(x)], row * apart, sign * apart)

    first = count - 1 if backwards else 0
    before, after = (count, count - 1) if backwards else (0, 1)
    inputs = [
        *(along(x, before) for x in carried),
        *(along(x, first) for x in rows),
        *(Place(number[id(x)]) for x in constants),
    ]
    results = [*(along(x, after) for x in carried), *(along(x, first) for x in made)]
    calls = Calls(function, [inputs[k] for k in places], results, count)
    done = Staged([calls], [False] * len(arrays), 0)(arrays)
    return (carried, made) if done else None
