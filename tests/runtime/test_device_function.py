"""Functions on a device: their sources and their errors here, their results where there is one."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from typing import Any

import numpy as np
import pytest

import tcalc
from tcalc import gallery
from tcalc.calculus import MODES
from tcalc.errors import ArgumentError, UnsupportedError

PROGRAM = "norm2(X*w - y)^2"


def compiled(**options: Any) -> Any:
    f = tcalc.parse(PROGRAM)
    return tcalc.compile([f, tcalc.gradient(f, "w")], backend="cupy", **options)


def test_the_source_needs_no_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    source = compiled().source
    assert "import cupy as cp" in source
    assert "import numpy" not in source
    assert "raise cp.linalg.LinAlgError" not in compiled(checked=False).source


def test_without_cupy_the_call_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(UnsupportedError, match="needs the package CuPy") as caught:
        compiled()(X=np.ones((2, 2)), w=np.ones(2), y=np.ones(2))
    assert 'pip install "tcalc[gpu]"' in str(caught.value)


@pytest.mark.skipif(importlib.util.find_spec("cupy") is None, reason="CuPy is not installed")
def test_without_a_device_the_call_says_so() -> None:
    import cupy

    try:
        there = cupy.cuda.runtime.getDeviceCount() > 0
    except cupy.cuda.runtime.CUDARuntimeError:
        there = False
    if there:
        pytest.skip("there is a device")
    with pytest.raises(UnsupportedError, match=r"no driver|no CUDA device"):
        compiled()(X=np.ones((2, 2)), w=np.ones(2), y=np.ones(2))


def test_factored_results_are_not_recorded() -> None:
    f = tcalc.parse("norm2(U*V' - T)^2", "U[m,k], V[n,k], T[m,n]")
    with pytest.raises(UnsupportedError, match="the form 'factored' keeps arrays"):
        tcalc.compile(tcalc.hessian(f, "U"), backend="cupy", form="factored", graph=True)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="no backend 'opencl'"):
        tcalc.compile(tcalc.parse("x'*x"), backend="opencl")


def test_functions_pickle() -> None:
    function = compiled(checked=False)
    again = pickle.loads(pickle.dumps(function))
    assert type(again) is type(function)
    assert again.source == function.source


# On a device: pytest -m gpu


def on_device(data: dict[str, Any], dtype: Any) -> dict[str, Any]:
    import cupy

    return {name: cupy.asarray(value, dtype=dtype) for name, value in data.items()}


@pytest.mark.gpu
@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", gallery.names())
def test_gallery_on_the_device(name: str, mode: str, dtype: Any, checked: bool) -> None:
    import cupy

    model = gallery.load(name)
    f = tcalc.parse(model.program)
    wrt = model.wrt[0]
    results = [f, tcalc.derivative(f, wrt, mode=mode), tcalc.derivative(f, wrt, wrt, mode=mode)]
    data = {key: gallery.make_data(name)[key] for key in f.variables}
    due = tcalc.compile(results)(**data)
    found = tcalc.compile(results, backend="cupy", checked=checked)(**on_device(data, dtype))
    tolerance = 1e-9 if dtype is np.float64 else 2e-2
    for mine, other in zip(found, due, strict=True):
        assert isinstance(mine, cupy.ndarray)
        assert mine.dtype == dtype
        scale = float(np.abs(other).max(initial=1e-3))
        np.testing.assert_allclose(
            cupy.asnumpy(mine), other, rtol=tolerance, atol=tolerance * scale
        )


@pytest.mark.gpu
def test_numpy_arrays_are_refused_on_the_device() -> None:
    with pytest.raises(ArgumentError, match=r"X is a numpy\.ndarray") as caught:
        compiled()(**on_device({"w": np.ones(2), "y": np.ones(2)}, float), X=np.ones((2, 2)))
    assert "cupy.asarray(X)" in str(caught.value)


@pytest.mark.gpu
def test_an_indefinite_matrix_is_refused_on_the_device() -> None:
    f = tcalc.parse("sum(chol(K))", "K[n,n] symmetric")
    K = on_device({"K": np.diag([1.0, -1.0])}, float)
    with pytest.raises(tcalc.TcalcError, match="not positive definite"):
        tcalc.compile(f, backend="cupy")(**K)
    assert bool(np.isnan(float(tcalc.compile(f, backend="cupy", checked=False)(**K))))


@pytest.mark.gpu
def test_bound_arguments_on_the_device() -> None:
    data = {"X": np.eye(3), "w": np.ones(3), "y": np.zeros(3)}
    arrays = on_device(data, float)
    function = compiled().bind(X=arrays.pop("X"), y=arrays.pop("y"))
    value, gradient = function(**arrays)
    assert float(value) == 3.0
    assert gradient.tolist() == [2.0, 2.0, 2.0]


@pytest.mark.gpu
@pytest.mark.parametrize("name", gallery.names())
def test_gallery_as_a_graph_on_the_device(name: str) -> None:
    import cupy

    f = tcalc.parse(gallery.load(name).program)
    wrt = gallery.load(name).wrt[0]
    results = [f, tcalc.derivative(f, wrt), tcalc.derivative(f, wrt, wrt)]
    function = tcalc.compile(results, backend="cupy", graph=True, checked=False)
    try:
        function.source  # noqa: B018
    except UnsupportedError:
        pytest.skip("has steps that cannot be recorded")
    data = {key: gallery.make_data(name)[key] for key in f.variables}
    for scale in (1.0, 1.1):
        given = {key: scale * np.asarray(value, float) for key, value in data.items()}
        due = tcalc.compile(results)(**given)
        found = function(**on_device(given, float))
        for mine, other in zip(found, due, strict=True):
            size = float(np.abs(other).max(initial=1e-3))
            np.testing.assert_allclose(cupy.asnumpy(mine), other, rtol=1e-9, atol=1e-9 * size)


@pytest.mark.gpu
@pytest.mark.parametrize("form", ["factored", "auto"])
@pytest.mark.parametrize("name", gallery.names())
def test_gallery_in_every_form_on_the_device(name: str, form: Any) -> None:
    import cupy

    f = tcalc.parse(gallery.load(name).program)
    wrt = gallery.load(name).wrt[0]
    results = [f, tcalc.derivative(f, wrt), tcalc.derivative(f, wrt, wrt)]
    data = {key: gallery.make_data(name)[key] for key in f.variables}
    due = tcalc.compile(results)(**data)
    found = tcalc.compile(results, backend="cupy", form=form)(**on_device(data, float))
    for mine, other in zip(found, due, strict=True):
        dense = mine if isinstance(mine, cupy.ndarray) else mine.dense()
        scale = float(np.abs(other).max(initial=1e-3))
        np.testing.assert_allclose(cupy.asnumpy(dense), other, rtol=1e-9, atol=1e-9 * scale)


@pytest.mark.gpu
@pytest.mark.parametrize("method", ["auto", "dense"])
@pytest.mark.parametrize("name", ["factorisation", "ridge", "logistic"])
def test_factored_forms_on_the_device(name: str, method: str) -> None:
    import cupy

    f = tcalc.parse(gallery.load(name).program)
    H = tcalc.hessian(f, gallery.load(name).wrt[0])
    data = {key: gallery.make_data(name)[key] for key in f.variables}
    here = tcalc.compile(H, form="factored")(**data)
    there = tcalc.compile(H, backend="cupy", form="factored")(**on_device(data, float))
    assert there.route == here.route
    x = np.random.default_rng(0).standard_normal(here.rows)
    b = cupy.asarray(x)
    for mine, other in (
        (there @ b, here @ x),
        (there.dense(), here.dense()),
        (there.diagonal(), here.diagonal()),
        (there.solve(b, method=method), here.solve(x, method=method)),
        (there.eigvalsh(), here.eigvalsh()),
    ):
        size = float(np.abs(other).max(initial=1e-3))
        np.testing.assert_allclose(cupy.asnumpy(mine), other, rtol=1e-7, atol=1e-7 * size)
    assert there.logdet() == pytest.approx(here.logdet())
