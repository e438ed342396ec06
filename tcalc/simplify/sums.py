"""Rules for sums: signs, common numbers, common factors; and products and sums opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import chain

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.primitives.onehot import is_onehot
from tcalc.primitives.power import power
from tcalc.primitives.selection import Selection
from tcalc.simplify import like_terms
from tcalc.simplify.coefficients import content, multiple, product_of
from tcalc.simplify.engine import (
    Trait,
    length,
    of_products,
    of_products_having,
    of_sums,
    of_sums_having,
    of_views,
)
from tcalc.simplify.flatten import is_contraction, open_product, open_sum, opened_and
from tcalc.simplify.parts import Parts, base_and_exponent, parts_of, piece, pieces
from tcalc.simplify.powers import powers_collected
from tcalc.simplify.products import is_centred, is_mean_among, joins
from tcalc.simplify.softmaxes import with_logsoftmax

CANDIDATES = 6
"""How many common factors of a sum are tried, the best first."""

LONGEST = 64
"""Sums of more terms are not searched for common factors."""


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
    number = content(node)
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

    Not for ``-x (1 - x)``, which is how that is written, nor for ``-a (x - mean(x))``.
    """
    for position, (c, term) in enumerate(node.terms):
        if c.numerator > 0:
            continue
        parts = parts_of(term)
        for k, factor in enumerate(parts.factors):
            if not isinstance(factor, Add) or not is_balanced(factor):
                continue
            if parts.factors.count(factor) > 1:
                continue
            as_usual = is_centred(factor) or any(_is_complement(factor, x) for x in parts.factors)
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


@of_sums
def common_factor(node: Add) -> Node | None:
    """``a*b + a*c -> a*(b + c)`` where that is shorter; the factor is tied to both alike.

    Example: ``X'*X*w - X'*y -> X'*(X*w - y)``.
    """
    return _with_factor_outside(node)


@lru_cache(maxsize=8)
def _with_factor_outside(node: Add) -> Node | None:
    # Other rules ask for a sum, and for some like it, before its turn comes: it is searched once.
    if not 1 < len(node.terms) <= LONGEST:
        return None
    terms = [parts_of(term) for _, term in node.terms]
    occurrences = Counter(chain.from_iterable(set(parts.factors) for parts in terms))
    if all(count == 1 for count in occurrences.values()):
        return None
    groups: dict[tuple[Node, tuple[object, ...]], dict[int, int]] = {}
    for t, parts in enumerate(terms):
        for k, factor in enumerate(parts.factors):
            if occurrences[factor] == 1 or isinstance(factor, Const | Delta):
                continue
            places = groups.setdefault((factor, ties(parts, k)), {})
            if t not in places or not reaches_output(parts, places[t]):
                places[t] = k
    shared = [
        (-(len(places) - 1) * length(factor), factor.digest, factor, places)
        for (factor, _), places in groups.items()
        if len(places) > 1
    ]
    shared.sort(key=lambda candidate: candidate[:2])
    for _, _, factor, places in shared[:CANDIDATES]:
        for alike in _by_rest(terms, places):
            new = pulled_out(node, terms, factor, alike)
            if new is not None and length(new) < length(node):
                return new
    return None


def _by_rest(terms: Sequence[Parts], places: dict[int, int]) -> list[dict[int, int]]:
    """The terms that share a factor: all together, or those with the same axes in the rest.

    As of ``x*y' + x*z' + diag(x.*y) - diag(x)`` the first two and the last two.
    """
    axes: dict[tuple[int, ...], dict[int, int]] = {}
    for t, k in places.items():
        axes.setdefault(tuple(_carried(terms[t], k)), {})[t] = k
    if len(axes) == 1 or len(axes) == len(places):
        return [places]
    return [places, *(alike for alike in axes.values() if len(alike) > 1)]


def ties(parts: Parts, k: int) -> tuple[object, ...]:
    """How a factor is tied to the rest of its product, axis by axis."""
    row = parts.rows[k]
    found: list[object] = []
    for axis, label in enumerate(row):
        if row.index(label) != axis:
            found.append(("same", row.index(label)))
        elif label in parts.output:
            found.append(("out", parts.output.index(label)))
        else:
            found.append(parts.uses(label) > 1)
    return tuple(found)


def reaches_output(parts: Parts, k: int) -> bool:
    """Whether a factor is tied to the output: the last x of ``x'*A*x*B*x`` is, the first not."""
    reached, before = set(parts.rows[k]), 0
    while len(reached) > before:
        before = len(reached)
        for row in parts.rows:
            if not reached.isdisjoint(row):
                reached.update(row)
    return not reached.isdisjoint(parts.output)


def _has_numbers(parts: Parts, k: int) -> bool:
    """Whether a number stands beside that which a factor is in, made of vectors or matrices."""
    apart = (places for places in pieces(parts, ()) if k not in places)
    return any(
        x.operands and any(y.order for y in x.operands)
        for places in apart
        for x in (piece(parts, places, ())[0],)
    )


