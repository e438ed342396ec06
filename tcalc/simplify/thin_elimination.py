"""Thin factors eliminated: each is multiplied out as far as it reaches, and rid of by the laws.

Sums and products over the factor are opened into terms, one node after the other; the laws of
`tcalc.simplify.thin_blocks` are applied to each term until none does any more.  What has the factor
in it still is carried on into what uses it.  It succeeds where no root has it in the end, but for
its products with vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from tcalc.expr import build
from tcalc.expr.nodes import Add, Einsum, Node
from tcalc.expr.traverse import postorder, with_operands
from tcalc.simplify.blocks import Family, family_of, thin_factors
from tcalc.simplify.flatten import FACTORS, is_contraction
from tcalc.simplify.parts import Parts, parts_of
from tcalc.simplify.splicing import alone, changed, factors_of, opened, spliced
from tcalc.simplify.thin_blocks import rewritten, solved_block

TERMS = 64
"""The most terms of a sum that is multiplied out."""
FAMILIES = 8
"""How many thin factors are looked at; each takes a pass over the graph."""
STEPS = 60
"""How often laws are applied to one product at most; each application uses up a factor."""


def without_thin_factors(roots: Sequence[Node]) -> list[Node]:
    """The roots with what these laws rid of a thin factor, where they do so of all of it.

    Products with vectors stay, each one of two factors.

    >>> from tcalc.expr import shape
    >>> from tcalc.expr.dims import Dim
    >>> from tcalc.primitives.inverse import inv
    >>> from tcalc.primitives.qr import lq
    >>> from tcalc.primitives.selection import window
    >>> B = build.var("B", shape("d", "n"))
    >>> n, d = Dim.of("n"), Dim.of("d")
    >>> blocks = [window(1, n, n + d), window(n + 1, n + d, n + d)]
    >>> A = build.sum_of(build.einsum([B, blocks[0]], "ij,jk->ik"), blocks[1])
    >>> L, Q = lq(A)
    >>> trace = build.einsum([inv(L), Q, blocks[0], B], "ki,kj,lj,il->")
    >>> (found,) = without_thin_factors([trace])
    >>> Q in postorder([found])
    False
    """
    found = list(roots)
    for k in range(min(FAMILIES, len(thin_factors(found)))):
        # Where one factor is of a matrix that has another in it, the outer one has changed.
        factors = thin_factors(found)
        family = family_of(factors[k]) if k < len(factors) else None
        if family is not None:
            found = _Elimination(family, found).run() or found
    return found


class _Elimination:
    """One attempt to write some roots without one thin factor."""

    def __init__(self, family: Family, roots: Sequence[Node]) -> None:
        self.family = family
        self.roots = roots
        self.order = postorder(roots)
        self.known = set(self.order)
        self.done: dict[Node, Node] = {}
        self.open: dict[Node, list[Parts]] = {family.q: [parts_of(family.q)]}

    def run(self) -> list[Node] | None:
        """The roots without the factor but for products with vectors; None where that fails."""
        for node in self.order:
            if node is self.family.q:
                continue
            if any(operand in self.open for operand in node.operands):
                terms = self._terms(node)
                if terms is None:
                    return None
            else:
                new = with_operands(node, [self.done[x] for x in node.operands])
                solved = self._with_block(new)
                if solved is None:
                    self.done[node] = new
                    continue
                terms = [solved]
            settled = [done for term in terms for done in self._settled(term)]
            if any(map(self._is_open, settled)):
                self.open[node] = settled
            else:
                zero = build.zeros(node.dims)
                self.done[node] = build.sum_of(zero, *(term.build() for term in settled))
        if any(root in self.open for root in self.roots):
            return None
        return [self.done[root] for root in self.roots]

    def _with_block(self, node: Node) -> Parts | None:
        """A product, opened, that has the inverse beside the block that is not diagonal."""
        if not is_contraction(node):
            return None
        inner = [parts_of(x) for x in node.factors]
        if not any(self.family.inverse in x.factors for x in inner):
            return None
        parts = opened(factors_of(node))
        small = len(parts.factors) <= FACTORS
        return parts if small and any(True for _ in solved_block(self.family, parts)) else None

    def _is_open(self, parts: Parts) -> bool:
        return self.family.q in parts.factors

    def _terms(self, node: Node) -> list[Parts] | None:
        """A sum or product over the factor as terms; None for other uses of it."""
        match node:
            case Add():
                found = [
                    Parts(
                        c * inner.coefficient, inner.factors, inner.rows, inner.output, inner.dims
                    )
                    for c, x in node.terms
                    for inner in self._opened(x)
                ]
            case Einsum():
                choices = [self._opened(x) for x in node.factors]
                found = [spliced(factors_of(node), choice) for choice in product(*choices)]
            case _:
                return None
        small = len(found) <= TERMS and all(len(x.factors) <= FACTORS for x in found)
        return found if small else None

    def _opened(self, node: Node) -> list[Parts]:
        """A tensor as a sum of products, as far as it has the factor in it."""
        if node in self.open:
            return self.open[node]
        new = self.done[node]
        return [opened(parts_of(new)) if new.order > 1 else alone(new)]

    def _settled(self, parts: Parts) -> list[Parts]:
        """The terms that a product becomes when no law applies any more."""
        waiting, found = [parts], []
        for _ in range(STEPS):
            if not waiting:
                break
            term = waiting.pop()
            new = self._with_products(term) or rewritten(self.family, term)
            if new is None:
                found.append(term)
            else:
                waiting += new
        return [*found, *waiting]

    def _with_products(self, parts: Parts) -> list[Parts] | None:
        """A vector and a matrix that it meets, or another vector, as one vector.

        So Q is not multiplied by anything larger.
        """
        candidates = [
            new for k, row in enumerate(parts.rows) if len(row) == 1 for new in _products(parts, k)
        ]
        for new in candidates:
            if new.factors[-1] in self.known:
                return [new]
        return candidates[:1] or None


def _products(parts: Parts, k: int) -> Iterator[Parts]:
    """The products with one of these made of the k-th factor, a vector, and what it meets."""
    (label,) = parts.rows[k]
    users = [j for j, row in enumerate(parts.rows) if label in row and j != k]
    vectors = [j for j in users if parts.rows[j] == (label,)]
    if vectors and len(users) > len(vectors):
        j = vectors[0]
        new = build.hadamard(parts.factors[k], parts.factors[j])
        yield changed(parts, (k, j), [new], [(label,)])
    elif len(users) == 1 and label not in parts.output:
        (j,) = users
        row = parts.rows[j]
        if len(row) == 2 and row[0] != row[1]:
            (other,) = (x for x in row if x != label)
            factors = [parts.factors[k], parts.factors[j]]
            new = build.einsum(factors, [(label,), row], (other,))
            yield changed(parts, (k, j), [new], [(other,)])
