"""Products of antisymmetric tensors, each with its indices in one order.

    D[j,i] D[j,i] s[j,i]  ->  D[i,j] D[i,j] s[i,j]    where D[i,j] = x[i] - x[j] and s[i,j] = s[j,i]

Second derivatives of functions of differences have every term twice, once from either side; in one
order of indices both are one node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TypeAlias

from tcalc.codegen.distribute import is_permuted
from tcalc.expr import build
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Add, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.expr.symmetry import parity
from tcalc.expr.traverse import postorder, rebuild

Exchange: TypeAlias = tuple[int, int, int]
"""Two axes that may be exchanged, and the sign that this takes."""


def with_ordered_indices(roots: Sequence[Node]) -> list[Node]:
    """The roots with the indices of antisymmetric tensors, and of those beside them, in order.

    >>> from tcalc.expr import shape
    >>> X = build.var("X", shape("n", "k"))
    >>> n, k = X.dims
    >>> sides = [build.einsum([X], [row], "ijk", {"i": n, "j": n}) for row in ("ik", "jk")]
    >>> D = build.subtract(*sides)
    >>> one, other = (build.einsum([D, D], rows, "ik") for rows in (("ijk", "ijk"), ("jik", "jik")))
    >>> one is other
    False
    >>> one, other = with_ordered_indices([one, other])
    >>> one is other
    True
    """
    if not any(isinstance(x, Add) and _exchanges(x, -1) for x in postorder(roots)):
        return list(roots)
    return rebuild(roots, _Ordering().ordered)


class _Ordering:
    """Products with their indices in order; the exchanges that tensors allow are kept."""

    def __init__(self) -> None:
        self.known: dict[Node, list[Exchange]] = {}

    def ordered(self, node: Node) -> Node:
        """A node, its indices in order if it is a product that has an antisymmetric tensor."""
        if not isinstance(node, Einsum):
            return node
        core, output = _opened(node)
        if core.is_view or not any(x[2] < 0 for f in core.factors for x in self._exchanges(f)):
            return node
        labels = {label for row in core.subscripts for label in row}
        rank = {label: k for k, label in enumerate((*output, *sorted(labels - set(output))))}
        sign = 1
        rows: list[Labels] = []
        for factor, row in zip(core.factors, core.subscripts, strict=True):
            parity_of_all, turned = self._turned(factor, row, rank)
            sign *= parity_of_all
            rows.append(turned)
        if rows == list(core.subscripts):
            return node
        dims = dict(zip(output, node.dims, strict=True))
        return build.scale(sign, build.einsum(core.factors, rows, output, dims))

    def _turned(self, factor: Node, row: Labels, rank: Mapping[int, int]) -> tuple[int, Labels]:
        """The labels of a factor with those exchanged that are not in order, and the sign of it."""
        sign, turned = 1, list(row)
        for i, j, parity_of_both in self._exchanges(factor):
            if rank[turned[i]] > rank[turned[j]]:
                turned[i], turned[j] = turned[j], turned[i]
                sign *= parity_of_both
        return sign, tuple(turned)

    def _exchanges(self, node: Node) -> list[Exchange]:
        if node not in self.known:
            self.known[node] = _exchanges(node, -1) + _exchanges(node, 1)
        return self.known[node]


def _opened(node: Einsum) -> tuple[Einsum, Labels]:
    """The product that a node is, or is with its axes permuted, and the labels of the result."""
    if not is_permuted(node):
        return node, node.output
    ((inner,), (row,)) = node.factors, node.subscripts
    assert isinstance(inner, Einsum)
    number = dict(zip(row, inner.output, strict=True))
    return inner, tuple(number[label] for label in node.output)


def _exchanges(node: Node, sign: int) -> list[Exchange]:
    """The pairs of axes of a tensor that may be exchanged, with that sign."""
    if sign < 0 and not isinstance(node, Add):
        return []
    found = [
        (i, j, sign)
        for i, j in combinations(range(node.order), 2)
        if node.dims[i] == node.dims[j] and parity(node, i, j) == sign
    ]
    last = (node.order - 2, node.order - 1, 1)
    if sign > 0 and last not in found and symmetric_axes(node):
        found.append(last)
    return found
