"""The steps of kept loops in C: what NumPy's code computes, its errors, and its types."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from compilers import needs_compiler

import tcalc
from tcalc import errors
from tcalc.runtime import libraries, staged
from tests.recurrences.test_recurrences import PROGRAMS, STEPS, arrays_for

pytestmark = needs_compiler


@pytest.fixture(params=["one call", "single calls"])
def runs_in_c(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each run through functions of C whether these have done it."""
    found: list[bool] = []
    run = staged.Staged.__call__

    def noted(*arguments: Any) -> bool:
        done = run(*arguments)
        found.append(done)
        return done

    monkeypatch.setattr(staged.Staged, "__call__", noted)
    if request.param == "single calls":
        monkeypatch.setattr("tcalc.recurrences.layout.LARGEST", 0)
    return found


@pytest.mark.parametrize("title", PROGRAMS)
def test_like_numpys_code(title: str, runs_in_c: list[bool]) -> None:
    text, declarations = PROGRAMS[title]
    arrays = arrays_for(text, declarations)
    names = list(arrays)
    slow = tcalc.recurrence(text, declarations)
    fast = tcalc.recurrence(text, declarations, backend="c")
    due, slopes = slow.value_and_gradient(names)(**arrays)
    value, gradient = fast.value_and_gradient(names)(**arrays)
    np.testing.assert_allclose(fast(**arrays), due, rtol=1e-12)
    np.testing.assert_allclose(value, due, rtol=1e-12)
    for name in names:
        np.testing.assert_allclose(gradient[name], slopes[name], rtol=1e-9, atol=1e-9)
    assert all(runs_in_c)


def test_directions_products_and_steps(runs_in_c: list[bool]) -> None:
    text, declarations = PROGRAMS["kalman filter"]
    arrays = arrays_for(text, declarations)
    names = list(arrays)
    random = np.random.default_rng(9)
    further = {f"d{x}": random.standard_normal(np.shape(arrays[x])) for x in names}
    slow, fast = (tcalc.recurrence(text, declarations, backend=x) for x in ("numpy", "c"))
    due, found = (x.jvp(names)(**arrays, **further) for x in (slow, fast))
    np.testing.assert_allclose(found, due, rtol=1e-10)
    many, more = (x.hvp(names)(**arrays, **further) for x in (slow, fast))
    for name in names:
        np.testing.assert_allclose(more[name], many[name], rtol=1e-8, atol=1e-9)
    trajectories = (x.steps(["m", "P"])(**arrays) for x in (slow, fast))
    for rows in zip(*(x.values() for x in trajectories), strict=True):
        np.testing.assert_allclose(*rows, rtol=1e-10, atol=1e-12)
    assert runs_in_c
    assert all(runs_in_c)


@pytest.mark.parametrize("length", [1, 2, 5])
def test_blocks_of_steps(
    length: int, monkeypatch: pytest.MonkeyPatch, runs_in_c: list[bool]
) -> None:
    """What a block of steps leaves, forth and back, is where the next one begins."""
    monkeypatch.setattr("tcalc.recurrences.sweep.BLOCK", 1)
    monkeypatch.setattr("tcalc.recurrences.sweep.LEAST_BLOCK", length)
    test_like_numpys_code("kalman filter", runs_in_c)
    test_like_numpys_code("two steps back", runs_in_c)
    test_like_numpys_code("downwards, two steps at once, an axis behind", runs_in_c)


def test_one_function_for_series_of_any_length() -> None:
    text, declarations = PROGRAMS["two steps back"]
    slow, fast = (
        tcalc.recurrence(text, declarations, backend=x).value_and_gradient("u")
        for x in ("numpy", "c")
    )
    built = 0
    for T in (1, 2, STEPS, 500):
        arrays = arrays_for(text, declarations, T)
        due, found = slow(**arrays), fast(**arrays)
        np.testing.assert_allclose(found[0], due[0], rtol=1e-12)
        np.testing.assert_allclose(found[1], due[1], rtol=1e-10, atol=1e-14)
        built = built or len(libraries._libraries)
    assert len(libraries._libraries) == built


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_types(dtype: type, runs_in_c: list[bool]) -> None:
    """Single precision has C code of its own; complex numbers run NumPy's code."""
    text, declarations = PROGRAMS["two steps back"]
    arrays = {x: np.asarray(y, dtype) for x, y in arrays_for(text, declarations).items()}
    slow, fast = (
        tcalc.recurrence(text, declarations, backend=x).value_and_gradient(["a", "u"])
        for x in ("numpy", "c")
    )
    due, found = slow(**arrays), fast(**arrays)
    assert found[0].dtype == dtype
    assert {x.dtype for x in found[1].values()} == {np.dtype(dtype)}
    np.testing.assert_allclose(found[0], due[0], rtol=1e-5)
    assert bool(runs_in_c) == (dtype is np.float32)


