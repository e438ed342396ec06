"""Derivatives against numbers that no rule of differentiation had a part in.

A derivative ``J[s, t]`` is contracted with random directions ``d[t]`` and compared with the
directional derivative of the function itself:

- by the complex step, ``Im F(x + i h d) / h`` with ``h = 1e-20``, exact to rounding, where every
  function on the way is analytic and evaluates on complex arrays (Squire, Trapp, *Using complex
  variables to estimate derivatives of real functions*, 1998);
- else by dual numbers (`tcalc.checking.duals`), exact for absolute values and decompositions too;
- and always by five-point differences, whose error is of fourth order in the step.

All evaluate with the reference interpreter.  Data at a kink are moved off it first, since what a
derivative is there is a convention and no number can tell (`tcalc.checking.kinks`); and nothing is
called wrong where rounding alone decides, as at a matrix that is singular but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from tcalc.checking.blame import blamed, name_of, text_of
from tcalc.checking.data import (
    NOISE,
    ROUNDING,
    TAME,
    data_at_which,
    is_noise,
    off_kinks,
    without_value,
)
from tcalc.checking.duals import duals
from tcalc.checking.magnitudes import largest, magnitude, relative_error
from tcalc.checking.report import ROUGH, TOLERANCE, Blame, CheckReport, Form, Method, Opinion
from tcalc.checking.sampling import direction
from tcalc.errors import DomainError, Span
from tcalc.expr.nodes import Apply, Node, Var
from tcalc.expr.traverse import dependents, postorder, variables
from tcalc.interpret import evaluate
from tcalc.primitives.arrays import NumPyArray as Array

COMPLEX_STEP = 1e-20
REAL_STEPS = (3e-3, 3e-4, 3e-5)
"""Relative to the data.  A wrong derivative differs at every step, a right one agrees at the best:
large steps are exact where a function is tame, small ones where it is steep or near a kink."""
DIGIT = 2.0**-52
"""The part of a number that its last digit is."""
SAMPLES = 3
MARGIN = 30
"""How many times what rounding did in some samples an error by rounding may be."""

Product: TypeAlias = Callable[[Mapping[str, Any], Array], Array]
"""A derivative at given values times a direction, where it is not to be had as an expression."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors by the exact way and by differences, and the functions where that way is not exact."""

    exact: float
    rough: float
    extrapolated: tuple[Apply, ...]


def check_derivative(
    function: Node,
    derivative: Node,
    variable: Var,
    *,
    order: int = 1,
    data: Mapping[str, Any] | None = None,
    inputs: Sequence[Var] = (),
    sizes: Mapping[str, int] | None = None,
    directions: int = 5,
    seed: int | np.random.Generator = 0,
    product: Product | None = None,
    form: Form = "dense",
    places: Mapping[Node, Span] | None = None,
) -> CheckReport:
    """Compare `derivative` with the change of `function` along random directions of `variable`.

    `data` are arrays for the inputs; without them random data are drawn, in the first manner in
    which function and derivative are finite.  `inputs` are further variables of the program, which
    may be all that has a size.  `product` applies the derivative, where what is checked is not its
    expression but, say, its factored form.  `places` are those of functions in the text of a
    program, which the report shows where one is wrong.

    Raises `DomainError` where there is no such data, at a kink that no move of the variable
    leaves, and where rounding alone decides; `ArgumentError` for data that are not finite.
    """
    generator = np.random.default_rng(seed)
    roots = [function, derivative]
    inputs = list(dict.fromkeys([*variables([*roots, variable]), *inputs]))
    values, known = data_at_which(roots, inputs, data, sizes, generator)
    values, moved = off_kinks(function, variable, values, known, generator)
    with np.errstate(all="ignore"):
        full, value = evaluate([derivative, function], values, known)
    if not np.all(np.isfinite(value)):
        raise without_value(function, values, known)
    applied = partial(_contracted, full) if product is None else partial(product, values)
    check = _Check(function, variable, values, known, 1e-3 * largest([value]) + 1e-30)
    shape = values[variable.name].shape
    moves = [direction(variable, shape, generator) for _ in range(directions)]
    worst = check.worst(applied, moves)
    tolerance = ROUGH if worst.extrapolated else TOLERANCE[check.method]
    rounding = 0.0
    if worst.exact > tolerance:
        rounding = check.rounding(derivative, moves, generator)
        tolerance = max(tolerance, MARGIN * rounding)
    culprits: list[Blame] = []
    if worst.exact > tolerance:
        culprits = blamed(function, values, {variable: moves[-1]}, known, generator, places)
    return CheckReport(
        check.method,
        order,
        directions,
        worst.exact,
        tolerance,
        known,
        Opinion("five-point differences", worst.rough, TOLERANCE["five-point differences"]),
        blame=tuple(culprits),
        moved=tuple(dict.fromkeys(map(text_of, moved))),
        extrapolated=tuple(dict.fromkeys(map(name_of, worst.extrapolated))),
        form=form,
        rounding=rounding,
    )


def _contracted(derivative: Array, move: Array) -> Array:
    """A derivative as an array times a direction."""
    return np.tensordot(derivative, move, axes=move.ndim) if move.ndim else derivative * move


