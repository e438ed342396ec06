"""Rules for pseudo-inverses: ``A*pinv(A)`` and ``pinv(A)*A`` are symmetric projections.

They leave alone what is in their range: ``A*pinv(A)*A = A``, and so ``A'*A*pinv(A) = A'``.
"""

from __future__ import annotations

from collections.abc import Iterator

from tcalc.expr import build
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Apply, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.primitives.pinv import PseudoInverse
from tcalc.simplify.engine import of_products_having, of_views
from tcalc.simplify.parts import Parts, parts_of
from tcalc.simplify.splicing import is_between


@of_products_having(PseudoInverse)
def projected_on_range(node: Einsum) -> Node | None:
    """``A*pinv(A)*A -> A`` and ``pinv(A)*A*pinv(A) -> pinv(A)`` in a product, also transposed.

    As ``A*pinv(A)`` is symmetric, ``A'*A*pinv(A) -> A'`` and ``pinv(A)*A*A' -> A'`` too.
    """
    parts = parts_of(node)
    for k, p in enumerate(parts.factors):
        if not (isinstance(p, Apply) and isinstance(p.primitive, PseudoInverse) and p.order == 2):
            continue
        for j, a in enumerate(parts.factors):
            if a is p.args[0]:
                new = _without_projection(parts, k, j)
                if new is not None:
                    return new
    return None


@of_views
def projection_turned(node: Einsum) -> Node | None:
    """``(A*pinv(A))' -> A*pinv(A)`` and ``(pinv(A)*A)' -> pinv(A)*A``: one transpose less."""
    if len(node.factors) != 1 or node.order != 2 or node.subscripts[0] != node.output[::-1]:
        return None
    (core,) = node.factors
    if isinstance(core, Einsum) and len(core.factors) == 2:
        for p, a in (core.factors, core.factors[::-1]):
            if isinstance(p, Apply) and isinstance(p.primitive, PseudoInverse) and a is p.args[0]:
                chains = ("ij", "jk"), ("ji", "kj")
                return core if core in [build.einsum([a, p], x, "ik") for x in chains] else None
    return None


def _without_projection(parts: Parts, k: int, j: int) -> Node | None:
    """A product without ``A*pinv(A)``, the factors j and k, beside one of the two matrices."""
    p, a = parts.factors[k], parts.factors[j]
    for p_row in _turned(p, parts.rows[k]):
        for a_row in _turned(a, parts.rows[j]):
            for side in (0, 1):  # a row of A is a column of pinv(A)
                joint, ends = p_row[1 - side], (a_row[1 - side], p_row[side])
                if joint != a_row[side] or not is_between(parts, joint) or ends[0] == ends[1]:
                    continue
                for near, far in (ends, ends[::-1]):
                    n = _beside(parts, (k, j), near, side)
                    if n is not None:
                        row = tuple(far if label == near else label for label in parts.rows[n])
                        return parts.replaced((k, j, n), (parts.factors[n],), (row,)).build()
    return None


def _beside(parts: Parts, pair: tuple[int, int], near: int, side: int) -> int | None:
    """The other factor with a label, if that is A or its pseudo-inverse and in the range."""
    if not is_between(parts, near):
        return None
    p, a = (parts.factors[k] for k in pair)
    for n, (factor, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        if n not in pair and near in row and len(set(row)) == 2:
            axis = {a: 1 - side, p: side}.get(factor)
            if axis is not None and any(r[axis] == near for r in _turned(factor, row)):
                return n
    return None


def _turned(node: Node, row: Labels) -> Iterator[Labels]:
    yield row
    if symmetric_axes(node):
        yield row[::-1]


RULES = (projected_on_range, projection_turned)
