"""A portfolio under constraints."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

import tcalc
from tcalc.examples import Finding, Outcome
from tcalc.examples.registry import example

SHARPE = """
tensor w[n], m[n], C[n,n] spd

-m'*w / sqrt(w'*C*w)
"""


@example(
    SHARPE,
    "the tangency portfolio, w proportional to inv(C)*m, of the best set of assets (Sharpe 1966)",
)
def portfolio() -> Outcome:
    """The portfolio with the largest Sharpe ratio, with no short sales.

    Expected returns over their standard deviation, under ``sum(w) == 1`` and ``w >= 0``, by
    sequential quadratic programming and by an interior method with the Hessian of the Lagrangian.
    """
    m = np.array([0.08, 0.12, 0.10, 0.02, 0.15])
    spread = np.array([0.10, 0.18, 0.15, 0.20, 0.30])
    correlation = np.full((5, 5), 0.35) + 0.65 * np.eye(5)
    C = correlation * np.outer(spread, spread)
    p = tcalc.problem(
        tcalc.parse(SHARPE),
        "w",
        {"m": m, "C": C, "w": np.full(5, 0.2)},
        bounds={"w": (0, None)},
        constraints=["sum(w) == 1"],
    )
    first = p.minimize("SLSQP", tol=1e-14)
    second = p.minimize("trust-constr", options={"gtol": 1e-10, "xtol": 1e-12})
    known, weights = tangency(m, C)
    return Outcome(
        [
            f"SLSQP: {first.nit} steps",
            f"trust-constr: {second.nit} steps",
            "assets held: " + ", ".join(str(k + 1) for k in np.flatnonzero(first.x > 1e-6)),
        ],
        [
            Finding("Sharpe ratio", -first.fun, known, 1e-8),
            Finding("weights", first.x, weights, 1e-4),
            Finding("Sharpe ratio by trust-constr", -second.fun, known, 1e-6),
        ],
    )


def tangency(m: Any, C: Any) -> tuple[float, Any]:
    """The best ratio over all sets of assets whose tangency portfolio sells none short."""
    best, weights = -np.inf, np.zeros(len(m))
    for size in range(1, len(m) + 1):
        for chosen in map(list, combinations(range(len(m)), size)):
            w = np.linalg.solve(C[np.ix_(chosen, chosen)], m[chosen])
            if (w > 0).all():
                ratio = float(np.sqrt(m[chosen] @ w))
                if ratio > best:
                    best, weights = ratio, np.zeros(len(m))
                    weights[chosen] = w / w.sum()
    return best, weights
