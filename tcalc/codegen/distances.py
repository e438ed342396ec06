"""Sums of squares, recognised: ``Σ_k (A[i,k] - B[j,k])²``, and ``Σ x²`` as ``x' x``.

An array of all differences takes k times the memory of the result, and the time to write and read
it; the expansion by squared norms cancels where rows are near.  See `tcalc.primitives.distances`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeGuard

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Einsum, Node
from tcalc.expr.traverse import postorder, rebuild
from tcalc.primitives.distances import SquaredDistance
from tcalc.primitives.power import Power

SQUARE = Power(2)


def with_distances(roots: Sequence[Node]) -> list[Node]:
    """The roots with sums of squared differences computed as such."""
    found = any(isinstance(x, Apply) and x.primitive == SQUARE for x in postorder(roots))
    return rebuild(roots, _changed) if found else list(roots)


def _changed(node: Node) -> Node:
    if not isinstance(node, Einsum) or node.is_view or not any(map(_is_square, node.factors)):
        return node
    if (found := _scalar_product(node)) is not None:
        return found
    for place, (factor, row) in enumerate(zip(node.factors, node.subscripts, strict=True)):
        if not _is_square(factor):
            continue
        elsewhere = {x for k, other in enumerate(node.subscripts) if k != place for x in other}
        alone = [label for label in row if label not in elsewhere and label not in node.output]
        if len(row) != 3 or len(set(row)) != 3 or len(alone) != 1:
            continue
        found = _distance(factor, row.index(alone[0]))
        if found is None:
            continue
        factors, rows = list(node.factors), list(node.subscripts)
        factors[place], rows[place] = found, tuple(x for x in row if x != alone[0])
        return build.einsum(
            factors, rows, node.output, dict(zip(node.output, node.dims, strict=True))
        )
    return node


def _is_square(node: Node) -> TypeGuard[Apply]:
    return (
        isinstance(node, Apply)
        and isinstance(node.primitive, Power)
        and node.primitive.exponent == 2
    )


def _scalar_product(node: Einsum) -> Node | None:
    """``Σ x²``, ``Σ w x²`` over all elements as the scalar products that BLAS has."""
    for place, (factor, row) in enumerate(zip(node.factors, node.subscripts, strict=True)):
        if not _is_square(factor):
            continue
        (x,) = factor.args
        others = [set(r) for k, r in enumerate(node.subscripts) if k != place]
        # A weight of each element is multiplied with x, as in gradients, rather than with x².
        alone = all(other.isdisjoint(row) or other == set(row) for other in others)
        if row and alone and not set(node.output) & set(row):
            factors = [*node.factors[:place], x, x, *node.factors[place + 1 :]]
            rows = [*node.subscripts[:place], row, row, *node.subscripts[place + 1 :]]
            return build.einsum(
                factors, rows, node.output, dict(zip(node.output, node.dims, strict=True))
            )
    return None


def _distance(factor: Apply, summed: int) -> Node | None:
    """The sum over one axis of a square, where it is that of a difference of broadcast rows."""
    (inner,) = factor.args
    outer = Fraction(1)
    if isinstance(inner, Add) and len(inner.terms) == 1:
        ((outer, inner),) = inner.terms
    match inner:
        case Add(terms=((c, Einsum() as first), (d, Einsum() as second))) if c == -d:
            pass
        case _:
            return None
    kept = [axis for axis in range(3) if axis != summed]
    sides = [_rows(first, summed), _rows(second, summed)]
    if None in sides or {axis for axis, _ in filter(None, sides)} != set(kept):
        return None
    rows = dict(filter(None, sides))
    made = build.apply(SquaredDistance(), rows[kept[0]], rows[kept[1]])
    return build.scale((outer * c) ** 2, made)


def _rows(term: Einsum, summed: int) -> tuple[int, Node] | None:
    """The axis that the rows of a broadcast matrix run with, and the matrix with its rows first."""
    if not term.is_view or len(term.factors) != 1 or len(set(term.output)) != 3:
        return None
    ((core,), (row,)) = term.factors, term.subscripts
    axes = [axis for axis, label in enumerate(term.output) if label in row]
    if len(row) != 2 or len(set(row)) != 2 or len(axes) != 2 or summed not in axes:
        return None
    (axis,) = (x for x in axes if x != summed)
    return axis, build.einsum([core], [row], (term.output[axis], term.output[summed]))
