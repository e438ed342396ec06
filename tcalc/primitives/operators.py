"""Local Jacobians that are applied: rules for one tensor, mapped over many directions.

A rule is written for one tangent, or one cotangent, of a primitive that maps over leading batch
axes.  Several directions at once are then a batch: their axes are put in front, the other tensors
of the rule are repeated along them, and one batched call serves all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeAlias

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Const, Delta, Node
from tcalc.expr.primitive import Operator

Rule: TypeAlias = Callable[..., Node]


def operator(
    node: Apply, position: int, context: Sequence[Node], push: Rule, pull: Rule
) -> Operator:
    """The operator with the rules ``push(tangent, *context)`` and ``pull(cotangent, *context)``.

    The rules get all tensors with the same batch axes and give the tangent of `node`, or the
    cotangent of its argument at `position`, with these axes too.
    """
    argument = node.args[position]

    def pushed(tangent: Node) -> Node:
        extra = tangent.order - argument.order
        if is_zero(tangent):
            return build.zeros(node.dims + tangent.dims[argument.order :])
        d = build.transpose(tangent, rotation(tangent.order, argument.order))
        found = push(d, *(repeated(x, d, extra) for x in context))
        return build.transpose(found, rotation(found.order, extra))

    def pulled(cotangent: Node) -> Node:
        extra = cotangent.order - node.order
        if is_zero(cotangent):
            return build.zeros(cotangent.dims[:extra] + argument.dims)
        return pull(cotangent, *(repeated(x, cotangent, extra) for x in context))

    return Operator(pushed, pulled)


def rotation(order: int, shift: int) -> tuple[int, ...]:
    """The permutation that moves the first `shift` axes behind the others."""
    axes = tuple(range(order))
    return axes[shift:] + axes[:shift]


def repeated(x: Node, like: Node, extra: int) -> Node:
    """A tensor repeated along the first `extra` axes of another."""
    return build.broadcast(x, like.dims[:extra] + x.dims)


def unit_multiple(x: Node) -> Fraction | None:
    """The number c where a node is c times the unit matrix, else None.

    >>> from tcalc.expr import shape
    >>> unit_multiple(build.scale(3, build.delta(shape("n")[0])))
    Fraction(3, 1)
    """
    match x:
        case Delta():
            return Fraction(1)
        case Add(terms=((coefficient, Delta()),)):
            return coefficient
        case _:
            return None


def is_zero(x: Node) -> bool:
    """Whether a node is the zero tensor."""
    return isinstance(x, Const) and x.value == 0
