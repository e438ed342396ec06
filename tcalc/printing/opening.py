"""Tensors of order three opened, where that leaves matrices.

Differences of all pairs of rows are a tensor of order three, of which matrix notation sees the
sums only:  Σ_k (X[i,k] - X[j,k])^2  is  diag(X*X')*1' + 1*diag(X*X')' - 2*X*X'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from tcalc.expr import build
from tcalc.expr.nodes import Add, Const, Einsum, Node
from tcalc.expr.traverse import rebuild
from tcalc.simplify.common import diagonal_and_matrix
from tcalc.simplify.common_factors import common_factor
from tcalc.simplify.common_matrices import common_matrix
from tcalc.simplify.engine import Rule, rewrite
from tcalc.simplify.flatten import flatten, is_contraction, open_product, opened_term
from tcalc.simplify.parts import Parts, base_and_exponent, parts_of
from tcalc.simplify.powers_of_products import equal_pieces
from tcalc.simplify.products import multiplied_out
from tcalc.simplify.sums import number_out_of_factor, sum_in_sum

ONE = Fraction(1)

MEETING: tuple[Rule, ...] = (
    sum_in_sum,
    common_factor,
    common_matrix,
    diagonal_and_matrix,
    number_out_of_factor,
    equal_pieces,
)
"""Rules for what then meets: diag(W*1)*X - W*X is (diag(W*1) - W)*X, tr(E)*tr(E) is tr(E)^2."""

MOST_TERMS = 4
"""The most terms of a sum that is opened."""


def as_matrices(roots: Sequence[Node]) -> list[Node]:
    """The tensors with differences of all pairs multiplied out wherever they are summed.

    >>> from tcalc.expr import shape
    >>> X = build.var("X", shape("n", "d"))
    >>> n, d = X.dims
    >>> here, there = (build.einsum([X], [axes], "ijk", dict(zip("ijk", (n, n, d))))
    ...                for axes in ("ik", "jk"))
    >>> difference = build.subtract(here, there)
    >>> squared = build.einsum([difference, difference], ["ijk", "ijk"], "ij")
    >>> [x.order for x in as_matrices([squared])[0].operands]
    [2, 2, 2]
    """
    opened = rebuild(roots, _as_matrices)
    if all(a is b for a, b in zip(opened, roots, strict=True)):
        return opened
    return rewrite(flatten(opened, inline="single"), MEETING)


def _as_matrices(node: Node) -> Node:
    while isinstance(node, Einsum) and node.order <= 2 and not node.is_view:
        if any(is_contraction(factor) and _holds_one(factor) for factor in node.factors):
            inside = open_product(node)
        else:
            inside = node
        new = _opened(inside) if isinstance(inside, Einsum) else None
        if new is None:
            return node
        node = new
    return node


def _holds_one(node: Einsum) -> bool:
    return node.order > 2 and any(map(_is_difference, node.factors))


def _is_difference(node: Node) -> bool:
    """Whether a tensor of order three or more is a sum, or the square of one, of repeated ones."""
    base, exponent = base_and_exponent(node)
    return (
        node.order > 2
        and isinstance(base, Add)
        and exponent in (1, 2)
        and 1 < len(base.terms) <= MOST_TERMS
        and all(map(_is_repeated, base.operands))
    )


def _is_sum_of_weighted(node: Node) -> bool:
    """Whether a tensor of order three or more is a sum with ``W[i,j]*(X[i,k] - X[j,k])`` in it."""
    return (
        node.order > 2
        and isinstance(node, Add)
        and len(node.terms) <= MOST_TERMS
        and any(map(_is_weighted, node.operands))
        and all(map(_is_repeated_or_weighted, node.operands))
    )


def _is_weighted(node: Node) -> bool:
    factors = parts_of(node).factors if isinstance(node, Einsum) else ()
    differences = [factor for factor in factors if _is_difference(factor)]
    return len(differences) == 1 and all(x.order <= 2 for x in factors if x not in differences)


def _is_repeated_or_weighted(node: Node) -> bool:
    return _is_repeated(node) or _is_weighted(node)


def _opened(node: Einsum) -> Node | None:
    """The product multiplied out over the differences in it; None if it has none.

    A difference whose other axes are summed there and then is opened by itself.
    """
    parts = parts_of(node)
    for k, (factor, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        if _is_sum_of_weighted(factor):
            return _multiplied_out(parts)
        if _is_difference(factor):
            kept = tuple(x for x in row if x in parts.output or parts.uses(x) > 1)
            if len(kept) > 2 or len(parts.factors) == 1:
                return _multiplied_out(parts)
            inner = _multiplied_out(Parts(ONE, (factor,), (row,), kept, parts.dims))
            return parts.replaced((k,), (inner,), (kept,)).build()
    return None


def _multiplied_out(product: Parts) -> Node:
    """A sum of products without differences, as far as its terms are few."""
    found: list[Node] = []
    pending = [product]
    while pending:
        parts = pending.pop()
        places = (
            k for k, x in enumerate(parts.factors) if _is_difference(x) or _is_sum_of_weighted(x)
        )
        k = next(places, None)
        if k is None:
            found.append(parts.build())
            continue
        base, exponent = base_and_exponent(parts.factors[k])
        count, row = exponent.numerator, parts.rows[k]
        squares_opened = parts.replaced((k,), (base,) * count, (row,) * count)
        whole = multiplied_out(squares_opened, len(squares_opened.factors) - 1)
        assert whole is not None  # a difference has few terms
        for c, term in whole.terms if isinstance(whole, Add) else [(ONE, whole)]:
            inner = parts_of(opened_term(term))
            pending.append(replace(inner, coefficient=c * inner.coefficient))
    return build.sum_of(*found)


def _is_repeated(node: Node) -> bool:
    """Whether a tensor is one of order two or less, repeated."""
    if isinstance(node, Const):
        return True
    if not (isinstance(node, Einsum) and node.is_view):
        return False
    return all(factor.order <= 2 for factor in node.factors)
