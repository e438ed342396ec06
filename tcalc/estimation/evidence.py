"""Laplace's approximation of an evidence: a Gaussian at the mode.

With ``f(w) = -log p(y, w)``, smallest at w*, and ``H`` its Hessian there,

    log p(y) = log ∫ exp(-f(w)) dw ≈ -f(w*) + d/2 log 2π - 1/2 log det H

(MacKay, *Information Theory, Inference, and Learning Algorithms*, 2003, chapter 27); exact where f
is quadratic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import log, pi
from typing import Any

import numpy as np

from tcalc.errors import ArgumentError, DomainError
from tcalc.estimation.estimate import Estimate
from tcalc.estimation.operator import HessianOperator
from tcalc.optimisation import Problem
from tcalc.primitives.arrays import NumPyArray as Array

STATIONARY = 1e-4
"""How far above its minimum the function may be at a mode, and so how wrong the evidence.

Where no Newton step tells, how large the gradient may be, beside that of one unit of the function.
"""
NEWTON_STEPS = 10
"""The most steps of Newton's method with which a mode is made exact."""


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
        x = problem.minimize(method or "trust-krylov", x0=x).x
    point = _Point.at(problem, x)
    for _ in range(NEWTON_STEPS if minimise else 0):
        further = point.further()
        if further is None:
            break
        point = further
    point.require_mode()
    x, value, precision = point.x, point.value, point.precision
    logdet = precision.logdet(samples=samples, seed=seed)
    evidence = -value + problem.size / 2 * log(2 * pi) - logdet.value / 2
    return LaplaceApproximation(evidence, logdet.error / 2, problem.unpack(x), precision, logdet)


@dataclass(frozen=True)
class _Point:
    """Where a function is looked at for its mode, and the Newton step from there.

    Optimisers end where the gradient is small, which depends on the units of the variables: the
    Newton step tells how far the minimum is, ``g' inv(H) g / 2`` below, in any.
    """

    problem: Problem
    x: Array
    value: float
    gradient: Array

    @classmethod
    def at(cls, problem: Problem, x: Array) -> _Point:
        return cls(problem, x, *problem.fun_and_jac(x))

    @cached_property
    def precision(self) -> HessianOperator:
        return HessianOperator(self.problem, self.x)

    @cached_property
    def step(self) -> Array | None:
        """``inv(H) g``; None where there is none, or where the Hessian is not positive definite."""
        try:
            step = self.precision.solve(self.gradient)
        except (ArgumentError, DomainError):
            return None
        return step if self.gradient @ step >= 0 else None

    @property
    def decline(self) -> float | None:
        return None if self.step is None else float(self.gradient @ self.step) / 2

    def further(self) -> _Point | None:
        """The point after a Newton step; None where that is of no use."""
        rounding = float(np.finfo(float).eps) * (1 + abs(self.value))
        if self.step is None or not (self.decline or 0) > rounding:
            return None
        try:
            point = self.at(self.problem, self.x - self.step)
        except DomainError:
            return None
        return point if point.value <= self.value + rounding else None

    def require_mode(self) -> None:
        """Raise `DomainError` where this is not a mode."""
        size = float(np.max(np.abs(self.gradient), initial=0.0))
        if self.decline is None:
            stationary = size <= STATIONARY * (1 + abs(self.value))
        else:
            stationary = self.decline <= STATIONARY
        if stationary:
            return
        place = int(np.argmax(np.abs(self.gradient)))
        derivative = f"the derivative by {self.problem.name(place)} is {self.gradient[place]:.1e}"
        below = "" if self.decline is None else f", and the minimum about {self.decline:.1e} below"
        raise DomainError(
            f"this is no mode: {derivative}{below}",
            hint="minimise further, from another start or by another method",
        )
