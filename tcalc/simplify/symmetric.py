"""Symmetric matrices written so that they look it, as Hessians that rules found term by term.

(g + a*h)*h' + h*g'              ->  g*h' + h*g' + a*h*h'
diag(p)*(diag(c) - c*p') - p*(p.*c)'  ->  diag(p.*c) - (p.*c)*p' - p*(p.*c)'

Rules look at a node and what it is made of.  The sums inside a Hessian are no symmetric matrices
yet, and what they share is taken out of them on one side.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

from tcalc.expr import build
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Add, Const, Delta, Einsum, Node
from tcalc.expr.traverse import postorder, rebuild
from tcalc.simplify import powers, powers_of_products, sums
from tcalc.simplify.axes import is_elementwise
from tcalc.simplify.engine import Rule, length, rewrite
from tcalc.simplify.parts import Parts, parts_of, pieces
from tcalc.simplify.products import is_centred, multiplied_out, product_of_sums

Reach: TypeAlias = frozenset[tuple[Node, int]]
"""Variables and functions, with an axis of each."""

Ends: TypeAlias = tuple[Reach, ...]
"""By the axes of a tensor, what in it has them."""

LONGEST = 320.0
"""Longer formulas are left as they are."""

MOST_OPENED = 24
"""How many sums are multiplied out; a bound, most matrices need two or three."""

MOST_TERMS = 40
"""The most terms that this may give."""

MOST_GROWTH = 1.3
"""By what factor a formula may grow to look symmetric."""

OPENING: tuple[Rule, ...] = (
    *powers.RULES,
    *powers_of_products.RULES,
    sums.product_in_product,
    sums.sum_in_sum,
    sums.transpose_of_sum,
    sums.number_out_of_factor,
    sums.number_out_of_view,
)
"""What makes equal terms of equal products."""


def with_symmetric_terms(
    roots: Sequence[Node], origins: Sequence[Node], rules: Sequence[Rule]
) -> list[Node]:
    """Tidied tensors with the symmetric matrices among them as sums that look symmetric.

    What a sum has lost in being tidied, as a denominator that has cancelled in one of two terms
    alone, may still be in its origin.
    """
    return [
        _symmetric_form(root, origin, rules) if _may_be_symmetric(root) else root
        for root, origin in zip(roots, origins, strict=True)
    ]


def _may_be_symmetric(root: Node) -> bool:
    """Whether a matrix that is not known to be symmetric has the same tensors at both ends."""
    if root.order != 2 or root.dims[0] is not root.dims[1] or length(root) > LONGEST:
        return False
    if symmetric_axes(root):
        return False
    found: dict[Node, Ends] = {}
    for node in postorder([root]):
        found[node] = _ends(node, found)
    first, second = found[root]
    return first == second


def _ends(node: Node, found: Mapping[Node, Ends]) -> Ends:
    """What has the axes of a tensor; numbers have none, and functions of elements those below."""
    match node:
        case Const() | Delta():
            return (frozenset(),) * node.order
        case Einsum(factors=factors, subscripts=rows, output=output):
            held: dict[int, list[Reach]] = {label: [] for label in output}
            for factor, row in zip(factors, rows, strict=True):
                for label, end in zip(row, found[factor], strict=True):
                    if label in held:
                        held[label].append(end)
            return tuple(frozenset().union(*held[label]) for label in output)
        case _ if is_elementwise(node) and node.operands:
            return tuple(
                frozenset().union(*ends)
                for ends in zip(*(found[x] for x in node.operands), strict=True)
            )
    symmetric = symmetric_axes(node)
    return tuple(frozenset([(node, 0 if symmetric else axis)]) for axis in range(node.order))


def _symmetric_form(root: Node, origin: Node, rules: Sequence[Rule]) -> Node:
    longest = MOST_GROWTH * length(root) + 2
    for start in dict.fromkeys((root, origin)):
        opened = _opened(start, centred=False) or _opened(start, centred=True)
        if opened is not None:
            (new,) = rewrite([opened], rules)
            if symmetric_axes(new) and length(new) <= longest:
                return new
    return root


def _opened(root: Node, *, centred: bool) -> Node | None:
    """A matrix as a sum of terms each of which is symmetric or stands beside its transpose.

    Sums that lose digits when they are multiplied out, as ``x - mean(x)``, are so only if asked.
    """
    (whole,) = rewrite([_with_equal_sums(root)], OPENING)
    for _ in range(MOST_OPENED):
        terms = whole.terms if isinstance(whole, Add) else ((Fraction(1), whole),)
        known = {x: c for c, x in terms}
        loose = {
            x for x in known if not (symmetric_axes(x) or known.get(build.transpose(x)) == known[x])
        }
        found = [
            (_gain(factor, loose), x, k)
            for x in known
            for k, factor in _sums(parts_of(x), within=x not in loose)
            if centred or not is_centred(factor)
        ]
        if not found:
            return None if loose else whole
        if len(terms) > MOST_TERMS:
            return None
        _, term, k = max(found, key=lambda candidate: candidate[0])
        opened = multiplied_out(parts_of(term), k)
        if opened is None:
            return None
        (whole,) = rewrite([build.add((c, opened if x is term else x) for c, x in terms)], OPENING)
    return None


def _sums(parts: Parts, *, within: bool) -> list[tuple[int, Add]]:
    """The sums in a product that may be multiplied out, with their positions; no scalars.

    Of a product that is symmetric only a sum of matrices that nothing but scalars stand beside.
    """
    ends = set(parts.output)
    rest = [
        k
        for places in pieces(parts, ())
        if not all(ends.isdisjoint(parts.rows[k]) for k in places)
        for k in places
    ]
    if within and len(rest) > 1:
        return []
    return [
        (k, x)
        for k in rest
        if isinstance(x := parts.factors[k], Add) and (not within or x.order == 2)
    ]


def _gain(factor: Add, loose: Collection[Node]) -> tuple[bool, float]:
    """What is multiplied out first: what holds other sums, and of means what is rarest."""
    if is_centred(factor):
        return False, -sum(factor in parts_of(x).factors for x in loose)
    return True, length(factor)


def _with_equal_sums(root: Node) -> Node:
    """A tensor with sums of vectors that are equal when they are multiplied out as one of them.

    Also those that then are opposite, as ``x - y`` and ``y - x``, with a sign before one.
    """
    vectors = [x for x in postorder([root]) if isinstance(x, Add) and x.order == 1]
    if len(vectors) < 2:
        return root
    opened = rewrite(vectors, (*OPENING, product_of_sums))
    shortest: dict[Node, tuple[Node, Node]] = {}
    for vector, key in zip(vectors, opened, strict=True):
        opposite = build.add((-c, x) for c, x in key.terms) if isinstance(key, Add) else key
        known, _ = shortest.get(key) or shortest.get(opposite) or (vector, key)
        if known is vector or length(vector) < length(known):
            shortest.pop(opposite, None)
            shortest[key] = vector, key
    chosen: dict[Node, Node] = {}
    for vector, key in zip(vectors, opened, strict=True):
        if key in shortest:
            chosen[vector] = shortest[key][0]
        else:
            assert isinstance(key, Add)
            opposite = build.add((-c, x) for c, x in key.terms)
            chosen[vector] = build.scale(-1, shortest[opposite][0])
    if all(x is y for x, y in chosen.items()):
        return root
    (new,) = rebuild([root], lambda node: chosen.get(node, node))
    return new
