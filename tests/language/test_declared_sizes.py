"""Dimensions made of names and integers, and the functions that merge and split axes."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc

RNG = np.random.default_rng(0)


def test_products_of_names_are_dimensions() -> None:
    f = tcalc.parse("norm2(kron(A,B)*x)^2", "A[m,n], B[p,q], x[n*q]")
    assert f.variables["x"].dims[0] == f.variables["A"].dims[1] * f.variables["B"].dims[1]
    A, B, x = RNG.standard_normal((2, 3)), RNG.standard_normal((4, 5)), RNG.standard_normal(15)
    K = np.kron(A, B)
    found = tcalc.compile(tcalc.gradient(f, "x"))(A=A, B=B, x=x)
    np.testing.assert_allclose(found, 2 * K.T @ K @ x)


def test_a_factor_of_a_size_follows_from_the_product() -> None:
    f = tcalc.parse("vec(A)'*x + sum(A*B)", "x[6], B[2,3]")
    assert repr(f.variables["A"]) == "A[3,2]"
    with pytest.raises(tcalc.TcalcError, match="4\\*\\? against 6") as caught:
        tcalc.parse("vec(A)'*x + sum(A*B)", "x[6], B[4,3]")
    assert "so that the sizes are determined" in str(caught.value)


def test_two_factors_of_a_size_do_not_follow() -> None:
    with pytest.raises(tcalc.TcalcError, match="against 6") as caught:
        tcalc.parse("vec(A)'*x", "x[6]")
    assert caught.value.hint == "declare the dimensions, so that the sizes are determined"


def test_a_linear_dimension_is_solved_for() -> None:
    f = tcalc.parse("sum(x)*n", "x[2*n+1]")
    x = np.arange(7.0)
    assert tcalc.compile(f)(x=x) == 63
    assert tcalc.evaluate(f, x=x) == 63
    for run in (tcalc.compile(f), lambda x: tcalc.evaluate(f, x=x)):
        with pytest.raises(tcalc.TcalcError, match=r"x|n"):
            run(x=np.arange(8.0))


@pytest.mark.parametrize("way", [tcalc.evaluate, lambda f, **given: tcalc.compile(f)(**given)])
def test_a_size_that_no_shape_tells_is_an_error(way) -> None:
    f = tcalc.parse("sum(x)*n", "x[n*q]")
    with pytest.raises(tcalc.TcalcError, match="the size n"):
        way(f, x=np.ones(6))


def test_a_size_follows_from_the_others() -> None:
    g = tcalc.parse("sum(x)*n + sum(y)", "x[n*q], y[q]")
    assert tcalc.evaluate(g, x=np.ones(6), y=np.ones(2)) == 20


@pytest.mark.parametrize(
    ("declared", "column", "message"),
    [
        ("x[0]", 3, "at least 1"),
        ("x[2-2]", 3, "at least 1"),
        ("x[-n]", 3, "at least 1"),
        ("x[1.5]", 3, "no integer"),
        ("x[end]", 3, "`end` is no dimension"),
        ("x[n+]", 5, "unexpected"),
    ],
)
def test_wrong_dimensions_are_refused(declared: str, column: int, message: str) -> None:
    with pytest.raises(tcalc.TcalcError, match=message) as caught:
        tcalc.parse("sum(x)", declared)
    assert f"column {column}" in str(caught.value)


def test_a_name_for_a_size_made_of_others_is_told_how_to_be_declared() -> None:
    program = "norm2(c*x[1:end-2] + x[3:end] - z)^2"
    with pytest.raises(tcalc.TcalcError, match="n - 2 against m") as caught:
        tcalc.parse(program, "x[n], z[m]")
    assert caught.value.hint == "a dimension may be declared as n - 2 in place of m"
    assert tcalc.parse(program, "x[n], z[n-2]").shape == ()


def test_split_and_merge_undo_each_other() -> None:
    x = tcalc.parse("x", "x[m*n], A[m,n]")
    again = tcalc.parse("merge(split(x, m, n))", "x[m*n], A[m,n]")
    assert again.node is x.node
    f = tcalc.parse("split(x, m, n)*y", "x[m*n], y[n], A[m,n]")
    values = {"x": RNG.standard_normal(6), "y": RNG.standard_normal(3), "A": np.ones((2, 3))}
    due = values["x"].reshape(2, 3) @ values["y"]
    np.testing.assert_allclose(tcalc.evaluate(f, **values), due)
    jacobian = tcalc.jacobian(f, "x")
    assert tcalc.parse(jacobian.einstein(), "x[m*n], y[n], A[m,n]").shape == jacobian.shape


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("split(x, 2, 4)", "multiply to that of the axis"),
        ("split(x, 2)", "two sizes for each axis"),
        ("merge(x)", "too few axes"),
        ("split(A[i,j], 2, 3)", "takes whole tensors"),
    ],
)
def test_wrong_splits_are_refused(text: str, message: str) -> None:
    with pytest.raises(tcalc.TcalcError, match=message):
        tcalc.parse(text, "x[6], A[6,6]")
