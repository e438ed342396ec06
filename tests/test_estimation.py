"""Estimators for Hessians that are never formed, against the dense ones."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, eigsh, gmres

import tcalc
from tcalc.errors import ArgumentError, DomainError

RANDOM = np.random.default_rng(0)
M, N = 120, 40
LOGISTIC = tcalc.parse(
    "sum(log(1 + exp(-y .* (X*w + b)))) + norm2(w)^2/2 + b^2", "X[m,n], y[m], w[n], b"
)
DATA = {
    "X": RANDOM.standard_normal((M, N)) * np.linspace(0.2, 3, N),
    "y": np.sign(RANDOM.standard_normal(M)),
    "w": 0.1 * RANDOM.standard_normal(N),
    "b": 0.2,
}
H = tcalc.hessian_operator(LOGISTIC, ["w", "b"], DATA)
DENSE = H.dense()
SIZE = N + 1


def fresh():
    return tcalc.hessian_operator(LOGISTIC, ["w", "b"], DATA)


def test_it_is_a_linear_operator_of_scipys():
    assert isinstance(H, LinearOperator)
    v, V = RANDOM.standard_normal(SIZE), RANDOM.standard_normal((SIZE, 5))
    np.testing.assert_allclose(H @ v, DENSE @ v, rtol=1e-11)
    np.testing.assert_allclose(H @ V, DENSE @ V, rtol=1e-11)
    np.testing.assert_allclose(H.T @ v, DENSE @ v, rtol=1e-11)
    np.testing.assert_allclose(eigsh(H, 3)[0], np.linalg.eigvalsh(DENSE)[-3:], rtol=1e-9)
    x, code = gmres(H, v, rtol=1e-10)
    assert code == 0
    np.testing.assert_allclose(DENSE @ x, v, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("method", ["hutch++", "hutchinson"])
def test_the_trace_is_within_its_standard_error(method):
    exact = np.trace(DENSE)
    operator = fresh()
    value, error = estimate = operator.trace(36, method=method, seed=np.random.default_rng(3))
    assert abs(value - exact) < 4 * error
    assert 0 < error < 0.1 * exact
    assert estimate.products == operator.products == 36
    assert "±" in str(estimate)


def test_standard_errors_are_honest():
    # Of forty estimates about 95 % lie within two standard errors.
    exact, diagonal = np.trace(DENSE), np.diag(DENSE)
    within = [abs(v - exact) < 2 * e for v, e in (H.trace(33, seed=k) for k in range(40))]
    assert sum(within) >= 32
    value, error = H.diagonal(60, "sampled", seed=1)
    assert np.mean(np.abs(value - diagonal) < 2 * error + 1e-12) > 0.85


def test_a_diagonal_of_few_rows_is_exact():
    found = H.diagonal()
    np.testing.assert_allclose(found.value, np.diag(DENSE), rtol=1e-12)
    assert (found.products, found.error.max(), found.method) == (SIZE, 0, "exact")
    assert H.diagonal(SIZE - 1).products == SIZE - 1
    np.testing.assert_allclose(H.diagonal(5, "exact").value, np.diag(DENSE), rtol=1e-12)
    one = tcalc.hessian_operator(tcalc.parse("norm2(A*X)^2"), "X", {"A": np.eye(3), "X": np.eye(3)})
    np.testing.assert_array_equal(one.diagonal().value, np.full(9, 2.0))
    with pytest.raises(ArgumentError, match="no method 'magic'"):
        H.diagonal(method="magic")


def test_hutchpp_is_more_exact_where_few_eigenvalues_are_large():
    f = tcalc.parse("norm2(A*x)^2/2", "A[m,n], x[n]")
    A = RANDOM.standard_normal((200, 150)) * np.concatenate([[100.0] * 5, np.full(145, 0.1)])
    operator = tcalc.hessian_operator(f, "x", {"A": A, "x": np.zeros(150)})
    assert operator.trace(60).error < operator.trace(60, method="hutchinson").error / 20


def test_exact_traces_and_determinants_by_structure():
    f = tcalc.parse("norm2(U*V' - T)^2", "U[m,k], V[n,k], T[m,n]")
    data = {"U": np.zeros((200, 3)), "V": RANDOM.standard_normal((50, 3)), "T": np.ones((200, 50))}
    operator = tcalc.hessian_operator(f, "U", data)
    C = 2 * data["V"].T @ data["V"]
    trace, logdet = operator.trace(method="exact"), operator.logdet()
    assert trace.value == pytest.approx(200 * np.trace(C))
    assert logdet.value == pytest.approx(200 * np.linalg.slogdet(C)[1])
    assert (logdet.error, logdet.products, operator.products) == (0, 0, 0)
    assert "structure" in logdet.method
    b = RANDOM.standard_normal(600)
    np.testing.assert_allclose(operator @ operator.solve(b), b, rtol=1e-10)


def test_extreme_eigenvalues():
    w = np.linalg.eigvalsh(DENSE)
    np.testing.assert_allclose(H.extreme_eigenvalues(), (w[0], w[-1]), rtol=1e-7)


@pytest.mark.parametrize("method", ["auto", "cg", "minres"])
def test_solve(method):
    b = RANDOM.standard_normal(SIZE)
    x = H.solve(b, method=method)
    np.testing.assert_allclose(DENSE @ x, b, rtol=1e-6, atol=1e-7)


def test_solves_that_fail_say_so():
    with pytest.raises(ArgumentError, match=r"shape \(3,\), and should have \(41,\)"):
        H.solve(np.ones(3))
    with pytest.raises(ArgumentError, match=r"not finite at w\[2\]"):
        H.solve(np.where(np.arange(SIZE) == 1, np.nan, 1.0))
    with pytest.raises(DomainError, match="no solution was found: the residual"):
        H.solve(np.ones(SIZE), method="cg", maxiter=2)
    with pytest.raises(ArgumentError, match="no structure"):
        H.solve(np.ones(SIZE), method="structure")
    with pytest.raises(ArgumentError, match="no method 'lu'"):
        H.solve(np.ones(SIZE), method="lu")


def test_the_log_determinant_by_lanczos_quadrature():
    exact = np.linalg.slogdet(DENSE)[1]
    assert H.logdet().value == pytest.approx(exact, rel=1e-12)
    value, error = estimate = fresh().logdet(40, 30, method="lanczos", seed=2)
    assert abs(value - exact) < 4 * error
    assert 0 < error < 0.1 * abs(exact)
    assert estimate.products == 40 * 30


def test_lanczos_quadrature_is_exact_with_all_steps_up_to_sampling():
    v = RANDOM.standard_normal(SIZE)
    diagonal, beside = H.lanczos(v, SIZE)
    T = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
    np.testing.assert_allclose(np.linalg.eigvalsh(T), np.linalg.eigvalsh(DENSE), rtol=1e-8)


def test_an_indefinite_hessian_has_no_log_determinant():
    f = tcalc.parse("sum(x.^4)/12 - norm2(x)^2/2 + (sum(x))^2", "x[n]")
    operator = tcalc.hessian_operator(f, "x", {"x": np.zeros(30)})
    for method in ("exact", "lanczos"):
        with pytest.raises(DomainError, match="not positive definite"):
            operator.logdet(method=method)
    x = operator.solve(np.ones(30), method="minres")
    np.testing.assert_allclose(operator @ x, np.ones(30), rtol=1e-8)


@pytest.mark.parametrize("n", [2, 30, 2000])
@pytest.mark.parametrize("text", ["-norm2(x)^2", "norm2(x)^2 - (v'*x)^2 - (u'*x)^2"])
def test_a_determinant_is_positive_where_an_even_number_of_eigenvalues_is_negative(text, n):
    f = tcalc.parse(text, "x[n], u[n], v[n]")
    data = {"x": np.zeros(n), "u": np.arange(1.0, n + 1), "v": np.cos(np.arange(n)) + 2}
    with pytest.raises(DomainError, match="not positive definite"):
        tcalc.hessian_operator(f, "x", data).logdet()
    indefinite = tcalc.parse("d'*x.^2 + (d[1]*x[1])^2*4 + (d[2]*x[2])^2*4", "x[n], d[n]")
    data = {"x": np.zeros(n), "d": np.where(np.arange(n) < 2, -1.0, 1.0)}
    found = tcalc.hessian_operator(indefinite, "x", data).logdet()
    assert found.value == pytest.approx(2 * np.log(6) + (n - 2) * np.log(2))


def test_sampling_can_be_ended_and_is_not_lost():
    seen = []

    def stop(estimate):
        seen.append(estimate)
        return len(seen) == 2

    found = H.trace(1000, method="hutchinson", callback=stop)
    assert (found.products, found.ended) == (16, "ended by the callback")

    def interrupt(estimate):
        if estimate.products >= 24:
            raise KeyboardInterrupt

    found = H.diagonal(1000, "sampled", callback=interrupt)
    assert (found.products, found.ended) == (24, "interrupted")
    assert found.value.shape == (SIZE,)


def test_wrong_options():
    with pytest.raises(ArgumentError, match="no method 'magic'"):
        H.trace(10, method="magic")
    with pytest.raises(ArgumentError, match="0 is no number of samples"):
        H.diagonal(0)
    with pytest.raises(tcalc.TcalcError, match="scalar"):
        tcalc.hessian_operator(tcalc.parse("A*x"), "x", {"A": np.eye(2), "x": np.ones(2)})


class TestLaplace:
    def test_it_is_exact_for_a_gaussian(self):
        # Bayesian linear regression: the evidence is that of y ~ N(0, I + X X').
        X, y = RANDOM.standard_normal((30, 4)), RANDOM.standard_normal(30)
        f = tcalc.parse(
            "norm2(X*w - y)^2/2 + norm2(w)^2/2 + (m + n)/2*log(2*pi)", "X[m,n], y[m], w[n]"
        )
        found = tcalc.laplace(f, "w", {"X": X, "y": y})
        C = np.eye(30) + X @ X.T
        expected = -(y @ np.linalg.solve(C, y) + np.linalg.slogdet(2 * np.pi * C)[1]) / 2
        assert found.log_evidence == pytest.approx(expected, rel=1e-10)
        assert found.error == 0
        np.testing.assert_allclose(
            found.covariance(np.eye(4)[0]), np.linalg.inv(X.T @ X + np.eye(4))[0], atol=1e-8
        )
        assert "log evidence" in str(found)

    def test_a_point_that_is_no_mode_is_refused(self):
        f = tcalc.parse("norm2(w - 1)^2", "w[n]")
        with pytest.raises(DomainError, match=r"no mode: the derivative by w\[1\] is -2.0e\+00"):
            tcalc.laplace(f, "w", {"w": np.zeros(2)}, minimise=False)

    @pytest.mark.parametrize("units", [1e-12, 1e-4, 1e4, 1e75])
    @pytest.mark.parametrize("method", ["trust-krylov", "L-BFGS-B", "Nelder-Mead"])
    def test_the_units_of_a_variable_do_not_matter(self, units, method):
        f = tcalc.parse("norm2(w/u - y)^2/2 + norm2(w/u)^2/2", "w[n], y[n], u")
        y = np.array([1.0, -3.0])
        data = {"y": y, "u": units, "w": 8 * units * np.ones(2)}
        found = tcalc.laplace(f, "w", data, method=method)
        exact = -y @ y / 4 + np.log(np.pi) + 2 * np.log(units)
        assert found.log_evidence == pytest.approx(exact, rel=1e-9)
        data["w"] = units * np.array([0.5, -1.4])
        with pytest.raises(DomainError, match=r"no mode: .* the minimum about 1.0e-02 below"):
            tcalc.laplace(f, "w", data, minimise=False)

    def test_a_mode_is_exact_where_the_optimiser_ends_early(self):
        f = tcalc.parse("tr(K) - logdet(K)", "K[n,n] spd")
        found = tcalc.laplace(f, "K", {"K": 2 * np.eye(2)})
        np.testing.assert_allclose(found.mode["K"], np.eye(2), atol=1e-7)
        assert found.logdet.value == pytest.approx(np.log(2), rel=1e-6)

    def test_an_estimated_determinant_has_its_error(self, monkeypatch):
        monkeypatch.setattr("tcalc.estimation.operator.DENSE", 1)
        monkeypatch.setattr("tcalc.estimation.operator.HessianOperator.factored", None)
        found = tcalc.laplace(LOGISTIC, ["w", "b"], DATA)
        monkeypatch.undo()
        exact = tcalc.laplace(LOGISTIC, ["w", "b"], DATA)
        assert found.error > 0
        assert exact.error == 0
        assert abs(found.log_evidence - exact.log_evidence) < 4 * found.error


def test_directions_of_a_wrong_shape_say_what_they_should_be():
    H = tcalc.hessian_operator(tcalc.parse("sum(exp(w))", "w[3]"), "w", {"w": np.zeros(3)})
    for wrong in (np.ones(2), np.ones((2, 3)), np.ones((3, 1, 1))):
        with pytest.raises(ArgumentError, match=r"should have \(3,\), the entries of w"):
            H @ wrong
    np.testing.assert_allclose((2 * H) @ np.ones(3), 2)
    np.testing.assert_allclose((H @ H) @ np.ones(3), 1)


def test_operators_pickle():
    f = tcalc.parse("sum(exp(A*w)) + norm2(w)^2", "A[m,n], w[n]")
    H = tcalc.hessian_operator(f, "w", {"A": np.eye(3), "w": np.zeros(3)})
    expected = H @ np.ones(3)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(H)) @ np.ones(3), expected)
