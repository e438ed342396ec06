"""G. Logistic regression minimised: Newton-CG beside quasi-Newton methods with the same gradient.

Of observations that are independent, and of such that have a factor in common and an intercept,
where the Hessian's eigenvalues lie far apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from benchmarks.minimising import newton_cg
from benchmarks.task import Problem

PROGRAM = "tensor X[m,n], y[m], w[n]\nsum(log(1 + exp(-y .* (X*w)))) + norm2(w)^2/2"
SIZES = ({"m": 2_000, "n": 20}, {"m": 20_000, "n": 200})


def independent(rng: np.random.Generator, m: int, n: int) -> dict[str, Any]:
    return labelled(rng, rng.standard_normal((m, n)))


def correlated(rng: np.random.Generator, m: int, n: int) -> dict[str, Any]:
    X = rng.standard_normal((m, n)) / 2 + rng.standard_normal((m, 1))
    X[:, 0] = 1.0
    return labelled(rng, X)


def labelled(rng: np.random.Generator, X: Any) -> dict[str, Any]:
    m, n = X.shape
    w = rng.standard_normal(n) / np.sqrt(n)
    y = np.where(rng.random(m) < expit(X @ w), 1.0, -1.0)
    return {"X": X, "y": y, "w": w}


def objective(ops: Any, X: Any, y: Any, w: Any) -> Any:
    return ops.sum(ops.softplus(-y * (X @ w))) + ops.sum(w * w) / 2


def by_hand(X: Any, y: Any, w: Any) -> float:
    """What an expert gives to SciPy: products share what depends on the point alone."""
    known: list[Any] = [None, None]

    def both(x: Any) -> tuple[float, Any]:
        z = y * (X @ x)
        f = np.sum(np.log1p(np.exp(-np.abs(z))) - np.minimum(z, 0.0)) + x @ x / 2
        return f, x - (y * expit(-z)) @ X

    def product(x: Any, v: Any) -> Any:
        if known[0] is None or not np.array_equal(known[0], x):
            p = expit(X @ x)
            known[:] = [x.copy(), p * (1 - p)]
        return v + (known[1] * (X @ v)) @ X

    return newton_cg(both, product, len(w))


PROBLEMS = [
    Problem(
        row="G",
        name=name,
        title=f"Logistic regression of {what} observations, minimised by Newton-CG",
        program=lambda m, n: PROGRAM,
        wrt="w",
        data=data,
        objective=objective,
        sizes={"minimum": SIZES},
        experts={"minimum": by_hand},
        widest=lambda m, n: m,
    )
    for name, what, data in (
        ("independent", "independent", independent),
        ("correlated", "correlated", correlated),
    )
]