@dataclass(frozen=True, slots=True)
class _Check:
    """A function at a point, and the ways to its directional derivative there.

    Errors are relative to `floor` at least.
    """

    function: Node
    variable: Var
    values: Mapping[str, Array]
    sizes: Mapping[str, int]
    floor: float

    @property
    def method(self) -> Method:
        return "complex step" if _is_analytic(self.function, self.variable) else "dual numbers"

    def worst(self, applied: Callable[[Array], Array], moves: Sequence[Array]) -> Errors:
        """The largest errors of a derivative along some directions."""
        found = [self.errors(np.asarray(applied(move)), move) for move in moves]
        return Errors(
            max((errors.exact for errors in found), default=0.0),
            max((errors.rough for errors in found), default=0.0),
            tuple(node for errors in found for node in errors.extrapolated),
        )

    def errors(self, found: Array, move: Array) -> Errors:
        """The errors of a directional derivative, by the exact way and by differences.

        They are relative to what is expected, to the `floor`, or to what rounding leaves of the
        numbers that cancel on the way.  What is not exact on the exact way comes with them.
        """
        expected, scale, nodes = self.exactly(move)
        most = TAME * max(1.0, largest(self.values.values()))
        floor = max(self.floor, ROUNDING / TOLERANCE[self.method] * min(scale, most))
        second = min(relative_error(found, other, floor) for other in self.roughly(move))
        return Errors(relative_error(found, expected, floor), second, nodes)

    def rounding(
        self, derivative: Node, moves: Sequence[Array], generator: np.random.Generator
    ) -> float:
        """How much the directional derivatives change if all on the way is rounded otherwise.

        Raises `DomainError` where that leaves nothing of them, or of the function.
        """
        found = self._disturbed(derivative, moves, generator)
        roots = [self.function, derivative]
        if found > NOISE or is_noise(roots, self.values, self.sizes, generator):
            raise DomainError(
                "rounding alone decides what the function or its derivative is at these data: "
                "a matrix is singular there, or nearly",
                hint="give other data, or other sizes",
            )
        return found

    def _disturbed(
        self, derivative: Node, moves: Sequence[Array], generator: np.random.Generator
    ) -> float:
        """The largest change of a directional derivative in Monte Carlo arithmetic.

        Each number on the way is changed by a random part of its last digit (Parker, *Monte Carlo
        arithmetic*, 1997).
        """

        def disturb(x: Array) -> Array:
            return np.asarray(x * (1 + DIGIT * generator.standard_normal(np.shape(x))))

        worst = 0.0
        for move in moves:
            before = self._both(derivative, move, None)
            for _ in range(SAMPLES):
                try:
                    after = self._both(derivative, move, disturb)
                except ValueError:  # the function ends here
                    return np.inf
                pairs = zip(before, after, strict=True)
                changes = (relative_error(x, y, self.floor) for x, y in pairs)
                worst = max(worst, *changes)
        return worst

    def _both(
        self, derivative: Node, move: Array, disturb: Callable[[Array], Array] | None
    ) -> list[Array]:
        """The directional derivative by the expression and, where it is analytic, by the step."""
        full = evaluate([derivative], self.values, self.sizes, disturb=disturb)[0]
        found = [_contracted(full, move)]
        if self.method == "complex step":
            stepped = self._stepped(move)
            value = evaluate([self.function], stepped, self.sizes, disturb=disturb)[0]
            found.append(np.imag(value) / COMPLEX_STEP)
        return found

    def _stepped(self, move: Array) -> dict[str, Array]:
        """The data, a complex step along a direction."""
        here = self.values[self.variable.name]
        return {**self.values, self.variable.name: here + 1j * COMPLEX_STEP * move}

    def at(self, move: Array, step: complex) -> Array:
        """The function a step along a direction."""
        here = self.values[self.variable.name]
        values = {**self.values, self.variable.name: here + step * move}
        return evaluate([self.function], values, self.sizes)[0]

    def exactly(self, move: Array) -> tuple[Array, float, tuple[Apply, ...]]:
        """The directional derivative, the largest tangent on the way, and what is not exact."""
        if self.method == "complex step":
            order = postorder([self.function])
            found = evaluate(order, self._stepped(move), self.sizes)
            steps = [np.imag(x) / COMPLEX_STEP for x in found]
            return np.asarray(steps[-1]), largest(steps), ()
        dual = duals([self.function], self.values, {self.variable: move}, self.sizes)
        if dual.singular:
            names = ", ".join(dict.fromkeys(map(text_of, dual.singular)))
            raise DomainError(f"{names} is not differentiable at these data")
        still = np.zeros_like(dual.values[self.function])
        scale = largest(dual.tangents.values())
        return dual.tangents.get(self.function, still), scale, dual.extrapolated

    def roughly(self, move: Array) -> list[Array]:
        """The directional derivative by five-point differences, for each step."""
        size = max(1.0, magnitude(self.values[self.variable.name]))
        found: list[Array] = []
        for h in (relative * size for relative in REAL_STEPS):
            try:
                with np.errstate(all="ignore"):
                    near, far = (self.at(move, k * h) - self.at(move, -k * h) for k in (1, 2))
            except (np.linalg.LinAlgError, ValueError):
                continue  # the step left the domain; a smaller one may not
            found.append(np.asarray((8 * near - far) / (12 * h)))
        if not found:
            raise DomainError(
                "the function has no value near these data",
                hint="give other data, or other sizes",
            )
        return found


def _is_analytic(function: Node, variable: Var) -> bool:
    live = dependents([function], [variable])
    return all(
        node.primitive.analytic
        for node in postorder([function])
        if isinstance(node, Apply) and node in live
    )
