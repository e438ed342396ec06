"""Rules for matrices that the terms of a sum share at one end, diagonal terms among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence, Set
from fractions import Fraction

from tcalc.expr import build
from tcalc.expr.nodes import Add, Einsum, Node
from tcalc.primitives.selection import is_slice
from tcalc.simplify.coefficients import multiple
from tcalc.simplify.common import opposite_terms
from tcalc.simplify.common_factors import CANDIDATES, LONGEST, common_factor, is_lopsided
from tcalc.simplify.engine import length, of_products_having, of_sums, of_sums_having
from tcalc.simplify.flatten import opened_term
from tcalc.simplify.parts import Parts, parts_of
from tcalc.simplify.products import multiplied_out
from tcalc.simplify.splicing import is_between
from tcalc.simplify.sums import is_balanced


@of_sums
def common_matrix(node: Add) -> Node | None:
    """``d .* A + x*y'*A -> (diag(d) + x*y')*A`` where that is no longer, from either side.

    The number of factors falls.  Example: ``A'*(diag(p)*A - p*p'*A) -> A'*(diag(p) - p*p')*A``.
    """
    return _with_matrix_outside(node, (False, False))


@of_sums_having(Add)
def common_sum_of_matrices(node: Add) -> Node | None:
    """``B*diag(x) + B*A + C -> B*(diag(x) + A) + C`` for a sum B where that is shorter.

    And where no other factor outside does as well.
    Example: ``(A + A')*diag(x) + (A + A')*B + B*diag(x)``.
    """
    if node.order != 2 or not 1 < len(node.terms) <= LONGEST:
        return None
    terms = [parts_of(term) for _, term in node.terms]
    sums = Counter(
        x
        for parts in terms
        for x in dict.fromkeys(parts.factors)  # in order: the first that is shorter is taken
        if x.order == 2 and isinstance(x, Add)
    )
    for shared, count in sums.items():
        if not 1 < count < len(terms):
            continue
        places = [t for t, parts in enumerate(terms) if shared in parts.factors]
        part = [(node.terms[t][0], terms[t]) for t in places]
        kept = [term for t, term in enumerate(node.terms) if t not in places]
        for far in (0, 1):
            merged = _matrix_pulled_out(part, shared, far, units=False)
            if merged is None or is_lopsided(node, merged):
                continue
            new = build.add([*kept, (1, merged)])
            if length(new) < length(common_factor(node) or node):
                return new
    return None


@of_sums_having(Add)
def sum_inside(node: Add) -> Node | None:
    """``B*diag(x) + (B*A + C)*D -> B*(diag(x) + A*D) + C*D`` for a sum B where that is shorter.

    The same for sums that are vectors, and for a sum and its negative.
    Example: the Hessian ``J'*J + ...`` of a sum of squares, with a Jacobian J that is a sum.
    """
    if node.order != 2 or not 1 < len(node.terms) <= MOST_TERMS:
        return None
    terms = [parts_of(term) for _, term in node.terms]
    factors = [x for parts in terms for x in parts.factors]
    if len(factors) > MOST_FACTORS or any(x.order > 2 for x in factors):
        return None
    sums = {x for x in factors if x.order and isinstance(x, Add)}
    worth = {x for x in sums if length(x) >= LEAST_WORTH} if len(sums) > 1 else set()
    if not worth:
        return None
    known = worth.union(multiple(Fraction(-1), x) for x in worth if is_balanced(x))
    for t, parts in enumerate(terms):
        for k, factor in enumerate(parts.factors):
            if factor not in sums or known.isdisjoint(_factors_of_terms(factor)):
                continue
            opened = multiplied_out(parts, k)
            if opened is None:
                continue
            rest = [term for n, term in enumerate(node.terms) if n != t]
            whole = build.add([*rest, *_terms(node.terms[t][0], opened)])
            for rule in (common_sum_of_matrices, opposite_terms, common_factor):
                new = rule(whole)
                if new is not None and length(new) < length(common_factor(node) or node):
                    return new
    return None


LEAST_WORTH = 4
"""How long a sum is that is looked for inside others."""

MOST_TERMS = 4
MOST_FACTORS = 12
"""The most terms of a sum, and the most factors of these, that are looked into."""


def _factors_of_terms(node: Node) -> Set[Node]:
    return {x for term in node.operands for x in parts_of(term).factors}


def _terms(coefficient: Fraction, node: Node) -> list[tuple[Fraction, Node]]:
    """The terms of a sum of products, with the products among their factors opened."""
    terms = node.terms if isinstance(node, Add) else ((Fraction(1), node),)
    return [(coefficient * c, opened_term(x)) for c, x in terms]


@of_products_having(Add)
def matrix_out_of_factor(node: Einsum) -> Node | None:
    """``B*(A + x*y'*A) -> B*(I + x*y')*A`` where that is no longer, from either side.

    Not for a sum that is a factor twice, as in a norm.  The number of factors falls.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if isinstance(factor, Add) and parts.factors.count(factor) == 1:
            inside = [x not in parts.output and parts.uses(x) > 1 for x in parts.rows[k]]
            again = [
                {x for x, row in zip(parts.factors, parts.rows, strict=True) if label in row}
                for label in parts.rows[k]
            ]
            new = _with_matrix_outside(factor, inside, again)
            if new is not None:
                return parts.replaced((k,), (new,), (parts.rows[k],)).build()
    return None


