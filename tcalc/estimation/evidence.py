"""Laplace's approximation of an evidence: a Gaussian at the mode.

With ``f(w) = -log p(y, w)``, smallest at w*, and ``H`` its Hessian there,

    log p(y) = log ∫ exp(-f(w)) dw ≈ -f(w*) + d/2 log 2π - 1/2 log det H

(MacKay, *Information Theory, Inference, and Learning Algorithms*, 2003, chapter 27); exact where f
is quadratic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log, pi
from typing import Any

import numpy as np

from tcalc.errors import DomainError
from tcalc.estimation.estimate import Estimate
from tcalc.estimation.operator import HessianOperator
from tcalc.optimisation import Problem
from tcalc.primitives.arrays import NumPyArray as Array

STATIONARY = 1e-4
"""How large the gradient may be at a mode, beside that of one unit of the function."""


@dataclass(frozen=True, slots=True)
class LaplaceApproximation:
    """The Gaussian at the mode, and the log evidence that follows from it.

    `mode` has the variables by name, `precision` is the Hessian there as an operator, and `logdet`
    estimates the logarithm of its determinant; it is exact if its error is 0.
    """

    log_evidence: float
    error: float
    mode: Mapping[str, Array]
    precision: HessianOperator
    logdet: Estimate

    def covariance(self, direction: Any) -> Array:
        """The covariance matrix times a packed vector: a solve with the precision."""
        return self.precision.solve(direction)

    def __str__(self) -> str:
        error = f" ± {self.error:.2g}" if self.error else ""
        return f"log evidence {self.log_evidence:.10g}{error} (log det H: {self.logdet})"


def laplace(
    problem: Problem,
    *,
    minimise: bool = True,
    method: str | None = None,
    seed: int | np.random.Generator = 0,
    samples: int = 30,
) -> LaplaceApproximation:
    """Laplace's approximation for the density ``exp(-f)``; see the module's docstring."""
    x = problem.x0
    if minimise:
        found = problem.minimize(method or "trust-krylov", x0=x)
        x = found.x
    value, gradient = problem.fun_and_jac(x)
    size = float(np.max(np.abs(gradient), initial=0.0))
    if not size <= STATIONARY * (1 + abs(value)):
        place = int(np.argmax(np.abs(gradient)))
        raise DomainError(
            f"this is no mode: the derivative by {problem.name(place)} is {gradient[place]:.1e}",
            hint="minimise further, from another start or by another method",
        )
    precision = HessianOperator(problem, x)
    logdet = precision.logdet(samples=samples, seed=seed)
    evidence = -value + problem.size / 2 * log(2 * pi) - logdet.value / 2
    return LaplaceApproximation(evidence, logdet.error / 2, problem.unpack(x), precision, logdet)
