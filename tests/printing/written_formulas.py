"""Derivatives as they are to be written, for the tables of several tests."""

from __future__ import annotations

from typing import NamedTuple

import tcalc


class Formula(NamedTuple):
    """A program with its declarations, and its derivatives by a variable in matrix notation."""

    text: str
    declared: str
    variable: str
    gradient: str
    hessian: str = ""


def reads_so(formula: Formula) -> None:
    """Assert that the derivatives of a formula are written as it says."""
    program = tcalc.parse(formula.text, formula.declared)
    assert str(tcalc.derivative(program, formula.variable)) == formula.gradient
    if formula.hessian:
        assert str(tcalc.hessian(program, formula.variable)) == formula.hessian
