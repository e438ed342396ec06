"""Tensors over indices of SymPy's, and what is computed of them entry by entry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Node
from tcalc.primitives import REGISTRY, Kind
from tcalc.primitives.selection import UnitVector


@dataclass(frozen=True, slots=True)
class Entries:
    """A scalar expression: a tensor whose axes are indices of SymPy's."""

    node: Node
    indices: tuple[Any, ...] = ()


def added(terms: Sequence[Entries]) -> Entries:
    """The sum, over all indices of its terms."""
    indices = tuple(dict.fromkeys(i for term in terms for i in term.indices))
    return Entries(build.sum_of(*(spread(term, indices, terms) for term in terms)), indices)


def multiplied(values: Sequence[Entries]) -> Entries:
    """The product, element by element where an index recurs: nothing is summed."""
    indices = tuple(dict.fromkeys(i for value in values for i in value.indices))
    node = build.einsum([v.node for v in values], [v.indices for v in values], indices)
    return Entries(node, indices)


def spread(value: Entries, indices: tuple[Any, ...], beside: Sequence[Entries]) -> Node:
    """The tensor over given indices, repeated along those that it has not."""
    if value.indices == indices:
        return value.node
    dims = {
        index: dim
        for other in beside
        for index, dim in zip(other.indices, other.node.dims, strict=True)
    }
    return build.einsum([value.node], [value.indices], indices, dims)


def mapped(name: str, values: Sequence[Entries]) -> Entries:
    """An element-wise function of tensors, over all their indices."""
    indices = tuple(dict.fromkeys(i for value in values for i in value.indices))
    nodes = [spread(value, indices, values) for value in values]
    apply = elementwise(name, min(len(nodes), 2))
    found = apply(*nodes[:2])
    for node in nodes[2:]:  # Max and Min of more than two
        found = apply(found, node)
    return Entries(found, indices)


def elementwise(name: str, arity: int = 1) -> Callable[..., Node]:
    """The element-wise function of a name, on nodes of one shape."""
    fitting = (
        form
        for form in REGISTRY[name].forms
        if form.kind is Kind.ELEMENTWISE and form.arity == arity
    )
    return next(fitting).build


def selected(node: Node, indices: Sequence[Any], places: Sequence[Dim | None]) -> Entries:
    """A tensor at indices, which may recur, and at positions where one is given, from 0 on."""
    factors, rows = [node], [tuple(range(len(indices)))]
    labels: list[Any] = []
    for k, (index, dim) in enumerate(zip(indices, node.dims, strict=True)):
        place = places[k]
        if place is not None:
            factors.append(build.apply(UnitVector(place + 1, dim)))
            rows.append((k,))
        else:
            labels.append((k, index))
    output = tuple(dict.fromkeys(index for _, index in labels))
    named = dict(labels)
    renamed = [tuple(named.get(k, ("place", k)) for k in row) for row in rows]
    return Entries(build.einsum(factors, renamed, output), output)
