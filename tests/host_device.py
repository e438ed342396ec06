"""A whole CuPy on a machine without a device: arrays of its own kind, streams, graphs and memory.

What is done with arrays while a stream is recorded goes onto a tape, and a graph plays it again, in
the same memory. As on a device nothing is computed by the recording itself: its results are NaN
until the graph has run. Looking at an array's values while recording is an error, and NumPy's
arrays are not device arrays.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.special
from host_cupy import ElementwiseKernel, ReductionKernel, Workshop

FREE, TOTAL = 6_000_000_000, 8_000_000_000


class CUDARuntimeError(RuntimeError):
    """What CuPy raises for an error of CUDA's runtime."""


class Tape:
    """What was done while a stream was recorded: functions, their arguments, their results."""

    current: Tape | None = None

    def __init__(self) -> None:
        self.steps: list[tuple[Callable[..., Any], Any, Any, Any]] = []


class DeviceArray(np.ndarray):
    """An array that says what is done with it, and gives arrays where NumPy gives numbers."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return applied(getattr(ufunc, method), inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return applied(function, args, options)

    @property
    def device(self) -> Device:
        return Device()

    def __setitem__(self, index: Any, value: Any) -> None:
        applied(_put, (self, index, value), {})

    def __getitem__(self, index: Any) -> Any:
        return applied(_get, (self, index), {})

    def copy(self, order: Any = "C") -> Any:
        return applied(np.array, (self,), {"order": order})

    def ravel(self, order: Any = "C") -> Any:
        return applied(np.ravel, (self, order), {})

    def reshape(self, *shape: Any) -> Any:
        return applied(np.reshape, (self, shape if len(shape) != 1 else shape[0]), {})

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        return applied(np.array, (self, dtype), {"copy": copy or None})

    def __index__(self) -> int:
        raise TypeError("'ndarray' object cannot be interpreted as an integer")

    def _looked_at(self) -> np.ndarray:
        if Tape.current is not None:
            raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported")
        return self.view(np.ndarray)

    def __bool__(self) -> bool:
        return bool(self._looked_at())

    def __float__(self) -> float:
        return float(self._looked_at())

    def item(self, *index: int) -> Any:
        return self._looked_at().item(*index)


# By its module an array is known for CuPy's.
DeviceArray.__module__ = "cupy"


def _put(array: np.ndarray, index: Any, value: Any) -> None:
    array[index] = value


def _get(array: np.ndarray, index: Any) -> Any:
    return array[index]


def _plain(x: Any) -> Any:
    if isinstance(x, DeviceArray):
        return x.view(np.ndarray)
    if isinstance(x, (tuple, list)):
        return type(x)(map(_plain, x))
    return x


def _owned(x: Any) -> Any:
    if isinstance(x, (np.ndarray, np.generic)):
        return np.asarray(x).view(DeviceArray)
    if isinstance(x, tuple):
        return tuple(map(_owned, x))
    return x


def applied(function: Callable[..., Any], args: Any, options: Any) -> Any:
    """The result of a function on the device, on the tape if there is one."""
    args, options = _plain(tuple(args)), {k: _plain(v) for k, v in options.items()}
    result = function(*args, **options)
    made = _owned(result)
    if Tape.current is not None:
        Tape.current.steps.append((function, args, options, _plain(made)))
    return made


def wrapped(function: Any) -> Any:
    """A function of NumPy's or SciPy's as one of the device's."""
    if isinstance(function, type) or not callable(function):
        return function

    def call(*args: Any, **options: Any) -> Any:
        require_accepted(function, args)
        return applied(function, args, options)

    if isinstance(function, np.ufunc):
        call.at = lambda *args: applied(function.at, args, {})
    return call


MAKES = (
    *("arange", "array", "asarray", "_array", "empty", "eye", "from_dlpack", "full", "indices"),
    *("ones", "result_type", "standard_normal", "tri", "zeros"),
)
"""What takes anything; other functions take arrays of the device, unless they are ufuncs."""


def require_accepted(function: Any, args: tuple[Any, ...]) -> None:
    """Raise what CuPy raises for arguments that NumPy would take."""
    name = getattr(function, "__name__", "")
    if isinstance(function, (np.ufunc, ElementwiseKernel, ReductionKernel)):
        if any(isinstance(x, np.ndarray) and not isinstance(x, DeviceArray) for x in args):
            raise TypeError(f"{name}: unsupported type numpy.ndarray")
    elif name not in MAKES and "scipy.special" not in getattr(function, "__module__", ""):
        first = args[1:] if args and isinstance(args[0], str) else args[:1]
        for x in first[0] if first and isinstance(first[0], (list, tuple)) else first:
            if not isinstance(x, (DeviceArray, tuple)):
                raise TypeError(f"{name}: an array was expected, got {type(x).__name__}")
    if name in RULES:
        RULES[name](*args)


def _solve(a: Any, b: Any) -> None:
    assert b.ndim == 1 or a.shape[:-1] == b.shape[:-1], "stacks are not broadcast"


def _solve_triangular(a: Any, b: Any) -> None:
    assert a.shape[:-2] == b.shape[: a.ndim - 2], "stacks are not broadcast"
    assert b.ndim <= 2 or a.ndim > 2, "one matrix solves for one right-hand side"


def _lu_solve(factors: Any, b: Any) -> None:
    assert factors[0].ndim == 2 and b.ndim <= 2, "no stacks"


