"""Names of indices, kept beside the nodes.

Labels are numbers without meaning, so that equal tensors are one node.  What a person calls an
axis travels apart: from the program, through its derivatives, to whoever writes a formula.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from tcalc.expr.nodes import Node

AxisNames: TypeAlias = tuple[tuple[str, ...], ...]
"""For each axis of a tensor the names of the indices that it has had, the first one first."""

IndexNames: TypeAlias = Mapping[Node, AxisNames]
"""The tensors whose axes have names; what a program never indexes is not among them."""

MOST_NAMES = 8
"""The most names that are kept of an axis; a formula has use for a few."""


def joined(several: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """The names in some lists, each once, in order.

    >>> joined([("i", "j"), ("i", "k")])
    ('i', 'j', 'k')
    """
    found = dict.fromkeys(name for names in several for name in names)
    return tuple(found)[:MOST_NAMES]


def merged(first: IndexNames, second: IndexNames) -> IndexNames:
    """The names of both; an axis that both know has those of the first one before the others.

    Tensors without names on any axis are left out of the second.
    """
    second = {node: names for node, names in second.items() if any(names)}
    if not (first and second):
        return first or second
    total = {**second, **first}
    for node in first.keys() & second.keys():
        total[node] = tuple(map(joined, zip(first[node], second[node], strict=True)))
    return total


def of_axes(known: IndexNames, *nodes: Node) -> AxisNames:
    """The names of all axes of some tensors, one tensor after the other."""
    return tuple(names for node in nodes for names in known.get(node, ((),) * node.order))
