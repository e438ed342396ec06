"""Rules that multiply out: where a repeated vector or an inverse gains by it."""

from __future__ import annotations

from collections.abc import Iterable, Set
from fractions import Fraction
from math import prod

from tcalc.expr import build
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node
from tcalc.expr.primitive import Fact, Labels
from tcalc.primitives.power import Power
from tcalc.primitives.selection import LowerMask
from tcalc.simplify.engine import Trait, length, of_functions_of, of_products_having, of_sums_having
from tcalc.simplify.parts import Parts, parts_of
from tcalc.simplify.softmaxes import with_logsoftmax

TERMS = 64
"""The most terms that multiplying out may make of one product."""


@of_products_having(Add)
def repeated_vector_multiplied_out(node: Einsum) -> Node | None:
    """``d .* (b - 1*c') -> d .* b - d*c'`` for a vector repeated as rows or columns in a factor.

    Where there is but one short factor beside, no number, or where a vector runs along the
    repetition, as d does.  Not where all terms repeat something, as the differences of all pairs
    do, unless these are summed over one of the two, ``Σ_j W[i,j] (x[i] - x[j])``; nor for
    ``logsoftmax(A)`` and ``x - mean(x)``.  The number of repeated vectors falls.
    Example: ``diag(p)*(I - 1*p') -> diag(p) - p*p'``.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if not isinstance(factor, Add) or factor.order < 2:
            continue
        repeats = list(map(_repeated_axes, factor.operands))
        if not any(repeats) or with_logsoftmax(factor)[1] or is_centred(factor):
            continue
        if all(repeats):
            single = node.order == 1 and parts.factors.count(factor) == 1
            if single and len(parts.factors) == 2 and parts.factors[1 - k].order == 2:
                return multiplied_out(parts, k)
            continue
        along = {parts.rows[k][axis] for axes in repeats for axis in axes}
        weighted = any(len(row) == 1 and row[0] in along for row in parts.rows)
        short = length(node) - length(factor) <= 1
        if weighted or (short and any(parts.rows[:k] + parts.rows[k + 1 :])):
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


@of_products_having(Add)
def outer_product_in_trace(node: Einsum) -> Node | None:
    """``tr(A*(B - x*y')) -> tr(A*B) - y'*A*x``: a number of vectors is no trace.

    The number of outer products in sums falls.
    """
    if node.order:
        return None
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        row = parts.rows[k]
        single = isinstance(factor, Add) and parts.factors.count(factor) == 1
        if single and row and any(map(is_outer_product, factor.operands)):
            return multiplied_out(parts, k) if len(factor.operands) <= MOST_TRACED else None
    return None


MOST_MULTIPLIED_OUT = 48
"""The most terms that a product of sums is multiplied out into, to see whether terms cancel."""

MOST_TRACED = 3
"""The most terms of a sum that is taken out of a trace."""


def is_outer_product(node: Node) -> bool:
    """Whether a matrix falls apart into a column and a row."""
    parts = parts_of(node)
    if node.order != 2 or len(parts.factors) < 2:
        return False
    return not joins(parts.rows, *parts.output)


def joins(rows: Iterable[Labels], first: int, second: int) -> bool:
    """Whether factors with these labels join two of them."""
    rows = list(rows)
    reached, before = {first}, 0
    while len(reached) > before:
        before = len(reached)
        for row in rows:
            if not reached.isdisjoint(row):
                reached.update(row)
    return second in reached


@of_products_having(Add)
def product_of_sums(node: Einsum) -> Node | None:
    """``a (b + c) -> a b + a c``, for sums: not tidy in itself, but it lets terms cancel.

    Not for ``x - mean(x)``, of which nothing cancels but digits, nor for ``norm2(x - y)^2`` and
    outer products of differences, ``(x - y)*(x - z)'``, nor for products of more terms than one
    would write.
    """
    parts = parts_of(node)
    if prod(len(x.terms) for x in parts.factors if isinstance(x, Add)) > MOST_MULTIPLIED_OUT:
        return None
    for k, factor in enumerate(parts.factors):
        if isinstance(factor, Add) and not (
            is_centred(factor) or _is_squared(parts, k) or _is_end_of_points(parts, k)
        ):
            return multiplied_out(parts, k)
    return None


def _is_end_of_points(parts: Parts, k: int) -> bool:
    """Whether a factor is the column or the row of a matrix, and a difference of variables."""
    row, factor = parts.rows[k], parts.factors[k]
    end = len(parts.output) == 2 and len(row) == 1 and row[0] in parts.output
    return end and not any(x.operands for x in factor.operands)


@of_products_having(Trait.REPEATED)
def square_of_norm(node: Einsum) -> Node | None:
    """``norm2(x - y)^2 -> x'*x - 2*x'*y + y'*y``: likewise, to let these cancel."""
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if isinstance(factor, Add) and not is_centred(factor) and _is_squared(parts, k):
            return multiplied_out(parts, k)
    return None


def _is_squared(parts: Parts, k: int) -> bool:
    """Whether a factor is in a product as the square of its norm."""
    row = parts.rows[k]
    again = (j for j, x in enumerate(parts.factors) if j != k and x is parts.factors[k])
    return any(parts.rows[j] == row for j in again) and all(
        parts.uses(label) == 2 and label not in parts.output for label in row
    )


@of_products_having(Add)
def product_of_logsoftmax(node: Einsum) -> Node | None:
    """``y .* (c + logsoftmax(x)) -> c y + y .* x - logsumexp(x) y``: likewise, to let these cancel.

    Only where no ``logsumexp(x)`` is left, for it hides in `logsoftmax` what would lose digits.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if isinstance(factor, Add):
            return multiplied_out(parts, k)
    return None


@of_functions_of(Power)
def square_of_sum(node: Apply) -> Node | None:
    """``(a + b)^2 -> a^2 + 2 a b + b^2``: likewise not tidy in itself."""
    match node:
        case Apply(primitive=Power(exponent=p), args=(Add(terms=terms) as u,)) if p == 2:
            if len(terms) <= MOST_SQUARED and not is_centred(u):
                return build.add((c * d, build.hadamard(x, y)) for c, x in terms for d, y in terms)
    return None


@of_functions_of(Power)
def square_of_products(node: Apply) -> Node | None:
    """The same for sums with a product among their terms, ``(a b - c)^2``, not ``(x - y)^2``."""
    if isinstance(node.primitive, Power) and any(x.operands for x in node.args[0].operands):
        return square_of_sum(node)
    return None


MOST_SQUARED = 3
"""The most terms of a sum whose square is multiplied out."""


def is_centred(node: Add) -> bool:
    """Whether a sum is of a tensor and repeated sums of that tensor, as ``x - 1*sum(x)/n`` is."""
    cores = set(node.operands)
    return any(is_mean_among(term, cores) for term in node.operands)


def is_mean_among(term: Node, cores: Set[Node]) -> bool:
    """Whether a tensor is the sum of one of these, repeated, up to a number."""
    return (
        isinstance(term, Einsum)
        and term.is_view
        and len(term.factors) == 1
        and not set(term.output) <= set(term.subscripts[0])
        and not cores.isdisjoint(term.factors[0].operands)
    )


@of_functions_of(LowerMask)
def strict_triangle(node: Apply) -> Node | None:
    """The mask below the diagonal is the mask with the diagonal, less the unit matrix.

    Example: ``tril(A, -1) -> tril(A) - diag(diag(A))``.
    """
    match node:
        case Apply(primitive=LowerMask(rows=rows, columns=columns, offset=offset)):
            if offset.value == -1 and rows == columns:
                mask = build.apply(LowerMask(rows, columns, 0))
                return build.subtract(mask, build.delta(rows))
    return None


@of_sums_having(LowerMask)
def triangle_without_diagonal(node: Add) -> Node | None:
    """``c tril(1) - c I -> c tril(1, -1)``, and transposed: what `strict_triangle` took apart.

    Only once all else is done, for it undoes that rule.
    """
    if sum((c for c, _ in node.terms), Fraction(0)) or len(node.terms) != 2:
        return None
    (c, mask), (_, unit) = sorted(node.terms, key=lambda term: isinstance(term[1], Delta))
    core = mask.factors[0] if isinstance(mask, Einsum) and is_mask_or_unit(mask) else mask
    if not isinstance(unit, Delta) or not is_mask(core):
        return None
    rows, columns = core.dims
    strict = build.apply(LowerMask(rows, columns, -1))
    return build.scale(c, strict if core is mask else build.transpose(strict))


@of_products_having(LowerMask)
def mask_of_triangle(node: Einsum) -> Node | None:
    """``tril(L) -> L`` for what is lower triangular anyway."""
    parts = parts_of(node)
    for k, mask in enumerate(parts.factors):
        if not is_mask(mask):
            continue
        for j, factor in enumerate(parts.factors):
            if j != k and _is_triangular(factor, parts.rows[j], parts.rows[k]):
                return parts.replaced((k,), (), ()).build()
    return None


@of_products_having(LowerMask)
def mask_of_other_triangle(node: Einsum) -> Node | None:
    """``tril(U) -> diag(diag(U))`` for what is upper triangular."""
    parts = parts_of(node)
    for k, mask in enumerate(parts.factors):
        if not is_mask(mask):
            continue
        for j, factor in enumerate(parts.factors):
            if j != k and _is_triangular(factor, parts.rows[j], parts.rows[k][::-1]):
                unit = build.delta(mask.dims[0])
                return parts.replaced((k,), (unit,), (parts.rows[k],)).build()
    return None


@of_products_having(LowerMask)
def mask_on_diagonal(node: Einsum) -> Node | None:
    """``x.*diag(tril(A)) -> x.*diag(A)``: on its diagonal a mask is one."""
    parts = parts_of(node)
    units = [
        set(row)
        for factor, row in zip(parts.factors, parts.rows, strict=True)
        if isinstance(factor, Delta)
    ]
    for k, (mask, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        if is_mask(mask) and (row[0] == row[1] or set(row) in units):
            return parts.replaced((k,), (), ()).build()
    return None


@of_products_having(LowerMask)
def triangle_out_of_mask(node: Einsum) -> Node | None:
    """``tril(A + L) -> tril(A) + L`` for what is lower triangular anyway.

    The number of terms below masks falls.  Example: ``tril(A + diag(x)) -> tril(A) + diag(x)``.
    """
    parts = parts_of(node)
    if len(parts.factors) != 2 or not any(map(is_mask, parts.factors)):
        return None
    k = 0 if is_mask(parts.factors[1]) else 1
    factor, row, lower = parts.factors[k], parts.rows[k], parts.rows[1 - k]
    if not isinstance(factor, Add) or set(row) != set(lower) or len(set(row)) < 2:
        return None
    apart = [term for term in factor.terms if _is_triangular(term[1], row, lower)]
    if not 0 < len(apart) < len(factor.terms):
        return None
    rest = build.add(term for term in factor.terms if term not in apart)
    return build.sum_of(
        parts.replaced((0, 1), (build.add(apart),), (row,)).build(),
        parts.replaced((k,), (rest,), (row,)).build(),
    )


@of_products_having(Add)
def mask_of_zero_diagonal(node: Einsum) -> Node | None:
    """``(1 - I).*A -> A`` for a sum with zeros on its diagonal, as ``A - diag(A)*1'`` has."""
    parts = parts_of(node)
    for k, mask in enumerate(parts.factors):
        if not isinstance(mask, Add) or mask.order != 2 or not _is_off_diagonal(mask):
            continue
        for j, factor in enumerate(parts.factors):
            if j != k and set(parts.rows[j]) == set(parts.rows[k]) and _is_zero_on_diagonal(factor):
                return parts.replaced((k,), (), ()).build()
    return None


def _is_off_diagonal(node: Add) -> bool:
    """Whether a matrix is ``1 - I``."""
    if len(node.terms) != 2:
        return False
    (c, unit), (d, ones) = sorted(node.terms, key=lambda term: not isinstance(term[1], Delta))
    number = d * ones.value if isinstance(ones, Const) else 0
    return isinstance(unit, Delta) and -c == number == 1


def _is_zero_on_diagonal(node: Node) -> bool:
    if not isinstance(node, Add) or node.order != 2:
        return False
    diagonal = build.add((c, build.einsum([x], [(0, 0)], (0,))) for c, x in node.terms)
    return isinstance(diagonal, Const) and not diagonal.value


@of_products_having(Add)
def masks_multiplied_out(node: Einsum) -> Node | None:
    """``L .* (2 tril(1) - I)' -> 2 L .* tril(1)' - L .* I`` for a triangular L: masks then go.

    Example: the gradient of ``tr(chol(K))`` is ``inv(L)'*diag(diag(L))*inv(L)/2``, L its factor.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if not isinstance(factor, Add) or not all(map(is_mask_or_unit, factor.operands)):
            continue
        ends = (parts.rows[k], parts.rows[k][::-1])
        for j, other in enumerate(parts.factors):
            if j != k and any(_is_triangular(other, parts.rows[j], row) for row in ends):
                return multiplied_out(parts, k)
    return None


def is_mask(node: Node) -> bool:
    """Whether a node is the mask of the lower triangle, the diagonal included."""
    match node:
        case Apply(primitive=LowerMask(rows=rows, columns=columns, offset=offset)):
            return offset.value == 0 and rows == columns
    return False


def is_mask_or_unit(node: Node) -> bool:
    if isinstance(node, Einsum) and node.is_view and len(node.factors) == 1:
        node = node.factors[0]
    return isinstance(node, Delta) or is_mask(node)


def _is_triangular(factor: Node, row: Labels, lower: Labels) -> bool:
    """Whether a factor is zero above the diagonal as seen from the labels `lower`."""
    if factor.order != 2:
        return False
    below = row == lower and holds(factor, Fact.LOWER) is True
    return below or (row == lower[::-1] and holds(factor, Fact.UPPER) is True)


def _repeated_axes(node: Node) -> list[int]:
    """The axes along which a tensor is one of lower order repeated, a number not counted."""
    if not isinstance(node, Einsum) or not node.is_view or len(node.factors) != 1:
        return []
    (row,) = node.subscripts
    return [axis for axis, label in enumerate(node.output) if label not in row] if row else []


RULES = (
    strict_triangle,
    mask_of_triangle,
    mask_of_other_triangle,
    mask_on_diagonal,
    triangle_out_of_mask,
    mask_of_zero_diagonal,
    masks_multiplied_out,
    repeated_vector_multiplied_out,
    outer_product_in_trace,
)
