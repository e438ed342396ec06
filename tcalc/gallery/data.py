"""Seeded data for the model programs: one function per model, named after it.

Each takes a random generator and the model's sizes, and gives its inputs by name.  Values are of
the order of one and keep away from kinks and poles, so that derivatives can be checked by
differences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.random import Generator

from tcalc.primitives.arrays import NumPyArray as Array

Data: TypeAlias = dict[str, Any]

MAKERS: dict[str, Callable[..., Data]] = {}


def make(name: str, seed: int, sizes: Mapping[str, int]) -> dict[str, Array]:
    """The data of a model for given sizes, every value an array of float64."""
    values = MAKERS[name](np.random.default_rng(seed), **sizes)
    return {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}


def maker(function: Callable[..., Data]) -> Callable[..., Data]:
    """Enrol a function as the maker of the model that it is named after."""
    MAKERS[function.__name__] = function
    return function


@maker
def logistic(rng: Generator, m: int, n: int) -> Data:
    X = rng.standard_normal((m, n))
    return {"X": X, "y": rng.choice([-1.0, 1.0], m), "w": rng.standard_normal(n) / np.sqrt(n)}


@maker
def cox(rng: Generator, m: int, n: int) -> Data:
    deaths = (rng.random(m) < 0.7).astype(float)
    return {"X": rng.standard_normal((m, n)), "d": deaths, "w": rng.standard_normal(n) / np.sqrt(n)}


@maker
def crossed_effects(rng: Generator, n: int, m: int, p: int) -> Data:
    return {
        "alpha": rng.standard_normal(m),
        "beta": rng.standard_normal(p),
        "g": rng.integers(1, m + 1, n).astype(float),
        "h": rng.integers(1, p + 1, n).astype(float),
        "y": rng.choice([-1.0, 1.0], n),
        "c": 0.1,
    }


@maker
def log_loss(rng: Generator, m: int, n: int) -> Data:
    return logistic(rng, m, n)


@maker
def ridge(rng: Generator, m: int, n: int) -> Data:
    X, w = rng.standard_normal((m, n)), rng.standard_normal(n)
    return {"X": X, "y": X @ w + rng.standard_normal(m), "w": rng.standard_normal(n), "c": 0.1}


@maker
def factorisation(rng: Generator, n: int, m: int, k: int) -> Data:
    U, V = rng.standard_normal((n, k)), rng.standard_normal((m, k))
    return {"T": U @ V.T, "U": rng.standard_normal((n, k)), "V": rng.standard_normal((m, k))}


@maker
def masked_factorisation(rng: Generator, n: int, m: int, k: int) -> Data:
    mask = (rng.random((n, m)) < 0.7).astype(float)
    return {**factorisation(rng, n, m, k), "Omega": mask}


@maker
def deep_net(rng: Generator, n: int, b: int) -> Data:
    # He et al. 2015: the variance 2/n keeps the size of the activations from layer to layer.
    scale = np.sqrt(2 / n)
    return {
        "X": rng.standard_normal((b, n)),
        "Y": np.eye(n)[rng.integers(n, size=b)],
        "W1": scale * rng.standard_normal((n, n)),
        "W": scale * rng.standard_normal((9, n, n)),
    }


@maker
def log_determinant(rng: Generator, n: int) -> Data:
    R = rng.standard_normal((n, n))
    return {"K": R @ R.T / n + np.eye(n)}


@maker
def log_det_inverse(rng: Generator, n: int) -> Data:
    # |R| is about 2/3, so that the eigenvalues of X stay right of 1/3 and det(X) > 0.
    R = rng.standard_normal((n, n))
    return {"X": np.eye(n) + R / (3 * np.sqrt(n))}


@maker
def quadratic_form(rng: Generator, n: int) -> Data:
    return {"A": rng.standard_normal((n, n)), "x": rng.standard_normal(n)}


@maker
def matrix_times_exp(rng: Generator, m: int, n: int) -> Data:
    return {"A": rng.standard_normal((m, n)), "x": rng.standard_normal(n)}


@maker
def weighted_product(rng: Generator, n: int) -> Data:
    return {name: rng.standard_normal(n) for name in "yvx"}


@maker
def power(rng: Generator) -> Data:
    return {"a": rng.uniform(0.5, 2.0), "b": rng.uniform(-2.0, 2.0)}


@maker
def l1_regression(rng: Generator, m: int, n: int) -> Data:
    A, x = rng.standard_normal((m, n)), rng.standard_normal(n)
    # Residuals of at least one half in absolute value: no kink is near.
    residuals = rng.choice([-1.0, 1.0], m) * rng.uniform(0.5, 2.0, m)
    return {"A": A, "x": x, "y": A @ x - residuals}


@maker
def least_squares(rng: Generator, m: int, n: int) -> Data:
    return {
        "A": rng.standard_normal((m, n)),
        "x": rng.standard_normal(n),
        "y": rng.standard_normal(m),
    }


@maker
def trace_product(rng: Generator, m: int, n: int, k: int) -> Data:
    return {
        "A": rng.standard_normal((k, n)),
        "X": rng.standard_normal((m, n)),
        "B": rng.standard_normal((m, m)),
        "C": rng.standard_normal((n, k)),
    }


@maker
def sine_product(rng: Generator, n: int) -> Data:
    return {"x": rng.standard_normal(n), "y": rng.standard_normal(n)}


@maker
def gaussian_process(rng: Generator, n: int, d: int) -> Data:
    # Noise of 0.4 keeps the kernel matrix far from singular, also where it is a little smaller.
    X = rng.standard_normal((n, d))
    return {"X": X, "y": np.sin(X.sum(1)), "ell": 1.2, "v": 1.1, "noise": 0.4}


@maker
def bayes_lq(rng: Generator, n: int, d: int) -> Data:
    X = rng.standard_normal((n, d))
    y = X @ rng.standard_normal(d) + 0.5 * rng.standard_normal(n)
    return {"X": X, "y": y, "alpha": 0.7, "beta": 1.5}


@maker
def bayes_cholesky(rng: Generator, n: int, d: int) -> Data:
    return bayes_lq(rng, n, d)


@maker
def least_squares_qr(rng: Generator, m: int, n: int) -> Data:
    X = orthonormal(rng, m, n) + 0.1 * rng.standard_normal((m, n))
    return {"X": X, "y": rng.standard_normal(m)}


@maker
def regularised_qr(rng: Generator, m: int, n: int, k: int) -> Data:
    X, Z, w = rng.standard_normal((m, n)), rng.standard_normal((k, n)), rng.standard_normal(n)
    y, u = X @ w + rng.standard_normal(m), Z @ w + rng.standard_normal(k)
    return {"X": X, "y": y, "Z": Z, "u": u, "c": 0.6}


@maker
def kalman_filter(rng: Generator, n: int, p: int, length: int = 3) -> Data:
    return {name: x for name, x in rts_smoother(rng, n, p, length).items() if name != "X"}


@maker
def rts_smoother(rng: Generator, n: int, p: int, length: int = 3) -> Data:
    # A rotation that shrinks: the state neither dies out nor grows.
    A, C = 0.8 * orthonormal(rng, n, n), rng.standard_normal((p, n))
    states, x = [], rng.standard_normal(n)
    for _ in range(length):
        x = A @ x + 0.6 * rng.standard_normal(n)
        states.append(x)
    X = np.array(states)
    Y = X @ C.T + 0.8 * rng.standard_normal((length, p))
    q, r = np.full(n, 2 * np.log(0.6)), np.full(p, 2 * np.log(0.8))
    return {"Y": Y, "X": X, "A": A, "C": C, "q": q, "r": r}


@maker
def pca(rng: Generator, m: int, n: int, k: int) -> Data:
    # The third component has a quarter of the second one's standard deviation, and no tie is near,
    # at which eigenvectors have no second derivative.
    spread = np.concatenate([[4.0, 2.0], np.linspace(0.5, 0.25, n - 2)])
    X = np.sqrt(m) * orthonormal(rng, m, n) * spread
    return {"X": X, "Z": rng.standard_normal((k, n))}


@maker
def lda(rng: Generator, m: int, n: int, k: int) -> Data:
    labels = np.arange(m) % k
    # Classes along one line: the largest ratio is far from the others.
    X = rng.standard_normal((m, n)) + 3 * np.outer(labels, rng.standard_normal(n))
    return {"X": X, "Y": np.eye(k)[labels], "c": 1.0}


@maker
def cca(rng: Generator, m: int, p: int, q: int) -> Data:
    X, Y, common = (rng.standard_normal((m, k)) for k in (p, q, 1))
    return {"X": X + 1.5 * common, "Y": Y - 1.5 * common}


@maker
def entry_of_inverse(rng: Generator, n: int) -> Data:
    B, C = rng.standard_normal((2, n, n))
    return {"A": inverse(rng, n)["A"], "B": B / np.sqrt(n), "C": C, "x": 0.2}


@maker
def inverse(rng: Generator, n: int) -> Data:
    # |R| is about 2/3: no singular matrix is near.
    return {"A": np.eye(n) + rng.standard_normal((n, n)) / (3 * np.sqrt(n))}


@maker
def lyapunov_cost(rng: Generator, n: int, m: int) -> Data:
    B, K = rng.standard_normal((n, m)), rng.standard_normal((m, n)) / n
    # The closed loop A - B*K has eigenvalues about -1, with real parts left of -1/2.
    A = B @ K - np.eye(n) + rng.standard_normal((n, n)) / (3 * np.sqrt(n))
    Q, R, S = (covariance(rng, k) for k in (n, m, n))
    return {"A": A, "B": B, "K": K, "Q": Q, "R": R, "S": S}


@maker
def markov_chain(rng: Generator, n: int) -> Data:
    G = rng.uniform(-1.0, 0.5, (n, n))
    return {"G": G, "N": rng.integers(1, 6, (n, n)), "t": 0.8}


@maker
def perceptron(rng: Generator, n: int, b: int) -> Data:
    return {
        "X": rng.standard_normal((n, b)),
        "Y": rng.uniform(-0.9, 0.9, (n, b)),
        "W": rng.standard_normal((3, n, n)) / np.sqrt(n),
        "B": 0.3 * rng.standard_normal((3, n)),
    }


@maker
def gaussian_mixture(rng: Generator, n: int, d: int, k: int) -> Data:
    M = 2 * rng.standard_normal((k, d))
    return {
        "X": M[rng.integers(k, size=n)] + rng.standard_normal((n, d)),
        "a": rng.standard_normal(k),
        "M": M,
        "Q": 0.3 * rng.standard_normal((k, d)),
        "L": 0.5 * rng.standard_normal((k, d, d)),
    }


@maker
def attention(rng: Generator, n: int, m: int, d: int, c: int) -> Data:
    shapes = {"Q": (n, d), "K": (m, d), "V": (m, c)}
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}


def orthonormal(rng: Generator, m: int, n: int) -> Array:
    """A random matrix with orthonormal columns."""
    return np.linalg.qr(rng.standard_normal((m, n)))[0]


def covariance(rng: Generator, n: int) -> Array:
    """A random matrix with eigenvalues of at least one."""
    R = rng.standard_normal((n, n))
    return R @ R.T / n + np.eye(n)
