"""Functions of device arrays, their recordings and their errors, on a CuPy that is the host's."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from host_cupy import COMPILER
from host_device import CUDARuntimeError, Device, MemoryPool, Tape, cupy  # noqa: F401 - a fixture

import tcalc
from tcalc import gallery
from tcalc.errors import ArgumentError, DomainError, LimitError, UnsupportedError
from tcalc.runtime.recording import Recording

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C++ compiler for the kernels")

RECORDED = ("logistic", "factorisation", "masked_factorisation", "perceptron", "least_squares",
            "attention", "gaussian_mixture")  # fmt: skip
LOSS = "sum(log(1 + exp(-y.*(X*w))))"


def on_device(cupy: Any, data: dict[str, Any]) -> dict[str, Any]:  # noqa: F811
    return {name: cupy.asarray(np.asarray(value, float)) for name, value in data.items()}


def loss(**options: Any) -> Any:
    f = tcalc.parse(LOSS)
    roots = [f, tcalc.gradient(f, "w"), tcalc.hessian(f, "w")]
    return tcalc.compile(roots, backend="cupy", **options)


def data(seed: int, m: int = 5, n: int = 3) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {"X": rng.normal(size=(m, n)), "y": rng.normal(size=m), "w": rng.normal(size=n)}


def due(arrays: dict[str, Any]) -> Any:
    f = tcalc.parse(LOSS)
    return tcalc.compile([f, tcalc.gradient(f, "w"), tcalc.hessian(f, "w")])(**arrays)


def require_close(found: Any, wanted: Any) -> None:
    for mine, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(np.asarray(mine), other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("name", RECORDED)
def test_models(name: str, graph: bool, cupy: Any) -> None:  # noqa: F811
    model = gallery.load(name)
    f = tcalc.parse(model.program)
    roots = [f, *(tcalc.derivative(f, wrt) for wrt in model.wrt)]
    arrays = {key: gallery.make_data(name)[key] for key in f.variables}
    function = tcalc.compile(roots, backend="cupy", graph=graph, checked=not graph)
    wanted = tcalc.compile(roots)
    for scale in (1.0, 1.1):
        given = {key: scale * np.asarray(value, float) for key, value in arrays.items()}
        found = function(**on_device(cupy, given))
        assert all(isinstance(x, cupy.ndarray) for x in found)
        require_close(found, wanted(**given))
    if graph:
        # The straight line: everything before the functions that stand behind it.
        compute = function.source.partition("def compute")[2].partition("\ndef ")[0]
        assert "@" not in compute
        assert "tensordot" not in compute


def test_a_recording_is_replayed_in_its_own_memory(cupy: Any) -> None:  # noqa: F811
    function = loss(graph=True)
    first = function(**on_device(cupy, data(1)))
    kept = [np.array(x) for x in first]
    require_close(kept, due(data(1)))
    second = function(**on_device(cupy, data(2)))
    assert all(a is b for a, b in zip(first, second, strict=True))
    require_close(second, due(data(2)))
    # Other sizes are another recording, and leave this one alone.
    require_close(function(**on_device(cupy, data(3, m=7))), due(data(3, m=7)))
    require_close(first, due(data(2)))


def test_the_callers_arrays_are_not_kept(cupy: Any) -> None:  # noqa: F811
    function = loss(graph=True)
    arrays = on_device(cupy, data(1))
    function(**arrays)
    arrays["w"][...] = 0
    require_close(function(**on_device(cupy, data(2))), due(data(2)))
    turned = {**on_device(cupy, data(2)), "X": cupy.asarray(np.asfortranarray(data(2)["X"]))}
    require_close(function(**turned), due(data(2)))


def test_bound_arguments_are_not_copied(cupy: Any) -> None:  # noqa: F811
    arrays = on_device(cupy, data(1))
    function = loss(graph=True).bind(X=arrays["X"], y=arrays["y"])
    for seed in (1, 2):
        w = data(seed)["w"]
        require_close(function(w=cupy.asarray(w)), due({**data(1), "w": w}))


def test_recordings_in_threads(cupy: Any) -> None:  # noqa: F811
    function = loss(graph=True)
    function(**on_device(cupy, data(0)))
    failed: list[Exception] = []

    def call() -> None:
        try:
            for _ in range(5):
                function(**on_device(cupy, data(1)))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    require_close(function(**on_device(cupy, data(1))), due(data(1)))


@pytest.mark.parametrize(
    ("program", "declarations", "message"),
    [
        ("logdet(K)", "K[n,n] spd", "cholesky_factors cannot be a part of a CUDA graph: it calls"),
        ("A \\ b", "A[n,n], b[n]", "lu_factors cannot be a part"),
        ("sum(expm(A))", "A[n,n]", "cannot be a part of a CUDA graph"),
        ("eigvalsh(A)", "A[n,n] symmetric", "cannot be a part of a CUDA graph"),
        ("inv(L)*b", "L[n,n] lower, b[n]", "solve_lower_or_upper cannot be a part"),
    ],
)
def test_steps_that_cannot_be_recorded(program: str, declarations: str, message: str) -> None:
    """Refused when the module is written: no device, no CuPy and no arrays are needed."""
    function = tcalc.compile(tcalc.parse(program, declarations), backend="cupy", graph=True)
    with pytest.raises(UnsupportedError, match=message) as caught:
        _ = function.source
    assert "without graph=True" in str(caught.value)


def test_a_step_that_looks_at_values_needs_unchecked_code() -> None:
    f = tcalc.parse("sum(A) / diag(d)[1,1]", "A[n,n], d[n]")
    assert tcalc.compile(f, backend="cupy", graph=True, checked=False).source


def test_large_products_are_left_to_cublas(cupy: Any) -> None:  # noqa: F811
    function = tcalc.compile(tcalc.parse("A*B", "A[m,k], B[k,n]"), backend="cupy", graph=True)
    A = cupy.zeros((700, 700))
    with pytest.raises(UnsupportedError, match=r"a product of 3\.4e\+08 multiplications"):
        function(A=A, B=A)


def test_graphs_are_of_devices() -> None:
    with pytest.raises(ArgumentError, match="graph=True records calls on a device"):
        tcalc.compile(tcalc.parse("x'*x"), graph=True)


def test_what_the_driver_refuses_to_record_is_told(cupy: Any) -> None:  # noqa: F811
    """A function that looks at its values, of which no source tells."""

    def values(x: Any) -> Any:
        return x * (2 if float(x.sum()) > 0 else 1)

    with pytest.raises(UnsupportedError, match="cannot be recorded as a CUDA graph") as caught:
        Recording(cupy, values, [cupy.ones(3)])
    assert "cudaErrorStreamCaptureUnsupported" in str(caught.value)
    assert Tape.current is None
    doubled = Recording(cupy, lambda x: 2 * x, [cupy.ones(3)])
    assert doubled([cupy.ones(3)]).tolist() == [2.0, 2.0, 2.0]


# Errors before any work is lost.


def test_numpy_arrays_among_device_arrays_are_refused(cupy: Any) -> None:  # noqa: F811
    arrays = on_device(cupy, data(1))
    with pytest.raises(ArgumentError, match=r"y is a numpy\.ndarray") as caught:
        loss()(**{**arrays, "y": data(1)["y"]})
    assert "cupy.asarray(y)" in str(caught.value)


def test_too_little_memory_is_told_before_the_call(
    cupy: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    function = loss()
    monkeypatch.setattr(Device, "mem_info", (100, 8_000))
    with pytest.raises(LimitError, match="the device has too little memory") as caught:
        function(**on_device(cupy, data(1)))
    assert "are free" in str(caught.value)
    # What CuPy's pool has at hand counts as free, unless the pool is limited.
    monkeypatch.setattr(MemoryPool, "free_bytes", lambda self: 10_000)
    monkeypatch.setattr(MemoryPool, "get_limit", lambda self: 64)
    with pytest.raises(LimitError, match="CuPy's pool is limited"):
        function(**on_device(cupy, data(1)))
    monkeypatch.setattr(MemoryPool, "get_limit", lambda self: 0)
    require_close(function(**on_device(cupy, data(1))), due(data(1)))


def test_memory_that_runs_out_within_a_call(
    cupy: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*args: Any, **options: Any) -> Any:
        raise MemoryError("out of memory")

    function = tcalc.compile(tcalc.parse("x*x'", "x[n]"), backend="cupy")
    x = cupy.asarray(np.ones(3))
    monkeypatch.setattr(type(x), "__array_ufunc__", full)
    with pytest.raises(LimitError, match="too little memory"):
        function(x=x)


def test_arrays_on_two_devices_are_refused(cupy: Any) -> None:  # noqa: F811
    from tcalc.runtime.device import device_of

    class Elsewhere(cupy.ndarray):
        @property
        def device(self) -> Any:
            other = type("Other", (), {"id": 1})
            return other()

    here, there = cupy.zeros(2), np.zeros(2).view(Elsewhere)
    with pytest.raises(ArgumentError, match="a is on device 0, and b on device 1"):
        device_of(cupy, ["a", "b"], [here, there])


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (CUDARuntimeError("cudaErrorInsufficientDriver: the driver is too old"), "no driver"),
        (CUDARuntimeError("cudaErrorNoDevice: no CUDA-capable device"), "there is no CUDA device"),
        (0, "there is no CUDA device"),
    ],
)
def test_no_driver_and_no_device(count: Any, message: str, cupy: Any) -> None:  # noqa: F811
    def counted() -> int:
        if isinstance(count, Exception):
            raise count
        return count

    cupy.cuda.runtime.getDeviceCount = counted
    with pytest.raises(UnsupportedError, match=message):
        loss()(**data(1))


def test_an_indefinite_matrix_is_refused(cupy: Any) -> None:  # noqa: F811
    f = tcalc.parse("logdet(K)", "K[n,n] spd")
    with pytest.raises(
        DomainError, match=r"of \[n,n\].*: the matrix is not positive|K.*: the matrix"
    ):
        tcalc.compile(f, backend="cupy")(K=cupy.asarray(np.diag([1.0, -1.0])))


def test_peak_memory_is_that_of_kernels() -> None:
    """A chain of element-wise steps has no temporaries on a device."""
    f = tcalc.parse("sum(exp(-X.^2) .* log(1 + X.^2))", "X[m,n]")
    host = tcalc.compile(f).peak_memory(m=1000, n=1000)
    device = tcalc.compile(f, backend="cupy").peak_memory(m=1000, n=1000)
    assert device <= 8 * 1001 < host
    recorded = tcalc.compile(f, backend="cupy", graph=True).peak_memory(m=1000, n=1000)
    assert recorded == device + 8 * 1000 * 1000
