"""The page on the language tells the truth, and the whole of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sessions import run_sessions

import tcalc
from tcalc.expr.properties import PROPERTIES
from tcalc.language.special import FORMS
from tcalc.primitives import FUNCTIONS

PAGE = (Path(__file__).parents[1] / "docs" / "language.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```tcalc\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
QUOTED = set(re.findall(r"`([a-z]\w*)`", PAGE))


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_can_be_differentiated(program):
    f = tcalc.parse(program)
    assert not f.guesses
    for name in f.variables:
        assert tcalc.gradient(f, name).shape == tuple(map(str, f.variables[name].dims))


def test_sessions():
    assert run_sessions(PAGE, "language.md") > 8


def test_every_function_is_mentioned():
    mentioned = QUOTED | set(re.findall(r"`(\w+)\(", PAGE))
    assert {function.name for function in FUNCTIONS} | set(FORMS) <= mentioned


def test_every_property_is_mentioned():
    assert set(PROPERTIES) <= QUOTED


@pytest.mark.parametrize(
    ("formula", "same"),
    [
        ("A \\ b", "inv(A)*b"),
        ("B / A", "B*inv(A)"),
        ("1/A", "inv(A)"),
        ("A^-1", "inv(A)"),
        ("A @ b", "A*b"),
        ("A.T", "A'"),
        ('#("ij,jk->ik", A, B)', "A*B"),
        ("c[i] = b[i]*b[i]", "b.*b"),
        ("d[i] = A[i,i]", "diag(A)"),
    ],
)
def test_what_is_said_to_mean_the_same(formula, same):
    declared = "A[n,n], B[n,n], b[n]"
    assert tcalc.parse(formula, declared).node is tcalc.parse(same, declared).node
