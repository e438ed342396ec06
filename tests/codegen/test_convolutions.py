"""Convolutions in generated code: right along any axes and in any steps, and without windows."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from host_cupy import Workshop, load, module, require_cupy_has
from hypothesis import given, settings
from hypothesis import strategies as st

import tcalc
from tcalc.codegen.signature import signature_of
from tcalc.primitives.convolutions import LONG, convolution, correlated, passed_over, spread


@st.composite
def courses(draw: st.DrawFn) -> list[tuple[int, ...]]:
    """For each axis: where positions begin, the steps, the counts of both indices, and a size."""
    found = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["moves", "moves", "several", "summed"]))
        n = 1 if kind == "summed" else draw(st.sampled_from([1, 2, 3, 5, 9]))
        m = 1 if kind == "several" else draw(st.sampled_from([1, 2, 3, 5, 8]))
        steps = st.sampled_from([1, 1, 1, -1, 2, -3])
        a, b = (draw(steps), draw(steps)) if kind == "moves" else (1, 1)
        start = draw(st.integers(0, 1)) - min(a, 0) * (n - 1) - min(b, 0) * (m - 1)
        size = 1 + start + max(a, 0) * (n - 1) + max(b, 0) * (m - 1) + draw(st.integers(0, 1))
        found.append((start, a, b, n, m, size))
    return found


@settings(max_examples=300, deadline=None)
@given(courses(), st.sampled_from([float, np.float32, complex]))
def test_along_any_axes(along: list[tuple[int, ...]], dtype: type) -> None:
    starts, a, b, counts, others, sizes = zip(*along, strict=True)
    random = np.random.default_rng(3)
    X, A, W = (random.standard_normal(x).astype(dtype) for x in (sizes, counts, others))
    if dtype is complex:
        X, W = X - 2j * X, W + 1j * W**2
    sums, total = np.zeros(counts, complex), np.zeros(sizes, complex)
    for p in np.ndindex(*counts):
        for q in np.ndindex(*others):
            at = tuple(s + x * i + y * k for s, x, y, i, k in zip(starts, a, b, p, q, strict=True))
            sums[p] += X[at] * W[q]
            total[at] += A[p] * W[q]
    tolerance = 1e-4 if dtype is np.float32 else 1e-11
    found = correlated(X, W, *starts, *counts, a, b)
    steps = passed_over(X, W, starts, counts, a, b)
    added = spread(A, W, *starts, *sizes, a, b)
    assert found.dtype == steps.dtype == added.dtype == X.dtype
    np.testing.assert_allclose(steps, sums, rtol=0, atol=tolerance * (1 + abs(sums).max()))
    np.testing.assert_allclose(found, sums, rtol=0, atol=tolerance * (1 + abs(sums).max()))
    np.testing.assert_allclose(added, total, rtol=0, atol=tolerance * (1 + abs(total).max()))


def test_long_filters_by_transforms() -> None:
    # Code that is copied cannot read the constant.
    assert f"few >= {LONG}:" in inspect.getsource(convolution)
    random = np.random.default_rng(4)
    x, w = random.standard_normal(3000), random.standard_normal(700)
    np.testing.assert_allclose(
        correlated(x, w, 0, 2301, (1,), (1,)), np.correlate(x, w), atol=1e-11
    )
    np.testing.assert_allclose(spread(x, w, 0, 3699, (1,), (1,)), np.convolve(x, w), atol=1e-11)
    # An infinite element is seen by the windows that it is in, and by no others.
    x[5] = np.inf
    with np.errstate(invalid="ignore"):
        found = correlated(x, w, 0, 2301, (1,), (1,))
        added = spread(x, w, 0, 3699, (1,), (1,))
    assert np.isfinite(found[6:]).all()
    assert not np.isfinite(found[:6]).any()
    assert np.isfinite(np.delete(added, slice(5, 705))).all()


SIGNAL = "x[n], w[m], y[n-m+1], v[m], X[b,n], W[b,m], g[b], u[n-m+1]"
IMAGE = "X[h,w], K[p,q], B[h-p+1,w-q+1], a[p], c[q]"
LARGE = {"n": 200_000, "m": 64, "b": 20, "h": 1000, "w": 900, "p": 7, "q": 9}
SMALL = {"n": 20, "m": 4, "b": 3, "h": 7, "w": 8, "p": 3, "q": 4, "s": 2, "c": 3, "o": 2, "r": 4}

MODELS = {
    "filter": ("norm2[i](y[i] - x[i+k-1]*w[k])^2", SIGNAL, "wx"),
    "convolution": ("norm2[i](y[i] - x[i-k+m]*w[k])^2", SIGNAL, "wx"),
    "backwards": ("z[i] = x[end+2-i-k]*w[k]; sum(exp(z - y))", SIGNAL, "wx"),
    "weighted": ("z[i] = x[i+k-1]*w[k]*u[i]; sum(exp(z - y))", SIGNAL, "wxu"),
    "several": ("Y[s,i] = tanh(X[s,i+k-1]*w[k]); g'*Y*u", SIGNAL, "Xw"),
    "two filters": ("z[i] = tanh(x[i+k-1]*w[k]); s[i] = z[i+k-1]*v[k]; sum(s.^2)", SIGNAL, "wvx"),
    "channels": ("z[i] = X[s,i+k-1]*W[s,k] - y[i]; sum(exp(z))", SIGNAL, "XW"),
    "image": ("Y[i,j] = X[i+k-1,j+l-1]*K[k,l] - B[i,j]; sum(exp(Y))", IMAGE, "KX"),
    "turned image": ("Y[i,j] = X[i-k+p,j+l-1]*K[k,l] - B[i,j]; norm2(Y)^2", IMAGE, "KX"),
    "separable": ("Y[i,j] = X[i+k-1,j+l-1]*a[k]*c[l] - B[i,j]; norm2(Y)^2", IMAGE, "acX"),
}

LAYER = "X[s,c,h,w], W[o,c,p,q], b[o], x[w], A[w,w], F[o,q], Z[w,w], D[q,q], d[q], K[c,p,q]"

SEEN = {
    "layer": ("Y[s,o,i,j] = X[s,c,i+k-1,j+l-1]*W[o,c,k,l] + b[o]; sum(tanh(Y))", LAYER, "XWb"),
    "strides": ("Y[o,i] = x[2*i+k-2]*F[o,k]*ones(r)[i]; sum(exp(Y))", "x[2*r+1], F[o,3]", "xF"),
    "each channel": ("Y[s,c,i,j] = X[s,c,i+k-1,j+l-1]*K[c,k,l]; sum(exp(Y))", LAYER, "XK"),
    "filters": ("Y[o,i] = (A*x)[i+k-1]*F[o,k]; logsumexp(vec(Y))", LAYER, "xFA"),
    "made filter": ("Y[o,i] = x[i+k-1]*F[o,l]*D[k,l]*d[k]; sum(exp(Y))", LAYER, "xFDd"),
    "along a diagonal": ("y[i] = Z[i+k-1,i+l-1]*D[k,l]; sum(exp(y))", LAYER, "ZD"),
    "diagonals": ("y[i] = Z[i+k-1,i+k-1]*D[k,l]*d[l]; norm2(y)", LAYER, "ZDd"),
}


def made(f: tcalc.Expression, sizes: dict[str, int]) -> dict[str, Any]:
    random = np.random.default_rng(5)
    return {
        name: random.standard_normal([dim.evaluate(sizes) for dim in x.dims])
        for name, x in f.variables.items()
    }


@pytest.mark.parametrize("name", [*MODELS, *SEEN])
@pytest.mark.parametrize("backend", ["numpy", "c"])
def test_derivatives(name: str, backend: tcalc.typing.Backend) -> None:
    text, declared, variables = {**MODELS, **SEEN}[name]
    f = tcalc.parse(text, declared)
    arrays = made(f, SMALL)
    for by in variables:
        forward = tcalc.gradient(f, by, mode="forward")
        found = [f, tcalc.gradient(f, by), forward, tcalc.hvp(f, by, "direction")]
        arrays["direction"] = arrays[by][::-1]
        values = tcalc.compile(found, backend=backend)(**arrays)
        for value, due in zip(values, tcalc.evaluate(found, **arrays), strict=True):
            np.testing.assert_allclose(value, due, rtol=1e-10, atol=1e-10 * abs(due).max())


@pytest.mark.parametrize("name", MODELS)
def test_no_windows(name: str) -> None:
    text, declared, variables = MODELS[name]
    f = tcalc.parse(text, declared)
    inputs = sum(
        int(np.prod([dim.evaluate(LARGE) for dim in x.dims])) for x in f.variables.values()
    )
    for by in variables:
        for wanted in (tcalc.gradient(f, by), tcalc.hvp(f, by, "d")):
            compiled = tcalc.compile(wanted)
            sizes = {size: LARGE[size] for size in compiled.signature.sizes}
            assert compiled.peak_memory(**sizes) < 8 * 6 * inputs
            source = compiled.source_for(**sizes)
            assert "windows" not in source
            assert "shifted_positions" not in source


def test_larger_images_and_filters() -> None:
    sizes = {"n": 1500, "m": 600, "b": 2, "h": 40, "w": 50, "p": 9, "q": 11}
    for name in ("filter", "several", "image"):
        text, declared, variables = MODELS[name]
        f = tcalc.parse(text, declared)
        arrays = {key: 0.1 * x for key, x in made(f, sizes).items()}
        for by in variables:
            slope = tcalc.gradient(f, by)
            results = [tcalc.compile(slope, backend=x)(**arrays) for x in ("numpy", "c")]
            np.testing.assert_allclose(*results, rtol=1e-9, atol=1e-9 * abs(results[1]).max())


def test_windows_are_taken_once() -> None:
    text, declared, _ = SEEN["layer"]
    f = tcalc.parse(text, declared)
    source = tcalc.compile([f, *(tcalc.gradient(f, x) for x in "XWb")]).source
    assert source.count("= windows(") == source.count("= overlapped(") == 1


def test_one_line_for_one_axis() -> None:
    text, declared, _ = MODELS["filter"]
    source = tcalc.compile(tcalc.gradient(tcalc.parse(text, declared), "x")).source
    assert 'np.convolve(x, w[::-b], "valid")[::a]' in source
    assert "correlated" not in source


@pytest.mark.parametrize("name", ["filter", "several", "image"])
def test_with_cupy(name: str) -> None:
    text, declared, inputs = MODELS[name]
    f = tcalc.parse(text, declared)
    arrays = made(f, SMALL)
    for by in inputs:
        slope = tcalc.gradient(f, by)
        variables = tuple(f.variables.values())
        source = module([slope.node], variables, SMALL)
        require_cupy_has(source)
        names = signature_of([slope.node], variables).names
        (found,) = load(source, Workshop())["evaluate"](**{key: arrays[key] for key in names})
        np.testing.assert_allclose(found, tcalc.evaluate(slope, **arrays), rtol=1e-10, atol=1e-10)


def test_many_short_rows_are_products_of_matrices() -> None:
    text, declared, variables = MODELS["channels"]
    f = tcalc.parse(text, declared)
    sizes = {"n": 100, "m": 8, "b": 300}
    arrays = {name: 0.1 * x for name, x in made(f, sizes).items()}
    for by in variables:
        compiled = tcalc.compile(tcalc.gradient(f, by))
        source = compiled.source_for(**sizes)
        assert "correlated" not in source
        due = tcalc.evaluate(tcalc.gradient(f, by), **arrays)
        np.testing.assert_allclose(compiled(**arrays), due, rtol=1e-9, atol=1e-9 * abs(due).max())
