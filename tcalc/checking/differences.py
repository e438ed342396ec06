"""Derivatives against numbers that no rule of differentiation had a part in.

A derivative ``J[s, t]`` is contracted with random directions ``d[t]`` and compared with the
directional derivative of the function itself:

- by the complex step, ``Im F(x + i h d) / h`` with ``h = 1e-20``, exact to rounding, where every
  function on the way is analytic and evaluates on complex arrays (Squire, Trapp, *Using complex
  variables to estimate derivatives of real functions*, 1998);
- else by five-point differences, whose error is of fourth order in the step.

Both evaluate with the reference interpreter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tcalc.checking.sampling import MANNERS, Array, complete_sizes, direction, sample
from tcalc.errors import DomainError
from tcalc.expr.nodes import Apply, Node, Var
from tcalc.expr.traverse import dependents, postorder, variables
from tcalc.interpret import evaluate, evaluate_data

Method = Literal["complex step", "five-point differences"]

COMPLEX_STEP = 1e-20
REAL_STEPS = (3e-3, 3e-4, 3e-5)
"""Relative to the data.  A wrong derivative differs at every step, a right one agrees at the best:
large steps are exact where a function is tame, small ones where it is steep or near a kink."""
TOLERANCE: dict[Method, float] = {"complex step": 1e-12, "five-point differences": 1e-8}


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The outcome of a numerical check.

    `error` is the largest difference over all directions, relative to the largest entry of the
    directional derivative; `passed` says whether it is within `tolerance`.
    """

    method: Method
    order: int
    directions: int
    error: float
    tolerance: float
    sizes: Mapping[str, int]

    @property
    def passed(self) -> bool:
        return self.error <= self.tolerance

    def __str__(self) -> str:
        verdict = "correct" if self.passed else "WRONG"
        sizes = ", ".join(f"{name}={size}" for name, size in self.sizes.items())
        return (
            f"{verdict}: derivative of order {self.order} against {self.method}, "
            f"{self.directions} random directions, largest relative error {self.error:.1e} "
            f"(tolerance {self.tolerance:.0e})" + (f", sizes {sizes}" if sizes else "")
        )

    def __bool__(self) -> bool:
        return self.passed


def check_derivative(
    function: Node,
    derivative: Node,
    variable: Var,
    *,
    order: int = 1,
    data: Mapping[str, Any] | None = None,
    sizes: Mapping[str, int] | None = None,
    directions: int = 5,
    seed: int = 0,
) -> CheckReport:
    """Compare `derivative` with the change of `function` along random directions of `variable`.

    `data` are arrays for the inputs; without them random data are drawn, in the first manner in
    which function and derivative are finite.  Raises `DomainError` where there is no such data.
    """
    generator = np.random.default_rng(seed)
    inputs = variables([function, derivative, variable])
    if data is None:
        known = complete_sizes(inputs, sizes or {})
        values = _finite_data(function, derivative, inputs, known, generator)
    else:
        known = dict(sizes or {})
        evaluate_data([derivative, function], data, inputs, known)
        values = {name: np.asarray(array, dtype=float) for name, array in data.items()}
    method: Method = (
        "complex step" if _is_analytic(function, variable) else "five-point differences"
    )
    worst = 0.0
    full, value = evaluate([derivative, function], values, known)
    for _ in range(directions):
        move = direction(variable, values[variable.name].shape, generator)
        found = np.tensordot(full, move, axes=move.ndim) if move.ndim else full * move
        floor = 1e-3 * float(np.max(np.abs(value), initial=0.0)) + 1e-30
        expected = _directional(method, function, variable, values, known, move)
        worst = max(worst, min(_error(found, other, floor) for other in expected))
    return CheckReport(method, order, directions, worst, TOLERANCE[method], known)


def _finite_data(
    function: Node,
    derivative: Node,
    inputs: Sequence[Var],
    sizes: Mapping[str, int],
    generator: np.random.Generator,
) -> dict[str, Array]:
    problem: Exception | None = None
    for manner in range(len(MANNERS)):
        values = sample(inputs, sizes, generator, manner)
        try:
            with np.errstate(all="ignore"):
                results = evaluate([function, derivative], values, sizes)
        except ValueError as error:
            problem = error
            continue
        if all(np.all(np.isfinite(result)) for result in results):
            return values
    raise DomainError(
        "no random data were found at which the function and its derivative are finite"
        + (f" ({problem})" if problem else ""),
        hint="give data or sizes, or declare what the variables are (spd, positive, …)",
    )


def _is_analytic(function: Node, variable: Var) -> bool:
    live = dependents([function], [variable])
    return all(
        node.primitive.analytic
        for node in postorder([function])
        if isinstance(node, Apply) and node in live
    )


def _error(found: Array, expected: Array, floor: float) -> float:
    """The largest difference, relative to the largest entry; infinite where it is no number."""
    scale = max(float(np.max(np.abs(expected), initial=0.0)), floor)
    error = float(np.max(np.abs(found - expected), initial=0.0)) / scale
    return error if np.isfinite(error) else np.inf


def _directional(
    method: Method,
    function: Node,
    variable: Var,
    values: Mapping[str, Array],
    sizes: Mapping[str, int],
    move: Array,
) -> list[Array]:
    """The directional derivative: by the complex step once, by differences for each step."""
    here = values[variable.name]

    def at(step: complex) -> Array:
        return evaluate([function], {**values, variable.name: here + step * move}, sizes)[0]

    if method == "complex step":
        return [np.asarray(np.imag(at(1j * COMPLEX_STEP)) / COMPLEX_STEP)]
    found: list[Array] = []
    for relative in REAL_STEPS:
        h = relative * max(1.0, float(np.max(np.abs(here), initial=0.0)))
        try:
            found.append(np.asarray((at(-2 * h) - 8 * at(-h) + 8 * at(h) - at(2 * h)) / (12 * h)))
        except np.linalg.LinAlgError:
            continue  # the step left the domain; a smaller one may not
    if not found:
        raise DomainError("the function has no value near these data")
    return found
