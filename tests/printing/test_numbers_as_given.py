"""Decimals stand in derivatives as they were written, and small numbers as powers of ten."""

from __future__ import annotations

import pytest

import tcalc


@pytest.mark.parametrize(
    ("function", "gradient"),
    [
        ("log(x'*x + 1e-6)", "2*x/(1e-6 + x'*x)"),
        ("y'*inv(K + 1e-6*eye(n))*y", "2*inv(K + 1e-6*eye(n))*y"),
        ("sum(x.^2./(x.^2 + 0.1))", "x./(0.1 + x.^2).^2/5"),
        ("sum((0.1*x - 0.2*y).^3)", "0.003*(x - 2*y).^2"),
        ("sum((x/2 - y/3).^3)", "(3*x - 2*y).^2/24"),
        ("norm2(A*x - y)^4 + 0.02*norm2(x)^2", "0.04*x + 4*norm2(A*x - y)^2*A'*(A*x - y)"),
        ("0.05*norm2(x)^4", "x'*x*x/5"),
    ],
)
def test_decimals_stay(function: str, gradient: str) -> None:
    declared = "x[n], y[n], A[n,n], K[n,n] spd"
    by = "y" if "inv" in function else "x"
    assert str(tcalc.gradient(tcalc.parse(function, declared), by)) == gradient


def test_layer_normalisation_keeps_its_small_number() -> None:
    loss = tcalc.parse("g'*(x - mean(x))/sqrt(mean((x - mean(x)).^2) + 1e-5)", "g[n], x[n]")
    assert str(tcalc.gradient(loss, "x")).splitlines() == [
        "t1 = x - mean(x)",
        "t2 = 1e-5 + t1'*t1/n",
        "(g - mean(g) - g'*t1*t1/(n*t2))/sqrt(t2)",
    ]


def test_the_numbers_of_an_approximation_stay() -> None:
    gelu = tcalc.parse("sum(tanh(0.7978845608*(x + 0.044715*x.^3)))", "x[n]")
    assert str(gelu) == "sum(tanh(0.7978845608*(x + 0.044715*x.^3)))"
    assert "0.134145" in str(tcalc.gradient(gelu, "x"))


def test_a_small_number_is_a_power_of_ten_in_mathematics() -> None:
    small = tcalc.parse("1e-8 + 3.5e-9*x", "x[]")
    assert str(small) == "1e-8 + 3.5e-9*x"
    assert small.latex() == r"10^{-8} + 3.5 \times 10^{-9} x"
    assert "<msup><mrow><mn>10</mn></mrow>" in small.mathml()
