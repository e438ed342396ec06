"""Rules for the squares of sines and cosines, circular and hyperbolic, which add up to one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import permutations
from typing import TypeGuard

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Node
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.hyperbolic import cosh, sinh
from tcalc.primitives.power import Power, power
from tcalc.primitives.trigonometric import cos, sin
from tcalc.records import dataclass
from tcalc.simplify.engine import of_sums_having
from tcalc.simplify.flatten import open_sum, opened_while
from tcalc.simplify.parts import Parts, base_and_exponent, parts_of
from tcalc.simplify.powers import powers_collected

PARTNERS: dict[Elementwise, tuple[Elementwise, int, int]] = {
    sin: (cos, 1, 1),
    cos: (sin, 1, 1),
    sinh: (cosh, -1, 1),
    cosh: (sinh, 1, -1),
}
"""The function whose square adds up to one with that of another, and the signs of the two."""


@dataclass(frozen=True, slots=True)
class _Square:
    """A square in a product: its sign and the rest, and that with the square of the partner."""

    sign: int
    rest: Node
    partner_sign: int
    partner: Node


@of_sums_having(sin, cos, sinh, cosh, Power)
def squares_that_make_one(node: Add) -> Node | None:
    """``a.*cos(x).^2 + a.*sin(x).^2 -> a`` and ``a.*cosh(x).^2 - a.*sinh(x).^2 -> a``.

    And ``a - a.*cos(x).^2 -> a.*sin(x).^2``, whichever two of the three there are.
    """
    if len(node.terms) < 2:
        return None
    known = {x: c for c, x in node.terms}
    for c, term in node.terms:
        for found in _squares(parts_of(term)):
            one = c * found.sign
            if known.get(found.partner) == one * found.partner_sign:
                gone, new = found.partner, (one, found.rest)
            elif known.get(found.rest) == -one:
                gone, new = found.rest, (-one * found.partner_sign, found.partner)
            else:
                continue
            kept = [(d, x) for d, x in node.terms if x not in (term, gone)]
            return build.add([*kept, new])
    return None


@of_sums_having(sin, cos)
def angles_added(node: Add) -> Node | None:
    """``c*cos(x).*cos(y) + c*sin(x).*sin(y) -> c*cos(x - y)``, and the other three of its kind.

    The number of terms falls.
    """
    if len(node.terms) < 2:
        return None
    known = {x: c for c, x in node.terms}
    for c, term in node.terms:
        parts = parts_of(term)
        angles = [(k, x) for k, x in enumerate(parts.factors) if _is_angle(x)]
        for (k, x), (j, y) in permutations(angles, 2):
            if parts.rows[k] != parts.rows[j] or y.primitive == sin:
                continue
            rows = (parts.rows[k],) * 2
            swapped = [build.apply(sin if z.primitive == cos else cos, *z.args) for z in (x, y)]
            partner = parts.replaced((k, j), swapped, rows).build()
            d = known.get(partner, ZERO)
            if partner is term or abs(d) != abs(c):
                continue  # sin(x).*cos(x) is its own partner, and but half of sin(2*x)
            added = (d == c) == (x.primitive == sin)
            first, second = (x.args[0], y.args[0])
            if c < 0 and not added and x.primitive == sin:
                c, first, second = -c, second, first
            angle = build.add(((1, first), (1 if added else -1, second)))
            angle = open_sum(angle) if isinstance(angle, Add) else angle
            new = parts.replaced((k, j), (build.apply(x.primitive, angle),), rows[:1]).build()
            kept = [(e, z) for e, z in node.terms if z not in (term, partner)]
            return build.add([*kept, (c, new)])
    return None


ZERO = Fraction(0)


def _is_angle(node: Node) -> TypeGuard[Apply]:
    return isinstance(node, Apply) and node.primitive in (sin, cos)


def has_angles(nodes: Iterable[Node]) -> bool:
    """Whether there are the sine and the cosine of one tensor."""
    found = [x for x in nodes if _is_angle(x)]
    return len({x.args for x in found}) < len(found)


def _squares(parts: Parts) -> Iterator[_Square]:
    """The squares of such functions among the factors of a product, or inside of squares."""
    if parts.coefficient != 1:
        return
    for k, (factor, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        base, exponent = base_and_exponent(factor)
        if exponent.denominator != 1 or exponent < 2:
            continue
        if (partner := _partner(base)) is not None:
            other, sign, partner_sign = partner
            left = power(base, exponent - 2)
            rest = parts.replaced((k,), (left,), (row,))
            both = parts.replaced((k,), (left, power(other, 2)), (row, row))
            yield _Square(sign, _whole(rest), partner_sign, _whole(both))
        elif exponent == 2 and base.operands:
            inner = parts_of(base)
            for j, x in enumerate(inner.factors):
                partner = _partner(x)
                if partner is None or inner.coefficient != 1 or inner.rows[j] != inner.output:
                    continue
                other, sign, partner_sign = partner
                without, swapped = (
                    inner.replaced((j,), new, (inner.rows[j],)).build()
                    for new in ((build.ones(x.dims),), (other,))
                )
                yield _Square(
                    sign,
                    _whole(parts.replaced((k,), (power(without, 2),), (row,))),
                    partner_sign,
                    _whole(parts.replaced((k,), (power(swapped, 2),), (row,))),
                )


def _partner(node: Node) -> tuple[Node, int, int] | None:
    if not isinstance(node, Apply) or not isinstance(node.primitive, Elementwise):
        return None
    if node.primitive not in PARTNERS:
        return None
    function, sign, partner_sign = PARTNERS[node.primitive]
    return build.apply(function, *node.args), sign, partner_sign


def _whole(parts: Parts) -> Node:
    number, node = opened_while(parts.build(), powers_collected)
    return build.scale(number, node)


RULES = (squares_that_make_one, angles_added)
