"""Divisions by what is zero, which no formula may hold: where they are seen, and refused.

The language has no infinite numbers, and `1/0` is an error.  So is a quotient whose denominator
turns out to be zero when it is built, as in ``a/(b - b)``, or when functions of numbers in it are
folded, as in ``1/log(1)``.  What vanishes by an identity alone stays as it is written.
"""

from __future__ import annotations

from tcalc.errors import DomainError
from tcalc.expr import Apply, Const, Node
from tcalc.primitives.exponential import pow_
from tcalc.primitives.operators import is_zero
from tcalc.primitives.power import Power
from tcalc.simplify.tidy import tidy

LARGEST_FOLDED = 32
"""The most nodes of a denominator that is folded to see whether it is zero."""


def without_pole(node: Node) -> Node:
    """The node; a `DomainError` if it is a power of zero with a negative exponent."""
    if not isinstance(node, Apply):
        return node
    match node.primitive, node.args:
        case Power(exponent=p), (base,) if p < 0:
            _refuse_zero(base)
        case primitive, (base, Const(value=p)) if primitive == pow_ and p < 0:
            _refuse_zero(base)
    return node


def _refuse_zero(base: Node) -> None:
    if is_zero(base):
        raise DomainError(
            "division by what is zero whatever its variables are",
            hint="its terms cancel: a formula has no infinite numbers",
        )
    if _has_function_of_number(base) and is_zero(tidy(base)):
        raise DomainError(
            "division by what is zero whatever its variables are",
            hint="its functions of numbers fold to zero: a formula has no infinite numbers",
        )


def _has_function_of_number(root: Node) -> bool:
    """Whether a small tensor has a function of nothing but numbers in it."""
    found, seen, stack = False, {root}, [root]
    while stack:
        node = stack.pop()
        found |= isinstance(node, Apply) and any(isinstance(x, Const) for x in node.args)
        fresh = set(node.operands) - seen
        seen |= fresh
        if len(seen) > LARGEST_FOLDED:
            return False
        stack.extend(fresh)
    return found
