"""Distances between rows in C, and copies of what loops would read across memory."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from compilers import needs_compiler
from guarded import guarded
from hypothesis import given
from random_graphs import agree_in_c, graphs, law

import tcalc
from tcalc.codegen.c import copies
from tcalc.expr.nodes import Node

DECLARED = "X[n,d], Y[m,d], W[d,n], v[n], A[n,m], T[n,m,d], Z[n,n]"
PROGRAMS = {
    "all pairs": "R[i,j] = (X[i,k] - X[j,k])^2; sum(sqrt(R + 1))",
    "two matrices": "R[i,j] = (X[i,k] - Y[j,k])^2; sum(A .* exp(-R))",
    "one alone": "R[i,j] = (Y[i,k] - X[j,k])^2; R",
    "columns": "R[i,j] = (W[k,i] - W[k,j])^2; sum(log(1 + R))",
    "rows and columns": "R[i,j] = (X[i,k] - W[k,j])^2; v'*(1./(1 + R))*v",
    "two in one nest": (
        "R[i,j] = (X[i,k] - Y[j,k])^2; S[i,j] = (W[k,i] - Y[j,k])^2; sum(R./(1 + S))"
    ),
    "of what is made": "U = tanh(Z*X); R[i,j] = (U[i,k] - U[j,k])^2; sum(R .* Z)",
}
SIZES = [(1, 1, 1), (3, 2, 5), (8, 9, 1), (17, 9, 2), (33, 8, 17), (20, 31, 40), (100, 41, 10)]
SOLE = "R[i,j] = (X[i,k] - Y[j,k])^2; "


def arrays_for(function: Any, n: int, m: int, d: int) -> dict[str, Any]:
    sizes, rng = {"n": n, "m": m, "d": d}, np.random.default_rng(n)
    arguments = function.signature.arguments
    return {x.name: rng.standard_normal([a.evaluate(sizes) for a in x.dims]) for x in arguments}


def source_of(text: str, **sizes: int) -> str:
    return tcalc.compile(tcalc.parse(text, DECLARED), backend="c").source_for(**sizes)


@needs_compiler
@pytest.mark.parametrize("text", PROGRAMS.values(), ids=PROGRAMS)
def test_like_numpys_code(text: str) -> None:
    f = tcalc.parse(text, DECLARED)
    roots = [f, *([] if f.shape else [tcalc.gradient(f, x) for x in f.variables])]
    fun, other = (tcalc.compile(roots, backend) for backend in ("c", "numpy"))
    for n, m, d in SIZES:
        arrays = arrays_for(fun, n, m, d)
        due = other(**arrays)
        inside = guarded(fun, **arrays)
        assert inside is not None
        for mine, beside, value in zip(fun(**arrays), inside, due, strict=True):
            np.testing.assert_allclose(mine, value, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(beside[()], value, rtol=1e-10, atol=1e-12)


@needs_compiler
@pytest.mark.parametrize("d", [3, 20])
def test_what_is_not_finite_stays_where_it_is(d: int) -> None:
    fun, other = (
        tcalc.compile(tcalc.parse(SOLE + "1./sqrt(R)", DECLARED), x) for x in ("c", "numpy")
    )
    arrays = arrays_for(fun, 12, 11, d)
    arrays["X"][3, 1], arrays["X"][5, 2], arrays["Y"][7, 0] = np.nan, np.inf, -np.inf
    arrays["Y"][2] = arrays["X"][4]
    with np.errstate(all="ignore"):
        due = other(**arrays)
    assert np.isnan(due).any() and np.isinf(due).any() and (due == 0).any()
    np.testing.assert_allclose(fun(**arrays), due, rtol=1e-12)


@needs_compiler
def test_of_single_precision() -> None:
    f = tcalc.parse(SOLE + "sum(sqrt(R))", DECLARED)
    fun = tcalc.compile([f, tcalc.gradient(f, "X")], backend="c")
    arrays = arrays_for(fun, 19, 23, 4)
    found = fun(**{name: x.astype(np.float32) for name, x in arrays.items()})
    for mine, value in zip(found, fun(**arrays), strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, value, rtol=1e-5, atol=1e-5)


def test_no_matrix_of_distances_is_held() -> None:
    """Those of short rows are numbers of the nest that reads them, made several at a time."""
    text = source_of(SOLE + "sum(sqrt(R + 1))", n=40, m=60, d=3)
    assert "work_size = 184" in text  # a copy of Y
    assert re.search(r"reduction\(\+:v\d\)\n +for \(int j = 0; j < m; j\+\+\) \{", text)
    # Long rows are read one after the other, as they lie.
    text = source_of(SOLE + "sum(sqrt(R + 1))", n=40, m=60, d=50)
    assert re.search(r"reduction\(\+:squared\)\n +for \(int k = 0; k < d; k\+\+\) \{", text)


def test_gradients_hold_no_matrix() -> None:
    """Products with few columns and the sums of rows are made where the matrix is."""
    f = tcalc.parse("R[i,j] = (X[i,k] - X[j,k])^2; sum(sqrt(R + 1))", "X[n,d]")
    source = tcalc.compile([f, tcalc.gradient(f, "X")], backend="c").source_for(n=80, d=4)
    assert "work_size = 720" in source  # the columns of X, a product, and the sums of rows
    assert len(re.findall("n[*]i \\+ j.*X", source)) == 1


# copies

ACROSS = {
    "a matrix beside a tensor": ("z[i,j,k] = T[i,j,k]*W[k,i] + 1; z", 1),
    "its axes apart": ("z[k,i,j] = A[i,j] - Y[j,k]; z", 1),
    "read twice": ("z[i,j,k] = T[i,j,k]*W[k,i]; y[i,j,k] = exp(z[i,j,k]) + W[k,i]; y", 1),
    "what a nest has made": ("B = tanh(W); z[i,j,k] = exp(T[i,j,k]) + B[k,i]; sum(B)*z", 1),
    "distances and differences": (SOLE + "z[i,k,j] = (X[i,k] - Y[j,k])/R[i,j]; z", 1),
    "as it lies": ("z[i,j,k] = T[i,j,k]*X[i,k]; z", 0),
    "of the size of the result": ("Z + Z'", 0),
}


@needs_compiler
@pytest.mark.parametrize(("text", "count"), ACROSS.values(), ids=ACROSS)
def test_copies(text: str, count: int) -> None:
    f = tcalc.parse(text, DECLARED)
    fun = tcalc.compile(f, backend="c")
    sizes = {"n": 11, "m": 13, "d": 9}
    source = fun.source_for(**{name: sizes[name] for name in fun.signature.sizes})
    assert len(re.findall(r"^ +v\d\[.*\] = \w+\[i \+ \w\*j\];$", source, re.M)) == count
    arrays = arrays_for(fun, **sizes)
    inside = guarded(fun, **arrays)
    assert inside is not None
    np.testing.assert_allclose(inside[0][()], tcalc.evaluate(f, **arrays), rtol=1e-12)


@needs_compiler
def test_a_bound_array_is_copied_once() -> None:
    f = tcalc.parse(SOLE + "sum(exp(-c*R))", f"{DECLARED}, c")
    fun = tcalc.compile(f, backend="c")
    arrays = arrays_for(fun, 30, 10, 4)
    bound = fun.bind(Y=arrays.pop("Y"))
    source = bound.source_for(n=30, m=10, d=4)
    assert "v1[m*i + j] = Y[i + d*j];" in source[: source.index("int compute")]


@needs_compiler
@given(graphs())
@law(12)
def test_random_graphs_with_copies(roots: list[Node]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TIMES", "LARGE", "ABREAST"):
            patch.setattr(copies, name, 1)
        agree_in_c(roots, {"m": 5, "n": 3, "k": 4})
