"""Rules for sums: signs, common numbers, sums of sums; and products and sums opened."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain

from tcalc.expr import build
from tcalc.expr.nodes import Add, Const, Delta, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.primitives.power import power
from tcalc.simplify import like_terms
from tcalc.simplify.coefficients import common_number, multiple, product_of
from tcalc.simplify.engine import (
    Trait,
    length,
    of_products,
    of_products_having,
    of_sums,
    of_sums_having,
    of_views,
)
from tcalc.simplify.flatten import (
    contraction_in,
    is_contraction,
    open_product,
    open_sum,
    opened_and,
)
from tcalc.simplify.parts import base_and_exponent, parts_of, piece, pieces
from tcalc.simplify.powers import powers_collected
from tcalc.simplify.products import is_centred, is_mean_among
from tcalc.simplify.softmaxes import with_logsoftmax


@of_products
def product_in_product(node: Einsum) -> Node | None:
    """``Σ a[i,j] (Σ b[j,k] c[k]) -> Σ a[i,j] b[j,k] c[k]``, within a budget."""
    return open_product(node)


@of_sums
def sum_in_sum(node: Add) -> Node | None:
    """``a + 2 (b + c) -> a + 2 b + 2 c``, within a budget."""
    return open_sum(node)


OPENING = (product_in_product, sum_in_sum)
"""The rules that open what is shared: not where common subexpressions are to be named."""


@of_products_having(Trait.NESTED)
def sum_of_scaled_rows(node: Einsum) -> Node | None:
    """``(diag(v)*A)'*ones(n) -> A'*v``, even where the product in it is shared.

    The number of products in products falls.
    """
    rows = node.subscripts
    for k, (inner, row) in enumerate(zip(node.factors, rows, strict=True)):
        if inner.order != 2 or not is_contraction(inner):
            continue
        apart = set(row).difference(node.output, *rows[:k], *rows[k + 1 :])
        if not apart:
            continue
        parts, named = parts_of(inner), dict(zip(inner.output, row, strict=True))
        found = [piece(parts, places, named) for places in pieces(parts, named)]
        scaled = {named[labels[0]] for _, labels in found if len(labels) == 1}
        matrices = [x for x, labels in found if len(labels) > 1]
        if scaled >= apart and len(matrices) == 1 and contraction_in(matrices[0]) is None:
            opened = [tuple(map(named.__getitem__, labels)) for _, labels in found]
            return parts_of(node).replaced((k,), [x for x, _ in found], opened).build()
    return None


@of_products_having(Add)
def number_out_of_factor(node: Einsum) -> Node | None:
    """``x (2 y - 4 z) -> 2 x (y - 2 z)``; a sign comes out where most terms have it.

    And where ``x - mean(x)`` is left.  Example: ``X'*(-a - b) -> -X'*(a + b)``.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if isinstance(factor, Add) and (c := _number_in(factor)) != 1:
            new = parts.replaced((k,), (multiple(1 / c, factor),), (parts.rows[k],))
            return build.scale(c, new.build())
    return None


def _number_in(node: Add) -> Fraction:
    """What all coefficients share; the sign of ``mean(x) - x`` too, so that it is ``x - mean(x)``.

    Of two terms neither has most of the signs, but one of them may be the mean of the other.
    """
    number = common_number(node)
    if len(node.terms) == 2 and is_balanced(node):
        (c, x), (_, y) = sorted(node.terms, key=lambda term: -term[0])
        return -number if c > 0 and is_mean_among(x, {y}) and _is_plain_sum(x) else number
    return number


def _is_plain_sum(term: Node) -> bool:
    """Whether a repeated product is the sum of one tensor, up to numbers."""
    return sum(x.order > 0 for x in term.operands[0].operands) == 1


