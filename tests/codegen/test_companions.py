"""What a value has computed already serves its derivatives."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc

CASES = [
    ("sum(log(1 + exp(-y .* (X*w))))", "X[m,n], y[m], w[n]", "w", "sigmoid_in_place("),
    ("y'*relu(X*w)", "X[m,n], y[m], w[n]", "w", "heaviside("),
    ("y'*logsoftmax(X*w)", "X[m,n], y[m], w[n]", "w", "soft_max_in_place("),
]
SHAPES = {"X": (5, 3), "y": 5, "w": 3}


@pytest.mark.parametrize(("text", "declarations", "wrt", "spared"), CASES)
def test_a_gradient_is_computed_from_its_value(text, declarations, wrt, spared):
    f = tcalc.parse(text, declarations)
    gradient = tcalc.gradient(f, wrt)
    both, alone = tcalc.compile([f, gradient]), tcalc.compile(gradient)
    assert spared in alone.source
    assert spared not in both.source
    rng = np.random.default_rng(0)
    data = {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}
    needed = {name: data[name] for name in gradient.variables}
    np.testing.assert_allclose(both(**data)[1], alone(**needed), rtol=1e-13)


def test_small_probabilities_keep_their_digits():
    x = np.array([-700.0, -40.0, -1.0, 0.0, 40.0])
    f = tcalc.parse("softplus(x)", "x[n]")
    gradient = tcalc.parse("sigmoid(x)", "x[n]")
    found = tcalc.compile([f, gradient])(x=x)[1]
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-x)), rtol=1e-15)


def test_weighted_squares_share_the_weighting_with_their_gradient():
    f = tcalc.parse("sum(W .* (T - U*V').^2)", "T[n,m], U[n,k], V[m,k], W[n,m]")
    both = tcalc.compile([f, tcalc.gradient(f, "U")])
    source = both.source[both.source.index("def compute") :]
    assert "np.square" not in source
    assert source.count("W") == 2  # the argument, and one product
    rng = np.random.default_rng(1)
    T, W = rng.standard_normal((2, 4, 5))
    U, V = rng.standard_normal((4, 2)), rng.standard_normal((5, 2))
    R = T - U @ V.T
    value, gradient = both(T=T, U=U, V=V, W=W)
    np.testing.assert_allclose(value, (W * R * R).sum(), rtol=1e-13)
    np.testing.assert_allclose(gradient, -2 * (W * R) @ V, rtol=1e-13)
