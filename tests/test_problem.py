"""Problems for SciPy's optimisers: values and derivatives of one vector."""

from __future__ import annotations

import numpy as np
import pytest
from compilers import needs_compiler
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


@needs_compiler
def test_in_c_all_is_the_same(problem):
    in_c = tcalc.problem(F, ["w", "b"], DATA, backend="c")
    x, p = RANDOM.standard_normal(5), RANDOM.standard_normal(5)
    assert in_c.fun(x) == pytest.approx(problem.fun(x), rel=1e-13)
    np.testing.assert_allclose(in_c.jac(x), problem.jac(x), rtol=1e-12)
    np.testing.assert_allclose(in_c.hess(x), problem.hess(x), rtol=1e-12)
    np.testing.assert_allclose(in_c.hessp(x, p), problem.hessp(x, p), rtol=1e-12)
    found = in_c.minimize("trust-ncg", options={"gtol": 1e-10})
    assert found.success
    # Steps end where the value does not tell them from rounding: at a gradient of about the square
    # root of its precision, times those of the value and of the curvature.
    curvature = np.linalg.norm(problem.hess(found.x), 2)
    precision = 16 * np.finfo(float).eps * abs(found.fun)
    assert np.abs(problem.jac(found.x)).max() < np.sqrt(2 * curvature * precision)


@needs_compiler
def test_in_c_with_constraints_and_newton_steps():
    f = tcalc.parse("norm2(X*w - y)^2", "X[m,n], y[m], w[n]")
    data = {name: DATA[name] for name in ("X", "y")}
    in_c = tcalc.problem(f, "w", data, constraints=["norm2(w)^2 <= 0.01"], backend="c")
    due = tcalc.problem(f, "w", data, constraints=["norm2(w)^2 <= 0.01"])
    found = in_c.minimize("SLSQP", tol=1e-12)
    np.testing.assert_allclose(found.x, due.minimize("SLSQP", tol=1e-12).x, atol=1e-6)
    np.testing.assert_allclose(in_c.newton_step(in_c.x0), due.newton_step(in_c.x0), rtol=1e-10)


def test_what_cannot_be_run_in_c_is_told():
    f = tcalc.parse("derivative(log(normcdf(x)), x, x, x)", "x")
    in_c = tcalc.problem(f, "x", {"x": 1.0}, backend="c")
    with pytest.raises(tcalc.errors.UnsupportedError, match="no C code for log normcdf"):
        in_c.fun(in_c.x0)
    loop = tcalc.recurrence("s{0} = a; for t = 1:T; s{t} = s{t-1}*x[t]; end; s{T}", "a, x[T]")
    with pytest.raises(tcalc.errors.UnsupportedError, match=r'recurrence\(..., backend="c"\)'):
        tcalc.problem(loop, "a", {"x": np.ones(3)}, backend="c")
    with pytest.raises(tcalc.errors.UnsupportedError, match="a problem is not run by 'cupy'"):
        tcalc.problem(F, ["w", "b"], DATA, backend="cupy")


@pytest.mark.parametrize("limits", [{}, {"bounds": {"w": (0, 1)}}, {"constraints": "sum(w) == 1"}])
def test_methods_of_other_packages(limits):
    with pytest.raises(tcalc.TcalcError, match="ipopt") as caught:
        tcalc.problem(F, ["w", "b"], DATA, **limits).minimize("ipopt")
    assert "trust-constr" in str(caught.value.hint)


def test_constraints_whose_gradients_vanish_at_the_start():
    f = tcalc.parse("(1 - x)^2 + (y - x^2)^2", "x, y")
    p = tcalc.problem(f, ["x", "y"], {"x": 0.0, "y": 0.0}, constraints=["x^2 + y^2 == 1"])
    assert "trust-constr" in p.minimize().message
    assert p.minimize(x0={"x": 0.1, "y": 0.2}).success
