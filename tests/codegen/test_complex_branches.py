"""Functions with kinks, at complex arguments: the complex step is their derivative."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tcalc

X, DIRECTION = np.array([0.3, -0.7, 0.45]), np.array([1.0, -0.5, 2.0])


@pytest.mark.parametrize("options", [{}, {"reuse": True}])
@pytest.mark.parametrize(
    "text",
    ["norm1(x)", "norminf(x)", "sum(abs(x).^3)", "sum(sign(x).*x)", "abs(sum(x))", "sum(relu(x))"],
)
def test_the_complex_step_follows_the_branch_of_the_real_part(
    text: str, options: dict[str, Any]
) -> None:
    f = tcalc.parse(text, "x[n]")
    slope = tcalc.compile(tcalc.gradient(f, "x"))(x=X) @ DIRECTION
    fun = tcalc.compile(f, **options)
    found = fun(x=X + 1e-30j * DIRECTION)
    assert found.dtype == np.complex128
    np.testing.assert_allclose(found.imag / 1e-30, slope, rtol=1e-14)
    np.testing.assert_allclose(found.real, fun(x=X), rtol=1e-14)
    assert fun(x=X.astype(np.complex64)).dtype == np.complex64


def test_derivatives_are_of_that_branch_too() -> None:
    f = tcalc.parse("sum(abs(x).^3)", "x[n]")
    gradient, hessian = tcalc.gradient(f, "x"), tcalc.hessian(f, "x")
    found = tcalc.compile(gradient)(x=X + 1e-30j * DIRECTION)
    np.testing.assert_allclose(found.imag / 1e-30, tcalc.compile(hessian)(x=X) @ DIRECTION)


@pytest.mark.parametrize("text", ["norm1(x)", "norminf(x)", "sum(sign(x).*x)"])
def test_the_reference_takes_the_same_branch(text: str) -> None:
    f = tcalc.parse(text, "x[n]")
    z = X + 0.5j * DIRECTION
    for e in (f, tcalc.gradient(f, "x")):
        np.testing.assert_allclose(tcalc.evaluate(e, x=z), tcalc.compile(e)(x=z), rtol=1e-14)
