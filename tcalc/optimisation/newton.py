"""Newton's method, with SciPy's line search and Lanczos iteration, on a problem's own step."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from tcalc.errors import DomainError
from tcalc.optimisation.packing import Array

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

    from tcalc.optimisation.problem import Problem

DENSE = 100
"""The most variables for which the curvature is taken from the Hessian as a matrix."""
CURVED = 1e-8
"""How negative an eigenvalue is, beside the size of the Hessian, that is not rounding."""


def result_of(**fields: Any) -> OptimizeResult:
    """A result as SciPy's optimisers return it."""
    from scipy.optimize import OptimizeResult

    made: Any = OptimizeResult
    found: OptimizeResult = made(**fields)
    return found


def newton(problem: Problem) -> Callable[..., OptimizeResult]:
    """Newton's method with SciPy's line search, as a method for `scipy.optimize.minimize`.

    The step solves with the Hessian by its structure.  Where that is no direction of descent, the
    gradient is followed; where the gradient is small and the Hessian has a negative eigenvalue,
    its eigenvector is: saddles and maxima are left.
    """

    def solve(
        fun: Any,
        x0: Array,
        args: Any = (),
        jac: Any = None,
        callback: Any = None,
        gtol: float = 1e-8,
        maxiter: int = 100,
        **unused: Any,
    ) -> OptimizeResult:
        x, message, success, k = np.array(x0, dtype=float), "too many iterations", False, 0
        gtol = unused.get("tol") or gtol
        for k in range(maxiter + 1):
            gradient = jac(x)
            stationary = np.max(np.abs(gradient), initial=0.0) <= gtol
            down = _negative_curvature(problem, x) if stationary else None
            if stationary and down is None:
                message, success = "the gradient is small", True
                break
            if k == maxiter:
                if stationary:
                    message = "too many iterations: a saddle or a maximum was reached"
                break
            length, step = _leave(fun, x, gradient, down) if down is not None else (
                _descend(problem, fun, jac, x, gradient)
            )  # fmt: skip
            if length == 0:
                message = "no step along the direction of descent is shorter"
                if stationary:
                    message = "a saddle or a maximum: the Hessian has a negative eigenvalue"
                break
            x = x + length * step
            if callback is not None:
                callback(x)
        return result_of(
            x=x, fun=fun(x), jac=jac(x), success=success, status=0 if success else 1,
            message=message, nit=k,
        )  # fmt: skip

    return solve


def _descend(
    problem: Problem, fun: Any, jac: Any, x: Array, gradient: Array
) -> tuple[float, Array]:
    """The length of a step and the step: Newton's, or the gradient where that does not descend."""
    from scipy.optimize import line_search

    try:
        step = problem.newton_step(x)
    except DomainError:
        step = -gradient
    slope = float(gradient @ step)
    # Not a sum of squares of much size: no minimum lies that way.
    if not slope < -1e-12 * float(np.linalg.norm(gradient) * np.linalg.norm(step)):
        step = -gradient
    with warnings.catch_warnings():
        # That no such length exists is seen from the result.
        warnings.simplefilter("ignore")
        length = line_search(fun, jac, x, step, gfk=gradient, c2=0.9)[0]
    if length is None:
        length = _halved(fun, x, step, float(gradient @ step))
    return float(length), step


def _negative_curvature(problem: Problem, x: Array) -> Array | None:
    """A unit vector along which the function curves downwards at a point, if one is found.

    The eigenvector of the smallest eigenvalue, by Lanczos' method where there are many variables.
    Its Rayleigh quotient, which is never below the smallest eigenvalue, decides: what is returned
    is a direction of negative curvature however far the iteration has come.
    """
    from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, eigsh

    n = len(x)
    try:
        if n <= DENSE:
            values, vectors = np.linalg.eigh(problem.hess(x))
            size = float(np.max(np.abs(values), initial=0.0))
            curved = n > 0 and values[0] < -CURVED * size
            return np.asarray(vectors[:, 0]) if curved else None
        hessian = problem.hessian_operator(x)
        start = np.random.default_rng(0).standard_normal(n)
        size = float(np.linalg.norm(hessian @ start) / np.linalg.norm(start))
        if not 0 < size < np.inf:
            return None
        try:
            vectors = eigsh(hessian, 1, which="SA", v0=start, tol=1e-3, maxiter=20)[1]
        except ArpackNoConvergence as error:
            vectors = error.eigenvectors
    except (DomainError, ArpackError, np.linalg.LinAlgError):
        return None
    if not vectors.shape[1]:
        return None
    v = vectors[:, 0]
    return v if float(v @ (hessian @ v)) < -CURVED * size else None


def _leave(fun: Any, x: Array, gradient: Array, direction: Array) -> tuple[float, Array]:
    """The length of a step along a direction of negative curvature, with its sign; 0 if none.

    Lengths from 1 are doubled while that helps, and halved until the function is lower at all.
    """
    step = -direction if float(gradient @ direction) > 0 else direction
    start = fun(x)
    length = 1.0
    while not fun(x + length * step) < start:
        length /= 2
        if length < 1e-8:
            return 0.0, step
    while length < 1e8 and fun(x + 2 * length * step) < fun(x + length * step):
        length *= 2
    return length, step


def _halved(fun: Callable[[Array], float], x: Array, step: Array, slope: float) -> float:
    """The longest of the lengths 1, 1/2, 1/4, … that lowers the function enough; 0 if none."""
    start = fun(x)
    length = 1.0
    while length > 1e-12:
        if fun(x + length * step) <= start + 1e-4 * length * slope:
            return length
        length /= 2
    return 0.0
