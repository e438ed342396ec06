"""Products with derivatives equal the derivative times the direction, and never form it."""

from __future__ import annotations

import numpy as np
import pytest

from tcalc.calculus import derivative, hvp, jvp, vjp
from tcalc.errors import DimensionError
from tcalc.expr import build, shape
from tcalc.expr.traverse import postorder
from tcalc.interpret import evaluate
from tcalc.primitives.exponential import exp

M, N, K = shape("m", "n", "k")
X = build.var("X", (M, N))
S = build.var("S", (N, N), ["symmetric"])
w = build.var("w", (N,))
v = build.var("v", (N,))
F = exp(build.einsum([X, w], "ij,j->i"))
f = build.sum_all(build.hadamard(F, F))

RANDOM = np.random.default_rng(0)
VALUES = {
    "X": RANDOM.standard_normal((4, 3)),
    "w": RANDOM.standard_normal(3),
    "v": RANDOM.standard_normal(3),
    "u": RANDOM.standard_normal(4),
    "V": RANDOM.standard_normal((3, 2)),
}


def values(*nodes):
    return evaluate(nodes, VALUES)


def test_pushforward_of_a_direction():
    product, full = values(jvp(F, {w: v}), derivative(F, [w]))
    np.testing.assert_allclose(product, full @ VALUES["v"])


def test_several_directions_at_once():
    V = build.var("V", (N, K))
    product, full = values(jvp(F, {w: V}), derivative(F, [w]))
    np.testing.assert_allclose(product, full @ VALUES["V"])


def test_pullback_of_a_cotangent():
    u = build.var("u", (M,))
    product, full = values(vjp(F, w, u), derivative(F, [w]))
    np.testing.assert_allclose(product, VALUES["u"] @ full)


def test_hessian_vector_product_forms_no_matrix():
    node = hvp(f, w, v)
    product, full = values(node, derivative(f, [w, w]))
    np.testing.assert_allclose(product, full @ VALUES["v"])
    formed = [n for n in postorder([node]) if n.order == 2 and n is not X]
    assert not formed


def test_directions_of_a_symmetric_variable_are_symmetrised():
    D = build.var("D", (N, N))
    g = build.einsum([S, v, w], "ij,i,j->")
    data = {"S": np.eye(3), "D": RANDOM.standard_normal((3, 3)), **VALUES}
    product, full = evaluate([jvp(g, {S: D}), derivative(g, [S])], data)
    np.testing.assert_allclose(product, np.sum(full * data["D"]))


def test_wrong_shapes_are_refused():
    with pytest.raises(DimensionError, match="direction"):
        jvp(F, {w: build.var("d", (M,))})
    with pytest.raises(DimensionError, match="cotangent"):
        vjp(F, w, v)
    with pytest.raises(DimensionError, match="scalar"):
        hvp(F, w, v)
