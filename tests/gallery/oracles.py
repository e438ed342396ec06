"""The gallery's models written a second time, by hand, for the tests to compare against.

Each is a function of the array module, NumPy or JAX, and of the model's inputs by name.  Under
NumPy they take complex inputs too, and are analytic around real data (also the ones with kinks,
off the kinks), so that their derivatives can be had by complex step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any
Oracle: TypeAlias = Callable[..., Array]

ORACLES: dict[str, Oracle] = {}


def oracle(function: Oracle) -> Oracle:
    ORACLES[function.__name__] = function
    return function


@oracle
def logistic(xp: Any, X: Array, y: Array, w: Array) -> Array:
    return xp.sum(xp.log1p(xp.exp(-y * (X @ w))))


@oracle
def cox(xp: Any, X: Array, d: Array, w: Array) -> Array:
    at_risk = xp.tril(xp.ones((len(d), len(d))))
    return xp.sum(d * (xp.log(at_risk @ xp.exp(X @ w)) - X @ w))


@oracle
def crossed_effects(
    xp: Any, alpha: Array, beta: Array, g: Array, h: Array, y: Array, c: Array
) -> Array:
    first, second = (xp.real(x).astype(int) - 1 for x in (g, h))
    losses = xp.log1p(xp.exp(-y * (alpha[first] + beta[second])))
    return xp.sum(losses) + c * (xp.sum(alpha**2) + xp.sum(beta**2)) / 2


@oracle
def log_loss(xp: Any, X: Array, y: Array, w: Array) -> Array:
    return logistic(xp, X, y, w)


@oracle
def ridge(xp: Any, X: Array, y: Array, w: Array, c: Array) -> Array:
    return xp.sum((X @ w - y) ** 2) + c * xp.sum(w**2)


@oracle
def factorisation(xp: Any, T: Array, U: Array, V: Array) -> Array:
    return xp.sum((T - U @ V.T) ** 2)


@oracle
def masked_factorisation(xp: Any, T: Array, U: Array, V: Array, Omega: Array) -> Array:
    return xp.sum(Omega * (T - U @ V.T) ** 2)


@oracle
def deep_net(xp: Any, X: Array, Y: Array, W1: Array, W: Array) -> Array:
    H = X
    for layer in [W1, *W[:-1]]:
        Z = H @ layer.T
        H = xp.where(xp.real(Z) > 0, Z, 0)
    Z = H @ W[-1].T
    losses = xp.log(xp.sum(xp.exp(Z), axis=1)) - xp.sum(Y * Z, axis=1)
    return xp.mean(losses)


@oracle
def log_determinant(xp: Any, K: Array) -> Array:
    return xp.log(xp.linalg.det((K + K.T) / 2))


@oracle
def log_det_inverse(xp: Any, X: Array) -> Array:
    return -xp.log(xp.linalg.det(X))


@oracle
def quadratic_form(xp: Any, A: Array, x: Array) -> Array:
    return x @ A @ x / 2


@oracle
def matrix_times_exp(xp: Any, A: Array, x: Array) -> Array:
    return A @ xp.exp(x)


@oracle
def weighted_product(xp: Any, y: Array, v: Array, x: Array) -> Array:
    return xp.sum(y * v * x)


@oracle
def power(xp: Any, a: Array, b: Array) -> Array:
    return xp.exp(b * xp.log(a))


@oracle
def l1_regression(xp: Any, A: Array, x: Array, y: Array) -> Array:
    r = A @ x - y
    return xp.sum(xp.where(xp.real(r) > 0, r, -r))


@oracle
def least_squares(xp: Any, A: Array, x: Array, y: Array) -> Array:
    return xp.sum((A @ x - y) ** 2)


@oracle
def trace_product(xp: Any, A: Array, X: Array, B: Array, C: Array) -> Array:
    return xp.trace(A @ X.T @ B @ X @ C)


@oracle
def sine_product(xp: Any, x: Array, y: Array) -> Array:
    return xp.sin(x) @ y


@oracle
def gaussian_process(xp: Any, X: Array, y: Array, ell: Array, v: Array, noise: Array) -> Array:
    squares = xp.sum((X[:, None] - X[None]) ** 2, axis=2)
    K = v * xp.exp(-squares / (2 * ell**2)) + noise * xp.eye(len(y))
    return gaussian(xp, y, K)


@oracle
def bayes_lq(xp: Any, X: Array, y: Array, alpha: Array, beta: Array) -> Array:
    return gaussian(xp, y, X @ X.T / alpha + xp.eye(len(y)) / beta)


@oracle
def bayes_cholesky(xp: Any, X: Array, y: Array, alpha: Array, beta: Array) -> Array:
    return bayes_lq(xp, X, y, alpha, beta)


@oracle
def least_squares_qr(xp: Any, X: Array, y: Array) -> Array:
    return xp.linalg.solve(X.T @ X, X.T @ y)


@oracle
def regularised_qr(xp: Any, X: Array, y: Array, Z: Array, u: Array, c: Array) -> Array:
    w = xp.linalg.solve(X.T @ X + c * xp.eye(X.shape[1]), X.T @ y)
    return xp.mean((Z @ w - u) ** 2)


@oracle
def kalman_filter(xp: Any, Y: Array, A: Array, C: Array, q: Array, r: Array) -> Array:
    states = joint_covariance(xp, len(Y), A, q)
    observe = xp.kron(xp.eye(len(Y)), C)
    noise = xp.kron(xp.eye(len(Y)), xp.diag(xp.exp(r)))
    return gaussian(xp, Y.reshape(-1), observe @ states @ observe.T + noise)


@oracle
def rts_smoother(xp: Any, Y: Array, X: Array, A: Array, C: Array, q: Array, r: Array) -> Array:
    states = joint_covariance(xp, len(Y), A, q)
    observe = xp.kron(xp.eye(len(Y)), C)
    noise = xp.kron(xp.eye(len(Y)), xp.diag(xp.exp(r)))
    gain = states @ observe.T @ xp.linalg.inv(observe @ states @ observe.T + noise)
    error = gain @ Y.reshape(-1) - X.reshape(-1)
    return error @ error + xp.trace(states - gain @ observe @ states)


@oracle
def pca(xp: Any, X: Array, Z: Array) -> Array:
    C = X - xp.mean(X, axis=0)
    rest = Z - Z @ top_projector(xp, C.T @ C, 2)
    return xp.sum(rest**2)


@oracle
def lda(xp: Any, X: Array, Y: Array, c: Array) -> Array:
    counts = xp.sum(Y, axis=0)
    means = Y.T @ X / counts[:, None]
    B = means - xp.mean(X, axis=0)
    within = (X - Y @ means).T @ (X - Y @ means) + c * xp.eye(X.shape[1])
    return largest_eigenvalue(xp, (B * counts[:, None]).T @ B, within)


@oracle
def cca(xp: Any, X: Array, Y: Array) -> Array:
    A, B = X - xp.mean(X, axis=0), Y - xp.mean(Y, axis=0)
    explained = A.T @ B @ xp.linalg.inv(B.T @ B) @ B.T @ A
    return xp.sqrt(largest_eigenvalue(xp, explained, A.T @ A))


@oracle
def entry_of_inverse(xp: Any, A: Array, B: Array, C: Array, x: Array) -> Array:
    return (C @ xp.linalg.inv(A + x * B))[-1, -1]


@oracle
def inverse(xp: Any, A: Array) -> Array:
    return xp.linalg.inv(A)


@oracle
def lyapunov_cost(xp: Any, A: Array, B: Array, K: Array, Q: Array, R: Array, S: Array) -> Array:
    F, unit = A - B @ K, xp.eye(len(A))
    operator = xp.kron(F.T, unit) + xp.kron(unit, F.T)
    P = xp.linalg.solve(operator, -(Q + K.T @ R @ K).reshape(-1))
    return P @ S.reshape(-1)


@oracle
def markov_chain(xp: Any, G: Array, N: Array, t: Array) -> Array:
    rates = xp.exp(G) * (1 - xp.eye(len(G)))
    step = t * (rates - xp.diag(xp.sum(rates, axis=1))) / 16
    P = term = xp.eye(len(G))
    for k in range(1, 13):
        term = term @ step / k
        P = P + term
    for _ in range(4):
        P = P @ P
    return -xp.sum(N * xp.log(P))


@oracle
def perceptron(xp: Any, X: Array, Y: Array, W: Array, B: Array) -> Array:
    H = X
    for weights, bias in zip(W, B, strict=True):
        H = xp.tanh(weights @ H + bias[:, None])
    return xp.sum((H - Y) ** 2) / X.shape[1]


@oracle
def gaussian_mixture(xp: Any, X: Array, a: Array, M: Array, Q: Array, L: Array) -> Array:
    below = xp.tril(xp.ones(L.shape[1:]), -1)
    likelihoods = 0
    for k in range(len(a)):
        factor = xp.diag(xp.exp(Q[k])) + below * L[k]
        Z = (X - M[k]) @ factor.T
        density = xp.linalg.det(factor) * (2 * xp.pi) ** (-X.shape[1] / 2)
        weight = xp.exp(a[k]) / xp.sum(xp.exp(a))
        likelihoods = likelihoods + weight * density * xp.exp(-xp.sum(Z**2, axis=1) / 2)
    return -xp.sum(xp.log(likelihoods))


@oracle
def attention(xp: Any, Q: Array, K: Array, V: Array) -> Array:
    weights = xp.exp(Q @ K.T / np.sqrt(Q.shape[1]))
    return (weights / xp.sum(weights, axis=1, keepdims=True)) @ V


def gaussian(xp: Any, y: Array, K: Array) -> Array:
    """The negative log density at y of a Gaussian of mean zero and covariance K."""
    return (y @ xp.linalg.solve(K, y) + xp.log(xp.linalg.det(2 * xp.pi * K))) / 2


def joint_covariance(xp: Any, length: int, A: Array, q: Array) -> Array:
    """The covariance of all the states, with unit noise in the first and log variances q after."""
    P, noise = xp.eye(len(A)), xp.diag(xp.exp(q))
    blocks: list[list[Array]] = []
    for t in range(length):
        P = A @ P @ A.T + noise
        for row in blocks:
            row.append(row[-1] @ A.T)
        blocks.append([row[t].T for row in blocks] + [P])
    return xp.concatenate([xp.concatenate(row, axis=1) for row in blocks], axis=0)


def largest_eigenvalue(xp: Any, B: Array, W: Array) -> Array:
    """The largest w of B*v = w*W*v."""
    if xp is np:
        ratio = np.linalg.solve(W, B)
        return np.trace(top_projector(xp, ratio, 1) @ ratio)
    inverse = xp.linalg.inv(xp.linalg.cholesky(W))
    return xp.linalg.eigvalsh(inverse @ B @ inverse.T)[-1]


def top_projector(xp: Any, S: Array, k: int) -> Array:
    """The projector on the eigenspace of the k largest eigenvalues.

    Under NumPy by Newton's iteration for the matrix sign (Roberts 1980), which is analytic.
    """
    if xp is not np:
        V = xp.linalg.eigh(S)[1][:, -k:]
        return V @ V.T
    values = np.sort(np.real(np.linalg.eigvals(np.real(S))))
    sign = S - (values[-k] + values[-k - 1]) / 2 * np.eye(len(S))
    for _ in range(20):
        sign = (sign + np.linalg.inv(sign)) / 2
    return (np.eye(len(S)) + sign) / 2
