"""A product of many factors as products of two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from tcalc.expr import build
from tcalc.expr.nodes import Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.expr.traverse import on_core
from tcalc.planning.planner import Step


def in_pairs(
    node: Einsum, path: Sequence[Step], made: Callable[[Node], Node] = lambda node: node
) -> Node:
    """The product along a path of contractions, each of its steps as it is `made`.

    >>> from tcalc.expr import shape
    >>> A, B, C = (build.var(name, shape("n", "n")) for name in "ABC")
    >>> trace = build.einsum([A, B, C], "ij,jk,ki->")
    >>> len(trace.operands), len(in_pairs(trace, [(0, 1), (2, 3)]).operands)
    (3, 2)
    """
    operands: list[tuple[Node, Labels]] = list(zip(node.factors, node.subscripts, strict=True))
    uses = Counter(label for _, row in operands for label in set(row))
    uses.update(node.output)
    for first, second in path:
        (x, a), (y, b) = operands[first], operands[second]
        uses.subtract(set(a) & set(b))
        kept = tuple(k for k in dict.fromkeys(a + b) if uses[k] > 1 or k in node.output)
        operands.append((on_core(build.einsum([x, y], [a, b], kept), made), kept))
    result, row = operands[-1]
    dims = dict(zip(node.output, node.dims, strict=True))
    return build.einsum([result], [row], node.output, dims)