RULES: dict[str, Callable[..., None]] = {
    "solve": _solve,
    "solve_triangular": _solve_triangular,
    "lu_factor": lambda a: _lu_solve((a,), a),
    "lu_solve": _lu_solve,
}
"""What CuPy asks of the shapes of arguments, where SciPy and NumPy are more generous."""


class Wrapped(ModuleType):
    """A module whose functions are the device's."""

    def __init__(self, name: str, module: Any) -> None:
        super().__init__(name)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return wrapped(getattr(self._module, name))


class Device:
    """The only one there is."""

    id = 0
    mem_info = (FREE, TOTAL)

    def __init__(self, number: int = 0) -> None:
        assert number == 0

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device)

    def __hash__(self) -> int:
        return 0

    def synchronize(self) -> None:
        assert Tape.current is None


class Graph:
    """A tape that has been recorded."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        for _, _, _, result in tape.steps:
            for array in result if isinstance(result, tuple) else (result,):
                if isinstance(array, np.ndarray) and array.base is None and array.dtype == float:
                    array[...] = np.nan

    def launch(self, stream: Stream | None = None) -> None:
        for function, args, options, result in self.tape.steps:
            again = function(*args, **options)
            several = result if isinstance(result, tuple) else (result,)
            found = again if isinstance(again, tuple) else (again,)
            for array, value in zip(several, found, strict=True):
                if isinstance(array, np.ndarray) and array.flags.writeable:
                    np.copyto(array, value)


class Stream:
    """A queue of work, done at once."""

    def __init__(self, non_blocking: bool = False) -> None:
        self.non_blocking = non_blocking

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def record(self, event: Event | None = None) -> Event:
        return event or Event()

    def wait_event(self, event: Event) -> None:
        assert isinstance(event, Event)

    def synchronize(self) -> None:
        assert Tape.current is None

    def begin_capture(self, mode: int | None = None) -> None:
        assert self.non_blocking, "the default stream cannot be recorded"
        Tape.current = Tape()

    def end_capture(self) -> Graph:
        tape, Tape.current = Tape.current, None
        assert tape is not None
        return Graph(tape)


class Event:
    """A point in time, on the clock of the host."""

    def __init__(self) -> None:
        self.time = 0.0

    def record(self, stream: Stream | None = None) -> None:
        self.time = time.perf_counter()

    def synchronize(self) -> None:
        assert self.time


class MemoryPool:
    """Memory without a limit."""

    def malloc(self, size: int) -> Any:
        raise AssertionError("NumPy has memory of its own")

    def free_bytes(self) -> int:
        return 0

    def used_bytes(self) -> int:
        return 0

    def get_limit(self) -> int:
        return 0

    def free_all_blocks(self) -> None:
        return None


@contextlib.contextmanager
def nothing(*args: Any, **options: Any) -> Iterator[None]:
    yield


def _array(x: Any, dtype: Any = None, copy: bool = True, order: str = "K") -> np.ndarray:
    return np.array(x, dtype, order=order)


def modules(workshop: Workshop) -> dict[str, ModuleType | SimpleNamespace]:
    """What ``import cupy`` and its like are to give."""
    cupy: Any = Wrapped("cupy", np)
    cupy.__version__ = "of the host"
    cupy.ndarray = DeviceArray
    cupy.asnumpy = lambda x: np.array(x._looked_at() if isinstance(x, DeviceArray) else x)
    cupy.asarray = lambda x, dtype=None: (
        x
        if isinstance(x, DeviceArray) and dtype in (None, x.dtype)
        else applied(_array, (x, dtype), {})
    )
    cupy.array = wrapped(_array)
    cupy.ElementwiseKernel = lambda *a: wrapped(ElementwiseKernel(*a, workshop))
    cupy.ReductionKernel = lambda *a, preamble: wrapped(ReductionKernel(*a, preamble, workshop))
    cupy.linalg = Wrapped("cupy.linalg", np.linalg)
    cupy.random = Wrapped("cupy.random", np.random)
    cupy.get_default_memory_pool = MemoryPool
    properties = {"name": b"none", "major": 0, "minor": 0, "totalGlobalMem": TOTAL}
    cupy.cuda = SimpleNamespace(
        Device=Device,
        Stream=Stream,
        Event=Event,
        Graph=Graph,
        MemoryPool=MemoryPool,
        using_allocator=nothing,
        get_current_stream=Stream,
        get_elapsed_time=lambda start, end: 1e3 * (end.time - start.time),
        runtime=SimpleNamespace(
            CUDARuntimeError=CUDARuntimeError,
            getDeviceCount=lambda: 1,
            getDeviceProperties=lambda number: properties,
            runtimeGetVersion=lambda: 12000,
            driverGetVersion=lambda: 12000,
        ),
    )
    linalg = Wrapped("cupyx.scipy.linalg", scipy.linalg)
    special = Wrapped("cupyx.scipy.special", scipy.special)
    scipy_like: Any = ModuleType("cupyx.scipy")
    scipy_like.linalg, scipy_like.special = linalg, special
    cupyx: Any = ModuleType("cupyx")
    cupyx.errstate, cupyx.scipy = nothing, scipy_like
    return {
        "cupy": cupy,
        "cupyx": cupyx,
        "cupyx.scipy": scipy_like,
        "cupyx.scipy.linalg": linalg,
        "cupyx.scipy.special": special,
    }


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """CuPy for one test."""
    import sys

    found = modules(Workshop())
    for name, module in found.items():
        monkeypatch.setitem(sys.modules, name, module)
    return found["cupy"]
