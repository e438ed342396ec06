"""Rules for Kronecker products and for axes that are split in pairs.

``(A ⊗ B)[(i,k),(j,l)] = A[i,j] B[k,l]`` and ``vec(X)[(j,i)] = X[i,j]``: where both ends of a
product have the same pairs, the pairs are indices of their own, and nothing is left to merge
(Van Loan, "The ubiquitous Kronecker product", 2000).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
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
from tcalc.primitives.kron import Kron, Split, Vec, kron, split
from tcalc.primitives.logdet import LogDet
from tcalc.primitives.power import power
from tcalc.simplify.coefficients import content, multiple
from tcalc.simplify.engine import of_functions, of_products_having
from tcalc.simplify.flatten import contraction_in, open_product
from tcalc.simplify.parts import Parts, parts_of
from tcalc.simplify.products import multiplied_out

Pair: TypeAlias = tuple[Dim, Dim]


@of_products_having(Kron, Vec)
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
    dims: dict[Hashable, Dim] = {}
    for label, (here, beside) in known.items():
        dims |= {label: here, second[label]: beside}
    return build.einsum(factors, rows, output, dims)


def _joined_pairs(parts: Parts, dims: Shape) -> dict[int, Pair] | None:
    """The labels of the output and what Kronecker products and unit matrices join to them."""
    known: dict[int, Pair] = {}
    for n, label in enumerate(parts.output):
        if known.setdefault(label, (dims[2 * n], dims[2 * n + 1])) != dims[2 * n : 2 * n + 2]:
            return None
    before = 0
    while before < len(known):
        before = len(known)
        for factor, row in zip(parts.factors, parts.rows, strict=True):
            if known.keys().isdisjoint(row) or not _is_pairwise(factor):
                continue
            first = next(known[label] for label in row if label in known)
            for label, pair in zip(row, _pairs(factor) or (first, first), strict=True):
                if known.setdefault(label, pair) != pair:
                    return None
    return known


def _is_pairwise(node: Node) -> bool:
    """Whether a tensor has pairs of axes of its own, or those of what it is joined to."""
    return isinstance(node, Delta) or _pairs(node) is not None


RULES = (
    kronecker_products_opened,
    kronecker_products_multiplied,
    inverse_of_kronecker_product,
    determinant_of_kronecker_product,
    number_out_of_split,
    split_of_product,
)
