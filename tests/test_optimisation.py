"""Optimisation: packing, constraints, residuals, Newton steps, and runs that are not lost."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pytest
from scipy.optimize import minimize

import tcalc
from tcalc.errors import ArgumentError

RANDOM = np.random.default_rng(0)


@pytest.mark.slow
def test_newton_cg_beats_bfgs_on_a_logistic_regression_of_20000_by_200():
    rng = np.random.default_rng(0)
    m, n = 20_000, 200
    X = rng.standard_normal((m, n)) / 2 + rng.standard_normal((m, 1))
    w = rng.standard_normal(n) / np.sqrt(n)
    y = np.where(rng.random(m) < 1 / (1 + np.exp(-X @ w)), 1.0, -1.0)
    f = tcalc.parse("sum(log(1 + exp(-y .* (X*w)))) + norm2(w)^2/2", "X[m,n], y[m], w[n]")
    p = tcalc.problem(f, "w", {"X": X, "y": y})
    # Vectors of m entries, and no matrix: the factored Hessian, λ I + X' D X, needs no more.
    product = p.derivatives.product
    assert product.peak_memory(m=m, n=n) <= 4 * m * 8 + 4 * n * 8
    enough = 1e-6 * np.abs(p.fun_and_jac(p.x0)[1]).max()
    p.hessp(p.x0, p.x0)  # compiles
    times, values = {}, {}
    for method, options in (("Newton-CG", {"xtol": 0.0}), ("BFGS", {"gtol": 0.0})):
        start = time.process_time()
        found = p.minimize(method, callback=lambda now: now.gradient <= enough, options=options)
        times[method] = time.process_time() - start
        values[method] = found.fun
        assert np.abs(p.jac(found.x)).max() <= enough
    assert values["Newton-CG"] == pytest.approx(values["BFGS"], rel=1e-8)
    assert times["Newton-CG"] < times["BFGS"], times


def differences(f, x, step=1e-6):
    return np.array([(f(x + step * e) - f(x - step * e)) / (2 * step) for e in np.eye(len(x))])


class TestPacking:
    def test_structured_variables_have_their_free_entries_only(self):
        f = tcalc.parse(
            "tr(S*A) - logdet(S) + norm2(L)^4 + sum(exp(D)) + norm2(v)^2",
            "S[n,n] spd, A[n,n], L[n,n] lower, D[n,n] diagonal, v[n]",
        )
        B = RANDOM.standard_normal((3, 3))
        data = {"A": B, "S": B @ B.T + np.eye(3)}
        p = tcalc.problem(f, ["S", "L", "D", "v"], data)
        assert p.size == 6 + 6 + 3 + 3
        x = p.x0 + 0.1 * RANDOM.standard_normal(p.size)
        values = p.unpack(x)
        np.testing.assert_array_equal(values["S"], values["S"].T)
        np.testing.assert_array_equal(values["L"], np.tril(values["L"]))
        np.testing.assert_array_equal(p.pack(values), x)
        np.testing.assert_allclose(p.jac(x), differences(p.fun, x), rtol=1e-6, atol=1e-7)
        H = p.hess(x)
        np.testing.assert_allclose(H, H.T, atol=1e-12)
        np.testing.assert_allclose(H, differences(p.jac, x), rtol=1e-6, atol=1e-6)
        d = RANDOM.standard_normal(p.size)
        np.testing.assert_allclose(p.hessp(x, d), H @ d, rtol=1e-11)
        np.testing.assert_allclose(p.hessian_operator(x) @ d, H @ d, rtol=1e-11)

    def test_stacks_of_symmetric_matrices(self):
        f = tcalc.parse("sum(logdet(S)) - sum(S[b,i,i]^2)", "S[b,n,n] spd")
        p = tcalc.problem(f, "S", {"S": np.stack([np.eye(2), 2 * np.eye(2)])})
        assert p.size == 6
        x = p.x0 + 0.1
        np.testing.assert_allclose(p.jac(x), differences(p.fun, x), rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(p.hess(x), differences(p.jac, x), rtol=1e-6, atol=1e-6)

    def test_entries_are_named_as_in_the_language(self):
        p = tcalc.problem(tcalc.parse("norm2(S)^2 + c", "S[2,2] symmetric, c"), ["S", "c"], {})
        assert [p.name(k) for k in range(4)] == ["S[1,1]", "S[1,2]", "S[2,2]", "c"]

    def test_a_start_that_breaks_the_structure_is_refused(self):
        f = tcalc.parse("norm2(S)^2", "S[n,n] symmetric")
        with pytest.raises(ArgumentError, match="S was declared symmetric, and is not"):
            tcalc.problem(f, "S", {"S": [[1.0, 2.0], [0.0, 1.0]]})


class TestConstraints:
    F = tcalc.parse("w'*C*w - m'*w", "w[n], C[n,n] spd, m[n]")
    C = np.diag([1.0, 2.0, 4.0])
    DATA = {"C": C, "m": np.array([1.0, 1.0, 1.0]), "w": np.full(3, 1 / 3)}  # noqa: RUF012

    @pytest.mark.parametrize("method", ["SLSQP", "trust-constr"])
    def test_equations_and_inequalities(self, method):
        required = ["sum(w) == 1", "norm2(w)^2 <= 0.36"]
        p = tcalc.problem(self.F, "w", self.DATA, bounds={"w": (0.1, None)}, constraints=required)
        found = p.minimize(method, tol=1e-10)
        w = found.variables["w"]
        assert abs(w.sum() - 1) < 1e-6
        assert w @ w < 0.36 + 1e-6
        assert w.min() > 0.1 - 1e-6
        assert max(found.violations.values(), default=0) < 1e-6

    def test_the_known_optimum_under_an_equation(self):
        # Σ w = 1 with ∇f = λ 1: w = C⁻¹ (m + λ 1)/2.
        assert tcalc.problem(self.F, "w", self.DATA).constraints == []
        p = tcalc.problem(self.F, "w", self.DATA, constraints=["1 == sum(w)"])
        inverse = np.diag(1 / np.diag(self.C))
        ones = np.ones(3)
        multiplier = (1 - ones @ inverse @ ones / 2) / (ones @ inverse @ ones / 2)
        expected = inverse @ (ones * (1 + multiplier)) / 2
        for method in ("SLSQP", "trust-constr"):
            found = p.minimize(method, tol=1e-12)
            np.testing.assert_allclose(found.variables["w"], expected, atol=1e-6)

    def test_expressions_and_vector_constraints_with_their_derivatives(self):
        w = self.F.with_node(self.F.variables["w"])
        g = tcalc.combine("exp(x).*x - 1", x=w)
        p = tcalc.problem(self.F, "w", self.DATA, constraints=[(g, "<=", 0), (w, ">=", 0.2)])
        first, second = p.constraints
        x, v = RANDOM.standard_normal(3), RANDOM.standard_normal(3)
        np.testing.assert_allclose(first.jac(x), differences(first.fun, x).T, atol=1e-7)
        curved = differences(lambda x: first.jac(x).T @ v, x)
        np.testing.assert_allclose(first.hess(x, v), curved, atol=1e-6)
        np.testing.assert_allclose(second.fun(x), 0.2 - x)
        np.testing.assert_array_equal(second.hess(x, v), np.zeros((3, 3)))
        (amount,) = p.violations(np.zeros(3)).values()
        assert amount == pytest.approx(0.2)

    @pytest.mark.parametrize("text", ["sum(w)", "0 <= w <= 1", "== 1", "w = 1"])
    def test_what_is_no_constraint_is_refused(self, text):
        with pytest.raises(tcalc.TcalcError, match="not a constraint"):
            tcalc.problem(self.F, "w", self.DATA, constraints=[text])

    def test_names_in_constraints_need_values_and_methods_that_take_them(self):
        with pytest.raises(ArgumentError, match="no value for limit"):
            tcalc.problem(self.F, "w", self.DATA, constraints=["sum(limit.*w) <= 1"])
        p = tcalc.problem(self.F, "w", self.DATA, constraints=["sum(w) == 1"])
        with pytest.raises(ArgumentError, match="BFGS takes no constraints"):
            p.minimize("BFGS")
        p = tcalc.problem(self.F, "w", self.DATA, bounds={"w": (0, 1)})
        with pytest.raises(ArgumentError, match="Newton-CG takes no bounds"):
            p.minimize("Newton-CG")


class TestBounds:
    def test_declared_signs_are_bounds_and_those_given_win(self):
        f = tcalc.parse("a^2 - log(a) + (v - 1)^2 + c^2", "a positive, v nonnegative, c")
        p = tcalc.problem(f, ["a", "v", "c"], {}, bounds={"c": (0.5, 2)})
        assert p.x0.tolist() == [1.0, 0.0, 0.0]
        low, high = p.bounds.lb, p.bounds.ub
        assert 0 < low[0] < 1e-7
        assert (low[1], low[2], high[2]) == (0.0, 0.5, 2.0)
        with pytest.raises(ArgumentError, match=r"out of bounds: c = 0 is not between 0.5 and 2"):
            p.minimize()
        found = p.minimize(x0={"c": 1.0})
        np.testing.assert_allclose(found.x, [np.sqrt(0.5), 1, 0.5], rtol=1e-5)

    @pytest.mark.parametrize(
        ("bounds", "message"),
        [
            ({"z": (0, 1)}, "'z' has bounds, and is not a variable"),
            ({"w": (1, 0)}, r"bounds of w\[1\] leave nothing"),
            ({"w": ([0, 0], None)}, r"shape \(2,\), and should have \(3,\)"),
            ({"w": 3}, "are a pair"),
            ({"w": (1j, 2)}, "complex"),
        ],
    )
    def test_bounds_that_make_no_sense(self, bounds, message):
        with pytest.raises(ArgumentError, match=message):
            tcalc.problem(tcalc.parse("norm2(w)^2", "w[3]"), "w", {}, bounds=bounds)

    def test_of_the_bounds_of_one_entry_the_tightest_counts(self):
        f = tcalc.parse("norm2(G - 1)^2", "G[2,2] symmetric")
        bounds = {"G": ([[0, 0.1], [0.2, 0]], [[9, 0.3], [np.inf, 9]])}
        p = tcalc.problem(f, "G", {"G": 0.25 * np.ones((2, 2))}, bounds=bounds)
        assert (p.bounds.lb.tolist(), p.bounds.ub.tolist()) == ([0, 0.2, 0], [9, 0.3, 9])
        np.testing.assert_allclose(p.minimize().variables["G"], [[1, 0.3], [0.3, 1]], atol=1e-6)


class TestResiduals:
    def test_least_squares(self):
        t = np.linspace(0, 2, 20)
        y = 3 * np.exp(-1.5 * t)
        p = tcalc.problem(tcalc.parse("a*exp(-b*t) - y", "t[m], y[m], a, b"), ["a", "b"], {
            "t": t, "y": y, "a": 1.0, "b": 1.0})  # fmt: skip
        x = np.array([2.0, 0.7])
        np.testing.assert_allclose(p.jac(x), differences(p.fun, x).T, atol=1e-7)
        found = p.least_squares(xtol=1e-15, ftol=1e-15, gtol=1e-15)
        np.testing.assert_allclose(found.x, [3, 1.5], rtol=1e-9)
        assert found.variables["a"] == found.x[0]

    def test_root(self):
        # An eigenvector, whose squared length is its eigenvalue.
        A = np.diag([1.0, 3.0]) + 0.1
        p = tcalc.problem(
            tcalc.parse("A*x - norm2(x)^2*x", "A[2,2], x[2]"), "x", {"A": A, "x": [0.1, 1.5]}
        )
        found = p.root()
        assert found.success
        np.testing.assert_allclose(found.x @ found.x, np.linalg.eigvalsh(A)[-1], rtol=1e-9)

    def test_each_use_has_its_kind_of_function(self):
        scalar = tcalc.problem(tcalc.parse("norm2(x)^2", "x[2]"), "x", {})
        vector = tcalc.problem(tcalc.parse("x - 1", "x[2]"), "x", {})
        tall = tcalc.problem(tcalc.parse("A*x", "A[3,2], x[2]"), "x", {"A": np.ones((3, 2))})
        with pytest.raises(ArgumentError, match="least_squares needs a tensor"):
            scalar.least_squares()
        with pytest.raises(ArgumentError, match=r"hess needs a scalar.*\[2\]"):
            vector.hess(np.zeros(2))
        with pytest.raises(ArgumentError, match="3 equations for 2 unknowns"):
            tall.root()

    def test_what_they_do_not_take_is_refused(self):
        f = tcalc.parse("x.^2 - 1", "x[2]")
        held = tcalc.problem(f, "x", {}, constraints=["sum(x) == 2"])
        with pytest.raises(ArgumentError, match="takes bounds, and no constraints"):
            held.least_squares()
        with pytest.raises(ArgumentError, match="no bounds and no constraints"):
            held.root()
        with pytest.raises(ArgumentError, match="no bounds and no constraints"):
            tcalc.problem(f, "x", {}, bounds={"x": (-1, 1)}).root()
        free = tcalc.problem(f, "x", {"x": [3.0, 3.0]})
        with pytest.raises(ArgumentError, match="Unknown solver foo"):
            free.root(method="foo")
        with pytest.raises(ArgumentError, match="'trf', 'dogbox' or 'lm'"):
            free.least_squares(method="foo")

    def test_a_root_beyond_a_declared_sign_is_none(self):
        p = tcalc.problem(tcalc.parse("stack(a + 2)", "a positive"), "a", {})
        found = p.root()
        assert not found.success
        assert "edge of the domain (the function has no value further on: a was" in found.message

    @pytest.mark.parametrize("solver", ["least_squares", "root"])
    def test_a_run_can_be_watched_and_ended(self, solver, capsys):
        p = tcalc.problem(tcalc.parse("exp(x) - t", "x[n], t[n]"), "x", {
            "t": [3.0, 0.1], "x": [2.0, 2.0]})  # fmt: skip
        run = getattr(p, solver)
        seen = []

        def stop(now):
            seen.append(now)
            return np.bool_(len(seen) == 2)

        ended = run(callback=stop, progress=True)
        assert not ended.success
        assert "ended by the callback after 2 steps" in ended.message
        assert [now.iteration for now in seen] == [1, 2]
        assert seen[1].fun == pytest.approx(np.sum(p.fun(ended.x) ** 2))
        slope = 2 * p.fun(ended.x) @ p.jac(ended.x)
        assert seen[1].gradient == pytest.approx(np.abs(slope).max())
        assert len(capsys.readouterr().err.splitlines()) == 2
        assert run().success

    @pytest.mark.parametrize("method", ["trf", "dogbox", "lm"])
    def test_a_step_out_of_the_domain_is_taken_back(self, method):
        f = tcalc.parse("stack(logdet(K) - 1, tr(K) - 5, K[1,2])", "K[2,2] spd")
        p = tcalc.problem(f, "K", {"K": np.diag([30.0, 0.1])})
        found = p.least_squares(method=method)
        assert found.success, found.message
        assert np.abs(p.fun(found.x)).max() < 1e-6

    @pytest.mark.parametrize("solver", ["least_squares", "root"])
    def test_a_run_on_residuals_that_breaks_off_is_not_lost(self, solver):
        calls = []

        def brittle(x):
            calls.append(x)
            if len(calls) > 10:
                raise np.linalg.LinAlgError("it broke")
            return np.exp(x)

        fun = tcalc.function("brittle", "x[n] -> y[n]", brittle, pushforward="y.*dx")
        f = tcalc.parse("brittle(x) - 2", "x[n]", functions=[fun])
        p = tcalc.problem(f, "x", {"x": [3.0]})
        p.jac(p.x0)
        del calls[:]
        found = getattr(p, solver)()
        assert not found.success
        assert found.fun == np.exp(found.x) - 2
        assert found.fun < np.exp(3) - 2
        assert "it broke" in found.message


class TestNewton:
    def test_the_step_uses_the_structure_of_the_hessian(self):
        f = tcalc.parse("norm2(U*V' - T)^2", "U[m,k], V[n,k], T[m,n]")
        data = {
            name: RANDOM.standard_normal(shape)
            for name, shape in {"U": (30, 3), "V": (20, 3), "T": (30, 20)}.items()
        }
        p = tcalc.problem(f, "U", data)
        x = p.x0 + p.newton_step(p.x0)
        assert np.abs(p.jac(x)).max() < 1e-9
        assert "3 × 3" in p.newton_route(p.x0)

    def test_several_variables_are_solved_densely(self):
        f = tcalc.parse("exp(a) + exp(-a) + (a - b)^2", "a, b")
        p = tcalc.problem(f, ["a", "b"], {"a": 1.0})
        step = -np.linalg.solve(p.hess(p.x0), p.jac(p.x0))
        np.testing.assert_allclose(p.newton_step(p.x0), step)
        assert p.newton_route(p.x0) == "dense"

    def test_newtons_method_descends_where_the_hessian_is_negative_or_singular(self):
        f = tcalc.parse("sum(x.^4/4 - x.^2/2)", "x[n]")
        for start in ([0.2, -0.3], [3**-0.5, 3**-0.5]):
            p = tcalc.problem(f, "x", {"x": start})
            found = p.minimize("newton")
            assert found.success
            np.testing.assert_allclose(np.abs(found.x), 1, atol=1e-8)


class TestRuns:
    F = tcalc.parse("sum((1 - x).^2) + 100*sum((z - x.^2).^2)", "x[n], z[n]")
    START = {"x": np.full(3, -1.2), "z": np.ones(3)}  # noqa: RUF012

    @pytest.mark.parametrize(
        "method",
        ["newton", "BFGS", "L-BFGS-B", "CG", "Newton-CG", "TNC", "SLSQP", "dogleg", "trust-exact",
         "trust-krylov", "trust-ncg", "trust-constr"],
    )  # fmt: skip
    def test_every_method_finds_the_minimum_and_can_be_ended(self, method):
        f, start = self.F, self.START
        if method == "dogleg":  # it needs a positive definite Hessian
            f, start = tcalc.parse("sum(exp(x) - x)", "x[n]"), {"x": np.ones(3)}
        names = [name for name in ("x", "z") if name in f.variables]
        p = tcalc.problem(f, names, start)
        limit = "maxfun" if method == "TNC" else "maxiter"
        # Some tolerances are of the fall of a step only, which is small in a curved valley.
        found = p.minimize(method, tol=1e-10, options={limit: 2000})
        assert p.fun(found.x) < (3 if method == "dogleg" else 0) + 1e-4
        seen = []

        def stop(progress):
            seen.append(progress)
            return np.bool_(len(seen) == 2)

        ended = p.minimize(method, callback=stop)
        assert len(seen) == 2
        assert not ended.success
        assert "ended by the callback after 2 steps" in ended.message
        assert ended.fun <= p.fun(p.x0)
        assert ended.fun == pytest.approx(p.fun(ended.x), rel=1e-9)
        assert set(ended.variables) == set(names)

    def test_ctrl_c_returns_the_run_so_far(self):
        p = tcalc.problem(self.F, ["x", "z"], self.START)

        def interrupt(progress):
            if progress.iteration == 3:
                raise KeyboardInterrupt

        found = p.minimize("BFGS", callback=interrupt)
        assert found.message.startswith("interrupted after 3 steps")
        assert found.fun < p.fun(p.x0)

    def test_progress_is_told_on_standard_error(self, capsys):
        p = tcalc.problem(self.F, ["x", "z"], self.START)
        p.minimize("newton", progress=True)
        lines = capsys.readouterr().err.splitlines()
        assert lines
        assert lines[0].split()[0] == "1"
        assert "gradient" in lines[-1]

    def test_a_search_that_leaves_the_domain_comes_back(self):
        # Full steps of Newton and the first ones of BFGS make the matrix indefinite.
        f = tcalc.parse("tr(S*K) - logdet(K)", "K[n,n] symmetric, S[n,n] spd")
        S = np.diag([1e-2, 1.0, 50.0])
        for method in ("L-BFGS-B", "BFGS", "newton"):
            p = tcalc.problem(f, "K", {"S": S, "K": np.eye(3)})
            found = p.minimize(method, options={"maxiter": 500})
            expected = 3 + np.log(np.diag(S)).sum()
            assert abs(found.fun - expected) < 1e-3, (method, found)

    def test_a_run_that_breaks_off_is_not_lost(self):
        calls = []

        def brittle(x):
            calls.append(x)
            if len(calls) > 12:
                raise np.linalg.LinAlgError("it broke")
            return np.sum(x**2)

        fun = tcalc.function("brittle", "x[n] -> y", brittle, pushforward="2*x'*dx")
        p = tcalc.problem(tcalc.parse("log(1 + brittle(x)) + exp(-sum(x))", functions=[fun]), "x",
                          {"x": np.full(2, 3.0)})  # fmt: skip
        del calls[:]
        found = p.minimize("Newton-CG", options={"xtol": 1e-16})
        assert not found.success
        assert found.fun < np.log(19)

    def test_data_that_are_not_finite_are_named(self):
        X = np.ones((3, 2))
        X[1, 1] = np.nan
        with pytest.raises(ArgumentError, match=r"X\[2,2\] is nan"):
            tcalc.problem(tcalc.parse("norm2(X*w)^2"), "w", {"X": X})

    def test_an_infeasible_start_names_the_culprit(self):
        p = tcalc.problem(tcalc.parse("sum(log(x - 2)) + norm2(x)^2", "x[n]"), "x", {"x": [1.0]})
        with pytest.raises(ArgumentError, match=r"value is not finite at the start: log\(x - 2"):
            p.minimize()
        p = tcalc.problem(tcalc.parse("logdet(K)", "K[n,n] symmetric"), "K", {"K": -np.eye(3)})
        with pytest.raises(ArgumentError, match="no value at the start: logdet"):
            p.minimize()
        with pytest.raises(ArgumentError, match=r"start has K\[1,1\] = nan"):
            p.minimize(x0=np.full(6, np.nan))
        with pytest.raises(ArgumentError, match=r"should have \(6,\)"):
            p.minimize(x0=np.zeros(5))

    def test_a_constraint_without_a_value_at_the_start_is_named(self):
        p = tcalc.problem(tcalc.parse("norm2(x)^2", "x[2]"), "x", {"x": [-1.0, 1.0]},
                          constraints=["sum(x) == 1", "sum(log(x)) >= 0"])  # fmt: skip
        with pytest.raises(
            ArgumentError, match=r"sum\(log\(x\)\) >= 0 has no finite .*: log\(x\) is"
        ):
            p.minimize()

    def test_constraints_that_cannot_hold_are_named(self):
        p = tcalc.problem(tcalc.parse("norm2(x)^2", "x[2]"), "x", {"x": [0.0, 0.0]},
                          constraints=["sum(x) == 1", "sum(x) == 3"])  # fmt: skip
        found = p.minimize()
        assert not found.success
        assert "sum(x) == 3: by 3" in found.message
        assert dict(found.violations) == pytest.approx({"sum(x) == 1": 1.0, "sum(x) == 3": 3.0})

    @pytest.mark.parametrize("run", ["minimize", "least_squares", "root"])
    def test_results_are_printed_and_pickled(self, run):
        f = tcalc.parse("norm2(x - 1)^2" if run == "minimize" else "exp(x) - 1", "x[2]")
        found = getattr(tcalc.problem(f, "x", {"x": [3.0, 3.0]}), run)()
        assert "violations: none" in str(found)
        assert "variables: x: [" in repr(found)
        again = pickle.loads(pickle.dumps(found))
        assert again.violations == found.violations == {}
        np.testing.assert_array_equal(again.variables["x"], found.x)

    def test_data_of_unknown_names_are_refused(self):
        with pytest.raises(ArgumentError, match="no argument 'Y'"):
            tcalc.problem(tcalc.parse("norm2(x)^2", "x[2]"), "x", {"Y": 1.0})

    def test_by_hand_into_scipy(self):
        p = tcalc.problem(self.F, ["x", "z"], self.START)
        found = minimize(p.fun_and_jac, p.x0, jac=True, hessp=p.hessp, method="trust-krylov")
        np.testing.assert_allclose(found.x, np.ones(6), atol=1e-4)


@pytest.mark.parametrize("method", [None, "SLSQP", "newton", "trust-constr"])
def test_a_problem_without_unknowns_has_a_value(method):
    f = tcalc.parse("norm2(X*w - y)^2", "X[m,n], w[n], y[m]")
    found = tcalc.problem(f, "w", {"X": np.zeros((2, 0)), "y": [1.0, 2.0]}).minimize(method)
    assert found.success
    assert (found.fun, found.x.tolist()) == (5.0, [])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"method": 3}, "not the name of a method"),
        ({"method": len}, "not the name of a method"),
        ({"callback": 3}, "should be a function"),
        ({"x0": {"w": [1j, 0]}}, "complex"),
    ],
)
def test_options_that_make_no_sense(given, message):
    problem = tcalc.problem(tcalc.parse("norm2(w)^2", "w[2]"), "w", {})
    with pytest.raises(ArgumentError, match=message):
        problem.minimize(**given)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("sum(x) < 1", "write `<=`"),
        ("x > 0", "write `>=`"),
        ("sum(x) = 1", "write `==`"),
        ("0 <= x <= 1", "bounds="),
        ("sum(x)", "two sides"),
        ("sum(x) >=", "two sides"),
    ],
)
def test_what_is_no_constraint_is_told_as_one(text, hint):
    f = tcalc.parse("norm2(x - c)^2", "x[n], c")
    with pytest.raises(tcalc.errors.ArgumentError, match="is not a constraint") as caught:
        tcalc.problem(f, "x", {"x": [1.0, 2.0], "c": 1.0}, constraints=[text])
    assert hint in caught.value.hint
