"""What planning is told of the factors of a product beside their labels."""

from __future__ import annotations

from collections.abc import Sequence

from tcalc.expr.nodes import Apply, Node
from tcalc.planning import Indicator, Special, Triangle
from tcalc.primitives.onehot import is_onehot
from tcalc.primitives.selection import LowerMask


def special_among(factors: Sequence[Node]) -> dict[int, Special]:
    """By their positions the factors that only say where elements are, and triangles of ones."""
    found: dict[int, Special] = {}
    for k, factor in enumerate(factors):
        if is_onehot(factor):
            found[k] = Indicator()
        elif adds_up(factor):
            found[k] = Triangle()
    return found


def adds_up(factor: Node) -> bool:
    """Whether a factor is a triangle of ones, products with which are running sums."""
    mask = factor.primitive if isinstance(factor, Apply) else None
    return isinstance(mask, LowerMask) and mask.adds_up
