"""What is compiled of derivatives, element by element: right at all magnitudes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from math import inf, isfinite
from typing import Any

import numpy as np
import pytest
from compilers import needs_compiler
from mpmath import mp

import tcalc
from tcalc import calculus
from tcalc.expr import build, shape
from tcalc.expr.nodes import Add, Const, Einsum, Node, Var
from tcalc.expr.traverse import postorder
from tcalc.interpret import evaluate
from tcalc.primitives.exponential import exp, log
from tcalc.primitives.power import Power, power, square

DIGITS = 700
"""As many as cancel in second derivatives at the largest of the points, and more."""

SIZES = (1e-160, 1e-100, 1e-20, 1e-9, 0.3, 1.7, 20.0, 400.0, 745.0, 1e5, 1e8, 1e50, 1e100, 1e160)
POINTS = (*SIZES, *(-x for x in SIZES))
LARGEST_ARGUMENT = 1e9
"""Of exponentials: the exact ones would have too many digits before the point."""

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "exp": mp.exp,
    "log": mp.log,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "atan": mp.atan,
    "asinh": mp.asinh,
    "tanh_slope": lambda y, x: mp.sech(x) ** 2,
    "sigmoid": lambda x: 1 / (1 + mp.exp(-x)),
    "sigmoid_slope": lambda y, x: 1 / (mp.exp(x / 2) + mp.exp(-x / 2)) ** 2,
    "sigmoid_spread": lambda y, x: mp.tanh(-x / 2),
    "inverse_radius": lambda x, y: 1 / mp.sqrt(x * x + y * y),
    "over_radius": lambda x, y: x / mp.sqrt(x * x + y * y),
}

ACCURATE = """
x*log(x)  x^2*log(x)  sqrt(x)*log(x)  log(x)^2  log(log(x))  x*sqrt(x)  x^5  x^2*sqrt(x)
1/sqrt(x)  x/(1+x)  x^2/(1+x)  1/(1+x)  1/(1+x)^2  1/(1-x)  (2+x)/(1+x)  (1+2*x)/(1+x)
sqrt(x)/(1+sqrt(x))  1/(1+sqrt(x))  x/sqrt(1+x^2)  sqrt(1+x^2)  sqrt(x^2+2*x)  x*exp(x)*exp(-x)
exp(x)*exp(-x)  exp(x)/(1+exp(x))  1/(1+exp(x))  x^3*exp(x)  1/cosh(x)  log(cosh(x))  tanh(x)^2
"""
"""Functions whose first and second derivatives are accurate wherever they have a value."""

OTHERS = """
x/(1+x^2)  x^2/(1+x^2)  (x^2-1)/(x^2+1)  1/(x-1)-1/(x+1)  x/(x+1)^2  (1+x^2)^3  1/(1+x^2)^(3/2)
x^10/(1+x^4)  x/(2+x^4)  1/x^7  x^(1/3)  1/sqrt(1+x^2)  log(1+x^2)  log(x)/x  1/(x*log(x))
x*log(1+1/x)  log(x+sqrt(1+x^2))  exp(-x^2)  x*exp(-x^2)  x^3*exp(-x)  exp(x)/x  exp(1/x)
exp(-1/x^2)  (1-exp(-x))/x  exp(-exp(x))  x^2*exp(-x^2)/(1+x)  (1-x)*(1+x)*exp(x)  x/(1+exp(-x))
x*tanh(x)  tanh(x)/x  sinh(x)/cosh(x)  1/sinh(x)  x*cosh(x)  cosh(x)^2  sinh(x)*cosh(x)
tanh(x^2)  atan(x^2)  atan(1/x)  x*atan(x)  x*asinh(x)
"""
"""Functions whose derivatives lose digits or leave the range of numbers, whatever is cancelled."""


def exact(node: Node, x: float) -> Any:
    """The value of a function of one number, as it is derived, with many digits."""
    values: dict[Node, Any] = {}
    with mp.workdps(DIGITS):
        for each in postorder([node]):
            operands = [values[y] for y in each.operands]
            match each:
                case Var():
                    values[each] = mp.mpf(x)
                case Const(value=value):
                    values[each] = mp.mpf(value.numerator) / value.denominator
                case Add(terms=terms):
                    values[each] = mp.fsum(
                        y * c.numerator / c.denominator
                        for (c, _), y in zip(terms, operands, strict=True)
                    )
                case Einsum():
                    values[each] = mp.fprod(operands)
                case _ if isinstance(each.primitive, Power):
                    p = each.primitive.exponent
                    values[each] = mp.power(operands[0], mp.mpf(p.numerator) / p.denominator)
                case _:
                    if each.primitive.name == "exp" and abs(operands[0]) > LARGEST_ARGUMENT:
                        return mp.nan
                    values[each] = FUNCTIONS[each.primitive.name](*operands)
    return values[node]


def cases(text: str, order: int) -> Iterator[tuple[float, Any]]:
    """Points at which a derivative has a value, and this."""
    node = tcalc.derivative(tcalc.parse(text, "x"), *["x"] * order).node
    for x in POINTS:
        try:
            value = exact(node, x)
        except (ZeroDivisionError, ValueError):
            continue
        if mp.isfinite(value) and not mp.im(value) and abs(value) < mp.mpf("1e300"):
            yield x, value


def error(found: Any, value: Any) -> float:
    """The relative error; digits of numbers that are nearly too small do not matter."""
    if not isfinite(found):
        return inf
    return float(abs(mp.mpf(float(found)) - value) / max(abs(value), mp.mpf("1e-290")))


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("text", ACCURATE.split())
def test_derivatives_are_accurate_at_all_magnitudes(text: str, order: int) -> None:
    f = tcalc.parse(text, "x")
    function, compiled = map(tcalc.compile, (f, tcalc.derivative(f, *["x"] * order)))
    with np.errstate(all="ignore"):
        for x, value in cases(text, order):
            if isfinite(function(x=x)):
                assert error(compiled(x=x), value) < 1e-14, x


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("text", (ACCURATE + OTHERS).split())
def test_nothing_is_worse_than_as_it_is_derived(text: str, order: int) -> None:
    node = tcalc.derivative(tcalc.parse(text, "x"), *["x"] * order).node
    (made,) = calculus.simplified([node])
    if made is node:
        return
    with np.errstate(all="ignore"):
        for x, value in cases(text, order):
            derived, found = (evaluate([each], {"x": x})[0] for each in (node, made))
            assert error(found, value) <= 8 * error(derived, value) + 4e-15, x
        (derived,), (found,) = (evaluate([each], {"x": 0.0}) for each in (node, made))
        assert derived == found or not isfinite(derived)


@pytest.mark.parametrize("mode", calculus.MODES)
@pytest.mark.parametrize("backend", ["numpy", pytest.param("c", marks=needs_compiler)])
def test_every_mode_and_backend(mode: calculus.Mode, backend: Any) -> None:
    f = tcalc.parse("sum(x.*log(x)) + sum(x./sqrt(1 + x.^2))", "x[n]")
    compiled = tcalc.compile(tcalc.derivative(f, "x", "x", mode=mode), backend=backend)
    with np.errstate(over="ignore"):
        found = compiled(x=[1e150, 1e8, 2.0])
    # 1/x - 3x/(1 + x²)^(5/2)
    due = np.diag([1e-150, 1e-8, 1 / 2 - 6 / 5**2.5])
    np.testing.assert_allclose(found, due, rtol=1e-14)


X = build.var("x", shape("n"))
ONE = build.ones(X.dims)


def test_what_is_computed_anyway_is_used() -> None:
    """``x ./ (1 + x)`` is needed beside its square, which is not written out for that."""
    u = power(build.sum_of(ONE, X), -1)
    y = build.hadamard(X, u)
    roots = [exp(y), build.hadamard(y, u), y]
    assert calculus.simplified(roots)[2] is y
    assert calculus.simplified(roots)[0] is exp(y)


def test_what_would_lose_digits_stays() -> None:
    """``(1 + x).*(1 - x).*x ./ x`` is not ``1 - x^2``."""
    factors = build.sum_of(ONE, X), build.subtract(ONE, X)
    product = build.hadamard(*factors, square(X), power(X, -1))
    (made,) = calculus.simplified([product])
    assert made is build.hadamard(*factors, X)


def test_sums_are_not_reordered_where_digits_would_be_lost() -> None:
    """Of ``(x - y) + sqrt(y)`` the difference comes first where x is nearly y."""
    f = tcalc.parse("(sqrt(y) + (x - y))^3/x", "x, y")
    node = tcalc.derivative(f, "x", "x").node
    (made,) = calculus.simplified([node])
    at = {"x": 1.0303066356665787e38, "y": 1.0303066515348939e38}
    np.testing.assert_allclose(evaluate([made], at), evaluate([node], at), rtol=1e-14)


def test_what_would_leave_the_range_of_numbers_stays() -> None:
    """``(x.*exp(-x.^2)).*x`` is 0 where ``x.^2`` is infinite."""
    decaying = exp(build.scale(-1, square(X)))
    product = build.hadamard(build.hadamard(X, power(build.sum_of(ONE, square(X)), -1)), decaying)
    assert calculus.simplified([product]) == [product]


def test_diagonals_are_added_before_terms_meet() -> None:
    def diagonal(x: Node) -> Node:
        return build.einsum([x], "i->ii")

    parts = build.scale(2, power(X, -1)), build.hadamard(X, power(X, -2))
    derived = build.subtract(*map(diagonal, parts))
    assert calculus.simplified([derived]) == [diagonal(power(X, -1))]


def test_outer_products_are_no_squares() -> None:
    outer = build.einsum([X, X, power(X, -1)], "i,j,j->ij")
    (made,) = calculus.simplified([outer])
    assert made.dims == outer.dims
    (found,) = evaluate([made], {"x": [1.0, 2.0, 4.0]})
    np.testing.assert_array_equal(found, np.outer([1.0, 2.0, 4.0], np.ones(3)))


def test_the_steps_of_a_loop_stay_alike() -> None:
    x: Node = X
    for _ in range(300):
        x = exp(build.hadamard(x, power(build.sum_of(ONE, x), -1), x))
    assert calculus.simplified([x]) == [x]


def test_graphs_are_left_alone_where_nothing_meets() -> None:
    f = tcalc.parse("norm2(tanh(A*x) - y)^2 + sum(log(1 + exp(x)))", "A[m,n], x[n], y[m]")
    node = tcalc.gradient(f, "x").node
    assert calculus.simplified([node]) == [node]


def test_a_part_of_a_large_sum() -> None:
    """Parts are of limited size: what is below the nearest nodes is a part of its own."""
    x: Node = X
    for _ in range(30):
        x = build.hadamard(log(build.sum_of(ONE, x)), X)
    product = build.hadamard(x, power(X, -2))
    (made,) = calculus.simplified([product])
    (before,), (after,) = (evaluate([each], {"x": [0.5, 2.0]}) for each in (product, made))
    np.testing.assert_allclose(after, before, rtol=1e-12)
    assert len(postorder([made])) <= len(postorder([product]))


def test_numbers_alone() -> None:
    root, inverse = (power(build.const(2, X.dims), Fraction(p, 2)) for p in (1, -1))
    assert calculus.simplified([build.hadamard(root, inverse, X)]) == [X]