def _with_matrix_outside(
    node: Add, inside: Sequence[bool], again: Sequence[Collection[Node]] = ((), ())
) -> Node | None:
    """A sum of matrices as a product with one that all its terms share at one end.

    A term may be that matrix alone, and leave a unit matrix, where the axis at the other end is
    `inside` a longer product, or where the matrix stands there `again`, as in ``(X - A*X)*X'``.
    """
    if node.order != 2 or not 1 < len(node.terms) <= CANDIDATES:
        return None
    terms = [parts_of(term) for _, term in node.terms]
    shared = set(terms[0].factors).intersection(*(parts.factors for parts in terms[1:]))
    for factor in dict.fromkeys(x for x in terms[0].factors if x.order == 2 and x in shared):
        for far in (0, 1):
            part = [(c, parts) for (c, _), parts in zip(node.terms, terms, strict=True)]
            new = _matrix_pulled_out(
                part, factor, far, units=inside[1 - far] or factor in again[far]
            )
            if new is not None and is_lopsided(node, new):
                new = _on_other_side(new, factor)
            if new is not None and length(new) < length(node) + 1:  # transposes do not count
                return new
    return None


def _on_other_side(node: Node, factor: Node) -> Node | None:
    """``X'*(A*X + B*X) -> X'*(A + B)*X``: a matrix that stands outside, from the other end too."""
    parts = parts_of(node)
    k = next((k for k, x in enumerate(parts.factors) if x is not factor), 0)
    inner, row = parts.factors[k], parts.rows[k]
    if not isinstance(inner, Add):
        return None
    terms = [(c, parts_of(term)) for c, term in inner.terms]
    far = row.index(next(x for x in row if x in parts.output))
    new = _matrix_pulled_out(terms, factor, far, units=False)
    return new and opened_term(parts.replaced((k,), (new,), (row,)).build())


def _matrix_pulled_out(
    terms: Sequence[tuple[Fraction, Parts]], factor: Node, far: int, *, units: bool
) -> Node | None:
    """The terms over a matrix that has the output axis `far` of each, alone there."""
    rests: list[tuple[Fraction, Node]] = []
    axes: set[int] = set()
    for c, parts in terms:
        end = parts.output[far]
        places = [k for k, row in enumerate(parts.rows) if end in row]
        if len(places) != 1 or parts.factors[places[0]] is not factor:
            return None
        (k,) = places
        row = parts.rows[k]
        if _is_sliced(parts, k):
            return None  # X[2:end,:] - X[1:end-1,:] is as one writes it
        axes.add(row.index(end))
        joint, near = row[1 - row.index(end)], parts.output[1 - far]
        others = parts.replaced((k,), (), ())
        if joint == end or not (others.uses(joint) or (joint == near and units)):
            return None
        rest = build.einsum(others.factors, others.rows, (near, joint), parts.dims)
        rests.append((c * parts.coefficient, rest))
    if len(axes) > 1:
        return None
    (axis,) = axes
    ends = ("far", "joint") if axis == 0 else ("joint", "far")
    output = ("near", "far") if far == 1 else ("far", "near")
    return build.einsum([build.add(rests), factor], [("near", "joint"), ends], output)


def _is_sliced(parts: Parts, k: int) -> bool:
    """Whether a factor has a part of an axis only, or is what one matrix has a part with."""
    placed = list(zip(parts.factors, parts.rows, strict=True))
    if is_slice(parts.factors[k]) and sum(x.order > 1 and not is_slice(x) for x, _ in placed) != 1:
        return False
    return any(
        is_slice(x) and at[-1] in parts.rows[k] and is_between(parts, at[-1]) for x, at in placed
    )


SUMS = (common_sum_of_matrices, sum_inside)
"""Tried before common factors are, whose gain it compares with its own."""

RULES = (common_matrix, matrix_out_of_factor)
