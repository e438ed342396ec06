"""Rules for sums whose terms are alike but for numbers, or are all diagonal."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tcalc.expr import build
from tcalc.expr.nodes import Add, Delta, Einsum, Node
from tcalc.simplify.coefficients import product_of
from tcalc.simplify.common_factors import LONGEST, common_factor
from tcalc.simplify.engine import length, of_sums
from tcalc.simplify.parts import Parts, bonds, parts_of, piece, pieces


@of_sums
def diagonals_added(node: Add) -> Node | None:
    """``diag(x) + diag(y) -> diag(x + y)``; a multiple of the unit matrix stays beside it.

    The number of diagonals falls.
    """
    if node.order != 2 or len(node.terms) < 2:
        return None
    found: list[tuple[Fraction, Node]] = []
    rest: list[tuple[Fraction, Node]] = []
    for c, term in node.terms:
        vector = _diagonal(term)
        if vector is None:
            rest.append((c, term))
        else:
            found.append((c, vector))
    if len(found) < 2:
        return None
    return build.add([*rest, (1, build.einsum([build.add(found)], ["i"], "ii"))])


def _diagonal(term: Node) -> Node | None:
    """The vector that a matrix has on its diagonal, if it is written so: not that of ``a I``."""
    if not isinstance(term, Einsum) or not term.is_view or len(term.factors) != 2:
        return None
    factors = sorted(term.factors, key=lambda factor: isinstance(factor, Delta))
    vector, unit = factors
    return vector if vector.order == 1 and isinstance(unit, Delta) else None


@of_sums
def numbers_collected(node: Add) -> Node | None:
    """``x*y' - a*x*y' -> (1 - a)*x*y'`` where that is shorter, for scalars of any kind.

    And where no single factor does better.  Example: ``x*x' - 2*x'*y*x*x' -> (1 - 2*x'*y)*x*x'``.
    """
    if not node.order or not 1 < len(node.terms) <= LONGEST:
        return None
    terms = [parts_of(term) for _, term in node.terms]
    alike: dict[tuple[bytes, ...], list[int]] = {}
    for t, parts in enumerate(terms):
        alike.setdefault(_at_ends(parts), []).append(t)
    for same in alike.values():
        numbers: dict[Node, dict[int, Node]] = {}
        for t, scalars in _with_one_core(terms, same):
            number, _ = piece(terms[t], scalars, ())
            c, tensor = product_of(terms[t].replaced(scalars, (), ()).build())
            numbers.setdefault(tensor, {})[t] = build.scale(node.terms[t][0] * c, number)
        for tensor, found in numbers.items():
            if len(found) < 2:
                continue
            axes = tuple(range(node.order))
            merged = build.einsum([build.sum_of(*found.values()), tensor], [(), axes], axes)
            rest = [term for t, term in enumerate(node.terms) if t not in found]
            new = build.add([*rest, (1, merged)])
            other = common_factor(node)
            if length(new) < length(node) and (other is None or length(new) <= length(other)):
                return new
    return None


def _with_one_core(terms: Sequence[Parts], same: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Terms, with the positions of their scalars, that have the same factors but for these."""
    if len(same) < 2:
        return []
    scalars = {t: scalars_of(terms[t]) for t in same}
    if not any(scalars.values()):
        return []
    groups: dict[tuple[object, ...], list[tuple[int, list[int]]]] = {}
    for t, apart in scalars.items():
        kept = [k for k in range(len(terms[t].factors)) if k not in apart]
        groups.setdefault(bonds(terms[t], kept), []).append((t, apart))
    several = [group for group in groups.values() if len(group) > 1]
    return [found for group in several if any(apart for _, apart in group) for found in group]


def _at_ends(parts: Parts) -> tuple[bytes, ...]:
    """The factors that have axes of the result, which products of one tensor share."""
    ends = set(parts.output)
    rows = zip(parts.factors, parts.rows, strict=True)
    return tuple(sorted([factor.digest for factor, row in rows if not ends.isdisjoint(row)]))


def scalars_of(parts: Parts) -> list[int]:
    """The positions of the factors that make up numbers before a tensor."""
    ends = set(parts.output)
    if not any(ends.isdisjoint(row) for row in parts.rows):
        return []
    found: list[int] = []
    for places in pieces(parts, ()):
        if all(ends.isdisjoint(parts.rows[k]) for k in places):
            found += places
    return found if len(found) < len(parts.factors) else []


NUMBERS = (numbers_collected,)
"""Tried before common factors are, which would stand on one side of a symmetric matrix only."""

RULES = (diagonals_added,)
