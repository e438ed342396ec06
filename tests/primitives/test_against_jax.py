"""Derivatives of factorisations by another's rules: JAX's, in double precision.

Functions that do not depend on signs of columns are compared, since conventions differ; where JAX
has the same convention (Cholesky, solves, the exponential) whole Jacobians are.
"""

from __future__ import annotations

import numpy as np
import pytest

import tcalc


def given(rows, columns, definite=False):
    rng = np.random.default_rng(0)
    A = 0.3 * rng.standard_normal((rows, columns))
    A += np.eye(rows, columns) * (1 + np.arange(columns))
    return A + A.T if definite else A


SCALARS = {
    "chol": ("sum(sin(chol(A)))", (4, 4, True), lambda j, A: j.numpy.sin(_chol(j, A)).sum()),
    "trisolve": (
        "norm2(trisolve(chol(A), B))^2",
        (4, 4, True),
        lambda j, A: (j.scipy.linalg.solve_triangular(_chol(j, A), B, lower=True) ** 2).sum(),
    ),
    "qr": (
        "Q, R = qr(A); norm2(Q*B*Q')^2 + sum(sin(Q.*(Q*(R.*R))))",
        (5, 4),
        lambda j, A: _of_qr(j, *j.numpy.linalg.qr(A)),
    ),
    "lq": (
        "L, Q = lq(A); sum(sin(Q.*((L.*L)*Q)))",
        (4, 6),
        lambda j, A: _of_lq(j, *(X.T for X in j.numpy.linalg.qr(A.T))),
    ),
    "eigh": (
        "w, V = eigh(A); sum(sin((V.*V)*diag(w)))",
        (4, 4, True),
        lambda j, A: _of_eigh(j, *j.numpy.linalg.eigh((A + A.T) / 2)),
    ),
    "svd": (
        "U, s, V = svd(A); sum(sin((U.*U)*diag(s)*(V.*V)'))",
        (5, 4),
        lambda j, A: _of_svd(j, *j.numpy.linalg.svd(A, full_matrices=False)),
    ),
    "svdvals": (
        "sum(log(svdvals(A)))",
        (5, 4),
        lambda j, A: j.numpy.log(j.numpy.linalg.svd(A, compute_uv=False)).sum(),
    ),
    "slogdet": (
        "s, l = slogdet(A); s*l^2",
        (4, 4),
        lambda j, A: (lambda s, x: s * x**2)(*j.numpy.linalg.slogdet(A)),
    ),
    "det": ("det(A)^2", (4, 4), lambda j, A: j.numpy.linalg.det(A) ** 2),
    "expm": ("sum(sin(expm(A/4)))", (4, 4), lambda j, A: _sum_sin(j, j.scipy.linalg.expm(A / 4))),
    "solve": ("sum(sin(A\\B))", (4, 4), lambda j, A: _sum_sin(j, j.numpy.linalg.solve(A, B))),
    "inv": ("sum(sin(inv(A)))", (4, 4), lambda j, A: _sum_sin(j, j.numpy.linalg.inv(A))),
    "pinv": ("sum(sin(pinv(A)))", (5, 4), lambda j, A: _sum_sin(j, j.numpy.linalg.pinv(A))),
}
B = np.random.default_rng(1).standard_normal((4, 4))


def _chol(j, A):
    return j.numpy.linalg.cholesky((A + A.T) / 2)


def _sum_sin(j, X):
    return j.numpy.sin(X).sum()


def _of_qr(j, Q, R):
    s = j.numpy.sign(j.numpy.diag(R))
    Q, R = Q * s, s[:, None] * R
    return ((Q @ B @ Q.T) ** 2).sum() + _sum_sin(j, Q * (Q @ (R * R)))


def _of_lq(j, Q, L):
    s = j.numpy.sign(j.numpy.diag(L))
    Q, L = s[:, None] * Q, L * s
    return _sum_sin(j, Q * ((L * L) @ Q))


def _of_eigh(j, w, V):
    return _sum_sin(j, (V * V) * w)


def _of_svd(j, U, s, Vh):
    return _sum_sin(j, (U * U) @ j.numpy.diag(s) @ (Vh * Vh))


@pytest.mark.parametrize("name", SCALARS)
def test_gradient_and_product_with_the_hessian(name, jax):
    text, numbers, function = SCALARS[name]
    A = given(*numbers)
    declared = "A[n,n]" if numbers[0] == numbers[1] else "A[m,n]"
    f = tcalc.parse(text, declared + (", B[n,n]" if "B" in text else ""))
    found = tcalc.compile([f, tcalc.gradient(f, "A"), tcalc.hvp(f, "A", "E")])
    E = np.random.default_rng(2).standard_normal(A.shape)
    data = {"A": A, "B": B, "E": E} if "B" in text else {"A": A, "E": E}

    def of(A):
        return function(jax, A)

    gradient, product = jax.jvp(jax.grad(of), (A,), (E,))
    expected = of(A), gradient, product
    for one, other in zip(found(**data), expected, strict=True):
        scale = 1 + np.abs(other).max()
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-10 * scale)


def test_a_batch_of_jacobians_of_the_cholesky_factor(jax):
    stack = np.stack([given(3, 3, True), np.eye(3), 2 * given(3, 3, True)])
    F = tcalc.parse("chol(A)", "A[b,3,3]")
    J = tcalc.evaluate(tcalc.jacobian(F, "A"), A=stack)
    expected = jax.vmap(jax.jacrev(lambda A: _chol(jax, A)))(stack)
    for k in range(3):
        np.testing.assert_allclose(J[k][:, :, k], expected[k], atol=1e-13)
        assert not J[k][:, :, (k + 1) % 3].any()
