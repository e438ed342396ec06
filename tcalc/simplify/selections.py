"""Rules for elements and slices at places that are known: rows of unit matrices that meet."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import permutations
from typing import TypeAlias

from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Add, Apply, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.primitives.selection import UnitVector, Window, is_unit_vector, unit, window
from tcalc.simplify.coefficients import ONE
from tcalc.simplify.engine import length, of_products_having, of_sums
from tcalc.simplify.flatten import is_contraction, opened_while
from tcalc.simplify.parts import Parts, parts_of
from tcalc.simplify.splicing import is_between

Place: TypeAlias = tuple[Dim, Dim]
"""The first and the last row of a unit matrix that a selection is."""


@of_products_having(UnitVector, Window)
def selections_meet(node: Einsum) -> Node | None:
    """``eye(n)[1:3,:]*eye(n)[:,2] -> eye(3)[:,2]``, zero where the places differ.

    Two rows of a unit matrix make 0 or 1, two disjoint ranges of its rows zero, a range of a range
    is a range.  Example: ``eye(n)[2,:]*eye(n)[:,2] -> 1``, ``eye(n)[1:2,:]*eye(n)[:,3] -> 0``.
    """
    return _met(parts_of(node))


@of_products_having(Add)
def selection_of_sum(node: Einsum) -> Node | None:
    """``(E'*x + F'*y)[1:m] -> x`` term by term where that is shorter, E and F rows of eye(m + n).

    Example: ``(x - 3*eye(n)[:,2])[1] -> x[1]``.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if not isinstance(factor, Add):
            continue
        for j, label in _selected(parts, k):
            row, ends = parts.rows[k], parts.rows[j]
            rest = [x for x in ends if x != label]
            kept = tuple(x for at in row for x in (rest if at == label else [at]))
            if len(set(kept)) < len(row) - 1 + len(rest):
                continue
            new = _term_by_term(factor, parts, (k, j), kept)
            if length(new) < length(factor) + length(parts.factors[j]):
                return parts.replaced((k, j), (new,), (kept,)).build()
    return None


