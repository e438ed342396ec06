"""Runs of an optimiser that are watched, can be ended early, and never lose what they found."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tcalc.errors import ArgumentError, DomainError
from tcalc.optimisation.newton import newton, result_of
from tcalc.optimisation.rounding import STALLED, at_minimum
from tcalc.primitives.arrays import NumPyArray as Array

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

    from tcalc.optimisation.problem import Problem

PRODUCTS = ("newton-cg", "trust-krylov", "trust-ncg")
MATRICES = ("dogleg", "trust-exact")
FREE = ("nelder-mead", "powell", "cobyla", "cobyqa")
"""Methods that use the Hessian by products, as a matrix, and those that use no derivatives."""

BOUNDED = ("l-bfgs-b", "nelder-mead", "powell", "tnc")
CONSTRAINED = ("cobyla", "cobyqa", "slsqp", "trust-constr")
UNBOUNDED = ("bfgs", "cg", "newton", *PRODUCTS, *MATRICES)
"""Methods that take bounds, also constraints, and neither."""

_METHODS = "newton, or a method of scipy.optimize.minimize; with constraints SLSQP or trust-constr"

SINGULAR = 6
"""SLSQP's status where the gradients of constraints that are linearised depend on each other."""

LARGEST_MATRIX = 500
"""The most variables for which trust-constr has the Hessian as a matrix."""

OUTSIDE = 1e10
"""What a function is taken to be outside of its domain, in units of the largest value so far:
infinity itself would spoil the interpolation of line searches."""
OUT = (DomainError, ArgumentError)
"""What a function raises outside of its domain; the latter for a variable of another sign than was
declared."""
LARGEST = 1e300
"""The most that it is taken to be."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is after a step: `values` are the variables by name."""

    iteration: int
    fun: float
    gradient: float
    values: Mapping[str, Array]

    def __str__(self) -> str:
        return f"{self.iteration:5d}  {self.fun:.12g}  gradient {self.gradient:.1e}"


def says_stop(answer: object) -> bool:
    """Whether what a callback returns is True: Python's, or that of a comparison of arrays."""
    return isinstance(answer, bool | np.bool_) and bool(answer)


class EndedError(Exception):
    """The run was ended, and this is why."""


class CallbackError(Exception):
    """A callback raised what is its cause, which is the caller's and no end of the run."""


class Watched(ABC):
    """A problem under way: how often it was evaluated, who looks on, and the best point so far.

    `outside` says why the function has no value at a point that was tried; empty where it has.
    """

    def __init__(
        self,
        problem: Problem,
        start: Array,
        callback: Callable[[Progress], object] | None,
        progress: bool,
    ) -> None:
        if callback is not None and not callable(callback):
            raise ArgumentError(f"callback is {callback!r}, and should be a function")
        self.problem, self.callback, self.progress = problem, callback, progress
        self.best = np.array(start)
        self.steps = 0
        self.evaluations = 0
        self.outside = ""

    @property
    def alone(self) -> bool:
        """Whether nobody looks on."""
        return self.callback is None and not self.progress

    def tell(self, x: Array, value: float, gradient: Array) -> None:
        """Tell those who look on of a step; raises `EndedError` where one of them wants no more."""
        size = float(np.max(np.abs(gradient), initial=0.0))
        now = Progress(self.steps, value, size, self.problem.unpack(np.array(x)))
        if self.progress:
            print(now, file=sys.stderr)
        if self.callback is None:
            return
        try:
            ended = says_stop(self.callback(now))
        except StopIteration:  # by which SciPy's callbacks end a run
            ended = True
        except Exception as error:
            raise CallbackError from error
        if ended:
            raise EndedError("ended by the callback")

    def so_far(self, why: str) -> OptimizeResult:
        """The best point so far, as the result of a run that did not succeed."""
        return result_of(
            x=self.best,
            success=False,
            status=-1,
            message=f"{why} after {self.steps} steps: the best point so far",
            nfev=self.evaluations,
            **self.at_best(),
        )

    @abstractmethod
    def at_best(self) -> dict[str, Any]:
        """What the result of such a run says of its point, as SciPy names it."""

    def result_of(self, solve: Callable[[], Any]) -> Any:
        """What a solver of SciPy's finds, or the best point so far where it is cut short."""
        try:
            return solve()
        except KeyboardInterrupt:
            return self.so_far("interrupted")
        except EndedError as ended:
            return self.so_far(str(ended))
        except (DomainError, np.linalg.LinAlgError, FloatingPointError) as error:
            return self.so_far(f"the run broke off: {error}")
        except CallbackError as raised:
            assert raised.__cause__ is not None
            raise raised.__cause__ from None
        except (TypeError, ValueError) as error:
            if not self.steps:  # SciPy's complaint of an option
                raise ArgumentError(
                    f"SciPy refuses the method or an option of it: {error}",
                    hint=_METHODS if "Unknown solver" in str(error) else None,
                ) from error
            return self.so_far(f"the run broke off: {error}")

    def complete(self, found: Any) -> OptimizeResult:
        """A result with the variables by name, what is violated, and why it ended."""
        if not found.success and self.outside:
            reason = f"the function has no value further on: {self.outside}"
            found.message = f"{found.message} ({reason})"
        found.variables = self.problem.unpack(found.x)
        found.violations = self.problem.violations(found.x)
        if not found.success and found.violations:
            found.message = f"{found.message} (violated: {found.violations})"
        result: OptimizeResult = found
        return result


