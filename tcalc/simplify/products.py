"""Rules that multiply out: where a repeated vector or an inverse gains by it."""

from __future__ import annotations

from tcalc.expr import build
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Add, Apply, Einsum, Node
from tcalc.expr.primitive import Fact
from tcalc.primitives.selection import LowerMask
from tcalc.simplify.parts import Parts, parts_of

TERMS = 64
"""The most terms that multiplying out may make of one product."""


def repeated_vector_multiplied_out(node: Node) -> Node | None:
    """``a (b - c 1') -> a b - a c 1'`` for a vector repeated as rows or columns in a factor.

    The number of repeated vectors falls.  Example: ``diag(p)*(I - 1*p') -> diag(p) - p*p'``.
    """
    if not isinstance(node, Einsum) or node.is_view:
        return None
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if isinstance(factor, Add) and factor.order > 1 and any(map(_repeats, factor.operands)):
            return multiplied_out(parts, k)
    return None


def multiplied_out(parts: Parts, k: int) -> Node | None:
    """A product over the terms of one of its factors, a sum; None where it would be long."""
    factor = parts.factors[k]
    if not isinstance(factor, Add) or len(factor.terms) > TERMS:
        return None
    terms = [
        (c, parts.replaced((k,), (term,), (parts.rows[k],)).build()) for c, term in factor.terms
    ]
    return build.add(terms)


def product_of_sums(node: Node) -> Node | None:
    """``a (b + c) -> a b + a c``, for every sum: not tidy in itself, but it lets terms cancel."""
    if not isinstance(node, Einsum) or node.is_view:
        return None
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if isinstance(factor, Add):
            return multiplied_out(parts, k)
    return None


def strict_triangle(node: Node) -> Node | None:
    """The mask below the diagonal is the mask with the diagonal, less the unit matrix.

    Example: ``tril(A, -1) -> tril(A) - diag(diag(A))``.
    """
    match node:
        case Apply(primitive=LowerMask(rows=rows, columns=columns, offset=offset)):
            if offset.value == -1 and rows == columns:
                mask = build.apply(LowerMask(rows, columns, 0))
                return build.subtract(mask, build.delta(rows))
    return None


def mask_of_triangle(node: Node) -> Node | None:
    """``tril(L) -> L`` for what is lower triangular anyway."""
    if not isinstance(node, Einsum) or node.is_view:
        return None
    parts = parts_of(node)
    for k, mask in enumerate(parts.factors):
        if not (isinstance(mask, Apply) and isinstance(mask.primitive, LowerMask)):
            continue
        if mask.primitive.offset.value != 0:
            continue
        for j, factor in enumerate(parts.factors):
            if j == k or factor.order != 2:
                continue
            if parts.rows[j] == parts.rows[k] and holds(factor, Fact.LOWER) is True:
                return parts.replaced((k,), (), ()).build()
            if parts.rows[j] == parts.rows[k][::-1] and holds(factor, Fact.UPPER) is True:
                return parts.replaced((k,), (), ()).build()
    return None


def _repeats(node: Node) -> bool:
    """Whether a tensor is one of lower order repeated, a number not counted."""
    if not isinstance(node, Einsum) or not node.is_view or len(node.factors) != 1:
        return False
    return 0 < node.factors[0].order < node.order


RULES = (strict_triangle, mask_of_triangle, repeated_vector_multiplied_out)
