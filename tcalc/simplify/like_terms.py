"""Rules for like terms that meet when the sums in a sum are opened: added up, or cancelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from itertools import chain

from tcalc.expr import build
from tcalc.expr.nodes import Add, Const, Einsum, Node
from tcalc.simplify.engine import length, of_sums, of_sums_having
from tcalc.simplify.flatten import opened_while
from tcalc.simplify.parts import parts_of
from tcalc.simplify.powers import powers_collected

SHORT = 3
"""The most terms of a sum that is rather written again than named."""

UNNAMED = 5
"""The greatest length of a sum whose negative is no longer than that of a name."""


@of_sums
def sum_of_repeated_numbers(node: Add) -> Node | None:
    """``a ones(n) - b ones(n) -> (a - b) ones(n)``, where all that is added is a scalar.

    Example: ``x.^(p*ones(n) - 1) -> x.^(p - 1)``.
    """
    if not node.order or len(node.terms) < 2:
        return None
    scalars: list[tuple[Fraction, Node]] = []
    for c, term in node.terms:
        match term:
            case Const(value=value):
                scalars.append((c * value, build.const(1)))
            case Einsum(factors=(scalar,), subscripts=((),)) if term.is_view:
                scalars.append((c, scalar))
            case _:
                return None
    return build.broadcast(build.add(scalars), node.dims)


@of_sums
def repeated_sum_in_sum(node: Add) -> Node | None:
    """``x + 1*(a + b) -> x + 1*a + 1*b`` where so many terms then cancel that fewer are left.

    Example: ``1 + x - 1*(1 + sum(x)) -> x - 1*sum(x)``.
    """
    found: list[tuple[Fraction, Node]] = []
    for c, term in node.terms:
        match term:
            case Einsum(factors=(Add() as inner,), subscripts=rows, output=output) if term.is_view:
                dims = dict(zip(output, term.dims, strict=True))
                found += [(c * d, build.einsum([x], rows, output, dims)) for d, x in inner.terms]
            case _:
                found.append((c, term))
    if len(found) == len(node.terms) or len(node.terms) == 1:
        return None
    new = build.add(found)
    fewer = not isinstance(new, Add) or len(new.terms) < len(node.terms)
    return new if fewer and length(new) < length(node) else None


@of_sums
def like_terms_in_sums(node: Add) -> Node | None:
    """``x + y - (x + z) -> y - z`` also where ``x + z``, which may be transposed, has other uses.

    Short sums are opened that have a term in common with the rest.  The number of terms, with
    those of short sums, falls.
    """
    groups = [_terms_of_short(c, term) for c, term in node.terms]
    if len(groups) == 1 or all(len(terms) == 1 for terms in groups):
        return None
    met = Counter(chain.from_iterable({x for _, x in terms} for terms in groups))
    found: list[tuple[Fraction, Node]] = []
    for whole, terms in zip(node.terms, groups, strict=True):
        found += terms if any(met[x] > 1 for _, x in terms) else [whole]
    return build.add(found) if len(found) > len(node.terms) else None


def _terms_of_short(coefficient: Fraction, term: Node) -> Sequence[tuple[Fraction, Node]]:
    """The terms of a short sum, which may be transposed; of anything else, itself."""
    match term:
        case Add(terms=terms) if len(terms) <= SHORT:
            return [(coefficient * c, x) for c, x in terms]
        case Einsum(factors=(Add(terms=terms),), subscripts=(row,), output=output) if len(
            terms
        ) <= SHORT and sorted(row) == sorted(output):
            return [(coefficient * c, build.einsum([x], [row], output)) for c, x in terms]
    return [(coefficient, term)]


@of_sums_having(Add)
def term_beside_its_sum(node: Add) -> Node | None:
    """``a*(x + y)*A + b*x*A -> ((a + b)*x + y)*A`` for scalars x and y, and numbers a and b.

    With powers collected, as those of u in ``(x/u^2 - y)/u + x/u^3``, where that is shorter.
    """
    if not 1 < len(node.terms) <= LONGEST:
        return None
    known = {x: c for c, x in node.terms}
    for c, term in node.terms:
        parts = parts_of(term)
        for k, factor in enumerate(parts.factors):
            if not isinstance(factor, Add) or factor.order or len(factor.terms) > LONGEST:
                continue
            for x in factor.operands:
                whole = parts.replaced((k,), (x,), ((),)).build()
                number, core = opened_while(whole, powers_collected)
                if core not in known or core is term:
                    continue
                more = known[core] / (c * number)
                both = build.add([*factor.terms, (more, x)])
                kept = [(e, y) for e, y in node.terms if y is not term and y is not core]
                new = build.add([*kept, (c, parts.replaced((k,), (both,), ((),)).build())])
                if length(new) < length(node):
                    return new
    return None


LONGEST = 24
"""The most terms of a sum in which terms are looked for in factors, and of such a factor."""


@of_sums
def negative_of_short_sum(node: Add) -> Node | None:
    """``-(x - y) -> y - x``, also where ``x - y`` has other uses.

    The number of sums in sums falls.
    """
    match node.terms:
        case ((c, Add(terms=terms) as inner),) if c == -1 and len(terms) <= SHORT:
            return build.add((-d, x) for d, x in terms) if length(inner) <= UNNAMED else None
    return None


RULES = (negative_of_short_sum, sum_of_repeated_numbers, repeated_sum_in_sum, like_terms_in_sums)

PRODUCTS = (term_beside_its_sum,)
"""For terms that are products with sums."""
