"""The names of indices that a program gives to the axes of its tensors.

They are noted while formulas are elaborated, by the steps of the tape, and become names of the
axes of nodes once there are nodes.  They decide nothing: only printers ask for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tcalc.expr import Node
from tcalc.expr.index_names import AxisNames, IndexNames, joined
from tcalc.language.algebra import Value
from tcalc.language.parser import is_name
from tcalc.language.tape import Slot

Place: TypeAlias = tuple[Slot, int]
"""An axis of the tensor of a step."""


class Axes:
    """Names by axis, in the order in which the text gives them."""

    def __init__(self) -> None:
        self._names: dict[Place, dict[str, None]] = {}
        self._like: dict[Place, tuple[Place, ...]] = {}

    def note(self, value: Value, names: Sequence[str]) -> None:
        """Give names to the axes of a value, but where what is given is no name.

        An element has none, and the letters of einsum may be those of any alphabet.
        """
        for axis, name in zip(value.axes, names, strict=True):
            if is_name(name):
                for place in _places(value, axis):
                    self._names.setdefault(place, {})[name] = None

    def derivative(self, slot: Slot, value: Value, variables: Sequence[tuple[Slot, int]]) -> None:
        """Name the axes of a derivative like those of the value, then of variables of some order.

        Those of a variable may get their names later.
        """
        like = [tuple(_places(value, axis)) for axis in value.axes]
        like += [((variable, k),) for variable, order in variables for k in range(order)]
        self._like.update(((slot, k), places) for k, places in enumerate(like))

    def index_names(self, nodes: Mapping[Slot, Node]) -> IndexNames:
        """The names of the axes of nodes, by the nodes that the steps have become."""
        for place, others in self._like.items():
            known = [list(self._names.get(other, ())) for other in others]
            if any(known):
                self._names.setdefault(place, {}).update(dict.fromkeys(joined(known)))
        found: dict[Node, AxisNames] = {}
        for (slot, axis), names in self._names.items():
            node = nodes.get(slot)
            if node is None:
                continue
            rows = list(found.get(node, ((),) * node.order))
            rows[axis] = joined([rows[axis], list(names)])
            found[node] = tuple(rows)
        return found


def _places(value: Value, axis: int) -> list[Place]:
    """The axes of factors that make an axis of a value."""
    return [
        (slot, k)
        for slot, labels in value.factors
        for k, label in enumerate(labels)
        if label == axis
    ]
