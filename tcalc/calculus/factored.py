"""Compression: a derivative as a sum of factored terms, when that is what it is.

Unit tensors are kept as repeated labels, and a component of factors is contracted where its
result takes no more storage than the factors do.  What is left is what a factored result holds:
``2 δ[i,k] (V'V)[j,l]`` is one core of order two, a net's first layer ``X[b,j] S[b,i,k] X[b,l]``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import TypeAlias

from tcalc.calculus.terms import components, merge, nominal, times, volume
from tcalc.expr import build
from tcalc.expr.build import OpenProduct
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Add, Einsum, Node
from tcalc.expr.partition import connected
from tcalc.simplify import flatten, indicators
from tcalc.simplify.engine import rewrite

HELD = 3
"""How many factors have to share a summed label for a component to be taken apart there."""

Placed: TypeAlias = tuple[Node, tuple[int, ...]]


def factored_terms(node: Node) -> list[OpenProduct]:
    """The terms of a tensor, smallest storage first found; their sum is the tensor."""
    (flat,) = rewrite(flatten([node], inline="all"), indicators.RULES)
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
    """The term with every component contracted that takes no more storage so.

    A component that does not is held together by labels that many factors share, as those of the
    rows of data: it is taken apart there, and its parts are contracted where that takes less.
    """
    free = set(term.output)
    factors: list[Node] = []
    rows: list[tuple[int, ...]] = []
    for group in components(term):
        placed = [(term.factors[k], term.subscripts[k]) for k in group]
        for factor, row in _parts(placed, free, term.dims):
            factors.append(factor)
            rows.append(row)
    result = build.open_product(factors, rows, term.output, term.dims)
    return replace(result, coefficient=result.coefficient * term.coefficient)


def _parts(group: Sequence[Placed], free: set[int], dims: Mapping[int, Dim]) -> list[Placed]:
    """The factors of a component: contracted to one, or in parts, or as they are."""
    kept = tuple(dict.fromkeys(x for _, row in group for x in row if x in free))
    size = prod(nominal(dims[x]) for x in kept)
    if size <= sum(volume(factor.dims) for factor in {factor for factor, _ in group}):
        factors, rows = zip(*group, strict=True)
        return [(build.einsum(factors, rows, kept), kept)]
    uses = Counter(label for _, row in group for label in set(row) - free)
    shared = max(uses, key=lambda label: (uses[label], -label))
    if uses[shared] < HELD:
        return list(group)
    outer = free | {shared}
    found: list[Placed] = []
    for part in connected([row for _, row in group], outer):
        found += _parts([group[k] for k in part], outer, dims)
    return _absorbed(found)


def _absorbed(group: Sequence[Placed]) -> list[Placed]:
    """The factors, each multiplied into one that has all its labels, where there is such a one."""
    order = sorted(range(len(group)), key=lambda k: (len(group[k][1]), k))
    inside: dict[int, list[int]] = {k: [k] for k in order}
    for place, k in enumerate(order):
        whole = next((m for m in order[place + 1 :] if set(group[k][1]) <= set(group[m][1])), None)
        if whole is not None:
            inside[whole] += inside.pop(k)
    found: list[Placed] = []
    for k, members in inside.items():
        row = group[k][1]
        if len(members) == 1:
            found.append(group[k])
        else:
            factors, rows = zip(*(group[m] for m in sorted(members)), strict=True)
            found.append((build.einsum(factors, rows, row), row))
    return found
