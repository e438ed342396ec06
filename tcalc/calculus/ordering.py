"""Products multiplied in order of tensor order: vectors first, then matrices, and so on.

This is the strategy of Laue, Mitterreiter and Giesen (A Simple and Efficient Tensor Calculus, AAAI
2020) for cross-country mode: in ``A' diag(u) diag(v) A`` the vectors ``u`` and ``v`` meet before
the matrices do.  It looks at orders alone, not at sizes.
"""

from __future__ import annotations

from collections import Counter

from tcalc.expr import build
from tcalc.expr.nodes import Einsum, Node
from tcalc.expr.traverse import rebuild
from tcalc.simplify import flatten


def by_tensor_order(root: Node) -> Node:
    """The same tensor, every product of it a tree of products of two factors."""
    return rebuild(flatten([root], inline="single"), _paired)[0]


def _paired(node: Node) -> Node:
    if not isinstance(node, Einsum) or node.is_view or len(node.factors) < 3:
        return node
    operands = list(zip(node.factors, node.subscripts, strict=True))
    uses = Counter(label for _, row in operands for label in set(row))
    uses.update(node.output)
    while len(operands) > 1:
        pairs = [(a, b) for b in range(len(operands)) for a in range(b)]
        a, b = min(pairs, key=lambda pair: _rank(operands[pair[0]][1], operands[pair[1]][1], uses))
        (y, right), (x, left) = operands.pop(b), operands.pop(a)
        uses.subtract({*left, *right})
        uses.subtract(set(left) & set(right))
        kept = tuple(label for label in dict.fromkeys(left + right) if uses[label] > 0)
        uses.update(kept)
        operands.append((build.einsum([x, y], [left, right], kept), kept))
    ((product, row),) = operands
    return build.einsum([product], [row], node.output)


def _rank(
    left: tuple[int, ...], right: tuple[int, ...], uses: Counter[int]
) -> tuple[bool, int, int, int]:
    """What is multiplied first: what is joined, and of the lowest order."""
    union = {*left, *right}
    shared = set(left) & set(right)
    result = sum(uses[label] > 1 + (label in shared) for label in union)
    high, low = max(len(left), len(right)), min(len(left), len(right))
    return not shared and low > 0, high, low, result
