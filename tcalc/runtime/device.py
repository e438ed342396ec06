"""The compiled function on a device: CuPy arrays in, CuPy arrays out, nothing moved in between.

CuPy is imported by the first call; before, and where it is not installed, a function still tells
its `source`.  Multiplications in float32 use TF32 only where the environment asks CuPy for it
(``CUPY_TF32=1``).  Temporaries come from CuPy's memory pool.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib import import_module
from typing import Any

from tcalc.codegen.device_checks import device_arrays
from tcalc.codegen.targets.porting import ported
from tcalc.errors import ArgumentError, DomainError, LimitError, UnsupportedError
from tcalc.runtime.arguments import measured, ordered, refuse_unknown
from tcalc.runtime.compiled import CompiledFunction
from tcalc.runtime.plans import Kind, Recipe


class DeviceFunction(CompiledFunction):
    """A function of CuPy arrays, given by keyword; plain numbers are accepted for scalars.

    Results stay on the device, in the type of the arguments, float32 or float64.  A NumPy array is
    refused, since moving it would take longer than most computations.  Declared properties of the
    arguments are taken on trust.

    With checks, a matrix that cannot be factorised raises a `DomainError` as on the host, and each
    factorisation waits for the device.  Without, a call only queues its work and returns; what has
    no value is NaN, or without meaning where cuSOLVER leaves it so.
    """

    def __call__(self, /, **arguments: Any) -> Any:
        cupy = cupy_with_device()
        refuse_unknown(self.signature, arguments)
        self._refuse_twice(arguments)
        given = ordered(self.signature, {**self._given, **arguments})
        arrays = converted_on_device(cupy, self.signature.names, given)
        sizes = measured(self.signature, arrays)
        dtype = arrays[0].dtype if arrays else cupy.dtype(float)
        plan = self._last = self._planner.plan(sizes, dtype.itemsize, Kind())
        if self._recipe.check_finite:
            self._require_finite_on(cupy, arrays, ArgumentError, list(self.signature.names))
        places = {name: k for k, name in enumerate(self.signature.names)}
        bound = [arrays[places[name]] for name in self.signature.names if name in self._given]
        free = [arrays[places[name]] for name in self._names]
        try:
            with _raising(self._recipe):
                if plan.prepare is not None:
                    key = (*sizes.values(), dtype)
                    if key not in self._kept:
                        self._kept.clear()
                        self._kept[key] = (plan.prepare(*bound),)
                    result = plan.compute(*free, *self._kept[key])
                else:
                    result = plan.compute(*free)
        except MemoryError as error:
            raise _too_little(cupy, plan.peak * dtype.itemsize) from error
        except Exception as error:
            raise self._understood(error, arrays) from error
        if self._recipe.check_finite:
            results = (result,) if self._recipe.single else result
            names = ["the result"] if self._recipe.single else _numbered(len(results))
            self._require_finite_on(cupy, results, DomainError, names)
        return result

    def bind(self, /, **arguments: Any) -> DeviceFunction:
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
        raise UnsupportedError(
            f"CuPy finds no driver for a CUDA device: {error}",
            hint='install NVIDIA\'s driver, or compile for the host with backend="numpy"',
        ) from error
    if count == 0:
        raise UnsupportedError(
            "there is no CUDA device", hint='compile for the host with backend="numpy"'
        )


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
    source = "from __future__ import annotations\n" + ported(inspect.getsource(device_arrays))
    exec(source, namespace)
    function: Callable[..., list[Any]] = namespace[device_arrays.__name__]
    return function


def _raising(recipe: Recipe) -> AbstractContextManager[Any]:
    """The state in which CuPy reports what cuSOLVER could not factorise."""
    if not recipe.checked:
        return nullcontext()
    context: AbstractContextManager[Any] = import_module("cupyx").errstate(linalg="raise")
    return context


def _too_little(cupy: Any, need: int) -> LimitError:
    free, total = cupy.cuda.Device().mem_info
    return LimitError(
        f"the device has too little memory: the call takes about {need / 1e9:.3g} GB, and "
        f"{free / 1e9:.3g} GB of {total / 1e9:.3g} GB are free",
        hint="give smaller arrays, or ask for products with the tensor",
    )


def _numbered(count: int) -> list[str]:
    return [f"result {k + 1}" for k in range(count)]
