"""What is settled in the end, for it looks at a whole formula and not at one node.

x/u - y/u^3                      ->  (x - y/u^2)/u     once all else is as it will be
(x - y)./(1 + (y - x).^2)        ->  (x - y)./(1 + (x - y).^2)
a - b*(x + y - z)                ->  a + b*(z - x - y)
exp(x'*A*x) + b*x'*A*x           ->  exp(t) + b*t          for a number t, where it gets a name
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from tcalc.expr import build
from tcalc.expr.nodes import Add, Einsum, Node
from tcalc.expr.traverse import postorder, rebuild, use_counts, with_operands
from tcalc.simplify import (
    collected,
    common_factors,
    norms,
    powers,
    powers_of_products,
    quotients,
    sums,
)
from tcalc.simplify.coefficients import multiple
from tcalc.simplify.engine import Rule, rewrite
from tcalc.simplify.flatten import is_contraction
from tcalc.simplify.outer_products import twice
from tcalc.simplify.parts import base_and_exponent, parts_of, piece, pieces
from tcalc.simplify.sums import is_balanced

FINISHING: tuple[Rule, ...] = (
    *powers.RULES,
    *powers_of_products.RULES,
    *norms.RULES,
    sums.product_in_product,
    sums.sum_in_sum,
    sums.number_out_of_factor,
    *collected.NUMBERS,
    common_factors.common_factor,
    *quotients.DENOMINATORS,
)
"""The rules for common denominators, and for what these then meet."""

SHARING = tuple(rule for rule in FINISHING if rule not in sums.OPENING)
"""Those that open nothing that is shared."""


def with_common_denominators(roots: Sequence[Node], *, shared: bool) -> list[Node]:
    """Tidied tensors with ``x/u - y/u^2`` as ``(x - y/u)/u``; nothing opened if it is `shared`."""
    if any(map(_is_denominator, postorder(roots))):
        return rewrite(roots, SHARING if shared else FINISHING)
    return list(roots)


def _is_denominator(node: Node) -> bool:
    return not node.order and base_and_exponent(node)[1] < 0


def with_one_sign(roots: Sequence[Node]) -> list[Node]:
    """``x - y + (y - x).^2`` as ``x - y + (x - y).^2``: of a square either sign will do.

    As of ``(y - x)*(y - x)'``.
    """
    even: list[tuple[Node, Add]] = []
    odd: set[Node] = set(roots)
    for node in postorder(roots):
        base, exponent = base_and_exponent(node)
        if isinstance(base, Add) and exponent.denominator == 1 and exponent.numerator % 2 == 0:
            even.append((node, base))
            continue
        squared = twice(node) if node.order else []
        even += [(node, x) for x in squared]
        odd.update(x for x in node.operands if x not in squared)
    turned: dict[Node, Node] = {}
    for node, base in even:
        if base not in odd and is_balanced(base):
            other = multiple(Fraction(-1), base)
            if other in odd:
                known = turned.get(node, node)
                operands = [other if x is base else x for x in known.operands]
                turned[node] = with_operands(known, operands)
    if not turned:
        return list(roots)
    return rebuild(roots, lambda node: turned.get(node, node))


def with_sums_first(roots: Sequence[Node]) -> list[Node]:
    """``-b*(x + y - z)`` as ``b*(z - x - y)`` for such a sum that occurs but once.

    The signs are as many, but none is in front.
    """
    order = postorder(roots)
    uses = use_counts(order, roots)
    turned: set[Node] = set()
    signs: dict[Node, Node] = {}
    for node in order:
        if isinstance(node, Add) and all(c < 0 for c, _ in node.terms):
            for _, term in node.terms:
                found = _sum_in_product(term, uses)
                if found is not None:
                    turned.add(found)
                    signs[node] = term
                    break
    done: dict[Node, Node] = {}
    for node in order if turned else ():
        operands = [done.get(x, x) for x in node.operands]
        if isinstance(node, Add):
            other = signs.get(node)
            terms = zip(node.terms, operands, strict=True)
            new = build.add((-c if old is other else c, x) for (c, old), x in terms)
            if node in turned:
                assert isinstance(new, Add)
                new = multiple(Fraction(-1), new)
        else:
            new = with_operands(node, operands)
        if new is not node:
            done[node] = new
    return [done.get(root, root) for root in roots]


def with_numbers_apart(roots: Sequence[Node]) -> list[Node]:
    """Products with a number as one factor that is a tensor elsewhere, as of ``b*x'*A*x``.

    So that a name for the number stands there too.  A squared norm is short without.
    """
    found = (x for x in postorder(roots) if not x.order and is_contraction(x))
    numbers = {x for x in found if len({*x.factors}) > 1}

    def apart(node: Node) -> Node:
        if not is_contraction(node) or not any(x.order for x in node.factors):
            return node
        parts = parts_of(node)
        found = [
            (piece(parts, places, ())[0], places)
            for places in pieces(parts, parts.output)
            if len(places) > 1 and all(set(parts.output).isdisjoint(parts.rows[k]) for k in places)
        ]
        known = [(x, places) for x, places in found if x in numbers and x is not node]
        if not known:
            return node
        gone = [k for _, places in known for k in places]
        return parts.replaced(gone, [x for x, _ in known], [()] * len(known)).build()

    return rebuild(roots, apart) if numbers else list(roots)


def _sum_in_product(term: Node, uses: Mapping[Node, int]) -> Add | None:
    """A factor of a product that has one more plus than minus, where both occur but once."""
    while isinstance(term, Einsum) and uses[term] == 1:
        for factor in term.factors:
            if isinstance(factor, Add) and uses[factor] == 1 and term.factors.count(factor) == 1:
                negative = sum(c < 0 for c, _ in factor.terms)
                if negative and 2 * negative == len(factor.terms) - 1:
                    return factor
        if not term.is_view:
            return None
        term = term.factors[0]
    return None
