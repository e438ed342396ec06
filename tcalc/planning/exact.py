"""The cheapest order of a small product, by dynamic programming over connected sets of factors.

Sets of factors and sets of labels are bit masks.  Only operands that share a label are
contracted; what no label joins is left apart, for the caller to multiply at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

Tree: TypeAlias = "int | tuple[Tree, Tree]"
Mask: TypeAlias = int
PairCost: TypeAlias = Callable[[Mask, Mask, Mask, Mask, Mask], int]
"""Cost of contracting the factors `a` with labels `x` and `b` with `y` to the labels `z`."""


def cheapest(rows: Sequence[Mask], output: Mask, pair_cost: PairCost) -> tuple[int, Tree]:
    """The least cost and its tree, for factors that labels connect to one component.

    A tie goes to the split found first, so that the result depends on the order of the factors
    only.
    """
    count = len(rows)
    full = (1 << count) - 1
    union = [0] * (full + 1)
    for s in range(1, full + 1):
        low = s & -s
        union[s] = union[s ^ low] | rows[low.bit_length() - 1]
    best: dict[Mask, int] = {}
    split: dict[Mask, Mask] = {}
    open_labels: dict[Mask, Mask] = {}
    for k in range(count):
        best[1 << k] = 0
        open_labels[1 << k] = rows[k] & (output | union[full ^ (1 << k)])
    for s in range(1, full + 1):
        if s & (s - 1) == 0:
            continue
        result = union[s] & (output | union[full ^ s])
        low = s & -s
        rest = s ^ low
        found = -1
        part = rest
        # `a` keeps the lowest factor, so that every split is seen once.
        while part:
            a, b = s ^ part, part
            part = (part - 1) & rest
            if a not in best or b not in best:
                continue
            x, y = open_labels[a], open_labels[b]
            if not x & y:
                continue
            price = best[a] + best[b]
            if 0 <= found <= price:
                continue
            price += pair_cost(a, x, b, y, result)
            if found < 0 or price < found:
                found = price
                split[s] = a
        if found >= 0:
            best[s] = found
            open_labels[s] = result
    return best[full], _tree(full, split)


def _tree(full: Mask, split: dict[Mask, Mask]) -> Tree:
    """The tree of the recorded splits; as deep as there are factors, which are few."""
    if full not in split:
        return full.bit_length() - 1
    a = split[full]
    return _tree(a, split), _tree(full ^ a, split)