class _Objective(Watched):
    """A function to be minimised."""

    def __init__(
        self,
        problem: Problem,
        start: Array,
        callback: Callable[[Progress], object] | None,
        progress: bool,
    ) -> None:
        super().__init__(problem, start, callback, progress)
        self.best_value, self.best_gradient = np.inf, np.zeros_like(start)
        self.largest = 0.0
        self._last: tuple[bytes, float, Array] | None = None

    def fun(self, x: Array) -> float:
        """The value, or a large number outside of the domain."""
        return self._both(x)[0]

    def jac(self, x: Array) -> Array:
        """The gradient."""
        return self._both(x)[1]

    def hess(self, x: Array) -> Array:
        """The Hessian; outside of the domain, where no step ends, a unit matrix."""
        try:
            found = self.problem.hess(x)
        except OUT:
            return np.eye(len(x))
        return found if np.all(np.isfinite(found)) else np.eye(len(x))

    def hessp(self, x: Array, p: Array) -> Array:
        """The Hessian times a vector; outside of the domain the vector."""
        try:
            found = self.problem.hessp(x, p)
        except OUT:
            return np.array(p, dtype=float)
        return found if np.all(np.isfinite(found)) else np.array(p, dtype=float)

    def _both(self, x: Array) -> tuple[float, Array]:
        key = np.asarray(x, dtype=float).tobytes()
        if self._last is not None and self._last[0] == key:
            return self._last[1], self._last[2]
        self.evaluations += 1
        try:
            with np.errstate(all="ignore"):
                value, gradient = self.problem.fun_and_jac(x)
        except OUT as error:
            self.outside = error.message
            value, gradient = np.nan, np.zeros_like(x)
        if not np.isfinite(value) or not np.all(np.isfinite(gradient)):
            self.outside = self.outside or f"its value or gradient is not finite{self.where(x)}"
            large = min(OUTSIDE * (1 + self.largest), LARGEST)
            value, gradient = large, np.nan_to_num(gradient, False, 0, 0, 0)
        else:
            self.largest = max(self.largest, abs(value))
            if not self.problem.constraints and value < self.best_value:
                self._keep(x, value, gradient)
        self._last = key, value, gradient
        return value, gradient

    def where(self, x: Array) -> str:
        """The function on the way to blame for a value that is not finite, as text."""
        try:
            return self.problem.culprit(x)
        except DomainError as error:
            return f": {error.message}"

    def lost(self, found: OptimizeResult) -> bool:
        """Whether a run ended where the function has no finite value."""
        if not np.all(np.isfinite(found.x)):
            return True
        try:
            with np.errstate(all="ignore"):
                return not np.isfinite(self.problem.fun(found.x))
        except OUT:
            return True

    def _keep(self, x: Array, value: float, gradient: Array) -> None:
        self.best, self.best_value, self.best_gradient = np.array(x), value, np.array(gradient)

    def step(self, x: Array, *_: Any) -> None:
        """What SciPy calls after each iteration."""
        self.steps += 1
        if self.problem.constraints:
            # Of infeasible points the latest is the best: a lower value means nothing there.
            self._keep(x, *self._both(np.asarray(x)))
        if not self.alone:
            self.tell(x, *self._both(np.asarray(x)))

    def at_best(self) -> dict[str, Any]:
        return {"fun": self.best_value, "jac": self.best_gradient, "nit": self.steps}


