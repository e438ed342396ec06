"""Derivatives of logarithms of determinants by triangular factors: no triangle is mirrored."""

import numpy as np
import pytest

import tcalc

DECLARED = "tensor A[n,n], W[n,m]\n"


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("L, Q = lq(W)\n3*sum(log(diag(L)))", lambda W: 3 * np.linalg.pinv(W).T),
        ("L, Q = lq(W)\nsum(diag(L).^2)", None),
        ("Q, R = qr(W')\n-sum(log(diag(R)))/2", lambda W: -np.linalg.pinv(W).T / 2),
        ("Q, R = qr(W')\ntr(R)", None),
    ],
)
def test_cotangents_on_the_diagonal(program, expected):
    W = np.random.default_rng(0).standard_normal((3, 5))
    gradient = tcalc.gradient(tcalc.parse(DECLARED + program), "W")
    assert "tril" not in str(gradient)
    assert tcalc.check(tcalc.parse(DECLARED + program), "W", data={"W": W}).passed
    if expected is not None:
        np.testing.assert_allclose(tcalc.compile(gradient)(W=W), expected(W), atol=1e-13)


def test_what_is_left_over_by_a_projection_costs_nothing():
    program = "tensor W[m,n], y[m]\nQ, R = qr(W)\nnorm2(y - Q*(Q'*y))^2"
    f = tcalc.parse(program)
    function = tcalc.compile(tcalc.gradient(f, "W"))
    rng = np.random.default_rng(0)
    W, y = rng.standard_normal((6, 3)), rng.standard_normal(6)
    # d ‖y - W b‖² = -2 r b' for the b that is best.
    b, *_ = np.linalg.lstsq(W, y, rcond=None)
    np.testing.assert_allclose(function(W=W, y=y), -2 * np.outer(y - W @ b, b), atol=1e-13)
    assert "np.tril" not in function.source
