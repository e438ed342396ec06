"""A layered drawing of a directed acyclic graph: operands below, what is computed from them above.

The steps are the classical ones: layers by longest paths, a dummy node where an edge passes a
layer, an order within each layer by barycentres that lessens crossings, and positions that stand
as near to their neighbours as their widths allow.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

SWEEPS = 12
GAP = 22.0
"""The least distance between neighbours of one layer."""

LAYER = 74.0
"""The distance from layer to layer."""

STRAIGHT = 4.0
"""How much more a bend in a long edge counts than one at a node."""


@dataclass(slots=True)
class Place:
    """A node, or a point that an edge passes, on its way to a position."""

    width: float
    layer: int
    real: bool
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)
    x: float = 0.0


@dataclass(frozen=True, slots=True)
class Drawing:
    """Positions: of the nodes' middles, and of the points of each edge, from below to above."""

    width: float
    height: float
    nodes: tuple[tuple[float, float], ...]
    edges: Mapping[tuple[int, int], tuple[tuple[float, float], ...]]


def arranged(widths: Sequence[float], operands: Sequence[Sequence[int]]) -> Drawing:
    """The drawing of a graph whose node k has a width and uses the nodes `operands[k]`.

    Operands come before their users in the numbering.

    >>> drawing = arranged([10.0, 10.0, 10.0], [(), (), (0, 1)])
    >>> [round(y) for _, y in drawing.nodes]
    [74, 74, 0]
    """
    places = [
        Place(width, layer, real=True)
        for width, layer in zip(widths, _layers(operands), strict=True)
    ]
    chains = _with_dummies(places, operands)
    layers: list[list[int]] = [[] for _ in range(1 + max((p.layer for p in places), default=0))]
    for k, place in enumerate(places):
        layers[place.layer].append(k)
    _order(places, layers)
    _position(places, layers)
    left = min((p.x - p.width / 2 for p in places), default=0.0)
    right = max((p.x + p.width / 2 for p in places), default=0.0)
    top = (len(layers) - 1) * LAYER

    def at(k: int) -> tuple[float, float]:
        return places[k].x - left, top - places[k].layer * LAYER

    return Drawing(
        right - left,
        top,
        tuple(at(k) for k in range(len(widths))),
        {ends: tuple(map(at, chain)) for ends, chain in chains.items()},
    )


def _layers(operands: Sequence[Sequence[int]]) -> list[int]:
    """The length of the longest path from below; what has no operands goes up to its users."""
    layer = [0] * len(operands)
    lowest_user: dict[int, int] = {}
    for k, below in enumerate(operands):
        layer[k] = 1 + max((layer[x] for x in below), default=-1)
    for k, below in enumerate(operands):
        for x in below:
            lowest_user[x] = min(lowest_user.get(x, layer[k]), layer[k])
    for k, below in enumerate(operands):
        if not below and k in lowest_user:
            layer[k] = lowest_user[k] - 1
    return layer


def _with_dummies(
    places: list[Place], operands: Sequence[Sequence[int]]
) -> dict[tuple[int, int], list[int]]:
    """Chains of neighbouring layers for all edges; dummy nodes are added to the places."""
    chains: dict[tuple[int, int], list[int]] = {}
    for user, below in enumerate(operands):
        for operand in dict.fromkeys(below):
            chain = [operand]
            for layer in range(places[operand].layer + 1, places[user].layer):
                places.append(Place(2.0, layer, real=False))
                chain.append(len(places) - 1)
            chain.append(user)
            chains[operand, user] = chain
            for lower, upper in pairwise(chain):
                places[lower].above.append(upper)
                places[upper].below.append(lower)
    return chains


def _order(places: Sequence[Place], layers: list[list[int]]) -> None:
    """Sort each layer by the barycentres of its neighbours, up and down; keep the best order."""
    best, fewest = [list(layer) for layer in layers], _crossings(places, layers)
    for sweep in range(SWEEPS):
        upwards = sweep % 2 == 0
        for layer in layers[1:] if upwards else layers[-2::-1]:
            rank = _ranks(layers)
            centre: dict[int, float] = {}
            for k in layer:
                near = places[k].below if upwards else places[k].above
                centre[k] = sum(rank[x] for x in near) / len(near) if near else rank[k]
            layer.sort(key=centre.__getitem__)
        count = _crossings(places, layers)
        if count < fewest:
            best, fewest = [list(layer) for layer in layers], count
    layers[:] = best


def _ranks(layers: Sequence[Sequence[int]]) -> dict[int, float]:
    """Where nodes stand in their layers, from 0 to 1."""
    return {k: (n + 0.5) / len(layer) for layer in layers for n, k in enumerate(layer)}


def _crossings(places: Sequence[Place], layers: Sequence[Sequence[int]]) -> int:
    """The crossings between neighbouring layers, as inversions counted by insertion."""
    count = 0
    for layer, upper in pairwise(layers):
        order = {k: n for n, k in enumerate(upper)}
        seen: list[int] = []
        for k in layer:
            ends = sorted(order[x] for x in places[k].above)
            count += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return count


def _position(places: Sequence[Place], layers: Sequence[Sequence[int]]) -> None:
    """Move nodes to the middle of their neighbours, as far as their layer leaves room."""
    for layer in layers:
        _spread(places, layer, [0.0] * len(layer), [1.0] * len(layer))
    for sweep in range(3 * SWEEPS):
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            wanted, weights = [], []
            for k in layer:
                place = places[k]
                near = [*place.below, *place.above]
                weight = [1.0 if place.real or places[x].real else STRAIGHT for x in near]
                total = sum(weight)
                middle = sum(places[x].x * w for x, w in zip(near, weight, strict=True))
                wanted.append(middle / total if near else place.x)
                weights.append(total if near else 0.01)
            _spread(places, layer, wanted, weights)


def _spread(
    places: Sequence[Place],
    layer: Sequence[int],
    wanted: Sequence[float],
    weights: Sequence[float],
) -> None:
    """Set the positions of a layer nearest to the wanted ones that keep order and distances.

    With each position shifted by the least room that those before it take, distances become an
    order, and the nearest ordered values are found by pooling adjacent violators.
    """
    shift, shifts = 0.0, []
    for n, k in enumerate(layer):
        if n:
            shift += (places[layer[n - 1]].width + places[k].width) / 2 + GAP
        shifts.append(shift)
    pools: list[tuple[float, float, int]] = []  # mean, weight, count
    for want, weight, offset in zip(wanted, weights, shifts, strict=True):
        mean, total, count = want - offset, weight, 1
        while pools and pools[-1][0] > mean:
            before, heavy, many = pools.pop()
            mean = (mean * total + before * heavy) / (total + heavy)
            total, count = total + heavy, count + many
        pools.append((mean, total, count))
    values = [mean for mean, _, count in pools for _ in range(count)]
    for k, value, offset in zip(layer, values, shifts, strict=True):
        places[k].x = value + offset
