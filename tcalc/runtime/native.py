"""C files as functions of arrays: compiled by the machine's compiler, with SciPy's BLAS and LAPACK.

A C function takes pointers.  Those of arrays are read off NumPy's array objects, whose layout is
part of its binary interface, by a few lines of C beside the function: to ask for them in Python
takes longer than the work on small arrays.  Where a matrix is not clearly regular the function
gives up, and NumPy's code for the same program says what is wrong, or finds that nothing is.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tcalc.codegen.c import CModule
from tcalc.codegen.c.helpers import OF_BLAS
from tcalc.errors import UnsupportedError

FLAGS = (
    *("-std=gnu11", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"),
    *("-fopenmp-simd", "-w"),
)
"""How files are compiled: nothing that changes a result beyond the order of sums, and beyond the
last digits of functions.

Products that are not rounded before they are added would make `x*x - y*y` less than 0 at y = x.
"""
VECTORISED = ("-O2", "-march=native", "-ftree-loop-vectorize", "-fvect-cost-model=dynamic")
EFFORT = ((1_000, VECTORISED), (5_000, ("-O1", "-march=native")), (sys.maxsize, ("-O0",)))
"""How much compilers are to improve files of up to so many lines.

Their time grows faster than these, and without it small loops still take less than calls of NumPy.
GCC 12 makes wrong code of some nests of loops at -O3, where it joins steps that lie side by side.
"""
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
COMPILERS = ("cc", "gcc", "clang")
SCATTERED = 2
"""What a call returns where an array is not in the order of its rows; `compute` gives 0 or 1."""

_libraries: dict[str, ctypes.CDLL] = {}
_lock = threading.Lock()


@cache
def compiler() -> tuple[str, ...]:
    """The command that compiles C: that of the variable CC, or the first one that is there.

    Raises `UnsupportedError` where there is none.
    """
    named = os.environ.get("CC")
    command = shlex.split(named) if named else [x for x in COMPILERS if shutil.which(x)][:1]
    if not command or shutil.which(command[0]) is None:
        missing = f"{command[0]}, which CC names," if command else "none of cc, gcc and clang"
        raise UnsupportedError(
            f'the backend "c" needs a C compiler, and {missing} is '
            f"{'not ' if command else ''}there",
            hint='install one, or compile with backend="numpy"',
        )
    return tuple(command)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="tcalc")


def library(source: str) -> ctypes.CDLL:
    """A C file, compiled and loaded; one for each text.

    Raises `UnsupportedError` where the compiler does not take it.
    """
    key = hashlib.sha256(source.encode()).hexdigest()[:32]
    with _lock:
        if key not in _libraries:
            _libraries[key] = _built(source, Path(_folder().name) / key)
        return _libraries[key]


def _built(source: str, path: Path) -> ctypes.CDLL:
    file, made = path.with_suffix(".c"), path.with_suffix(".so")
    path.parent.mkdir(mode=0o700, exist_ok=True)  # a forked process takes it along when it ends
    file.write_text(source, encoding="utf-8")
    last = ""
    lines = source.count("\n")
    best = next(flags for most, flags in EFFORT if lines <= most)
    # The last flags are those that every compiler takes.
    for flags in (best, (*best, "-DTCALC_SCALAR"), ("-O1", "-DTCALC_SCALAR")):
        command = [
            *compiler(),
            *FLAGS,
            *flags,
            "-shared",
            "-fPIC",
            "-o",
            str(made),
            str(file),
            "-lm",
        ]
        try:
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            if run.returncode == 0:
                return ctypes.CDLL(str(made))
            last = run.stderr
        except OSError as error:  # it is no program, or the folder is one for data alone
            last = str(error)
    raise UnsupportedError(
        f"{compiler()[0]} does not compile the generated C: {last.strip()[:500]}",
        hint='name another compiler by the variable CC, or compile with backend="numpy"',
    )


GLUE = """
/* How NumPy's arrays and numbers are handed over. */

