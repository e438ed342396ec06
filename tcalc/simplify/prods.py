"""Rules for the products of all elements but some, over the product of all."""

from __future__ import annotations

from tcalc.expr import build
from tcalc.expr.nodes import Apply, Einsum, Node
from tcalc.primitives.power import power
from tcalc.primitives.reductions import Prod, ProdOthers, prod, prod_others
from tcalc.simplify.engine import of_products_having
from tcalc.simplify.parts import base_and_exponent, parts_of


@of_products_having(ProdOthers)
def others_over_product(node: Einsum) -> Node | None:
    """``prodothers(x)/prod(x) -> 1./x``, where no element of x is zero.

    Example: the gradient of ``log(prod(x))`` is ``1./x``.
    """
    parts = parts_of(node)
    for k, others in enumerate(parts.factors):
        if not (isinstance(others, Apply) and isinstance(others.primitive, ProdOthers)):
            continue
        (x,) = others.args
        row = parts.rows[k]
        whole = prod(x, others.primitive.axes)
        for j, factor in enumerate(parts.factors):
            base, exponent = base_and_exponent(factor)
            if base is whole and exponent < 0 and parts.rows[j] == row[: whole.order]:
                new, rows = (power(x, -1), power(whole, exponent + 1)), (row, parts.rows[j])
                return parts.replaced((k, j), new, rows).build()
    return None


@of_products_having(ProdOthers)
def pairs_over_product(node: Einsum) -> Node | None:
    """``(1 - I).*Π_{k≠i,j} x[k] / prod(x) -> (1./x)*(1./x)' - diag(1./x.^2)``, no x zero.

    Example: the Hessian of ``log(prod(x))`` is ``-diag(1./x.^2)``.
    """
    parts = parts_of(node)
    powers = [base_and_exponent(factor) for factor in parts.factors]
    for d, (whole, exponent) in enumerate(powers):
        if not (isinstance(whole, Apply) and isinstance(whole.primitive, Prod) and exponent < 0):
            continue
        (x,) = whole.args
        if x.order != 1:
            continue
        unit = build.delta(x.dims[0])
        apart = build.subtract(build.ones(unit.dims), unit)
        sizes = dict(enumerate(unit.dims))
        repeated, diagonal = (build.einsum([x], [(1,)], row, sizes) for row in ((0, 1), (1, 1)))
        pairs = prod_others(build.add([(1, unit), (1, repeated), (-1, diagonal)]), 1)
        if pairs not in parts.factors or apart not in parts.factors:
            continue
        p, a = parts.factors.index(pairs), parts.factors.index(apart)
        row = parts.rows[p]
        if set(parts.rows[a]) == set(row) and len(set(row)) == 2:
            rest = (power(whole, exponent + 1), power(x, -1), power(x, -1))
            squares = (rest[0], power(x, -2), unit)
            ends = (row[:1], row[1:]), (row[:1], row)
            return build.subtract(
                *(
                    parts.replaced((d, p, a), new, ((), *rows)).build()
                    for new, rows in zip((rest, squares), ends, strict=True)
                )
            )
    return None


RULES = (others_over_product, pairs_over_product)
