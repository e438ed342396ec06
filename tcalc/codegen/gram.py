"""Symmetric products ``P' diag(d) P`` with d ≥ 0, as ``B' B`` with ``B = diag(√d) P``.

NumPy sees that both operands are one array and computes half of the result (BLAS's syrk).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from tcalc.codegen.opening import OpenProduct
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Add, Apply, Const, Node
from tcalc.expr.primitive import Fact, Labels
from tcalc.primitives.onehot import is_onehot
from tcalc.records import dataclass

Part: TypeAlias = tuple[Node, Labels]


@dataclass(frozen=True, slots=True)
class Gram:
    """A product of this kind: the outer factor, its labels at both ends, the weights between."""

    outer: Node
    left: Labels
    right: Labels
    weights: tuple[Part, ...]


def gram(product: OpenProduct) -> Gram | None:
    """The product as one of this kind, if it is: a matrix over one label that both ends share.

    The weights have to be vectors (or numbers) over the summed labels; each must be known not to
    be negative, or occur an even number of times.
    """
    if len(set(product.output)) != 2 or len(product.output) != 2:
        return None
    i, j = product.output
    ends: list[Part] = []
    weights: list[Part] = []
    for part in zip(product.factors, product.rows, strict=True):
        (ends if i in part[1] or j in part[1] else weights).append(part)
    if len(ends) != 2 or not weights or ends[0][0] is not ends[1][0]:
        return None
    (outer, left), (_, right) = ends if i in ends[0][1] else ends[::-1]
    if len(left) != 2 or len(set(left)) != 2 or i not in left or j in left:
        return None
    if right != tuple(j if label == i else label for label in left):
        return None
    if any(isinstance(node, Apply) and not node.args for node, _ in (*ends, *weights)):
        return None  # selections, which index and slice
    if is_onehot(outer):
        return None  # which takes elements and adds them up
    shared = set(left) - {i}
    if all(set(row) <= shared for _, row in weights) and _nonnegative(weights):
        return Gram(outer, left, right, tuple(weights))
    return None


def _nonnegative(weights: Sequence[Part]) -> bool:
    count = Counter(weights)
    return all(times % 2 == 0 or _not_negative(node) for (node, _), times in count.items())


def _not_negative(node: Node) -> bool:
    """Whether no element can be negative: by its facts, or as ``1 - sigmoid(x)`` and the like."""
    if holds(node, Fact.NONNEGATIVE) is True:
        return True
    match node:
        case Add(terms=((a, Const(value=one)), (b, Apply() as bounded))):
            pass
        case Add(terms=((b, Apply() as bounded), (a, Const(value=one)))):
            pass
        case _:
            return False
    return bounded.primitive.bounded and a * one >= abs(b)