@of_sums_having(Add)
def sign_into_factor(node: Add) -> Node | None:
    """``-x (y - z) -> x (z - y)`` where the factor has as many signs of either kind.

    Not for ``-x (1 - x)``, which is how that is written, nor for ``-a (x - mean(x))``, nor where
    a function of the factor stands beside it, as in ``z - (x - y)/norm2(x - y)``.
    """
    signs = any(c.numerator > 0 for c, _ in node.terms)
    for position, (c, term) in enumerate(node.terms):
        if c.numerator > 0:
            continue
        parts = parts_of(term)
        for k, factor in enumerate(parts.factors):
            if not isinstance(factor, Add) or not is_balanced(factor):
                continue
            if parts.factors.count(factor) > 1:
                continue
            as_usual = is_centred(factor) or any(
                _is_complement(factor, x) or (signs and factor in base_and_exponent(x)[0].operands)
                for x in parts.factors
            )
            if not as_usual:
                new = parts.replaced(
                    (k,), (multiple(Fraction(-1), factor),), (parts.rows[k],)
                ).build()
                rest = [t for p, t in enumerate(node.terms) if p != position]
                return build.add([*rest, (-c, new)])
    return None


@of_products_having(Add)
def opposite_factors(node: Einsum) -> Node | None:
    """``(x - y)*(y - x)' -> -(x - y)*(x - y)'``: a factor and its negative become one.

    The same for whole powers: ``(1 - a)*x/(a - 1) -> -x``.

    The number of different factors falls.
    """
    found = [base_and_exponent(x) for x in node.factors]
    sums = [x for x, p in found if isinstance(x, Add) and p.denominator == 1]
    sums = [x for x in sums if is_balanced(x)] if len(sums) > 1 else []
    if len(sums) < 2:
        return None
    parts = parts_of(node)
    for factor in sums:
        other = multiple(Fraction(-1), factor)
        if other in sums:
            k = next(k for k, x in enumerate(parts.factors) if base_and_exponent(x)[0] is other)
            exponent = base_and_exponent(parts.factors[k])[1]
            new = parts.replaced((k,), (power(factor, exponent),), (parts.rows[k],)).build()
            return build.scale(-1 if exponent.numerator % 2 else 1, new)
    return None


def _is_complement(node: Add, x: Node) -> bool:
    """Whether a sum is ``1 - x``."""
    signs = [c for c, y in node.terms if isinstance(y, Const)]
    return signs == [1] and any(c == -1 and y is x for c, y in node.terms) and len(node.terms) == 2


def is_balanced(node: Add) -> bool:
    """Whether half the signs are minus, so that neither a sum nor its negative reads better."""
    return 2 * sum(c.numerator < 0 for c, _ in node.terms) == len(node.terms)


@of_views
def transpose_of_sum(node: Einsum) -> Node | None:
    """``(x + c y)' -> x' + c y'`` for any permutation of axes; sums move to the top.

    Example: ``(S + B)' -> S + B'`` for a symmetric S.
    """
    match node:
        case Einsum(factors=(Add() as inner,), subscripts=rows, output=output):
            if sorted(rows[0]) != sorted(output):
                return None
            return build.add((c, build.einsum([x], rows, node.output)) for c, x in inner.terms)
    return None


@of_views
def number_out_of_view(node: Einsum) -> Node | None:
    """``diag(2 x - 2 y) -> 2 diag(x - y)``, and the same for broadcasts."""
    for k, factor in enumerate(node.factors):
        if isinstance(factor, Add) and (c := _number_in(factor)) != 1:
            parts = parts_of(node)
            rest = parts.replaced((k,), (multiple(1 / c, factor),), (parts.rows[k],))
            return build.scale(c, rest.build())
    return None


@of_products_having(Add)
def sum_of_sum(node: Einsum) -> Node | None:
    """``Σ (a + b) -> Σ a + Σ b`` where that is shorter, for a factor that is summed by itself.

    The same for sums in its terms.  Example: ``sum(x - mean(x)) -> 0``.
    """
    return _summed(node, nested=True)


