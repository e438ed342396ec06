"""Score matching: the trace of a Hessian inside an objective."""

from __future__ import annotations

import numpy as np

import tcalc
from tcalc.examples import Finding, Outcome
from tcalc.examples.registry import example

SCORES = """
tensor X[m,n], L[n,n] symmetric, u[n]

Z[i,j] = X[i,j] - u[j]
logp = -tr(Z*L*Z')/2               # of all observations, and without its constant
g = gradient(logp, X)
H = hessian(logp, X)
(H[i,j,i,j] + norm2(g)^2/2) / m
"""


@example(
    SCORES,
    "Hyvärinen, Estimation of Non-Normalized Statistical Models by Score Matching, JMLR 6, 2005, "
    "section 3.1: for a normal density the inverse of the sample covariance, and the sample mean",
)
def score_matching() -> Outcome:
    """Score matching: the trace of a Hessian inside the objective, differentiated twice more.

    A density is fitted whose constant nobody knows: by the gradient of its logarithm, and the
    trace of its Hessian, by the observations.
    """
    rng = np.random.default_rng(2)
    X = rng.standard_normal((200, 3)) @ rng.standard_normal((3, 3)) + [1.0, -2.0, 0.5]
    f = tcalc.parse(SCORES)
    p = tcalc.problem(f, ["L", "u"], {"X": X, "L": np.eye(3)})
    found = p.minimize("trust-exact", options={"gtol": 1e-10})
    covariance = np.cov(X.T, bias=True)
    return Outcome(
        [
            f"the objective: {f}",
            f"its gradient by u: {tcalc.gradient(f, 'u')}",
            f"Newton in a trust region: {found.nit} steps",
        ],
        [
            Finding("precision matrix", found.variables["L"], np.linalg.inv(covariance), 1e-7),
            Finding("mean", found.variables["u"], X.mean(0), 1e-7),
        ],
    )
