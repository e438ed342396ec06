"""Derivatives of functions of norms where squares and cubes of the norm leave the range of doubles.

Each function is homogeneous: its derivative of order k at ``c*x`` is ``c^(d - k)`` times that at
x, with d its degree, and for c a power of two that holds but for rounding.
"""

from __future__ import annotations

import numpy as np
import pytest

import tcalc

MODES = ("forward", "reverse", "cross-country")
RNG = np.random.default_rng(3)
DATA = {
    "x": RNG.standard_normal(3),
    "y": RNG.standard_normal(3),
    "A": RNG.standard_normal((4, 3)),
    "X": RNG.standard_normal((4, 3)),
}
DECLARED = "x[n], y[n], A[m,n], X[m,n]"
HOMOGENEOUS = {
    # program: its variable, its degree, and the highest order
    "norm2(x)": ("x", 1, 2),
    "norm2(X)": ("X", 1, 2),
    "norm2(A*x)": ("x", 1, 2),
    "x/norm2(x)": ("x", 0, 1),
    "A*x/(3*norm2(x))": ("x", 0, 1),
    "direction(x)'*y": ("x", 0, 1),
    "x'*y/(norm2(x)*norm2(y))": ("x", 0, 1),
    "-2*x'*y/norm2(x)/norm2(y)": ("x", 0, 1),
    "X[i,j]*y[j]/norm2[j](X[i,j])": ("X", 0, 1),
    "sum(norm2[j](X[i,j]))": ("X", 1, 2),
    "sqrt(x'*x)": ("x", 1, 2),
    "sqrt(sum(X.^2))": ("X", 1, 2),
    "x/sqrt(x'*x)": ("x", 0, 1),
    "log(norm2(x))": ("x", None, 1),
}
CASES = [(text, k) for text, (_, _, most) in HOMOGENEOUS.items() for k in range(1, most + 1)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("text", "order"), CASES)
def test_derivatives_keep_their_digits_at_any_size(text: str, order: int, mode: str) -> None:
    variable, degree, _ = HOMOGENEOUS[text]
    degree = degree or 0
    F = tcalc.parse(text, DECLARED)
    D = tcalc.derivative(F, *[variable] * order, mode=mode)
    compiled = tcalc.compile(D)
    data = {name: DATA[name] for name in D.variables}
    expected = tcalc.evaluate(D, **data)
    for exponent in (-990, -520, 520, 990):
        moved = data | {variable: np.ldexp(data[variable], exponent)}
        for found in (compiled(**moved), tcalc.evaluate(D, **moved)):
            back = np.ldexp(found, -exponent * (degree - order))
            np.testing.assert_allclose(back, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("scale", [1e-100, 1e100])
def test_third_derivatives_stay_in_range(scale: float) -> None:
    T = tcalc.derivative(tcalc.parse("norm2(x)", "x[n]"), "x", "x", "x")
    expected = tcalc.evaluate(T, x=DATA["x"]) / scale**2
    for found in (tcalc.compile(T)(x=DATA["x"] * scale), tcalc.evaluate(T, x=DATA["x"] * scale)):
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-16 * np.abs(expected).max())


def test_derivatives_of_the_norm_vanish_at_zero_and_those_of_the_quotient_do_not_exist() -> None:
    f, q = tcalc.parse("norm2(x)", "x[n]"), tcalc.parse("x/norm2(x)", "x[n]")
    for order in (1, 2, 3):
        D = tcalc.derivative(f, *["x"] * order)
        assert not tcalc.compile(D)(x=np.zeros(3)).any()
        assert not tcalc.evaluate(D, x=np.zeros(3)).any()
    with np.errstate(all="ignore"):
        for D in (q, tcalc.jacobian(q, "x")):
            assert np.isnan(tcalc.compile(D)(x=np.zeros(3))).all()
            assert np.isnan(tcalc.evaluate(D, x=np.zeros(3))).all()


def test_single_precision_has_its_own_range() -> None:
    H = tcalc.compile(tcalc.hessian(tcalc.parse("norm2(x)", "x[n]"), "x"))
    x = DATA["x"].astype(np.float32)
    for exponent in (-110, 110):
        found = H(x=np.ldexp(x, exponent))
        assert found.dtype == np.float32
        np.testing.assert_allclose(np.ldexp(found, exponent), H(x=x), rtol=1e-5, atol=1e-6)


def test_formulas_read_as_before() -> None:
    f = tcalc.parse("norm2(x)", "x[n]")
    assert str(tcalc.gradient(f, "x")) == "x/norm2(x)"
    assert str(tcalc.hessian(f, "x")) == "(eye(n) - x*x'/norm2(x)^2)/norm2(x)"


def test_differences_of_all_pairs_are_opened_into_products() -> None:
    f = tcalc.parse("s = norm2[k](X[i,k] - X[j,k])", "X[m,k]")
    source = tcalc.compile(tcalc.gradient(f, "X")).source_for(m=500, k=4)
    assert " @ X" in source
