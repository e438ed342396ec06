"""Rules for cross products: skew matrices and the permutation symbol they are made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TypeAlias

from tcalc.expr import build
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node
from tcalc.expr.traverse import postorder
from tcalc.primitives.selection import UnitVector, unit
from tcalc.primitives.skew import ENTRIES, SPACE, Skew, skew
from tcalc.simplify.coefficients import common_number, multiple
from tcalc.simplify.engine import (
    length,
    of_functions_of,
    of_products_having,
    of_sums_having,
    of_views,
    rewrite,
)
from tcalc.simplify.flatten import opened_term
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
        if not _is_symbol(factor):
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


@of_products_having(Skew)
def sum_beside_permutation(node: Einsum) -> Node | None:
    """``skew(eye(3))[i,j,k]*(x[j]*A[k,l] + y[j]*B[k,l])`` term by term, where that takes it away.

    The number of permutation symbols falls, ``-> (skew(x)*A + skew(y)*B)[i,l]`` or likewise.
    Example: the gradient of ``cross(w, p)'*cross(w, q)`` by w.
    """
    parts = parts_of(node)
    symbols = [k for k, x in enumerate(parts.factors) if _is_symbol(x)]
    for k, factor in enumerate(parts.factors):
        touched = any(not set(parts.rows[k]).isdisjoint(parts.rows[s]) for s in symbols)
        if not (touched and isinstance(factor, Add) and len(factor.terms) <= MOST_OPENED):
            continue
        found: list[tuple[Fraction, Node]] = []
        for c, term in factor.terms:
            whole = opened_term(parts.replaced((k,), (term,), (parts.rows[k],)).build())
            (new,) = rewrite([whole], (vector_into_permutation,))
            if new is whole:
                break
            found.append((c, new))
        else:
            return build.add(found)
    return None


MOST_OPENED = 3
"""The most terms of a sum that is multiplied out beside a permutation symbol."""


def _is_symbol(node: Node) -> bool:
    """Whether a node is the permutation symbol."""
    return _is_skew(node) and isinstance(node.operands[0], Delta)


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


@of_products_having(Skew)
def skew_between_equals(node: Einsum) -> Node | None:
    """``y'*skew(x)*y -> 0``, and ``tr(S*skew(x)) -> 0`` for a symmetric matrix S."""
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if not _is_skew(factor) or factor.order != 2 or len(set(parts.rows[k])) < 2:
            continue
        i, j = parts.rows[k]
        if not (is_between(parts, i) and is_between(parts, j)):
            continue
        at_row = [y for y, row in zip(parts.factors, parts.rows, strict=True) if row == (i,)]
        at_column = [y for y, row in zip(parts.factors, parts.rows, strict=True) if row == (j,)]
        around = [y for y, row in zip(parts.factors, parts.rows, strict=True) if set(row) == {i, j}]
        symmetric = len(around) == 2 and any(symmetric_axes(y) for y in around)
        if symmetric or (at_row and at_row == at_column):
            return build.zeros(node.dims)
    return None


@of_products_having(Skew)
def skew_turned(node: Einsum) -> Node | None:
    """``skew(x)'*y -> skew(y)*x`` for a vector y that is no sum or product; fewer are turned."""
    parts = parts_of(node)
    for k, j in _cross_products(parts):
        if parts.rows[k][1] in parts.output and not parts.factors[j].operands:
            return _exchanged(parts, k, j)
    return None


@of_sums_having(Skew)
def opposite_cross_products(node: Add) -> Node | None:
    """``a*skew(x)*y + b*skew(y)*x -> (a - b)*skew(x)*y``, with one of them turned.

    There are fewer different tensors.  Example: ``cross(w, p) + cross(p, w) -> 0``.
    """
    terms = [parts_of(term) for _, term in node.terms]
    met: set[tuple[Node, Node]] = set()
    for t, parts in enumerate(terms):
        for k, j in _cross_products(parts):
            x, y = parts.factors[k].operands[0], parts.factors[j]
            if (y, x) in met:
                c, _ = node.terms[t]
                kept = [term for n, term in enumerate(node.terms) if n != t]
                return build.add([*kept, (c, _exchanged(parts, k, j))])
            met.add((x, y))
    return None


def _cross_products(parts: Parts) -> Iterator[tuple[int, int]]:
    """The places of skew matrices and of the vectors that meet them."""
    for k, factor in enumerate(parts.factors):
        if not _is_skew(factor) or factor.order != 2 or len(set(parts.rows[k])) < 2:
            continue
        for j, row in enumerate(parts.rows):
            if len(row) == 1 and row[0] in parts.rows[k] and is_between(parts, row[0]):
                yield k, j


def _exchanged(parts: Parts, k: int, j: int) -> Node:
    """A product with ``-skew(y)*x`` for ``skew(x)*y``, and ``skew(y)*x`` for ``skew(x)'*y``."""
    x, y = parts.factors[k].operands[0], parts.factors[j]
    (between,) = parts.rows[j]
    (end,) = (label for label in parts.rows[k] if label != between)
    new = parts.replaced((k, j), (skew(y), x), ((end, between), (between,)))
    return build.scale(-1 if parts.rows[k][0] == end else 1, new.build())


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
    return rewrite(roots, PERMUTATIONS) if made else list(roots)


PERMUTATIONS = (vector_into_permutation, skew_times_itself, transpose_of_skew, number_out_of_skew)
"""Those that make vectors and permutation symbols one, for code too."""

RULES = (
    *PERMUTATIONS,
    sum_beside_permutation,
    skew_between_equals,
    skew_turned,
    opposite_cross_products,
)
