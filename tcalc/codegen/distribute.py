"""Products with a large sum among their factors, term by term where that is much cheaper.

    (T - U V') V       -> T V - U (V' V)
    (I - Q' Q) A       -> A - Q' (Q A)
    Σ_j (x_i - x_j) w_ij -> x_i Σ_j w_ij - Σ_j w_ij x_j

The sum then is never formed.  Rounding errors stay of the order of those that the terms have by
themselves, which is that of their sum unless the inputs cancel.  With inputs that are bound,
factors of these alone are multiplied first where the product is not larger, since that is done
once: ``X' (X w)`` becomes ``(X' X) w``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import TypeGuard

from tcalc.codegen.opening import is_outer, is_placed, is_window, on_diagonal, spliced, with_inner
from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.expr.traverse import postorder, rebuild, use_counts
from tcalc.planning import cost
from tcalc.primitives.onehot import is_onehot
from tcalc.records import dataclass
from tcalc.simplify.special import adds_up, alike_among, special_among, together

LARGE = 1 << 12
"""The elements from which on a sum is worth looking at."""
TENSOR = 1 << 18
"""The elements from which on one of many axes, as large as the product, is worth looking at.

Its terms often are outer products of matrices, of which each is multiplied by itself.
"""
SHRINKS = 4
"""How many times larger than the product the sum has to be."""
GAIN = Fraction(3, 2)
"""How many times cheaper the terms have to be."""
MOVED = 8
"""What reading or writing an element costs, in operations of a matrix product."""
TERMS = 32
"""How many terms of a sum there may be before no more sums in it are opened."""
FACTORS = 16
"""The most factors of a product that is looked at."""


@dataclass(frozen=True, slots=True)
class Flat:
    """Factors under labels, inner products without sums opened."""

    factors: tuple[Node, ...]
    rows: tuple[Labels, ...]
    output: Labels


class Distribution:
    """The pass over one graph, at the sizes it is compiled for.

    `sized` tells afterwards whether the sizes made a difference.
    """

    def __init__(self, sizes: Mapping[str, int], fixed: Collection[Node] = ()) -> None:
        self.sizes = sizes
        self.fixed = set(fixed)
        self.sized = False
        self.uses: Counter[Node] = Counter()
        self.placed: set[Node] = set()
        self.elements: dict[Shape, int] = {}

    def run(self, roots: Sequence[Node]) -> list[Node]:
        """The roots with products distributed where that pays."""
        order = postorder(roots)
        if not self.fixed and not any(self._is_large(x) or takes_diagonal(x) for x in order):
            return list(roots)
        if self.fixed:
            roots = self._with_fixed_distributed(roots, order)
            order = postorder(roots)
        self.uses = use_counts(order, roots)
        return rebuild(roots, self._changed)

    def _with_fixed_distributed(self, roots: Sequence[Node], order: Sequence[Node]) -> list[Node]:
        """The roots with what is computed once distributed too, as if nothing were fixed."""
        needed = dict.fromkeys(roots)
        for node in order:
            if node not in self.fixed:
                needed.update(dict.fromkeys(node.operands))
        ends = [node for node in needed if node in self.fixed and node.operands]
        inner = Distribution(self.sizes)
        found = inner.run(ends)
        self.sized |= inner.sized
        replacements = {old: new for old, new in zip(ends, found, strict=True) if new is not old}
        if not replacements:
            return list(roots)
        self.fixed.update(postorder(found))
        return rebuild(roots, replacements=replacements)

    def _is_large(self, node: Node) -> bool:
        """Whether a node is a sum that is worth looking at."""
        return isinstance(node, Add) and self._size(node.dims) >= LARGE

    def _changed(self, node: Node) -> Node:
        found = self._distributed(node)
        if self._has_places(found):
            self.placed.add(found)
        return found

    def _distributed(self, node: Node) -> Node:
        """A node with what it is of multiplied out, or taken term by term."""
        if takes_diagonal(node):
            return self._diagonal(node)
        if self.fixed and node.operands and self.fixed.issuperset(node.operands):
            self.fixed.add(node)
        if not isinstance(node, Einsum) or node.is_view or node in self.fixed:
            return node
        flat = self._flat(node)
        if len(flat.factors) > FACTORS:
            return node
        if any(map(self._is_of_places, flat.factors)):
            return self._without_sums_of_places(node)
        place = self._best(flat, node.dims)
        if place is None:
            return self._grouped(node)
        return build.add(
            [(c, self._grouped(term)) for c, term in self._terms(flat, place, node.dims)]
        )

    def _diagonal(self, node: Einsum) -> Node:
        """The diagonal of a large sum or product that nobody else needs, without the rest of it."""
        whole, row = node.factors[0], node.subscripts[0]
        if self._size(whole.dims) < LARGE or self.uses[whole] > 1:
            return node
        terms: list[tuple[Fraction, Node]] = []
        for c, term in whole.terms if isinstance(whole, Add) else ((Fraction(1), whole),):
            flat = self._flat(term)
            own = dict(zip(flat.output, row, strict=True))
            rows = [[own.get(label, ("summed", label)) for label in x] for x in flat.rows]
            terms.append((c, build.einsum(flat.factors, rows, node.output)))
        return build.add(terms)

    def _best(self, flat: Flat, dims: Shape) -> int | None:
        """The place of the sum that saves most where it is multiplied term by term, if any does."""
        bound = any(x in self.fixed and x.order for x in flat.factors)
        least = 0 if bound else max(LARGE, SHRINKS * self._size(dims))
        best: tuple[int, int] | None = None
        for place, factor in enumerate(flat.factors):
            if not isinstance(factor, Add) or len(factor.terms) < 2 or factor.order < 1:
                continue
            size = self._size(factor.dims)
            if size < least and not (factor.order > 2 and size >= max(TENSOR, self._size(dims))):
                continue
            self.sized = True
            before = self._price(flat)
            if self.uses[factor] <= 1:
                before += self._forming(factor)
            terms = (self._grouped(term) for _, term in self._terms(flat, place, dims))
            after = sum(self._price(self._flat(term)) for term in terms)
            # Of two sums the one that saves more: the other is formed as before.
            if GAIN * after <= before and (best is None or before - after > best[0]):
                best = before - after, place
        return None if best is None else best[1]

    def _is_of_places(self, node: Node) -> bool:
        """Whether a node is a large sum with terms that are zero but at places."""
        return self._is_large(node) and self._has_places(node)

    def _has_places(self, node: Node) -> bool:
        """Whether a sum has terms with places that data give, or only terms on a few diagonals."""
        if not isinstance(node, Add):
            return False
        cores = [_seen_through(x) for x in node.operands]
        given = any(map(self._is_placed, cores))
        return given or all(
            isinstance(x, Delta) or is_window(x) or (isinstance(x, Einsum) and on_diagonal(x))
            for x in cores
        )

    def _is_placed(self, node: Node) -> bool:
        by_data = isinstance(node, Einsum) and is_placed(node)
        return by_data or is_onehot(node) or node in self.placed

    def _without_sums_of_places(self, node: Node) -> Node:
        """A product with such sums multiplied out, whatever else that costs."""
        self.sized = True
        done: list[tuple[Fraction, Node]] = []
        pending = [(Fraction(1), node)]
        while pending:
            c, term = pending.pop()
            flat = self._flat(term)
            place = next((k for k, x in enumerate(flat.factors) if self._is_of_places(x)), None)
            if place is None or len(done) + len(pending) > TERMS:
                done.append((c, self._grouped(term)))
                continue
            opened = self._terms(flat, place, node.dims)
            if isinstance(term, Add):
                c *= term.terms[0][0]
            pending += [(c * inner, x) for inner, x in reversed(opened)]
        return build.add(done)

    def _flat(self, node: Node) -> Flat:
        """A product with those of its factors opened that are products themselves."""
        if isinstance(node, Add) and len(node.terms) == 1:
            node = node.terms[0][1]
        if isinstance(node, Einsum) and is_permuted(node):
            # The product that the view is of, with its axes in another order.
            ((core,), (row,)) = node.factors, node.subscripts
            flat = self._flat(core)
            number = dict(zip(row, flat.output, strict=True))
            return replace(flat, output=tuple(number[label] for label in node.output))
        if not isinstance(node, Einsum) or node.is_view:
            return Flat((node,), (tuple(range(node.order)),), tuple(range(node.order)))
        factors, rows = spliced(node, self._opens)
        return Flat(tuple(factors), tuple(rows), node.output)

    def _opens(self, factor: Node) -> TypeGuard[Einsum]:
        """Whether a factor is a product used here alone, or one that sums nothing.

        What is fixed is done, but as outer products it would hide that they have rank one.
        """
        if not isinstance(factor, Einsum) or factor.is_view:
            return False
        if factor in self.fixed:
            return is_outer(factor)
        summed = {label for row in factor.subscripts for label in row} - set(factor.output)
        return self.uses[factor] <= 1 or not summed

    def _terms(self, flat: Flat, place: int, shape: Shape) -> list[tuple[Fraction, Node]]:
        """The terms of a product of this shape, by those of a sum, with their coefficients.

        A product of which the sum has all uses, as of a term and its transpose, is opened.
        """
        factor = flat.factors[place]
        assert isinstance(factor, Add)
        dims = dict(zip(flat.output, shape, strict=True))
        terms = self._opened(factor)
        uses = Counter(core_of(term) for _, term in terms)
        found: list[tuple[Fraction, Node]] = []
        for coefficient, term in terms:
            core = core_of(term)
            inside = Flat((term,), (tuple(range(term.order)),), tuple(range(term.order)))
            if isinstance(core, Einsum) and not core.is_view and self.uses[core] <= uses[core]:
                inside = self._flat(term)
            factors, rows = with_inner(
                flat.factors, flat.rows, place, inside.factors, inside.rows, inside.output
            )
            found.append((coefficient, build.einsum(factors, rows, flat.output, dims)))
        return found

    def _opened(self, total: Add) -> list[tuple[Fraction, Node]]:
        """The terms of a sum, those of sums in it that are used here alone among them."""
        found: list[tuple[Fraction, Node]] = []
        pending = list(reversed(total.terms))
        while pending:
            coefficient, term = pending.pop()
            if isinstance(term, Add) and self.uses[term] <= 1 and len(found) < TERMS:
                pending += [(coefficient * c, x) for c, x in reversed(term.terms)]
            else:
                found.append((coefficient, term))
        return found

    def _forming(self, total: Add) -> int:
        """What it costs to form a sum: its terms, and a pass over the result for each."""
        # The core of a term and of its transpose is computed once; one of others is there.
        cores = Counter(core_of(term) for _, term in self._opened(total))
        inner = sum(
            self._price(self._flat(core))
            for core, times in cores.items()
            if self.uses[core] <= times
        )
        return inner + MOVED * self._size(total.dims) * len(total.terms)

    def _price(self, flat: Flat) -> int:
        """Operations, and elements read and written, of a product in its best order."""
        if self.fixed.issuperset(flat.factors):
            return 0
        dims: dict[int, int] = {}
        total = 0
        rows: list[Labels] = []
        held: list[Node] = []
        for factor, row in zip(flat.factors, flat.rows, strict=True):
            sizes = [dim.evaluate(self.sizes) for dim in factor.dims]
            dims.update(zip(row, sizes, strict=True))
            if not isinstance(factor, Const | Delta):
                total += MOVED * self._stored(factor)
                held.append(factor)
                rows.append(row)
        known = {label for row in rows for label in row}
        out = tuple(label for label in dict.fromkeys(flat.output) if label in known)
        total += MOVED * prod(dims.get(label, 1) for label in set(flat.output))
        if rows:
            names, left, out = together(held, rows, out)
            total += cost(left, out, dims, special_among(names), *alike_among(names))
        return total

    def _stored(self, node: Node) -> int:
        """The elements that are read for a factor: those of what it is a view of."""
        if is_onehot(node):
            return self._size(node.args[0].dims)
        if adds_up(node):
            return 0
        if isinstance(node, Einsum) and node.is_view:
            return max(
                (self._size(x.dims) for x in node.factors if type(x) is not Delta), default=0
            )
        return self._size(node.dims)

    def _size(self, dims: Shape) -> int:
        if dims not in self.elements:
            self.elements[dims] = prod(dim.evaluate(self.sizes) for dim in dims)
        return self.elements[dims]

    def _grouped(self, node: Node) -> Node:
        """Factors that are fixed multiplied first, where their product is not larger than they."""
        if not self.fixed or not isinstance(node, Einsum) or node.is_view:
            return node
        flat = self._flat(node)
        members = [k for k, x in enumerate(flat.factors) if self._is_bound(x)]
        rest = [k for k in range(len(flat.factors)) if k not in members]
        if len(members) < 2 or not rest:
            return node
        dims = {
            label: dim
            for k in members
            for label, dim in zip(flat.rows[k], flat.factors[k].dims, strict=True)
        }
        outside = {label for k in rest for label in flat.rows[k]}.union(flat.output)
        kept = tuple(sorted(dims.keys() & outside))
        if len(kept) == len(dims):
            return node  # an outer product
        self.sized = True
        held = [flat.factors[k] for k in members]
        largest = max(self._stored(x) if is_onehot(x) else self._size(x.dims) for x in held)
        if self._size(tuple(dims[label] for label in kept)) > largest:
            return node
        group = build.einsum(
            [flat.factors[k] for k in members], [flat.rows[k] for k in members], kept
        )
        self.fixed.update((group, *group.operands))
        return build.einsum(
            [group, *(flat.factors[k] for k in rest)],
            [kept, *(flat.rows[k] for k in rest)],
            flat.output,
            dict(zip(flat.output, node.dims, strict=True)),
        )

    def _is_bound(self, factor: Node) -> bool:
        """Whether a factor is an array that bound inputs make; a constant of the graph is none."""
        constant = isinstance(factor, Apply) and not factor.args
        return factor in self.fixed and factor.order > 0 and not constant


def takes_diagonal(node: Node) -> TypeGuard[Einsum]:
    """Whether a node is the diagonal of another."""
    if not isinstance(node, Einsum) or not node.is_view or len(node.factors) > 1:
        return False
    ((row,),) = (node.subscripts,)
    return len(set(row)) < len(row) and set(row) == set(node.output)


def _seen_through(node: Node) -> Node:
    """What a node is a view of; a unit tensor where it is of nothing else."""
    if not isinstance(node, Einsum) or not node.is_view:
        return node
    return next((x for x in node.factors if type(x) is not Delta), node.factors[0])


def is_permuted(node: Einsum) -> bool:
    """Whether a node is a product, not a view, with its axes in another order."""
    if not node.is_view or len(node.factors) != 1:
        return False
    ((core,), (row,)) = node.factors, node.subscripts
    whole = len(set(row)) == len(row) and sorted(row) == sorted(node.output)
    return whole and isinstance(core, Einsum) and not core.is_view


def core_of(node: Node) -> Node:
    """The product that a node is a transpose of, or the node."""
    return node.factors[0] if isinstance(node, Einsum) and is_permuted(node) else node
