"""`tcalc.check` of what somebody else says is the derivative."""

from __future__ import annotations

import pytest

import tcalc
from tcalc.errors import ArgumentError, DimensionError, OrientationError, UnknownNameError

F = tcalc.parse("x'*A*x + sum(exp(x))", "A[n,n], x[n]")


def claimed(formula):
    return tcalc.parse(formula, "A[n,n], x[n]")


def test_a_right_claim_holds():
    report = tcalc.check(F, "x", claim=claimed("A'*x + A*x + exp(x)"))
    assert report, str(report)
    assert "derivative of order 1 as claimed against complex step" in str(report)
    assert report.document()["form"] == "claimed"


def test_a_wrong_claim_is_found_and_no_function_is_blamed_for_it():
    report = tcalc.check(F, "x", claim=claimed("2*A*x + exp(x)"))
    assert not report
    assert report.error > 1e-3
    assert report.notes() == []


def test_a_hessian_is_claimed_of_the_gradient():
    gradient = tcalc.gradient(F, "x")
    assert tcalc.check(gradient, "x", claim=claimed("A + A' + diag(exp(x))"))
    assert not tcalc.check(gradient, "x", claim=claimed("A + A'"))


def test_a_claim_may_have_inputs_of_its_own():
    wrong = tcalc.parse("(A + A')*x + exp(x) + z", "A[n,n], x[n], z[n]")
    assert not tcalc.check(F, "x", claim=wrong)


def test_a_claim_of_another_shape_is_refused():
    with pytest.raises(DimensionError, match=r"has the axes \[n\], the claim \[n, n\]"):
        tcalc.check(F, "x", claim=claimed("A"))


def test_a_claim_about_other_inputs_is_refused():
    with pytest.raises(ArgumentError, match="the name A stands for two different inputs"):
        tcalc.check(F, "x", claim=tcalc.parse("2*A*x", "A[n,n] symmetric, x[n]"))


def test_a_claim_is_about_the_derivative_of_the_order_asked_for():
    assert tcalc.check(F, "x", 2, claim="A + A' + diag(exp(x))").order == 2
    assert not tcalc.check(F, "x", 2, claim="A + A'")
    with pytest.raises(DimensionError, match=r"has the axes \[n, n\], the claim \[n\]"):
        tcalc.check(F, "x", 2, claim="A*x")


def test_a_claim_is_a_formula_of_the_variables():
    assert tcalc.check(F, "x", claim="(A + A')*x + exp(x)")
    guessed = tcalc.parse("norm2(X*w - y)^2")
    assert tcalc.check(guessed, "w", claim="2*X'*(X*w - y)")
    with pytest.raises(UnknownNameError, match="'B', which is not a variable") as caught:
        tcalc.check(F, "x", claim="B*x + A*x")
    assert caught.value.hint == "its variables: A, x"
    with pytest.raises(OrientationError) as caught:
        tcalc.check(F, "x", claim="2*x*x")
    assert caught.value.column == 1


def test_a_claim_has_no_factored_form():
    with pytest.raises(ArgumentError, match="no factored form"):
        tcalc.check(F, "x", claim=claimed("x"), form="factored")


def test_what_is_no_expression_is_no_claim():
    with pytest.raises(ArgumentError, match="an expression was expected"):
        tcalc.check(F, "x", claim=2.0)
