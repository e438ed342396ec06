"""Second derivatives of functions of differences: every term is computed from one side only."""

from __future__ import annotations

import numpy as np

import tcalc

DISTANCES = "tensor X[n,d]\nR[i,j] = sqrt((X[i,k] - X[j,k])^2 + 1e-6)\nsum(R)"
DIFFERENCES = "tensor X[n,d]\nD[i,k,j] = X[i,k] - X[j,k]\nD"


def test_both_sides_of_a_difference_are_one_term() -> None:
    H = tcalc.hessian(tcalc.parse(DISTANCES), "X")
    fun = tcalc.compile(H)
    X = np.random.default_rng(0).normal(size=(30, 4))
    found = fun(X=X)
    np.testing.assert_allclose(found, tcalc.evaluate(H, X=X), rtol=1e-9, atol=1e-9)
    assert found.dtype == X.dtype
    row = tcalc.cost(tcalc.parse(DISTANCES), "X", 2, modes=["cross-country"]).row()
    # One product of the differences at all pairs of points and coordinates, and what is diagonal.
    assert row.flops.coefficient("n", "n", "d", "d") <= 3


def test_what_is_not_antisymmetric_keeps_its_indices() -> None:
    E = tcalc.parse("(X[i,k] - 2*X[j,k])*W[i,j] + (X[j,k] - 2*X[i,k])*W[j,i]", "X[n,d], W[n,n]")
    rng = np.random.default_rng(1)
    data = {"X": rng.normal(size=(5, 3)), "W": rng.normal(size=(5, 5))}
    np.testing.assert_allclose(tcalc.compile(E)(**data), tcalc.evaluate(E, **data), rtol=1e-12)


def test_a_sign_is_kept_where_indices_are_exchanged() -> None:
    text = "T[i,j,k] = W[j,i]*(X[j,k] - X[i,k])^3 + 2*W[i,j]*(X[i,k] - X[j,k])*Y[i,k]\nT"
    E = tcalc.parse(text, "X[n,d], Y[n,d], W[n,n] symmetric")
    rng = np.random.default_rng(2)
    W = rng.normal(size=(6, 6))
    data = {"X": rng.normal(size=(6, 3)), "Y": rng.normal(size=(6, 3)), "W": W + W.T}
    np.testing.assert_allclose(tcalc.compile(E)(**data), tcalc.evaluate(E, **data), rtol=1e-11)


def test_transposes_that_are_repeated_are_laid_out_where_they_are_not_small() -> None:
    fun = tcalc.compile(tcalc.parse(DIFFERENCES))
    assert "X.T.copy()" in fun.source_for(n=100, d=3)
    assert "copy()" not in tcalc.compile(tcalc.parse(DIFFERENCES)).source_for(n=5, d=3)
    X = np.random.default_rng(3).normal(size=(100, 3))
    np.testing.assert_allclose(fun(X=X), X[:, :, None] - X.T)
