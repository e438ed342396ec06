"""Compression: a derivative as a sum of factored terms, when that is what it is.

Unit tensors are kept as repeated labels, and a component of factors is contracted where its
result takes no more storage than the factors do.  What is left is what a factored result holds:
``2 δ[i,k] (V'V)[j,l]`` is one core of order two, a net's first layer ``X[b,j] S[b,i,k] X[b,l]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod

from tcalc.calculus.terms import components, merge, nominal, times, volume
from tcalc.expr import build
from tcalc.expr.build import OpenProduct
from tcalc.expr.nodes import Add, Einsum, Node
from tcalc.simplify import flatten


def factored_terms(node: Node) -> list[OpenProduct]:
    """The terms of a tensor, smallest storage first found; their sum is the tensor."""
    (flat,) = flatten([node], inline="all")
    terms = _compressed_terms(flat)
    opened = build.add([piece for term in _summands(flat) for piece in _turned_summands(*term)])
    if opened is flat:
        return terms
    others = _compressed_terms(*flatten([opened], inline="all"))
    return others if storage(others) < storage(terms) else terms


def _summands(node: Node) -> Sequence[tuple[Fraction, Node]]:
    return node.terms if isinstance(node, Add) else ((build.ONE, node),)


def _turned_summands(coefficient: Fraction, node: Node) -> list[tuple[Fraction, Node]]:
    """The summands of a transposed sum, as for a symmetric variable ``(H + H')/2`` has one."""
    if not isinstance(node, Einsum) or not node.is_view or len(node.factors) != 1:
        return [(coefficient, node)]
    dims = dict(zip(node.output, node.dims, strict=True))
    return [
        (coefficient * c, build.einsum([term], node.subscripts, node.output, dims))
        for c, term in _summands(node.factors[0])
    ]


def _compressed_terms(node: Node) -> list[OpenProduct]:
    terms = [times(coefficient, _opened(term)) for coefficient, term in _summands(node)]
    return merge([_compressed(term) for term in terms])


def storage(terms: Sequence[OpenProduct]) -> int:
    """The elements that the cores of the terms hold, at nominal sizes; shared cores once."""
    cores = {factor for term in terms for factor in term.factors}
    return sum(volume(core.dims) for core in cores)


def compression(node: Node) -> float:
    """How many times smaller the factored form of a tensor is than the dense one."""
    return volume(node.dims) / max(storage(factored_terms(node)), 1)


def _opened(node: Node) -> OpenProduct:
    """A tensor as an open product: a view of its core, a contraction of its factors."""
    axes = tuple(range(node.order))
    term = build.open_product([node], [axes], axes)
    if len(term.factors) == 1 and isinstance(term.factors[0], Einsum):
        core, row = term.factors[0], term.subscripts[0]
        outer = dict(zip(core.output, row, strict=True))
        rows = [tuple(outer.get(x, ("inner", x)) for x in labels) for labels in core.subscripts]
        opened = build.open_product(core.factors, rows, term.output, term.dims)
        return times(term.coefficient, opened)
    return term


def _compressed(term: OpenProduct) -> OpenProduct:
    """The term with every component contracted that takes no more storage so."""
    free = set(term.output)
    factors: list[Node] = []
    rows: list[tuple[int, ...]] = []
    for group in components(term):
        inside = [term.factors[k] for k in group]
        labels = [term.subscripts[k] for k in group]
        kept = tuple(dict.fromkeys(x for row in labels for x in row if x in free))
        size = prod(nominal(term.dims[x]) for x in kept)
        if size <= sum(volume(factor.dims) for factor in set(inside)):
            inside, labels = [build.einsum(inside, labels, kept)], [kept]
        factors += inside
        rows += labels
    result = build.open_product(factors, rows, term.output, term.dims)
    return replace(result, coefficient=result.coefficient * term.coefficient)
