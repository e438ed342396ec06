"""Parts of a sum that lie apart: there a term is written, and not added."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from typing import TypeAlias

from tcalc.codegen.program import Index, Placed, Slice, Sum, at_most
from tcalc.expr.dims import Dim

Part: TypeAlias = tuple[Index, ...]


def written(total: Sum) -> list[bool]:
    """For each part of a sum whether it is written, and not added: where nothing lies as yet.

    There may be thousands of parts: the gradient by a vector has one for each element that the
    program names, in no order.
    """
    if fills(total):
        return [True] * len(total.placed)
    places: dict[Part, int] = {}
    for place, term in enumerate(total.placed):
        places.setdefault(term.index, place)
    found = [False] * len(total.placed)
    if not total.spans and not total.addends:
        parts = list(places)
        for part, before in zip(parts, _near(parts), strict=True):
            found[places[part]] = all(_apart(part, parts[k]) for k in before)
    return found


def fills(total: Sum) -> bool:
    """Whether the parts of a sum lie side by side, from its beginning to its end.

    So do the rows of a stack.  There nothing need be zero before they are all written.
    """
    if total.spans or total.addends:
        return False
    return any(_side_by_side(total, axis) for axis in range(len(total.dims)))


def stacked(total: Sum) -> list[Placed]:
    """The parts of a sum of whole arrays that lie one after the other along the first axis.

    Rows alone are written as soon one by one, and arrays with more axes might end up in an order
    that has to be changed when they are multiplied: of these there is nothing.
    """
    parts = {_start(part.index[0]): part for part in total.placed if part.index}
    alone = total.spans or total.addends or len(total.dims) > 2
    if alone or not 1 < len(parts) == len(total.placed):
        return []
    if not any(isinstance(part.index[0], Slice) for part in total.placed):
        return []
    found: list[Placed] = []
    reached = Dim.of(0)
    while (part := parts.pop(reached, None)) is not None:
        first, *others = part.index
        along = _range(first)
        dims = (first.length, *total.dims[1:]) if isinstance(first, Slice) else total.dims[1:]
        whole = part.view.dims == dims and len(set(part.labels)) == len(part.labels)
        if along is None or not whole or any(index is not None for index in others):
            return []
        found.append(part)
        reached = along[1]
    return found if reached == total.dims[0] and not parts else []


def _start(index: Index) -> Dim:
    """Where an index begins."""
    along = _range(index)
    return Dim.of(0) if along is None else along[0]


def _side_by_side(total: Sum, axis: int) -> bool:
    ends: dict[Dim, Dim] = {}
    for part in total.placed:
        others = part.index[:axis] + part.index[axis + 1 :]
        along = _range(part.index[axis])
        if along is None or any(index is not None for index in others):
            return False
        if len(set(part.labels)) < len(part.labels):
            return False
        if along[0] in ends:
            return False
        ends[along[0]] = along[1]
    reached = Dim.of(0)
    while reached in ends:
        start, reached = reached, ends.pop(reached)
        # One that is perhaps less than nothing would let those beside it meet.
        if start.value != 0 and ends and not at_most(start, reached):
            return False
    return reached == total.dims[axis] and not ends


def _near(parts: Sequence[Part]) -> list[Collection[int]]:
    """For each part the earlier ones of which one axis alone does not tell that it is apart."""
    known = [along for indices in zip(*parts, strict=True) if (along := _near_along(indices))]
    if not known:
        return [range(place) for place in range(len(parts))]
    return [set.intersection(*(along[place] for along in known)) for place in range(len(parts))]


def _near_along(indices: Sequence[Index]) -> list[set[int]]:
    """The same for one axis, by sorting; nothing where that tells little."""
    ranges = [x for index in indices if (x := _range(index)) is not None]
    sizes = {name: 1 for low, _ in ranges for name in low.names()}
    order = sorted(range(len(ranges)), key=lambda k: ranges[k][0].evaluate(sizes))
    ordered = all(at_most(ranges[j][0], ranges[k][0]) for j, k in pairwise(order))
    if len(ranges) < len(indices) or not ordered:
        return []
    found: list[set[int]] = [set() for _ in ranges]
    limit = 4 * len(ranges) ** 1.5
    running: list[int] = []
    for k in order:
        running = [j for j in running if not at_most(ranges[j][1], ranges[k][0])]
        for j in running:
            found[max(j, k)].add(min(j, k))
        limit -= len(running)
        if limit < 0:
            return []  # as of elements in one row, which the other axis tells apart
        running.append(k)
    return found


def _apart(first: Part, second: Part) -> bool:
    """Whether two parts have no element in common, whatever the sizes."""
    return any(
        at_most(b[1], a[0]) or at_most(a[1], b[0])
        for a, b in zip(map(_range, first), map(_range, second), strict=True)
        if a is not None and b is not None
    )


def _range(index: Index) -> tuple[Dim, Dim] | None:
    """The first place of an index, and the one after its last; None for a whole axis."""
    match index:
        case None:
            return None
        case Slice(start=start, length=length):
            return start, start + length
        case start:
            return start, start + 1
