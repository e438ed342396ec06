"""Numbers that are not rational."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Fact, Holds, LinearMap, Notation, Style
from tcalc.primitives.arrays import np
from tcalc.primitives.routines import Coded, Routine, Template


class Pi(Coded):
    """The ratio of a circle's circumference to its diameter."""

    name = "pi"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        return ((),)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        return ()

    def evaluate(self, *arrays: Any) -> Any:
        raise TypeError("pi has no arguments: ask for its `constant`")

    def constant(self, dims: Shape, sizes: Mapping[str, int]) -> Any:
        return np.pi

    def routine(self, node: Apply) -> Routine:
        return Template("np.pi")

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return True if fact in (Fact.POSITIVE, Fact.NONNEGATIVE) else None

    def notation(self, node: Apply) -> Notation:
        return Notation(Style.SYMBOL, "pi", r"\pi")


def pi() -> Node:
    """The number π as a scalar node."""
    return build.apply(Pi())


CONSTANTS = {"pi": pi}
"""The names that are constants unless a program declares them."""
