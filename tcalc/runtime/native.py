"""C files as functions of arrays: compiled by the machine's compiler, with SciPy's BLAS and LAPACK.

A C function takes pointers.  Those of arrays are read off NumPy's array objects, whose layout is
part of its binary interface, by a few lines of C beside the function: to ask for them in Python
takes longer than the work on small arrays.  Where a matrix is not clearly regular the function
gives up, and NumPy's code for the same program says what is wrong, or finds that nothing is.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from typing import Any

import numpy as np

from tcalc.codegen.c import CModule
from tcalc.codegen.c.lapack import OF_BLAS
from tcalc.errors import UnsupportedError
from tcalc.runtime.libraries import library

VECTOR_FUNCTIONS = (
    *("acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "erf", "erfc", "exp"),
    *("expm1", "log", "log10", "log1p", "log2", "sin", "sinh", "tan", "tanh"),
)
VECTOR_MATH = """
/* Functions of several numbers at a time, which are within 4 units in the last place. */
#include <math.h>
#if !defined(TCALC_SCALAR) && defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
#if __GLIBC_PREREQ(2, 35)
#define VECTOR __attribute__((simd("notinbranch")))
{declared}
VECTOR double atan2(double, double);
VECTOR double hypot(double, double);
VECTOR double pow(double, double);
#undef VECTOR
#endif
#endif
""".format(declared="\n".join(f"VECTOR double {name}(double);" for name in VECTOR_FUNCTIONS))
"""What lets GCC call glibc's vector functions in loops without its -ffast-math.

Those of earlier releases are few.  TCALC_SCALAR is for machines that have the headers alone.
"""
SCATTERED = 2
"""What a call returns where an array is not in the order of its rows; `compute` gives 0 or 1."""

VECTOR = 64
"""Of how many bytes the beginning of the room to work in is a multiple, for vectors in caches."""

ARRAYS = """
/* How NumPy's arrays and numbers are handed over. */

static const char *contents(void *object) {{ return (char *)object + {header}; }}
static real *elements(void *array) {{ return *(real **)contents(array); }}
static real *room(void *array)
{{
    char *start = (char *)elements(array);
    return (real *)(start + -(unsigned long long)start % {vector});
}}
static int scattered(void *array)
{{
    const int flags = *(const int *)(contents(array) + {flags});
    return (flags & {wanted}) != {wanted};
}}
"""
BIND = """
void bind(void *const *table)
{{
{bound}
}}
"""
ENTRY = """
int {name}({parameters})
{{
    if ({tests}) return {code};
    return {called}({arguments});
}}
"""
"""A function that takes arrays as NumPy's objects."""
ONCE = """
int once(char **at, real *work)
{{
    return compute({pointers}, work);
}}
"""
"""The function for stages, see `tcalc.runtime.staged`."""


@cache
def _layout() -> tuple[int, int]:
    """Where NumPy's array objects have the address of their elements, and the flags behind it.

    They are those of the structure PyArrayObject: the header of any object; data, the number of
    axes, dimensions, strides, base, type; flags.
    """
    header = object.__basicsize__
    flags = ctypes.sizeof(ctypes.c_void_p) * 6
    array = np.arange(6.0).reshape(2, 3)
    for x, lies in ((array, 1), (array.T, 0)):
        found = ctypes.c_int.from_address(id(x) + header + flags).value
        elements = ctypes.c_void_p.from_address(id(x) + header).value
        number = ctypes.c_double.from_address(id(np.float64(2.5)) + header).value
        if elements != x.ctypes.data or found & 1 != lies or number != 2.5:
            raise UnsupportedError(
                'the backend "c" does not know the arrays of this NumPy',
                hint='compile with backend="numpy"',
            )
    return header, flags


@cache
def _routine(name: str) -> int:
    """Where a routine of SciPy's BLAS or LAPACK is."""
    from scipy.linalg import cython_blas, cython_lapack

    module = cython_blas if name[1:] in OF_BLAS else cython_lapack
    capsule = module.__pyx_capi__[name]
    named, pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    named.restype, named.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    return int(pointer(capsule, named(capsule)))


