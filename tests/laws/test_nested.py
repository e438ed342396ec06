"""Decompositions inside other functions: the derivatives of second order in every mode."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc

NESTED = (
    "det(polar(B))*tr(B) + sum(polar(B).^3)",
    "norm2(polar(A) - A)",
    "U, s, V = svd(B); sum((U*diag(s.^2)*V').*B.*B)",
)


@pytest.mark.parametrize("text", NESTED)
@pytest.mark.parametrize("mode", ["forward", "reverse", "cross-country"])
def test_second_derivatives_are_those_of_the_first(text, mode):
    name = "A" if "A" in text else "B"
    f = tcalc.parse(text, "A[m,n], B[n,n]")
    rng = np.random.default_rng(1)
    shape = (4, 3) if name == "A" else (3, 3)
    value = rng.standard_normal(shape) + 3 * np.eye(*shape)
    direction = rng.standard_normal(value.shape)
    run = tcalc.compile([tcalc.gradient(f, name, mode=mode), tcalc.hessian(f, name, mode=mode)])
    _, hessian = run(**{name: value})
    step = 1e-5
    above, below = (run(**{name: value + k * step * direction})[0] for k in (1, -1))
    product = np.tensordot(hessian, direction, 2)
    np.testing.assert_allclose(product, (above - below) / (2 * step), rtol=1e-6, atol=1e-7)
