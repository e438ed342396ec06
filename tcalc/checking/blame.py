"""Which function is to blame for a wrong derivative: every local Jacobian against numbers.

The tangent of a function by its values alone (`tcalc.checking.duals`) is compared with what its
rule makes of the tangent of each argument, and, through ``<u, J d> = <J' u, d>``, with what it
makes of a random cotangent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tcalc import printing
from tcalc.calculus.accumulate import pulled, pushed
from tcalc.checking.duals import Duals, duals, tangent
from tcalc.checking.magnitudes import distance
from tcalc.checking.report import Blame, Rule
from tcalc.errors import DomainError, Span
from tcalc.expr import build
from tcalc.expr.nodes import Apply, Node, Var
from tcalc.expr.traverse import postorder
from tcalc.interpret import evaluate
from tcalc.primitives.arrays import NumPyArray as Array

TOLERANCE = 1e-7
TEXT = 60
"""The most characters of a function's text."""


def blamed(
    function: Node,
    values: Mapping[str, Any],
    moves: Mapping[Var, Array],
    sizes: Mapping[str, int],
    generator: np.random.Generator,
    places: Mapping[Node, Span] | None = None,
) -> list[Blame]:
    """The functions below a node whose local Jacobians are wrong at these values, worst first."""
    found = duals([function], values, moves, sizes)
    culprits: list[Blame] = []
    for node in postorder([function]):
        if not isinstance(node, Apply):
            continue
        for position, argument in enumerate(node.args):
            if argument not in found.tangents:
                continue
            weight = np.asarray(generator.standard_normal(found.values[node].shape))
            try:
                fault = _Suspect(node, position, found, weight, values, sizes).fault()
            except DomainError:
                continue
            if fault:
                texts = name_of(node), text_of(node), position, text_of(argument)
                culprits.append(Blame(*texts, *fault, (places or {}).get(node)))
    return sorted(culprits, key=lambda blame: -blame.error)


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A local Jacobian at the values `found`, to be held against numbers.

    It is that of a function by the argument at a position; `weight` is a cotangent.
    """

    node: Apply
    position: int
    found: Duals
    weight: Array
    values: Mapping[str, Any]
    sizes: Mapping[str, int]

    def fault(self) -> tuple[Rule, float] | None:
        """Which of its rules is wrong, and by how much; None where all are right."""
        fault = self._wrong(self._tangent(by_differences=False))
        if fault is None or not self.node.primitive.analytic:
            return fault
        return self._wrong(self._tangent(by_differences=True)) or ("complex values", fault[1])

    def _tangent(self, by_differences: bool) -> Array:
        """The tangent of the function where its one argument moves."""
        at, moves = self.found.around(self.node)
        along = [x if k == self.position else np.zeros_like(x) for k, x in enumerate(moves)]
        return tangent(self.node, at, along, by_differences=by_differences)[0]

    def _wrong(self, expected: Array) -> tuple[Rule, float] | None:
        """The error of the Jacobian applied to a direction, else to a cotangent, if any."""
        argument = self.node.args[self.position]
        move = self.found.tangents[argument]
        jacobian = self.node.primitive.jacobian(self.node, self.position)
        # No name of a program has a space.
        direction = build.var("the direction", argument.dims)
        cotangent = build.var("the cotangent", self.node.dims)
        forward = _summed(pushed(jacobian, self.node, direction), self.node)
        backward = _summed(pulled(jacobian, argument, cotangent), argument)
        given = {**self.values, direction.name: move, cotangent.name: self.weight}
        push, pull = evaluate([forward, backward], given, self.sizes)
        scale = max(distance(expected, 0.0), distance(push, 0.0), 1e-30)
        if (error := distance(push, expected) / scale) > TOLERANCE:
            return "pushforward", error
        left, right = self.weight * expected, pull * move
        bulk = float(np.sum(np.abs(left)) + np.sum(np.abs(right))) + 1e-30
        if (error := abs(float(np.sum(left)) - float(np.sum(right))) / bulk) > TOLERANCE:
            return "pullback", error
        return None


def _summed(terms: Sequence[tuple[Any, Node]], like: Node) -> Node:
    return build.add(terms) if terms else build.zeros(like.dims)


def name_of(node: Apply) -> str:
    """The name of a function, as the language has it."""
    return node.primitive.notation(node).name or node.primitive.name


def text_of(node: Node) -> str:
    """A node in the language, in one line and not too long."""
    text = " ".join(printing.to_text(node, cse=False).split())
    return text if len(text) <= TEXT else text[: TEXT - 1] + "…"
