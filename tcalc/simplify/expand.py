"""Primitives without code of their own, written out: the last pass before code is made.

    V diag(g(w)) V'   for a spectral function, with w, V = eigh(A)

What they are made from serves evaluation alone and is not differentiated, so that a function is
expanded after all its derivatives are taken.
"""

from __future__ import annotations

from collections.abc import Sequence

from tcalc.expr.nodes import Apply, Node
from tcalc.expr.traverse import rebuild


def expand(roots: Sequence[Node]) -> list[Node]:
    """The roots with every primitive that has an expansion replaced by it."""
    return rebuild(roots, _expanded)


def _expanded(node: Node) -> Node:
    if isinstance(node, Apply):
        found = node.primitive.expansion(node)
        return node if found is None else found
    return node
