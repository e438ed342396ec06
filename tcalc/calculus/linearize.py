"""Local Jacobians: one rule per kind of node, and nothing else that knows how to differentiate.

The edge from an operand ``u`` to its user ``v`` is a linear map (`tcalc.expr.primitive`):

- a sum passes its coefficient: ``dv = c du``;
- a product multiplies by its *other* factors; labels that operand and result share are unit
  tensors already eliminated, a label that occurs in the operand alone and is summed leaves the
  ones tensor (the side condition of theorem 8 in Laue, Mitterreiter, Giesen, arXiv 2010.03313);
- a primitive has its own expression.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from fractions import Fraction
from typing import assert_never

from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.primitive import LinearMap, LinearTerm, Operator


def edges(node: Node, live: Container[Node]) -> Iterator[tuple[Node, LinearMap | Operator]]:
    """The operands of a node that are live, once per occurrence, with their local Jacobians."""
    match node:
        case Var() | Const() | Delta():
            return
        case Add(terms=terms):
            axes = tuple(range(node.order))
            for coefficient, operand in terms:
                if operand in live:
                    yield operand, (LinearTerm(coefficient, (), (), axes, axes),)
        case Einsum(factors=factors, subscripts=subscripts, output=output):
            for k, operand in enumerate(factors):
                if operand in live:
                    term = LinearTerm(
                        Fraction(1),
                        factors[:k] + factors[k + 1 :],
                        subscripts[:k] + subscripts[k + 1 :],
                        output,
                        subscripts[k],
                    )
                    yield operand, (term,)
        case Apply(primitive=primitive, args=args):
            for k, operand in enumerate(args):
                if operand in live:
                    yield operand, primitive.jacobian(node, k)
        case _:
            assert_never(node)
