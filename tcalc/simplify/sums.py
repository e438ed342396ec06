"""Rules for sums: signs, common numbers, common factors; and products and sums opened."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tcalc.expr import build
from tcalc.expr.nodes import Add, Const, Delta, Einsum, Node
from tcalc.simplify.engine import length
from tcalc.simplify.flatten import open_product, open_sum
from tcalc.simplify.parts import Parts, content, parts_of

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
            new = parts.replaced((k,), (build.scale(1 / c, factor),), (parts.rows[k],))
            return build.scale(c, _scaled_sum(new))
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
                new = parts.replaced((k,), (build.scale(-1, factor),), (parts.rows[k],)).build()
                rest = [t for p, t in enumerate(node.terms) if p != position]
                return build.add([*rest, (-c, new)])
    return None


def view_of_sum(node: Node) -> Node | None:
    """``(x + c y)' -> x' + c y'`` for numbers out of views only: ``(2 x)' -> 2 x'``."""
    if isinstance(node, Einsum) and node.is_view:
        for factor in node.factors:
            if isinstance(factor, Add) and (c := content(factor)) != 1:
                parts = parts_of(node)
                k = parts.factors.index(factor)
                new = parts.replaced((k,), (build.scale(1 / c, factor),), (parts.rows[k],))
                return build.scale(c, _scaled_sum(new))
    return None


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


def _pulled_out(
    node: Add, terms: Sequence[Parts], factor: Node, places: dict[int, int]
) -> Node | None:
    """``factor * (rest + rest + ...)`` plus the terms without it."""
    some = next(iter(places))
    row = terms[some].rows[places[some]]
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
    if len(linked) + len(carried) > max(node.order, 1, min(factor.order, 2)):
        return None
    rests: list[tuple[Fraction, Node]] = []
    for t, k in places.items():
        parts = terms[t]
        labels = [parts.rows[k][axis] for axis in linked] + [parts.output[p] for p in carried]
        if len(set(labels)) != len(labels):
            return None
        others = parts.replaced((k,), (), ())
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


def _scaled_sum(parts: Parts) -> Node:
    return parts.build()


RULES = (
    product_in_product,
    sum_in_sum,
    number_out_of_factor,
    view_of_sum,
    sign_into_factor,
    common_factor,
)