static const char *contents(void *object) {{ return (char *)object + {header}; }}
static real *elements(void *array) {{ return *(real **)contents(array); }}
static int scattered(void *array)
{{
    const int flags = *(const int *)(contents(array) + {flags});
    return (flags & {wanted}) != {wanted};
}}

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
STEPS = """
int steps(long count, char **at, const long *apart, real *work)
{{
    for (long k = 0; k < count; k++) {{
        const int status = compute({pointers}, work);
        if (status) return k + 1;
        for (int j = 0; j < {total}; j++) at[j] += apart[j];
    }}
    return 0;
}}
"""
"""Many calls one after another.

`at` has where the arguments and results of the first call are, and `apart` by how many bytes those
of the next are further on.
"""


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
        number = ctypes.c_double.from_address(id(np.float64(2.5)) + header).value
        if address_of(x) != x.ctypes.data or found & 1 != lies or number != 2.5:
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
        self._fallback = fallback
        self._library = library(
            "#define TCALC_TABLE\n" + VECTOR_MATH + module.source + _glue(module)
        )
        table = [_routine(name) for name in module.routines]
        self._library.bind((ctypes.c_void_p * max(len(table), 1))(*table))
        self._call = self._library.call
        count = len(module.numbers) + len(module.results) + 1 + bool(module.given)
        self._call.argtypes = [ctypes.py_object] * count
        self._prepare = self._library.call_prepare if module.given else None
        if self._prepare is not None:
            self._prepare.argtypes = [ctypes.py_object] * (len(module.given) + 2)
        self._steps = None if module.given else self._library.steps
        places = range(len(module.numbers))
        behind = [*(k for k in places if k not in module.given), *module.given]
        #: Where the arguments are among the open ones and, behind, the given ones.
        self._order = [behind.index(k) for k in places] if module.given else None

    def prepare(self, *given: Any) -> tuple[tuple[Any, ...], Any]:
        """The given arguments and what is computed of them; None for that where it gives up."""
        assert self._prepare is not None
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
        work = np.empty(self.module.work, self.dtype)
        status = function(*arrays, *written, work)
        if status == SCATTERED:
            arrays = tuple(
                x if number else np.require(x, self.dtype, ["C", "A"])
                for x, number in zip(arrays, numbers, strict=True)
            )
            status = function(*arrays, *written, work)
        return arrays, status

    def steps(self, count: int, at: Sequence[int], apart: Sequence[int]) -> int:
        """Call it many times; 0, or the number of the first call that gives up.

        `at` are the addresses of the arguments and the results of the first call, and `apart` the
        bytes by which those of each further call are beyond those of the one before.
        """
        work = np.empty(self.module.work, self.dtype)
        addresses = (ctypes.c_void_p * len(at))(*at)
        distances = (ctypes.c_long * len(at))(*apart)
        assert self._steps is not None
        status: int = self._steps(ctypes.c_long(count), addresses, distances, work.ctypes)
        return status


def address_of(array: Any) -> int:
    """Where the elements of an array are: what `array.ctypes.data` says, four times as fast."""
    address: int = ctypes.c_void_p.from_address(id(array) + object.__basicsize__).value or 0
    return address


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
    rows = [np.require(x, dtype, ["C", "A"]) for x in given]
    constants = [np.require(x, dtype, ["C", "A"]) for x in rest]
    carried = [np.empty((count + 1, *np.shape(x)), dtype) for x in states]
    shapes = function.module.results[len(states) :]
    made = [np.empty((count, *shape), dtype) for shape in shapes]
    for whole, x in zip(carried, states, strict=True):
        whole[-1 if backwards else 0] = x
    sign = -1 if backwards else 1

    def begin(x: Any, row: int) -> tuple[int, int]:
        apart = x.strides[0]
        return address_of(x) + row * apart, sign * apart

    first = count - 1 if backwards else 0
    before, after = (count, count - 1) if backwards else (0, 1)
    inputs = [
        *(begin(x, before) for x in carried),
        *(begin(x, first) for x in rows),
        *((address_of(x), 0) for x in constants),
    ]
    results = [*(begin(x, after) for x in carried), *(begin(x, first) for x in made)]
    every = [*(inputs[k] for k in places), *results]
    if function.steps(count, [at for at, _ in every], [apart for _, apart in every]):
        return None
    return carried, made


def _glue(module: CModule) -> str:
    """What is compiled with a function for it to be called with arrays."""
    header, flags = _layout()
    inputs = [f"x{k}" for k in range(len(module.numbers))]
    outputs = [f"y{k}" for k in range(len(module.results))]
    kept = ["kept"] if module.given else []
    total = len(inputs) + len(outputs)
    text = GLUE.format(
        header=header,
        flags=flags,
        wanted=0x0101,  # contiguous in the order of C, and aligned
        bound="\n".join(f"    {name}_ = table[{k}];" for k, name in enumerate(module.routines)),
    )
    text += _entry("call", "compute", inputs, module.numbers, [*outputs, *kept, "work"])
    if module.given:
        mine = [inputs[k] for k in module.given]
        numbers = [module.numbers[k] for k in module.given]
        return text + _entry("call_prepare", "prepare", mine, numbers, ["kept", "work"])
    pointers = ", ".join(f"(real *)at[{k}]" for k in range(total))
    return text + STEPS.format(pointers=pointers, total=total)


def _entry(
    name: str, called: str, inputs: Sequence[str], numbers: Sequence[bool], written: Sequence[str]
) -> str:
    """A function of Python's objects that calls one of pointers."""
    pairs = [*zip(inputs, numbers, strict=True)]
    given = [f"(const real *)contents({x})" if flat else f"elements({x})" for x, flat in pairs]
    return ENTRY.format(
        name=name,
        parameters=", ".join(f"void *{x}" for x in (*inputs, *written)),
        tests=" || ".join(f"scattered({x})" for x, flat in pairs if not flat) or "0",
        code=SCATTERED,
        called=called,
        arguments=", ".join((*given, *(f"elements({x})" for x in written))),
    )
