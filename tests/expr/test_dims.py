"""Dimensions are exact polynomials with one canonical text."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcalc.expr.dims import Dim, product, shape

M, N, K = shape("m", "n", "k")


@st.composite
def dims(draw):
    leaf = st.one_of(st.sampled_from([M, N, K]), st.integers(0, 5).map(Dim.of))
    tree = st.recursive(
        leaf,
        lambda inner: st.tuples(st.sampled_from("+*-v"), inner, inner).map(_combined),
        max_leaves=6,
    )
    return draw(tree)


def _combined(triple):
    operator, a, b = triple
    match operator:
        case "+":
            return a + b
        case "*":
            return a * b
        case "-":
            return a - b
    return Dim.minimum(a, b)


SIZES = {"m": 3, "n": 5, "k": 2}


@given(dims(), dims())
def test_arithmetic_is_that_of_the_numbers(a, b):
    x, y = a.evaluate(SIZES), b.evaluate(SIZES)
    assert (a + b).evaluate(SIZES) == x + y
    assert (a * b).evaluate(SIZES) == x * y
    assert (a - b).evaluate(SIZES) == x - y
    assert Dim.minimum(a, b).evaluate(SIZES) == min(x, y)


@given(dims(), dims())
def test_equal_dimensions_have_equal_texts_and_hashes(a, b):
    assert (a == b) == (str(a) == str(b))
    assert a + b == b + a
    assert hash(a * b) == hash(b * a)
    assert pickle.loads(pickle.dumps(a)) == a


@given(dims())
def test_substituting_numbers_evaluates(a):
    numbers = {name: Dim.of(size) for name, size in SIZES.items()}
    assert a.substitute(numbers).value == a.evaluate(SIZES)
    assert a.names() <= set(SIZES)


def test_texts():
    assert str(M * N - 1) == "m*n - 1"
    assert str(Dim.of(2) * M + 3) == "2*m + 3"
    assert str(M - M) == "0"
    assert str(-M) == "-m"
    assert str(Dim.minimum(N, M)) == "min(m, n)"


def test_names_and_numbers():
    assert M.is_name
    assert not (M + 1).is_name
    assert not Dim.minimum(M, N).is_name
    assert Dim.of(4).value == 4
    assert M.value is None
    assert (M * N * N).degree == 3
    assert product((M, N)) == M * N
    assert product(()) == Dim.of(1)


def test_a_missing_size_is_an_error():
    with pytest.raises(KeyError):
        (M + N).evaluate({"m": 2})
