"""Products with triangles of ones are running sums: in n additions, without the triangle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compilers import needs_compiler

import tcalc
from tcalc.codegen.device import running_sums_at_once
from tcalc.primitives.selection import running_sums

PROGRAMS = {
    "of a vector": ("sum(log(cumsum(exp(x))))", "x[n]", "x"),
    "from each element on": ("norm2(triu(ones(n,n))*x - y)^2", "x[n], y[n]", "x"),
    "of those before": ("sum(exp(tril(ones(n,n),-1)*x))", "x[n]", "x"),
    "of those behind": ("sum(exp(triu(ones(n,n),1)*x))", "x[n]", "x"),
    "along rows": ("sum(exp(cumsum(X)))", "X[m,n]", "X"),
    "along columns": ("C[i,j] = cumsum[i](X[i,j]); sum(exp(C))", "X[m,n]", "X"),
    "along both": ("C[i,j] = cumsum[i,j](X[i,j]); sum(exp(C))", "X[m,n]", "X"),
    "of a product": ("d'*(X*w - log(cumsum(exp(X*w))))", "X[n,m], w[m], d[n]", "w"),
    "of sums": ("norm2(cumsum(cumsum(x)) - y)^2", "x[n], y[n]", "x"),
    "of many vectors": ("sum(exp(cumsum(T).^2))", "T[m,n,p]", "T"),
}
SIZES = {"m": 3, "n": 5, "p": 2}


def arrays_for(f: tcalc.Expression, sizes: dict[str, int]) -> dict[str, Any]:
    random = np.random.default_rng(3)
    return {
        name: random.standard_normal([dim.evaluate(sizes) for dim in variable.dims]) / 2
        for name, variable in f.variables.items()
    }


@pytest.mark.parametrize("backend", ["numpy", pytest.param("c", marks=needs_compiler)])
@pytest.mark.parametrize("title", PROGRAMS)
@pytest.mark.parametrize("n", [5, 1])
def test_values_and_derivatives(title: str, n: int, backend: Any) -> None:
    text, declarations, wrt = PROGRAMS[title]
    f = tcalc.parse(text, declarations)
    roots = [f, tcalc.gradient(f, wrt), tcalc.hessian(f, wrt)]
    arrays = arrays_for(f, {**SIZES, "n": n})
    for root, found in zip(roots, tcalc.compile(roots, backend=backend)(**arrays), strict=True):
        due = tcalc.evaluate(root, **arrays)
        np.testing.assert_allclose(found, due, rtol=1e-12, atol=1e-12 * (1 + np.abs(due).max()))


@pytest.mark.parametrize("title", PROGRAMS)
def test_no_triangle_is_made(title: str) -> None:
    text, declarations, wrt = PROGRAMS[title]
    f = tcalc.parse(text, declarations)
    fun = tcalc.compile([f, tcalc.gradient(f, wrt)])
    fun(**arrays_for(f, SIZES))
    _, _, steps = fun.source.partition("def compute(")
    steps, _, _ = steps.partition("\ndef ")
    assert "running_sums(" in steps
    assert "lower_mask(" not in steps


def test_a_long_series() -> None:
    """The triangle would have 80 gigabytes."""
    f = tcalc.parse("sum(log(cumsum(exp(x))))", "x[n]")
    x = np.random.default_rng(4).standard_normal(100_000)
    value, slope = tcalc.compile([f, tcalc.gradient(f, "x")])(x=x)
    sums = np.cumsum(np.exp(x))
    np.testing.assert_allclose(value, np.log(sums).sum())
    np.testing.assert_allclose(slope, np.exp(x) * np.cumsum(1 / sums[::-1])[::-1], rtol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", pytest.param("c", marks=needs_compiler)])
def test_single_precision_keeps_its_digits(backend: Any) -> None:
    x = np.random.default_rng(5).random(1_000_000)
    found = tcalc.compile(tcalc.parse("cumsum(x)", "x[n]"), backend=backend)(x=np.float32(x))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.cumsum(np.float32(x), dtype=float), rtol=2e-7)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("shape", [(3, 4, 5), (30, 20, 40)])
def test_running_sums_are_products_with_triangles(
    dtype: type, backwards: bool, strict: bool, shape: tuple[int, ...]
) -> None:
    random = np.random.default_rng(6)
    a = random.standard_normal(shape).astype(dtype)
    for axis in (-3, -2, -1):
        n = a.shape[axis]
        mask = np.tril(np.ones((n, n)), -1 if strict else 0)
        due = np.moveaxis(np.tensordot(mask.T if backwards else mask, a, (1, axis)), 0, axis)
        found = running_sums(a, axis, backwards, strict)
        assert found.dtype == dtype
        digits = 1e-5 if dtype is np.float32 else 1e-13
        np.testing.assert_allclose(found, due, rtol=digits, atol=10 * digits)
        turned = running_sums(a.transpose(), -1 - axis % 3, backwards, strict)
        np.testing.assert_array_equal(turned.transpose(), found)
        at_once = running_sums_at_once(a, axis, backwards, strict)
        np.testing.assert_array_equal(at_once, found)
    assert running_sums(np.zeros((2, 0)), -1, backwards, strict).shape == (2, 0)
