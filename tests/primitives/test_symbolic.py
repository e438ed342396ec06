"""Element-wise functions from SymPy."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest
import sympy

import tcalc
from tcalc.calculus import derivative
from tcalc.errors import TcalcError
from tcalc.expr import build, shape
from tcalc.interpret import evaluate
from tcalc.primitives.symbolic import elementwise

s, t = sympy.symbols("s t")
x = build.var("x", shape("n"))


def huber():
    half = sympy.Rational(1, 2)
    return elementwise("huber", sympy.Piecewise((s**2 / 2, abs(s) < 1), (abs(s) - half, True)), s)


def test_value_and_derivatives_of_a_piecewise_function():
    at = {"x": np.array([-3.0, -0.5, 0.25, 2.0])}
    node = huber()(x)
    np.testing.assert_allclose(evaluate([node], at)[0], [2.5, 0.125, 0.03125, 1.5])
    D = derivative(build.sum_all(node), [x])
    np.testing.assert_allclose(evaluate([D], at)[0], [-1, -0.5, 0.25, 1])
    H = derivative(build.sum_all(node), [x, x])
    np.testing.assert_allclose(evaluate([H], at)[0], np.diag([0.0, 1, 1, 0]))


def test_names_and_texts():
    f = elementwise("f", s * sympy.exp(-t), s, t)
    assert f.text == "f(s, t) = s*exp(-t)"
    assert f.partial(1).text == "f't(s, t) = -s*exp(-t)"
    assert f.partial(1).partial(0).name == "f't's"
    assert f.latex == r"\operatorname{f}(s, t) = s e^{- t}"
    assert huber().partial(0).name == "huber'"


def test_equal_definitions_are_one_function_others_are_not():
    f, g = elementwise("f", s**2, s), elementwise("f", t**2, t)
    assert f == g
    assert build.apply(f, x) is build.apply(g, x)
    assert elementwise("f", s**3, s) != f
    assert pickle.loads(pickle.dumps(f(x))) is f(x)


def test_the_key_of_a_function_is_at_hand_without_sympy(monkeypatch):
    f = huber()
    monkeypatch.setitem(sys.modules, "sympy", None)
    assert f.key.startswith("huber: ")


def test_constant_slopes_are_numbers():
    f = elementwise("f", 2 * s + sympy.pi, s)
    assert derivative(build.sum_all(f(x)), [x]) is build.const(2, x.dims)


def test_a_jump_has_derivative_zero():
    assert derivative(elementwise("f", sympy.sign(s), s)(x), [x]) is build.zeros(x.dims * 2)


def test_regular_point_and_complex_step():
    assert elementwise("f", sympy.log(s), s).regular_point == 1
    assert elementwise("f", 1 / (s - 1), s).regular_point != 1
    assert elementwise("f", sympy.exp(s), s).analytic
    assert not huber().analytic


@pytest.mark.parametrize(
    ("name", "expression", "symbols"),
    [
        ("f", "s**2", (s,)),
        ("f", 3.0, (s,)),
        ("f", s**2, ("s",)),
        ("f", s + t, (s,)),
        ("f", s, ()),
        ("f", s, (s, s)),
        ("import os", s, (s,)),
        ("f", sympy.Function("__import__")(s), (s,)),
        ("f", sympy.Sum(t, (t, 0, s)), (s,)),
        ("f", sympy.zeta(s), (s,)),
        ("f", sympy.oo * s, (s,)),
        ("f", sympy.nan, (s,)),
        ("f", sympy.Derivative(sympy.floor(s), s), (s,)),
    ],
)
def test_anything_but_a_plain_expression_is_refused(name, expression, symbols):
    with pytest.raises(TcalcError):
        elementwise(name, expression, *symbols)


@pytest.mark.parametrize(
    "expression",
    [
        s * t,
        t,
        sympy.Integer(2),
        sympy.pi * t**2,
        sympy.Piecewise((t, t > 0), (1, True)),
        s**2 + sympy.erf(t),
    ],
    ids=str,
)
def test_functions_and_slopes_without_one_of_their_arguments_have_the_shape_of_all(expression):
    function = tcalc.elementwise("ff", expression, s, t)
    f = tcalc.parse("ff(x, c)", "x[n], c", functions=[function])
    total = tcalc.combine("sum(f)", f=f)
    values = np.array([0.5, 1.5, 2.0], np.float32)
    for made in (f, tcalc.gradient(total, "x"), tcalc.gradient(total, "c"), tcalc.jvp(f, "x", "d")):
        data = {"x": values, "c": np.float32(0.3), "d": np.ones(3, np.float32)}
        data = {name: data[name] for name in made.variables}
        found, due = tcalc.compile(made)(**data), tcalc.evaluate(made, **data)
        assert np.asarray(found).dtype == np.float32
        np.testing.assert_allclose(found, due, rtol=1e-6)
        assert np.shape(found) == np.shape(due)


def test_functions_that_no_module_has_are_refused():
    for expression in (sympy.expint(1, 1 + s**2), sympy.sqrt(sympy.airyai(s) * sympy.expint(2, s))):
        with pytest.raises(TcalcError, match="no NumPy code"):
            tcalc.elementwise("ff", expression, s)
