"""Functions of numbers and their derivatives to third order at extreme arguments.

Values by SymPy and mpmath in hundreds of digits are the reference: compiled code and interpreter
keep relative accuracy wherever the true value is representable, also where it is as small as
exp(-600), and near the ends of domains.
"""

from __future__ import annotations

from itertools import chain

import mpmath
import numpy as np
import pytest
import sympy

import tcalc

x = sympy.Symbol("x", real=True)
TINY = (1e-300, 1e-160, 1e-100, 1e-20, 1e-8)
MIDDLE = (0.3, 1.0, 2.5, 10.0, 20.0, 40.0)
HUGE = (1e3, 1e80, 1e110, 1e155, 1e200, 1e300)
BELOW_ONE = (0.3, 0.9, 1 - 1e-8, 1 - 1e-12, 1 - 2.0**-52)
ABOVE_ONE = (1 + 1e-8, 1 + 2.0**-51, 2.5, 40.0)


def both(*points):
    return tuple(chain.from_iterable((p, -p) for p in points))


FUNCTIONS = {
    # program in s: the formula in x, arguments, digits of the reference
    "log": (sympy.log(x), TINY + MIDDLE + HUGE, 50),
    "log1p": (sympy.log(1 + x), both(*TINY) + HUGE + (-1 + 1e-10, -1 + 2.0**-50), 700),
    "expm1": (sympy.exp(x) - 1, both(*TINY, *MIDDLE, 600.0), 700),
    "sigmoid": (1 / (1 + sympy.exp(-x)), both(*TINY, *MIDDLE, 600.0), 700),
    "softplus": (sympy.log(1 + sympy.exp(x)), both(*TINY, *MIDDLE, 600.0), 700),
    "tanh": (sympy.tanh(x), both(*TINY, *MIDDLE, 300.0), 700),
    "asinh": (sympy.asinh(x), both(*TINY, *MIDDLE, *HUGE), 700),
    "acosh": (sympy.acosh(x), ABOVE_ONE + HUGE, 700),
    "atanh": (sympy.atanh(x), both(*TINY, *BELOW_ONE), 700),
    "asin": (sympy.asin(x), both(*TINY, *BELOW_ONE), 700),
    "acos": (sympy.acos(x), both(*TINY, *BELOW_ONE), 700),
    "atan": (sympy.atan(x), both(*TINY, *MIDDLE, *HUGE), 700),
    "erf": (sympy.erf(x), both(*TINY, 1.0, 5.0, 25.0), 120),
    "erfc": (sympy.erfc(x), both(*TINY, 1.0, 5.0, 25.0), 120),
    "normcdf": (sympy.erfc(-x / sympy.sqrt(2)) / 2, both(*TINY, 1.0, 5.0, 36.0), 400),
    "xlogx": (x * sympy.log(x), TINY + MIDDLE + HUGE, 50),
    "log(1 + exp(s))": (sympy.log(1 + sympy.exp(x)), both(1e-20, 1.0, 40.0, 600.0), 700),
    "1/(1 + exp(-s))": (1 / (1 + sympy.exp(-x)), both(1e-20, 1.0, 40.0, 600.0), 700),
    "log1mexp": (
        sympy.log(1 - sympy.exp(x)),
        (-1e-300, -1e-100, -1e-8, -0.3, -0.69, -0.7, -2.5, -40.0, -700.0),
        700,
    ),
    "log(1 - exp(-s))": (sympy.log(1 - sympy.exp(-x)), (1e-100, 1e-9, 0.7, 40.0, 700.0), 700),
    "log(exp(s) - 1)": (sympy.log(sympy.exp(x) - 1), (1e-100, 1e-9, 0.7, 40.0, 1e3), 900),
    "log(cosh(s))": (sympy.log(sympy.cosh(x)), both(1e-160, 1e-8, 0.9, 1.1, 40.0, 300.0), 700),
    "log(normcdf(s))": (
        sympy.log(sympy.erfc(-x / sympy.sqrt(2)) / 2),
        (0.3, -2.0, 30.0),
        500,
    ),
    "logaddexp(s, 2*s)": (sympy.log(sympy.exp(x) + sympy.exp(2 * x)), (1.0, 40.0, 300.0), 700),
    "atan2(s, 1e-200)": (sympy.atan(x * 10**200), (1e-230, 1e-200, 1e-170, 1.0), 700),
    "atan2(3e150, s)": (sympy.atan(3 * 10**150 / x), (1e100, 1e150, 1e155, 1e200), 700),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_digits_are_lost(name: str) -> None:
    formula, points, digits = FUNCTIONS[name]
    f = tcalc.parse(name if "(" in name else f"{name}(s)", "s")
    derivatives = [f, *(tcalc.derivative(f, *["s"] * order) for order in (1, 2, 3))]
    compiled = tcalc.compile(derivatives)
    exact = [sympy.lambdify(x, sympy.diff(formula, x, order), "mpmath") for order in range(4)]
    wrong = []
    with mpmath.workdps(digits), np.errstate(all="ignore"):
        for point in points:
            for found in (compiled(s=point), tcalc.evaluate(derivatives, s=point)):
                for order, (number, truth) in enumerate(zip(found, exact, strict=True)):
                    due = mpmath.re(truth(mpmath.mpf(point)))
                    error = abs(mpmath.mpf(float(number)) - due)
                    in_range = abs(due) < 1e300
                    if in_range and not error <= 1e-12 * abs(due) + mpmath.mpf("1e-300"):
                        wrong.append((order, point, float(number), mpmath.nstr(due, 17)))
    assert not wrong


@pytest.mark.parametrize("point", [-5.0, -27.0, -29.0, -41.0, -1e3, -1e8])
def test_a_probit_likelihood_has_derivatives_far_to_the_left(point: float) -> None:
    f = tcalc.parse("log(normcdf(s))", "s")
    with mpmath.workdps(60):
        t = mpmath.mpf(point)
        tail = mpmath.erfc(-t / mpmath.sqrt(2)) / 2
        hazard = mpmath.exp(-t * t / 2) / mpmath.sqrt(2 * mpmath.pi) / tail
        due = [float(mpmath.log(tail)), float(hazard), float(-hazard * (t + hazard))]
    for order, number in enumerate(due):
        D = tcalc.derivative(f, *["s"] * order) if order else f
        for found in (tcalc.compile(D)(s=point), tcalc.evaluate(D, s=point)):
            np.testing.assert_allclose(found, number, rtol=1e-11)


@pytest.mark.parametrize("text", ["log(erfc(s))", "log(1 - erf(s))", "log(0.5*(1 + erf(-s)))"])
def test_logarithms_of_complementary_error_functions_have_no_bounds(text: str) -> None:
    f = tcalc.parse(text, "s")
    derivatives = [f, *(tcalc.derivative(f, *["s"] * order) for order in (1, 2))]
    compiled = tcalc.compile(derivatives)
    with mpmath.workdps(60):
        for point in (-30.0, -1.0, -1e-9, 0.3, 0.49, 0.51, 3.0, 19.0, 21.0, 30.0, 1e3, 1e8):
            t = mpmath.mpf(point)
            scale = mpmath.mpf(1) / 2 if "0.5" in text else 1
            hazard = 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-t * t) / mpmath.erfc(t)
            due = (mpmath.log(scale * mpmath.erfc(t)), -hazard, -hazard * (hazard - 2 * t))
            for found in (compiled(s=point), tcalc.evaluate(derivatives, s=point)):
                for number, true in zip(found, due, strict=True):
                    np.testing.assert_allclose(number, float(true), rtol=1e-12)


