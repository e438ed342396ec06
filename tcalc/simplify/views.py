"""Rules for element-wise functions of transposes, of repeated tensors, and of numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import TypeAlias

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.power import Power, power
from tcalc.simplify.engine import of_functions, of_functions_of, of_views
from tcalc.simplify.flatten import is_contraction
from tcalc.simplify.parts import parts_of


@of_functions
def function_of_view(node: Apply) -> Node | None:
    """``f(x') -> f(x)'`` for an element-wise f, and the same for repeated tensors.

    Example: ``exp(A' + B') -> exp(A + B)'``, ``exp(ones(n)*a) -> ones(n)*exp(a)``.
    """
    if not isinstance(node.primitive, Elementwise) or not node.order:
        return None
    seen = [_seen_through(argument) for argument in node.args]
    layouts = {layout for _, layout in filter(None, seen) if layout is not None}
    if None in seen or len(layouts) > 1:
        return None
    if not layouts:
        core = build.apply(node.primitive, *(build.const(_number(x)) for x in node.args))
        return build.broadcast(core, node.dims)
    row, output = layouts.pop()
    dims = tuple(node.dims[output.index(label)] for label in row)
    cores = [
        build.const(_number(argument), dims) if found is None or found[1] is None else found[0]
        for argument, found in zip(node.args, seen, strict=True)
    ]
    sizes = dict(zip(output, node.dims, strict=True))
    return build.einsum([build.apply(node.primitive, *cores)], [row], output, sizes)


@of_views
def diagonal_of_product(node: Einsum) -> Node | None:
    """``diag(x*y') -> x.*y``, so that what is on the diagonal meets.

    The number of products in views falls.  Example: ``diag(x*x') -> x.^2``.
    """
    for factor, row in zip(node.factors, node.subscripts, strict=True):
        if len(set(row)) < len(row) and is_contraction(factor):
            return parts_of(node).build()
    return None


@of_functions_of(Power)
def power_of_number(node: Apply) -> Node | None:
    """``c^p`` of an exact number, folded where the result is exact: ``4^-1 -> 1/4``."""
    match node:
        case Apply(primitive=Power() as p, args=(Const() as number,)):
            folded = power(number, p.exponent)
            return folded if isinstance(folded, Const) else None
    return None


@of_functions
def function_of_zero(node: Apply) -> Node | None:
    """``f(0) -> 0`` for functions with that value: ``sin(0) -> 0``."""
    match node:
        case Apply(primitive=Elementwise() as f, args=(Const(value=Fraction(numerator=0)),)):
            return build.zeros(node.dims) if f.zero_at_zero else None
    return None


View: TypeAlias = tuple[Node, tuple[Labels, Labels] | None]


def _seen_through(node: Node) -> View | None:
    """A tensor as a view of another: that one, and how its axes lie; a number has any layout.

    Sums are seen through, sums in sums are not: a look goes one level deep.
    """
    if not isinstance(node, Add):
        return _view_of(node)
    inner = [(c, _view_of(term)) for c, term in node.terms]
    found = [(c, part) for c, part in inner if part is not None]
    layouts = {part[1] for _, part in found}
    if len(found) < len(inner) or len(layouts) > 1 or None in layouts:
        return None
    return build.add((c, part[0]) for c, part in found), layouts.pop()


def _view_of(node: Node) -> View | None:
    if isinstance(node, Const):
        return node, None
    if not isinstance(node, Einsum) or not node.is_view or len(node.factors) != 1:
        return None
    row = node.subscripts[0]
    if len(set(row)) < len(row) or isinstance(node.factors[0], Delta):
        return None
    return node.factors[0], (row, node.output)


def _number(node: Node) -> Fraction:
    assert isinstance(node, Const)
    return node.value


RULES = (power_of_number, function_of_zero, function_of_view, diagonal_of_product)
