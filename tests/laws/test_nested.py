"""Decompositions inside other functions: the derivatives of second order in every mode."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc

NESTED = (
    "det(polar(B))*tr(B) + sum(polar(B).^3)",
    "norm2(polar(A) - A)",
    "U, s, V = svd(B); sum((U*diag(s.^2)*V').*B.*B)",
    "U, s, V = svd(B); sum(U*diag(sqrt(s))*V')",
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


@pytest.mark.parametrize("mode", ["forward", "reverse", "cross-country"])
@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (3, 3)])
@pytest.mark.parametrize("name", ["pinv", "polar", "polar at ties"])
def test_functions_of_thin_matrices_to_third_order_in_every_mode(name, mode, shape):
    f = tcalc.parse(f"sum(sin({name.split()[0]}(A)))", "A[m,n]")
    rng = np.random.default_rng(2)
    A, E = rng.standard_normal((2, *shape))
    A = 2 * np.eye(*shape) + (A if "ties" not in name else 0)
    run = tcalc.compile([tcalc.derivative(f, *["A"] * k, mode=mode) for k in (1, 2, 3)])
    at = run(A=A)
    step = 1e-3
    for k in (1, 2):
        found = np.tensordot(at[k], E, 2)
        a, b, c, d = (run(A=A + j * step * E)[k - 1] for j in (-2, -1, 1, 2))
        due = (a - 8 * b + 8 * c - d) / (12 * step)
        np.testing.assert_allclose(found, due, rtol=1e-6, atol=1e-7 * np.abs(due).max())


def test_second_derivatives_of_pinv_along_matrices_of_one_rank():
    """Along A(t) = u(t) v(t)': the second derivative of f is f''[A', A'] + f'[A'']."""
    f = tcalc.parse("sum(sin(pinv(A)))", "A[m,n]")
    rng = np.random.default_rng(3)
    u, du = rng.standard_normal((2, 4))
    v, dv = rng.standard_normal((2, 3))
    run = tcalc.compile([f, tcalc.gradient(f, "A"), tcalc.hessian(f, "A")])

    def at(t):
        return np.outer(u + t * du, v + t * dv)

    _, gradient, hessian = run(A=at(0.0))
    first, second = np.outer(du, v) + np.outer(u, dv), 2 * np.outer(du, dv)
    found = np.einsum("ijkl,ij,kl", hessian, first, first) + np.sum(gradient * second)
    h = 1e-3
    due = (run(A=at(h))[0] - 2 * run(A=at(0.0))[0] + run(A=at(-h))[0]) / h**2
    assert np.isclose(found, due, rtol=1e-4)
