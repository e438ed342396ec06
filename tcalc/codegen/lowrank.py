"""Solves with a diagonal plus a product of low rank, by the identity of Woodbury.

    inv(D + c U V) B = inv(D) B - inv(D) U inv(I/c + V inv(D) U) V inv(D) B

The matrix that is factorised has as many rows as the rank.  It is done where the sizes make the
rank small, and where D is known to be positive: else D could be singular though the sum is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from tcalc.expr import build
from tcalc.expr.build import OpenProduct
from tcalc.expr.dims import Shape
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Add, Apply, Einsum, Node
from tcalc.expr.primitive import Fact, Labels
from tcalc.expr.traverse import postorder, rebuild
from tcalc.primitives.inverse import Inverse, inv
from tcalc.primitives.power import power

WORTH = 3
"""By how many times the rank is smaller than the matrix where the identity saves work."""


@dataclass(frozen=True, slots=True)
class _Split:
    """A matrix as ``diag(d) + Σ U[i,rank] V[rank,j]``; the coefficient is in U."""

    d: Node
    u: Node
    v: Node
    rank: Shape


def low_rank_solves(roots: Sequence[Node], sizes: Mapping[str, int]) -> tuple[list[Node], bool]:
    """The roots with such solves rewritten where it pays, and whether the sizes were asked.

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
    found: dict[Node, _Split] = {}
    for node in postorder(roots):
        match node:
            case Apply(primitive=Inverse(axes=1), args=(Add() as matrix,)) if node.order == 2:
                split = _split(matrix)
                if split is not None:
                    found[node] = split
    small = {
        node: split
        for node, split in found.items()
        if WORTH * prod(dim.evaluate(sizes) for dim in split.rank) <= node.dims[0].evaluate(sizes)
    }
    if not small:
        return list(roots), bool(found)

    def solved(node: Node) -> Node:
        if isinstance(node, Einsum) and not node.is_view:
            for place, factor in enumerate(node.factors):
                if factor in small:
                    return _by_woodbury(node, place, small[factor])
        return node

    # The inverses keep their places until the products around them are rewritten.
    return rebuild(roots, solved), True


def _split(matrix: Add) -> _Split | None:
    """A sum of diagonal matrices and one product, as diagonal and product; else None."""
    plain = [(c, term) for c, term in matrix.terms if holds(term, Fact.DIAGONAL) is True]
    rest = [(c, term) for c, term in matrix.terms if holds(term, Fact.DIAGONAL) is not True]
    if not plain or len(rest) != 1:
        return None
    diagonal = build.einsum([build.add(plain)], "ii->i")
    if holds(diagonal, Fact.POSITIVE) is not True:
        return None
    ((coefficient, term),) = rest
    product = _opened(term)
    row, column = product.output
    sides: tuple[list[int], list[int]] = ([], [])
    for k, labels in enumerate(product.subscripts):
        if row in labels and column in labels:
            return None
        sides[column in labels].append(k)
    names = [{x for k in side for x in product.subscripts[k]} for side in sides]
    if row == column or row not in names[0] or column not in names[1]:
        return None
    joined = tuple(sorted((names[0] & names[1]) - {row, column}))
    u, v = (
        build.einsum(
            [product.factors[k] for k in side], [product.subscripts[k] for k in side], output
        )
        for side, output in zip(sides, ((row, *joined), (*joined, column)), strict=True)
    )
    rank = tuple(product.dims[x] for x in joined)
    return _Split(diagonal, build.scale(coefficient * product.coefficient, u), v, rank)


def _opened(node: Node) -> OpenProduct:
    """A matrix as an open product: a view of a contraction as the factors of that."""
    product = build.open_product([node], ["ij"], "ij")
    match product.factors:
        case (Einsum() as core,) if not core.is_view:
            outer = dict(zip(core.output, product.subscripts[0], strict=True))
            rows = [[outer.get(x, ("inner", x)) for x in row] for row in core.subscripts]
            inner = build.open_product(core.factors, rows, product.output, product.dims)
            return OpenProduct(
                product.coefficient * inner.coefficient,
                inner.factors,
                inner.subscripts,
                inner.output,
                inner.dims,
            )
    return product


def _by_woodbury(node: Einsum, place: int, split: _Split) -> Node:
    """A product with the inverse at a place, without it."""
    rank = range(len(split.rank))
    over = power(split.d, -1)
    left = [("p", k) for k in rank]
    right = [("q", k) for k in rank]
    unit = build.einsum([], [], [*rank, *rank], dict(enumerate(split.rank)))
    inner = build.einsum(
        [split.v, over, split.u], [(*left, "n"), ("n",), ("n", *right)], (*left, *right)
    )
    core = build.sum_of(unit, inner)
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
