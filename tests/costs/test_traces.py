"""A trace of a product with an inverse, beside its gradient: taken of what is solved for."""

from __future__ import annotations

import numpy as np
import pytest
from counting import operations

import tcalc

TRACES = [
    ("tr(inv(X)*A)", "X[n,n], A[n,n]", 2 / 3 + 4),
    ("tr(A*inv(X'))", "X[n,n], A[n,n]", 2 / 3 + 4),
    ("tr(X\\A)", "X[n,n] spd, A[n,n]", 1 / 3 + 4),
    ("tr(X\\A)", "X[n,n] spd, A[n,n] symmetric", 1 / 3 + 4),
]


@pytest.mark.parametrize(("text", "declared", "cubes"), TRACES)
def test_value_and_gradient(text: str, declared: str, cubes: float) -> None:
    # A factorisation, and two systems with as many columns as rows; no inverse.
    n = 80
    f = tcalc.parse(text, declared)
    many = [f, tcalc.gradient(f, "X")]
    random = np.random.default_rng(1)
    B, A = random.standard_normal((2, n, n))
    data = {"X": B @ B.T / n + np.eye(n), "A": A + A.T if "symmetric" in declared else A}
    function = tcalc.compile(many)
    found, results = operations(function.source_for(n=n), data)
    assert found <= cubes * n**3 + 8 * n**2
    for one, result in zip(many, results, strict=True):
        np.testing.assert_allclose(result, tcalc.evaluate(one, **data), rtol=1e-8, atol=1e-8)


def test_an_inverse_that_is_needed_anyway_is_multiplied_by() -> None:
    f = tcalc.parse("tr(X\\A) + logdet(X)", "X[n,n] spd, A[n,n]")
    n = 80
    random = np.random.default_rng(1)
    B, A = random.standard_normal((2, n, n))
    data = {"X": B @ B.T / n + np.eye(n), "A": A}
    many = [f, tcalc.gradient(f, "X")]
    found, results = operations(tcalc.compile(many).source_for(n=n), data)
    assert found <= (1 / 3 + 2 / 3 + 4) * n**3 + 12 * n**2
    for one, result in zip(many, results, strict=True):
        np.testing.assert_allclose(result, tcalc.evaluate(one, **data), rtol=1e-8, atol=1e-8)
