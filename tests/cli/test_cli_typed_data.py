"""Numbers that are typed in the command, in place of a file of data."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x=1,2,3", "6.0"),
        ("x=[1, 2, 3]", "6.0"),
        ("x= -1e1 , 2.5", "-7.5"),
        ("x=4", "4.0"),
        ("x=[4]", "4.0"),
        ("x=[]", "0.0"),
        ("x=inf,1", "inf"),
        ('x=[1,"inf"]', "inf"),
    ],
)
def test_vectors(run, text, value):
    assert run("evaluate", "sum(x)", "--data", text).out == f"{value}\n"


def test_numbers_and_matrices(run):
    data = ("--data", "A=[[1,2],[3,4]]", "--data", "x=5,6", "--data", "c=2")
    assert run("evaluate", "c*A*x", *data).out == "[34., 78.]\n"
    assert run("check", "sum(c*A*x)", *data).status == 0


def test_some_typed_and_others_drawn(run):
    outcome = run("evaluate", "c*A*x", "--data", "x=5,6,7", "--random", "--json").json
    assert outcome["data"]["x"] == [3] and outcome["data"]["A"][1] == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x=1 2", "numbers are typed as --data x=1,2,3"),
        ("x=1,,2", "numbers are typed as --data x=1,2,3"),
        ("x=(1,2)", "numbers are typed as --data x=1,2,3"),
        ("x=__import__('os')", "numbers are typed as --data x=1,2,3"),
        ("x=[1;2]", "cannot read the numbers of x: Expecting ',' delimiter"),
        ("x=[[1],2]", "have different lengths"),
        ('x=["1"]', '"1" is no number'),
        ("x=[null]", "null is no number"),
        ("x=[1" + "0" * 400 + "]", "int too large"),
        ("x=[" + "9" * 5000 + "]", "too many digits"),
        ("x=" + "[" * 50_000, "nested too deep"),
        ("x=[[1,2]]", "x has the shape (1, 2)"),
        ("z=1", "no variable 'z' in the program"),
    ],
)
def test_what_is_no_such_number(run, text, message):
    outcome = run("evaluate", "sum(x)", "--data", text)
    assert outcome.status == 1
    assert message in outcome.err and "internal" not in outcome.err


def test_a_variable_is_given_once(run):
    outcome = run("evaluate", "sum(x)", "--data", "x=1,2", "--data", "x=[3]")
    assert "x is given twice, as 1,2 and [3]" in outcome.err
