"""Rules for quotients by sums: where something cancels once they are put together."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations, pairwise, product
from math import prod

from tcalc.expr import build
from tcalc.expr.nodes import Add, Const, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.primitives.power import Power, power
from tcalc.simplify.coefficients import product_of
from tcalc.simplify.common_factors import common_factor
from tcalc.simplify.engine import length, of_products_having, of_sums_having
from tcalc.simplify.flatten import opened_while
from tcalc.simplify.parts import Parts, base_and_exponent, parts_of
from tcalc.simplify.powers import powers_collected, variable_powers_collected

MOST_TERMS = 6
"""The most terms of a sum that is looked at for quotients."""


@of_sums_having(Power)
def quotients_by_sum(node: Add) -> Node | None:
    """``a ./ u - a x ./ u^2 -> a c ./ u^2`` for ``u = x + c``: one denominator, where terms cancel.

    Example: ``1./(1 + x) - x./(1 + x).^2 -> 1./(1 + x).^2``.
    """
    if not 1 < len(node.terms) <= MOST_TERMS:
        return None
    terms = [parts_of(term) for _, term in node.terms]
    powers: dict[Add, set[Fraction]] = {}
    for parts in terms:
        for factor in parts.factors:
            base, exponent = base_and_exponent(factor)
            if isinstance(base, Add) and exponent < 0 and len(base.terms) <= MOST_TERMS:
                powers.setdefault(base, set()).add(exponent)
    shortest: float | None = None
    for u, exponents in powers.items():
        low = min(exponents)
        for gap in (LARGEST_GAP, 1):
            if any(0 < p - low <= gap and (p - low).denominator == 1 for p in exponents):
                new = _over_one_denominator(node, terms, u, low, gap)
                if shortest is None:
                    shortest = length(common_factor(node) or node)
                if new is not None and length(new) <= shortest - LEAST_GAIN:
                    return new
    return None


@of_sums_having(Power)
def reciprocals_of_complements(node: Add) -> Node | None:
    """``1./(1 + x) + 1./(1 - x) -> 2./((1 + x).*(1 - x))``: the numerators add up to a number.

    The number of terms falls.
    """
    known = {
        base: c
        for c, term in node.terms
        for base, exponent in [base_and_exponent(term)]
        if exponent == -1 and isinstance(base, Add)
    }
    if len(known) < 2:
        return None
    for (u, c), (v, d) in combinations(known.items(), 2):
        number, total = product_of(build.add([*u.terms, *v.terms]))
        if c == d and isinstance(total, Const) and total.value:
            ends = power(u, -1), power(v, -1)
            kept = [(e, x) for e, x in node.terms if x not in ends]
            return build.add([*kept, (c * number * total.value, build.hadamard(*ends))])
    return None


LEAST_GAIN = 2
"""By how much a sum over one denominator must be shorter, for less is lost in other ways."""

LARGEST_GAP = 2
"""The largest power of a sum that is multiplied out for one denominator."""


def _over_one_denominator(
    node: Add, terms: list[Parts], u: Add, low: Fraction, gap: int
) -> Node | None:
    """The sum with ``u^(p+1)`` written as ``u u^p`` for the lowest p, and that u multiplied out."""
    new: list[tuple[Fraction, Node]] = []
    for (c, term), parts in zip(node.terms, terms, strict=True):
        powers = [base_and_exponent(x) for x in parts.factors]
        places = [k for k, (base, p) in enumerate(powers) if base is u and low < p <= low + gap]
        over_u = any(base is u for base, _ in powers)
        if over_u and any(isinstance(factor, Add) for factor in parts.factors):
            return None  # which would be multiplied out as well
        if not places:
            new.append((c, term))
            continue
        if len(places) > 1 or (powers[places[0]][1] - low).denominator != 1:
            return None
        (k,) = places
        row, times = parts.rows[k], powers[k][1] - low
        for d, factors in _multiplied_out(u, times.numerator):
            opened = parts.replaced((k,), (*factors, power(u, low)), (row,) * (1 + len(factors)))
            e, rest = _collected(opened.build())
            new.append((c * d * e, rest))
    whole = build.add(new)
    return (common_factor(whole) if isinstance(whole, Add) else None) or whole


def _multiplied_out(u: Add, times: int) -> Iterator[tuple[Fraction, tuple[Node, ...]]]:
    """The terms of a power of a sum."""
    for chosen in product(u.terms, repeat=times):
        yield prod((c for c, _ in chosen), start=Fraction(1)), tuple(x for _, x in chosen)


@of_sums_having(Power)
def common_denominator(node: Add) -> Node | None:
    """``x/u - y/u^3 -> (x - y/u^2)/u`` for a scalar u and vectors or matrices x and y.

    Where all terms have it in the denominator, in powers that differ by 2 at most.  The sizes of
    the exponents fall.  Example: ``A*x/(x'*x) - x'*A*x*x/(x'*x)^2``.
    """
    if not node.order or not 1 < len(node.terms) <= MOST_TERMS:
        return None
    terms = [parts_of(term) for _, term in node.terms]
    places = [_scalar_denominators(parts) for parts in terms]
    for u in places[0]:
        if not all(u in found for found in places):
            continue
        exponents = sorted({found[u][1] for found in places})
        if len(exponents) == 1 or any(q - p > LARGEST_GAP for p, q in pairwise(exponents)):
            continue
        rests: list[tuple[Fraction, Node]] = []
        for (c, _), parts, found in zip(node.terms, terms, places, strict=True):
            k, exponent = found[u]
            rest = parts.replaced((k,), (power(u, exponent - exponents[-1]),), ((),))
            rests.append((c, rest.build()))
        axes = tuple(range(node.order))
        return build.einsum([build.add(rests), power(u, exponents[-1])], [axes, ()], axes)
    return None


def _scalar_denominators(parts: Parts) -> dict[Node, tuple[int, Fraction]]:
    """The scalars that a product is divided by, each with its place and its exponent."""
    return {
        base: (k, exponent)
        for k, factor in enumerate(parts.factors)
        for base, exponent in [base_and_exponent(factor)]
        if exponent < 0 and not base.order
    }


@of_products_having(Add)
def denominator_into_sum(node: Einsum) -> Node | None:
    """``1/(a (1 + b/a)) -> 1/(a + b)`` for a factor that cancels in a sum beside it, and powers.

    Example: ``x./(y.*(1 + x./y)) -> x./(y + x)``.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        u, exponent = base_and_exponent(factor)
        if not isinstance(u, Add) or len(u.terms) > MOST_TERMS:
            continue
        if exponent > 0 or exponent.denominator != 1:
            continue
        for j, other in enumerate(parts.factors):
            row = _inside(parts.rows[j], parts.rows[k])
            if j != k and row is not None:
                pair = _shorter(u, exponent, other, row)
                if pair is not None:
                    rows = parts.rows[k], parts.rows[j]
                    return parts.replaced((k, j), pair, rows).build()
    return None


def _shorter(u: Add, exponent: Fraction, other: Node, row: Labels) -> tuple[Node, Node] | None:
    """A power of a sum and another factor with as much of it taken into the sum as cancels."""
    base, p = base_and_exponent(other)
    best: tuple[Node, Node] | None = None
    most, least = length(u) + length(other), length(u) + 1
    for times in range(1, MOST_TAKEN + 1):
        rest = p - times * exponent
        if p > 0 or rest > 0:
            break
        new = _times(u, power(base, times), row)
        left = power(base, rest)
        size = length(new) + (0 if rest == 0 else length(left))
        if size < most and length(new) < least:
            best, least = (power(new, exponent), left), length(new)
    return best


MOST_TAKEN = 4
"""The largest power of a factor that is taken into a sum."""


def _inside(row: Labels, whole: Labels) -> Labels | None:
    """The axes of a tensor that another one has, all of whose indices are among those of it."""
    if len(set(whole)) < len(whole) or not set(row) <= set(whole):
        return None
    return tuple(whole.index(label) for label in row)


def _times(node: Add, factor: Node, row: Labels) -> Node:
    """A sum times a tensor along some of its axes, term by term."""
    axes = tuple(range(node.order))
    found: list[tuple[Fraction, Node]] = []
    for c, term in node.terms:
        d, rest = _collected(
            build.einsum([term, factor], [axes, row], axes, dict(enumerate(node.dims)))
        )
        found.append((c * d, rest))
    return build.add(found)


def _collected(node: Node) -> tuple[Fraction, Node]:
    """A product opened and with its powers collected."""
    return opened_while(node, lambda x: powers_collected(x) or variable_powers_collected(x))


RULES = (quotients_by_sum, reciprocals_of_complements, denominator_into_sum)

DENOMINATORS = (common_denominator,)
"""Only in the end, for of the parts of a sum that are met first not all belong together."""
