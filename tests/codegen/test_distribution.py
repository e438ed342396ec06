"""Products with large sums: multiplied term by term where that is much cheaper."""

from __future__ import annotations

import numpy as np
import pytest
from generated import body

import tcalc

CASES = {
    "a residual of low rank": ("2*(U*V' - T)*V", {"T": "nm", "U": "nk", "V": "mk"}, "U @ V.T"),
    "a projection": (
        "A - Q'*(Q*A) + (eye(n) - Q'*Q)*B",
        {"A": "nk", "Q": "kn", "B": "nk"},
        "zeros",
    ),
    "weighted differences": ("#('ij,ik->ik', W, X) - W*X", {"W": "nn", "X": "nk"}, "None, :]"),
}
SIZES = {"n": 80, "m": 90, "k": 3}


@pytest.mark.parametrize("name", CASES)
def test_the_sum_is_not_formed(name: str) -> None:
    text, inputs, formed = CASES[name]
    declared = ", ".join(f"{x}[{','.join(axes)}]" for x, axes in inputs.items())
    expression = tcalc.parse(text.replace("'ij,ik->ik'", '"ij,ik->ik"'), declared)
    rng = np.random.default_rng(0)
    data = {x: rng.normal(size=[SIZES[a] for a in axes]) for x, axes in inputs.items()}
    fun = tcalc.compile(expression)
    due = tcalc.evaluate(expression, **data)
    np.testing.assert_allclose(fun(**data), due, rtol=1e-9, atol=1e-9)
    assert formed not in body(fun)


def test_differences_of_rows_are_not_formed_for_a_gradient() -> None:
    f = tcalc.parse("s[i,j] = (X[i,k] - X[j,k])^2\nsum(sqrt(s + 1e-6))", "X[n,k]")
    gradient = tcalc.gradient(f, "X")
    X = np.random.default_rng(0).normal(size=(100, 3))
    fun = tcalc.compile([f, gradient])
    value, slope = fun(X=X)
    gaps = X[:, None] - X
    roots = np.sqrt((gaps**2).sum(axis=2) + 1e-6)
    np.testing.assert_allclose(value, roots.sum())
    np.testing.assert_allclose(slope, 2 * (gaps / roots[:, :, None]).sum(axis=1), atol=1e-9)
    assert "None, :]" not in body(fun)
    assert body(fun).count("np.sqrt") == 1


def test_small_sums_are_formed() -> None:
    fun = tcalc.compile(tcalc.parse("(U*V' - T)*V", "T[n,m], U[n,k], V[m,k]"))
    fun(T=np.ones((4, 5)), U=np.ones((4, 1)), V=np.ones((5, 1)))
    assert "U.dot(V.T)" in body(fun)


def test_products_stay_as_they_are_where_that_is_asked() -> None:
    f = tcalc.parse("(U*V' - T)*V", "T[n,m], U[n,k], V[m,k]")
    fun = tcalc.compile(f, reorder=False)
    fun(T=np.ones((80, 90)), U=np.ones((80, 1)), V=np.ones((90, 1)))
    assert "U @ V.T" in body(fun)


@pytest.mark.parametrize("text", ["(X*inv(X'*X)*X')*y", "y'*(eye(m) - X*inv(X'*X)*X')*y"])
def test_what_is_computed_once_is_distributed_too(text: str) -> None:
    f = tcalc.parse(text, "X[m,n], y[m]")
    fun = tcalc.compile(tcalc.jacobian(f, "X", mode="forward"))
    rng = np.random.default_rng(0)
    data = {"X": rng.normal(size=(40, 10)), "y": rng.normal(size=40)}
    bound = fun.bind(**data)
    assert bound.peak_memory(m=40, n=10) <= 1.01 * fun.peak_memory(m=40, n=10)
    np.testing.assert_allclose(bound(), fun(**data), rtol=1e-9, atol=1e-9)
