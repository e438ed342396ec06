"""Solves with, and determinants of, a diagonal plus a product of low rank.

    inv(D + c U V) B  = inv(D) B - inv(D) U inv(I/c + V inv(D) U) V inv(D) B
    logdet(D + c U V) = logdet(D) + logdet(I + c V inv(D) U)

by the identity of Woodbury and the matrix determinant lemma (Harville, Matrix Algebra from a
Statistician's Perspective, 18.1, 18.2).  The matrix that is factorised has as many rows as the
rank.  It is done where the sizes make the rank small, and where D is known to be positive: else D
could be singular though the sum is not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod

from tcalc.codegen.opening import with_inner
from tcalc.expr import build
from tcalc.expr.build import OpenProduct
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Add, Apply, Const, Einsum, Node
from tcalc.expr.primitive import Fact, Labels
from tcalc.expr.traverse import postorder, rebuild, use_counts
from tcalc.planning import plan
from tcalc.primitives.exponential import log
from tcalc.primitives.inverse import Inverse, inv
from tcalc.primitives.logdet import LogDet, logdet
from tcalc.primitives.power import power
from tcalc.primitives.reductions import total
from tcalc.records import dataclass
from tcalc.simplify.flatten import FACTORS, flatten, is_contraction
from tcalc.simplify.pairs import in_pairs
from tcalc.simplify.special import special_among

WORTH = 3
"""By how many times the rank is smaller than the matrix where the identity saves work."""
TERMS = 8
"""The most terms of a sum that is multiplied term by term."""


@dataclass(frozen=True, slots=True)
class _Split:
    """A matrix as ``diag(d) + Σ U[i,rank] V[rank,j]``; the coefficient is in U."""

    d: Node
    u: Node
    v: Node
    rank: Shape


def low_rank_solves(roots: Sequence[Node], sizes: Mapping[str, int]) -> tuple[list[Node], bool]:
    """The roots with such solves and determinants rewritten where it pays.

    Also whether the sizes were asked.

    >>> from tcalc.expr import shape
    >>> from tcalc.primitives.exponential import exp
    >>> x, A = build.var("x", shape("n")), build.var("A", shape("k", "n"))
    >>> D, P = build.einsum([exp(x)], "i->ii"), build.einsum([A, A], "ki,kj->ij")
    >>> H = build.sum_of(D, P)
    >>> step = build.einsum([inv(H), x], "ij,j->i")
    >>> (small,), asked = low_rank_solves([step], {"n": 1000, "k": 5})
    >>> small is step, asked
    (False, True)
    >>> low_rank_solves([step], {"n": 1000, "k": 500})[0] == [step]
    True
    """
    order = postorder(roots)
    solves = _solves_with_sums(order)
    if not solves:
        return list(roots), False
    uses = use_counts(order, roots)
    found = _splits(solves, lambda node: uses[node] == 1)
    if not _small(found, sizes):
        return list(roots), bool(found)  # seen before all of the graph is opened
    opened = flatten(roots, inline="single")
    small = _small(_splits(_solves_with_sums(postorder(opened))), sizes)
    if not small:
        return list(roots), True
    # The inverses keep their places until the products around them are rewritten.
    spread = rebuild(opened, lambda node: _term_by_term(node, small))
    return rebuild(spread, _Rewriting(small, sizes).rewritten), True


@dataclass(frozen=True, slots=True)
class _Rewriting:
    """The identities put into effect on the `small` inverses and determinants of a graph."""

    small: Mapping[Node, _Split]
    sizes: Mapping[str, int]

    def rewritten(self, node: Node) -> Node:
        match node:
            case Apply(primitive=LogDet()) if node in self.small:
                return _by_determinant_lemma(self.small[node])
            case Einsum() if not node.is_view or len(node.output) < node.factors[0].order:
                return self._product(node)
            case _:
                return node

    def _product(self, node: Einsum) -> Node:
        """A product without such inverses among its factors."""
        places = [k for k, factor in enumerate(node.factors) if factor in self.small]
        if not places:
            return node
        if len(places) > 1 and len(node.factors) > 2:
            return _by_pairs(node, self.sizes, self.rewritten)
        new = _by_woodbury(node, places[0], self.small[node.factors[places[0]]])
        # Of two inverses that meet one is left.
        return rebuild([new], self.rewritten)[0] if len(places) > 1 else new


def _solves_with_sums(order: Sequence[Node]) -> dict[Apply, Add]:
    """The inverses and determinants of sums, and the sums."""
    found: dict[Apply, Add] = {}
    for node in order:
        match node:
            case Apply(primitive=Inverse(axes=1) | LogDet(), args=(Add() as matrix,)):
                if matrix.order == 2:
                    found[node] = matrix
    return found


def _splits(
    solves: Mapping[Apply, Add], inner: Callable[[Node], bool] = lambda node: False
) -> dict[Node, _Split]:
    """Those of a diagonal and a product, with what is `inner` in them opened."""
    found: dict[Node, _Split] = {}
    for node, matrix in solves.items():
        split = _split(matrix, inner)
        # A rank of several axes has no determinant in one piece.
        if split and (len(split.rank) < 2 or isinstance(node.primitive, Inverse)):
            found[node] = split
    return found


def _small(found: Mapping[Node, _Split], sizes: Mapping[str, int]) -> dict[Node, _Split]:
    """Those of so low a rank that it pays."""
    return {
        node: split
        for node, split in found.items()
        if WORTH * prod(dim.evaluate(sizes) for dim in split.rank)
        <= split.d.dims[0].evaluate(sizes)
    }


def _term_by_term(node: Node, small: Collection[Node]) -> Node:
    """A product, or part, of a sum that has such inverses in it, as a sum of smaller things.

    (inv(M) - inv(M) b b' inv(M)) U -> inv(M) U - inv(M) b b' inv(M) U
    """
    if not isinstance(node, Einsum):
        return node
    for place, factor in enumerate(node.factors):
        row = node.subscripts[place]
        if (set(row) <= set(node.output) and len(set(row)) == len(row)) or not (
            isinstance(factor, Add) or is_contraction(factor)
        ):
            continue  # kept whole, or no sum and no product
        terms = factor.terms if isinstance(factor, Add) else ((Fraction(1), factor),)
        if len(terms) <= TERMS and any(_holds(term, small) for _, term in terms):
            return build.add((c, _with_factor(node, place, term)) for c, term in terms)
    return node


def _holds(term: Node, small: Collection[Node]) -> bool:
    return term in small or (is_contraction(term) and any(x in small for x in term.factors))


def _with_factor(node: Einsum, place: int, term: Node) -> Node:
    """A product with another factor at a place; a product there is opened."""
    own = tuple(range(term.order))
    inner: tuple[Sequence[Node], Sequence[Labels], Labels] = ([term], [own], own)
    if is_contraction(term):
        inner = term.factors, term.subscripts, term.output
    dims = {
        label: dim
        for factor, labels in zip(node.factors, node.subscripts, strict=True)
        for label, dim in zip(labels, factor.dims, strict=True)
    }
    dims |= dict(zip(node.output, node.dims, strict=True))
    factors, rows = with_inner(node.factors, node.subscripts, place, *inner)
    return build.einsum(factors, rows, node.output, dims)


def _by_pairs(node: Einsum, sizes: Mapping[str, int], solved: Callable[[Node], Node]) -> Node:
    """A product of many factors as products of two, each of them `solved`."""
    extents = {
        label: dim.evaluate(sizes)
        for factor, row in zip(node.factors, node.subscripts, strict=True)
        for label, dim in zip(row, factor.dims, strict=True)
    }
    special = special_among(node.factors)
    return in_pairs(node, plan(node.subscripts, node.output, extents, special).path, solved)


def _by_determinant_lemma(split: _Split) -> Node:
    """``logdet(D) + logdet(I + V inv(D) U)``, the second of a matrix of one element for rank 1."""
    core = _core(split)
    if not split.rank:
        core = build.einsum([core], [()], "ij", {"i": Dim.of(1), "j": Dim.of(1)})
    return build.sum_of(total(log(split.d), 1), logdet(core))


def _split(matrix: Add, inner: Callable[[Node], bool]) -> _Split | None:
    """A sum of diagonal matrices and one product, as diagonal and product; else None."""
    terms = _terms(matrix, inner)
    plain = [(c, term) for c, term in terms if holds(term, Fact.DIAGONAL) is True]
    rest = [(c, term) for c, term in terms if holds(term, Fact.DIAGONAL) is not True]
    if not plain or len(rest) != 1:
        return None
    diagonal = build.einsum([build.add(plain)], "ii->i")
    if holds(diagonal, Fact.POSITIVE) is not True:
        return None
    ((coefficient, term),) = rest
    product = _opened(term, inner)
    if (sides := _sides(product)) is None:
        return None
    u, v, rank = sides
    return _Split(diagonal, build.scale(coefficient * product.coefficient, u), v, rank)


def _sides(product: OpenProduct) -> tuple[Node, Node, Shape] | None:
    """A matrix as a product of two: the factors with its rows, those without, what joins them.

    None where a factor has the rows and the columns, or where one side has neither.
    """
    row, column = product.output
    sides: tuple[list[int], list[int]] = ([], [])
    for k, labels in enumerate(product.subscripts):
        if row in labels and column in labels:
            return None
        sides[column in labels].append(k)
    left, right = ({x for k in side for x in product.subscripts[k]} for side in sides)
    if row == column or row not in left or column not in right:
        return None
    joined = tuple(sorted((left & right) - {row, column}))
    u, v = (
        build.einsum(
            [product.factors[k] for k in side], [product.subscripts[k] for k in side], output
        )
        for side, output in zip(sides, ((row, *joined), (*joined, column)), strict=True)
    )
    return u, v, tuple(product.dims[x] for x in joined)


def _terms(matrix: Add, inner: Callable[[Node], bool]) -> list[tuple[Fraction, Node]]:
    """The terms of a sum, those of inner sums among them."""
    found: list[tuple[Fraction, Node]] = []
    pending = list(reversed(matrix.terms))
    while pending:
        coefficient, term = pending.pop()
        if isinstance(term, Add) and inner(term):
            pending += [(coefficient * c, x) for c, x in reversed(term.terms)]
        else:
            found.append((coefficient, term))
    return found


def _opened(node: Node, inner: Callable[[Node], bool]) -> OpenProduct:
    """A matrix as an open product: a contraction, or what it is a view of, as its factors.

    Those that are `inner` are opened in turn.
    """
    product = build.open_product([node], ["ij"], "ij")
    chosen = list(map(_opens, product.factors))
    while any(chosen) and len(product.factors) <= FACTORS:
        product = _with_opened(product, chosen)
        chosen = [_opens(factor) and inner(factor) for factor in product.factors]
    return product


def _opens(node: Node) -> bool:
    """Whether a node is a product of others; a size, which is a sum of ones, is not."""
    return is_contraction(node) and not all(isinstance(x, Const) for x in node.factors)


def _with_opened(product: OpenProduct, chosen: Sequence[bool]) -> OpenProduct:
    """A product with the factors of the chosen factors in the place of these."""
    factors: list[Node] = []
    rows: list[Sequence[Hashable]] = []
    for k, (factor, row) in enumerate(zip(product.factors, product.subscripts, strict=True)):
        if chosen[k] and isinstance(factor, Einsum):
            outer = dict(zip(factor.output, row, strict=True))
            factors += factor.factors
            rows += [[outer.get(x, (k, x)) for x in labels] for labels in factor.subscripts]
        else:
            factors.append(factor)
            rows.append(row)
    opened = build.open_product(factors, rows, product.output, product.dims)
    return replace(opened, coefficient=product.coefficient * opened.coefficient)


def _core(split: _Split) -> Node:
    """``I + V inv(D) U``."""
    rank = range(len(split.rank))
    left = [("p", k) for k in rank]
    right = [("q", k) for k in rank]
    unit = build.einsum([], [], [*rank, *rank], dict(enumerate(split.rank)))
    inner = build.einsum(
        [split.v, power(split.d, -1), split.u],
        [(*left, "n"), ("n",), ("n", *right)],
        (*left, *right),
    )
    return build.sum_of(unit, inner)


def _by_woodbury(node: Einsum, place: int, split: _Split) -> Node:
    """A product with the inverse at a place, without it."""
    rank = range(len(split.rank))
    over = power(split.d, -1)
    left = [("p", k) for k in rank]
    right = [("q", k) for k in rank]
    core = _core(split)
    inverse = inv(core, len(split.rank)) if split.rank else power(core, -1)
    i, j = node.subscripts[place]
    others = [*node.factors[:place], *node.factors[place + 1 :]]
    rows: list[Labels] = [*node.subscripts[:place], *node.subscripts[place + 1 :]]
    dims = dict(zip(node.output, node.dims, strict=True))
    tied = build.einsum(
        [*others, over, build.delta(split.d.dims[0])], [*rows, (i,), (i, j)], node.output, dims
    )
    chain = build.einsum(
        [*others, over, split.u, inverse, split.v, over],
        [*rows, (i,), (i, *left), (*left, *right), (*right, j), (j,)],
        node.output,
        dims,
    )
    return build.subtract(tied, chain)
