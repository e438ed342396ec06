"""The gallery's models written a second time, by hand, for the tests to compare against.

Each is a function of the array module, NumPy or JAX, and of the model's inputs by name.  Under
NumPy they take complex inputs too, and are analytic around real data (also the ones with kinks,
off the kinks), so that their derivatives can be had by complex step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

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
