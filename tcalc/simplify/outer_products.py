"""Rules for sums of products that are one product of sums, as multiplying out leaves behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import chain, combinations_with_replacement, count
from typing import TypeAlias

from tcalc.expr import build
from tcalc.expr.labels import relabelled
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.partition import connected
from tcalc.expr.primitive import Labels
from tcalc.expr.traverse import with_operands
from tcalc.simplify.coefficients import multiple, product_of
from tcalc.simplify.common_factors import LONGEST
from tcalc.simplify.engine import length, of_sums, of_sums_having
from tcalc.simplify.flatten import opened_term
from tcalc.simplify.parts import Parts, parts_of, pieces
from tcalc.simplify.sums import is_balanced

Grid: TypeAlias = dict[tuple[Node, Node], Fraction]
"""The coefficients of outer products, by their columns and rows."""


@of_sums
def sum_of_outer_products(node: Add) -> Node | None:
    """``x*x' - x*y' - y*x' + y*y' -> (x - y)*(x - y)'`` where the coefficients are of rank one.

    Each of several columns stands with each of several rows; a scalar that all terms share, and
    terms that are no outer products, stay beside.
    """
    if node.order != 2 or not 3 < len(node.terms) <= LONGEST:
        return None
    if sum(not isinstance(term, Var | Apply) for term in node.operands) < 4:
        return None
    grid: Grid = {}
    kept: list[tuple[Fraction, Node]] = []
    for c, term in node.terms:
        vectors = _vectors(parts_of(term))
        if vectors is None or vectors in grid:
            kept.append((c, term))
        else:
            grid[vectors] = c * parts_of(term).coefficient
    # The order settles the sign, for x - y and y - x will do as well in a square.
    columns = sorted({column for column, _ in grid}, key=lambda x: x.digest)
    rows = sorted({row for _, row in grid}, key=lambda x: x.digest)
    if min(len(columns), len(rows)) < 2 or len(grid) != len(columns) * len(rows):
        return None
    first = grid[columns[0], rows[0]]
    left = [(grid[column, rows[0]] / first, column) for column in columns]
    right = [(grid[columns[0], row], row) for row in rows]
    if any(a * b != grid[column, row] for a, column in left for b, row in right):
        return None
    product = build.einsum([build.add(left), build.add(right)], ["i", "j"], "ij")
    new = build.add([*kept, (1, product)])
    return new if length(new) < length(node) else None


def _vectors(parts: Parts) -> tuple[Node, Node] | None:
    """The column and the row that a matrix is the product of, if it is one of just two vectors."""
    found = _scaled_vectors(parts)
    return found[1:] if found is not None and isinstance(found[0], Const) else None


def _scaled_vectors(parts: Parts) -> tuple[Node, Node, Node] | None:
    """The number, the column and the row that a matrix is the product of, if it is one.

    A matrix of equal rows, or of ones, has a vector of ones.
    """
    ends = set(parts.output)
    if all(isinstance(x, Const) and x.value == 1 for x in parts.factors):
        parts = parts.replaced(range(len(parts.factors)), (), ())
    column, row = ((label,) for label in parts.output)
    beside: dict[Labels, list[int]] = {(): [], column: [], row: []}
    for places in pieces(parts, ends):
        labels = tuple(ends.intersection(chain(*(parts.rows[k] for k in places))))
        if len(labels) > 1:
            return None
        beside[labels] += places
    number, first, second = (
        build.einsum(
            [parts.factors[k] for k in places], [parts.rows[k] for k in places], labels, parts.dims
        )
        for labels, places in beside.items()
    )
    return number, first, second


@of_sums
def pairs_of_outer_products(node: Add) -> Node | None:
    """``x*y' + y*x' + x*z' + z*x' -> x*(y + z)' + (y + z)*x'`` where that is shorter.

    With scalars before them, though not a scalar product before each of them.
    Example: ``x*(y - mean(y))' + (y - mean(y))*x'``.
    """
    if node.order != 2 or not 3 < len(node.terms) <= LONGEST:
        return None
    same_factors = Counter((c, _identities(term)) for c, term in node.terms)
    known = {term: c for c, term in node.terms}
    beside: dict[Node, dict[Node, list[tuple[Fraction, Node, Node, bool]]]] = {}
    for c, term in node.terms:
        if same_factors[c, _identities(term)] < 2:
            continue  # its transpose, which has the same factors, is no term
        if known.get(other := build.transpose(term)) != c or other is term:
            continue
        found = _scaled_vectors(parts_of(term))
        if found is not None:
            number, column, row = found
            scaled = build.einsum([number, column], [(), (0,)], (0,))
            plain = all(isinstance(x, Const) or not x.order for x in parts_of(number).factors)
            pair = c, scaled, term, plain
            beside.setdefault(row, {}).setdefault(column, []).append(pair)
    for row, columns in beside.items():
        pairs = [alike[0] for alike in columns.values() if len(alike) == 1]
        if len(pairs) > 1 and any(plain for *_, plain in pairs):
            gone = {x for _, _, term, _ in pairs for x in (term, build.transpose(term))}
            kept = [(c, x) for c, x in node.terms if x not in gone]
            product = build.outer(build.add((c, x) for c, x, *_ in pairs), row)
            new = build.add([*kept, (1, product), (1, build.transpose(product))])
            if length(new) < length(node):
                return new
    return None


@of_sums
def product_beside_units(node: Add) -> Node | None:
    """``I - A - B + A*B -> (I - A)*(I - B)``, where that is shorter; A and B may be one.

    Example: the covariance after an update of a filter, ``(I - K*H)*P*(I - K*H)'``.
    """
    if node.order != 2 or not 2 < len(node.terms) <= MOST_TERMS:
        return None
    known = {term: c for c, term in node.terms}
    unit = next((term for term in node.operands if isinstance(term, Delta)), None)
    if unit is None:
        return None
    size = known.pop(unit)
    whole = [(x, c) for x, c in known.items() if all(map(parts_of(x).uses, parts_of(x).output))]
    there = {_identities(x) for x in known}
    for (a, c), (b, d) in combinations_with_replacement(whole, 2):
        if tuple(sorted(_identities(a) + _identities(b))) not in there:
            continue  # most products need not be made to be known not to be a term
        half = Fraction(1, 2 if a is b else 1)
        for left, right in ((a, b), (b, a)):
            number, core = _product(left, right)
            if core in known and known[core] * size == number * c * d * half * half:
                gone = {unit, a, b, core}
                kept = [(e, x) for e, x in node.terms if x not in gone]
                sums = [
                    build.add([(1, unit), (e * half / size, x)])
                    for e, x in ((known[left], left), (known[right], right))
                ]
                product = build.einsum(sums, ["ij", "jk"], "ik")
                new = build.add([*kept, (size, product)])
                if len(gone) == 4 - (a is b) and length(new) < length(node):
                    return new
    return None


def _identities(node: Node) -> tuple[int, ...]:
    """The factors of a product, in whatever order."""
    return tuple(sorted(map(id, parts_of(node).factors)))


def _product(left: Node, right: Node) -> tuple[Fraction, Node]:
    """The product of two matrices, opened, as a number and the rest."""
    first, second = parts_of(left), parts_of(right)
    fresh = count(max(chain(first.output, *first.rows)) + 1)
    rows = relabelled((second.output, *second.rows), {second.output[0]: first.output[1]}, fresh)
    ends = (first.output[0], rows[0][1])
    whole = build.einsum((*first.factors, *second.factors), (*first.rows, *rows[1:]), ends)
    number, core = product_of(whole)
    return number * first.coefficient * second.coefficient, core


MOST_TERMS = 6
"""The most terms of a sum in which a product of two sums is looked for."""


@of_sums_having(Add)
def product_beside_its_end(node: Add) -> Node | None:
    """``X - B*X + A*(I - B)*X -> (I + A)*(I - B)*X`` where that is shorter, and from the other end.

    Example: the gradient ``(I - W)'*(I - W)*X`` of ``norm2(X - W*X)^2/2``.
    """
    if not node.order or not 2 < len(node.terms) <= MOST_TERMS:
        return None
    known = {term: c for c, term in node.terms}
    factors = [set(parts_of(term).factors) for term in node.operands]
    for c, term in node.terms:
        parts = parts_of(term)
        for k, u in enumerate(parts.factors):
            if not (isinstance(u, Add) and u.order == 2 and len(u.terms) < len(node.terms)):
                continue
            if not all(_stands_among(factors, x) for x in u.operands):
                continue
            for axis in (0, 1):
                found = _end_taken_off(parts, k, axis)
                if found is None:
                    continue
                matrix, rest = found
                ends = [product_of(opened_term(rest(x))) for x in u.operands]
                (ratio, *more) = {
                    known.get(x, Fraction(0)) / (number * d)
                    for (number, x), (d, _) in zip(ends, u.terms, strict=True)
                }
                gone = {term, *(x for _, x in ends)}
                if more or not ratio or len(gone) <= len(ends):
                    continue
                sign = Fraction(1 if ratio / c > 0 else -1)
                unit = build.delta(matrix.dims[0])
                both = build.add([(sign * ratio / c, unit), (sign, matrix)])  # I - A, not A - I
                turned: Node = u
                if c * sign < 0 and any(d < 0 and isinstance(x, Delta) for d, x in u.terms):
                    sign, turned = -sign, multiple(Fraction(-1), u)
                kept = [(d, x) for d, x in node.terms if x not in gone]
                new = build.add([*kept, (c * sign, opened_term(rest(turned, both)))])
                if length(new) < length(node):
                    return new
    return None


def _stands_among(factors: Sequence[set[Node]], term: Node) -> bool:
    """Whether one of several products has all factors of a term, unit matrices excepted."""
    wanted = [x for x in parts_of(term).factors if not isinstance(x, Delta | Const)]
    return any(x.issuperset(wanted) for x in factors)


def _end_taken_off(parts: Parts, k: int, axis: int) -> tuple[Node, Callable[..., Node]] | None:
    """The square matrix that stands between an axis of factor k and an axis of the product.

    And what is left with other tensors in the place of the factor and, if given, of the matrix.
    """
    joint = parts.rows[k][axis]
    if joint in parts.output:
        return None
    others = [j for j in range(len(parts.factors)) if j != k]
    rows = [parts.rows[j] for j in others]
    (part,) = [x for x in connected([*rows, (joint,)], ()) if len(rows) in x]
    inside = [others[j] for j in part if j < len(rows)]
    ends = {label for j in inside for label in parts.rows[j]}.intersection(parts.output)
    if len(ends) != 1 or parts.dims[joint] is not parts.dims[end := ends.pop()]:
        return None
    if parts.rows[k][1 - axis] in {label for j in inside for label in parts.rows[j]}:
        return None
    chosen = [parts.factors[j] for j in inside]
    matrix = build.einsum(chosen, [parts.rows[j] for j in inside], (end, joint), parts.dims)
    row = parts.rows[k]

    def rest(new: Node, beside: Node | None = None) -> Node:
        if beside is None:
            at = tuple(end if label == joint else label for label in row)
            return parts.replaced((k, *inside), (new,), (at,)).build()
        return parts.replaced((k, *inside), (new, beside), (row, (end, joint))).build()

    return matrix, rest


@of_sums_having(Add)
def squares_of_opposites(node: Add) -> Node | None:
    """``a*(x - y)*(x - y)' + b*(y - x)*(y - x)'`` with ``x - y`` in both.

    The number of different factors falls.  Example: ``(x - y)*(x - y)' - 2*(y - x)*(y - x)'``.
    """
    seen: dict[Node, int] = {}
    for t, term in enumerate(node.operands if len(node.terms) > 1 else ()):
        for base in twice(term):
            other = multiple(Fraction(-1), base)
            if seen.get(other, t) != t:
                operands = [other if x is base else x for x in term.operands]
                new = with_operands(term, operands)
                return build.add((c, new if x is term else x) for c, x in node.terms)
            seen[base] = t
    return None


def twice(node: Node) -> list[Add]:
    """The sums that a product has as just two factors and of which either sign reads as well."""
    if not isinstance(node, Einsum) or len(node.factors) < 2:
        return []
    sums = [x for x in node.factors if isinstance(x, Add)]
    if len(sums) < 2:
        return []
    return [x for x in dict.fromkeys(sums) if sums.count(x) == 2 and is_balanced(x)]


RULES = (
    squares_of_opposites,
    sum_of_outer_products,
    pairs_of_outer_products,
    product_beside_units,
    product_beside_its_end,
)
