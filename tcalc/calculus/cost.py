"""What a derivative costs: floating-point operations, counted on the graph.

A flop is one multiplication or one addition.  Products are counted along the path that planning
finds for them, after products that are used once have been opened into their users, as generated
code does; primitives by the work that their routines state, those without code of their own as
they are written out.  This is the quick estimate by which routes are compared;
`tcalc.codegen.work` counts the program itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf, prod
from typing import TypeAlias, assert_never

from tcalc.calculus.terms import nominal
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.primitive import Primitive
from tcalc.expr.traverse import postorder
from tcalc.planning import Inversion, factor_flops
from tcalc.planning import cost as product_cost
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.inverse import Inverse, is_triangle
from tcalc.primitives.routines import Coded, routine_of, work_of
from tcalc.simplify import flatten
from tcalc.simplify.expand import expand
from tcalc.simplify.special import alike_among, special_among, together

Size: TypeAlias = Callable[[Dim], int]
"""The number that a dimension stands for."""


def flops(
    roots: Sequence[Node], sizes: Mapping[str, int] | None = None, enough: float = inf
) -> int:
    """The operations that computing the roots takes, shared work counted once.

    `sizes` are those of the named dimensions; without them every name counts as `nominal`.  The
    count ends where it has come to `enough`.

    >>> from tcalc.expr import build, shape
    >>> A, x = build.var("A", shape("m", "n")), build.var("x", shape("n"))
    >>> flops([build.einsum([A, x], "ij,j->i")], {"m": 10, "n": 20})
    390
    """

    def size(dim: Dim) -> int:
        return nominal(dim) if sizes is None else dim.evaluate(sizes)

    total = 0
    calls: set[tuple[Primitive, tuple[Node, ...]]] = set()
    # Long products, whose order is the work of planning, come last: others may be enough.
    nodes = postorder(flatten(_coded(roots), inline="single"))
    for node in sorted(nodes, key=lambda node: len(node.operands)):
        if total >= enough:
            break
        if isinstance(node, Apply) and node.primitive.outputs > 1:
            call = node.primitive, node.args
            if call in calls:
                continue  # of several results, all are made by one
            calls.add(call)
        total += _of_node(node, size)
    return total


def _of_node(node: Node, size: Size) -> int:
    """The operations that a node takes beside those of its operands."""
    match node:
        case Var() | Const() | Delta():
            return 0
        case Einsum():
            return 0 if node.is_view else _of_product(node, size)
        case Add(terms=((coefficient, term),)):
            return _stored(term, size) if abs(coefficient) != 1 else 0
        case Add(terms=terms):
            scaled = sum(_stored(x, size) for coefficient, x in terms if abs(coefficient) != 1)
            return _volume(node, size) * (len(terms) - 1) + scaled
        case Apply(primitive=Elementwise()):
            return _volume(node, size)
        case Apply(primitive=Inverse(axes=axes), args=(matrix,)):
            # Its factorisation; products count their solves with the factors.
            batch = prod(map(size, node.dims[: -2 * axes]))
            order = prod(map(size, node.dims[-axes:]))
            return batch * factor_flops(order, Inversion(axes, is_triangle(matrix)))
        case Apply():
            return _of_primitive(node, size)
        case _:
            assert_never(node)


def _volume(node: Node, size: Size) -> int:
    return prod(map(size, node.dims))


def _stored(node: Node, size: Size) -> int:
    """The elements of a node, those that unit tensors make zero not counted."""
    if isinstance(node, Einsum) and node.is_view:
        return prod(_volume(x, size) for x in node.factors if not isinstance(x, Delta))
    return _volume(node, size)


def _coded(roots: Sequence[Node]) -> Sequence[Node]:
    """The roots with primitives that have no code of their own written out, as for code."""
    order = postorder(roots)
    if all(isinstance(x.primitive, Coded) for x in order if isinstance(x, Apply)):
        return roots
    return expand(roots)


def _of_primitive(node: Apply, size: Size) -> int:
    shapes = [argument.dims for argument in node.args]
    work = work_of(routine_of(node), shapes, node.primitive.shapes(*shapes))
    return work.evaluate({name: size(Dim.of(name)) for name in sorted(work.names())})


def _of_product(node: Einsum, size: Size) -> int:
    sizes: dict[int, int] = {}
    for factor, row in zip(node.factors, node.subscripts, strict=True):
        sizes.update((label, size(dim)) for label, dim in zip(row, factor.dims, strict=True))
    names, rows, output = together(node.factors, node.subscripts, node.output)
    special = special_among(names)
    for k, name in enumerate(names):
        match name:
            case Apply(primitive=Inverse(axes=axes), args=(matrix,)):
                special[k] = Inversion(axes, is_triangle(matrix))
    return product_cost(rows, output, sizes, special, *alike_among(names))