@of_products_having(Add)
def sum_of_repeated(node: Einsum) -> Node | None:
    """``(A - 1*x')'*1 -> A'*1 - n*x`` for a vector repeated along the axis that is summed.

    The number of repeated vectors in products falls.
    """
    return _summed(node, nested=True, repeated=True)


def _summed(node: Einsum, *, nested: bool, repeated: bool = False) -> Node | None:
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if not isinstance(factor, Add):
            continue
        if factor.order > 1 and with_logsoftmax(factor)[1]:
            continue  # the sums of the rows of exp(A) have no name
        row = parts.rows[k]
        kept = tuple(x for x in dict.fromkeys(row) if x in parts.output or parts.uses(x) > 1)
        if len(kept) == len(row) or (repeated and not (kept and _repeats(factor, row, kept))):
            continue
        found: list[tuple[Fraction, Node]] = []
        for c, term in factor.terms:
            summed = build.einsum([term], [row], kept)
            coefficient, rest = product_of(product_in_product(summed) or summed)
            new = powers_collected(rest)
            if new is None and nested and is_contraction(rest):
                new = _summed(rest, nested=False)
            found.append((c * coefficient, new or rest))
        new = build.add(found)
        if length(new) < length(factor) + 2 * repeated:
            return parts.replaced((k,), (new,), (kept,)).build()
    return None


def _repeats(factor: Add, row: Labels, kept: Labels) -> bool:
    """Whether a term of a sum is a tensor repeated along the axes that are not kept."""
    return any(
        isinstance(x, Einsum)
        and x.is_view
        and {row[x.output.index(label)] for label in chain(*x.subscripts)} <= set(kept)
        for x in factor.operands
    )


@of_products_having(Trait.NESTED)
def sum_of_centred(node: Einsum) -> Node | None:
    """``sum((x - mean(x))*c) -> 0`` with the product inside, which may have other uses.

    The same for the rows of ``(I - 1/n)*c``.
    """
    for factor, row in zip(node.factors, node.subscripts, strict=True):
        if _holds_centred(factor) and any(_is_summed_alone(node, label) for label in row):
            new = opened_and(node, sum_of_sum)
            return new if isinstance(new, Const) else None
    return None


def _is_summed_alone(node: Einsum, label: int) -> bool:
    """Whether a label is summed over that but one factor has, and once."""
    return label not in node.output and sum(row.count(label) for row in node.subscripts) == 1


def _holds_centred(node: Node) -> bool:
    return is_contraction(node) and any(
        isinstance(x, Add) and (is_centred(x) or any(isinstance(y, Delta) for y in x.operands))
        for x in node.factors
    )


@of_products_having(Trait.NESTED)
def quotient_in_product(node: Einsum) -> Node | None:
    """``x^-1 .* Σ x .* y -> Σ y`` with the x in a product inside, opened where that is shorter.

    Or where the diagonal of a product inside is one of quotients.
    Example: ``diag(1./x)*(diag(x)*A) -> A``, also where ``diag(x)*A`` has other uses.
    """
    bases = {base for x in node.factors for base, p in [base_and_exponent(x)] if p < 0}
    cores = bases.union(*(base.operands for base in bases))
    if not any(
        is_contraction(x) and (len(set(row)) < len(row) or cores.intersection(x.factors))
        for x, row in zip(node.factors, node.subscripts, strict=True)
    ):
        return None
    new = opened_and(node, powers_collected)
    return new if new is not None and length(new) < length(node) else None


RULES = (
    sum_of_scaled_rows,
    product_in_product,
    sum_in_sum,
    number_out_of_factor,
    transpose_of_sum,
    number_out_of_view,
    *like_terms.RULES,
    sign_into_factor,
    opposite_factors,
    sum_of_sum,
    sum_of_repeated,
    sum_of_centred,
    quotient_in_product,
)
