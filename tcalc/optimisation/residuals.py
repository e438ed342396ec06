"""Runs on residuals: least squares and roots, watched as those of `tcalc.optimisation.runs` are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from tcalc.optimisation.runs import OUT, OUTSIDE, Progress, Watched
from tcalc.primitives.arrays import NumPyArray as Array

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

    from tcalc.optimisation.problem import Problem

Solver: TypeAlias = Literal["least_squares", "root"]
LARGEST = 1e120
"""The most that a residual outside of the domain is taken to be: its square is finite."""
SMALL_STEPS = 3
"""SciPy's status for least squares that ended because of `xtol`."""
NO_ROOT = 1e-6
"""What is above zero, beside the largest entry met."""
LATELY = 3
"""Fewer evaluations than these since a point outside of the domain are recent."""


class _Residuals(Watched):
    """Residuals of which the sum of squares is to be least, or zero."""

    def __init__(
        self,
        problem: Problem,
        solver: Solver,
        start: Array,
        callback: Callable[[Progress], object] | None,
        progress: bool,
    ) -> None:
        super().__init__(problem, start, callback, progress)
        self.solver = solver
        self.best_value = problem.fun(start)
        self.least = float(self.best_value @ self.best_value)
        self.largest = float(np.max(np.abs(self.best_value), initial=0.0))
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
        if not self.alone:
            # Of the sum of squares, as `Progress` has it.
            self.tell(self.best, self.least, 2 * self.best_value @ self.jac(self.best))

    def at_best(self) -> dict[str, Any]:
        least = self.solver == "least_squares"
        return {"fun": self.best_value, **({"cost": self.least / 2} if least else {})}

    def at_edge(self, found: OptimizeResult) -> bool:
        """Whether a run converged only because there are no values further on."""
        if self.solver == "root":
            far = float(np.max(np.abs(found.fun), initial=0.0)) > NO_ROOT * self.largest
            return bool(self.outside) and far
        lately = self.evaluations - self.last_outside < LATELY
        return lately and found.status == SMALL_STEPS


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
    watched = _Residuals(problem, solver, start, callback, progress)
    found = watched.result_of(lambda: solve(watched.fun, start, jac=watched.jac, **options))
    if not np.all(np.isfinite(found.x)) or not np.all(np.isfinite(found.fun)):
        found = watched.so_far("the run went where the function has no finite value")
    if found.success and watched.at_edge(found):
        found.success, found.message = False, "the steps became small at the edge of the domain"
    return watched.complete(found)
