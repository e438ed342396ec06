"""Symmetric matrices that are given by a triangle, as derivatives of factorisations are.

Seeger et al., "Auto-Differentiating Linear Algebra" (2017), call the operation ``copyltu``.
"""

from __future__ import annotations

from fractions import Fraction

from tcalc.expr import build
from tcalc.expr.nodes import Add, Node
from tcalc.primitives.selection import LowerMask
from tcalc.simplify.engine import of_sums_having
from tcalc.simplify.parts import Parts, parts_of
from tcalc.simplify.products import is_mask, is_mask_or_unit, multiplied_out

MOST_TERMS = 6
"""The most terms of a sum that is looked at."""


@of_sums_having(LowerMask)
def triangle_and_its_transpose(node: Add) -> Node | None:
    """``tril(A) + tril(A)' - diag(diag(A)) -> tril(A) + tril(A, -1)'``.

    Masks in sums are multiplied out for it: ``(2 tril(1) - I) .* A`` and its transpose, added up,
    are ``2*(tril(A) + tril(A, -1)')``.  The number of terms falls.
    """
    if node.order != 2 or not 1 < len(node.terms) <= MOST_TERMS:
        return None
    if not any(map(_has_mask, node.operands)):
        return None
    opened = build.add((c * d, x) for c, term in node.terms for d, x in _opened(term))
    if not isinstance(opened, Add):
        return None
    known = {term: c for c, term in opened.terms}
    for c, term in opened.terms:
        parts = parts_of(term)
        for k, factor in enumerate(parts.factors):
            if not is_mask(factor) or parts.rows[k] != parts.output:
                continue
            mirrored = build.transpose(term)
            diagonal = _replaced(parts, k, build.delta(factor.dims[0]))
            if known.get(mirrored) != c or known.get(diagonal) != -c or mirrored is term:
                continue
            # The matrix stays a node of its own, which may get a name.
            matrix, (rows, columns) = parts.replaced((k,), (), ()).build(), factor.dims
            below, strict = (build.apply(LowerMask(rows, columns, at)) for at in (0, -1))
            rest = [(d, x) for d, x in opened.terms if x not in (term, mirrored, diagonal)]
            first = build.hadamard(matrix, below)
            second = build.transpose(build.hadamard(matrix, strict))
            return build.add([*rest, (c, first), (c, second)])
    return None


def _has_mask(term: Node) -> bool:
    """Whether a term has a mask, or a sum of masks and unit matrices, among its factors."""
    return any(is_mask(x) or _is_of_masks(x) for x in parts_of(term).factors)


def _is_of_masks(node: Node) -> bool:
    return isinstance(node, Add) and all(map(is_mask_or_unit, node.operands))


def _opened(term: Node) -> list[tuple[Fraction, Node]]:
    """A term over the masks and unit matrices that a factor of it is a sum of."""
    parts = parts_of(term)
    for k, factor in enumerate(parts.factors):
        if _is_of_masks(factor):
            opened = multiplied_out(parts, k)
            return list(opened.terms) if isinstance(opened, Add) else [(Fraction(1), term)]
    return [(Fraction(1), term)]


def _replaced(parts: Parts, k: int, factor: Node) -> Node:
    return parts.replaced((k,), (factor,), (parts.rows[k],)).build()