@of_products_having(UnitVector)
def element_beside_unit_vector(node: Einsum) -> Node | None:
    """``x .* eye(n)[:,2] -> x[2]*eye(n)[:,2]``: of what stands beside a unit vector one element.

    The number of factors that share an axis of the result with a unit vector falls.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        (end,) = parts.rows[k][-1:] or (None,)
        if end not in parts.output or not is_unit_vector(factor):
            continue
        for j, row in enumerate(parts.rows):
            if j != k and end in row and _place(parts.factors[j]) is None:
                own = 1 + max(parts.dims)
                picked = tuple(own if label == end else label for label in row)
                return parts.replaced((j,), (parts.factors[j], factor), (picked, (own,))).build()
    return None


@of_sums
def units_collected(node: Add) -> Node | None:
    """``a*e + b*(c*e + d*f) -> (a + b c)*e + b d*f`` for unit vectors e and f of one size.

    Where that is not much longer.  The number of unit vectors falls.
    """
    if node.order != 1 or len(node.terms) < 2:
        return None
    kept: list[tuple[Fraction, Node]] = []
    found: dict[Node, list[tuple[Fraction, Node]]] = {}
    for c, term in node.terms:
        places = _at_units(term)
        if places is None:
            kept.append((c, term))
        else:
            for unit_vector, d, scalar in places:
                found.setdefault(unit_vector, []).append((c * d, scalar))
    if all(len(terms) == 1 for terms in found.values()):
        return None
    collected = [(ONE, build.hadamard(build.add(terms), e)) for e, terms in found.items()]
    new = build.add([*kept, *collected])
    return new if length(new) <= length(node) + LONGER else None


LONGER = 2
"""By how much a sum may become longer for having each unit vector once."""


def _at_units(term: Node) -> list[tuple[Node, Fraction, Node]] | None:
    """A vector as multiples of unit vectors, each with its coefficient and its scalar factor."""
    parts = parts_of(term)
    ends = set(parts.output)
    vectors = [k for k, row in enumerate(parts.rows) if ends.intersection(row)]
    if len(vectors) != 1 or len(parts.rows[vectors[0]]) != 1:
        return None
    vector = parts.factors[vectors[0]]
    single = is_unit_vector(vector)
    if not single and not isinstance(vector, Add):
        return None
    rest = parts.replaced(vectors, (), ())
    scalar = build.einsum(rest.factors, rest.rows, ())
    if single or not isinstance(vector, Add):
        return [(vector, parts.coefficient, scalar)]
    found: list[tuple[Node, Fraction, Node]] = []
    for c, x in vector.terms:
        inner = parts_of(x)
        units = [k for k, row in enumerate(inner.rows) if set(inner.output).intersection(row)]
        if len(units) != 1 or not is_unit_vector(inner.factors[units[0]]):
            return None
        beside = inner.replaced(units, (), ())
        factor = build.hadamard(scalar, build.einsum(beside.factors, beside.rows, ()))
        number = c * inner.coefficient * parts.coefficient
        found.append((inner.factors[units[0]], number, factor))
    return found


def _selected(parts: Parts, k: int) -> Iterator[tuple[int, int]]:
    """Selections with which a factor has an index of its own, and that index."""
    for j, other in enumerate(parts.factors):
        if _place(other) is not None:
            for label in set(parts.rows[k]).intersection(parts.rows[j]):
                if is_between(parts, label):
                    yield j, label


def _term_by_term(factor: Add, parts: Parts, places: tuple[int, int], kept: Labels) -> Node:
    """The terms of a sum with a selection applied to each."""
    k, j = places
    found: list[tuple[Fraction, Node]] = []
    for c, term in factor.terms:
        rows = parts.rows[k], parts.rows[j]
        picked = build.einsum([term, parts.factors[j]], rows, kept)
        coefficient, rest = _settled(picked)
        found.append((c * coefficient, rest))
    return build.add(found)


def _settled(node: Node) -> tuple[Fraction, Node]:
    """A product with its selections met, as far as they do."""
    return opened_while(node, lambda x: _met(parts_of(x)) if is_contraction(x) else None)


def _met(parts: Parts) -> Node | None:
    """A product with two of its selections made one, or one of them gone."""
    places = {k: place for k, x in enumerate(parts.factors) if (place := _place(x)) is not None}
    for k in places:
        row = parts.rows[k]
        if len(row) == 1 and row[0] not in parts.output and parts.uses(row[0]) == 1:
            return parts.replaced((k,), (), ()).build()  # Σ e = 1
    for k, j in permutations(places, 2):
        here, there = parts.rows[k], parts.rows[j]
        new = None
        if here[-1] == there[-1]:
            if _are_apart(places[k], places[j]):
                return build.zeros(tuple(parts.dims[label] for label in parts.output))
            new = _same_rows(parts, k, j, places[k], places[j])
        elif len(there) == 2 and here[-1] == there[0] and is_between(parts, there[0]):
            new = _rows_of_rows(parts, k, j, places[k], places[j])
        if new is not None:
            return new
    return None


def _rows_of_rows(parts: Parts, k: int, j: int, one: Place, other: Place) -> Node | None:
    """``eye(n)[2:5,:][1:3,:] -> eye(n)[2:4,:]``, and one row of a range."""
    here, there = parts.rows[k], parts.rows[j]
    dim, before = parts.dims[there[1]], other[0] - 1
    row = (*here[:-1], there[1])
    if len(set(row)) < len(row):
        return None
    single = len(row) == 1
    new = unit(before + one[0], dim) if single else window(before + one[0], before + one[1], dim)
    return parts.replaced((k, j), (new,), (row,)).build()


def _same_rows(parts: Parts, k: int, j: int, one: Place, other: Place) -> Node | None:
    """Two selections from one unit matrix that may have a row in common."""
    here, there = parts.rows[k], parts.rows[j]
    if len(here) == len(there) == 1:
        return parts.replaced((k,), (), ()).build() if one == other else None
    row = (*here[:-1], *there[:-1])
    if not is_between(parts, here[-1]) or len(set(row)) < len(row) or len(there) == 1:
        return None
    within = _is_least(other[0], one[0]) and _is_least(one[1], other[1])
    dim = parts.factors[j].dims[0]
    if one == other and len(here) == 2:
        return parts.replaced((k, j), (build.delta(dim),), (row,)).build()
    if len(here) == 1 and within:
        return parts.replaced((k, j), (unit(one[0] - other[0] + 1, dim),), (row,)).build()
    return None


def _place(node: Node) -> Place | None:
    """The first and the last row of a unit matrix that a node is."""
    if isinstance(node, Apply):
        match node.primitive:
            case UnitVector(index=index):
                return index, index
            case Window(start=start, stop=stop):
                return start, stop
    return None


def _are_apart(one: Place, other: Place) -> bool:
    """Whether two ranges have no place in common for any sizes."""
    return _is_least(one[1] + 1, other[0]) or _is_least(other[1] + 1, one[0])


def _is_least(left: Dim, right: Dim) -> bool:
    """Whether ``left <= right`` for all sizes."""
    value = (right - left).value
    return value is not None and value >= 0


RULES = (selections_meet, selection_of_sum, element_beside_unit_vector, units_collected)
