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

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
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
