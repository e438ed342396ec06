"""Long thin matrices: no first or second derivative is as large as the long side squared."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc
from tcalc.expr.traverse import postorder
from tcalc.simplify.expand import expand

LONG = 5000
SHORT = 4
FUNCTIONS = {
    "lq": ("L, Q = lq(A); sum(sin(L)) + sum(sin(Q))", (SHORT, LONG)),
    "qr": ("Q, R = qr(A); sum(sin(R)) + sum(sin(Q))", (LONG, SHORT)),
    "svd tall": ("U, s, V = svd(A); sum(sin(U.*U)) + sum(sin(V.*V))", (LONG, SHORT)),
    "svd wide": ("U, s, V = svd(A); sum(sin(U.*U)) + sum(sin(V.*V))", (SHORT, LONG)),
    "svdvals": ("sum(log(svdvals(A)))", (LONG, SHORT)),
    "normnuc": ("normnuc(A)", (LONG, SHORT)),
    "polar tall": ("sum(sin(100*polar(A)))", (LONG, SHORT)),
    "polar wide": ("sum(sin(100*polar(A)))", (SHORT, LONG)),
    "pinv tall": ("sum(sin(100*pinv(A)))", (LONG, SHORT)),
    "pinv wide": ("sum(sin(100*pinv(A)))", (SHORT, LONG)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_products_stay_thin(name):
    text, (m, n) = FUNCTIONS[name]
    f = tcalc.parse(text, "A[m,n]")
    g, h = tcalc.gradient(f, "A"), tcalc.hvp(f, "A", "E")
    for node in postorder(expand([f.node, g.node, h.node])):
        numbers = [dim.evaluate({"m": m, "n": n}) for dim in node.dims]
        assert np.prod(numbers, initial=1) <= 10 * SHORT * LONG, node
    rng = np.random.default_rng(0)
    A, E = rng.standard_normal((2, m, n))
    A[:SHORT, :SHORT] += np.diag(100.0 * np.arange(SHORT))  # singular values well apart
    run = tcalc.compile([g, h])
    _, product = run(A=A, E=E)
    # By differences of the gradient: the code is right for these sizes too.
    step = 1e-4
    low, high = (run(A=A + k * step * E, E=E)[0] for k in (-1, 1))
    np.testing.assert_allclose(product, (high - low) / (2 * step), atol=1e-6)


def test_the_gradient_through_lq_costs_as_its_pullback():
    """Seeger et al. 2017, section 4.2: N = -Q̄ Q', Ā = inv(L)' (Q̄ + copyltu(L' L̄ + N) Q)."""
    f = tcalc.parse("L, Q = lq(A); tr(C'*L) + tr(D'*Q)", "A[m,n], C[m,m], D[m,n]")
    rng = np.random.default_rng(0)
    A, D = rng.standard_normal((2, 6, 50))
    C = rng.standard_normal((6, 6))
    Q, R = np.linalg.qr(A.T)
    signs = np.sign(np.diag(R))
    L, Q = (R * signs[:, None]).T, (Q * signs).T
    M = L.T @ C - D @ Q.T
    lower = np.tril(M)
    expected = np.linalg.solve(L.T, D + (lower + np.tril(M, -1).T) @ Q)
    np.testing.assert_allclose(tcalc.evaluate(tcalc.gradient(f, "A"), A=A, C=C, D=D), expected)
