"""A. Logistic regression with twice as many observations as weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from benchmarks.task import Problem

PROGRAM = "tensor X[m,n], y[m], w[n]\nsum(log(1 + exp(-y .* (X*w))))"
SIZES = tuple({"m": 2 * n, "n": n} for n in (64, 256, 1024))


def data(rng: np.random.Generator, m: int, n: int) -> dict[str, Any]:
    w = rng.standard_normal(n) / np.sqrt(n)
    return {"X": rng.standard_normal((m, n)), "y": rng.choice([-1.0, 1.0], m), "w": w}


def objective(ops: Any, X: Any, y: Any, w: Any) -> Any:
    return ops.sum(ops.softplus(-y * (X @ w)))


def value(X: Any, y: Any, w: Any) -> Any:
    z = y * (X @ w)
    return np.sum(np.log1p(np.exp(-np.abs(z))) - np.minimum(z, 0.0))


def gradient(X: Any, y: Any, w: Any) -> Any:
    z = y * (X @ w)
    f = np.sum(np.log1p(np.exp(-np.abs(z))) - np.minimum(z, 0.0))
    return f, -((y * expit(-z)) @ X)


def hessian(X: Any, y: Any, w: Any) -> Any:
    p = expit(y * (X @ w))
    R = (y * np.sqrt(p * (1 - p)))[:, None] * X
    return R.T @ R


PROBLEMS = [
    Problem(
        row="A",
        name="logistic",
        title="Logistic regression",
        program=lambda m, n: PROGRAM,
        wrt="w",
        data=data,
        objective=objective,
        sizes={"value": SIZES, "gradient": SIZES, "bound": SIZES, "hessian": SIZES},
        experts={"value": value, "gradient": gradient, "bound": gradient, "hessian": hessian},
        widest=lambda m, n: m,
        modes=("reverse",),
    )
]
