"""The law of code generation: what is emitted equals the reference interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from random_graphs import INPUTS, data, graphs

import tcalc
from tcalc import interpret, runtime
from tcalc.expr.nodes import Node

SIZES = [
    {"m": 1, "n": 1, "k": 1},
    {"m": 2, "n": 3, "k": 2},
    {"m": 3, "n": 2, "k": 5},
    {"m": 5, "n": 5, "k": 1},
]


def agree(roots: list[Node], arrays: dict[str, Any], sizes: dict[str, int], rtol: float) -> None:
    function = runtime.compile(roots, variables=INPUTS)
    found = function(**arrays)
    due = interpret.evaluate(roots, arrays, sizes)
    for mine, other in zip(found, due, strict=True):
        assert np.shape(mine) == np.shape(other)
        if function.signature.arguments:
            assert np.asarray(mine).dtype == np.result_type(*arrays.values())
        scale = max(1.0, float(np.abs(other).max(initial=0)))
        np.testing.assert_allclose(mine, other, rtol=rtol, atol=rtol * scale)
    for array in found:
        assert not any(np.shares_memory(array, value) for value in arrays.values())


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs())
def test_any_graph_at_all_sizes(roots: list[Node]) -> None:
    for sizes in SIZES:
        agree(roots, data(sizes), sizes, 1e-9)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs())
def test_the_type_of_the_arguments_is_kept(roots: list[Node]) -> None:
    sizes = {"m": 2, "n": 3, "k": 4}
    agree(roots, data(sizes, dtype=np.float32), sizes, 2e-3)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs())
def test_one_module_is_right_for_other_sizes(roots: list[Node]) -> None:
    """The module for large sizes, which applies inverses, run at small ones."""
    function = runtime.compile(roots, variables=INPUTS)
    source = function.source_for(**dict.fromkeys(function.signature.sizes, 40))
    namespace: dict[str, Any] = {}
    exec(source, namespace)
    for sizes in SIZES:
        arrays = data(sizes)
        given = {name: arrays[name] for name in function.signature.names}
        found = namespace["evaluate"](**given)
        for mine, other in zip(found, interpret.evaluate(roots, arrays, sizes), strict=True):
            scale = max(1.0, float(np.abs(other).max(initial=0)))
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-9 * scale)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs())
def test_complex_numbers_near_the_real_axis(roots: list[Node]) -> None:
    """What the complex step needs: nothing is conjugated, transposes are plain."""
    sizes = {"m": 2, "n": 3, "k": 4}
    arrays = data(sizes)
    for seed, name in enumerate(arrays):
        step = 1e-3j * np.random.default_rng(seed).uniform(-1, 1, arrays[name].shape)
        pattern = arrays[name] != 0
        arrays[name] = arrays[name] + step * pattern
        if name in ("S", "P"):
            arrays[name] = (arrays[name] + arrays[name].T) / 2
    agree(roots, arrays, sizes, 1e-9)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs())
def test_large_arrays_written_over_and_kept_between_calls(roots: list[Node]) -> None:
    """At sizes where memory is reused: in any layout of the inputs, which are left alone."""
    sizes = {"m": 33, "n": 34, "k": 2}
    plain, kept = (
        runtime.compile(roots, runtime.Options(reuse=x), variables=INPUTS) for x in (False, True)
    )
    bound = plain.bind(**{name: x for name, x in data(sizes).items() if name in "APs"})
    for seed in (0, 1):
        arrays = data(sizes, seed)
        due = interpret.evaluate(roots, arrays, sizes)
        other = {name: np.array(x, order="F") for name, x in arrays.items()}
        for name, x in arrays.items():
            if x.ndim:
                spaced = np.empty((*x.shape[:-1], 2 * x.shape[-1]))
                spaced[..., ::2] = x
                arrays[name] = spaced[..., ::2]
        before = {name: x.copy() for name, x in arrays.items()}
        results = [plain(**arrays), plain(**other), kept(**arrays)]
        if seed == 0:
            results.append(bound(**{n: x for n, x in arrays.items() if n not in "APs"}))
        for found in results:
            for mine, exact in zip(found, due, strict=True):
                scale = max(1.0, float(np.abs(exact).max(initial=0)))
                np.testing.assert_allclose(mine, exact, rtol=1e-8, atol=1e-8 * scale)
        for name, x in arrays.items():
            np.testing.assert_array_equal(x, before[name])


@pytest.mark.parametrize(
    "text",
    [
        "f[i,j] = (D[i,k] - (D[i,k] - A[i,j]))*x[k]",
        "f[i,j] = exp(A[i,j] - (A[i,j] - x[i]))",
        "f[i,j] = exp(A[i,j] + x[i] - (A[i,j] + x[i]))*y[j]",
    ],
)
def test_terms_that_cancel_take_no_axes_with_them(text: str) -> None:
    f = tcalc.parse(text, "D[m,m], A[m,n], x[m], y[n]")
    for m, n in ((2, 3), (3, 2), (1, 1)):
        shapes = {"D": (m, m), "A": (m, n), "x": (m,), "y": (n,)}
        rng = np.random.default_rng(5)
        arrays = {name: rng.standard_normal(shapes[name]) for name in f.variables}
        (due,) = interpret.evaluate([f.node], arrays, {"m": m, "n": n})
        found = tcalc.compile(f)(**arrays)
        assert found.shape == due.shape
        np.testing.assert_allclose(found, due, rtol=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "tanh(x*ones(n)')*tanh(x*ones(n)')'/n",
        "tanh(ones(n)*x')'*tanh(ones(n)*x')/n",
        "exp(ones(n,n))*diag(exp(ones(n)))*exp(ones(n,n))'",
    ],
)
def test_symmetric_products_count_what_is_the_same_in_all_columns(text: str) -> None:
    f = tcalc.parse(text, "x[n], A[n,n]")
    arrays = {"x": np.array([0.3, 0.2, 0.7]), "A": np.eye(3)}
    (due,) = interpret.evaluate([f.node], arrays, {"n": 3})
    fun = tcalc.compile(f)
    found = fun(**{name: arrays[name] for name in fun.signature.names})
    np.testing.assert_allclose(found, due, rtol=1e-12)
