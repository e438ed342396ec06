"""The compiled function on a device: CuPy arrays in, CuPy arrays out, nothing moved in between.

CuPy is imported by the first call; before, and where it is not installed, a function still tells
its `source`.  Multiplications in float32 use TF32 only where the environment asks CuPy for it
(``CUPY_TF32=1``).  Temporaries come from CuPy's memory pool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib import import_module
from typing import Any, Never

from tcalc.codegen.device_checks import device_arrays
from tcalc.codegen.options import Options
from tcalc.codegen.targets.porting import ported
from tcalc.codegen.targets.target import source_of
from tcalc.errors import ArgumentError, DomainError, LimitError, TcalcError, UnsupportedError
from tcalc.expr.outline import arranged, labels
from tcalc.runtime.arguments import (
    common_type,
    measured,
    ordered,
    refuse_positions,
    refuse_unknown,
)
from tcalc.runtime.compiled import CompiledFunction, retyped
from tcalc.runtime.plans import Kind, Plan
from tcalc.runtime.recording import RECORDINGS, Recording


class DeviceFunction(CompiledFunction):
    """A function of CuPy arrays, given by keyword; plain numbers are accepted for scalars.

    Results stay on the device of the arguments, in their type, float32 or float64.  A NumPy array
    is refused, since moving it would take longer than most computations.  Declared properties of
    the arguments are taken on trust.

    With checks, a matrix that cannot be factorised raises a `DomainError` as on the host, and each
    factorisation waits for the device.  Without, a call only queues its work and returns, but where
    a step has to look at data: in LU factorisations, where CuPy itself waits, in exponentials of
    matrices, and in what goes through the host.  What has no value is NaN then, or without meaning
    where cuSOLVER leaves it so.

    With ``graph=True`` the launches of a call are recorded and replayed as one: see
    `tcalc.runtime.recording` for what that asks.

    Raises `UnsupportedError` where CuPy, a driver or a device is missing, and `LimitError` where
    the device has less memory than a call is known to take, in both cases before it begins.
    """

    def _start(self) -> None:
        super()._start()
        self._recordings: dict[tuple[Any, ...], Recording] = {}
        self._fitting: set[tuple[Any, ...]] = set()

    def __call__(self, /, *positional: Never, **arguments: Any) -> Any:
        refuse_positions(positional, self._names)
        cupy = cupy_with_device()
        refuse_unknown(self.signature, arguments)
        self._refuse_twice(arguments)
        given = ordered(self.signature, {**self._given, **arguments})
        names = self.signature.names
        with device_of(cupy, names, given):
            arrays = converted_on_device(cupy, names, given)
            sizes = measured(self.signature, arrays)
            dtype = arrays[0].dtype if arrays else cupy.dtype(float)
            plan = self._last = self._planner.plan(sizes, dtype.itemsize, Kind())
            if self._strict:
                self._require_finite_on(cupy, arrays, ArgumentError, list(names))
            result = self._computed(cupy, plan, dict(zip(names, arrays, strict=True)), sizes, dtype)
            if self._strict:
                results = (result,) if self._recipe.outline == 0 else result
                which = labels(self._recipe.outline)
                self._require_finite_on(cupy, results, DomainError, which)
        if not arrays:  # a number, which has the type of the arguments that it does not depend on
            result = retyped(result, common_type(self.signature, {**self._given, **arguments}))
        return result if self._outline is None else arranged(self._outline, result)

    def _computed(
        self,
        cupy: Any,
        plan: Plan,
        arrays: Mapping[str, Any],
        sizes: Mapping[str, int],
        dtype: Any,
    ) -> Any:
        key = (*sizes.values(), dtype, cupy.cuda.Device().id)
        need = plan.peak * dtype.itemsize
        if key not in self._fitting:
            require_memory(cupy, need)
            self._fitting.add(key)
        free = [arrays[name] for name in self._names]
        try:
            with _raising(self._recipe.options):
                further = self._bound_parts(plan, arrays, key)
                if self._recipe.options.graph:
                    return self._recording(cupy, plan, key, free, further)(free)
                return plan.compute(*free, *further)
        except TcalcError:
            raise
        except MemoryError as error:
            raise _too_little(cupy, need) from error
        except Exception as error:
            raise self.understood(error, list(arrays.values())) from error

    def _recording(
        self,
        cupy: Any,
        plan: Plan,
        key: tuple[Any, ...],
        arrays: Sequence[Any],
        further: Sequence[Any],
    ) -> Recording:
        """The launches for some sizes, a type and a device, recorded with the first call."""
        with self._lock:
            recording = self._recordings.get(key)
            if recording is None:
                while len(self._recordings) >= RECORDINGS:
                    del self._recordings[next(iter(self._recordings))]
                recording = Recording(cupy, plan.compute, arrays, further)
                self._recordings[key] = recording
            return recording

    def _bound_parts(
        self, plan: Plan, arrays: Mapping[str, Any], key: tuple[Any, ...]
    ) -> tuple[Any, ...]:
        """What is computed once from the bound arguments."""
        if plan.prepare is None:
            return ()
        with self._lock:
            if key not in self._kept:
                self._kept.clear()
                self._recordings.clear()
                bound = [arrays[name] for name in self.signature.names if name in self._given]
                self._kept[key] = (plan.prepare(*bound),)
            return self._kept[key]

    def bind(self, /, *positional: Never, **arguments: Any) -> DeviceFunction:
        refuse_positions(positional, self._names)
        refuse_unknown(self.signature, arguments)
        self._refuse_twice(arguments)
        return DeviceFunction(self._recipe, {**self._given, **arguments})

    def _require_finite_on(
        self,
        cupy: Any,
        arrays: Sequence[Any],
        error: Callable[[str], Exception],
        names: Sequence[str],
    ) -> None:
        for name, array in zip(names, arrays, strict=True):
            if not cupy.isfinite(array).all():
                raise error(f"{name} has values that are infinite or not a number")


def cupy_with_device() -> Any:
    """The module CuPy; a clear error where it, its driver or a device is missing."""
    try:
        cupy = import_module("cupy")
    except ImportError as error:
        raise UnsupportedError(
            f'the backend "cupy" needs the package CuPy, which cannot be imported: {error}',
            hint='pip install "tcalc[gpu]", or the CuPy package for your version of CUDA',
        ) from error
    _require_device(cupy)
    return cupy


@cache
def _require_device(cupy: Any) -> None:
    runtime = cupy.cuda.runtime
    try:
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        if "cudaErrorNoDevice" in str(error):
            raise _no_device() from error
        raise UnsupportedError(
            f"CuPy finds no driver for a CUDA device: {error}",
            hint='install NVIDIA\'s driver, or compile for the host with backend="numpy"',
        ) from error
    if count == 0:
        raise _no_device()


def _no_device() -> UnsupportedError:
    return UnsupportedError(
        "there is no CUDA device",
        hint='compile for the host with backend="numpy"; CUDA_VISIBLE_DEVICES may hide one',
    )


def device_of(
    cupy: Any, names: Sequence[str], values: Sequence[Any]
) -> AbstractContextManager[Any]:
    """The device that the arguments lie on, as a context; an error where there are several."""
    devices = {
        name: value.device
        for name, value in zip(names, values, strict=True)
        if isinstance(value, cupy.ndarray)
    }
    if not devices:
        return nullcontext()
    (first, device), *others = devices.items()
    for name, other in others:
        if other != device:
            raise ArgumentError(
                f"{first} is on device {device.id}, and {name} on device {other.id}",
                hint="copy one of them: with cupy.cuda.Device(k): cupy.asarray(x)",
            )
    context: AbstractContextManager[Any] = device
    return context


def require_memory(cupy: Any, need: int) -> None:
    """Raise `LimitError` where the device and CuPy's pool together have fewer bytes free."""
    pool = cupy.get_default_memory_pool()
    free, _ = cupy.cuda.Device().mem_info
    available = free + pool.free_bytes()
    if limit := pool.get_limit():
        available = min(available, limit - pool.used_bytes())
    if need > available:
        raise _too_little(cupy, need)


