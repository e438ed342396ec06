"""Products of matrices and vectors in C functions, by the routines of BLAS that fit them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compilers import needs_compiler
from guarded import guarded

import tcalc

DECLARED = "A[m,n], B[m,n], S[n,n] symmetric, T[p,m,n], U[n,p,m], W[m,n,p], x[n], y[m], Z[n,2]"
SIZES = {"m": 45, "n": 39, "p": 3}
GRAMS = {
    "columns": ("A'*A", "gram('T'"),
    "rows": ("A*A'", "gram('N'"),
    "weighted": ("A'*diag(y.^2)*A", "gram('T'"),
    "a stack": ("G[p,i,j] = T[p,k,i]*T[p,k,j]; G", "gram('T'"),
}
OTHERS = {
    "two matrices": ("A'*B", "multiply('T', 'N'"),
    "a small square": ("S*S", "multiply('N', 'T'"),
    "parts of one matrix": ("A[1:40,:]*A[1:44,:]'", "multiply("),
    "a matrix and a vector": ("A*x", "apply('N'"),
    "the transpose and a vector": ("A'*y", "apply('T'"),
    "one row": ("A[1:1,:]*x", "real sum = 0;"),
    "a column": ("A*Z[:,2]", "apply('N', m, n, A, n, Z + 1, 2"),
    "a vector along a stack": ("V[p,i] = T[p,i,j]*x[j]; V", "apply('N', m*p, n, T, n, x"),
    "a vector along a stack of columns": ("V[p,j] = T[p,i,j]*y[i]; V", "result[n*i + j] += T["),
}
REARRANGED = {
    "summed apart, alike": ("G[i,k] = T[p,i,j]*T[p,k,j]; G", "gram('N', m, n*p, v1"),
    "summed apart": ("G[i,k] = T[p,i,j]*U[j,p,k]; G", "multiply('N', 'T', m, m, n*p, v1"),
    "no axis along memory": ("G[a,b,d] = U[a,b,c]*W[c,d,b]; G", "multiply('N', 'T', n, n, m, U"),
    "summed in another order": ("G[i,k] = U[i,p,j]*W[j,k,p]; G", "multiply('N', 'T', n, n, m*p, U"),
}


def arrays_for(function: Any, dtype: type = np.float64) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    found = {}
    for x in function.signature.arguments:
        array = rng.standard_normal([dim.evaluate(SIZES) for dim in x.dims])
        found[x.name] = (array + array.T if "symmetric" in x.properties else array).astype(dtype)
    return found


@needs_compiler
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("title", GRAMS | OTHERS | REARRANGED)
def test_like_numpys_code(title: str, dtype: type) -> None:
    text, _ = (GRAMS | OTHERS | REARRANGED)[title]
    f = tcalc.parse(text, DECLARED)
    fun = tcalc.compile(f, backend="c")
    arrays = arrays_for(fun, dtype)
    due = tcalc.compile(f)(**{x: y.astype(np.float64) for x, y in arrays.items()})
    digits = 1e-12 if dtype is np.float64 else 2e-5
    inside = guarded(fun, **arrays)
    assert inside is not None
    for found in (fun(**arrays), inside[0]):
        np.testing.assert_allclose(found, due, rtol=digits, atol=100 * digits)
    if title in GRAMS:
        np.testing.assert_array_equal(found, np.swapaxes(found, -1, -2))


@pytest.mark.parametrize("title", GRAMS | OTHERS | REARRANGED)
def test_the_routine(title: str) -> None:
    text, called = (GRAMS | OTHERS | REARRANGED)[title]
    fun = tcalc.compile(tcalc.parse(text, DECLARED), backend="c")
    sizes = {name: SIZES[name] for name in fun.signature.sizes}
    source = fun.source_for(**sizes)
    body = source[source.index("int compute") :]
    assert called in body


def test_small_products_are_loops() -> None:
    for text in ("A'*A", "A*x", "A'*y", REARRANGED["summed apart"][0]):
        fun = tcalc.compile(tcalc.parse(text, DECLARED), backend="c")
        source = fun.source_for(**dict.fromkeys(fun.signature.sizes, 3))
        assert not any(name in source for name in ("gram(", "apply(", "multiply("))
