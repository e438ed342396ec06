"""Laws for the thin factor of blocks side by side, ``A = [A1, A2] = L*[Q1, Q2]`` with ``Q*Q' = I``.

    inv(L)*A1 -> Q1
    Q1*Q1'    -> I - Q2*Q2'
    Q2        -> inv(L)*A2             for a diagonal A2

and the same for ``Q, R = qr([A1; A2])``, transposed.  So a regularised least squares problem is
factorised, whose second block is a multiple of the unit matrix.  Its derivatives ask for
``Σ inv(L)'*Q1 .* A1``, by these laws ``n - Σ Q2.^2``.  Where all that is left of Q are products
with vectors, Q need not be formed, which takes as long as to factorise.

The first law divides by scalars that stand before A1, and asks that they be positive.  The third
is as accurate as a formed Q: that satisfies ``Q*Q' = I`` to rounding, but differs from the factor
of A by rounding times the condition number of A, and so does ``inv(L)*A2``.  By the second, what
is small is a difference of numbers near 1; a formed Q1 has as large an error.  None of them writes
``Q'*Q`` by solves with L, which would lose the condition number twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from fractions import Fraction
from itertools import combinations, permutations
from typing import TypeAlias

from tcalc.expr.nodes import Add, Node
from tcalc.expr.primitive import Labels
from tcalc.primitives.power import power
from tcalc.simplify.blocks import Family, is_window
from tcalc.simplify.parts import Parts, parts_of
from tcalc.simplify.splicing import alone, changed, is_between, joined, opened, spliced

Law: TypeAlias = Callable[[Family, Parts], "list[Parts] | None"]
"""A product to the terms that it becomes; None where the law does not apply."""


def rewritten(family: Family, parts: Parts) -> list[Parts] | None:
    """The terms that a product becomes by the first of the laws that applies; None if none does."""
    for new in solved_block(family, parts):
        return [new]
    for law in LAWS:
        found = law(family, parts)
        if found is not None:
            return found
    return None


def solved_block(family: Family, parts: Parts) -> Iterator[Parts]:
    """``inv(L)*A1 -> Q1``, at each place in turn."""
    block = next((x for x in family.blocks if x.matrix is not None), None)
    if block is None or block.matrix is None:
        return
    for k, j in permutations(range(len(parts.factors)), 2):
        if parts.factors[k] is not family.inverse or parts.factors[j] is not block.matrix:
            continue
        outer, inner = parts.rows[k][family.short], parts.rows[k][family.long]
        here = parts.rows[j]
        if here[block.axis] == inner and outer != inner and is_between(parts, inner):
            end = 1 + max(parts.dims)
            new = [family.q, block.window, *(power(s, -1) for s in block.scalars)]
            rows = [family.row(outer, end), (here[1 - block.axis], end)]
            rows += [()] * len(block.scalars)
            yield changed(parts, (k, j), new, rows, 1 / block.number)


def _square(family: Family, parts: Parts) -> list[Parts] | None:
    """``Q*Q' -> I``."""
    for k, j in _pairs(family, parts):
        end = parts.rows[k][family.long]
        if end == parts.rows[j][family.long] and is_between(parts, end):
            return [_unit(family, parts, (k, j), parts.rows[k], parts.rows[j])]
    return None


def _windows(family: Family, parts: Parts) -> list[Parts] | None:
    """``W1*W1' -> I``, ``W1*W2' -> 0`` for rows of the unit matrix."""
    own = {block.window for block in family.blocks}
    places = [k for k, x in enumerate(parts.factors) if x in own]
    for k, j in combinations(places, 2):
        end = parts.rows[k][1]
        if end == parts.rows[j][1] and is_between(parts, end):
            if parts.factors[k] is not parts.factors[j]:
                return []
            left, right = parts.rows[k][0], parts.rows[j][0]
            return [joined(parts, (k, j), left, right, parts.factors[k].dims[0])]
    return None


