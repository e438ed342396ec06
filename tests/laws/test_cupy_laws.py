"""Every primitive, with its first and second derivatives, as a program for CuPy."""

from __future__ import annotations

from functools import cache
from typing import Any

import host_device
import numpy as np
import pytest
from enrolled import Case, cases
from host_cupy import COMPILER, Workshop, cupy_installed, load, module, require_cupy_has
from host_device import DeviceArray

from tcalc import interpret, runtime
from tcalc.codegen.signature import signature_of
from tcalc.primitives import FUNCTIONS

CASES = cases()
SIZES = {"b": 2, "n": 3, "m": 2, "k": 2, "t": 3}


def roots(case: Case) -> list[Any]:
    return [case.result, *case.first, *(D for row in case.second[:1] for D in row[:1])]


@cache
def source(place: int, checked: bool) -> str:
    case = CASES[place]
    return module(roots(case), case.arguments, SIZES, checked)


@pytest.fixture(scope="module")
def modules() -> dict[tuple[int, bool], dict[str, Any]]:
    """All modules, so that one run of the compiler makes all kernels."""
    workshop = Workshop()
    cupy = host_device.modules(workshop)
    wanted = [(k, checked) for k in range(len(CASES)) for checked in (True, False)]
    return {key: load(source(*key), workshop, cupy) for key in wanted}


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler for the kernels")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("place", range(len(CASES)), ids=[case.id for case in CASES])
def test_the_module_gives_what_the_interpreter_gives(
    place: int, modules: dict[tuple[int, bool], dict[str, Any]]
) -> None:
    case = CASES[place]
    arrays = case.data(SIZES)
    due = interpret.evaluate(roots(case), arrays, SIZES)
    names = signature_of(roots(case), case.arguments).names
    for checked in (True, False):
        evaluate = modules[place, checked]["evaluate"]
        given = {name: np.array(arrays[name], float).view(DeviceArray) for name in names}
        found = evaluate(**given)
        for mine, other in zip(found, due, strict=True):
            assert isinstance(mine, DeviceArray)
            scale = max(1.0, float(np.abs(other).max(initial=0)))
            plain = np.asarray(mine).view(np.ndarray)
            np.testing.assert_allclose(plain, other, rtol=1e-8, atol=1e-8 * scale)


@cupy_installed
@pytest.mark.parametrize("place", range(len(CASES)), ids=[case.id for case in CASES])
def test_calls_fit_the_signatures_of_cupy(place: int) -> None:
    require_cupy_has(source(place, True))


def test_what_goes_through_the_host_is_told() -> None:
    """In the docstring of the module, and by `tcalc functions`."""
    found = set()
    for place, case in enumerate(CASES):
        text = source(place, True)
        told = "Through the host" in text.split('"""')[1]
        assert told == ("host.solve_sylvester(" in text)
        if told:
            found.add(case.id.split("-")[0])
    assert found == {function.name for function in FUNCTIONS if function.on_device}


@pytest.mark.gpu
@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("place", range(len(CASES)), ids=[case.id for case in CASES])
def test_the_device_gives_what_the_interpreter_gives(place: int, dtype: str, checked: bool) -> None:
    import cupy

    case = CASES[place]
    arrays = case.data(SIZES)
    due = interpret.evaluate(roots(case), arrays, SIZES)
    options = runtime.Options(backend="cupy", checked=checked)
    function = runtime.compile(roots(case), options, variables=case.arguments)
    found = function(**{name: cupy.asarray(x, dtype=dtype) for name, x in arrays.items()})
    tolerance = 1e-8 if dtype == "float64" else 2e-2
    for mine, other in zip(found, due, strict=True):
        assert isinstance(mine, cupy.ndarray)
        assert mine.dtype == dtype
        scale = max(1.0, float(np.abs(other).max(initial=0)))
        np.testing.assert_allclose(
            cupy.asnumpy(mine), other, rtol=tolerance, atol=tolerance * scale
        )