FAILING = (
    "P{0} = eye(n)\nf{0} = 0\nfor t = 1:T\nP{t} = inv(P{t-1} + x[t]*eye(n))\n"
    "f{t} = f{t-1} + tr(P{t})\nend\nf{T}"
)


def test_a_step_without_a_value_is_named() -> None:
    found: list[str] = []
    for backend in ("numpy", "c"):
        kept = tcalc.recurrence(FAILING, "x[T], A[n,n]", backend=backend)
        for call in (kept, kept.value_and_gradient("x")):
            with pytest.raises(errors.DomainError) as caught:
                call(x=np.array([1.0, 0.5, -1.0 / 1.0, 2.0]) * [1, -1, 1, 1], A=np.eye(2))
            found.append(caught.value.message)
    assert len(set(found)) == 1
    assert "in step t = 2" in found[0]


def test_what_is_not_clearly_regular_runs_numpys_code(runs_in_c: list[bool]) -> None:
    text = "s{0} = 0\nfor t = 1:T\ns{t} = s{t-1} + ones(2)'*inv(D[t,:,:])*ones(2)\nend\ns{T}"
    kept = tcalc.recurrence(text, "D[T,2,2]", backend="c")
    D = np.stack([np.eye(2), np.array([[1, 1], [1, 1 + 1e-7]])])
    due = sum(np.linalg.inv(x).sum() for x in D)
    assert kept(D=D) == pytest.approx(due, rel=1e-6)


def test_arrays_that_lie_otherwise(runs_in_c: list[bool]) -> None:
    text, declarations = PROGRAMS["kalman filter"]
    arrays = arrays_for(text, declarations)
    kept = tcalc.recurrence(text, declarations, backend="c").value_and_gradient("A")
    due = kept(**arrays)
    scattered = {x: np.asfortranarray(y) if np.ndim(y) > 1 else y for x, y in arrays.items()}
    found = kept(**scattered)
    np.testing.assert_allclose(found[0], due[0], rtol=1e-13)
    np.testing.assert_allclose(found[1], due[1], rtol=1e-12)
    assert all(runs_in_c)


def test_a_backend_that_runs_no_loops() -> None:
    make: Callable[..., Any] = tcalc.recurrence
    with pytest.raises(errors.UnsupportedError, match="cupy"):
        make("s{0} = 0; for t = 1:3; s{t} = s{t-1} + a; end; s{3}", "a", backend="cupy")


# one call for all of it

SEVERAL_CALLS = {
    "through a tensor that is computed": ("X", "W"),
    "a matrix for each step": ("S",),
    "hidden states": ("B",),
    "a tensor taken twice": ("", "X", "A"),
    "downwards, two steps at once, an axis behind": ("Y",),
}
"""What takes more than one call, by what the gradient is taken: tensors of all steps as a whole."""


@pytest.mark.parametrize("title", PROGRAMS)
def test_one_call_does_it_all(title: str, by_one_call: list[bool]) -> None:
    text, declarations = PROGRAMS[title]
    arrays = arrays_for(text, declarations)
    kept = tcalc.recurrence(text, declarations, backend="c")
    several = []
    for name in ("", *arrays):
        by_one_call.clear()
        call: Callable[..., Any] = kept.value_and_gradient(name) if name else kept
        for _ in range(2):
            call(**arrays)
        if by_one_call != [True, True]:
            several.append(name)
    assert several == list(SEVERAL_CALLS.get(title, ()))


