"""Sums of factored terms: what is carried past a vertex instead of a dense tensor.

A derivative between two vertices is a sum of open products (`tcalc.expr.build.OpenProduct`) whose
outputs are the axes of both ends.  Three things are done to it:

- `contract`: a component whose factors are joined by *summed* labels becomes one node.  Factors
  that touch by free labels only stay apart: that is what keeps the batch of a network, or the
  second axis of a matrix factorisation, out of the work.
- `merge`: equal terms add up, and ``a·b + a·c -> a·(b + c)`` where the sum in brackets is no larger
  than what it replaces.  A unit tensor is a factor like any other there.
- `dense`: everything becomes one node.

Sizes are compared at nominal sizes, since derivations are symbolic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import count
from math import prod
from typing import TypeAlias

from tcalc.expr import build
from tcalc.expr.build import OpenProduct
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.nodes import Node
from tcalc.expr.partition import connected
from tcalc.expr.primitive import Labels

Class: TypeAlias = tuple[int, int]
Placed: TypeAlias = tuple[Node, tuple[Class, ...]]
Anchor: TypeAlias = tuple[Node, int, int]
"""A factor, one of its axes, and the place of this in the result; -1 for scalars."""

NOMINAL_SIZE = 100
"""What a size of which nothing is known is taken to be."""
SHORT_SIZE = 10
"""The same for one by which another is less, such as the length of a filter."""


def nominal_sizes(dims: Iterable[Dim]) -> dict[str, int]:
    """A size for each name in dimensions: 100, or 10 if another is less by it.

    >>> n, m = Dim.of("n"), Dim.of("m")
    >>> sizes = nominal_sizes([n, m, n - m + 1])  # a signal, a filter, what it gives
    >>> sizes["n"], sizes["m"]
    (100, 10)
    """
    sizes: dict[str, int] = {}
    less: set[str] = set()
    for dim in dims:
        sizes.update(dict.fromkeys(sorted(dim.names()), NOMINAL_SIZE))
        less.update(
            x for monomial, c in dim.terms if c < 0 and len(monomial) == 1 for x in monomial
        )
    return {name: SHORT_SIZE if name in less else size for name, size in sizes.items()}


@lru_cache(maxsize=4096)
def nominal(dim: Dim) -> int:
    """The size that a dimension is taken to have where sizes are compared."""
    return max(dim.evaluate(nominal_sizes([dim])), 1)


@lru_cache(maxsize=4096)
def volume(dims: Shape) -> int:
    """The number of elements at nominal sizes."""
    return prod(map(nominal, dims))


def storage(term: OpenProduct) -> int:
    """The number of elements of all factors of a term."""
    return sum(volume(factor.dims) for factor in term.factors)


def dense(terms: Sequence[OpenProduct]) -> Node:
    """The sum of terms as a node."""
    return build.add((1, term.close()) for term in terms)


def as_term(node: Node) -> OpenProduct:
    """A tensor as a term of one factor, or of the factors of the view that it is."""
    axes = tuple(range(node.order))
    return build.open_product([node], [axes], axes)


def tied_axes(outputs: Sequence[Labels], count: int) -> list[tuple[int, int]]:
    """The pairs of one of the first `count` axes and one of the others in which all are diagonal.

    >>> tied_axes([(0, 1, 0, 2), (5, 6, 5, 6)], 2)
    [(0, 2)]
    """
    return [
        (a, b)
        for a in range(count)
        for b in range(count, 2 * count)
        if outputs and all(output[a] == output[b] for output in outputs)
    ]


def components(term: OpenProduct) -> list[tuple[int, ...]]:
    """The positions of factors, grouped by the summed labels that join them."""
    return connected(term.subscripts, set(term.output))


def contract(term: OpenProduct, near: int, *, everything: bool) -> OpenProduct:
    """The term with its components contracted, where that does not stand in the way of a waist.

    The output axes from position `near` on are those of the vertex; a component is left open while
    its interface to them is wider than a cut through its own summed labels, unless its contraction
    is no larger than its factors, or `everything` is to be contracted.
    """
    free = set(term.output)
    at_vertex = set(term.output[near:])
    factors: list[Node] = []
    rows: list[Labels] = []
    for group in components(term):
        labels = tuple(dict.fromkeys(x for k in group for x in term.subscripts[k]))
        kept = tuple(label for label in labels if label in free)
        if len(group) == 1 and len(kept) == len(labels):
            factors.append(term.factors[group[0]])
            rows.append(term.subscripts[group[0]])
        elif everything or _worth_contracting(term, group, kept, at_vertex):
            inside = [term.factors[k] for k in group]
            factors.append(build.einsum(inside, [term.subscripts[k] for k in group], kept))
            rows.append(kept)
        else:
            factors += [term.factors[k] for k in group]
            rows += [term.subscripts[k] for k in group]
    result = build.open_product(factors, rows, term.output, term.dims)
    return replace(result, coefficient=result.coefficient * term.coefficient)


def _worth_contracting(
    term: OpenProduct, group: Sequence[int], kept: Labels, at_vertex: set[int]
) -> bool:
    sizes = {label: nominal(dim) for label, dim in term.dims.items()}
    result = prod(sizes[label] for label in kept)
    if result <= sum(volume(term.factors[k].dims) for k in group):
        return True
    occurrences = Counter(label for row in term.subscripts for label in set(row))
    interface = [label for label in kept if label in at_vertex]
    batch = [label for label in interface if occurrences[label] > 1]
    # A vector, such as one that selects a slice, is at the end of no way: its label is no waist.
    ends = {row[0] for row in term.subscripts if len(row) == 1}
    waists = [
        sizes[x] for k in group for x in term.subscripts[k] if x not in kept and x not in ends
    ]
    if not waists:
        return True
    narrowest = min(waists)
    return prod(map(sizes.__getitem__, interface)) <= narrowest * prod(
        map(sizes.__getitem__, batch)
    )


def merge(terms: Sequence[OpenProduct]) -> list[OpenProduct]:
    """Terms with common factors added up in one, until no two fit.

    So ``a·c + a·d + b·c + b·d`` becomes ``(a + b)·(c + d)``, in two rounds.
    """
    pool = _Pool()
    pending = [term for term in reversed(terms) if term.coefficient != 0]
    while pending:
        term = _Weighed(pending.pop())
        for k in pool.near(term):
            joined = _merged(pool.terms[k], term)
            if joined is not None:
                pool.remove(k)
                if joined.coefficient != 0:
                    pending.append(joined)
                break
        else:
            pool.add(term)
    return [found.term for found in pool.terms.values()]


class _Weighed:
    """A term with what is asked of it for each other one.

    Factors in common are found from the axes of the result inwards: they begin with one that has
    such an axis in the same place in both terms, an *anchor*, or with a scalar.  A term is `broad`
    if its factors together are at least half as large as the part of the result that they span.
    """

    def __init__(self, term: OpenProduct) -> None:
        self.term = term
        self.linked = len(set(term.output)) < len(term.output)
        self.volumes = {factor: volume(factor.dims) for factor in term.factors}
        self.total = sum(map(self.volumes.__getitem__, term.factors))
        self.extents = {label: nominal(dim) for label, dim in term.dims.items()}
        places: dict[int, list[int]] = {}
        for place, label in enumerate(term.output):
            places.setdefault(label, []).append(place)
        self.anchors: dict[Anchor, None] = {}
        spanned: dict[int, None] = {}
        for factor, row in zip(term.factors, term.subscripts, strict=True):
            if not row:
                self.anchors[factor, -1, -1] = None
            for axis, label in enumerate(row):
                for place in places.get(label, ()):
                    self.anchors[factor, axis, place] = None
                    spanned[label] = None
        self.broad = 2 * (self.total or 1) >= prod(map(self.extents.__getitem__, spanned))

    def without(self, shared: Iterable[Node]) -> int:
        """The number of elements of all factors but those."""
        return self.total - sum(map(self.volumes.__getitem__, shared)) or 1


class _Pool:
    """Terms in the order in which they came, with those at hand that another may be merged with.

    Two terms without a common anchor share nothing.  If none of them is broad, their sum is larger
    than both, and they are not even compared: of hundreds of terms, as recurrences have, most are
    not.
    """

    def __init__(self) -> None:
        self.terms: dict[int, _Weighed] = {}
        self.broad: dict[int, None] = {}
        self.holders: dict[Anchor, dict[int, None]] = {}
        self.fresh = count()

    def add(self, term: _Weighed) -> None:
        k = next(self.fresh)
        self.terms[k] = term
        for anchor in term.anchors:
            self.holders.setdefault(anchor, {})[k] = None
        if term.broad:
            self.broad[k] = None

    def remove(self, k: int) -> None:
        term = self.terms.pop(k)
        for anchor in term.anchors:
            del self.holders[anchor][k]
        self.broad.pop(k, None)

    def near(self, term: _Weighed) -> list[int]:
        """The numbers of the terms that it may be merged with, in order."""
        if term.broad:
            return list(self.terms)
        found = set(self.broad).union(*(self.holders.get(anchor, ()) for anchor in term.anchors))
        return sorted(found)


def _merged(first: _Weighed, second: _Weighed) -> OpenProduct | None:
    """``a·b + a·c`` as ``a·(b + c)``, or None where the sum would be larger than b and c.

    The axes of the result are grouped as far as both terms tie them by unit tensors; what one of
    them ties beyond that is a factor of its rest.
    """
    left, right = first.term, second.term
    classes: tuple[Class, ...] = tuple(zip(left.output, right.output, strict=True))
    match = _Match(left, right, classes)
    links = [_links(classes, side) if x.linked else [] for side, x in enumerate((first, second))]
    touched = [match.touched(side) for side in (0, 1)]
    for side, tied in enumerate(links):
        touched[side].update(c for pair in tied for c in pair)
    both = touched[0] | touched[1]
    union = tuple([c for c in match.open if c in both])
    sizes = {c: first.extents[c[0]] for c in union}
    size = prod(sizes.values())
    shared = [node for node, _ in match.shared]
    if size > first.without(shared) + second.without(shared):
        closed = sum(prod(n for c, n in sizes.items() if c in side) for side in touched)
        if not match.inner or 2 * size > closed:
            return None
    dims = {c: left.dims[c[0]] for c in match.open}
    parts = [
        (term.coefficient, _closed(match.rest(side), links[side], union, dims))
        for side, term in enumerate((left, right))
    ]
    factors = [*shared, build.add(parts)]
    return build.open_product(factors, [*(row for _, row in match.shared), union], classes, dims)


class _Match:
    """The factors that two terms have in common, found from the axes of the result inwards.

    A summed label of one is matched with one of the other when a common factor has both.  `open`
    are the labels, in pairs, that the rests may share with the common factors and the result.
    """

    def __init__(self, left: OpenProduct, right: OpenProduct, classes: Sequence[Class]) -> None:
        self.terms = left, right
        self.open: dict[Class, None] = dict.fromkeys(classes)
        self.taken = ({pair[0] for pair in classes}, {pair[1] for pair in classes})
        self.inner = False
        self.shared: list[Placed] = []
        self.free = list(range(len(left.factors))), list(range(len(right.factors)))
        candidates = [
            (k, m, tuple(zip(left.subscripts[k], right.subscripts[m], strict=True)))
            for k, factor in enumerate(left.factors)
            for m, other in enumerate(right.factors)
            if factor is other
        ]
        while (found := next((x for x in candidates if self._fits(x[2])), None)) is not None:
            k, m, pairs = found
            self.free[0].remove(k)
            self.free[1].remove(m)
            self._take(left.factors[k], pairs)
            candidates = [x for x in candidates if x[0] != k and x[1] != m]

    def _fits(self, pairs: tuple[Class, ...]) -> bool:
        new = {pair for pair in pairs if pair not in self.open}
        if any(x in self.taken[0] or y in self.taken[1] for x, y in new):
            return False
        one_to_one = len({x for x, _ in new}) == len({y for _, y in new}) == len(new)
        return one_to_one and (len(new) < len(set(pairs)) or not pairs)

    def _take(self, node: Node, pairs: tuple[Class, ...]) -> None:
        self.shared.append((node, pairs))
        for pair in pairs:
            if pair not in self.open:
                self.inner = True
                self.open[pair] = None
                self.taken[0].add(pair[0])
                self.taken[1].add(pair[1])

    def touched(self, side: int) -> set[Class]:
        """The open labels that factors of one term have which are not shared."""
        rows = self.terms[side].subscripts
        labels = {label for k in self.free[side] for label in rows[k]}
        known = self._known(side)
        return {known[label] for label in labels if label in known}

    def rest(self, side: int) -> list[Placed]:
        """The factors of one term that are not shared."""
        term, known = self.terms[side], self._known(side)

        def place(label: int) -> Class:
            return known.get(label, (label, -1) if side == 0 else (-1, label))

        return [(term.factors[k], tuple(map(place, term.subscripts[k]))) for k in self.free[side]]

    def _known(self, side: int) -> dict[int, Class]:
        known: dict[int, Class] = {}
        for pair in self.open:
            known.setdefault(pair[side], pair)
        return known


def _links(classes: Sequence[Class], side: int) -> list[tuple[Class, Class]]:
    """The unit tensors that one term has between classes of axes that the other keeps apart."""
    first: dict[int, Class] = {}
    found: dict[tuple[Class, Class], None] = {}
    for pair in classes:
        start = first.setdefault(pair[side], pair)
        if start != pair:
            found[start, pair] = None
    return list(found)


def _closed(
    rest: Sequence[Placed],
    links: Sequence[tuple[Class, Class]],
    union: Sequence[Class],
    dims: Mapping[Class, Dim],
) -> Node:
    units = [build.delta(dims[start]) for start, _ in links]
    return build.einsum(
        [*(node for node, _ in rest), *units],
        [*(row for _, row in rest), *links],
        union,
        dims,
    )


def times(coefficient: Fraction, term: OpenProduct) -> OpenProduct:
    """A multiple of a term."""
    return replace(term, coefficient=coefficient * term.coefficient)
