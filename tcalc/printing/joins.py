"""Tensors joined from pieces: ``concat(x, y)`` and ``stack(x, y)`` found again among sums.

What joins is a sum of products with rows of a unit matrix, ``E'*x + F'*y`` for ``[E; F] = I``.  A
stack may have a few zeros, for the unit vectors that are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Apply, Node
from tcalc.primitives.selection import UnitVector, Window, is_slice
from tcalc.records import dataclass
from tcalc.simplify.parts import parts_of

Term = tuple[Fraction, Node]

Piece = tuple[Dim, Dim, Node]
"""The first and the last position that a piece takes, and the piece."""


@dataclass(frozen=True, slots=True)
class Join:
    """A multiple of ``concat`` or ``stack`` along an axis, of which there are two."""

    coefficient: Fraction
    name: str
    axis: int
    pieces: tuple[Node, ...]

    @property
    def over(self) -> tuple[str, ...]:
        """The axis as it is written, where it is not the first."""
        return (str(self.axis + 1),) if self.axis else ()


def with_join(terms: Sequence[Term]) -> tuple[Sequence[Term], Join | None]:
    """The terms of a sum that are no pieces of a join, and the join.

    >>> from tcalc.expr import shape
    >>> from tcalc.primitives.selection import window
    >>> m, n = shape("m", "n")
    >>> x, y = build.var("x", (m,)), build.var("y", (n,))
    >>> first, last = window(Dim.of(1), m, m + n), window(m + 1, m + n, m + n)
    >>> pieces = [build.einsum(pair, ["ij", "i"], "j") for pair in ((first, x), (last, y))]
    >>> with_join([(Fraction(1), piece) for piece in pieces])
    ([], Join(coefficient=Fraction(1, 1), name='concat', axis=0, pieces=(x[m], y[n])))
    """
    if sum(any(map(is_slice, parts_of(term).factors)) for _, term in terms) < 2:
        return terms, None
    for axis, size in enumerate(terms[0][1].dims):
        for name, kind in (("concat", Window), ("stack", UnitVector)):
            rest, pieces = _pieces(terms, axis, kind)
            sizes = {abs(c) for _, inside in pieces.values() for c, _ in inside}
            shared = sizes.pop() if len(sizes) == 1 else Fraction(1)
            if kind is UnitVector:
                pieces |= _zeros(pieces, size)
            found = _in_order(pieces, size, shared) if len(pieces) > 1 else ()
            if found:
                return rest, Join(shared, name, axis, found)
    return terms, None


def _pieces(
    terms: Sequence[Term], axis: int, kind: type[Window] | type[UnitVector]
) -> tuple[list[Term], dict[Dim, tuple[Dim, list[Term]]]]:
    """The terms that are no pieces along an axis, and by first position the others."""
    rest: list[Term] = []
    pieces: dict[Dim, tuple[Dim, list[Term]]] = {}
    for c, term in terms:
        piece = _piece(term, axis, kind)
        if piece is None:
            rest.append((c, term))
            continue
        start, stop, inner = piece
        last, known = pieces.setdefault(start, (stop, []))
        if last != stop:
            return list(terms), {}
        known.append((c, inner))
    return rest, pieces


def _zeros(
    pieces: dict[Dim, tuple[Dim, list[Term]]], size: Dim
) -> dict[Dim, tuple[Dim, list[Term]]]:
    """Zeros for the positions that are left out of a stack, where those are fewer than the others.

    >>> two = {Dim.of(k): (Dim.of(k), [(Fraction(1), build.var("x", ()))]) for k in (1, 3)}
    >>> list(_zeros(two, Dim.of(3))), list(_zeros(two, Dim.of(4)))
    ([Dim(2)], [])
    """
    if size.value is None or not size.value / 2 < len(pieces) < size.value:
        return {}
    _, ((_, piece), *_) = next(iter(pieces.values()))
    left_out = [at for at in map(Dim.of, range(1, size.value + 1)) if at not in pieces]
    return {at: (at, [(Fraction(1), build.zeros(piece.dims))]) for at in left_out}


def _in_order(
    pieces: dict[Dim, tuple[Dim, list[Term]]], size: Dim, shared: Fraction
) -> tuple[Node, ...]:
    """The pieces over what they share, by position; none where they leave any position out."""
    found: list[Node] = []
    at, stop = Dim.of(1), Dim.of(0)
    while at in pieces:
        stop, terms = pieces[at]
        found.append(build.add((c / shared, term) for c, term in terms))
        at = stop + 1
    return tuple(found) if stop == size and len(found) == len(pieces) else ()


def _piece(term: Node, axis: int, kind: type[Window] | type[UnitVector]) -> Piece | None:
    """A product with rows of a unit matrix along an axis, and what it has there."""
    parts = parts_of(term)
    for k, factor in enumerate(parts.factors):
        if not isinstance(factor, Apply) or not isinstance(factor.primitive, kind):
            continue
        *inner, outer = parts.rows[k]
        alone = outer == parts.output[axis] and parts.uses(outer) == 1
        # What the rows are of is another factor, or the unit matrix.
        if not alone or any(parts.uses(x) + (x in parts.output) != 2 for x in inner):
            continue
        others = parts.replaced((k,), (), ())
        output = (*parts.output[:axis], *inner, *parts.output[axis + 1 :])
        dims = {x: parts.dims[x] for x in output}
        piece = build.einsum(others.factors, others.rows, output, dims)
        piece = build.scale(parts.coefficient, piece)
        match factor.primitive:
            case Window(start=start, stop=stop):
                return start, stop, piece
            case UnitVector(index=index):
                return index, index, piece
    return None