def test_the_number_of_steps_is_a_number(runs_in_c: list[bool]) -> None:
    """A mean over all steps takes no function of its own for each length."""
    text = """s{0} = 0
    f{0} = 0
    for t = 1:T
        s{t} = tanh(a*s{t-1} + y[t]/T)
        f{t} = f{t-1} + (s{t} - y[t])^2*T
    end
    f{T}/T + T*a^2"""
    slow, fast = (
        tcalc.recurrence(text, "y[T], a", backend=x).value_and_gradient(["a", "y"])
        for x in ("numpy", "c")
    )
    fast(y=np.ones(2), a=0.5)
    built = len(libraries._libraries)
    for T in (1, 2, 7, 40):
        y = np.cos(np.arange(T))
        due, found = slow(y=y, a=0.3), fast(y=y, a=0.3)
        np.testing.assert_allclose(found[0], due[0], rtol=1e-12)
        for name, slope in due[1].items():
            np.testing.assert_allclose(found[1][name], slope, rtol=1e-10, atol=1e-12)
    assert len(libraries._libraries) == built
    assert all(runs_in_c)


def test_arguments_of_all_kinds(runs_in_c: list[bool]) -> None:
    text, declarations = PROGRAMS["two steps back"]
    kept = tcalc.recurrence(text, declarations, backend="c").value_and_gradient(["a", "u"])
    u = np.linspace(-1, 1, 4)
    due = kept(u=u, a=0.5, b=-0.25)
    scattered = np.stack([u, u])[:, ::-1][0, ::-1]
    wide = np.stack([u, u], axis=1)[:, 0]
    for given in (u.tolist(), scattered, wide):
        for a in (0.5, np.float64(0.5), np.array(0.5)):
            found = kept(u=given, a=a, b=-0.25)
            assert found[0] == due[0]
            for name, slope in due[1].items():
                np.testing.assert_array_equal(found[1][name], slope)
    np.testing.assert_array_equal(u, np.linspace(-1, 1, 4))
    assert all(runs_in_c)


@pytest.mark.parametrize("value", ["s{3}", "s{3}^2 + norm2(a)"])
def test_a_tensor_run_through_along_two_axes(value: str, runs_in_c: list[bool]) -> None:
    text = (
        f"s{{0}} = 0; for t = 1:3; s{{t}} = s{{t-1}} + X[t,1:end]'*a + b'*X[1:end,t]; end; {value}"
    )
    rng = np.random.default_rng(6)
    arrays = {"X": rng.standard_normal((4, 5)), "a": np.ones(5), "b": np.arange(4.0)}
    slow, fast = (
        tcalc.recurrence(text, "X[n,m], a[m], b[n]", backend=x).value_and_gradient(["X", "a"])
        for x in ("numpy", "c")
    )
    due, found = slow(**arrays), fast(**arrays)
    np.testing.assert_allclose(found[0], due[0], rtol=1e-12)
    for name, slope in due[1].items():
        np.testing.assert_allclose(found[1][name], slope, rtol=1e-12)
    assert all(runs_in_c)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_inputs_that_the_value_does_not_take(dtype: type, runs_in_c: list[bool]) -> None:
    """Their gradient is zero, of whatever shape, beside others and alone."""
    text = "h{0} = v; for t = 1:T; h{t} = tanh(h{t-1} + X[t,1:end]); end; norm2(h{T})^2"
    kept = tcalc.recurrence(text, "v[n], X[T,n], Z[T,n], B[n,n], c", backend="c")
    rng = np.random.default_rng(3)
    shapes = {"v": (3,), "X": (5, 3), "Z": (5, 3), "B": (3, 3), "c": ()}
    arrays = {x: np.asarray(rng.standard_normal(shape), dtype) for x, shape in shapes.items()}
    for names in (["Z"], ["B"], ["c"], ["B", "Z"], ["v", "Z"], ["X", "B", "c"]):
        _, gradient = kept.value_and_gradient(names)(**arrays)
        for name in names:
            assert gradient[name].dtype == dtype
            assert gradient[name].shape == shapes[name]
            assert gradient[name].any() == (name in ("v", "X"))
    assert all(runs_in_c)


def test_a_step_back_of_numbers_alone_makes_a_vector(runs_in_c: list[bool]) -> None:
    """An input tells how long it is: its cotangent is not there yet."""
    text = "f{0} = 0; for t = 1:T; f{t} = tanh(f{t-1}) + sum(v)*x[t]; end; f{T}"
    kept = tcalc.recurrence(text, "v[n], x[T]", backend="c")
    x = np.array([0.5, 2.0])
    value, slope = kept.value_and_gradient("v")(v=np.array([0.25, 0.5, 0.25]), x=x)
    assert value == pytest.approx(np.tanh(0.5) + 2)
    np.testing.assert_allclose(slope, np.full(3, 0.5 / np.cosh(0.5) ** 2 + 2))
    assert all(runs_in_c)


