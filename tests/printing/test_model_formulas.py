"""Formulas of models in economics, physics and machine learning, as an expert writes them."""

from __future__ import annotations

from typing import NamedTuple

import pytest

import tcalc


class Formula(NamedTuple):
    text: str
    declared: str
    variable: str
    gradient: str
    hessian: str = ""


FORMULAS = [
    Formula(  # constant relative risk aversion
        "sum((1 + R*w).^(1 - g))/(1 - g)",
        "R[m,n], w[n], g",
        "w",
        "R'*(1 + R*w).^(-g)",
        "-g*R'*diag((1 + R*w).^(-(1 + g)))*R",
    ),
    Formula(  # a penalty that tends to the number of elements
        "sum((x.^2 + e).^(p/2))",
        "x[n], e, p",
        "x",
        "p*x.*(x.^2 + e).^((p - 2)/2)",
    ),
    Formula(  # the rational quadratic kernel
        "(1 + norm2(x - y)^2/(2*a*l^2))^(-a)",
        "x[n], y[n], a, l",
        "x",
        "(1 + norm2(x - y)^2/(2*a*l^2))^(-a - 1)*(y - x)/l^2",
    ),
]


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.text)
def test_derivatives_read_as_an_expert_writes_them(formula: Formula) -> None:
    program = tcalc.parse(formula.text, formula.declared)
    assert str(tcalc.derivative(program, formula.variable)) == formula.gradient
    if formula.hessian:
        assert str(tcalc.hessian(program, formula.variable)) == formula.hessian