def _gram(family: Family, parts: Parts) -> list[Parts] | None:
    """``Q1*Q1' -> I - Q2*Q2'``, the other blocks being diagonal."""
    for k, j in _pairs(family, parts):
        one, other = _window(family, parts, k), _window(family, parts, j)
        if one is None or other is None or one == other:
            continue
        same = parts.factors[one] is parts.factors[other]
        middle = parts.rows[one][0]
        if not same or middle != parts.rows[other][0] or not is_between(parts, middle):
            continue
        gone = (k, j, one, other)
        left, right = parts.rows[k][family.short], parts.rows[j][family.short]
        found = [_unit(family, parts, gone, parts.rows[k], parts.rows[j])]
        for block in family.blocks:
            if block.window is parts.factors[one]:
                continue
            if block.matrix is not None:
                return None
            at = 1 + max(parts.dims)
            rows = [family.row(left, at), family.row(right, at)]
            rows += [(at,)] * (2 * len(block.entries)) + [()] * (2 * len(block.scalars))
            new = [family.inverse] * 2 + [*block.entries] * 2 + [*block.scalars] * 2
            found.append(changed(parts, gone, new, rows, -(block.number**2)))
        return found
    return None


def _diagonal(family: Family, parts: Parts) -> list[Parts] | None:
    """``Q2 -> inv(L)*A2`` for a diagonal A2."""
    for k, factor in enumerate(parts.factors):
        place = _window(family, parts, k) if factor is family.q else None
        if place is None:
            continue
        for block in family.blocks:
            if block.window is parts.factors[place] and block.matrix is None:
                short, at = parts.rows[k][family.short], parts.rows[place][0]
                rows = [family.row(short, at), *[(at,)] * len(block.entries)]
                rows += [()] * len(block.scalars)
                new = [family.inverse, *block.entries, *block.scalars]
                return [changed(parts, (k, place), new, rows, block.number)]
    return None


def _distributed(family: Family, parts: Parts) -> list[Parts] | None:
    """``(A + B)*Q' -> A*Q' + B*Q'``."""
    places = [k for k, factor in enumerate(parts.factors) if factor is family.q]
    for axis in (family.long, family.short):
        met = {parts.rows[k][axis] for k in places}
        for j, other in enumerate(parts.factors):
            if isinstance(other, Add) and other.order > 1 and met.intersection(parts.rows[j]):
                return [_with_term(parts, j, c, x) for c, x in other.terms]
    return None


def _with_term(parts: Parts, place: int, coefficient: Fraction, term: Node) -> Parts:
    """The product with one term of a sum in the place of the sum."""
    inner = [alone(x) for x in parts.factors]
    inner[place] = opened(parts_of(term))
    new = spliced(parts, inner)
    return Parts(new.coefficient * coefficient, new.factors, new.rows, new.output, new.dims)


def _pairs(family: Family, parts: Parts) -> Iterator[tuple[int, int]]:
    places = [k for k, x in enumerate(parts.factors) if x is family.q]
    return ((k, j) for k in places for j in places if k < j)


def _window(family: Family, parts: Parts, k: int) -> int | None:
    """The position of the block that alone is taken of a Q, if one is."""
    end = parts.rows[k][family.long]
    if not is_between(parts, end):
        return None
    found = [j for j, row in enumerate(parts.rows) if j != k and end in row]
    good = len(found) == 1 and is_window(parts.factors[found[0]])
    return found[0] if good and parts.rows[found[0]][1] == end else None


def _unit(family: Family, parts: Parts, gone: Collection[int], one: Labels, other: Labels) -> Parts:
    """A unit matrix in place of two Q, between their short axes."""
    left, right = one[family.short], other[family.short]
    return joined(parts, gone, left, right, family.sides[0])


LAWS: tuple[Law, ...] = (_square, _windows, _gram, _diagonal, _distributed)
"""The laws beside that of the block that is solved for, in the order in which they are tried."""
