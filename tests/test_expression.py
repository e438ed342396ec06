"""Expressions in Python mean what the same formula means in the language."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import sympy

import tcalc

X, A, x, y, c = tcalc.symbols("X[m,n], A[n,n], x[n], y[m], c")
DECLARED = "X[m,n], A[n,n], x[n], y[m], c"


def same(expression, text):
    assert str(expression) == str(tcalc.parse(text, DECLARED))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: X @ x + y, "X*x + y"),
        (lambda: X * x - y, "X*x - y"),
        (lambda: 2 * x, "2*x"),
        (lambda: x * 0.1, "x*0.1"),
        (lambda: x * np.float64(0.1), "x*0.1"),
        (lambda: np.float64(0.1) * x, "x*0.1"),
        (lambda: x / np.int64(3), "x/3"),
        (lambda: 1 - x, "1 - x"),
        (lambda: 1 + x, "1 + x"),
        (lambda: x / c, "x/c"),
        (lambda: 1 / c, "1/c"),
        (lambda: c**3, "c^3"),
        (lambda: 2**c, "2^c"),
        (lambda: A**-1, "A^-1"),
        (lambda: -A, "-A"),
        (lambda: +A, "A"),
        (lambda: x.T @ A @ x, "x'*A*x"),
        (lambda: x @ x.T, "x*x'"),
        (lambda: A[1, "end"], "A[1,end]"),
        (lambda: A[1:2, 1:], "A[1:2,1:end]"),
        (lambda: A["i", "i"], "A[i,i]"),
        (lambda: x[2], "x[2]"),
        (lambda: Fraction(1, 3) * A, "A/3"),
    ],
)
def test_operators(build, text):
    same(build(), text)


def test_mistakes_say_what_to_do():
    with pytest.raises(tcalc.TcalcError, match="scalar product"):
        x * x
    with pytest.raises(tcalc.TcalcError, match="positions count from 1"):
        x[0]
    with pytest.raises(tcalc.TcalcError, match="not a position"):
        x[1.5]
    with pytest.raises(tcalc.TcalcError, match="not a position"):
        x[1:5:2]
    with pytest.raises(tcalc.TcalcError, match="do not combine"):
        x + np.ones(3)
    with pytest.raises(tcalc.TcalcError, match="do not combine"):
        np.ones(3) * x
    with pytest.raises(tcalc.TcalcError, match="not a number"):
        x + float("nan")


@pytest.mark.parametrize(
    ("wrong", "kind", "told"),
    [
        (lambda: x * x, "OrientationError", ["a column and a column, of [n] and [n]", "x.T @ y"]),
        (lambda: x**2, "OrientationError", ["of [n] and 2", "combine('x.^p', x=x, p=p)"]),
        (lambda: 1 / x, "OrientationError", ["of 1 and [n]", "combine('x./y', x=x, y=y)"]),
        (lambda: x - x.T, "OrientationError", ["x.T is the row"]),
        (lambda: X @ X, "DimensionError", ["n against m, of [m, n] and [m, n]"]),
        (lambda: X**2, "DimensionError", ["square matrix", "of [m, n] and 2"]),
    ],
)
def test_mistakes_with_operators_are_told_in_python(wrong, kind, told):
    with pytest.raises(tcalc.TcalcError) as caught:
        wrong()
    assert type(caught.value).__name__ == kind
    for part in told:
        assert part in str(caught.value)
    assert "left" not in str(caught.value).replace("columns of the left", "")
    assert caught.value.line is None


def test_sizes_that_tensors_bring_along_are_declared_nowhere_in_the_text():
    with pytest.raises(tcalc.errors.DimensionError) as caught:
        tcalc.combine("A + B", A=X, B=X.T)
    assert "`A` has m" in str(caught.value)
    assert "is declared here" not in str(caught.value)


def test_one_name_cannot_be_two_inputs():
    other = tcalc.symbols("x[k]")
    with pytest.raises(tcalc.TcalcError, match="two different inputs"):
        tcalc.combine("sum(a) + sum(b)", a=x, b=other)


def test_derivatives_of_built_expressions():
    f = tcalc.combine("norm2(r)^2", r=X @ x - y)
    assert str(tcalc.gradient(f, "x")) == "2*X'*(X*x - y)"
    assert tcalc.hessian(f, "x").shape == ("n", "n")


def test_shape_and_repr():
    assert (X @ x).shape == ("m",)
    assert repr(X @ x) == "Expression[m](X*x)"


def test_a_row_stays_a_row():
    with pytest.raises(tcalc.TcalcError):
        x.T + x


def test_users_functions_in_python_and_in_programs():
    t = sympy.Symbol("t")
    bump = tcalc.elementwise("bump", sympy.exp(-(t**2)), t)
    in_python = tcalc.combine("sum(v)", v=bump(X @ x))
    in_text = tcalc.parse("sum(bump(X*x))", DECLARED, functions=[bump])
    assert in_python.node is in_text.node
    assert tcalc.combine("sum(bump(v))", [bump], v=X @ x).node is in_text.node
    with pytest.raises(tcalc.errors.ArgumentError, match="not a function for programs"):
        tcalc.combine("sum(sin(v))", [np.sin], v=x)
    assert tcalc.check(in_text, "x", order=2)
    data = {"X": np.eye(2), "x": np.array([0.5, -1.0])}
    value, gradient = tcalc.compile([in_text, tcalc.gradient(in_text, "x")])(**data)
    np.testing.assert_allclose(value, np.exp(-0.25) + np.exp(-1))
    np.testing.assert_allclose(gradient, -2 * data["x"] * np.exp(-(data["x"] ** 2)))
    with pytest.raises(tcalc.TcalcError, match="of its own"):
        tcalc.elementwise("exp", sympy.exp(t), t)
    with pytest.raises(tcalc.TcalcError, match="SymPy"):
        tcalc.elementwise("evil", "__import__('os')", t)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda: np.exp(x), "combine('exp(x)', x=x)"),
        (lambda: np.log(x), "combine('log(x)', x=x)"),
        (lambda: np.maximum(x, 0), "combine('max(x, y)', x=x, y=y)"),
        (lambda: np.sum(x), "combine('sum(x)'"),
        (lambda: np.linalg.norm(X), "combine('norm2(x)'"),
        (lambda: np.trace(X), "combine('tr(x)'"),
        (lambda: np.multiply(x, x), "in a program"),
        (lambda: np.add.reduce(x), "in a program"),
        (lambda: math.exp(x), "combine('exp(x)', x=x)"),
        (lambda: max(x, 0), "where(a < b, x, y)"),
        (lambda: x > 0, "where(a < b, x, y)"),
        (lambda: x >= 0, "where(a < b, x, y)"),
    ],
)
def test_functions_of_numbers_say_how_formulas_are_written(wrong, hint):
    with pytest.raises(tcalc.TcalcError) as caught:
        wrong()
    assert hint in str(caught.value)


def test_arrays_do_not_combine_whatever_their_side():
    for wrong in (
        lambda: np.ones(3) * x,
        lambda: np.ones(3) @ x,
        lambda: x + np.ones(3),
        lambda: np.add(np.ones(3), x),
    ):
        with pytest.raises(tcalc.TcalcError, match="type ndarray do not combine"):
            wrong()


def test_the_absolute_value_is_that_of_the_language():
    assert str(abs(x)) == "abs(x)"


def test_several_variables_are_a_list():
    f = tcalc.parse("norm2(X*w)^2")
    with pytest.raises(tcalc.TcalcError) as caught:
        tcalc.gradient(f, "X, w")
    assert caught.value.hint == "several variables are a list: ['X', 'w']"
    with pytest.raises(tcalc.TcalcError) as caught:
        tcalc.gradient(f, "X,q")
    assert caught.value.hint == "its variables: X, w"


def test_formulas_are_set_in_columns_as_texts_are():
    x = tcalc.symbols("x[n]")
    assert f"{x.T @ x:>8}|{x:<4}|{x}" == "    x'*x|x   |x"
