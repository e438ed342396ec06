"""`tcalc.check`: the method that fits, kinks, factored forms, and who is to blame."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import tcalc
from tcalc.checking.report import CheckReport, Opinion
from tcalc.errors import ArgumentError, DomainError


@pytest.mark.parametrize(
    ("program", "wrt", "method"),
    [
        ("sum(exp(A*x))", "x", "complex step"),
        ("sum(chol(K))", "K", "complex step"),
        ("norm1(A*x - y)", "x", "dual numbers"),
        ("w, V = eigh(K); w'*(V*ones(n))", "K", "dual numbers"),
        ("sum(svdvals(A).^3)", "A", "dual numbers"),
    ],
)
@pytest.mark.parametrize("order", [1, 2])
def test_the_exact_method_that_a_function_allows(program, wrt, method, order):
    f = tcalc.parse(program, "K[n,n] spd")
    report = tcalc.check(f, wrt, order)
    assert report, str(report)
    assert (report.method, report.order) == (method, order)
    assert report.error < 1e-11
    assert report.second is not None
    assert report.second.passed
    assert "against five-point differences" in str(report)


@pytest.mark.parametrize("mode", ["forward", "reverse", "cross-country"])
@pytest.mark.parametrize("form", ["dense", "factored"])
def test_every_mode_and_form(mode, form):
    f = tcalc.parse("norm2(U*V' - T)^2 + sum(U.^3)", "U[m,k], V[n,k], T[m,n]")
    report = tcalc.check(f, "U", 2, mode=mode, form=form)
    assert report, str(report)
    assert ("in factored form" in str(report)) == (form == "factored")


def test_a_wrong_factored_form_is_found(monkeypatch):
    from tcalc.runtime.factored import FactoredTensor

    right = FactoredTensor.__matmul__
    monkeypatch.setattr(FactoredTensor, "__matmul__", lambda self, x: 1.001 * right(self, x))
    f = tcalc.parse("norm2(U*V' - T)^2", "U[m,k], V[n,k], T[m,n]")
    assert tcalc.check(f, "U", 2)
    assert not tcalc.check(f, "U", 2, form="factored")


def test_a_wrong_pushforward_is_blamed_by_name():
    wrong = tcalc.function(
        "resolvent", "A[n,n] -> Y[n,n]", np.linalg.inv, pushforward="-2*Y*dA*Y", batched=True
    )
    f = tcalc.parse("sum(exp(resolvent(B + 3*eye(n)))) + logdet(B*B' + eye(n))", functions=[wrong])
    report = tcalc.check(f, "B")
    assert not report
    (blame,) = report.blame
    assert (blame.function, blame.position, blame.rule) == ("resolvent", 0, "pushforward")
    assert blame.argument == "B + 3*eye(n)"
    assert "the pushforward of resolvent is wrong in its argument 1" in str(report)
    assert report.extrapolated == ("resolvent",)
    assert blame.span is not None
    assert blame.span.text == "resolvent(B + 3*eye(n))"
    assert report.document()["blame"][0]["span"] == {"line": 1, "column": 9, "length": 23}
    lines = str(report).splitlines()
    place = next(k for k, line in enumerate(lines) if "line 1, column 9" in line)
    assert lines[place + 2].strip() == "^" * 23


def test_the_place_is_known_after_more_was_built_and_in_definitions():
    wrong = tcalc.function("twice", "x[n] -> y[n]", lambda x: 2 * x, pushforward="3*dx")
    f = tcalc.parse("tensor A[m,n], x[n]\nz = A*twice(x)\nsum(exp(z))", functions=[wrong])
    for e in (f, 2 * f + 1, tcalc.combine("f^2", f=f), f.with_node(f.node)):
        (blame,) = tcalc.check(e, "x").blame
        assert blame.span is not None
        assert (blame.span.line, blame.span.column, blame.span.text) == (2, 7, "twice(x)")


def test_a_wrong_pullback_is_blamed_and_the_argument_told():
    def scaled(A, b):
        return A @ b

    wrong = tcalc.function(
        "times",
        "A[m,n], b[n] -> y[m]",
        scaled,
        pushforward=lambda A, b, y, dA, db: dA @ b + A @ db,
        pullback=lambda A, b, y, g: (np.outer(g, b), 3 * A.T @ g),
    )
    f = tcalc.parse("norm2(times(C, x))^2", "C[m,n], x[n]", functions=[wrong])
    assert tcalc.check(f, "C")
    report = tcalc.check(f, "x")
    assert [(b.function, b.position, b.rule) for b in report.blame] == [("times", 1, "pullback")]


def test_a_wrong_second_derivative_is_blamed_on_the_function_that_has_it():
    wrong = tcalc.function(
        "cube",
        "x[n] -> y[n]",
        lambda x: x**3,
        pushforward=lambda x, y, d: 3 * x**2 * d,
        pullback=lambda x, y, g: 3 * x**2 * g,
        second=lambda x, y, g, d: 7 * x * g * d,
    )
    f = tcalc.parse("sum(cube(A*x))", functions=[wrong])
    assert tcalc.check(f, "x", 1)
    report = tcalc.check(f, "x", 2)
    assert report.order == 2
    assert {blame.function for blame in report.blame} == {"cube_pullback"}


def test_the_first_wrong_order_is_reported():
    wrong = tcalc.function("twice", "x[n] -> y[n]", lambda x: 2 * x, pushforward="3*dx")
    f = tcalc.parse("sum(exp(twice(x)))", functions=[wrong])
    assert tcalc.check(f, "x", 3).order == 1


def test_a_function_that_is_wrongly_called_analytic_is_told_apart():
    # Its complex values are not analytic, so the complex step differs and the differences do not.
    wrong = tcalc.function(
        "size", "x[n] -> y[n]", lambda x: np.abs(x).real, pushforward="sign(x).*dx", analytic=True
    )
    report = tcalc.check(tcalc.parse("sum(size(x))", functions=[wrong]), "x")
    assert not report
    assert report.second is not None
    assert report.second.passed
    assert "not analytic" in str(report)


@pytest.mark.parametrize(
    ("program", "data", "kink"),
    [
        ("norm1(x)", {"x": [0.0, 1.0]}, "abs(x)"),
        ("sum(relu(A*x))", {"A": np.eye(2), "x": [0.0, 1.0]}, "relu(A*x)"),
        ("max(x)", {"x": [2.0, 2.0, 1.0]}, "max(x)"),
        ("sum(eigvalsh(A).^2 .* x)", {"A": np.eye(2), "x": [1.0, 2.0]}, "eigvalsh(A)"),
    ],
)
def test_a_check_at_a_kink_is_made_beside_it(program, data, kink):
    wrt = "A" if "eig" in program else "x"
    report = tcalc.check(tcalc.parse(program), wrt, data=data)
    assert report, str(report)
    assert report.moved == (kink,)
    assert f"at a kink of {kink}: checked beside it" in str(report)


def test_a_kink_that_cannot_be_left_is_refused():
    noise = tcalc.function(
        "noise", "x[n] -> y[n]", lambda x: np.floor(1e7 * x) % 2, pushforward="0*dx"
    )
    f = tcalc.parse("sum(noise(x))", functions=[noise])
    with pytest.raises(DomainError, match=r"a kink of noise\(x\), and moving x does not leave it"):
        tcalc.check(f, "x", data={"x": [1.0, 2.0]})


def test_a_kink_is_left_within_the_domain():
    # Larger moves would leave the domain of the logarithm.
    f = tcalc.parse("sum(abs(x) + log(x + d))", "x[n], d[]")
    report = tcalc.check(f, "x", data={"x": [0.0, 0.0], "d": 0.01})
    assert report, str(report)
    assert report.moved == ("abs(x)",)


def test_what_does_not_move_has_no_kinks():
    f = tcalc.parse("sum(abs(z).*x)", "z[n], x[n]")
    assert tcalc.check(f, "x", data={"z": [0.0, 1.0], "x": [1.0, 2.0]}).moved == ()


def test_rounding_of_a_value_that_is_zero_is_no_kink():
    # The solution of the polar factor's equation vanishes here, and rounding is all there is of it.
    f = tcalc.parse("norm2(A*polar(A'*B) - B)^2", "A[m,3], B[m,3]")
    report = tcalc.check(f, "A", order=2)
    assert report, str(report)
    assert report.moved == ()


def test_sizes_are_found_at_which_there_are_more_observations_than_parameters():
    # As the names come, and from the last one on, X would be wide and X'*W*X singular.
    program = "W = inv(Z*G*Z' + s^2*eye); logdet(X'*W*X) + y'*X*inv(X'*W*X)*X'*y"
    f = tcalc.parse(program, "X[n,p], Z[n,q], y[n], G[q,q] spd, s")
    report = tcalc.check(f, "s")
    assert report, str(report)
    assert report.sizes["n"] > report.sizes["p"]


def test_data_that_are_not_finite_are_refused_by_name():
    f = tcalc.parse("norm2(A*x)^2")
    with pytest.raises(ArgumentError, match="x has values that are infinite or not a number"):
        tcalc.check(f, "x", data={"A": np.eye(2), "x": [np.nan, 1.0]})


def test_wrong_options_are_refused():
    f = tcalc.parse("x'*x")
    with pytest.raises(ArgumentError, match="no form 'sparse'"):
        tcalc.check(f, "x", form="sparse")
    with pytest.raises(ArgumentError, match="no derivative of order 0"):
        tcalc.check(f, "x", 0)


def test_transposes_are_plain_and_pivots_do_no_harm():
    # A conjugate transpose, or a pivot chosen otherwise, would spoil a complex step.
    f = tcalc.parse("x'*inv(A')*A*x + norm2(A'*x)^2 + det(A)", "A[n,n], x[n]")
    A = np.array([[1.0, 1.0, 0.0], [1.0, -1.0, 2.0], [-1.0, 1.0, 1.0]])
    for order in (1, 2):
        report = tcalc.check(f, "A", order, data={"A": A, "x": [1.0, 2.0, 3.0]})
        assert report, str(report)


def test_the_report_says_when_differences_are_less_exact():
    steep = Opinion("five-point differences", 1e-4, 1e-8)
    report = CheckReport("complex step", 1, 5, 1e-16, 1e-12, {}, second=steep)
    assert report
    assert "the function is steep" in str(report)


def test_the_command_says_where_a_culprit_stands(run, monkeypatch):
    from tcalc.primitives.logdet import LogDet

    right = LogDet.jacobian

    def wrong(self, node, position):
        (term,) = right(self, node, position)
        return (replace(term, coefficient=2 * term.coefficient),)

    monkeypatch.setattr(LogDet, "jacobian", wrong)
    program = "tensor K[n,n]\nsum(K.^2) + logdet(K*K' + eye(n))"
    outcome = run("check", program, "--wrt", "K")
    assert outcome.status == 1
    assert "the pushforward of logdet is wrong in its argument 1, K*K' + eye(n)" in outcome.out
    assert "at line 2, column 13" in outcome.out
    assert "^" * len("logdet(K*K' + eye(n))") in outcome.out
    (entry,) = json.loads(run("check", program, "--wrt", "K", "--json").out)["checks"]
    assert entry["blame"][0]["function"] == "logdet"
    assert entry["blame"][0]["span"] == {"line": 2, "column": 13, "length": 21}
    assert entry["second"]["method"] == "five-point differences"


def test_the_command_checks_factored_forms(run):
    outcome = run("check", "norm2(U*V' - T)^2", "--wrt", "U", "--order", "2", "--form", "factored")
    assert outcome.status == 0
    assert "derivative of order 2 in factored form" in outcome.out


def test_data_outside_of_the_domain_name_the_culprit():
    f = tcalc.parse("sum(exp(x).*log(x - 1))", "x[n]")
    with pytest.raises(DomainError, match=r"no finite value at these data: log\(x - 1\) has none"):
        tcalc.check(f, "x", data={"x": [2.0, 0.5]})
