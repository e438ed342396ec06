"""Constructors of leaves, applications and sums, in the normal form that `build` describes."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TypeAlias

from tcalc.expr.dims import Dim, Shape
from tcalc.expr.nodes import Add, Apply, Const, Delta, Node, Var
from tcalc.expr.primitive import Primitive

Number: TypeAlias = Fraction | int

ONE = Fraction(1)


def var(name: str, dims: Iterable[Dim], properties: Iterable[str] = ()) -> Var:
    """An input of a program."""
    return Var(name, tuple(dims), tuple(sorted(set(properties))))


def const(value: Number, dims: Iterable[Dim] = ()) -> Const:
    """A number, broadcast over dimensions."""
    return Const(Fraction(value), tuple(dims))


def zeros(dims: Iterable[Dim] = ()) -> Const:
    return const(0, dims)


def ones(dims: Iterable[Dim] = ()) -> Const:
    return const(1, dims)


def delta(dim: Dim) -> Delta:
    """The unit tensor ``δ[i,j]``, which is the unit matrix."""
    return Delta((dim, dim))


def apply(primitive: Primitive, *args: Node, output: int = 0) -> Apply:
    """A primitive applied to arguments; raises `ValueError` where shapes do not fit."""
    return Apply(primitive, args, output)


def add(terms: Iterable[tuple[Number, Node]]) -> Node:
    """A sum of terms ``coefficient * node`` of one shape.

    >>> x = var("x", (Dim.of("n"),))
    >>> add([(2, x), (-2, x)]) is zeros(x.dims)
    True
    """
    coefficients: dict[Node, Fraction] = {}
    dims: Shape | None = None
    for number, node in terms:
        if type(number) is Fraction:
            coefficient = number
        else:
            coefficient = ONE if number == 1 else Fraction(number)
        if dims is None:
            dims = node.dims
        elif dims is not node.dims and dims != node.dims:
            raise ValueError(f"terms of different shapes: {dims} and {node.dims}")
        if isinstance(node, Add) and len(node.terms) == 1:
            inner, node = node.terms[0]
            coefficient = inner if coefficient is ONE else coefficient * inner
        elif isinstance(node, Const):
            coefficient, node = coefficient * node.value, ones(node.dims)
        known = coefficients.get(node)
        coefficients[node] = coefficient if known is None else known + coefficient
    if dims is None:
        raise ValueError("a sum needs at least one term")
    kept = [(c, node) for node, c in coefficients.items() if c]
    if not kept:
        return zeros(dims)
    if len(kept) == 1:
        coefficient, node = kept[0]
        if isinstance(node, Const):
            return const(coefficient, dims)
        if coefficient == 1:
            return node
    kept.sort(key=lambda term: term[1].digest)
    return Add(tuple(kept))


def scale(coefficient: Number, node: Node) -> Node:
    return add([(coefficient, node)])


def sum_of(*nodes: Node) -> Node:
    return add((1, node) for node in nodes)


def subtract(left: Node, right: Node) -> Node:
    return add([(1, left), (-1, right)])
