"""Element-wise functions: stability far out, conventions at kinks, exact folding."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tcalc.calculus import derivative
from tcalc.expr import Fact, build, shape
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Apply
from tcalc.interpret import evaluate
from tcalc.primitives import FUNCTIONS, REGISTRY, Kind
from tcalc.primitives.exponential import logaddexp_stable, sigmoid_stable, softplus_stable
from tcalc.primitives.piecewise import Where
from tcalc.primitives.power import power

x, y = build.var("x", shape("n")), build.var("y", shape("n"))


def apply(name, *args):
    return REGISTRY[name].form([argument.order for argument in args]).build(*args)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_stable_forms_neither_overflow_nor_cancel(dtype):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        far = np.array([-80, -30, 0, 30, 80], dtype)
        small = np.exp(np.array([-80, -30], dtype))
        np.testing.assert_allclose(sigmoid_stable(far)[:2], small, rtol=1e-5)
        np.testing.assert_allclose(softplus_stable(far)[:2], small, rtol=1e-5)
        huge = np.array([-1e30, 1e30], dtype)
        np.testing.assert_array_equal(sigmoid_stable(huge), [0, 1])
        np.testing.assert_array_equal(softplus_stable(huge), np.array([0, 1e30], dtype))
        np.testing.assert_array_equal(logaddexp_stable(huge, huge), huge)
    assert softplus_stable(far).dtype == sigmoid_stable(far).dtype == dtype


def test_infinite_arguments():
    inf = np.array([-np.inf, np.inf])
    np.testing.assert_array_equal(sigmoid_stable(inf), [0, 1])
    np.testing.assert_array_equal(softplus_stable(inf), [0, np.inf])
    np.testing.assert_array_equal(logaddexp_stable(inf, inf), inf)
    np.testing.assert_array_equal(logaddexp_stable(inf, inf[::-1]), [np.inf, np.inf])
    np.testing.assert_array_equal(logaddexp_stable(inf, np.ones(2)), [1, np.inf])
    assert np.isnan(logaddexp_stable(np.array([np.nan, 1.0]), np.array([1.0, np.nan]))).all()


@pytest.mark.parametrize(
    ("name", "slope"), [("abs", 0), ("relu", 0), ("sign", 0), ("step", 0), ("square", 0)]
)
def test_kinks_of_one_argument(name, slope):
    D = derivative(build.sum_all(apply(name, x)), [x])
    (value,) = evaluate([D], {"x": np.zeros(2)}, {"n": 2})
    np.testing.assert_array_equal(value, [slope, slope])


@pytest.mark.parametrize("name", ["max", "min"])
def test_ties_are_split_evenly(name):
    for variable in (x, y):
        D = derivative(build.sum_all(apply(name, x, y)), [variable])
        (value,) = evaluate([D], {"x": np.ones(2), "y": np.ones(2)})
        np.testing.assert_array_equal(value, [0.5, 0.5])


def test_xlogx_is_zero_at_zero():
    (value,) = evaluate([apply("xlogx", x)], {"x": np.array([0.0, 1.0])})
    np.testing.assert_array_equal(value, [0, 0])


def test_reciprocal0_and_its_derivatives_vanish_at_zero():
    node = apply("reciprocal0", x)
    for _ in range(3):
        (value,) = evaluate([node], {"x": np.zeros(1)}, {"n": 1})
        assert np.all(value == 0)
        node = derivative(node, [x])


ANALYTIC = [
    node
    for function in FUNCTIONS
    for form in function.forms
    if form.kind is Kind.ELEMENTWISE and form.arity == 1 and not form.parameters
    if isinstance(node := form.build(x), Apply) and node.primitive.analytic
]


@pytest.mark.filterwarnings("ignore:divide by zero|invalid value:RuntimeWarning")
@pytest.mark.parametrize("node", ANALYTIC, ids=lambda node: node.primitive.key)
def test_the_complex_step_holds_wherever_there_is_a_slope(node):
    points = np.array([-3.3, -2.5, -0.7, -0.2, 0.2, 0.7, 1.5, 4.0, 9.5])
    value, slope = evaluate([node, node.primitive.slope(node, 0)], {"x": points}, {"n": 9})
    stepped = node.primitive.evaluate(points + 1e-20j)
    known = np.isfinite(value) & np.isfinite(slope)
    np.testing.assert_allclose(stepped.real[known], value[known], rtol=1e-13)
    np.testing.assert_allclose(stepped.imag[known] / 1e-20, slope[known], rtol=1e-8)


def test_exact_numbers_fold():
    assert power(x, 1) is x
    assert power(x, 0) is build.ones(x.dims)
    assert power(build.const(Fraction(2, 3)), -2) is build.const(Fraction(9, 4))
    # Neither an inexact root, nor a division by zero, nor a giant is folded.
    for base, exponent in ((2, Fraction(1, 2)), (0, -1), (9, 9**9)):
        assert power(build.const(base), exponent).operands == (build.const(base),)


def test_facts_of_values():
    P = build.var("P", shape("n", "n"), ["positive"])
    S = build.var("S", shape("n", "n"), ["symmetric"])
    D = build.var("D", shape("n", "n"), ["diagonal"])
    assert holds(apply("sqrt", P), Fact.POSITIVE)
    assert holds(apply("exp", S), Fact.SYMMETRIC)
    assert holds(apply("exp", D), Fact.DIAGONAL) is None
    assert holds(apply("sin", D), Fact.DIAGONAL)
    assert holds(apply("square", x), Fact.NONNEGATIVE)
    assert holds(apply("log", P), Fact.POSITIVE) is None


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"max: arguments of shapes \[n\] and \[m\]"):
        apply("max", x, build.var("z", shape("m")))


def test_where_takes_known_comparisons_only():
    with pytest.raises(ValueError, match="is not one of"):
        Where("!=")
    node = build.apply(Where("<="), x, y, x, y)
    (value,) = evaluate([node], {"x": np.array([1.0, 2, 3]), "y": np.array([2.0, 2, 2])})
    np.testing.assert_array_equal(value, [1, 2, 2])


def test_bounded_functions_are_bounded():
    far = np.concatenate([np.linspace(-9, 9, 1001), [-np.inf, -1e300, 1e300, np.inf]])
    bounded = set()
    for function in FUNCTIONS:
        form = function.form([1])
        if (
            form is None
            or form.parameters
            or form.kind not in (Kind.ELEMENTWISE, Kind.NORMALISATION)
        ):
            continue
        node = form.build(x) if form.kind is Kind.ELEMENTWISE else form.build(x, 1)
        if isinstance(node, Apply) and node.primitive.bounded:
            bounded.add(function.name)
            with np.errstate(invalid="ignore", over="ignore"):
                (value,) = evaluate([node], {"x": far}, {"n": len(far)})
            assert np.nanmax(np.abs(value), initial=0) <= 1, function.name
    assert {"sigmoid", "softmax", "tanh", "sin", "erf"} <= bounded
