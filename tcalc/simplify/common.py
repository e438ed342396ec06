"""Rules for what the terms of a sum share: pieces of products, sums and their negatives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction
from itertools import chain

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Delta, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.primitives.selection import Selection
from tcalc.simplify.coefficients import multiple, product_of
from tcalc.simplify.common_factors import CANDIDATES, LONGEST, common_factor, is_lopsided
from tcalc.simplify.engine import length, of_products_having, of_sums, of_sums_having
from tcalc.simplify.flatten import is_contraction, open_product
from tcalc.simplify.joined import parts_pieces
from tcalc.simplify.parts import Parts, bonds, parts_of, piece, pieces
from tcalc.simplify.products import is_mask_or_unit, is_outer_product, joins
from tcalc.simplify.sums import is_balanced

Places = Mapping[int, tuple[int, ...]]
"""By the number of a term, the positions of some of its factors."""


@of_sums
def common_piece(node: Add) -> Node | None:
    """``S*w + b.*(S*w) -> (1 + b).*(S*w)`` where that is shorter: a product that terms share.

    It is taken out as a whole, where no single factor does as well.
    Example: ``a'*B*b*x + a'*B*b*y -> a'*B*b*(x + y)``.
    """
    if not 1 < len(node.terms) <= LONGEST:
        return None
    terms = [parts_of(term) for _, term in node.terms]
    groups: dict[tuple[Node, Labels], dict[int, tuple[int, ...]]] = {}
    for t, places in _repeated_pieces(terms):
        parts = terms[t]
        core, labels = piece(parts, places, set(parts.output))
        at = tuple(map(parts.output.index, labels))
        groups.setdefault((core, at), {}).setdefault(t, places)
    if not groups or any(map(is_mask_or_unit, chain.from_iterable(x.factors for x in terms))):
        return None
    shared = [
        (-(len(found) - 1) * length(core), core.digest, core, at, found)
        for (core, at), found in groups.items()
        if len(found) > 1
    ]
    if not shared:
        return None
    least = length(common_factor(node) or node)
    shared.sort(key=lambda candidate: candidate[:2])
    for _, _, core, at, found in shared[:CANDIDATES]:
        new = _piece_outside(node, terms, core, at, found)
        if new is not None and length(new) < least:
            return new
    return None


def _repeated_pieces(terms: list[Parts]) -> list[tuple[int, tuple[int, ...]]]:
    """Pieces of several factors, by term and positions, where another term has the same factors."""
    occurrences = Counter(chain.from_iterable(set(parts.factors) for parts in terms))
    repeated = {factor for factor, count in occurrences.items() if count > 1}
    likely = [
        t for t, parts in enumerate(terms) if sum(map(repeated.__contains__, parts.factors)) > 1
    ]
    if len(likely) < 2:
        return []
    alike: dict[tuple[object, ...], list[tuple[int, tuple[int, ...]]]] = {}
    for t in likely:
        factors = terms[t].factors
        for places in pieces(terms[t], set(terms[t].output)):
            if len(places) > 1 and all(factors[k] in repeated for k in places):
                alike.setdefault(bonds(terms[t], places), []).append((t, places))
    several = [found for found in alike.values() if len({t for t, _ in found}) > 1]
    return sorted(chain.from_iterable(several))


def _piece_outside(
    node: Add, terms: list[Parts], core: Node, at: Labels, places: Places
) -> Node | None:
    """``core * (rest + rest + ...)`` plus the terms without it."""
    if parts_pieces(terms, places):
        return None
    others = {t: terms[t].replaced(found, (), ()) for t, found in places.items()}
    carried = {
        t: {axis for axis, x in enumerate(rest.output) if rest.uses(x)}
        for t, rest in others.items()
    }
    axes = sorted(set().union(*carried.values()))
    if core.order and any(0 < len(own) < len(axes) for own in carried.values()):
        return None  # a vector would be repeated as the rows of a matrix
    rests: list[tuple[Fraction, Node]] = []
    for t, rest in others.items():
        output = [rest.output[axis] for axis in axes]
        dims = dict(zip(rest.output, node.dims, strict=True))
        inner = build.einsum(rest.factors, rest.rows, output, {x: dims[x] for x in output})
        rests.append((node.terms[t][0] * rest.coefficient, inner))
    whole = range(node.order)
    sizes = dict(enumerate(node.dims))
    merged = build.einsum([core, build.add(rests)], [at, axes], whole, sizes)
    kept = [term for t, term in enumerate(node.terms) if t not in places]
    if is_lopsided(node, merged):
        return None
    return build.add([*kept, (1, merged)])


@of_sums
def diagonal_and_matrix(node: Add) -> Node | None:
    """``d.*x + A*x -> (diag(d) + A)*x`` for a vector x where that is shorter.

    The matrix is one, or times diagonal ones, and no other factor outside does better.
    Example: ``diag(W*1)*x - W*x -> (diag(W*1) - W)*x``, with the Laplacian of a graph.
    """
    if node.order != 1 or not 1 < len(node.terms) <= LONGEST:
        return None
    terms = [parts_of(term) for _, term in node.terms]
    beside = {x: t for t, parts in enumerate(terms) for x in _vectors(parts, beside=True)}
    best: Node | None = None
    for t, parts in enumerate(terms):
        for x, k in _vectors(parts, beside=False).items():
            other = beside.get(x, t)
            if other == t:
                continue
            matrix = _matrix(parts, k)
            weights = terms[other]
            diagonal = _diagonal(weights, _vectors(weights, beside=True)[x])
            both = build.add(((node.terms[t][0], matrix), (node.terms[other][0], diagonal)))
            merged = build.einsum([both, x], ["ij", "j"], "i")
            kept = [term for n, term in enumerate(node.terms) if n not in (t, other)]
            new = build.add([*kept, (1, merged)])
            if length(new) < length(best or node):
                best = new
    if best is None:
        return None
    rival = common_factor(node)
    return best if rival is None or length(best) < length(rival) else None


@of_sums
def row_sums_and_product(node: Add) -> Node | None:
    """``A*1 - A*x -> A*(1 - x)`` for a matrix A, where that is no longer.

    The number of matrices falls.  Example: the gradient of ``sum(A*y - x.*log(A*y))`` by y.
    """
    if node.order != 1 or not 1 < len(node.terms) <= LONGEST:
        return None
    terms = [parts_of(term) for _, term in node.terms]
    for t, alone in enumerate(terms):
        if len(alone.factors) != 1 or alone.factors[0].order != 2 or alone.coefficient != 1:
            continue
        (matrix,), (row,) = alone.factors, alone.rows
        if row.count(alone.output[0]) != 1:
            continue  # a sum over the whole matrix, or its diagonal
        axis = row.index(alone.output[0])
        for n, parts in enumerate(terms):
            for k, factor in enumerate(parts.factors):
                joint = parts.rows[k][1 - axis] if factor is matrix and n != t else None
                if joint is None or parts.rows[k][axis] != parts.output[0]:
                    continue
                rest = parts.replaced((k,), (), ())
                if rest.uses(parts.output[0]) or not rest.uses(joint) or joint in parts.output:
                    continue
                vector = build.einsum(rest.factors, rest.rows, (joint,))
                number = node.terms[n][0] * parts.coefficient
                ones = build.ones(vector.dims)
                beside = build.add(((node.terms[t][0], ones), (number, vector)))
                rows = ("ij", "j") if axis == 0 else ("ji", "j")
                merged = build.einsum([matrix, beside], rows, "i")
                kept = [term for m, term in enumerate(node.terms) if m not in (t, n)]
                new = build.add([*kept, (1, merged)])
                return new if length(new) <= length(node) else None
    return None


@of_products_having(Add)
def outer_products_times_vector(node: Einsum) -> Node | None:
    """``(diag(d) - x*y')*y -> d.*y - y'*y*x`` where that is shorter, with common factors outside.

    For sums of diagonal matrices and outer products.  Example: the Hessian of a softmax.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if not isinstance(factor, Add) or factor.order != 2:
            continue
        if parts.factors.count(factor) > 1 or not all(map(_is_thin, factor.operands)):
            continue
        row = parts.rows[k]
        for axis, label in enumerate(row):
            others = [j for j, labels in enumerate(parts.rows) if j != k and label in labels]
            if label in parts.output or len(others) != 1 or row[0] == row[1]:
                continue
            vector = parts.factors[others[0]]
            if vector.order != 1:
                continue
            new = _times(factor, axis, vector)
            if length(new) < length(factor) + length(vector):
                return parts.replaced((k, others[0]), (new,), ((row[1 - axis],),)).build()
    return None


def _times(matrix: Add, axis: int, vector: Node) -> Node:
    """A sum of matrices, summed over an axis with a vector, term by term."""
    found: list[tuple[Fraction, Node]] = []
    for c, term in matrix.terms:
        whole = build.einsum([term, vector], [(0, 1), (axis,)], (1 - axis,))
        number, rest = product_of(whole)
        found.append((c * number, open_product(rest) if is_contraction(rest) else rest))
    new = build.add(found)
    return common_factor(new) or new if isinstance(new, Add) else new


def _is_thin(term: Node) -> bool:
    """Whether a matrix is diagonal, by a vector, or an outer product of vectors."""
    parts = parts_of(term)
    diagonal = any(isinstance(factor, Delta) for factor in parts.factors)
    return (diagonal and len(parts.factors) > 1) or is_outer_product(term)


def _vectors(parts: Parts, *, beside: bool) -> dict[Node, int]:
    """The vectors in a product along the result, beside others, or those that matrices act on."""
    found: dict[Node, int] = {}
    (end,) = parts.output
    for k, (factor, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        if factor.order != 1 or _is_selection(factor) or beside != (row[0] == end):
            continue
        others = [x for j, x in enumerate(parts.rows) if j != k and x]
        if any(end in x for x in others) and (beside or _is_matrix(others, end, row[0])):
            found[factor] = k
    return found


def _is_matrix(rows: list[Labels], end: int, joint: int) -> bool:
    """Whether the factors with these labels are one matrix, perhaps times diagonal ones."""
    matrices = [row for row in rows if len(row) == 2]
    return len(matrices) == 1 and set(matrices[0]) == {end, joint}.union(*rows)


def _matrix(parts: Parts, k: int) -> Node:
    """The matrix that a product is, times the vector at a position."""
    rest = parts.replaced((k,), (), ())
    matrix = build.einsum(rest.factors, rest.rows, (*rest.output, *parts.rows[k]), parts.dims)
    return build.scale(parts.coefficient, matrix)


def _diagonal(parts: Parts, k: int) -> Node:
    """The diagonal matrix that a product is, times the vector at a position."""
    rest = parts.replaced((k,), (), ())
    matrix = build.einsum(rest.factors, rest.rows, rest.output * 2, parts.dims)
    return build.scale(parts.coefficient, matrix)


def _is_selection(node: Node) -> bool:
    return isinstance(node, Apply) and isinstance(node.primitive, Selection)


@of_sums_having(Add)
def sum_and_its_product(node: Add) -> Node | None:
    """``x + y + A*(x + y) -> (I + A)*(x + y)``, the same for products element by element.

    Where that is shorter; the sum may have a coefficient.
    """
    known = {term: c for c, term in node.terms}
    for c, term in node.terms:
        parts = parts_of(term)
        for k, u in enumerate(parts.factors):
            if not isinstance(u, Add) or len(u.terms) < 2 or not known.keys() >= set(u.operands):
                continue
            (ratio, *more) = {known[x] / d for d, x in u.terms}
            if more or any(x is term for x in u.operands):
                continue
            number = c * parts.coefficient
            sign = 1 if number > 0 else -1
            merged = _with_unit(parts, k, abs(number), sign * ratio)
            if merged is None:
                continue
            gone = {term, *u.operands}
            kept = [(d, x) for d, x in node.terms if x not in gone]
            new = build.add([*kept, (sign, merged)])
            if length(new) < length(node):
                return new
    return None


def _with_unit(parts: Parts, k: int, number: Fraction, ratio: Fraction) -> Node | None:
    """``number A*u + ratio u`` as a product with u, at position k of the product ``A*u``."""
    row, output = parts.rows[k], parts.output
    rest, dims = parts.replaced((k,), (), ()), parts.dims
    moved = [axis for axis, x in enumerate(output) if row[axis] != x]
    if len(set(row)) < len(row) or len(moved) > 1:
        return None
    if not moved:
        carried = [axis for axis, x in enumerate(output) if rest.uses(x)]
        labels = [output[axis] for axis in carried]
        inner = build.einsum(rest.factors, rest.rows, labels, dims)
        one = build.const(ratio, inner.dims)
        axes = tuple(range(len(row)))
        both = build.sum_of(one, build.scale(number, inner))
        return build.einsum([parts.factors[k], both], [axes, carried], axes)
    (axis,) = moved
    ends = output[axis], row[axis]
    if ends[1] in output or parts.uses(ends[1]) != 2 or ends[0] in row:
        return None
    if not joins(rest.rows, *ends) or any(rest.uses(x) for x in {*row, *output}.difference(ends)):
        return None  # an outer product, or a matrix for each element of another axis
    matrix = build.einsum(rest.factors, rest.rows, ends, dims)
    unit = build.delta(parts.dims[ends[0]])
    new = build.add(((ratio, unit), (number, matrix)))
    result = parts.replaced(range(len(parts.factors)), (new, parts.factors[k]), (ends, row))
    return build.einsum(result.factors, result.rows, output)


@of_sums_having(Add)
def opposite_terms(node: Add) -> Node | None:
    """``A*(x - y) + B*(y - x) -> (A - B)*(x - y)``: a factor and its negative.

    Where the two are taken out together and that is shorter.
    """
    if not 1 < len(node.terms) <= LONGEST:
        return None
    terms = [parts_of(term) for _, term in node.terms]
    sums: dict[Node, int] = {
        x: t
        for t, parts in enumerate(terms)
        for x in parts.factors
        if isinstance(x, Add) and is_balanced(x)
    }
    if len(sums) < 2:
        return None
    alike = Counter(frozenset(x.operands) for x in sums)
    tried: set[Node] = set()
    for factor, t in sums.items():
        assert isinstance(factor, Add)
        if alike[frozenset(factor.operands)] < 2:
            continue  # the negative of a sum is one of the same tensors
        other = multiple(Fraction(-1), factor)
        if sums.get(other, t) == t or other in tried:
            continue
        tried.add(factor)
        turned: list[tuple[Fraction, Node]] = []
        for (c, term), parts in zip(node.terms, terms, strict=True):
            if parts.factors.count(other) % 2 == 0:
                turned.append((c, term))
                continue
            k = parts.factors.index(other)
            turned.append((-c, parts.replaced((k,), (factor,), (parts.rows[k],)).build()))
        whole = build.add(turned)
        if not isinstance(whole, Add):
            return whole
        for rule in (common_factor, diagonal_and_matrix):
            new = rule(whole)
            if new is not None and length(new) < length(common_factor(node) or node):
                return new
    return None


PIECES = (sum_and_its_product, common_piece, diagonal_and_matrix, opposite_terms)
"""Tried before common factors are, whose gain they compare with their own."""

RULES = (
    row_sums_and_product,
    outer_products_times_vector,
)