@pytest.mark.parametrize("text", ["log(normcdf(s))", "log(erfc(-s))"])
def test_third_derivatives_of_the_logarithms_of_tails(text: str) -> None:
    """With h the derivative of log Φ, its third is h ((x + h) (x + 2 h) - 1)."""
    third = tcalc.derivative(tcalc.parse(text, "s"), "s", "s", "s")
    compiled = tcalc.compile(third)
    with mpmath.workdps(120):
        scale = mpmath.sqrt(2) if "erfc" in text else mpmath.mpf(1)
        for point in (-1e8, -1e3, -41.0, -10.1, -9.9, -7.0, -5.0, -1.0, 0.0, 1.0, 3.0, 8.0):
            x = scale * mpmath.mpf(point)
            density = mpmath.exp(-x * x / 2) / mpmath.sqrt(2 * mpmath.pi)
            h = density / (mpmath.erfc(-x / mpmath.sqrt(2)) / 2)
            due = float(scale**3 * h * ((x + h) * (x + 2 * h) - 1))
            for found in (compiled(s=point), tcalc.evaluate(third, s=point)):
                np.testing.assert_allclose(found, due, rtol=2e-10)


def test_digits_of_terms_in_sums_are_not_paid_for() -> None:
    summed = tcalc.parse("sum(tanh(X*w))", "X[m,n], w[n]")
    alone = tcalc.parse("sum(tanh(w))", "w[n]")
    for order in (1, 2):
        assert "complement" not in tcalc.compile(tcalc.derivative(summed, *["w"] * order)).source
        assert "complement" in tcalc.compile(tcalc.derivative(alone, *["w"] * order)).source


@pytest.mark.parametrize("k", [1, 2, 5])
def test_derivatives_of_digamma_far_left_of_zero(k):
    """By the recurrence ``ψ_k(x + 1) = ψ_k(x) + (-1)^k k!/x^(k+1)``, and not by x terms."""
    f = tcalc.parse(f"polygamma({k}, x)", "x[n]")
    near = np.array([-99.7, -99.6, -99.2, -99.9])
    far, due = tcalc.compile(f)(x=near - 2), tcalc.compile(f)(x=near)
    for step in (1, 2):
        due = due - (-1) ** k * float(np.prod(np.arange(1.0, k + 1))) / (near - step) ** (k + 1)
    np.testing.assert_allclose(far, due, rtol=1e-12)
    again, reference = (way(f, x=np.array([-1e15 - 0.25])) for way in (_compiled, tcalc.evaluate))
    np.testing.assert_allclose(again, reference)
    assert np.isinf(_compiled(f, x=[-1e20])).all()


def _compiled(f, **data):
    return tcalc.compile(f)(**data)
