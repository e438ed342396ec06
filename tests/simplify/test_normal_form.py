"""Formulas that say the same have one normal form, whatever route they came by."""

from __future__ import annotations

import pytest

import tcalc
from tcalc.simplify import normal

DECLARED = "S[n,n] symmetric, K[n,n] spd, A[n,n], X[m,n], x[n], y[n], c"

PROGRAMS = {
    # sums over both orders of a symmetric variable's axes
    "x'*inv(S)*y": "S",
    "A*inv(S)*A'": "SA",
    "tr(S*A*S)": "S",
    "S*x*y' + y*x'*S": "S",
    "inv(A*A' + K)": "A",
    "x'*inv(X'*X)*y": "X",
    "inv(K)*x*y'*inv(K)": "K",
    "inv(inv(S) + inv(K))": "SK",
    "det(S)*inv(S)": "S",
    "chol(K)": "K",
    "exp(S).*A": "S",
    # means, and what else has sizes in it
    "mean(X.^2)": "X",
    "mean((x - mean(x)).^2)": "x",
    "sum((X - mean(X)).^2)": "X",
    "mean(x.*y) - mean(x)*mean(y)": "xy",
    "mean(x)/mean(y)": "xy",
    "mean(inv(K)*x)": "K",
    "C[j,k] = mean[i](X[i,j]*X[i,k]); C": "X",
    "softmax(S*x)": "xS",
}


@pytest.mark.parametrize("text", PROGRAMS)
def test_a_formula_and_what_is_read_from_its_print_have_one_form(text: str) -> None:
    f = tcalc.parse(text, DECLARED)
    orders = (0, 1) if f.shape else (0, 1, 2)
    for name in PROGRAMS[text]:
        for order in orders:
            found = tcalc.derivative(f, *[name] * order) if order else f
            read = tcalc.parse(str(found), DECLARED)
            one, other = normal([found.node, read.node])
            assert one is other, found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mean(X)", "sum(X)/(n*m)"),
        ("mean(x)*mean(y)", "sum(x)*sum(y)/n^2"),
        ("A*(x*y' + y*x')*A'", "A*x*y'*A' + (A*x*y'*A')'"),
        ("(A + S)*(A - S)", "A*A + S*A - A*S - S*S"),
        ("inv(S)*(A + A')", "(A*inv(S))' + inv(S)*A"),
    ],
)
def test_equal_formulas(one: str, other: str) -> None:
    here, there = (tcalc.parse(text, DECLARED).node for text in (one, other))
    assert here is not there
    found = normal([here, there])
    assert found[0] is found[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mean(X)", "sum(X)/n"),
        ("mean(x)", "sum(x)/n^2"),
        ("A*(x*y' + y*x')", "A*(x*y' - y*x')"),
        ("inv(S)*A", "A*inv(S)"),
        ("n", "m"),
    ],
)
def test_different_formulas(one: str, other: str) -> None:
    here, there = normal([tcalc.parse(text, f"{DECLARED}").node for text in (one, other)])
    assert here is not there
