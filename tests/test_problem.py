"""Problems for SciPy's optimisers: values and derivatives of one vector."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad, minimize

import tcalc

RANDOM = np.random.default_rng(0)
DATA = {"X": RANDOM.standard_normal((30, 4)), "y": np.sign(RANDOM.standard_normal(30)), "c": 0.1}
F = tcalc.parse(
    "sum(log(1 + exp(-y.*(X*w + b*ones(m))))) + c*norm2(w)^2 + c*b^2", "X[m,n], y[m], w[n], b, c"
)


@pytest.fixture
def problem():
    return tcalc.problem(F, ["w", "b"], DATA)


def test_vector_and_variables(problem):
    assert problem.x0.tolist() == [0.0] * 5
    values = problem.unpack(np.arange(5.0))
    assert values["w"].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert values["b"] == 4.0
    np.testing.assert_array_equal(problem.pack(values), np.arange(5.0))


def test_derivatives_agree(problem):
    x, p = RANDOM.standard_normal(5), RANDOM.standard_normal(5)
    assert check_grad(problem.fun, problem.jac, x) < 1e-5
    H = problem.hess(x)
    np.testing.assert_allclose(H, H.T, rtol=1e-12)
    np.testing.assert_allclose(problem.hessp(x, p), H @ p, rtol=1e-12)
    step = (problem.jac(x + 1e-5 * p) - problem.jac(x - 1e-5 * p)) / 2e-5
    np.testing.assert_allclose(H @ p, step, rtol=1e-6)


@pytest.mark.parametrize("method", ["BFGS", "Newton-CG", "trust-exact", "trust-krylov"])
def test_optimisers_find_the_minimum(problem, method):
    options = {} if method == "BFGS" else {"hess": problem.hess}
    if method in ("Newton-CG", "trust-krylov"):
        options = {"hessp": problem.hessp}
    found = minimize(problem.fun, problem.x0, jac=problem.jac, method=method, **options)
    assert np.abs(problem.jac(found.x)).max() < 1e-4


def test_mistakes_say_what_is_missing(problem):
    with pytest.raises(tcalc.TcalcError, match="size n of w is not known"):
        tcalc.problem(tcalc.parse("norm2(w)^2", "w[n]"), "w", {})
    start = tcalc.problem(tcalc.parse("norm2(w)^2", "w[n]"), "w", {"w": [1.0, 2.0]})
    assert start.x0.tolist() == [1.0, 2.0]
    with pytest.raises(tcalc.TcalcError, match=r"should have \(5,\)"):
        problem.fun(np.zeros(4))
    with pytest.raises(tcalc.TcalcError, match="b is missing"):
        problem.pack({"w": np.zeros(4)})
    with pytest.raises(tcalc.TcalcError, match="not a variable"):
        tcalc.problem(F, ["v"], DATA)
    with pytest.raises(tcalc.TcalcError, match="no value for A"):
        tcalc.problem(tcalc.parse("A*x"), "x", {})
