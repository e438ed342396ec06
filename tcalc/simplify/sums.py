"""Rules for sums: signs, common numbers, common factors; and products and sums opened."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node
from tcalc.primitives.selection import Selection
from tcalc.simplify.engine import length
from tcalc.simplify.flatten import open_product, open_sum, product_of
from tcalc.simplify.parts import Parts, content, multiple, parts_of
from tcalc.simplify.powers import powers_collected

CANDIDATES = 6
"""How many common factors of a sum are tried, the best first."""

LONGEST = 64
"""Sums of more terms are not searched for common factors."""


def product_in_product(node: Node) -> Node | None:
    """``Σ a[i,j] (Σ b[j,k] c[k]) -> Σ a[i,j] b[j,k] c[k]``, within a budget."""
    if isinstance(node, Einsum) and not node.is_view:
        return open_product(node)
    return None


def sum_in_sum(node: Node) -> Node | None:
    """``a + 2 (b + c) -> a + 2 b + 2 c``, within a budget."""
    return open_sum(node) if isinstance(node, Add) else None


def number_out_of_factor(node: Node) -> Node | None:
    """``x (2 y - 4 z) -> 2 x (y - 2 z)``; a sign comes out where most terms have it.

    Example: ``X'*(-a - b) -> -X'*(a + b)``.
    """
    if not isinstance(node, Einsum) or node.is_view:
        return None
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if isinstance(factor, Add) and (c := content(factor)) != 1:
            new = parts.replaced((k,), (multiple(1 / c, factor),), (parts.rows[k],))
            return build.scale(c, new.build())
    return None


def sign_into_factor(node: Node) -> Node | None:
    """``-x (y - z) -> x (z - y)`` where the factor has as many signs of either kind."""
    if not isinstance(node, Add):
        return None
    for position, (c, term) in enumerate(node.terms):
        if c > 0:
            continue
        parts = parts_of(term)
        for k, factor in enumerate(parts.factors):
            if isinstance(factor, Add) and 2 * sum(d < 0 for d, _ in factor.terms) == len(
                factor.terms
            ):
                new = parts.replaced(
                    (k,), (multiple(Fraction(-1), factor),), (parts.rows[k],)
                ).build()
                rest = [t for p, t in enumerate(node.terms) if p != position]
                return build.add([*rest, (-c, new)])
    return None


def transpose_of_sum(node: Node) -> Node | None:
    """``(x + c y)' -> x' + c y'`` for any permutation of axes; sums move to the top.

    Example: ``(S + B)' -> S + B'`` for a symmetric S.
    """
    match node:
        case Einsum(factors=(Add() as inner,), subscripts=rows, output=output) if node.is_view:
            if sorted(rows[0]) != sorted(output):
                return None
            return build.add((c, build.einsum([x], rows, node.output)) for c, x in inner.terms)
    return None


def number_out_of_view(node: Node) -> Node | None:
    """``diag(2 x - 2 y) -> 2 diag(x - y)``, and the same for broadcasts."""
    if not isinstance(node, Einsum) or not node.is_view:
        return None
    for k, factor in enumerate(node.factors):
        if isinstance(factor, Add) and (c := content(factor)) != 1:
            parts = parts_of(node)
            rest = parts.replaced((k,), (multiple(1 / c, factor),), (parts.rows[k],))
            return build.scale(c, rest.build())
    return None


def sum_of_sum(node: Node) -> Node | None:
    """``Σ (a + b) -> Σ a + Σ b`` where that is shorter.

    Example: ``sum(x - mean(x)) -> 0``.
    """
    if not isinstance(node, Einsum) or node.is_view:
        return None
    parts = parts_of(node)
    if len(parts.factors) != 1 or not isinstance(parts.factors[0], Add):
        return None
    found: list[tuple[Fraction, Node]] = []
    for c, term in parts.factors[0].terms:
        summed = parts.replaced((0,), (term,), parts.rows).build()
        coefficient, rest = product_of(product_in_product(summed) or summed)
        found.append((c * coefficient, powers_collected(rest) or rest))
    new = build.add(found)
    return new if length(new) < length(node) else None


def common_factor(node: Node) -> Node | None:
    """``a*b + a*c -> a*(b + c)`` where that is shorter; the factor is tied to both alike.

    Example: ``X'*X*w - X'*y -> X'*(X*w - y)``.
    """
    if not isinstance(node, Add) or not 1 < len(node.terms) <= LONGEST:
        return None
    terms = [parts_of(term) for _, term in node.terms]
    groups: dict[tuple[Node, tuple[object, ...]], dict[int, int]] = {}
    for t, parts in enumerate(terms):
        for k, factor in enumerate(parts.factors):
            if isinstance(factor, Const | Delta):
                continue
            groups.setdefault((factor, _ties(parts, k)), {}).setdefault(t, k)
    shared = [
        (-(len(places) - 1) * length(factor), factor.digest, factor, places)
        for (factor, _), places in groups.items()
        if len(places) > 1
    ]
    shared.sort(key=lambda candidate: candidate[:2])
    for _, _, factor, places in shared[:CANDIDATES]:
        new = _pulled_out(node, terms, factor, places)
        if new is not None and length(new) < length(node):
            return new
    return None


def _ties(parts: Parts, k: int) -> tuple[object, ...]:
    """How a factor is tied to the rest of its product, axis by axis."""
    row = parts.rows[k]
    ties: list[object] = []
    for axis, label in enumerate(row):
        if row.index(label) != axis:
            ties.append(("same", row.index(label)))
        elif label in parts.output:
            ties.append(("out", parts.output.index(label)))
        else:
            ties.append(parts.uses(label) > 1)
    return tuple(ties)


def _is_selected(parts: Parts, k: int) -> bool:
    """Whether an index of a factor is fixed by a unit vector or a window: ``x[3]`` is no ``x``."""
    return any(
        isinstance(other, Apply)
        and isinstance(other.primitive, Selection)
        and set(row) & set(parts.rows[k])
        for other, row in zip(parts.factors, parts.rows, strict=True)
    )


def _pulled_out(
    node: Add, terms: Sequence[Parts], factor: Node, places: dict[int, int]
) -> Node | None:
    """``factor * (rest + rest + ...)`` plus the terms without it."""
    some = next(iter(places))
    row = terms[some].rows[places[some]]
    if any(_is_selected(terms[t], k) for t, k in places.items()):
        return None
    linked = [axis for axis, tie in enumerate(_ties(terms[some], places[some])) if tie is True]
    carried = sorted(
        {
            terms[t].output.index(label)
            for t, k in places.items()
            for j, other in enumerate(terms[t].rows)
            if j != k
            for label in other
            if label in terms[t].output
        }
    )
    if len(linked) + len(carried) > max(node.order, 2):
        return None
    rests: list[tuple[Fraction, Node]] = []
    for t, k in places.items():
        parts = terms[t]
        labels = [parts.rows[k][axis] for axis in linked] + [parts.output[p] for p in carried]
        if len(set(labels)) != len(labels):
            return None
        others = parts.replaced((k,), (), ())
        missing = [label for label in labels if not others.uses(label)]
        if 0 < len(missing) < len(labels):
            return None  # a vector to be repeated as the rows of a matrix is not shorter
        dims = dict(zip(parts.output, node.dims, strict=True)) | parts.dims
        rest = build.einsum(others.factors, others.rows, labels, {x: dims[x] for x in labels})
        rests.append((node.terms[t][0] * parts.coefficient, rest))
    inner = build.add(rests)
    output = terms[some].output
    joint = [row[axis] for axis in linked] + [output[p] for p in carried]
    dims = dict(zip(output, node.dims, strict=True))
    merged = build.einsum([factor, inner], [row, joint], output, {x: dims[x] for x in output})
    kept = [term for t, term in enumerate(node.terms) if t not in places]
    return build.add([*kept, (1, merged)])


RULES = (
    product_in_product,
    sum_in_sum,
    number_out_of_factor,
    transpose_of_sum,
    number_out_of_view,
    sign_into_factor,
    sum_of_sum,
    common_factor,
)
