"""Dual numbers over the interpreter: each node is a value and a tangent, ``x + ε dx``, ``ε² = 0``.

Sums and products of duals are the definition of that arithmetic.  A function gets its tangent from
its *values* alone, never from its rule of differentiation, by the first of these that it allows:

1. functions that choose by comparing (`abs`, `relu`, `max`, `where`, ...) take the branch of the
   real part, on which they are analytic (Martins, Sturdza, Alonso, *The complex-step derivative
   approximation*, 2003);
2. decompositions (`eigh`, `svd`, `qr`, ...) solve the linearised equations that define them
   (`tcalc.checking.equations`);
3. analytic functions take a complex step of 1e-20, exact to rounding;
4. all others, among them what a user computes by a callable, take central differences with
   Richardson's extrapolation (Ridders 1982), good to about 1e-11; the report names these.

What this shares with the derivative that it judges is the values of the primitives, and nothing
else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np

from tcalc.checking.equations import DEFINED, by_equations
from tcalc.checking.magnitudes import magnitude
from tcalc.errors import DomainError
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.primitive import Primitive
from tcalc.expr.traverse import dependents, postorder
from tcalc.interpret import evaluate
from tcalc.primitives.arrays import NumPyArray as Array
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.reductions import Extremum, Share
from tcalc.primitives.slogdet import LogAbsDet, SignLogDet

STEP = 1e-20
HALVINGS = 18
"""Halvings of the step in an extrapolated difference, from a tenth of the size of the data."""


@dataclass(frozen=True, slots=True)
class Duals:
    """The values of all nodes and the tangents of those that move.

    Tangents are not exact at the functions `extrapolated`; the functions `singular` have none at
    these values, and zeros stand for them.
    """

    values: Mapping[Node, Array]
    tangents: Mapping[Node, Array]
    extrapolated: tuple[Apply, ...]
    singular: tuple[Apply, ...] = ()

    def around(self, node: Apply) -> tuple[list[Array], list[Array]]:
        """The arguments of a function, and how they move: zeros for those that do not."""
        return _around(node, self.values, self.tangents)


def duals(
    roots: Sequence[Node],
    values: Mapping[str, Any],
    moves: Mapping[Var, Array],
    sizes: Mapping[str, int],
) -> Duals:
    """Values and tangents of everything below the roots, the given inputs moving as said.

    >>> from tcalc.expr import build, shape
    >>> from tcalc.primitives.piecewise import abs_
    >>> x = build.var("x", shape("n"))
    >>> found = duals([abs_(x)], {"x": [2.0, -3.0]}, {x: np.array([1.0, 1.0])}, {})
    >>> found.tangents[abs_(x)].tolist()
    [1.0, -1.0]
    """
    order = postorder(roots)
    known = dict(zip(order, evaluate(order, values, sizes), strict=True))
    live = dependents(roots, moves)
    # Not dict(moves), whose keys would be variables alone.
    tangents: dict[Node, Array] = {x: move for x, move in moves.items()}  # noqa: C416 - as said
    extrapolated: list[Apply] = []
    singular: list[Apply] = []
    for node in order:
        if node not in live or node in tangents:
            continue
        match node:
            case Var() | Const() | Delta():
                continue
            case Add(terms=terms):
                moved = [float(c) * tangents[x] for c, x in terms if x in tangents]
                tangents[node] = np.asarray(sum(moved))
            case Einsum():
                tangents[node] = _of_product(node, known, tangents)
            case Apply():
                try:
                    tangents[node], exact = tangent(node, *_around(node, known, tangents))
                except DomainError:
                    tangents[node] = np.zeros_like(known[node])
                    singular.append(node)
                    continue
                if not exact:
                    extrapolated.append(node)
            case _:
                assert_never(node)
    return Duals(known, tangents, tuple(extrapolated), tuple(singular))


def _around(
    node: Apply, values: Mapping[Node, Array], tangents: Mapping[Node, Array]
) -> tuple[list[Array], list[Array]]:
    at = [values[x] for x in node.args]
    along = [tangents[x] if x in tangents else np.zeros_like(values[x]) for x in node.args]
    return at, along


def tangent(
    node: Apply, at: Sequence[Array], along: Sequence[Array], *, by_differences: bool = False
) -> tuple[Array, bool]:
    """How a function's value changes along tangents of its arguments, and whether that is exact.

    With `by_differences` no exact way is taken.  Raises `DomainError` where there is no tangent.
    """
    primitive = node.primitive
    found = None if by_differences else _exact(primitive, at, along)
    exact = found is not None
    if found is None:
        found = extrapolated_difference(lambda t: value_at(node, moved(at, along, t)), at, along)
    elif primitive.outputs > 1:
        found = found[node.output]
    return np.asarray(found), exact


def _exact(primitive: Primitive, at: Sequence[Array], along: Sequence[Array]) -> Any | None:
    """The tangent of all outputs, where one of the exact ways is open."""
    match primitive:
        case Elementwise(branchwise=branch) if branch is not None:
            return branch(*moved(at, along, 1j * STEP)).imag / STEP
        case Extremum(over=over, largest=largest):
            return _of_extremum(over, largest, at[0], along[0])
        case Share():
            return np.zeros_like(at[0])
        case SignLogDet() | LogAbsDet():
            # det(A + iεE)/det(A) = 1 + iε tr(A⁻¹E), of which the phase is left.
            phase = np.linalg.slogdet(at[0] + 1j * STEP * along[0])[0]
            change = np.imag(phase) * np.linalg.slogdet(at[0])[0] / STEP
            return change if primitive.outputs == 1 else (np.zeros_like(change), change)
        case _ if type(primitive) in DEFINED:
            return by_equations(primitive, at[0], along[0])
        case _ if primitive.analytic:
            value = primitive.evaluate(*moved(at, along, 1j * STEP))
            if primitive.outputs == 1:
                return np.imag(value) / STEP
            return tuple(np.imag(part) / STEP for part in value)
    return None


def moved(at: Sequence[Array], along: Sequence[Array], t: complex) -> list[Array]:
    """Arrays moved along their tangents by a step."""
    return [x + t * dx for x, dx in zip(at, along, strict=True)]


def _of_product(node: Einsum, known: Mapping[Node, Array], tangents: Mapping[Node, Array]) -> Array:
    """``d(a b c) = da b c + a db c + a b dc``, label by label."""
    carried = {label for row in node.subscripts for label in row}
    shape = known[node].shape
    spread: list[Any] = []
    for label, size in zip(node.output, shape, strict=True):
        if label not in carried:
            spread += [np.ones(size), [label]]
    total = np.zeros(shape)
    for k, moving in enumerate(node.factors):
        if moving not in tangents:
            continue
        operands: list[Any] = []
        for position, (factor, row) in enumerate(zip(node.factors, node.subscripts, strict=True)):
            operands += [tangents[moving] if position == k else known[factor], list(row)]
        operands += spread
        total = total + np.einsum(*operands, list(node.output), optimize=len(operands) > 4)
    return total


def _of_extremum(axes: tuple[int, ...], largest: bool, x: Array, dx: Array) -> Array:
    """The tangent of the element that is the largest or smallest."""
    lead = x.shape[: x.ndim - len(axes)]
    flat, moves = x.reshape(*lead, -1), dx.reshape(*lead, -1)
    place = (np.argmax if largest else np.argmin)(flat, axis=-1)
    return np.take_along_axis(moves, np.asarray(place)[..., None], -1)[..., 0]


def value_at(node: Apply, arrays: Sequence[Array]) -> Array:
    """The value of a function, of other arguments."""
    value = node.primitive.evaluate(*arrays)
    return np.asarray(value[node.output] if node.primitive.outputs > 1 else value)


def extrapolated_difference(
    f: Callable[[float], Array], at: Sequence[Array], along: Sequence[Array]
) -> Array:
    """The derivative of ``f(t)`` at 0 by Ridders' method; `at` and `along` set the first step.

    Raises `DomainError` where f has no values around 0.
    """
    size = max(map(magnitude, at), default=0.0)
    speed = max(map(magnitude, along), default=0.0)
    if speed == 0:
        return np.zeros_like(f(0.0))
    step = 0.1 * max(size, 1e-3) / speed
    best: Array | None = None
    least = np.inf
    above: list[Array] = []
    for _ in range(HALVINGS):
        step /= 2
        try:
            with np.errstate(all="ignore"):
                row = [(f(step) - f(-step)) / (2 * step)]
        except (np.linalg.LinAlgError, ValueError):
            above = []
            continue  # the step left the domain: a smaller one may not
        if not np.all(np.isfinite(row[0])):
            above = []
            continue
        for k, previous in enumerate(above, 1):
            row.append(row[-1] + (row[-1] - previous) / (4**k - 1))
            change = max(magnitude(row[-1] - row[-2]), magnitude(row[-1] - previous))
            if change < least:
                best, least = row[-1], change
        if len(above) > 3 and magnitude(row[-1] - above[-1]) > 2 * least:
            break  # rounding has overtaken
        above = row
    if best is None:
        raise DomainError("the function has no value near these data")
    return best
