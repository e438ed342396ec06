"""The numerical check finds right derivatives right and wrong ones wrong."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import tcalc
from tcalc.calculus import derivative
from tcalc.checking import check_derivative, complete_sizes, sample
from tcalc.errors import DomainError
from tcalc.expr import build, shape
from tcalc.primitives.cholesky import chol
from tcalc.primitives.exponential import exp, log
from tcalc.primitives.pinv import PseudoInverse
from tcalc.primitives.power import sqrt

M, N = shape("m", "n")
X = build.var("X", (M, N))
x = build.var("x", (N,))
f = build.sum_all(exp(build.einsum([X, x], "ij,j->i")))


def test_a_right_derivative_passes_by_the_complex_step():
    report = check_derivative(f, derivative(f, [x]), x)
    assert report
    assert report.method == "complex step"
    assert "correct" in str(report)


def test_a_wrong_derivative_fails():
    wrong = build.scale(2, derivative(f, [x]))
    report = check_derivative(f, wrong, x)
    assert not report
    assert report.error > 0.5
    assert "WRONG" in str(report)


def test_a_slightly_wrong_derivative_fails():
    right = derivative(f, [x])
    wrong = build.add([(1, right), (Fraction(1, 10**6), x)])
    assert not check_derivative(f, wrong, x)


def test_functions_without_complex_values_use_differences():
    K = build.var("K", (N, N), ["spd"])
    g = build.sum_all(chol(K))
    report = check_derivative(g, derivative(g, [K]), K)
    assert report
    assert report.error < 1e-9


def test_data_are_drawn_where_the_function_has_a_value():
    g = build.sum_all(sqrt(log(x)))
    assert check_derivative(g, derivative(g, [x]), x)


def test_no_data_at_all_is_an_error():
    negative = build.scale(-1, build.hadamard(x, x))
    g = build.sum_all(log(negative))
    with pytest.raises(DomainError, match="no random data"):
        check_derivative(g, derivative(g, [x]), x)


@pytest.mark.parametrize("declarations", ["X[m,n], y[m]", "y[m], X[m,n]", "X[n,m], y[n]"])
def test_a_matrix_that_is_singular_for_some_sizes_is_not_called_wrong(declarations):
    program = tcalc.parse("(X'*X) \\ (X'*y)", declarations)
    rows, columns = program.variables["X"].dims
    report = tcalc.check(program, "X", order=2)
    assert report, str(report)
    assert rows.evaluate(report.sizes) >= columns.evaluate(report.sizes)


@pytest.mark.parametrize("wrt", ["X", "y"])
@pytest.mark.parametrize("gap", [1e-3, 1e-4, 1e-5])
def test_what_rounding_does_is_not_called_wrong(wrt, gap):
    program = tcalc.parse("(X'*X) \\ (X'*y)", "X[m,n], y[m]")
    data = {"X": [[1, 1], [1, 1 + gap], [1, 1 - 2 * gap]], "y": [1.0, 2.0, 4.0]}
    report = tcalc.check(program, wrt, data=data)
    assert report, str(report)
    wrong = tcalc.check(program, wrt, claim=1.1 * tcalc.jacobian(program, wrt), data=data)
    assert not wrong, str(wrong)


def test_a_tolerance_for_rounding_is_told():
    program = tcalc.parse("(X'*X) \\ (X'*y)", "X[m,n], y[m]")
    data = {"X": [[1, 1], [1, 1 + 1e-5], [1, 1 - 2e-5]], "y": [1.0, 2.0, 4.0]}
    report = tcalc.check(program, "X", data=data)
    assert report.rounding > 1e-9
    assert report.tolerance > report.rounding
    assert "rounding alone changes it" in str(report)


@pytest.mark.parametrize("wrt", ["X", "y"])
def test_where_rounding_alone_decides_there_is_no_verdict(wrt):
    program = tcalc.parse("(X'*X) \\ (X'*y)", "X[m,n], y[m]")
    data = {"X": [[1, 1], [1, 1 + 1e-7], [1, 1 - 2e-7]], "y": [1.0, 2.0, 4.0]}
    with pytest.raises(DomainError, match="rounding alone decides"):
        tcalc.check(program, wrt, data=data)
    with pytest.raises(DomainError, match="singular, up to rounding"):
        tcalc.check(program, wrt, sizes={"m": 3, "n": 4})


@pytest.mark.parametrize("text", ["X - ones(m)*x'", "m*n*sum(x)", "concat(x, y, x)"])
def test_sizes_that_only_another_variable_has(text):
    program = tcalc.parse(text, "X[m,n], x[n], y[m]")
    given = {"X": np.ones((2, 3)), "x": np.ones(3), "y": np.ones(2)}
    given = {name: given[name] for name in program.variables}
    for data in (None, given):
        report = tcalc.check(program, "x", order=2, data=data)
        assert report, str(report)
        assert report.sizes.keys() == {"m", "n"}


def test_a_derivative_that_cancels_to_zero_is_right():
    program = tcalc.parse("v = b./(A'*u); sum(u.*(A*v))", "A[m,n] positive, b[n], u[m] positive")
    report = tcalc.check(program, "A", order=2)
    assert report, str(report)


def test_given_data_are_used():
    values = {"X": np.zeros((2, 3)), "x": np.zeros(3)}
    assert check_derivative(f, derivative(f, [x]), x, data=values)


def test_sizes_are_completed():
    assert complete_sizes([X, x], {"n": 7}) == {"n": 7, "m": 3}


@pytest.mark.parametrize(
    ("structure", "test"),
    [
        ("spd", lambda a: np.linalg.eigvalsh(a).min() > 0),
        ("symmetric", lambda a: np.allclose(a, a.T)),
        ("lower", lambda a: np.allclose(a, np.tril(a)) and abs(np.diag(a)).min() >= 1),
        ("diagonal", lambda a: np.allclose(a, np.diag(np.diag(a)))),
        ("orthogonal", lambda a: np.allclose(a @ a.T, np.eye(4))),
        ("positive", lambda a: (a > 0).all()),
        ("integer", lambda a: np.allclose(a, np.round(a))),
    ],
)
def test_samples_have_the_declared_structure(structure, test):
    A = build.var("A", (N, N), [structure])
    for manner in range(4):
        values = sample([A], {"n": 4}, np.random.default_rng(manner), manner)
        assert test(values["A"])


def test_steep_functions_are_not_called_wrong():
    X = build.var("X", (M, N))
    y = build.var("y", (M,))
    g = build.einsum([build.apply(PseudoInverse(), X), y], "ij,j->i")
    f = build.einsum([g, g], "i,i->")
    for order in (1, 2):
        below = derivative(f, [X] * (order - 1))
        report = check_derivative(below, derivative(below, [X]), X, order=order)
        assert report, str(report)
        wrong = build.scale(build.ONE + Fraction(1, 10**6), derivative(below, [X]))
        assert not check_derivative(below, wrong, X, order=order)