def converted_on_device(cupy: Any, names: Sequence[str], values: Sequence[Any]) -> list[Any]:
    """The arguments as device arrays of one type; an `ArgumentError` for what is elsewhere."""
    # A keyword must not be a word of Python's.
    given = {f"_{name}": value for name, value in zip(names, values, strict=True)}
    try:
        arrays: list[Any] = _device_arrays(cupy)(**given)
    except TypeError as error:
        text = str(error).removeprefix("_").replace("asarray(_", "asarray(")
        message, _, hint = text.partition(": ")
        raise ArgumentError(message, hint=hint or None) from None
    return arrays


@cache
def _device_arrays(cupy: Any) -> Callable[..., list[Any]]:
    """The function that generated modules check their arguments with."""
    namespace: dict[str, Any] = {"cp": cupy}
    source = "from __future__ import annotations\n" + ported(source_of(device_arrays))
    exec(source, namespace)
    function: Callable[..., list[Any]] = namespace[device_arrays.__name__]
    return function


def _raising(options: Options) -> AbstractContextManager[Any]:
    """The state in which CuPy reports what cuSOLVER could not factorise."""
    if not options.checked:
        return nullcontext()
    context: AbstractContextManager[Any] = import_module("cupyx").errstate(linalg="raise")
    return context


def _too_little(cupy: Any, need: int) -> LimitError:
    free, total = cupy.cuda.Device().mem_info
    pool = cupy.get_default_memory_pool()
    free += pool.free_bytes()
    limit = pool.get_limit()
    limited = f"; CuPy's pool is limited to {limit / 1e9:.3g} GB" if limit else ""
    return LimitError(
        f"the device has too little memory: the call takes about {need / 1e9:.3g} GB, and "
        f"{free / 1e9:.3g} GB of {total / 1e9:.3g} GB are free{limited}",
        hint="free or give smaller arrays, use float32, or ask for products with the tensor",
    )