class NativeFunction:
    """A C function of arrays; `fallback` is the same in NumPy's code, made when it is needed.

    Where arguments are given, `prepare` takes these, and the function the others and what that has
    returned.
    """

    def __init__(
        self,
        module: CModule,
        dtype: np.dtype[Any],
        single: bool,
        fallback: Callable[[], Callable[..., Any]],
    ) -> None:
        self.module = module
        self.dtype = dtype
        self._single = single
        self._room = module.work + VECTOR // dtype.itemsize
        self._fallback = fallback
        self._source = "#define TCALC_TABLE\n" + VECTOR_MATH + module.source + _glue(module)
        library(self._source)  # is compiled from now on
        self._call = self._first_call
        self._prepare = self._first_prepare
        places = range(len(module.numbers))
        behind = [*(k for k in places if k not in module.given), *module.given]
        #: Where the arguments are among the open ones and, behind, the given ones.
        self._order = [behind.index(k) for k in places] if module.given else None

    @cached_property
    def _loaded(self) -> ctypes.CDLL:
        loaded, module = library(self._source).load(), self.module
        table = [_routine(name) for name in module.routines]
        loaded.bind((ctypes.c_void_p * max(len(table), 1))(*table))
        count = len(module.numbers) + len(module.results) + 1 + bool(module.given)
        loaded.call.argtypes = [ctypes.py_object] * count
        if module.given:
            loaded.call_prepare.argtypes = [ctypes.py_object] * (len(module.given) + 2)
        return loaded

    def _first_call(self, *arrays: Any) -> int:
        self._call = self._loaded.call
        status: int = self._call(*arrays)
        return status

    def _first_prepare(self, *arrays: Any) -> int:
        self._prepare = self._loaded.call_prepare
        status: int = self._prepare(*arrays)
        return status

    def prepare(self, *given: Any) -> tuple[tuple[Any, ...], Any]:
        """The given arguments and what is computed of them; None for that where it gives up."""
        module = self.module
        kept = np.empty(module.kept, self.dtype)
        numbers = [module.numbers[k] for k in module.given]
        given, status = self._called(self._prepare, given, numbers, [kept])
        return given, None if status else kept

    def __call__(self, *arrays: Any) -> Any:
        module, dtype = self.module, self.dtype
        written = [np.empty(shape, dtype) for shape in module.results]
        results = written[:]
        status = 0
        if self._order is not None:
            given, kept = arrays[-1]
            whole = (*arrays[:-1], *given)
            arrays = tuple([whole[k] for k in self._order])
            status = kept is None
            written.append(kept)
        if not status:
            arrays, status = self._called(self._call, arrays, module.numbers, written)
        if status:
            return self._fallback()(*arrays)
        if self._single:
            return results[0] if results[0].ndim else results[0][()]
        return tuple([x if x.ndim else x[()] for x in results])

    def _called(
        self,
        function: Callable[..., int],
        arrays: tuple[Any, ...],
        numbers: Sequence[bool],
        written: Sequence[Any],
    ) -> tuple[tuple[Any, ...], int]:
        """Call a function; the arrays, moved into rows where they must be, and what it returns."""
        work = np.empty(self._room, self.dtype)
        status = function(*arrays, *written, work)
        if status == SCATTERED:
            arrays = tuple(
                x if number else np.require(x, self.dtype, ["C", "A"])
                for x, number in zip(arrays, numbers, strict=True)
            )
            status = function(*arrays, *written, work)
        return arrays, status

    @property
    def once(self) -> int:
        """The address of a C function that takes pointers to the arguments and the results."""
        return ctypes.cast(self._loaded.once, ctypes.c_void_p).value or 0


def arrays_in_c() -> str:
    """What reads NumPy's objects in C."""
    header, flags = _layout()
    wanted = 0x0101  # contiguous in the order of C, and aligned
    return ARRAYS.format(header=header, flags=flags, wanted=wanted, vector=VECTOR)


def _glue(module: CModule) -> str:
    """What is compiled with a function for it to be called with arrays."""
    inputs = [f"x{k}" for k in range(len(module.numbers))]
    outputs = [f"y{k}" for k in range(len(module.results))]
    kept = ["kept"] if module.given else []
    total = len(inputs) + len(outputs)
    bound = "\n".join(f"    {name}_ = table[{k}];" for k, name in enumerate(module.routines))
    text = arrays_in_c() + BIND.format(bound=bound)
    text += _entry("call", "compute", inputs, module.numbers, [*outputs, *kept, "work"])
    if module.given:
        mine = [inputs[k] for k in module.given]
        numbers = [module.numbers[k] for k in module.given]
        return text + _entry("call_prepare", "prepare", mine, numbers, ["kept", "work"])
    pointers = ", ".join(f"(real *)at[{k}]" for k in range(total))
    return text + ONCE.format(pointers=pointers)


def _entry(
    name: str, called: str, inputs: Sequence[str], numbers: Sequence[bool], written: Sequence[str]
) -> str:
    """A function of Python's objects that calls one of pointers."""
    pairs = [*zip(inputs, numbers, strict=True)]
    given = [f"(const real *)contents({x})" if flat else f"elements({x})" for x, flat in pairs]
    made = [f"room({x})" if x == "work" else f"elements({x})" for x in written]
    return ENTRY.format(
        name=name,
        parameters=", ".join(f"void *{x}" for x in (*inputs, *written)),
        tests=" || ".join(f"scattered({x})" for x, flat in pairs if not flat) or "0",
        code=SCATTERED,
        called=called,
        arguments=", ".join((*given, *made)),
    )