def run(
    problem: Problem,
    method: str | None,
    start: Array,
    callback: Callable[[Progress], object] | None,
    progress: bool,
    options: Mapping[str, Any],
) -> OptimizeResult:
    """`scipy.optimize.minimize` on a problem, from a start in its domain."""
    from scipy import optimize

    minimize: Any = optimize.minimize
    if not isinstance(method, str | None):
        raise ArgumentError(
            f"{method!r} is not the name of a method",
            hint="scipy.optimize.minimize takes p.fun, p.x0, p.jac and p.hess with any",
        )
    chosen = method or ("SLSQP" if problem.constraints else "L-BFGS-B")
    watched = _Objective(problem, start, callback, progress)
    given = {**_derivatives(watched, chosen), **_limits(problem, chosen), **options}
    # SciPy's own refuse to find nothing.
    ours = chosen.lower() == "newton" or not problem.size
    solver: Any = newton(problem) if ours else chosen

    def solve() -> Any:
        with np.errstate(all="ignore"):
            return minimize(watched.fun, start, method=solver, callback=watched.step, **given)

    found = watched.result_of(solve)
    if watched.lost(found):
        found = watched.so_far("the function has no finite value where the run went")
    found.setdefault("nfev", watched.evaluations)
    if chosen.lower() == "slsqp" and found.status == SINGULAR and problem.constraints:
        found.message += "; another start may do, or the method trust-constr"
    if found.status == STALLED.get(chosen.lower()) and not problem.constraints:
        _judge(watched, found)
    return watched.complete(found)


def _judge(watched: _Objective, found: Any) -> None:
    """Call a run a success that found no lower value because rounding hides those that are left.

    Whether SciPy's methods end so, or a step earlier by their tolerance, is a matter of chance.
    """
    x = np.asarray(found.x)
    try:
        judged = at_minimum(watched.problem, x, *watched._both(x))
    except (KeyboardInterrupt, Exception):  # no run is lost to a question about its end
        judged = False
    if judged:
        found.success, found.status = True, 0
        found.message = f"a lower value is not to be told from rounding ({found.message})"


def _derivatives(watched: _Objective, method: str) -> dict[str, Any]:
    """The derivatives that a method uses, as SciPy takes them."""
    name = method.lower()
    given: dict[str, Any] = {} if name in FREE else {"jac": watched.jac}
    if name in PRODUCTS or (name == "trust-constr" and watched.problem.size > LARGEST_MATRIX):
        given["hessp"] = watched.hessp
    elif name in MATRICES or name == "trust-constr":
        given["hess"] = watched.hess
    return given


def _limits(problem: Problem, method: str) -> dict[str, Any]:
    """Bounds and constraints as SciPy takes them; refuses those that a method would ignore."""
    name = method.lower()
    given: dict[str, Any] = {}
    limited = problem.bounds is not None or bool(problem.constraints)
    if limited and name not in (*BOUNDED, *CONSTRAINED, *UNBOUNDED):
        raise ArgumentError(f"no method {method!r} is known to take limits", hint=_METHODS)
    if problem.bounds is not None:
        if name in UNBOUNDED:
            raise ArgumentError(
                f"{method} takes no bounds", hint="L-BFGS-B, TNC, SLSQP and trust-constr do"
            )
        given["bounds"] = problem.bounds
    if problem.constraints:
        if name not in CONSTRAINED:
            raise ArgumentError(f"{method} takes no constraints", hint="SLSQP and trust-constr do")
        given["constraints"] = problem.constraints_for(name)
    return given
