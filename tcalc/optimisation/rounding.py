"""Whether a run that found no lower value has come as far as rounding lets values tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tcalc.optimisation.newton import ROUNDING
from tcalc.primitives.arrays import NumPyArray as Array

if TYPE_CHECKING:
    from tcalc.optimisation.problem import Problem

STALLED = {
    **dict.fromkeys(("bfgs", "cg", "l-bfgs-b", "newton-cg"), 2),
    **dict.fromkeys(("dogleg", "trust-exact", "trust-krylov", "trust-ncg"), 2),
    "tnc": 4,
    "slsqp": 8,
}
"""The status by which each of SciPy's methods says that it found no lower value."""

PRODUCTS = 1000
"""The most products with the Hessian, at most 10 per variable, that an answer may take."""
LEFT = 1e-3
"""The size of what is left of the gradient, beside it, at which conjugate gradients end."""


def at_minimum(problem: Problem, x: Array, value: float, gradient: Array) -> bool:
    """Whether Newton's step from a point promises a fall that cannot be told from rounding.

    Variables whose fall is ended by a bound before it can be told from rounding stay where they
    are.  False too where that is not found out, and at saddles that the gradient tells of.
    """
    with np.errstate(all="ignore"):
        noise = _noise(problem, x, value)
        free = _free(problem, x, gradient, noise)
        return _promised(_product(problem, x, free), gradient[free], noise)


def _product(problem: Problem, x: Array, free: Array) -> Callable[[Array], Array]:
    """The product with the Hessian by the free variables."""

    def product(p: Array) -> Array:
        whole = np.zeros_like(x)
        whole[free] = p
        return problem.hessp(x, whole)[free]

    return product


def _free(problem: Problem, x: Array, gradient: Array, noise: float) -> Array:
    """Which variables can fall by more than rounding before they come to a bound."""
    if problem.bounds is None:
        return np.ones(len(x), dtype=bool)
    room = np.where(gradient > 0, x - problem.bounds.lb, problem.bounds.ub - x)
    return np.asarray(np.abs(gradient) * room > noise)


def _noise(problem: Problem, x: Array, value: float) -> float:
    """The change of the value at a point that rounding can make.

    That of the value itself, or of the variables, under which the spread of the values shows also
    what is lost on the way to them, by cancellation say.
    """
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (4, len(x)))
    near = [problem.fun(x * (1 + np.finfo(float).eps * sign)) for sign in signs]
    spread = float(np.ptp([value, *near]))
    return max(ROUNDING * abs(value), spread if np.isfinite(spread) else 0.0)


def _promised(product: Callable[[Array], Array], gradient: Array, enough: float) -> bool:
    """Whether the fall ``g' H⁻¹ g / 2`` is at most `enough`, by conjugate gradients.

    Each of their steps adds to the fall, so that the answer is known early where it is no.
    """
    left = -gradient
    along, square = left, float(left @ left)
    least, fall = LEFT**2 * square, 0.0
    for _ in range(min(PRODUCTS, 10 * len(gradient))):
        if square <= least:
            return True
        image = product(along)
        curvature = float(along @ image)
        fall += square**2 / curvature / 2 if curvature > 0 else np.inf
        if not fall <= enough:
            return False
        left = left - square / curvature * image
        before, square = square, float(left @ left)
        along = left + square / before * along
    return square <= least
