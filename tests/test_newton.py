"""Newton's method at saddles, and runs that step out of a function's domain."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc
from tcalc.errors import ArgumentError
from tcalc.optimisation.rounding import at_minimum


class TestSaddles:
    def test_a_maximum_is_left(self):
        f = tcalc.parse("sum(x.^4/4 - x.^2/2)", "x[n]")
        found = tcalc.problem(f, "x", {"x": np.zeros(3)}).minimize("newton")
        assert found.success
        np.testing.assert_allclose(np.abs(found.x), 1, atol=1e-8)

    def test_a_saddle_that_newtons_step_leads_to_is_left(self):
        p = tcalc.problem(tcalc.parse("a^2 - b^2 + b^4"), ["a", "b"], {"a": 1.0, "b": 0.0})
        found = p.minimize("newton")
        assert found.success
        assert found.fun == pytest.approx(-0.25)

    def test_many_variables_by_lanczos(self):
        f = tcalc.parse("sum(d .* x.^2) + sum(x.^4)", "d[n], x[n]")
        d = np.linspace(0.5, 4, 300)
        d[17] = -1.0
        found = tcalc.problem(f, "x", {"d": d, "x": np.zeros(300)}).minimize("newton")
        assert found.success
        assert abs(found.x[17]) == pytest.approx(0.5**0.5)
        assert found.fun == pytest.approx(-0.25)

    def test_a_saddle_that_the_iterations_do_not_suffice_to_leave_is_told(self):
        p = tcalc.problem(tcalc.parse("b^4 - b^2"), "b", {"b": 0.0})
        found = p.minimize("newton", options={"maxiter": 0})
        assert not found.success
        assert "a saddle or a maximum" in found.message

    def test_a_minimum_with_a_singular_hessian_is_one(self):
        f = tcalc.parse("norm2(X*w)^2", "X[m,n], w[n]")
        found = tcalc.problem(f, "w", {"X": np.ones((2, 150)), "w": np.ones(150)}).minimize(
            "newton"
        )
        assert found.success
        assert found.fun < 1e-12

    def test_a_factorisation_of_a_matrix_is_the_best_from_the_saddle_at_zero(self):
        # Any U*A and V*inv(A)' are as good: the Hessian is singular everywhere.
        f = tcalc.parse("norm2(U*V' - T)^2", "U[m,k], V[n,k], T[m,n]")
        T = np.random.default_rng(0).standard_normal((30, 20))
        data = {"U": np.zeros((30, 3)), "V": np.zeros((20, 3)), "T": T}
        found = tcalc.problem(f, ["U", "V"], data).minimize("newton")
        assert found.success
        left_out = np.linalg.svd(T, compute_uv=False)[3:]
        assert found.fun == pytest.approx(left_out @ left_out)

    @pytest.mark.parametrize("text", ["{}*(sum(exp(x)) - 2*sum(x))", "{} + sum(exp(x)) - 2*sum(x)"])
    @pytest.mark.parametrize("size", [1e-9, 1e9])
    def test_a_gradient_of_rounding_only_ends_the_run_well(self, text, size):
        p = tcalc.problem(tcalc.parse(text.format(size), "x[n]"), "x", {"x": np.full(3, 5.0)})
        found = p.minimize("newton", tol=1e-8 * min(size, 1))
        assert found.success
        assert found.nit < 12
        np.testing.assert_allclose(found.x, np.log(2), rtol=1e-7)

    def test_units_of_the_variables_do_not_matter(self):
        f = tcalc.parse("tr(S*K) - logdet(K)", "K[n,n] spd, S[n,n] spd")
        S = np.diag([1e-4, 1.0, 1e4])
        found = tcalc.problem(f, "K", {"S": S, "K": np.eye(3)}).minimize("newton", tol=1e-12)
        assert found.success
        np.testing.assert_allclose(found.variables["K"] @ S, np.eye(3), atol=1e-6)


class TestEndsByRounding:
    """Runs without a tolerance, which end where a line search finds no lower value."""

    WITHOUT = (
        ("BFGS", {"gtol": 0.0}),
        ("Newton-CG", {"xtol": 0.0}),
        ("trust-exact", {"gtol": 0.0}),
        ("trust-ncg", {"gtol": 0.0}),
    )

    @pytest.mark.parametrize(("method", "options"), WITHOUT)
    def test_at_a_minimum_they_are_successes(self, method, options):
        f = tcalc.parse("sum(log(1 + exp(-y .* (X*w)))) + norm2(w)^2/2", "X[m,n], y[m], w[n]")
        random = np.random.default_rng(0)
        X, y = random.standard_normal((200, 20)), random.choice([-1.0, 1.0], 200)
        p = tcalc.problem(f, "w", {"X": X, "y": y})
        found = p.minimize(method, options=options)
        assert found.success, found.message
        best = p.minimize("newton")
        np.testing.assert_allclose(found.x, best.x, atol=1e-6)

    def test_at_bounds_too(self):
        f = tcalc.parse("sum(exp(x)) - a*sum(x)", "x[n], a")
        start = np.array([5.0, 2.0, 1.0])
        p = tcalc.problem(f, "x", {"x": start, "a": 2.0}, bounds={"x": ([0.9, 0.1, 0.9], 9)})
        x = np.array([0.9, np.log(2), np.nextafter(0.9, 1)])
        assert at_minimum(p, x, p.fun(x), p.jac(x))
        for away in ([1e-3, 0, 0], [0, 1e-3, 0], [0, -1e-3, 0], [0, 0, 1e-3]):
            assert not at_minimum(p, x + away, p.fun(x + away), p.jac(x + away))

    @pytest.mark.parametrize("method", ["BFGS", "CG", "trust-ncg"])
    def test_at_a_kink_they_are_none(self, method):
        f = tcalc.parse("sum(abs(x - c)) + norm2(x)^2/9", "x[n], c[n]")
        data = {"c": np.array([1.0, 0.3, 0.7]), "x": np.full(3, 5.0)}
        assert not tcalc.problem(f, "x", data).minimize(method).success

    def test_near_a_saddle_they_are_none(self):
        p = tcalc.problem(tcalc.parse("a^2 - b^2 + 1"), ["a", "b"], {})
        x = np.array([0.0, 1e-10])
        assert not at_minimum(p, x, p.fun(x), p.jac(x))

    def test_functions_without_second_derivatives_are_not_judged(self):
        once = tcalc.function(
            "once",
            "x[n] -> y",
            lambda x: x @ x,
            pushforward=lambda x, y, dx: 2 * x @ dx,
            pullback=lambda x, y, y_bar: 2 * y_bar * x,
        )
        f = tcalc.parse("once(x - 1) + norm2(x)^2", "x[n]", functions=[once])
        p = tcalc.problem(f, "x", {"x": np.full(3, 5.0)})
        with pytest.raises(tcalc.TcalcError):
            p.hessp(p.x0, p.x0)
        found = p.minimize("BFGS", options={"gtol": 0.0})
        np.testing.assert_allclose(found.x, 0.5, atol=1e-6)


class TestDomains:
    @pytest.mark.parametrize("method", ["trust-exact", "trust-krylov", "Newton-CG"])
    def test_a_hessian_outside_of_the_domain_does_not_end_a_run(self, method):
        f = tcalc.parse("norm2(P - C)^2 + tr(inv(P))", "P[n,n] spd, C[n,n] symmetric")
        C = np.array([[5.0, -2.0], [-2.0, -1.0]])
        p = tcalc.problem(f, "P", {"C": C, "P": np.diag([0.1, 10.0])})
        found = p.minimize(method)
        assert found.success, found.message
        assert np.linalg.eigvalsh(found.variables["P"])[0] > 0

    def test_a_function_without_a_minimum_is_no_success(self):
        found = tcalc.problem(tcalc.parse("-exp(a)"), "a", {"a": 1.0}).minimize("BFGS")
        assert not found.success
        assert np.isfinite(found.fun)
        assert "exp(a) is not" in found.message

    def test_what_scipy_refuses(self):
        with pytest.raises(ArgumentError, match="Unknown solver foo"):
            tcalc.problem(tcalc.parse("a^2"), "a", {"a": 1.0}).minimize("foo")
