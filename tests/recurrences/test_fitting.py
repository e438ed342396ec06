"""Recurrences are fitted as other functions are: by SciPy's optimisers, with exact derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tcalc
from tcalc.errors import DimensionError, UnknownNameError, UnsupportedError

LEVEL = """
tensor y[T], q, r
m{0} = y[1]
P{0} = exp(r)
f{0} = 0
for t = 2:T
    U{t-1} = P{t-2} + exp(q)
    S{t-1} = U{t-1} + exp(r)
    e{t-1} = y[t] - m{t-2}
    m{t-1} = m{t-2} + U{t-1}/S{t-1}*e{t-1}
    P{t-1} = U{t-1} - U{t-1}^2/S{t-1}
    f{t-1} = f{t-2} + (log(S{t-1}) + e{t-1}^2/S{t-1})/2
end
f{T-1}
"""
"""The likelihood of a local level, by Kalman's filter, with logarithms of the variances."""


def data(T: int) -> dict[str, Any]:
    random = np.random.default_rng(4)
    level = np.cumsum(0.5 * random.standard_normal(T))
    return {"y": level + random.standard_normal(T), "q": 0.0, "r": 0.0}


def test_the_likelihood_of_a_long_series_is_maximised() -> None:
    p = tcalc.problem(tcalc.recurrence(LEVEL), ["q", "r"], data(3000))
    for method in (None, "newton", "trust-krylov"):
        found = p.minimize(method)
        assert found.success, found.message
        assert np.abs(p.jac(found.x)).max() < 1e-2
        # the variances that the series was made with
        assert np.exp(found.variables["q"]) == pytest.approx(0.25, rel=0.2)
        assert np.exp(found.variables["r"]) == pytest.approx(1, rel=0.1)


def test_the_derivatives_of_a_problem_are_those_of_the_loop_unrolled() -> None:
    given = data(8)
    kept = tcalc.problem(tcalc.recurrence(LEVEL), ["q", "r"], given)
    unrolled = tcalc.problem(tcalc.parse(LEVEL, T=8), ["q", "r"], given)
    x, p = np.array([0.3, -0.2]), np.array([1.0, 0.5])
    assert kept.fun(x) == pytest.approx(unrolled.fun(x), rel=1e-12)
    np.testing.assert_allclose(kept.jac(x), unrolled.jac(x), rtol=1e-9)
    np.testing.assert_allclose(kept.hess(x), unrolled.hess(x), rtol=1e-9)
    np.testing.assert_allclose(kept.hessp(x, p), unrolled.hessp(x, p), rtol=1e-9)


def test_a_symmetric_variable_and_bounds() -> None:
    text = """
    s{0} = 0
    for t = 1:T
        s{t} = s{t-1} + X[t,1:end]'*K*X[t,1:end] - logdet(K) + exp(-c)*c^2
    end
    s{T}"""
    X = np.random.default_rng(5).standard_normal((40, 3))
    f = tcalc.recurrence(text, "X[T,n], K[n,n] spd, c")
    given = {"X": X, "K": np.eye(3), "c": 0.5}
    p = tcalc.problem(f, ["K", "c"], given, bounds={"c": (0.2, None)})
    assert p.size == 7
    found = p.minimize("L-BFGS-B", tol=1e-12)
    assert found.success, found.message
    np.testing.assert_allclose(found.variables["K"], np.linalg.inv(X.T @ X / 40), rtol=1e-3)
    assert found.variables["c"] == pytest.approx(0.2)


def test_the_evidence_and_products_of_the_hessian() -> None:
    given = data(30)
    f = tcalc.recurrence(LEVEL)
    H = tcalc.hessian_operator(f, ["q", "r"], given)
    unrolled = tcalc.hessian_operator(tcalc.parse(LEVEL, T=30), ["q", "r"], given)
    np.testing.assert_allclose(H @ np.eye(2), unrolled @ np.eye(2), rtol=1e-9)
    evidence = tcalc.laplace(f, ["q", "r"], given).log_evidence
    due = tcalc.laplace(tcalc.parse(LEVEL, T=30), ["q", "r"], given).log_evidence
    assert evidence == pytest.approx(due, rel=1e-6)


def test_what_a_problem_of_a_recurrence_refuses() -> None:
    f, given = tcalc.recurrence(LEVEL), data(5)
    with pytest.raises(UnsupportedError, match="under no constraints"):
        tcalc.problem(f, "q", given, constraints="q <= 1")
    with pytest.raises(UnknownNameError, match="'s' is not an input"):
        tcalc.problem(f, "s", given)
    vector = tcalc.recurrence("v{0} = x; for t = 1:3; v{t} = 2*v{t-1}; end; v{3}", "x[n]")
    with pytest.raises(DimensionError, match="is a scalar, and this one has the axes \\[n\\]"):
        tcalc.problem(vector, "x", {"x": [1.0]})
