"""An order of nodes by what they are made of, in which the steps of a recurrence are alike.

The graph orders factors and terms by their digests, which serves to find equal nodes, and gives
every step of an unrolled recurrence an order of its own.  Here the depth comes first: how many
steps lead from the inputs to a node.  It grows by the same number from each step of a recurrence to
the next, so that the code of all steps is the same but for names.  Digests decide between nodes of
one depth and kind only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple, TypeAlias

from tcalc.codegen.program import first_axes
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.primitive import Labels
from tcalc.primitives.elementwise import Elementwise

Key: TypeAlias = tuple[int, int, tuple[Labels, ...], bytes]

_KINDS = {kind: k for k, kind in enumerate((Var, Const, Delta, Einsum, Add, Apply))}

SHALLOW = 3
"""The depth from which on a node is more than an element of an input."""


class Structure:
    """The order among the nodes of a graph, given in post-order, and among the axes of each.

    Products are known when they are `arranged`, operands first.
    """

    def __init__(self, order: Iterable[Node]) -> None:
        self.depth: dict[Node, int] = {}
        self.turned: dict[Node, Labels] = {}
        self.rows: dict[Node, tuple[Labels, ...]] = {}
        depth = self.depth
        for node in order:
            below = max(map(depth.__getitem__, node.operands), default=0)
            # Which one of two transposes is a view of the other depends on digests.
            depth[node] = below if isinstance(node, Einsum) and node.is_view else below + 1

    def key(self, node: Node) -> Key:
        """What nodes are ordered by."""
        rows = self.rows.get(node) or (first_axes(len(node.dims)),)
        return self.depth[node], _KINDS[type(node)], rows, node.digest

    def walk(self, roots: Sequence[Node]) -> list[Node]:
        """A post-order of the graph: of the operands of a node the least deep first.

        So recurrences are walked step by step.  Inputs and elements of them come right before they
        are used.
        """
        order: list[Node] = []
        seen: set[Node] = set()
        pending = [(root, False) for root in reversed(roots)]
        while pending:
            node, expanded = pending.pop()
            if expanded:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                pending.append((node, True))
                operands = [x for x in node.operands if x not in seen]
                if len(operands) > 1:
                    operands.sort(key=self._turn, reverse=True)
                pending += [(operand, False) for operand in operands]
        return order

    def _turn(self, node: Node) -> tuple[bool, Key]:
        """What operands are visited by."""
        return self.depth[node] < SHALLOW, self.key(node)

    def axes(self, node: Node) -> Labels:
        """The axes of a node in the order in which they are best laid out."""
        found = self.turned.get(node)
        return first_axes(len(node.dims)) if found is None else found

    def turn(self, node: Node) -> None:
        """Find the order of axes of what is no product from those of its operands."""
        match node:
            case Einsum(factors=(core,), output=output) if is_turned(node):
                row = self._row(node, core)
                if row != output:
                    self.turned[node] = tuple(map(output.index, row))
            case Add() | Apply(primitive=Elementwise()):
                # Which axis of a symmetric term comes first says nothing of the others.
                known = [x for x in node.operands if not symmetric_axes(x)]
                first = min(known or node.operands, key=self.key)
                if first in self.turned:
                    self.turned[node] = self.turned[first]
            case Var() | Const() | Delta() | Einsum() | Apply():
                pass

    def _row(self, view: Einsum, core: Node) -> Labels:
        """The labels of a view in the order of the axes of what it is a view of."""
        (row,) = view.subscripts
        return tuple([row[axis] for axis in self.turned[core]]) if core in self.turned else row

    def end(self, roots: Iterable[Node]) -> None:
        """Let matrices that are results, and products that these are views and sums of, lie so.

        Those with more axes keep the order that the graph has.
        """
        pending: list[tuple[Node, Labels]] = []
        for root in roots:
            axes = first_axes(len(root.dims))
            if len(axes) != 2:
                continue
            if isinstance(root, Add):
                self.turned[root] = axes
            terms = root.operands if isinstance(root, Add) else (root,)
            pending += [(term, axes) for term in terms]
        while pending:
            node, axes = pending.pop()
            match node:
                case Einsum(factors=(core,), subscripts=(row,), output=output) if is_turned(node):
                    pending.append((core, tuple([row.index(output[axis]) for axis in axes])))
                case Einsum() if not node.is_view:
                    self.turned[node] = axes
                case _:
                    pass

    def arranged(
        self, node: Node, factors: Sequence[Node], rows: Sequence[Labels], output: Labels
    ) -> tuple[tuple[Node, ...], tuple[Labels, ...], Labels]:
        """A product with its factors in order, and labels numbered as they appear then."""
        keys = list(map(self.key, factors))
        place_of = {key: k for k, key in enumerate(sorted(set(keys)))}
        parts = tuple(
            [
                (place_of[key], row, self.turned.get(x), symmetric_axes(x))
                for key, row, x in zip(keys, rows, factors, strict=True)
            ]
        )
        found = _arranged(parts, output, symmetric_axes(node))
        self.rows[node] = found.turned
        # Those of more axes are added to others as a rule, which lie as they are.
        if len(output) == 2 and found.axes != first_axes(2):
            self.turned[node] = found.axes
        return tuple([factors[k] for k in found.places]), found.rows, found.output


Part: TypeAlias = tuple[int, Labels, "Labels | None", bool]
"""A factor: its place in order, its labels, the order of its axes, whether they may be exchanged.

