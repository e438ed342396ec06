"""Products in products and sums in sums, opened where the inner one is used once.

    Σ a[i,j] (Σ b[j,k] c[k]) -> Σ a[i,j] b[j,k] c[k]
    a + 2 (b + c)            -> a + 2 b + 2 c

so that the whole product can be ordered by cost, and the whole sum be added up in one buffer.
This is `tcalc.simplify.flatten` without new nodes: nothing is put in canonical order again, and a
chain of 50,000 products is opened in linear time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Hashable, Sequence
from fractions import Fraction
from itertools import chain, count
from typing import TypeGuard

from tcalc.codegen.structure import Structure
from tcalc.expr.dims import Dim
from tcalc.expr.labels import relabelled
from tcalc.expr.nodes import Add, Apply, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.expr.traverse import use_counts
from tcalc.primitives.onehot import is_onehot
from tcalc.primitives.selection import Window
from tcalc.records import dataclass
from tcalc.simplify.flatten import is_contraction

FACTORS = 24
"""The most factors of a product that arises by opening others."""


@dataclass(frozen=True, slots=True)
class OpenProduct:
    """The factors of a contraction, those of inner ones included, under labels of its own."""

    factors: tuple[Node, ...]
    rows: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]
    dims: tuple[Dim, ...]


def spliced(
    node: Einsum, opens: Callable[[Node], TypeGuard[Einsum]]
) -> tuple[list[Node], list[tuple[int, ...]]]:
    """The factors of a product and their labels, products that are to be opened replaced by theirs.

    What an inner product sums over has fresh labels.

    >>> from tcalc.expr import build, shape
    >>> A, B, C = (build.var(name, shape("n", "n")) for name in "ABC")
    >>> product = build.einsum([build.einsum([A, B], "ij,jk->ik"), C], "ik,kl->il")
    >>> factors, rows = spliced(product, lambda factor: isinstance(factor, Einsum))
    >>> sorted(map(repr, factors)), sorted(rows)
    (['A[n,n]', 'B[n,n]', 'C[n,n]'], [(0, 2), (1, 3), (3, 0)])
    """
    fresh = count(1 + max(chain(*node.subscripts), default=0))
    factors: list[Node] = []
    rows: list[tuple[int, ...]] = []
    for factor, row in zip(node.factors, node.subscripts, strict=True):
        if not opens(factor):
            factors.append(factor)
            rows.append(row)
            continue
        factors += factor.factors
        rows += relabelled(factor.subscripts, dict(zip(factor.output, row, strict=True)), fresh)
    return factors, rows


def with_inner(
    factors: Sequence[Node],
    rows: Sequence[Sequence[Hashable]],
    place: int,
    inner: Sequence[Node],
    inner_rows: Sequence[Labels],
    output: Labels,
) -> tuple[list[Node], list[Sequence[Hashable]]]:
    """The factors of a product and their labels, with those of another in the place of one factor.

    `output` has the labels of the other where the factor has those of its axes.  What it sums over
    keeps its labels, as pairs.

    >>> from tcalc.expr import build, shape
    >>> A, B, C = (build.var(name, shape("n", "n")) for name in "ABC")
    >>> with_inner([C, A], ["ij", "jk"], 0, [A, B], [(0, 1), (1, 2)], (0, 2))
    ([A[n,n], B[n,n], A[n,n]], [['i', ('inner', 1)], [('inner', 1), 'j'], 'jk'])
    """
    outer = dict(zip(output, rows[place], strict=True))
    own = [[outer.get(label, ("inner", label)) for label in row] for row in inner_rows]
    return (
        [*factors[:place], *inner, *factors[place + 1 :]],
        [*rows[:place], *own, *rows[place + 1 :]],
    )


class Opened:
    """The products and sums below some roots after opening.

    Nodes that are `inner` are not to be made; those that are `optional`, outer products which are
    opened however often they are used, and their factors, only where somebody needs them as they
    are.  Without `reorder` products stay as they are, and only sums are opened.
    """

    def __init__(
        self,
        order: Sequence[Node],
        roots: Sequence[Node],
        reorder: bool = True,
        fixed: Collection[Node] = (),
    ) -> None:
        self.structure = Structure(order)
        self.reorder = reorder
        self.fixed = fixed
        self.uses = use_counts(order, roots)
        self.products: dict[Node, OpenProduct] = {}
        self.sums: dict[Node, list[tuple[Fraction, Node]]] = {}
        self.inner: set[Node] = set()
        self.optional: set[Node] = set()
        self.outer: dict[Node, bool] = {}
        closed: set[Node] = set()
        for node in reversed(order):
            # An outer product that several open may be opened further by only some of them.
            if node in self.inner and node in closed:
                self.inner.remove(node)
                self.optional.add(node)
            if node in self.inner:
                continue
            if isinstance(node, Add):
                self.sums[node] = self._sum(node)
            elif is_contraction(node):
                self.products[node] = product = self._product(node)
                closed.update(product.factors)
        if reorder:
            self._arrange(order)
        self.structure.end(roots)

    def _arrange(self, order: Sequence[Node]) -> None:
        """Put factors and terms in an order that is one for all steps of a recurrence."""
        structure = self.structure
        for node in order:
            if (product := self.products.get(node)) is not None:
                found = structure.arranged(node, product.factors, product.rows, product.output)
                self.products[node] = OpenProduct(*found, product.dims)
                continue
            structure.turn(node)
            if node in self.sums:
                self.sums[node].sort(key=lambda term: structure.key(term[1]))

    def _sum(self, node: Add) -> list[tuple[Fraction, Node]]:
        terms: list[tuple[Fraction, Node]] = []
        stack = [(Fraction(1), iter(node.terms))]
        while stack:
            outer, pending = stack[-1]
            for coefficient, term in pending:
                if isinstance(term, Add) and self.uses[term] == 1:
                    self.inner.add(term)
                    stack.append((outer * coefficient, iter(term.terms)))
                    break
                terms.append((outer * coefficient, term))
            else:
                stack.pop()
        return terms

    def _opens(self, factor: Node, fixed: bool) -> TypeGuard[Einsum]:
        """Whether a factor is a product to be opened: used once, or larger than its factors.

        What an outer product is multiplied with may shrink it: ``Y (y y') Y`` is an outer product
        again.  So may what has its elements at places, as derivatives of ``x[g]`` and ``x[2:n]``
        have: ``S' diag(w) S`` is diagonal.
        """
        if not self.reorder or not is_contraction(factor):
            return False
        # What is fixed is computed once, and is not to be taken apart by what is not.
        if self.uses[factor] == 1 and (fixed or factor not in self.fixed):
            return True
        if factor not in self.outer:
            at_places = is_placed(factor) or on_diagonal(factor)
            self.outer[factor] = is_outer(factor) or at_places or is_taken(factor)
        return self.outer[factor]

    def _product(self, node: Einsum) -> OpenProduct:
        if not any(self._opens(factor, node in self.fixed) for factor in node.factors):
            return OpenProduct(node.factors, node.subscripts, node.output, node.dims)
        factors: list[Node] = []
        rows: list[tuple[int, ...]] = []
        fresh = count(1 + max(chain(*node.subscripts), default=-1))
        size = len(node.factors)
        pending = deque([(node, list(node.subscripts))])
        while pending:
            # What stays comes before what is opened, so that chains alike look alike to planning.
            product, labelled = pending.popleft()
            for factor, row in zip(product.factors, labelled, strict=True):
                if (
                    not self._opens(factor, node in self.fixed)
                    or size + len(factor.factors) - 1 > FACTORS
                ):
                    factors.append(factor)
                    rows.append(row)
                    continue
                (self.inner if self.uses[factor] == 1 else self.optional).add(factor)
                size += len(factor.factors) - 1
                outer = dict(zip(factor.output, row, strict=True))
                pending.append((factor, relabelled(factor.subscripts, outer, fresh)))
        return OpenProduct(tuple(factors), tuple(rows), node.output, node.dims)


def is_placed(node: Einsum) -> bool:
    """Whether a product is zero but for one place in each row, which data give."""
    return any(
        is_onehot(factor) and row[-1] in node.output
        for factor, row in zip(node.factors, node.subscripts, strict=True)
    )


def on_diagonal(node: Einsum) -> bool:
    """Whether a product is zero but for the elements of a window."""
    kept = set(node.output)
    return any(
        is_window(factor) and set(row) <= kept
        for factor, row in zip(node.factors, node.subscripts, strict=True)
    )


def is_window(node: Node) -> bool:
    """Whether a factor has a single one in each row, next to that of the row before."""
    return isinstance(node, Apply) and isinstance(node.primitive, Window)


def is_taken(node: Einsum) -> bool:
    """Whether a product is nothing but elements that are taken from places which data give."""
    return len(node.factors) == 2 and any(map(is_onehot, node.factors))


def is_outer(node: Einsum) -> bool:
    """Whether a product falls into parts that share no label, each with axes of the result."""
    parts: list[set[int]] = []
    for row in node.subscripts:
        joined = set(row).union(*(part for part in parts if part & set(row)))
        parts = [*(part for part in parts if not part & joined), joined]
    return len(parts) > 1 and all(part & set(node.output) for part in parts)
