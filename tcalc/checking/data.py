"""Data at which a derivative can be checked: given or drawn, finite, and off the kinks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tcalc.checking.blame import text_of
from tcalc.checking.duals import duals
from tcalc.checking.kinks import kinks
from tcalc.checking.magnitudes import magnitude, relative_error
from tcalc.checking.sampling import DEALS, MANNERS, complete_sizes, direction, sample
from tcalc.errors import ArgumentError, DomainError
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Apply, Node, Var
from tcalc.expr.primitive import Fact
from tcalc.expr.traverse import postorder
from tcalc.interpret import evaluate, evaluate_data, measure, numbers_of
from tcalc.primitives.arrays import NumPyArray as Array

OFF_KINK = 0.02
"""How far data at a kink are moved, relative to their size."""
ATTEMPTS = 6
ROUNDING = 1e-13
"""A change of the data, relative to them, that stands for rounding; and what rounding leaves of
numbers that cancel, relative to the largest of them."""
TAME = 1e6
"""Numbers this much larger than the data are not said to cancel: they are the fault of the data."""
NOISE = 1e-3
"""How much rounding changes a number of which it leaves nothing to compare."""


def data_at_which(
    roots: Sequence[Node],
    inputs: Sequence[Var],
    data: Mapping[str, Any] | None,
    sizes: Mapping[str, int] | None,
    generator: np.random.Generator,
) -> tuple[dict[str, Array], dict[str, int]]:
    """The values at which to check, drawn or given, and the sizes."""
    if data is None:
        return _random_data(roots, inputs, sizes or {}, generator)
    with np.errstate(all="ignore"):  # values that are not finite are reported below
        evaluate_data(roots, data, inputs, sizes)
    values = {name: numbers_of(name, array) for name, array in data.items()}
    for name, array in values.items():
        if np.iscomplexobj(array):
            raise ArgumentError(f"{name} has complex numbers", hint="derivatives are by real ones")
        if not np.all(np.isfinite(array)):
            raise ArgumentError(
                f"{name} has values that are infinite or not a number",
                hint="derivatives are checked at finite data",
            )
    values = {name: array.astype(float, copy=False) for name, array in values.items()}
    given = [x for x in inputs if x.name in values]
    return values, {**(sizes or {}), **measure(given, values, sizes)}


def _random_data(
    roots: Sequence[Node],
    inputs: Sequence[Var],
    given: Mapping[str, int],
    generator: np.random.Generator,
) -> tuple[dict[str, Array], dict[str, int]]:
    """The first data at which the roots are finite and more than rounding, else finite; sizes."""
    problem: Exception | None = None
    finite: tuple[dict[str, Array], dict[str, int]] | None = None
    for deal in range(DEALS):
        sizes = complete_sizes(inputs, given, deal, roots)
        for manner in range(len(MANNERS)):
            values = sample(inputs, sizes, generator, manner, roots)
            try:
                with np.errstate(all="ignore"):
                    results = evaluate(roots, values, sizes)
            except (ValueError, IndexError) as error:
                problem = problem or error
                continue
            if all(np.all(np.isfinite(result)) for result in results):
                if not is_noise(roots, values, sizes, generator):
                    return values, sizes
                finite = finite or (values, sizes)
    if finite is not None:
        return finite
    raise DomainError(
        "no random data were found at which the function and its derivative are finite"
        + (f" ({problem})" if problem else ""),
        hint="give data or sizes, or declare what the variables are (spd, positive, …)",
    )


def is_noise(
    roots: Sequence[Node],
    values: Mapping[str, Array],
    sizes: Mapping[str, int],
    generator: np.random.Generator,
) -> bool:
    """Whether a change of the data by rounding changes one of the roots, or ends its domain."""
    near = {
        name: array * (1 + ROUNDING * generator.standard_normal(array.shape))
        for name, array in values.items()
    }
    try:
        with np.errstate(all="ignore"):
            before, after = (evaluate(roots, data, sizes) for data in (values, near))
    except ValueError:
        return True
    return any(relative_error(x, y, 1 / TAME) > NOISE for x, y in zip(before, after, strict=True))


def without_value(
    function: Node, values: Mapping[str, Array], sizes: Mapping[str, int]
) -> DomainError:
    """The complaint of a function that is not finite, naming what on the way is the first."""
    nodes = postorder([function])
    with np.errstate(all="ignore"):
        found = evaluate(nodes, values, sizes)
    first = next(node for node, x in zip(nodes, found, strict=True) if not np.all(np.isfinite(x)))
    return DomainError(
        f"the function has no finite value at these data: {text_of(first)} has none",
        hint="a derivative is checked inside of the domain",
    )


def off_kinks(
    function: Node,
    variable: Var,
    values: dict[str, Array],
    sizes: Mapping[str, int],
    generator: np.random.Generator,
) -> tuple[dict[str, Array], list[Apply]]:
    """The values with the variable moved off the kinks that they lie at, and these."""
    order = postorder([function])
    start = values[variable.name]
    size = max(1.0, magnitude(start))
    left: list[Apply] = []
    for attempt in range(ATTEMPTS):
        move = direction(variable, start.shape, generator)
        try:
            with np.errstate(all="ignore"):
                found = duals([function], values, {variable: move}, sizes)
        except np.linalg.LinAlgError:
            if not left:
                raise
        else:
            here = [*found.singular, *kinks(order, found)]
            if not here and (not left or np.all(np.isfinite(found.values[function]))):
                return values, left
            left = left or here
        # Ever smaller moves: the first ones may leave the domain.
        moved = start + OFF_KINK * size * 0.5**attempt * move
        values = {**values, variable.name: _allowed(variable, moved)}
    names = ", ".join(dict.fromkeys(map(text_of, left)))
    raise DomainError(
        f"the data lie at a kink of {names}, and moving {variable.name} does not leave it",
        hint="a derivative at a kink is a convention, which no numbers can check; give other data",
    )


def _allowed(variable: Var, array: Array) -> Array:
    """The array within the declared signs of a variable."""
    if holds(variable, Fact.NONNEGATIVE):
        return np.abs(array)
    return array
