"""The canonical order of the factors of a contraction, so that equal products are one node.

Factors are sorted by content digest.  Where a factor occurs twice, or has interchangeable axes,
colours are refined until they are stable: a label's colour comes from its dimension, from
whether it is an output, and from the factors and axes that it joins; a factor's colour from its
digest and its labels' colours.  A tie that remains is broken by singling out one member, the one
that comes first in the requested output.  Never two different products merge; only regular
networks of dozens of identical factors can be missed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from tcalc.expr.dims import Shape
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Node
from tcalc.expr.primitive import Labels


class Arrangement(NamedTuple):
    """Factors in canonical order with canonical labels; `number` maps the given labels to them."""

    factors: tuple[Node, ...]
    subscripts: tuple[Labels, ...]
    number: dict[int, int]


def arrange(
    factors: Sequence[Node], subscripts: Sequence[Labels], rank: Mapping[int, int]
) -> Arrangement:
    """Order factors and number labels; `rank` is the position of each output label."""
    distinct = len(set(factors)) == len(factors)
    swappable = list(map(symmetric_axes, factors))
    if distinct and not any(swappable):
        digests = [factor.digest for factor in factors]
        order = places = sorted(range(len(factors)), key=digests.__getitem__)
        rows = list(subscripts)
    else:
        copies = [1] * len(factors)
        if not distinct:
            factors, subscripts, swappable, copies = _without_copies(factors, subscripts, swappable)
        digests = [factor.digest for factor in factors]
        places_of = {digest: k for k, digest in enumerate(sorted(set(digests)))}
        network = _Network(
            tuple([places_of[digest] for digest in digests]),
            tuple([factor.dims for factor in factors]),
            tuple(subscripts),
            tuple(swappable),
            tuple(copies),
            tuple(rank.items()),
        )
        order, rows = _refined(network)
        places = order if distinct else [k for k in order for _ in range(copies[k])]
    number: dict[int, int] = {}
    for k in order:
        for label in rows[k]:
            if label not in number:
                number[label] = len(number)
    canonical = number.__getitem__
    return Arrangement(
        tuple([factors[k] for k in places]),
        tuple([tuple(map(canonical, rows[k])) for k in places]),
        number,
    )


def _without_copies(
    factors: Sequence[Node], subscripts: Sequence[Labels], swappable: Sequence[bool]
) -> tuple[list[Node], list[Labels], list[bool], list[int]]:
    """The factors that differ or stand at other labels, and how often each is there."""
    found: dict[tuple[Node, Labels], int] = {}
    symmetric = dict(zip(factors, swappable, strict=True))
    for factor, row in zip(factors, subscripts, strict=True):
        turned = (*row[:-2], *row[-2:][::-1])
        same = symmetric[factor] and (factor, turned) in found
        key = factor, turned if same else row
        found[key] = found.get(key, 0) + 1
    kept = [factor for factor, _ in found]
    return kept, [row for _, row in found], [symmetric[x] for x in kept], list(found.values())


def is_rigid(factors: Sequence[Node]) -> bool:
    """Whether no two factors are equal and none has axes that may be exchanged."""
    return len(set(factors)) == len(factors) and not any(map(symmetric_axes, factors))


class _Network(NamedTuple):
    """A product without its factors: what tells them apart, and how they are joined.

    Of the digests their order is enough; `places` are the output labels, each with its position.
    """

    digests: tuple[int, ...]
    dims: tuple[Shape, ...]
    rows: tuple[Labels, ...]
    swappable: tuple[bool, ...]
    copies: tuple[int, ...]
    places: tuple[tuple[int, int], ...]


@lru_cache(maxsize=4096)
def _refined(network: _Network) -> tuple[list[int], list[Labels]]:
    """The order of factors, and the labels of each.

    The steps of a recurrence have products that are alike: they are arranged once.
    """
    rank = dict(network.places)
    label_colour, factor_colour = _first_colours(network, rank)
    while True:
        label_colour, factor_colour = _stable(
            network.rows, network.swappable, label_colour, factor_colour
        )
        chosen = _singled_out(network, factor_colour, rank)
        if chosen is None:
            break
        factor_colour = {k: 2 * c - (k == chosen) for k, c in factor_colour.items()}
    scalars = [k for k, labels in enumerate(network.rows) if not labels]
    order = sorted(scalars, key=network.digests.__getitem__)
    order += sorted(factor_colour, key=factor_colour.__getitem__)
    return order, _oriented(order, network.rows, network.swappable, label_colour, rank)


def _first_colours(
    network: _Network, rank: Mapping[int, int]
) -> tuple[dict[int, int], dict[int, int]]:
    """Colours of labels and of factors, scalars aside, by what each is by itself."""
    of_labels: dict[int, tuple[str, bool]] = {}
    of_factors: dict[int, tuple[int, tuple[int, ...], int]] = {}
    for k, row in enumerate(network.rows):
        if row:
            of_factors[k] = network.digests[k], _pattern(row), network.copies[k]
            for label, dim in zip(row, network.dims[k], strict=True):
                of_labels[label] = str(dim), label in rank
    return _ranked(of_labels), _ranked(of_factors)


def _singled_out(
    network: _Network, factor_colour: Mapping[int, int], rank: Mapping[int, int]
) -> int | None:
    """One of several factors of a colour, which comes first in the output; None without a tie."""
    groups: dict[int, list[int]] = {}
    for k, colour in factor_colour.items():
        groups.setdefault(colour, []).append(k)
    tied = [members for members in groups.values() if len(members) > 1]
    if not tied:
        return None
    far = len(rank)

    def place(k: int) -> tuple[int, ...]:
        """Where the labels of a factor stand in the output."""
        return _seen_by(network.rows[k], network.swappable[k], rank, far)

    # Where members have places in the output that differ, these decide.
    least = min(
        tied,
        key=lambda members: (
            len({place(k) for k in members}) == 1,
            len(members),
            factor_colour[members[0]],
        ),
    )
    return min(least, key=lambda k: (place(k), k))


def _stable(
    subscripts: Sequence[Labels],
    swappable: Sequence[bool],
    label_colour: dict[int, int],
    factor_colour: dict[int, int],
) -> tuple[dict[int, int], dict[int, int]]:
    """Colours of labels and factors, each told apart by the other until no more are."""
    classes = 0
    while True:
        factor_colour = _ranked(
            {
                k: (colour, _seen_by(subscripts[k], swappable[k], label_colour))
                for k, colour in factor_colour.items()
            }
        )
        joins: dict[int, list[tuple[int, int]]] = {label: [] for label in label_colour}
        for k, colour in factor_colour.items():
            last = len(subscripts[k]) - 1
            for axis, label in enumerate(subscripts[k]):
                # Both axes of a symmetric pair count as the last one.
                place = last if swappable[k] and axis == last - 1 else axis
                joins[label].append((colour, place))
        label_colour = _ranked(
            {x: (label_colour[x], tuple(sorted(seen))) for x, seen in joins.items()}
        )
        now = len(set(factor_colour.values())) + len(set(label_colour.values()))
        if now == classes or now == len(factor_colour) + len(label_colour):
            return label_colour, factor_colour
        classes = now


def _oriented(
    order: Sequence[int],
    subscripts: Sequence[Labels],
    swappable: Sequence[bool],
    colour: Mapping[int, int],
    rank: Mapping[int, int],
) -> list[Labels]:
    """The labels of each factor, those of an interchangeable pair in canonical order.

    Where colour and place in the output are equal, labels follow the numbers that factors
    before have given to them.
    """
    far = len(rank)
    number: dict[int, int] = {}
    rows = list(subscripts)

    def key(label: int) -> tuple[int, int, int]:
        return colour[label], rank.get(label, far), number.get(label, len(number))

    for k in order:
        if swappable[k]:
            *lead, i, j = subscripts[k]
            for label in lead:
                number.setdefault(label, len(number))
            rows[k] = (*lead, i, j) if key(i) <= key(j) else (*lead, j, i)
        for label in rows[k]:
            number.setdefault(label, len(number))
    return rows


def _pattern(labels: Labels) -> tuple[int, ...]:
    """Which labels of a factor are the same, as in A[i,i]; colours do not see that."""
    return tuple(map(labels.index, labels))


def _seen_by(
    labels: Labels, swappable: bool, colour: Mapping[int, int], default: int = 0
) -> tuple[int, ...]:
    seen = [colour.get(label, default) for label in labels]
    if swappable:
        seen[-2:] = sorted(seen[-2:])
    return tuple(seen)


def _ranked(colours: Mapping[int, Any]) -> dict[int, int]:
    places = {colour: place for place, colour in enumerate(sorted(set(colours.values())))}
    return {key: places[colour] for key, colour in colours.items()}
