"""The invariants of a DAG, as an executable specification; tests run it after every pass.

`verify` says what is broken, where, and in which rule; it returns nothing when all is well.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import assert_never

from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.properties import PROPERTIES
from tcalc.expr.traverse import postorder


class InvariantError(AssertionError):
    """A node is not in normal form: an error in tcalc, never in a user's program."""


def verify(roots: Sequence[Node]) -> None:
    """Raise `InvariantError` unless every node below the roots is well formed and normal."""
    for node in postorder(roots):
        match node:
            case Var(properties=properties):
                _require(set(properties) <= set(PROPERTIES), node, "unknown property")
                _require(list(properties) == sorted(set(properties)), node, "properties unsorted")
            case Const(value=value):
                _require(type(value) is Fraction, node, "a number that is not a Fraction")
            case Delta(shape=shape):
                _require(len(shape) == 2 and shape[0] == shape[1], node, "unit tensor not square")
            case Add():
                _sum(node)
            case Einsum():
                _product(node)
            case Apply(primitive=primitive, args=args, output=output):
                _require(output < primitive.outputs, node, "no such output")
                dims = primitive.shapes(*(x.dims for x in args))[output]
                _require(dims == node.dims, node, "shape differs from the primitive's")
            case _:
                assert_never(node)


def _require(condition: bool, node: Node, message: str) -> None:
    if not condition:
        raise InvariantError(f"{message}: {node!r}")


def _sum(node: Add) -> None:
    seen = [term for _, term in node.terms]
    _require(len(set(seen)) == len(seen), node, "a term occurs twice")
    _require(all(c != 0 for c, _ in node.terms), node, "a coefficient is zero")
    _require(all(term.dims == node.dims for term in seen), node, "terms of different shapes")
    digests = [term.digest for term in seen]
    _require(digests == sorted(digests), node, "terms out of order")
    if len(node.terms) == 1:
        coefficient, term = node.terms[0]
        _require(coefficient != 1, node, "a single term with coefficient one")
        _require(not isinstance(term, Const), node, "a scaled number")
    for _, term in node.terms:
        _require(not _is_scaled(term), node, "a scaled term inside a sum")
        if isinstance(term, Const):
            _require(term.value == 1, node, "a number that is not one inside a sum")


def _product(node: Einsum) -> None:
    measured: dict[int, Dim] = {}
    for factor, labels in zip(node.factors, node.subscripts, strict=True):
        _require(len(labels) == factor.order, node, "labels do not fit a factor")
        for label, dim in zip(labels, factor.dims, strict=True):
            _require(measured.setdefault(label, dim) == dim, node, "one label, two dimensions")
        _require(not _is_scaled(factor), node, "a coefficient inside a product")
        opened = isinstance(factor, Einsum) and factor.is_view
        _require(not opened, node, "a view inside a product")
    _require(len(set(node.output)) == len(node.output), node, "an output label twice")
    for label, dim in zip(node.output, node.dims, strict=True):
        _require(measured.setdefault(label, dim) == dim, node, "an output of another dimension")
    again = build.einsum(
        node.factors, node.subscripts, node.output, dict(zip(node.output, node.dims, strict=True))
    )
    _require(again is node, node, "not in canonical order")


def _is_scaled(node: Node) -> bool:
    return isinstance(node, Add) and len(node.terms) == 1
