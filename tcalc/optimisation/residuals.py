"""Runs on residuals: least squares and roots, watched as those of `tcalc.optimisation.runs` are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tcalc.errors import ArgumentError, DomainError
from tcalc.optimisation.newton import result_of
from tcalc.optimisation.packing import Array
from tcalc.optimisation.runs import OUT, OUTSIDE, EndedError, Progress, says_stop

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

    from tcalc.optimisation.problem import Problem

Solver = Literal["least_squares", "root"]
LARGEST = 1e120
"""The most that a residual outside of the domain is taken to be: its square is finite."""
SMALL_STEPS = 3
"""SciPy's status for least squares that ended because of `xtol`."""
NO_ROOT = 1e-6
"""What is above zero, beside the largest entry met."""
LATELY = 3
"""A run whose steps became small within so many evaluations of one out of the domain ends there."""


class _Watched:
    """Residuals under way: what was evaluated, and the point with the least sum of squares."""

    def __init__(
        self,
        problem: Problem,
        start: Array,
        callback: Callable[[Progress], object] | None,
        progress: bool,
    ) -> None:
        self.problem, self.callback, self.progress = problem, callback, progress
        self.best = np.array(start)
        self.best_value = problem.fun(start)
        self.least = float(self.best_value @ self.best_value)
        self.largest = float(np.max(np.abs(self.best_value), initial=0.0))
        self.steps = 0
        self.evaluations = 0
        self.outside = ""
        self.last_outside = -LATELY

    def fun(self, x: Array) -> Array:
        """The residuals, or large numbers outside of the domain."""
        self.evaluations += 1
        try:
            with np.errstate(all="ignore"):
                value = self.problem.fun(x)
        except OUT as error:
            self.outside = error.message
            value = np.full_like(self.best_value, np.nan)
        if not np.all(np.isfinite(value)):
            self.last_outside = self.evaluations
            self.outside = self.outside or f"a value is not finite{self.problem.culprit(x)}"
            return np.full_like(self.best_value, min(OUTSIDE * (1 + self.largest), LARGEST))
        self.largest = max(self.largest, float(np.max(np.abs(value), initial=0.0)))
        least = float(value @ value)
        if least < self.least:
            self.best, self.best_value, self.least = np.array(x), value, least
            self._step()
        return np.asarray(value)

    def jac(self, x: Array) -> Array:
        """The Jacobian."""
        with np.errstate(all="ignore"):
            return self.problem.jac(x)

    def _step(self) -> None:
        self.steps += 1
        if self.callback is None and not self.progress:
            return
        # Of the sum of squares, as `Progress` has it.
        gradient = 2 * self.best_value @ self.jac(self.best)
        size = float(np.max(np.abs(gradient), initial=0.0))
        values = self.problem.unpack(np.array(self.best))
        now = Progress(self.steps, self.least, size, values)
        if self.progress:
            print(now, file=sys.stderr)
        if self.callback is not None and says_stop(self.callback(now)):
            raise EndedError("ended by the callback")


def run(
    problem: Problem,
    solver: Solver,
    start: Array,
    callback: Callable[[Progress], object] | None,
    progress: bool,
    options: Mapping[str, Any],
) -> OptimizeResult:
    """`scipy.optimize.least_squares` or `root` on a problem, from a start in its domain."""
    from scipy import optimize

    solve: Any = getattr(optimize, solver)
    watched = _Watched(problem, start, callback, progress)
    found: Any
    try:
        found = solve(watched.fun, start, jac=watched.jac, **options)
    except KeyboardInterrupt:
        found = _so_far(watched, solver, "interrupted")
    except EndedError as ended:
        found = _so_far(watched, solver, str(ended))
    except (DomainError, np.linalg.LinAlgError, FloatingPointError) as error:
        found = _so_far(watched, solver, f"the run broke off: {error}")
    except ValueError as error:
        if not watched.steps:  # SciPy's complaint of an option
            raise ArgumentError(f"SciPy refuses the method or an option of it: {error}") from error
        found = _so_far(watched, solver, f"the run broke off: {error}")
    if not np.all(np.isfinite(found.x)) or not np.all(np.isfinite(found.fun)):
        found = _so_far(watched, solver, "the run went where the function has no finite value")
    if found.success and _at_edge(watched, solver, found):
        found.success, found.message = False, "the steps became small at the edge of the domain"
    if not found.success and watched.outside:
        found.message = f"{found.message} (the function has no value further on: {watched.outside})"
    found.variables = problem.unpack(found.x)
    found.violations = problem.violations(found.x)
    result: OptimizeResult = found
    return result


def _at_edge(watched: _Watched, solver: Solver, found: OptimizeResult) -> bool:
    """Whether a run converged only because there are no values further on."""
    if solver == "root":
        far = float(np.max(np.abs(found.fun), initial=0.0)) > NO_ROOT * watched.largest
        return bool(watched.outside) and far
    lately = watched.evaluations - watched.last_outside < LATELY
    return lately and found.status == SMALL_STEPS


def _so_far(watched: _Watched, solver: Solver, why: str) -> OptimizeResult:
    fields: dict[str, Any] = {"cost": watched.least / 2} if solver == "least_squares" else {}
    return result_of(
        x=watched.best,
        fun=watched.best_value,
        success=False,
        status=-1,
        message=f"{why} after {watched.steps} steps: the best point so far",
        nfev=watched.evaluations,
        **fields,
    )