def test_results_are_the_callers() -> None:
    """A later call leaves what an earlier one has given."""
    text, declarations = PROGRAMS["kalman filter"]
    arrays = arrays_for(text, declarations)
    kept = tcalc.recurrence(text, declarations, backend="c").value_and_gradient(["A", "Y"])
    first = kept(**arrays)
    copies = {name: np.array(x) for name, x in first[1].items()}
    kept(**{name: 1.5 * x for name, x in arrays.items()})
    for name, x in copies.items():
        np.testing.assert_array_equal(first[1][name], x)
        assert first[1][name].flags.writeable


def test_copies_of_functions_that_have_run() -> None:
    text, declarations = PROGRAMS["two steps back"]
    arrays = arrays_for(text, declarations)
    kept = tcalc.recurrence(text, declarations, backend="c")
    for call in (kept, kept.value_and_gradient("a"), kept.hvp("a")):
        given = arrays | ({"da": 1.0} if call is not kept and "da" in call.signature.names else {})
        due = call(**given)
        for again in (copy.copy(call), copy.deepcopy(call), pickle.loads(pickle.dumps(call))):
            np.testing.assert_array_equal(again(**given), due)


@pytest.mark.parametrize(("dtype", "n"), [(complex, 2), (float, 0)])
def test_what_numpys_code_does_needs_no_compiler(
    dtype: type, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries.compiler.cache_clear()
    monkeypatch.setenv("CC", "no-such-compiler")
    text = "h{0} = v; for t = 1:T; h{t} = 0.5*h{t-1} + X[t,1:end]; end; sum(h{T})"
    kept = tcalc.recurrence(text, "v[n], X[T,n]", backend="c")
    value, slope = kept.value_and_gradient("v")(v=np.ones(n, dtype), X=np.ones((2, n), dtype))
    assert value == 1.75 * n
    np.testing.assert_array_equal(slope, np.full(n, 0.25))
    with pytest.raises(errors.UnsupportedError, match="no-such-compiler"):
        kept(v=np.ones(2), X=np.ones((2, 2)))
    libraries.compiler.cache_clear()


def test_declared_properties_are_looked_at_in_each_call(runs_in_c: list[bool]) -> None:
    text = "s{0} = 1; for t = 1:T; s{t} = s{t-1}*log(a) + x[t]; end; s{T}"
    kept = tcalc.recurrence(text, "x[T], a positive", backend="c")
    x = np.ones(3)
    assert kept(x=x, a=np.e) == pytest.approx(4.0)
    with pytest.raises(errors.ArgumentError, match="positive"):
        kept(x=x, a=-1.0)
    with pytest.raises(errors.ArgumentError, match="missing"):
        kept(x=x)
    with pytest.raises(errors.ArgumentError, match="no steps"):
        kept(x=np.ones(0), a=1.0)
    assert kept(x=x, a=np.e) == pytest.approx(4.0)


def test_large_tensors_are_for_many_steps_at_once(by_one_call: list[bool]) -> None:
    text = "h{0} = h0; for t = 1:T; h{t} = tanh(W*h{t-1} + X[t,1:end]); end; norm2(h{T})^2"
    slow, fast = (
        tcalc.recurrence(text, "W[n,n], X[T,n], h0[n]", backend=x).value_and_gradient("W")
        for x in ("numpy", "c")
    )
    rng = np.random.default_rng(4)
    for n in (40, 260):
        arrays = {
            "W": rng.standard_normal((n, n)) / n,
            "X": rng.standard_normal((5, n)),
            "h0": np.ones(n),
        }
        due, found = slow(**arrays), fast(**arrays)
        np.testing.assert_allclose(found[0], due[0], rtol=1e-12)
        np.testing.assert_allclose(found[1], due[1], rtol=1e-9, atol=1e-12)
    assert by_one_call == [True, False]


def test_calls_in_several_threads() -> None:
    text, declarations = PROGRAMS["kalman filter"]
    arrays = arrays_for(text, declarations)
    kept = tcalc.recurrence(text, declarations, backend="c").value_and_gradient("A")
    scales = [1 + 0.01 * k for k in range(24)]
    due = [kept(**{**arrays, "Y": scale * arrays["Y"]}) for scale in scales]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda s: kept(**{**arrays, "Y": s * arrays["Y"]}), scales))
    for mine, other in zip(found, due, strict=True):
        assert mine[0] == other[0]
        np.testing.assert_array_equal(mine[1], other[1])
