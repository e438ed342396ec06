"""Exponentials of matrices whose rows and columns are in units far apart keep their digits."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from compilers import COMPILER

import tcalc
from tcalc.simplify.linear_functions import without_directions

BACKENDS: list[Any] = ["numpy", *(["c"] if COMPILER else [])]
UNITS = (np.array([1.0, 1e4, 1e-5, 1e7]), np.array([1e-6, 1.0, 1e6, 1e3]))
MIXED = np.array([[-1.0, 0.3, 0.5, 0], [0.2, -2, 0, 1], [0, 0.7, 0.1, -0.4], [0.6, 0, 0.9, -0.5]])
MATRICES = {
    "all entries": MIXED,
    "fast": 40 * MIXED,
    "above the diagonal": np.triu(MIXED),
    "below the diagonal": np.tril(MIXED),
    "one beside it": np.diag([-1.0, -2, -3, -4]) + np.diag([1.0, 1, 1], -1),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("units", UNITS, ids=["units 1", "units 2"])
@pytest.mark.parametrize("name", MATRICES)
def test_values_and_two_derivatives(name: str, units: np.ndarray, backend: Any) -> None:
    scale = units[:, None] / units
    C, E = np.cos(np.arange(16.0)).reshape(4, 4) / scale, scale * MIXED.T
    A = MATRICES[name] * scale
    f = tcalc.parse("sum(C.*expm(A))", "A[n,n], C[n,n]")
    fun = tcalc.compile([f, tcalc.gradient(f, "A"), tcalc.hvp(f, "A", "E")], backend=backend)
    value, gradient, product = fun(A=A, C=C, E=E)
    with mpmath.workdps(80):
        h = mpmath.mpf(10) ** -25
        moved = [mpmath.expm(mpmath.matrix(A) + k * h * mpmath.matrix(E)) for k in (-1, 0, 1)]
        before, here, after = (sum(map(mpmath.fmul, C.ravel(), X)) for X in moved)
        due = [here, (after - before) / (2 * h), (after - 2 * here + before) / h**2]
        sizes = [float(mpmath.norm(list(map(mpmath.fmul, C.ravel(), moved[1])), 1))]
    sizes += [np.abs(gradient * E).sum(), np.abs(product * E).sum()]
    found = [value, (gradient * E).sum(), (product * E).sum()]
    for one, other, size in zip(found, due, sizes, strict=True):
        assert abs(one - float(other)) < 2e-13 * size


@pytest.mark.parametrize("backend", BACKENDS)
def test_single_precision(backend: Any) -> None:
    fun = tcalc.compile(tcalc.parse("expm(A)", "A[n,n]"), backend=backend)
    found = fun(A=np.array([[-1, 1e10], [0, -2]], np.float32))
    due = [[np.exp(-1), 1e10 * (np.exp(-1) - np.exp(-2))], [0, np.exp(-2)]]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, due, rtol=1e-6, atol=1e-16)


@pytest.mark.parametrize("shape", [(2, 3), (0, 3), (2, 0)])
def test_each_matrix_of_a_stack_has_units_of_its_own(shape: tuple[int, int]) -> None:
    b, n = shape
    units = 10.0 ** np.arange(b * n).reshape(b, n)
    scale = units[:, :, None] / units[:, None, :]
    A = scale * np.tri(n) + np.eye(n)
    found = tcalc.compile(tcalc.parse("expm(A)", "A[b,n,n]"))(A=A)
    assert found.shape == A.shape
    for k in range(b if n else 0):
        one = tcalc.compile(tcalc.parse("expm(A)", "A[n,n]"))(A=A[k])
        np.testing.assert_allclose(found[k] / scale[k], one / scale[k], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_derivatives_along_the_matrix_are_products(backend: Any) -> None:
    program = "E[k,i,j] = t[k]*A[i,j]; P = expm(E); sum(N.*log(P))"
    f = tcalc.parse(program, "t[K], A[n,n], N[K,n,n]")
    results = [f, tcalc.gradient(f, "t"), tcalc.hessian(f, "t")]
    fun = tcalc.compile(results, backend=backend)
    A = np.abs(MIXED) - np.diag(np.abs(MIXED).sum(axis=1) + np.diag(np.abs(MIXED)))
    data = {"t": np.array([0.5, 1, 2]), "A": A, "N": np.arange(48.0).reshape(3, 4, 4)}
    for found, expected in zip(fun(**data), results, strict=True):
        reference = tcalc.evaluate(expected, **data)
        np.testing.assert_allclose(found, reference, atol=1e-12 * abs(reference).max())
    assert "exponential_derivative" not in fun.source


def test_a_derivative_that_is_needed_gives_the_trace_for_nothing() -> None:
    f = tcalc.parse("tr(B*expm(a*A))", "B[n,n], A[n,n], a")
    both = tcalc.compile([tcalc.gradient(f, "a"), tcalc.gradient(f, "A")])
    assert both.source.count("exponential_derivative(") == 2  # its definition and one call
    assert "exponential_by_scipy(" not in both.source


def test_products_of_many_sums_with_derivatives_are_not_multiplied_out() -> None:
    sums = "*".join(f"(expm(a*A, B{k}) + C{k} + D{k} + E{k})" for k in range(12))
    node = tcalc.parse(f"tr({sums})", "a, A[n,n]").node
    assert without_directions([node]) == [node]
