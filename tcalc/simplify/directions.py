"""Unit vectors ``x/norm2(x)``, found before differentiation.

The derivative of a quotient has ``norm2(x)^2``, that of a unit vector has not, so that it stays in
the range of numbers wherever its value does (`tcalc.primitives.norms`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.primitives.norms import Norm2, direction
from tcalc.primitives.power import Power, power
from tcalc.simplify.engine import of_products_having
from tcalc.simplify.flatten import contraction_in
from tcalc.simplify.parts import Parts, base_and_exponent, parts_of


@of_products_having(Power)
def vector_over_norm(node: Einsum) -> Node | None:
    """``x norm2(x)^-p -> direction(x) norm2(x)^(1 - p)`` for whole p > 0, and NaN at 0 as before.

    The vector may stand in a product of its own, and the norm in a product below the line.
    Example: ``x'*y/(norm2(x)*norm2(y)) -> direction(x)'*direction(y)``.
    """
    parts = parts_of(node)
    for k, (factor, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        base, p = base_and_exponent(factor)
        if p >= 0 or p.denominator != 1:
            continue
        for norm, labels, rest in _norms(base, row):
            over = [(power(norm, p + 1), labels), *((power(x, p), at) for x, at in rest)]
            for j, new in _vectors(parts, norm, labels):
                made = [(new, parts.rows[j]), *over]
                return parts.replaced((j, k), *zip(*made, strict=True)).build()
    return None


def _norms(base: Node, row: Labels) -> Iterator[tuple[Apply, Labels, list[tuple[Node, Labels]]]]:
    """The norms in a denominator, each with its labels and with what stands beside it."""
    coefficient, norm = base.terms[0] if _is_multiple(base) else (1, base)
    if isinstance(norm, Apply) and isinstance(norm.primitive, Norm2):
        yield norm, row, [] if coefficient == 1 else [(build.const(coefficient), ())]
    inner = parts_of(base)
    if len(inner.factors) < 2 or set(inner.output) != set().union(*inner.rows):
        return
    named = dict(zip(inner.output, row, strict=True))
    placed = [
        (x, tuple(named[label] for label in labels))
        for x, labels in zip(inner.factors, inner.rows, strict=True)
    ]
    for k, (x, labels) in enumerate(placed):
        if isinstance(x, Apply) and isinstance(x.primitive, Norm2):
            rest = placed[:k] + placed[k + 1 :]
            if inner.coefficient != 1:
                rest.append((build.const(inner.coefficient), ()))
            yield x, labels, rest


def _is_multiple(node: Node) -> TypeGuard[Add]:
    return isinstance(node, Add) and len(node.terms) == 1


def _vectors(parts: Parts, norm: Apply, labels: Labels) -> Iterator[tuple[int, Node]]:
    """Where the vector of a norm stands in a product, and what stands there once it is divided."""
    (x,) = norm.args
    assert isinstance(norm.primitive, Norm2)
    unit = direction(x, norm.primitive.axes, extended=False)
    for j, (factor, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        if factor is x and row[: norm.order] == labels:
            yield j, unit
        opened = contraction_in(factor)
        if opened is None:
            continue
        coefficient, core, output = opened
        named = dict(zip(output, row, strict=True))
        for i, (y, at) in enumerate(zip(core.factors, core.subscripts, strict=True)):
            if y is x and tuple(map(named.get, at[: norm.order])) == labels:
                factors = (*core.factors[:i], unit, *core.factors[i + 1 :])
                yield j, build.scale(coefficient, build.einsum(factors, core.subscripts, output))
