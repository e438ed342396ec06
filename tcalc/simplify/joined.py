"""Sums that are tensors joined from pieces, ``concat(x, y)`` and ``stack(x, y)``.

Each of their terms is a product with rows of a unit matrix, and together these rows are all, or in
a stack most.  What a part of the terms share stays inside the pieces.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Apply
from tcalc.primitives.selection import UnitVector, Window
from tcalc.simplify.parts import Parts

Rows = tuple[Dim, Dim]
"""The first and the last row of a unit matrix."""


def parts_pieces(terms: Sequence[Parts], some: Collection[int]) -> bool:
    """Whether some terms of a sum, not all, have more than one piece of a join.

    >>> from tcalc.expr import build
    >>> from tcalc.primitives.selection import unit
    >>> from tcalc.simplify.parts import parts_of
    >>> a, first, second = build.var("a", ()), unit(1, Dim.of(3)), unit(2, Dim.of(3))
    >>> terms = [parts_of(x) for x in (build.hadamard(a, first), build.hadamard(a, second), first)]
    >>> parts_pieces(terms, {0, 1}), parts_pieces(terms, {0, 2}), parts_pieces(terms, {0, 1, 2})
    (True, False, False)
    """
    if len(some) == len(terms):
        return False
    for axis in range(len(terms[0].output)):
        found = [_rows(parts, parts.output[axis]) for parts in terms]
        rows = [at for at in found if at is not None]
        if len(rows) < len(terms) or len({rows[t] for t in some}) == 1:
            continue
        if _are_joined(set(rows), terms[0].dims[terms[0].output[axis]]):
            return True
    return False


def _rows(parts: Parts, end: int) -> Rows | None:
    """The rows of a unit matrix that a product has along an axis of the result."""
    at = [k for k, row in enumerate(parts.rows) if end in row]
    if len(at) == 1 and parts.rows[at[0]][-1] == end:
        match parts.factors[at[0]]:
            case Apply(primitive=UnitVector(index=index)):
                return index, index
            case Apply(primitive=Window(start=start, stop=stop)):
                return start, stop
    return None


def _are_joined(rows: Collection[Rows], size: Dim) -> bool:
    """Whether rows follow one another from the first to the last; of single ones most will do."""
    if size.value is not None and all(start == stop for start, stop in rows):
        return size.value / 2 < len(rows)
    stops = dict(rows)
    at = Dim.of(1)
    while at in stops:
        at = stops.pop(at) + 1
    return not stops and at == size + 1
