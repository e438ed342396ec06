"""Matrices of blocks side by side, and the thin factors of them: ``A = [A1, A2] = L*[Q1, Q2]``.

A block is written ``A1*W`` with a window W, which takes the block out of the matrix, or puts it in
its place.  Of ``Q, R = qr([A1; A2])`` the same holds with the axes exchanged: an axis is called
the short or the long one of A, which is that of all blocks or that along which they lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeGuard

from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Add, Apply, Einsum, Node
from tcalc.expr.primitive import Fact, Labels
from tcalc.expr.traverse import postorder
from tcalc.primitives.inverse import inv
from tcalc.primitives.qr import Lq, Qr
from tcalc.primitives.selection import Window
from tcalc.records import dataclass
from tcalc.simplify.coefficients import ONE
from tcalc.simplify.parts import Parts, parts_of
from tcalc.simplify.splicing import opened


def thin_factors(roots: Sequence[Node]) -> list[Apply]:
    """The thin factors with orthonormal rows or columns below some roots."""
    return [node for node in postorder(roots) if _is_thin(node)]


def _is_thin(node: Node) -> TypeGuard[Apply]:
    match node:
        case Apply(primitive=Lq(), output=1) | Apply(primitive=Qr(), output=0):
            return node.order == 2
        case _:
            return False


@dataclass(frozen=True, slots=True)
class Block:
    """A block of A: a number and scalars times a matrix, or times a diagonal matrix of vectors.

    `axis` is the axis of the matrix that is the short one of A.
    """

    window: Node
    number: Fraction
    scalars: tuple[Node, ...]
    matrix: Node | None
    axis: int
    entries: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """The factors of a matrix of blocks: Q, whose short axis is `short`, and the inverse of L.

    The axis `short` of the inverse is that of Q; with the other it meets A.
    """

    q: Apply
    inverse: Node
    short: int
    blocks: tuple[Block, ...]

    @property
    def long(self) -> int:
        return 1 - self.short

    def row(self, short: int, long: int) -> Labels:
        """The labels of Q, or of the inverse, by its axes."""
        return (short, long) if self.short == 0 else (long, short)

    @property
    def sides(self) -> tuple[Dim, Dim]:
        """The short and the long dimension."""
        return self.q.dims[self.short], self.q.dims[self.long]


def family_of(q: Apply) -> Family | None:
    """What belongs to a thin factor, if its matrix is of blocks, at most one of them not diagonal.

    Then each block is by the third law, or by the second from those that are.
    """
    short = 0 if isinstance(q.primitive, Lq) else 1
    triangle = build.apply(q.primitive, *q.args, output=1 - q.output)
    blocks = _blocks(q.args[0], short)
    if len(blocks) < 2 or sum(block.matrix is not None for block in blocks) > 1:
        return None
    return Family(q, inv(triangle), short, blocks)


def _blocks(matrix: Node, short: int) -> tuple[Block, ...]:
    """The blocks that a matrix consists of along its longer axis; none if it is anything else."""
    terms: Sequence[tuple[Fraction, Node]] = ((ONE, matrix),)
    match matrix:
        case Add():
            terms = matrix.terms
        case Einsum(factors=(Add() as inner,)) if build.transpose(inner) is matrix:
            terms = [(c, build.transpose(x)) for c, x in inner.terms]
    found: list[Block] = []
    for coefficient, term in terms:
        block = _block(coefficient, opened(parts_of(term)), short)
        if block is None:
            return ()
        found.append(block)
    places = sorted((_places(block.window) for block in found), key=lambda place: str(place[0]))
    return tuple(found) if _cover(places, matrix.dims[1 - short]) else ()


def _cover(places: list[tuple[Dim, Dim]], dim: Dim) -> bool:
    """Whether ranges put one behind the other are all of a dimension."""
    at = Dim.of(1)
    while places:
        following = next((place for place in places if place[0] == at), None)
        if following is None:
            return False
        places.remove(following)
        at = following[1] + 1
    return at == dim + 1


def _places(window: Node) -> tuple[Dim, Dim]:
    assert isinstance(window, Apply)
    assert isinstance(window.primitive, Window)
    return window.primitive.start, window.primitive.stop


def _block(coefficient: Fraction, parts: Parts, short: int) -> Block | None:
    if len(parts.output) != 2:
        return None
    row, end = parts.output[short], parts.output[1 - short]
    windows = [
        k
        for k, (x, at) in enumerate(zip(parts.factors, parts.rows, strict=True))
        if is_window(x) and at[1] == end
    ]
    if len(windows) != 1 or parts.uses(end) != 1:
        return None
    (k,) = windows
    window, (inner, _) = parts.factors[k], parts.rows[k]
    rest = [
        (x, at) for j, (x, at) in enumerate(zip(parts.factors, parts.rows, strict=True)) if j != k
    ]
    scalars = tuple(x for x, at in rest if not at)
    others = [(x, at) for x, at in rest if at]
    number = coefficient * parts.coefficient
    if inner == row and all(at == (row,) for _, at in others):
        return Block(window, number, scalars, None, 0, tuple(x for x, _ in others))
    if len(others) == 1 and sorted(others[0][1]) == sorted((row, inner)) and row != inner:
        ((matrix, at),) = others
        good = all(holds(x, Fact.POSITIVE) is True for x in scalars)
        return Block(window, number, scalars, matrix, at.index(row), ()) if good else None
    return None


def is_window(node: Node) -> bool:
    return isinstance(node, Apply) and isinstance(node.primitive, Window)
