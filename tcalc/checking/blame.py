"""Which function is to blame for a wrong derivative: every local Jacobian against numbers.

The tangent of a function by its values alone (`tcalc.checking.duals`) is compared with what its
rule makes of the tangent of each argument, and, through ``<u, J d> = <J' u, d>``, with what it
makes of a random cotangent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tcalc import printing
from tcalc.calculus.accumulate import pulled, pushed
from tcalc.checking.duals import duals, tangent
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
        at = [found.values[x] for x in node.args]
        for position, argument in enumerate(node.args):
            if argument not in found.tangents:
                continue
            move = found.tangents[argument]
            along = [move if k == position else np.zeros_like(x) for k, x in enumerate(at)]
            weight = np.asarray(generator.standard_normal(found.values[node].shape))

            def wrong(
                expected: Array, node: Apply = node, k: int = position, u: Array = weight
            ) -> tuple[Rule, float] | None:
                return _wrong(node, k, found.tangents[node.args[k]], u, expected, values, sizes)

            try:
                fault = wrong(tangent(node, at, along)[0])
                if fault and node.primitive.analytic:
                    plain, _ = tangent(node, at, along, by_differences=True)
                    fault = wrong(plain) or ("complex values", fault[1])
            except DomainError:
                continue
            if fault:
                texts = name_of(node), text_of(node), position, text_of(argument)
                culprits.append(Blame(*texts, *fault, (places or {}).get(node)))
    return sorted(culprits, key=lambda blame: -blame.error)


def _wrong(
    node: Apply,
    position: int,
    move: Array,
    weight: Array,
    expected: Array,
    values: Mapping[str, Any],
    sizes: Mapping[str, int],
) -> tuple[Rule, float] | None:
    """The error of a local Jacobian applied to a direction, else to a cotangent, if any."""
    argument = node.args[position]
    jacobian = node.primitive.jacobian(node, position)
    # No name of a program has a space.
    direction = build.var("the direction", argument.dims)
    cotangent = build.var("the cotangent", node.dims)
    forward = _summed(pushed(jacobian, node, direction), node)
    backward = _summed(pulled(jacobian, argument, cotangent), argument)
    given = {**values, direction.name: move, cotangent.name: weight}
    push, pull = evaluate([forward, backward], given, sizes)
    scale = max(_largest(expected), _largest(push), 1e-30)
    if (error := _largest(push - expected) / scale) > TOLERANCE:
        return "pushforward", error
    left, right = float(np.sum(weight * expected)), float(np.sum(pull * move))
    bulk = float(np.sum(np.abs(weight * expected)) + np.sum(np.abs(pull * move))) + 1e-30
    if (error := abs(left - right) / bulk) > TOLERANCE:
        return "pullback", error
    return None


def _summed(terms: Sequence[tuple[Any, Node]], like: Node) -> Node:
    return build.add(terms) if terms else build.zeros(like.dims)


def _largest(x: Array) -> float:
    found = float(np.max(np.abs(x), initial=0.0))
    return found if np.isfinite(found) else np.inf


def name_of(node: Apply) -> str:
    """The name of a function, as the language has it."""
    return node.primitive.notation(node).name or node.primitive.name


def text_of(node: Node) -> str:
    """A node in the language, in one line and not too long."""
    text = " ".join(printing.to_text(node, cse=False).split())
    return text if len(text) <= TEXT else text[: TEXT - 1] + "…"