Equal factors have one place; only the last two axes may be exchanged.
"""


class Arrangement(NamedTuple):
    """A product in order: which factor comes where, their labels, and those of the result.

    Labels are numbered as they appear.  `turned` are those of factors with their axes in order, and
    `axes` has the axes of the result in order.
    """

    places: Labels
    rows: tuple[Labels, ...]
    turned: tuple[Labels, ...]
    output: Labels
    axes: Labels


@lru_cache(maxsize=4096)  # the steps of a recurrence have few kinds of products
def _arranged(parts: tuple[Part, ...], output: Labels, symmetric: bool) -> Arrangement:
    """The arrangement of factors, of which it matters only what is their order.

    Of a `symmetric` result the last two axes may be exchanged too.
    """
    rows = [row for _, row, _, _ in parts]
    turned = [row if axes is None else tuple([row[k] for k in axes]) for _, row, axes, _ in parts]
    places = sorted(range(len(parts)), key=lambda k: parts[k][0])
    swappable = [k for k, part in enumerate(parts) if part[3]]
    if swappable or len({part[0] for part in parts}) < len(parts):
        colours = _colours([(parts[k][0], turned[k], parts[k][3]) for k in places], output)
        for k in swappable:
            # Which of the two axes comes first makes no difference.
            turned[k] = rows[k] = _oriented(rows[k], colours)
        places.sort(key=lambda k: (parts[k][0], [colours[x] for x in turned[k]]))
    number: dict[int, int] = {}
    for label in chain(*(turned[k] for k in places), output):
        number.setdefault(label, len(number))
    row = tuple([number[x] for x in output])
    if symmetric:
        row = (*row[:-2], *sorted(row[-2:]))
    return Arrangement(
        tuple(places),
        tuple([tuple([number[x] for x in rows[k]]) for k in places]),
        tuple([tuple([number[x] for x in turned[k]]) for k in places]),
        row,
        tuple(sorted(range(len(row)), key=row.__getitem__)),
    )


Colours: TypeAlias = Mapping[int, tuple[bool, tuple[tuple[int, int], ...]]]
"""Of each label whether it is kept, and the axes of which factors it joins."""


def _colours(parts: Sequence[tuple[int, Labels, bool]], output: Labels) -> Colours:
    """The colours of labels; `parts` has factors in order, with whether axes may be exchanged."""
    joined: dict[int, list[tuple[int, int]]] = {label: [] for label in output}
    for number, row, swappable in parts:
        last = len(row) - 1
        for axis, label in enumerate(row):
            # Both axes of a symmetric pair count as the last one.
            place = last if swappable and axis == last - 1 else axis
            joined.setdefault(label, []).append((number, place))
    return {label: (label in output, tuple(sorted(x))) for label, x in joined.items()}


def _oriented(row: Labels, colours: Colours) -> Labels:
    """The labels of a factor with two axes that may be exchanged, those in order."""
    *lead, i, j = row
    return row if colours[i] <= colours[j] else (*lead, j, i)


def is_turned(node: Einsum) -> bool:
    """Whether a node is a tensor with its axes in another order."""
    if not node.is_view or len(node.factors) != 1:
        return False
    (row,) = node.subscripts
    return len(row) == len(node.output) == len(set(row))
