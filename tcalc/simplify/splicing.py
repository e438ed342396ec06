"""Products changed as a whole: opened to any depth, spliced into others, factors exchanged."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from itertools import count

from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.labels import relabelled
from tcalc.expr.nodes import Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.simplify.coefficients import ONE
from tcalc.simplify.flatten import FACTORS, is_contraction
from tcalc.simplify.parts import Parts, parts_of


def is_between(parts: Parts, label: int) -> bool:
    """Whether two factors have an index between them, summed over."""
    return label not in parts.output and parts.uses(label) == 2


def joined(parts: Parts, gone: Collection[int], left: int, right: int, dim: Dim) -> Parts:
    """The product with a unit matrix between two labels in place of some factors."""
    if left != right and right in parts.output:
        if left in parts.output:
            return changed(parts, gone, [build.delta(dim)], [(left, right)])
        left, right = right, left
    kept = changed(parts, gone, [], [])
    rows = tuple(tuple(left if x == right else x for x in row) for row in kept.rows)
    renamed = Parts(kept.coefficient, kept.factors, rows, kept.output, kept.dims)
    if renamed.uses(left) or left in parts.output:
        return renamed
    return changed(renamed, (), [build.ones((dim,))], [(left,)])


def changed(
    parts: Parts,
    gone: Collection[int],
    factors: Sequence[Node],
    rows: Sequence[Labels],
    number: Fraction = ONE,
) -> Parts:
    """The product with some factors replaced, and multiplied by a number."""
    kept = parts.replaced(tuple(gone), factors, rows)
    dims = dict(kept.dims)
    for factor, row in zip(factors, rows, strict=True):
        dims.update(zip(row, factor.dims, strict=True))
    return Parts(kept.coefficient * number, kept.factors, kept.rows, kept.output, dims)


def opened(parts: Parts) -> Parts:
    """The product with the products among its factors opened, but those that are vectors."""
    while any(map(_opens, parts.factors)) and len(parts.factors) <= FACTORS:
        inner = [parts_of(x) if _opens(x) else alone(x) for x in parts.factors]
        parts = spliced(parts, inner)
    return parts


def _opens(node: Node) -> bool:
    return node.order > 1 and is_contraction(node)


def alone(node: Node) -> Parts:
    """A tensor as a product of itself alone."""
    axes = tuple(range(node.order))
    return Parts(ONE, (node,), (axes,), axes, dict(enumerate(node.dims)))


def spliced(outer: Parts, inner: Sequence[Parts]) -> Parts:
    """A product with each of its factors written as a product."""
    fresh = count(1 + max(outer.dims, default=-1))
    factors: list[Node] = []
    rows: list[Labels] = []
    coefficient = outer.coefficient
    for part, row in zip(inner, outer.rows, strict=True):
        known = dict(zip(part.output, row, strict=True))
        coefficient *= part.coefficient
        factors += part.factors
        rows += relabelled(part.rows, known, fresh)
    dims = dict(outer.dims)
    for factor, labels in zip(factors, rows, strict=True):
        dims.update(zip(labels, factor.dims, strict=True))
    return Parts(coefficient, tuple(factors), tuple(rows), outer.output, dims)


def factors_of(node: Einsum) -> Parts:
    """A product, or a view, over its own factors."""
    rows = zip((*node.factors, node), (*node.subscripts, node.output), strict=True)
    dims = {label: dim for x, row in rows for label, dim in zip(row, x.dims, strict=True)}
    return Parts(ONE, node.factors, node.subscripts, node.output, dims)
