"""Newton's method, with SciPy's line search and Lanczos iteration, on a problem's own step."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tcalc.errors import DomainError
from tcalc.primitives.arrays import NumPyArray as Array

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

    from tcalc.optimisation.problem import Problem

DENSE = 1000
"""The most variables for which the curvature is taken from the Hessian as a matrix."""
CURVED = 1e-8
"""How negative an eigenvalue is, beside the size of the Hessian, that is not rounding."""

FLAT = 1e-6
"""The least size of an eigenvalue, beside the largest, that a step is divided by."""
ROUNDING = 4 * float(np.finfo(float).eps)
"""The change of a value, beside its size, that cannot be told from rounding."""

UNSETTLED = "whether the Hessian has a negative eigenvalue, which a saddle has, was not found out"


def result_of(**fields: Any) -> OptimizeResult:
    """A result as SciPy's optimisers return it."""
    from scipy.optimize import OptimizeResult

    made: Any = OptimizeResult
    found: OptimizeResult = made(**fields)
    return found


def newton(problem: Problem) -> Callable[..., OptimizeResult]:
    """Newton's method with SciPy's line search, as a method for `scipy.optimize.minimize`.

    The step solves with the Hessian by its structure.  Where that is no direction of descent, the
    eigenvalues are taken for positive, or the gradient is followed if there are too many of them.
    Where the gradient is small and the Hessian has a negative eigenvalue, its eigenvector is
    followed: saddles and maxima are left.
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
        x, k = np.array(x0, dtype=float), 0
        gtol = unused.get("tol") or gtol

        def ended(message: str, success: bool = False) -> OptimizeResult:
            return result_of(
                x=x, fun=fun(x), jac=jac(x), success=success, status=0 if success else 1,
                message=message, nit=k,
            )  # fmt: skip

        while True:
            move = _next(problem, fun, jac, x, gtol, last=k >= maxiter)
            if not move.length:
                return ended(move.why, move.stationary)
            x, k = x + move.length * move.step, k + 1
            if callback is not None:
                callback(x)

    return solve


@dataclass(frozen=True, slots=True)
class _Move:
    """A step of some length; of none where the iteration ends, which says why."""

    length: float
    step: Array
    why: str = ""
    stationary: bool = False


def _next(problem: Problem, fun: Any, jac: Any, x: Array, gtol: float, *, last: bool) -> _Move:
    """The move from a point: down along Newton's step, or away from a saddle."""
    gradient = jac(x)
    stays = np.zeros_like(x)
    step, why = _step(problem, fun, jac, x, gradient, gtol)
    if step is not None:
        if last:
            return _Move(0, stays, "too many iterations")
        shorter = "no step along the direction of descent is shorter"
        return _Move(*_descend(fun, jac, x, gradient, step), shorter)
    curvature = _curvature(problem, x)
    if curvature.down is None:
        return _Move(0, stays, why if curvature.known else f"{why}; {UNSETTLED}", stationary=True)
    if last:
        return _Move(0, stays, "too many iterations: a saddle or a maximum was reached")
    saddle = "a saddle or a maximum: the Hessian has a negative eigenvalue"
    return _Move(*_leave(fun, x, gradient, curvature.down), saddle)


def _step(
    problem: Problem, fun: Any, jac: Any, x: Array, gradient: Array, gtol: float
) -> tuple[Array | None, str]:
    """The step from a point, or none, and why there is none: the point is stationary."""
    if not np.max(np.abs(gradient), initial=0.0) > gtol:
        return None, "the gradient is small"
    step = _direction(problem, x, gradient)
    if _settled(fun, jac, x, gradient, step):
        return None, "a lower value is not to be told from rounding"
    return step, ""


def _direction(problem: Problem, x: Array, gradient: Array) -> Array:
    """Newton's step where that descends, else one that does."""
    try:
        tensor = problem.factored(x)
        if tensor is None:
            return _dense_direction(problem.hess(x), gradient)
        structured = tensor.nbytes < 8 * len(x) ** 2 and not tensor.route.startswith("dense")
        if not structured and len(x) <= DENSE:
            return _dense_direction(tensor.dense().reshape(len(x), len(x)), gradient)
        step = -tensor.solve(gradient.reshape(tensor.rows)).reshape(-1)
    except (DomainError, np.linalg.LinAlgError):
        step = np.zeros_like(x)
    if _descends(gradient, step):
        return np.asarray(step)
    if len(x) > DENSE:
        return -gradient
    try:
        return _dense_direction(problem.hess(x), gradient)
    except (DomainError, np.linalg.LinAlgError):
        return -gradient


