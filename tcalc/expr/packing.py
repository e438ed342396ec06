"""Graphs as flat lists, so that they can be pickled however deep they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.traverse import postorder

Packed: TypeAlias = "tuple[list[tuple[Any, ...]], list[int]]"
"""The nodes, operands before their users and named by their places; and the places of the roots."""


def pack(roots: Sequence[Node]) -> Packed:
    """The graph below some nodes as a flat list.

    >>> from tcalc.expr import build, shape
    >>> x = build.var("x", shape("n"))
    >>> total = build.sum_all(build.add([(2, x)]))
    >>> unpack(pack([total, x])) == [total, x]
    True
    """
    order = postorder(list(roots))
    place = {node: k for k, node in enumerate(order)}
    rows: list[tuple[Any, ...]] = []
    for node in order:
        inner = tuple(place[operand] for operand in node.operands)
        match node:
            case Var(name=name, shape=dims, properties=properties):
                rows.append((Var, name, dims, properties))
            case Const(value=value, shape=dims):
                rows.append((Const, value, dims))
            case Delta(shape=dims):
                rows.append((Delta, dims))
            case Einsum(subscripts=subscripts, output=output, shape=dims):
                rows.append((Einsum, inner, subscripts, output, dims))
            case Add(terms=terms):
                rows.append((Add, inner, tuple(coefficient for coefficient, _ in terms)))
            case Apply(primitive=primitive, output=output):
                rows.append((Apply, inner, primitive, output))
    return rows, [place[root] for root in roots]


def unpack(packed: Packed) -> list[Node]:
    """The nodes that were packed."""
    rows, places = packed
    made: list[Node] = []
    for kind, *fields in rows:
        if kind is Einsum:
            inner, *rest = fields
            made.append(Einsum(tuple(made[k] for k in inner), *rest))
        elif kind is Add:
            inner, coefficients = fields
            terms = zip(coefficients, (made[k] for k in inner), strict=True)
            made.append(Add(tuple(terms)))
        elif kind is Apply:
            inner, primitive, output = fields
            made.append(Apply(primitive, tuple(made[k] for k in inner), output))
        else:
            made.append(kind(*fields))
    return [made[place] for place in places]


def unpack_one(packed: Packed) -> Node:
    """The only node that was packed."""
    (node,) = unpack(packed)
    return node
