"""Functions of one number, given as expressions: substituted, differentiated, evaluated.

A spectral function carries such a function, built from element-wise primitives, products, sums and
numbers over scalar variables; its divided differences need the function's own derivatives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Const, Einsum, Node, Var
from tcalc.expr.traverse import postorder
from tcalc.primitives.elementwise import Elementwise


def scalar_derivative(g: Node, by: Var) -> Node:
    """The derivative of a scalar expression by one of its variables.

    >>> x = build.var("x", ())
    >>> scalar_derivative(build.einsum([x, x], ",->"), x) is build.scale(2, x)
    True
    """
    found: dict[Node, Node] = {by: build.ones()}
    for node in postorder([g]):
        moving = [k for k, operand in enumerate(node.operands) if operand in found]
        if not moving:
            continue
        terms: list[tuple[build.Number, Node]] = []
        for k in moving:
            change = found[node.operands[k]]
            match node:
                case Add(terms=parts):
                    terms.append((parts[k][0], change))
                case Einsum(factors=factors):
                    terms.append((1, build.hadamard(change, *factors[:k], *factors[k + 1 :])))
                case Apply(primitive=Elementwise() as function):
                    terms.append((1, build.hadamard(function.slope(node, k), change)))
                case _:
                    raise TypeError(f"{node!r} is no function of numbers")
        found[node] = build.add(terms)
    return found.get(g, build.zeros())


def scalar_applied(g: Node, values: Mapping[Node, Node]) -> Node:
    """The expression, element by element, with tensors of one shape for its variables."""
    like = next(iter(values.values()))
    found: dict[Node, Node] = dict(values)
    for node in postorder([g]):
        operands = [found[operand] for operand in node.operands if operand in found]
        match node:
            case Var():
                continue
            case Const(value=value):
                found[node] = build.const(value, like.dims)
            case Add(terms=terms):
                found[node] = build.add((c, x) for (c, _), x in zip(terms, operands, strict=True))
            case Einsum():
                found[node] = build.hadamard(*operands)
            case Apply(primitive=primitive):
                found[node] = build.broadcast(build.apply(primitive, *operands), like.dims)
    return found[g]


def scalar_value(g: Node, values: Mapping[Node, Any]) -> Any:
    """The value of the expression on arrays that broadcast."""
    found: dict[Node, Any] = dict(values)
    for node in postorder([g]):
        operands = [found[operand] for operand in node.operands if operand in found]
        match node:
            case Const(value=value):
                found[node] = float(value)
            case Add(terms=terms):
                found[node] = sum(float(c) * x for (c, _), x in zip(terms, operands, strict=True))
            case Einsum():
                found[node] = 1.0
                for x in operands:
                    found[node] = found[node] * x
            case Apply(args=()):
                found[node] = node.primitive.constant((), {})
            case Apply(primitive=primitive):
                found[node] = primitive.evaluate(*operands)
    return found[g]