def _descends(gradient: Array, step: Array) -> bool:
    """Whether a step goes down by more than rounding makes of a step that does not."""
    slope = float(gradient @ step)
    return slope < -1e-12 * float(np.linalg.norm(gradient) * np.linalg.norm(step))


def _dense_direction(hessian: Array, gradient: Array) -> Array:
    """Newton's step for a positive definite matrix; for others with positive eigenvalues instead.

    That is repelled by saddles, where Newton's is drawn to them (Dauphin and others, *Identifying
    and attacking the saddle point problem in high-dimensional non-convex optimization*, 2014), and
    moves little where the function is flat.
    """
    from scipy.linalg import cho_solve

    diagonal = np.abs(np.diagonal(hessian))
    # Units of the variables in which the diagonal is one: what is flat must not depend on them.
    units = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled, right = units[:, None] * hessian * units, -units * gradient
    try:
        factor = np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        pass
    else:
        if np.min(np.diagonal(factor)) > FLAT:
            return np.asarray(units * cho_solve((factor, True), right))
    w, vectors = np.linalg.eigh(scaled)
    size = np.abs(w)
    if not 0 < np.max(size, initial=0.0) < np.inf:
        return -gradient
    along = vectors.T @ right / np.maximum(size, FLAT * np.max(size))
    return np.asarray(units * (vectors @ along))


def _settled(fun: Any, jac: Any, x: Array, gradient: Array, step: Array) -> bool:
    """Whether a step promises less than the rounding of the value, and no smaller gradient either.

    What is left of the gradient is rounding then too, however large it is beside `gtol`.
    """
    value = fun(x)
    if not _invisible(value, gradient, step):
        return False
    before, after = (float(np.max(np.abs(jac(at)))) for at in (x, x + step))
    # Outside of the domain the value is large.
    return not (after < before / 2 and fun(x + step) <= value + ROUNDING * abs(value))


def _invisible(value: float, gradient: Array, step: Array) -> bool:
    """Whether the fall of the value that a step promises is below its rounding."""
    return -float(gradient @ step) / 2 <= ROUNDING * abs(value)


def _descend(fun: Any, jac: Any, x: Array, gradient: Array, step: Array) -> tuple[float, Array]:
    """The length of a step down along a direction, and the step; a length of 0 if there is none."""
    from scipy.optimize import line_search

    if _invisible(fun(x), gradient, step):
        return 1.0, step  # the gradient is smaller there
    with warnings.catch_warnings():
        # That no such length exists is seen from the result.
        warnings.simplefilter("ignore")
        length = line_search(fun, jac, x, step, gfk=gradient, c2=0.9)[0]
    if length is None:
        length = _halved(fun, x, step, float(gradient @ step))
    return float(length), step


@dataclass(frozen=True, slots=True)
class _Curvature:
    """A unit vector along which a function curves downwards; without one, whether there is none."""

    down: Array | None
    known: bool = True


def _curvature(problem: Problem, x: Array) -> _Curvature:
    """The eigenvector of the smallest eigenvalue of the Hessian, where that is negative.

    By Lanczos' method where there are many variables.  The vector's Rayleigh quotient, which is
    never below the smallest eigenvalue, decides: what is found is a direction of negative curvature
    however far the iteration has come.
    """
    from scipy.linalg import eigh
    from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, eigsh

    n, known = len(x), True
    if not n:
        return _Curvature(None)
    apply: Any
    vectors: Array
    try:
        if n <= DENSE:
            apply = problem.hess(x)
            size = float(np.linalg.norm(apply))
            vectors = np.asarray(eigh(apply, subset_by_index=(0, 0))[1])
        else:
            apply = problem.hessian_operator(x)
            start = np.random.default_rng(0).standard_normal(n)
            size = float(np.linalg.norm(apply @ start))
            if not size:
                return _Curvature(None)
            try:
                vectors = eigsh(apply, 1, which="SA", v0=start, tol=1e-3, maxiter=20)[1]
            except ArpackNoConvergence as error:
                vectors, known = np.asarray(error.eigenvectors), False
    except (DomainError, ArpackError, np.linalg.LinAlgError, ValueError):
        return _Curvature(None, known=False)
    for v in vectors.T:
        if float(v @ (apply @ v)) < -CURVED * size / n**0.5:
            return _Curvature(v)
    return _Curvature(None, known)


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