def _is_selected(parts: Parts, k: int) -> bool:
    """Whether an index of a factor is fixed by a unit vector or a window: ``x[3]`` is no ``x``.

    Or by data, ``x[g[i]]``: a sum of tensors of zeros and ones would have to be formed.
    """
    for j, (other, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        if not isinstance(other, Apply):
            continue
        if isinstance(other.primitive, Selection) and row[-1] in parts.rows[k]:
            return True
        if is_onehot(other) and j != k:
            scattered = row[-1] in parts.output and not set(row).isdisjoint(parts.rows[k])
            if scattered or row[-1] in parts.rows[k]:
                return True
    return False


def pulled_out(
    node: Add, terms: Sequence[Parts], factor: Node, places: dict[int, int]
) -> Node | None:
    """``factor * (rest + rest + ...)`` plus the terms without it."""
    some = next(iter(places))
    row, output = terms[some].rows[places[some]], terms[some].output
    linked = [axis for axis, tie in enumerate(ties(terms[some], places[some])) if tie is True]
    if not _may_stand_outside(node, terms, factor, places, bool(linked)):
        return None
    carried = sorted({at for t, k in places.items() for at in _carried(terms[t], k)})
    # The rests are no larger than what matrix notation has, or each term has a tensor of its own.
    largest = min(max(x.order for x in terms[t].factors) for t in places)
    if len(linked) + len(carried) > max(node.order, largest, 2):
        return None
    rests: list[tuple[Fraction, Node]] = []
    for t, k in places.items():
        parts = terms[t]
        labels = [parts.rows[k][axis] for axis in linked] + [parts.output[p] for p in carried]
        rest = _rest(node, parts, k, labels)
        if rest is None:
            return None
        rests.append((node.terms[t][0] * parts.coefficient, rest))
    joint = [row[axis] for axis in linked] + [output[p] for p in carried]
    dims = dict(zip(output, node.dims, strict=True))
    inner = build.add(rests)
    merged = build.einsum([factor, inner], [row, joint], output, {x: dims[x] for x in output})
    kept = [term for t, term in enumerate(node.terms) if t not in places]
    if is_lopsided(node, merged):
        # A'*P + P*A - P*B*P stays as it is, but X'*A*X + X'*B*X has a factor on either side.
        again = None if kept or not isinstance(inner, Add) else _on_other_side(inner, factor)
        if again is None:
            return None
        merged = build.einsum([factor, again], [row, joint], output, {x: dims[x] for x in output})
        merged = open_product(merged) if isinstance(merged, Einsum) else merged
        if is_lopsided(node, merged):
            return None
    return build.add([*kept, (1, merged)])


def _on_other_side(node: Add, factor: Node) -> Node | None:
    """A sum over the products with a factor, which all its terms have at one place."""
    terms = [parts_of(term) for _, term in node.terms]
    found = [dict(enumerate(_places(parts, factor))) for parts in terms]
    for k in found[0].values():
        tie = ties(terms[0], k)
        places = {
            t: next((j for j in at.values() if ties(terms[t], j) == tie), -1)
            for t, at in enumerate(found)
        }
        if any(x is True for x in tie) and -1 not in places.values():
            return pulled_out(node, terms, factor, places)
    return None


def _may_stand_outside(
    node: Add, terms: Sequence[Parts], factor: Node, places: dict[int, int], linked: bool
) -> bool:
    """Whether terms read better with a factor outside; `linked`, if it is summed with the rest."""
    counts = {terms[t].factors.count(factor) for t in places}
    if factor.order and not node.order and len(counts) > 1:
        return False  # a square or quadratic form beside what is linear, ``x'*A*x + b'*x``
    if any(_is_selected(terms[t], k) for t, k in places.items()):
        return False
    if (
        factor.order
        and not node.order
        and any(_has_numbers(terms[t], k) for t, k in places.items())
    ):
        return False  # of ``(a'*x)*(b'*x) - a'*b`` a number would become a vector
    if not factor.order and is_centred(node):
        cores = set(node.operands)
        return not any(is_mean_among(node.terms[t][1], cores) for t in places)
    if not linked:
        return True
    if node.order and not all(reaches_output(terms[t], k) for t, k in places.items()):
        return False  # a number, as x'*A*x, would become an outer product
    if max(counts) <= 2:
        return True
    # Of two numbers x'*x one would become a vector; in T[a,b,c,d]*x[b]*x[c]*x[d] there is none.
    occurrences = [(terms[t], k) for t in places for k in _places(terms[t], factor)]
    return all(reaches_output(parts, k) for parts, k in occurrences)


def _places(parts: Parts, factor: Node) -> list[int]:
    return [k for k, other in enumerate(parts.factors) if other is factor]


def _carried(parts: Parts, k: int) -> list[int]:
    """The places in the output of the labels that a product has beside its k-th factor."""
    rest = chain.from_iterable(row for j, row in enumerate(parts.rows) if j != k)
    return sorted(map(parts.output.index, set(rest).intersection(parts.output)))


def _rest(node: Add, parts: Parts, k: int, labels: Sequence[int]) -> Node | None:
    """A term of a sum without its k-th factor, over some labels; None where that reads worse."""
    if len(set(labels)) != len(labels):
        return None
    others = parts.replaced((k,), (), ())
    missing = [label for label in labels if not others.uses(label)]
    if parts.factors[k].order and 0 < len(missing) < len(labels):
        return None  # a vector to be repeated as the rows of a matrix is not shorter
    if not (node.order or missing) and len(labels) == 2 and not joins(others.rows, *labels):
        return None  # a number, as x'*A*y, would become a trace of an outer product
    dims = dict(zip(parts.output, node.dims, strict=True)) | parts.dims
    return build.einsum(others.factors, others.rows, labels, {x: dims[x] for x in labels})


def is_lopsided(node: Add, part: Node) -> bool:
    """Whether a sum of matrices is symmetric, in its terms, and a part of it is not."""
    if node.order != 2 or node.dims[0] is not node.dims[1] or build.transpose(part) is part:
        return False
    known = {term: c for c, term in node.terms}
    return all(known.get(build.transpose(term)) == c for c, term in node.terms)


RULES = (
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
    common_factor,
)
