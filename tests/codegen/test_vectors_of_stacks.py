"""Each matrix of a stack times a vector: by BLAS where they are large, else by einsum."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc

PRODUCTS = {
    "bij,bj->bi": "z[b,i] = A[b,i,j]*x[b,j]; z",
    "bij,bi->bj": "z[b,j] = A[b,i,j]*x[b,i]; z",
    "abij,abj->abi": "z[a,b,i] = A[a,b,i,j]*x[a,b,j]; z",
    "ibj,bj->bi": "z[b,i] = A[i,b,j]*x[b,j]; z",
    "bij,bj->ib": "z[i,b] = A[b,i,j]*x[b,j]; z",
}


@pytest.mark.parametrize("subscripts", PRODUCTS)
def test_one_function_for_small_and_large_matrices(subscripts: str) -> None:
    function = tcalc.compile(tcalc.parse(PRODUCTS[subscripts]))
    random = np.random.default_rng(1)
    first, second = subscripts.partition("->")[0].split(",")
    for rows, columns in ((3, 4), (30, 40), (4, 3), (8, 8)):
        sizes = {"a": 2, "b": 5, "i": rows, "j": columns}
        A, x = (random.standard_normal([sizes[k] for k in row]) for row in (first, second))
        np.testing.assert_allclose(function(A=A, x=x), np.einsum(subscripts, A, x), rtol=1e-12)


def test_which_call_is_made() -> None:
    function = tcalc.compile(tcalc.parse(PRODUCTS["bij,bi->bj"]))
    assert 'np.einsum("ijk,ij->ik", A, x)' in function.source_for(m=50, n=7, p=9)
    assert "(A.transpose(0, 2, 1) @ x[..., None])[..., 0]" in function.source_for(m=50, n=8, p=8)
