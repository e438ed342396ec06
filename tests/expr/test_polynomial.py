"""Polynomials in the dimensions with rational coefficients."""

from __future__ import annotations

import pickle
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcalc.expr.dims import Dim
from tcalc.expr.polynomial import Polynomial

m, n = (Polynomial.of(Dim.of(name)) for name in "mn")
coefficients = st.fractions(min_value=-5, max_value=5, max_denominator=6)
polynomials = st.lists(
    st.tuples(coefficients, st.integers(0, 3), st.integers(0, 3)), max_size=4
).map(lambda terms: sum((c * m**i * n**j for c, i, j in terms), Polynomial.of(0)))


def exact(p, sizes):
    total = Fraction(0)
    for monomial, coefficient in p.terms:
        for name in monomial:
            coefficient *= sizes[name]
        total += coefficient
    return total


@given(polynomials, polynomials, st.integers(0, 9), st.integers(0, 9))
def test_arithmetic_is_that_of_the_values(p, q, a, b):
    sizes = {"m": a, "n": b}
    x, y = exact(p, sizes), exact(q, sizes)
    assert exact(p + q, sizes) == x + y
    assert exact(p - q, sizes) == x - y
    assert exact(p * q, sizes) == x * y
    assert exact(p**2, sizes) == x**2
    assert exact(p / 3, sizes) == x / 3
    assert exact(2 - p, sizes) == 2 - x
    assert p.evaluate(sizes) == round(x)


@given(polynomials, polynomials)
def test_equal_ones_are_equal_however_they_arise(p, q):
    assert p + q == q + p
    assert hash(p * q) == hash(q * p)
    assert (p - q) + q == p
    assert Polynomial.total([(2, p), (-1, q)]) == 2 * p - q
    assert pickle.loads(pickle.dumps(p)) == p


def test_leading_terms_come_first():
    p = 5 * m * n + m * n**2 * Fraction(2, 3) + 2 * m**2 * n - 7
    assert str(p) == "2*m^2*n + 2*m*n^2/3 + 5*m*n - 7"
    assert str(p.leading) == "2*m^2*n + 2*m*n^2/3"
    assert p.text(2) == "2*m^2*n + 2*m*n^2/3 + ..."
    assert p.coefficient("n", "m", "n") == Fraction(2, 3)
    assert p.coefficient("n") == 0
    assert p.names() == {"m", "n"}


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (Polynomial.of(0), "0"),
        (Polynomial.of(Fraction(-1, 2)), "-1/2"),
        (-n, "-n"),
        (n**3 / 3, "n^3/3"),
        (n - n, "0"),
        (Polynomial.of(Dim.minimum(Dim.of("m"), Dim.of("n"))) * 2, "2*min(m, n)"),
    ],
)
def test_texts(p, text):
    assert str(p) == text


def test_a_size_that_is_missing():
    with pytest.raises(KeyError):
        n.evaluate({"m": 3})
