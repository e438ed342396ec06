"""Whether one form of a tensor may stand for another: tried with numbers of all magnitudes.

Equal formulas differ in where they leave the range of numbers, and in how many digits they lose.
So both are evaluated together with bounds of their rounding errors, a running error analysis
(Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 3.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias, TypeGuard

from tcalc.expr.facts import holds
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.primitive import Fact
from tcalc.expr.traverse import postorder, variables
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.exponential import exp, log
from tcalc.primitives.hyperbolic import cosh, sinh, tanh
from tcalc.primitives.power import Power

FUNCTIONS = (exp, log, sinh, cosh, tanh)
"""The functions that may be within what is tried, beside powers."""

_SMALL = (1e-300, 1e-160, 1e-110, 1e-80, 1e-60, 1e-40, 1e-9, 0.5)
_NEAR_ONE = (1 - 1e-9, 1, 1 + 1e-9)
_LARGE = (2, 20, 400, 750, 1e9, 1e9 + 1, 1e36, 1e40, 1e46, 1e53, 1e63, 1e80, 1e110, 1e160, 1e210)
_NEGATIVE = (-1e-160, -1e-9, -0.5, -1, -1 - 1e-9, -20, -750, -1e9, -1e80, -1e160)
NUMBERS = (0, *_SMALL, *_NEAR_ONE, *_LARGE, *_NEGATIVE)
"""What inputs are tried with; how many there are is a prime.

Of the largest, each power up to the eighth leaves the range of numbers at another one.
"""

ROUNDING = 2.0**-53
LEAST = 2.0**-1074
WORSE = 8
"""The factor by which a bound of errors may grow, and the roundings of the result to be ignored."""

Bounded: TypeAlias = tuple[Array, Array]
"""Values, and bounds of their errors."""


def is_function(node: Node) -> TypeGuard[Apply]:
    """Whether a node is a function that may be within what is tried."""
    return isinstance(node, Apply) and (
        isinstance(node.primitive, Power) or node.primitive in FUNCTIONS
    )


@lru_cache(maxsize=256)  # functions are compiled again, and loops have like parts
def may_replace(old: Node, new: Node) -> bool:
    """Whether `new` is finite wherever `old` is, and as accurate.

    Both are made from inputs by sums, products element by element and functions.  Every two inputs
    are tried with every two of the numbers: input k has number i + k j in trial (i, j), which is an
    orthogonal array of strength two (Bose and Bush, 1952).

    >>> from tcalc.expr import build
    >>> from tcalc.primitives.power import one_minus_square, power
    >>> x, one = build.var("x", ()), build.const(1)
    >>> may_replace(build.hadamard(power(x, -2), x), power(x, -1))
    True
    >>> may_replace(x, build.hadamard(power(x, 2), power(x, -1)))
    False
    >>> factors = build.sum_of(one, x), build.subtract(one, x)
    >>> may_replace(build.hadamard(*factors), one_minus_square(x))
    False
    """
    inputs = variables([old])
    count = len(NUMBERS)
    table = np.array(NUMBERS, float)
    if len(inputs) == 1:
        i, j = np.arange(count), np.zeros(count, int)
    else:
        i, j = np.divmod(np.arange(count**2), count)
    given: dict[Node, Bounded] = {}
    for k, x in enumerate(inputs):
        tried = table[(i + k * j) % count]
        tried = np.abs(tried) if holds(x, Fact.NONNEGATIVE) else tried
        given[x] = tried, np.zeros(1)
    with np.errstate(all="ignore"):
        before, allowed = _evaluated(old, given)
        after, error = _evaluated(new, given)
        allowed = WORSE * (_known(allowed) + _rounded(after))
        fits = np.isfinite(after) & (_known(error) <= allowed)
        return bool((fits | ~np.isfinite(before)).all())


def _known(error: Array) -> Array:
    """A bound, which is infinite where it is the product of 0 and infinity."""
    return np.where(np.isnan(error), np.inf, error)


def _rounded(x: Array) -> Array:
    """What rounding a result, or losing it below the range of numbers, makes of error."""
    return ROUNDING * np.abs(x) + LEAST


def _evaluated(root: Node, given: Mapping[Node, Bounded]) -> Bounded:
    """The values of a tensor all of whose elements are alike."""
    values = dict(given)
    for node in postorder([root]):
        operands = [values[x] for x in node.operands]
        match node:
            case Var():
                pass
            case Const(value=value):
                values[node] = np.float64(float(value)), np.float64(0)
            case Add(terms=terms):
                values[node] = _sum([float(c) for c, _ in terms], operands)
            case Einsum():
                values[node] = _product(operands)
            case Apply():
                values[node] = _function(node, *operands[0])
            case Delta():
                values[node] = np.float64(1), np.float64(0)
    return values[root]


def _sum(coefficients: Sequence[float], terms: Sequence[Bounded]) -> Bounded:
    """A sum in the worst order: two terms are added at once, of more the largest may be first."""
    total = sum(c * x for c, (x, _) in zip(coefficients, terms, strict=True))
    error = sum(abs(c) * e for c, (_, e) in zip(coefficients, terms, strict=True))
    if len(terms) > 2:
        sizes = sum(np.abs(c * x) for c, (x, _) in zip(coefficients, terms, strict=True))
        error = error + ROUNDING * sizes
    return total, error + _rounded(total)


def _product(factors: Sequence[Bounded]) -> Bounded:
    """A product in the worst order, which leaves the range of numbers first."""
    large: Bounded = np.float64(1), np.float64(0)
    small: Bounded = large
    for x, error in factors:
        is_large = np.abs(x) > 1
        large = _times(large, (np.where(is_large, x, 1), np.where(is_large, error, 0)))
        small = _times(small, (np.where(is_large, 1, x), np.where(is_large, 0, error)))
    return _times(large, small)


def _times(left: Bounded, right: Bounded) -> Bounded:
    (x, dx), (y, dy) = left, right
    product = x * y
    return product, np.abs(x) * dy + np.abs(y) * dx + _rounded(product)


def _function(node: Apply, x: Array, error: Array) -> Bounded:
    y = node.primitive.evaluate(x)
    if isinstance(node.primitive, Power):
        p = float(node.primitive.exponent)
        slope = p * x ** (p - 1)
    else:
        slope = _slopes[node.primitive.name](x, y)
    # Nothing is known of an argument that has left the range of numbers.
    passed = np.where(np.isinf(x), np.inf, np.where(error == 0, 0, np.abs(slope) * error))
    return y, passed + 2 * _rounded(y)


_slopes = {
    "exp": lambda x, y: y,
    "log": lambda x, y: 1 / x,
    "sinh": lambda x, y: np.cosh(x),
    "cosh": lambda x, y: np.sinh(x),
    "tanh": lambda x, y: np.cosh(x) ** -2.0,
}
