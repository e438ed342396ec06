"""What a derivative costs: floating-point operations, counted on the graph.

A flop is one multiplication or one addition.  Products are counted along the path that planning
finds for them, after products that are used once have been opened into their users, as generated
code does; primitives by the work that their routines state, those without code of their own as
they are written out.  This is the quick estimate by which routes are compared;
`tcalc.codegen.work` counts the program itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import assert_never

from tcalc.calculus.terms import nominal
from tcalc.expr.dims import Dim
from tcalc.expr.facts import symmetric_axes
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


def flops(roots: Sequence[Node], sizes: Mapping[str, int] | None = None) -> int:
    """The operations that computing the roots takes, shared work counted once.

    `sizes` are those of the named dimensions; without them every name counts as 100.

    >>> from tcalc.expr import build, shape
    >>> A, x = build.var("A", shape("m", "n")), build.var("x", shape("n"))
    >>> flops([build.einsum([A, x], "ij,j->i")], {"m": 10, "n": 20})
    390
    """

    def size(dim: Dim) -> int:
        return nominal(dim) if sizes is None else dim.evaluate(sizes)

    def volume(node: Node) -> int:
        return prod(map(size, node.dims))

    def stored(node: Node) -> int:
        """The elements of a node, those that unit tensors make zero not counted."""
        if isinstance(node, Einsum) and node.is_view:
            return prod(volume(x) for x in node.factors if not isinstance(x, Delta))
        return volume(node)

    total = 0
    calls: set[tuple[Primitive, tuple[Node, ...]]] = set()
    for node in postorder(flatten(_coded(roots), inline="single")):
        match node:
            case Var() | Const() | Delta():
                continue
            case Einsum():
                total += 0 if node.is_view else _of_product(node, size)
            case Add(terms=((coefficient, term),)):
                total += stored(term) if abs(coefficient) != 1 else 0
            case Add(terms=terms):
                scaled = sum(stored(term) for coefficient, term in terms if abs(coefficient) != 1)
                total += volume(node) * (len(terms) - 1) + scaled
            case Apply(primitive=Elementwise()):
                total += volume(node)
            case Apply(primitive=Inverse(axes=axes), args=(matrix,)):
                # Its factorisation; products count their solves with the factors.
                batch = prod(map(size, node.dims[: -2 * axes]))
                order = prod(map(size, node.dims[-axes:]))
                total += batch * factor_flops(order, Inversion(axes, is_triangle(matrix)))
            case Apply(primitive=primitive, args=args):
                if (primitive, args) not in calls:
                    calls.add((primitive, args))  # of several results, all are made by one
                    total += _of_primitive(node, size)
            case _:
                assert_never(node)
    return total


def _coded(roots: Sequence[Node]) -> Sequence[Node]:
    """The roots with primitives that have no code of their own written out, as for code."""
    order = postorder(roots)
    if all(isinstance(x.primitive, Coded) for x in order if isinstance(x, Apply)):
        return roots
    return expand(roots)


def _of_primitive(node: Apply, size: Callable[[Dim], int]) -> int:
    shapes = [argument.dims for argument in node.args]
    work = work_of(routine_of(node), shapes, node.primitive.shapes(*shapes))
    return work.evaluate({name: size(Dim.of(name)) for name in sorted(work.names())})


def _of_product(node: Einsum, size: Callable[[Dim], int]) -> int:
    sizes: dict[int, int] = {}
    inverses: dict[int, Inversion] = {}
    for k, (factor, row) in enumerate(zip(node.factors, node.subscripts, strict=True)):
        sizes.update((label, size(dim)) for label, dim in zip(row, factor.dims, strict=True))
        match factor:
            case Apply(primitive=Inverse(axes=axes), args=(matrix,)):
                inverses[k] = Inversion(axes, is_triangle(matrix))
    number: dict[Node, int] = {}
    alike = [number.setdefault(factor, len(number)) for factor in node.factors]
    swaps = {number[x]: (x.order - 2, x.order - 1) for x in number if symmetric_axes(x)}
    return product_cost(node.subscripts, node.output, sizes, inverses, alike, swaps)
