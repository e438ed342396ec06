"""Rules for tensors of rows of zeros and a one at a place that is data."""

from __future__ import annotations

from itertools import combinations

from tcalc.expr import build
from tcalc.expr.nodes import Einsum, Node
from tcalc.primitives.onehot import OneHot, is_onehot
from tcalc.simplify.engine import of_products_having
from tcalc.simplify.parts import parts_of


@of_products_having(OneHot)
def rows_with_one_one(node: Einsum) -> Node | None:
    """``onehot(g, m)'*onehot(g, m) -> diag(onehot(g, m)'*ones(n))``, a sum over a row is 1.

    Two elements of a row are not 0 only where they are the same.
    Example: ``onehot(g, m)*ones(m) -> ones(n)``.
    """
    parts = parts_of(node)
    places = [k for k, factor in enumerate(parts.factors) if is_onehot(factor)]
    for k in places:
        factor, row = parts.factors[k], parts.rows[k]
        if row[-1] not in (*row[:-1], *parts.output) and parts.uses(row[-1]) == 1:
            return parts.replaced((k,), (build.ones(factor.dims[:-1]),), (row[:-1],)).build()
    for k, j in combinations(places, 2):
        here, there = parts.rows[k], parts.rows[j]
        if parts.factors[k] is parts.factors[j] and here[:-1] == there[:-1]:
            if here == there:
                return parts.replaced((j,), (), ()).build()
            unit = build.delta(parts.dims[here[-1]])
            return parts.replaced((j,), (unit,), ((here[-1], there[-1]),)).build()
    return None


RULES = (rows_with_one_one,)
