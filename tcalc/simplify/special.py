"""What planning is told of the factors of a product beside their labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Labels
from tcalc.planning import Indicator, Special, Triangle
from tcalc.primitives.onehot import is_onehot
from tcalc.primitives.selection import LowerMask

Name: TypeAlias = "Node | tuple[Node, ...]"
"""A factor; or several that only say where elements are, each along an axis, for the same rows."""


class Factors(NamedTuple):
    """The factors of a product, and their labels."""

    names: Sequence[Name]
    rows: Sequence[Labels]
    output: Labels


def special_among(factors: Sequence[Name]) -> dict[int, Special]:
    """By their positions the factors that only say where elements are, and triangles of ones."""
    found: dict[int, Special] = {}
    for k, factor in enumerate(factors):
        if isinstance(factor, tuple):
            found[k] = Indicator(len(factor))
        elif is_onehot(factor):
            found[k] = Indicator()
        elif adds_up(factor):
            found[k] = Triangle()
    return found


def alike_among(factors: Sequence[Name]) -> tuple[list[int], dict[int, tuple[int, int]]]:
    """Equal numbers for equal factors; and for symmetric ones the axes that may be exchanged."""
    number: dict[Name, int] = {}
    alike = [number.setdefault(factor, len(number)) for factor in factors]
    nodes = [(x, k) for x, k in number.items() if not isinstance(x, tuple)]
    return alike, {k: (x.order - 2, x.order - 1) for x, k in nodes if symmetric_axes(x)}


def adds_up(factor: Name) -> bool:
    """Whether a factor is a triangle of ones, products with which are running sums."""
    mask = factor.primitive if isinstance(factor, Apply) else None
    return isinstance(mask, LowerMask) and mask.adds_up


def together(factors: Sequence[Node], rows: Sequence[Labels], output: Labels) -> Factors:
    """A product as code makes it, where what says how elements are placed is put together.

    Rows with a single one are 0 but where they agree; and what is added up at places along two
    axes, is added up at once.
    """
    if not any(map(is_onehot, factors)):
        return Factors(factors, rows, output)
    factors, rows, output = with_one_place(factors, rows, output)
    names: list[Name] = []
    found: list[Labels] = []
    first: dict[frozenset[int], int] = {}
    for k, (factor, row) in enumerate(zip(factors, rows, strict=True)):
        others = [rows[j] for j in range(len(rows)) if j != k]
        if is_onehot(factor) and is_apart(row[-1], others, output) and len(set(row)) == len(row):
            place = first.setdefault(frozenset(row[:-1]), len(names))
            if place < len(names):
                (*shared,) = found[place]
                name = names[place]
                names[place] = (*(name if isinstance(name, tuple) else (name,)), factor)
                found[place] = (*shared, row[-1])
                continue
        names.append(factor)
        found.append(row)
    return Factors(names, found, output)


def is_apart(label: int, others: Sequence[Labels], output: Labels) -> bool:
    """Whether an axis of places is one of the result, and meets there with nothing to be summed.

    With what has this label beside, the result is multiplied once elements are added up.
    """
    kept = set(output)
    return label in kept and all(set(row) <= kept for row in others if label in row)


def with_one_place(
    factors: Sequence[Node], rows: Sequence[Labels], output: Labels
) -> tuple[Sequence[Node], Sequence[Labels], Labels]:
    """``S[i,j] S[i,k] -> S[i,j] δ[j,k]`` for rows with a single one: their labels run together."""
    found = list(rows)
    gone: set[int] = set()
    first: dict[tuple[Node, Labels], int] = {}
    for place, factor in enumerate(factors):
        if not is_onehot(factor):
            continue
        *shared, long = found[place]
        other = first.setdefault((factor, tuple(shared)), place)
        if other == place:
            continue
        gone.add(place)
        kept = found[other][-1]
        found = [tuple(kept if x == long else x for x in row) for row in found]
        output = tuple(kept if x == long else x for x in output)
        first = {(f, tuple(kept if x == long else x for x in r)): p for (f, r), p in first.items()}
    if not gone:
        return factors, rows, output
    left = [k for k in range(len(rows)) if k not in gone]
    return [factors[k] for k in left], [found[k] for k in left], output
