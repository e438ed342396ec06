"""Products of antisymmetric tensors, each with its indices in one order.

    D[j,i] D[j,i] s[j,i]  ->  D[i,j] D[i,j] s[i,j]    where D[i,j] = x[i] - x[j] and s[i,j] = s[j,i]

Second derivatives of functions of differences have every term twice, once from either side; in one
order of indices both are one node.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from tcalc.codegen.distribute import is_permuted
from tcalc.expr import build
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Add, Einsum, Node
from tcalc.expr.symmetry import parity
from tcalc.expr.traverse import postorder, rebuild

Exchange = tuple[int, int, int]
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
    order = postorder(roots)
    found = {x: -1 for x in order if isinstance(x, Add) and _exchanges(x, -1)}
    if not found:
        return list(roots)
    known: dict[Node, list[Exchange]] = {}

    def exchanges(node: Node) -> list[Exchange]:
        if node not in known:
            known[node] = _exchanges(node, -1) + _exchanges(node, 1)
        return known[node]

    def changed(node: Node) -> Node:
        if not isinstance(node, Einsum):
            return node
        core, output = node, node.output
        if is_permuted(node):
            ((inner,), (row,)) = node.factors, node.subscripts
            assert isinstance(inner, Einsum)
            number = dict(zip(row, inner.output, strict=True))
            core, output = inner, tuple(number[label] for label in node.output)
        if core.is_view or not any(x[2] < 0 for f in core.factors for x in exchanges(f)):
            return node
        labels = {label for row in core.subscripts for label in row}
        rank = {label: k for k, label in enumerate((*output, *sorted(labels - set(output))))}
        sign = 1
        rows: list[tuple[int, ...]] = []
        for factor, row in zip(core.factors, core.subscripts, strict=True):
            turned = list(row)
            for i, j, parity_of_both in exchanges(factor):
                if rank[turned[i]] > rank[turned[j]]:
                    turned[i], turned[j] = turned[j], turned[i]
                    sign *= parity_of_both
            rows.append(tuple(turned))
        if rows == list(core.subscripts):
            return node
        dims = dict(zip(output, node.dims, strict=True))
        return build.scale(sign, build.einsum(core.factors, rows, output, dims))

    return rebuild(roots, changed)


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
