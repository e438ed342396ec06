"""Rules for cross products: skew matrices and the permutation symbol they are made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node
from tcalc.expr.traverse import postorder
from tcalc.primitives.selection import UnitVector, unit
from tcalc.primitives.skew import ENTRIES, SPACE, Skew, skew
from tcalc.simplify.coefficients import common_number, multiple
from tcalc.simplify.engine import length, of_functions_of, of_products_having, of_views, rewrite
from tcalc.simplify.parts import Parts, parts_of, piece, pieces
from tcalc.simplify.splicing import is_between


@of_products_having(Skew)
def vector_into_permutation(node: Einsum) -> Node | None:
    """``skew(eye(3))[k,i,j]*x[k] -> skew(x)[i,j]``, by whichever index: all may be turned around.

    Of any product that is a vector; two unit vectors make a third, or zero.
    Example: the derivative of ``skew(x)*A*y`` by x is ``-skew(A*y)``.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if not (_is_skew(factor) and isinstance(factor.operands[0], Delta)):
            continue
        row, vectors = parts.rows[k], list(_vectors(parts, k))
        others = [entry for entry in vectors if _place(entry[2]) is None]
        if others:
            at, places, vector = min(others, key=lambda entry: length(entry[2]))
            rest = (row[at - 2], row[at - 1])
            return parts.replaced((k, *places), (skew(vector),), (rest,)).build()
        if len(vectors) > 1:
            return _third(parts, k, vectors[:2])
    return None


Beside: TypeAlias = tuple[int, tuple[int, ...], Node]
"""A vector beside a permutation symbol: at which of its axes, which factors, and their product."""


def _vectors(parts: Parts, k: int) -> Iterator[Beside]:
    """What is multiplied to a permutation symbol by one index alone."""
    row = parts.rows[k]
    if len(set(row)) < len(row):
        return
    beside = [places for places in pieces(parts, row) if k not in places]
    ends = [
        {x for place in places for x in parts.rows[place]}.intersection(row) for places in beside
    ]
    for at, label in enumerate(row):
        touching = [n for n, labels in enumerate(ends) if label in labels]
        if len(touching) == 1 and ends[touching[0]] == {label} and label not in parts.output:
            places = beside[touching[0]]
            labels = {x for place in places for x in parts.rows[place]}
            if labels.isdisjoint(parts.output):
                yield at, places, piece(parts, places, (label,))[0]


def _place(vector: Node) -> int | None:
    """Which unit vector a node is."""
    match vector:
        case Apply(primitive=UnitVector(index=index)):
            return index.value
    return None


def _third(parts: Parts, k: int, units: Sequence[Beside]) -> Node:
    """A permutation symbol of two unit vectors: the third one with its sign, or zero."""
    numbers = {at: _place(vector) or 0 for at, _, vector in units}
    if len(set(numbers.values())) < len(numbers):
        return build.zeros(tuple(parts.dims[label] for label in parts.output))
    (last,) = {0, 1, 2}.difference(numbers)
    numbers[last] = 6 - sum(numbers.values())
    wanted = (numbers[1] - 1, numbers[2] - 1, numbers[0] - 1)
    sign = next(sign for *entry, sign in ENTRIES if tuple(entry) == wanted)
    gone = [k, *(place for _, places, _ in units for place in places)]
    third = unit(numbers[last], SPACE)
    return build.scale(sign, parts.replaced(gone, (third,), ((parts.rows[k][last],),)).build())


@of_products_having(Skew)
def skew_times_itself(node: Einsum) -> Node | None:
    """``skew(x)*x -> 0``, from either side."""
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if not _is_skew(factor) or factor.order != 2:
            continue
        for j, other in enumerate(parts.factors):
            met = other is factor.operands[0] and parts.rows[j][0] in parts.rows[k]
            if met and is_between(parts, parts.rows[j][0]):
                return build.zeros(node.dims)
    return None


@of_views
def transpose_of_skew(node: Einsum) -> Node | None:
    """``skew(x)' -> -skew(x)``."""
    (first, *others) = node.factors
    if others or not _is_skew(first):
        return None
    row = node.subscripts[0]
    if node.output == (*row[:-2], *row[-2:][::-1]):
        return build.scale(-1, first)
    return None


@of_functions_of(Skew)
def number_out_of_skew(node: Apply) -> Node | None:
    """``skew(2*x - 2*y) -> 2*skew(x - y)``, and ``skew(zeros(3)) -> zeros(3, 3)``.

    The number of numbers in skew matrices falls.
    """
    match node:
        case Apply(primitive=Skew(), args=(Const(value=value),)) if not value:
            return build.zeros(node.dims)
        case Apply(primitive=Skew(), args=(Add() as x,)) if (number := common_number(x)) != 1:
            return build.scale(number, skew(multiple(1 / number, x)))
    return None


def _is_skew(node: Node) -> bool:
    return isinstance(node, Apply) and isinstance(node.primitive, Skew)


def without_permutations(roots: Sequence[Node]) -> list[Node]:
    """The roots with the vectors that meet a permutation symbol made one with it, for code.

    >>> from tcalc.expr import shape
    >>> from tcalc.primitives.skew import SPACE
    >>> x = build.var("x", shape(3))
    >>> symbol = skew(build.delta(SPACE))
    >>> without_permutations([build.einsum([symbol, x], "kij,k->ij")]) == [skew(x)]
    True
    """
    made = any(_is_skew(node) for node in postorder(roots))
    return rewrite(roots, RULES) if made else list(roots)


RULES = (vector_into_permutation, skew_times_itself, transpose_of_skew, number_out_of_skew)
