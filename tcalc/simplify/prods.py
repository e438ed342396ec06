"""Rules for the products of all elements but some, by the product of all."""

from __future__ import annotations

from tcalc.expr import build
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Add, Apply, Const, Einsum, Node
from tcalc.expr.primitive import Fact
from tcalc.primitives.power import power
from tcalc.primitives.reductions import Prod, ProdOthers, prod, prod_others
from tcalc.simplify.engine import of_functions_of, of_products_having
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
        apart, pairs = _pairs(x)
        if pairs not in parts.factors or apart not in parts.factors:
            continue
        p, a = parts.factors.index(pairs), parts.factors.index(apart)
        row = parts.rows[p]
        if set(parts.rows[a]) == set(row) and len(set(row)) == 2:
            rest = (power(whole, exponent + 1), power(x, -1), power(x, -1))
            squares = (rest[0], power(x, -2), build.delta(x.dims[0]))
            ends = (row[:1], row[1:]), (row[:1], row)
            return build.subtract(
                *(
                    parts.replaced((d, p, a), new, ((), *rows)).build()
                    for new, rows in zip((rest, squares), ends, strict=True)
                )
            )
    return None


@of_functions_of(ProdOthers)
def others_of_positive(node: Apply) -> Node | None:
    """``prodothers(x) -> prod(x)./x`` where the elements of x are known to be positive.

    The number of products of others falls.
    """
    match node:
        case Apply(primitive=ProdOthers() as p, args=(x,)) if holds(x, Fact.POSITIVE) is True:
            axes = tuple(range(x.order))
            lead = axes[: x.order - p.axes]
            return build.einsum([prod(x, p.axes), power(x, -1)], [lead, axes], axes)
    return None


@of_products_having(ProdOthers)
def pairs_of_positive(node: Einsum) -> Node | None:
    """``(1 - I).*Π_{k≠i,j} x[k] -> prod(x)*((1./x)*(1./x)' - diag(1./x.^2))`` for positive x.

    The number of products of others falls.
    Example: the Hessian of ``prod(x)`` is ``prod(x)*((1./x)*(1./x)' - diag(1./x.^2))``.
    """
    parts = parts_of(node)
    for p, factor in enumerate(parts.factors):
        match factor:
            case Apply(primitive=ProdOthers(axes=1), args=(Add() as others,)):
                vectors = [x for term in others.operands for x in term.operands if x.order == 1]
                x = next((x for x in vectors if not isinstance(x, Const)), None)
                if x is None or holds(x, Fact.POSITIVE) is not True:
                    continue
                apart, pairs = _pairs(x)
                if pairs is not factor or apart not in parts.factors:
                    continue
                a = parts.factors.index(apart)
                row = parts.rows[p]
                if set(parts.rows[a]) == set(row) and len(set(row)) == 2:
                    one = power(x, -1)
                    squares = build.einsum([power(x, -2)], [(0,)], (0, 0))
                    both = build.subtract(build.outer(one, one), squares)
                    return parts.replaced((p, a), (prod(x, 1), both), ((), row)).build()
    return None


def _pairs(x: Node) -> tuple[Node, Node]:
    """``1 - I`` and, off the diagonal, the products of all elements of a vector but two."""
    unit = build.delta(x.dims[0])
    apart = build.subtract(build.ones(unit.dims), unit)
    sizes = dict(enumerate(unit.dims))
    repeated, diagonal = (build.einsum([x], [(1,)], row, sizes) for row in ((0, 1), (1, 1)))
    return apart, prod_others(build.add([(1, unit), (1, repeated), (-1, diagonal)]), 1)


RULES = (others_over_product, pairs_over_product, others_of_positive, pairs_of_positive)
