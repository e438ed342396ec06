"""Rules for Kronecker products and for axes that are split in pairs.

``(A ⊗ B)[(i,k),(j,l)] = A[i,j] B[k,l]`` and ``vec(X)[(j,i)] = X[i,j]``: where both ends of a
product have the same pairs, the pairs are indices of their own, and nothing is left to merge
(Van Loan, "The ubiquitous Kronecker product", 2000).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from fractions import Fraction
from itertools import permutations, product
from typing import TypeAlias

from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Add, Apply, Delta, Einsum, Node
from tcalc.expr.primitive import Fact, Labels
from tcalc.primitives.determinant import Cofactors
from tcalc.primitives.exponential import pow_
from tcalc.primitives.inverse import Inverse, inv
from tcalc.primitives.kron import Kron, Merge, Split, Vec, kron, split
from tcalc.primitives.logdet import LogDet
from tcalc.primitives.power import power
from tcalc.simplify.coefficients import common_number, multiple
from tcalc.simplify.engine import of_functions_of, of_products_having
from tcalc.simplify.flatten import opened_term
from tcalc.simplify.parts import Parts, parts_of
from tcalc.simplify.products import multiplied_out
from tcalc.simplify.splicing import is_between

Pair: TypeAlias = tuple[Dim, Dim]
SplitFactor: TypeAlias = tuple[Node, Labels]


@of_products_having(Kron, Merge, Vec)
def kronecker_products_opened(node: Einsum) -> Node | None:
    """``tr(kron(A, B)) -> tr(A)*tr(B)``: where all axes of Kronecker products are summed over.

    Example: ``vec(X)'*kron(A, B)*vec(Y) -> tr(X'*B*Y*A')`` where the sizes agree.
    """
    parts = parts_of(node)
    pairs = _pairs_of_labels(parts)
    if not pairs:
        return None
    second = {label: max(parts.dims) + 1 + n for n, label in enumerate(pairs)}
    factors: list[Node] = []
    rows: list[Labels] = []
    for factor, row in zip(parts.factors, parts.rows, strict=True):
        if pairs.keys().isdisjoint(row) or not isinstance(factor, Apply):
            factors.append(factor)
            rows.append(row)
        else:
            factors += factor.operands
            rows += _opened_rows(factor, row, second)
    dims = {label: parts.dims[label] for label in parts.output}
    return build.scale(parts.coefficient, build.einsum(factors, rows, parts.output, dims))


def _pairs_of_labels(parts: Parts) -> dict[int, Pair]:
    """The labels of which all tensors have the same pairs, as all their other labels."""
    found: dict[int, Pair] = {}
    bad = set(parts.output)
    paired: list[list[int]] = []
    for factor, row in zip(parts.factors, parts.rows, strict=True):
        own = pairs_of(factor) or (None,) * len(row)
        paired.append([label for label, pair in zip(row, own, strict=True) if pair is not None])
        for label, pair in zip(row, own, strict=True):
            if pair is None or found.setdefault(label, pair) != pair:
                bad.add(label)
    before = -1
    while before < len(bad):
        before = len(bad)
        for labels in paired:
            if not bad.isdisjoint(labels):
                bad.update(labels)
    return {label: pair for label, pair in found.items() if label not in bad}


def pairs_of(node: Node) -> tuple[Pair | None, ...] | None:
    """The pairs of sizes that axes are merged from, where a tensor has such axes; others None."""
    match node:
        case Apply(primitive=Kron(core=core), args=(a, b)) if node.order == core:
            return tuple(zip(a.dims, b.dims, strict=True))
        case Apply(primitive=Vec(), args=(x,)) if x.order == 2:
            return ((x.dims[1], x.dims[0]),)
        case Apply(primitive=Merge(pairs=count), args=(x,)):
            cut = node.order - count
            merged = [(x.dims[k], x.dims[k + 1]) for k in range(cut, x.order, 2)]
            return (*(None,) * cut, *merged)
    return None


def _opened_rows(node: Apply, row: Labels, second: dict[int, int]) -> list[Labels]:
    """The labels of what a tensor with pairs for axes is made from."""
    if isinstance(node.primitive, Merge):
        cut = len(row) - node.primitive.pairs
        return [(*row[:cut], *(at for label in row[cut:] for at in (label, second[label])))]
    other = tuple(second[label] for label in row)
    return [(*other, *row)] if isinstance(node.primitive, Vec) else [row, other]


@of_products_having(Kron)
def kronecker_products_multiplied(node: Einsum) -> Node | None:
    """``kron(A, B)*kron(C, D) -> kron(A*C, B*D)`` where the sizes agree, also of vectors."""
    parts = parts_of(node)
    pairs = {k: pair for k, x in enumerate(parts.factors) if (pair := pairs_of(x)) and _is_kron(x)}
    ways = [
        (k, j, a, b)
        for k, j in permutations(pairs, 2)
        for a, b in product(range(len(parts.rows[k])), range(len(parts.rows[j])))
    ]
    # The rows of the second are summed with the columns of the first, if they can be.
    ways.sort(key=lambda way: way[3] - way[2])
    for k, j, a, b in ways:
        here, there = parts.rows[k], parts.rows[j]
        label = here[a]
        row = (*here[:a], *here[a + 1 :], *there[:b], *there[b + 1 :])
        alone = label == there[b] and is_between(parts, label)
        apart = row and len({*row, label}) == 1 + len(row)
        if not alone or not apart or pairs[k][a] != pairs[j][b]:
            continue
        both = zip(parts.factors[k].operands, parts.factors[j].operands, strict=True)
        new = kron(*(build.einsum([x, y], [here, there], row) for x, y in both))
        return parts.replaced((k, j), (new,), (row,)).build()
    return None


def _is_kron(node: Node) -> bool:
    return isinstance(node, Apply) and isinstance(node.primitive, Kron)


@of_functions_of(LogDet, Cofactors)
def determinant_of_kronecker_product(node: Apply) -> Node | None:
    """``det(kron(A, B)) -> det(A)^n*det(B)^m`` for A of m rows and B of n.

    The same for `logdet` where A and B are positive definite.
    """
    match node:
        case Apply(
            primitive=LogDet() | Cofactors(k=0) as function,
            args=(Apply(primitive=Kron(), args=(a, b)) as whole,),
        ):
            if whole.order != 2 or any(x.dims[0] != x.dims[1] for x in (a, b)):
                return None
            sizes = [(build.apply(function, x), y.dims[0]) for x, y in ((a, b), (b, a))]
            if isinstance(function, Cofactors):
                return build.hadamard(*(_whole_power(x, size) for x, size in sizes))
            if all(holds(x, Fact.SPD) is True for x in (a, b)):
                return build.sum_of(*(build.hadamard(build.size(n), x) for x, n in sizes))
    return None


def _whole_power(x: Node, size: Dim) -> Node:
    if size.value is not None:
        return power(x, Fraction(size.value))
    return pow_(x, build.size(size))


@of_functions_of(Inverse)
def inverse_of_kronecker_product(node: Apply) -> Node | None:
    """``inv(kron(A, B)) -> kron(inv(A), inv(B))`` for square A and B."""
    match node:
        case Apply(
            primitive=Inverse(axes=1), args=(Apply(primitive=Kron(), args=(a, b)) as whole,)
        ):
            if whole.order == 2 and all(x.dims[0] == x.dims[1] for x in (a, b)):
                return kron(inv(a), inv(b))
    return None


@of_functions_of(Split)
def number_out_of_split(node: Apply) -> Node | None:
    """``split(2*A, ..) -> 2*split(A, ..)``."""
    match node:
        case Apply(primitive=Split(), args=(Add() as x, like)) if (c := common_number(x)) != 1:
            return build.scale(c, split(multiple(1 / c, x), like.dims))
    return None


@of_functions_of(Split)
def split_of_product(node: Apply) -> Node | None:
    """``split(kron(A, B)*x, ..)[i,k] -> A[i,j]*B[k,l]*split(x, ..)[j,l]``, without a merged axis.

    The same for axes that are not split, before those that are.  Term by term in sums.
    Example: ``split(vec(X), n, m) -> X'`` and
    ``split(eye(m*n), m, n, m, n)[i,k,j,l] -> eye(m)[i,j]*eye(n)[k,l]``.
    """
    match node:
        case Apply(primitive=Split(), args=(x, like)):
            return _split_terms(_terms(x), like.dims)
    return None


def _terms(node: Node) -> list[tuple[Fraction, Node]]:
    """The terms of a sum, or of a product with one sum."""
    if isinstance(node, Add):
        return [(c * d, x) for c, term in node.terms for d, x in _terms_of_product(term)]
    return _terms_of_product(node)


def _terms_of_product(node: Node) -> list[tuple[Fraction, Node]]:
    parts = parts_of(node)
    sums = [k for k, factor in enumerate(parts.factors) if isinstance(factor, Add)]
    opened = multiplied_out(parts, sums[0]) if len(sums) == 1 else None
    return list(opened.terms) if isinstance(opened, Add) else [(Fraction(1), node)]


def _split_terms(terms: Sequence[tuple[Fraction, Node]], dims: Shape) -> Node | None:
    """A sum of products split, where a pair of axes then goes and none is left merged."""
    found: list[tuple[Fraction, Node]] = []
    gone = 0
    for c, term in terms:
        parts = parts_of(opened_term(term))
        known = _joined_pairs(parts, dims)
        if known is None or len(terms) > MOST_TERMS:
            return None
        gone += sum(map(_is_pairwise, parts.factors))
        new = _split_apart(parts, known)
        if new is None:
            return None
        found.append((c * parts.coefficient, new))
    return build.add(found) if gone else None


MOST_TERMS = 4
"""The most terms of a sum that is split term by term."""


def _split_apart(parts: Parts, known: dict[int, Pair]) -> Node | None:
    """A product with two labels in place of each that is a known pair."""

    def split_whole(factor: Node, row: Labels, second: dict[int, int]) -> SplitFactor | None:
        if not known.keys() >= set(row):
            return None
        dims = tuple(dim for label in row for dim in known[label])
        return split(factor, dims), tuple(at for label in row for at in (label, second[label]))

    return taken_apart(parts, known, parts.output, split_whole)


def taken_apart(
    parts: Parts,
    pairs: dict[int, Pair],
    output: Labels,
    split_other: Callable[[Node, Labels, dict[int, int]], SplitFactor | None],
) -> Node | None:
    """A product, but for its coefficient, with two labels in place of each that is a pair.

    `split_other` is asked for factors that are not made of these pairs: it gives such a factor with
    its labels, of which it is told the second ones, or None where it is not to be split.
    """
    second = {label: max(parts.dims) + 1 + n for n, label in enumerate(pairs)}
    factors: list[Node] = []
    rows: list[Labels] = []
    for factor, row in zip(parts.factors, parts.rows, strict=True):
        own = pairs_of(factor)
        if pairs.keys().isdisjoint(row):
            factors.append(factor)
            rows.append(row)
        elif isinstance(factor, Delta):
            factors += map(build.delta, pairs[row[0]])
            rows += [row, tuple(second[label] for label in row)]
        elif isinstance(factor, Apply) and own is not None and _fit(own, row, pairs):
            factors += factor.operands
            rows += _opened_rows(factor, row, second)
        elif (found := split_other(factor, row, second)) is not None:
            factors.append(found[0])
            rows.append(found[1])
        else:
            return None
    dims: dict[Hashable, Dim] = {x: parts.dims[x] for x in output}
    for label, (here, beside) in pairs.items():
        dims |= {label: here, second[label]: beside}
    out = [at for x in output for at in ((x, second[x]) if x in pairs else (x,))]
    return build.einsum(factors, rows, out, dims)


def _fit(own: Sequence[Pair | None], row: Labels, pairs: dict[int, Pair]) -> bool:
    """Whether a tensor is made of the same pairs, and of no others."""
    return all(pairs.get(label) == pair for label, pair in zip(row, own, strict=True))


def _joined_pairs(parts: Parts, dims: Shape) -> dict[int, Pair] | None:
    """The labels of the output and what Kronecker products and unit matrices join to them."""
    known: dict[int, Pair] = {}
    split_off = parts.output[len(parts.output) - len(dims) // 2 :]
    for n, label in enumerate(split_off):
        if known.setdefault(label, (dims[2 * n], dims[2 * n + 1])) != dims[2 * n : 2 * n + 2]:
            return None
    before = 0
    while before < len(known):
        before = len(known)
        for factor, row in zip(parts.factors, parts.rows, strict=True):
            if not _is_pairwise(factor):
                continue
            first = next((known[label] for label in row if label in known), None)
            own = pairs_of(factor) or (first, first)
            paired = [(x, pair) for x, pair in zip(row, own, strict=True) if pair is not None]
            if known.keys().isdisjoint(label for label, _ in paired):
                continue
            for label, pair in paired:
                if known.setdefault(label, pair) != pair:
                    return None
    beside = set(parts.output).difference(split_off)
    return None if beside & known.keys() else known


def _is_pairwise(node: Node) -> bool:
    """Whether a tensor has pairs for axes, or takes those of what it is joined to."""
    return isinstance(node, Delta) or pairs_of(node) is not None


RULES = (
    kronecker_products_opened,
    kronecker_products_multiplied,
    inverse_of_kronecker_product,
    determinant_of_kronecker_product,
    number_out_of_split,
    split_of_product,
)
