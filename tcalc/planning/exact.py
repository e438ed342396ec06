"""The cheapest order of a small product, by dynamic programming over connected sets of factors.

Sets of factors and sets of labels are bit masks.  Only operands that share a label are
contracted; what no label joins is left apart, for the caller to multiply at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from math import inf
from typing import TypeAlias

Tree: TypeAlias = "int | tuple[Tree, Tree]"
Mask: TypeAlias = int
PairCost: TypeAlias = Callable[[Mask, Mask, Mask, Mask, Mask], int]
"""Cost of contracting the factors `a` with labels `x` and `b` with `y` to the labels `z`."""


class MaskedVolumes(dict[Mask, int]):
    """The points of index spaces, by masks of their labels, each counted once."""

    def __init__(self, sizes: Iterable[int]) -> None:
        super().__init__({0: 1, **{1 << place: size for place, size in enumerate(sizes)}})

    def __missing__(self, mask: Mask) -> int:
        low = mask & -mask
        self[mask] = found = self[low] * self[mask ^ low]
        return found


def cheapest(
    rows: Sequence[Mask],
    output: Mask,
    volumes: Mapping[Mask, int],
    special: Container[Mask] = (),
    pair_cost: PairCost | None = None,
    below: float = inf,
) -> tuple[int, Tree] | None:
    """The least cost and its tree, for factors that labels connect; None where it is not `below`.

    `volumes` are the points of the index spaces of labels; `pair_cost` is asked where one of two
    operands is `special`.  A tie goes to the split found first, so that the result depends on the
    order of the factors only.
    """
    count = len(rows)
    full = (1 << count) - 1
    union = [0] * (full + 1)
    for s in range(1, full + 1):
        low = s & -s
        union[s] = union[s ^ low] | rows[low.bit_length() - 1]
    best: dict[Mask, int] = {}
    split: dict[Mask, Mask] = {}
    open_labels = [0] * (full + 1)
    for k in range(count):
        best[1 << k] = 0
        open_labels[1 << k] = rows[k] & (output | union[full ^ (1 << k)])
    for s in range(1, full + 1):
        if s & (s - 1) == 0:
            continue
        result = union[s] & (output | union[full ^ s])
        low = s & -s
        rest = s ^ low
        found = below
        part = rest
        # `a` keeps the lowest factor, so that every split is seen once.
        while part:
            a, b = s ^ part, part
            part = (part - 1) & rest
            x, y = open_labels[a], open_labels[b]
            if not x & y:
                continue  # also where either has no order, being in several parts or too costly
            price = best[a] + best[b]
            if price >= found:
                continue
            if special and pair_cost and (a in special or b in special):
                price += pair_cost(a, x, b, y, result)
            else:
                points = volumes[x | y]
                price += points if x | y == result else max(2 * points - volumes[result], 0)
            if price < found:
                best[s] = found = price
                split[s] = a
        if s in best:
            open_labels[s] = result
    return (best[full], _tree(full, split)) if full in best else None


def _tree(full: Mask, split: dict[Mask, Mask]) -> Tree:
    """The tree of the recorded splits; as deep as there are factors, which are few."""
    if full not in split:
        return full.bit_length() - 1
    a = split[full]
    return _tree(a, split), _tree(full ^ a, split)
