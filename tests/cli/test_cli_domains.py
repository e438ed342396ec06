"""Data that are not in the domain of a function, given or drawn."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("formula", ["sum(log(x - 3))", "log(-exp(c))", "sum(log(-exp(x)))"])
def test_where_nothing_that_is_drawn_has_a_value(run, formula):
    outcome = run("evaluate", formula, "--random")
    assert (outcome.status, outcome.out) == (1, "")
    assert "no random data were found at which the value is a number" in outcome.err
    assert "hint: give data" in outcome.err


def test_a_derivative_without_a_value_is_named(run):
    outcome = run("evaluate", "sqrt(relu(-exp(c)))", "--random", "--wrt", "c")
    assert "the gradient by c is a number" in outcome.err


def test_json_has_the_error_alone(run):
    outcome = run("evaluate", "log(-exp(c))", "--random", "--json")
    assert outcome.status == 1
    assert outcome.json["error"]["kind"] == "domain error"


@pytest.mark.parametrize(
    ("formula", "seed", "declared"),
    [
        ("log(c) + log(d) + log(-min(x))", "2", "c positive, d positive"),
        ("log(c) + log(d) + log(-min(x)) + sum(chol(A))", "4", "c positive, A[n,n] spd"),
        ("log(c) + log(d) + log(-min(x)) + sum(chol(A))", "6", "A[n,n] spd"),
        ("sum(chol(A)) + log(-min(x))", "1", "A[m,m] spd"),
    ],
)
def test_a_declaration_with_which_there_are_data_is_told(run, formula, seed, declared):
    outcome = run("evaluate", formula, "--random", "--seed", seed)
    assert outcome.status == 1
    assert outcome.err.endswith(f"if you declare: {declared}\n")
    told = run("evaluate", formula, "--random", "--seed", seed, "--declare", declared)
    assert told.status == 0 and "nan" not in told.out


def test_infinite_values_are_values(run):
    assert run("evaluate", "exp(exp(1000 + c^2))", "--random").out == "inf\n"


def test_what_is_no_number_in_the_data_is_none_in_the_value(run):
    outcome = run("evaluate", "c*sum(x)", "--data", "x=1,nan", "--random")
    assert (outcome.status, outcome.out) == (0, "nan\n")


@pytest.mark.parametrize(
    ("data", "note"),
    [
        ("x=1,2", ""),
        ("x=0,1", "the value has entries that are infinite: 1 of 2\n"),
        ("x=-1,-1", "the value has entries that are not a number: 2 of 2\n"),
        ("x=0,-1", "the value has entries that are infinite or not a number: 2 of 2\n"),
    ],
)
def test_numbers_that_are_not_finite_are_remarked_in_words(run, data, note):
    outcome = run("evaluate", "log(x)", "--declare", "x[n]", "--data", data)
    assert (outcome.status, outcome.err) == (0, note)
    assert run("evaluate", "log(x)", "--declare", "x[n]", "--data", data, "--quiet").err == ""


def test_a_derivative_that_is_not_finite_is_named(run):
    outcome = run("evaluate", "sqrt(c)", "--data", "c=0", "--wrt", "c", "--declare", "c")
    assert outcome.err == "the gradient by c is infinite\n"
