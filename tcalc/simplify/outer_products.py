"""Rules for sums of outer products: those that are one, as multiplying out leaves them behind."""

from __future__ import annotations

from fractions import Fraction
from typing import TypeAlias

from tcalc.expr import build
from tcalc.expr.nodes import Add, Einsum, Node
from tcalc.expr.traverse import with_operands
from tcalc.simplify.coefficients import multiple
from tcalc.simplify.engine import length, of_sums, of_sums_having
from tcalc.simplify.parts import Parts, parts_of, piece, pieces
from tcalc.simplify.sums import LONGEST, is_balanced

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
    ends = set(parts.output)
    groups = pieces(parts, ends)
    if len(groups) != 2:
        return None
    found = {labels: core for core, labels in (piece(parts, x, ends) for x in groups)}
    column, row = ((label,) for label in parts.output)
    return (found[column], found[row]) if {column, row} == found.keys() else None


@of_sums_having(Add)
def squares_of_opposites(node: Add) -> Node | None:
    """``a*(x - y)*(x - y)' + b*(y - x)*(y - x)'`` with ``x - y`` in both.

    The number of different factors falls.  Example: ``(x - y)*(x - y)' - 2*(y - x)*(y - x)'``.
    """
    seen: dict[Node, int] = {}
    for t, (_, term) in enumerate(node.terms):
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
)
