"""What chains of matrices and weights say: vectors, diagonals, traces, element-wise products.

Each phrase is written in the one of its forms that reads best.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from tcalc.expr.dims import Dim
from tcalc.printing.chains import Chain, Link, Weight, flip, is_elementwise, linear
from tcalc.printing.formula import (
    Call,
    Formula,
    Indexed,
    Number,
    Power,
    Product,
    Symbol,
    Transpose,
    product,
    scaled,
    signed,
)
from tcalc.printing.writer import WHOLE, Writer, norm, ones, raised, triangle

ONE = Fraction(1)


class Phrases:
    """Phrases of one page."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer

    def vector(self, weights: Sequence[Weight], dim: Dim) -> Formula:
        """All weights of a label as one vector; ones where there is none."""
        if not weights:
            return ones(dim)
        above = [product(ONE, (), w.body) for w in weights if w.inverse is None]
        below = [w.inverse for w in weights if w.inverse is not None]
        return self.elementwise(above, below)

    def diagonal(self, weights: Sequence[Weight]) -> Chain:
        """All weights of a label as a diagonal matrix; nothing where there is none."""
        if not weights:
            return ()
        vector = self.vector(weights, Dim.of(1))
        match weights:
            case [Weight(loop=(left, Link(dims=(size, _)) as right))] if len(left.dims) == 2:
                # diag((A.*B)*ones(n)), not diag(diag(A*B')), but diag(diag(A*B))
                rows = self.hadamard([(left,), (right.flipped(),)])
                sums = product(ONE, (), (*linear(rows), ones(size)))
                if self.writer.transposes(sums) <= self.writer.transposes(vector):
                    vector = sums
        return (Link(Call("diag", (vector,)), symmetric=True),)

    def elementwise(self, above: Sequence[Formula], below: Sequence[Formula]) -> Formula:
        """A product element by element, over another one."""
        if len(above) == 1 and not below:
            return above[0]
        coefficient = ONE
        kept: list[Formula] = []
        for factor in above:
            negative, rest = signed(factor)
            coefficient = -coefficient if negative else coefficient
            kept.append(rest)
        repeated = {self.writer.text(factor): factor for factor in kept}
        if len(repeated) < len(kept):
            if len(repeated) == 1 and not below:
                return scaled(coefficient, raised(kept[0], Fraction(len(kept)), elementwise=True))
            counts = Counter(map(self.writer.text, kept))
            kept = [raised(x, Fraction(counts[t]), elementwise=True) for t, x in repeated.items()]
        return product(
            coefficient,
            (),
            self.writer.scalars(kept),
            elementwise=True,
            over=self.writer.scalars(below),
        )

    def hadamard(self, chains: Sequence[Chain]) -> Chain:
        """Chains between the same two labels, multiplied element by element."""
        if len(chains) == 1:
            return chains[0]
        flipped = [flip(chain) for chain in chains]
        turns = [
            sum(link.transposed for c in cs for link in c if link.mask is None)
            for cs in (chains, flipped)
        ]
        if turns[1] < turns[0]:
            return flip(self.hadamard(flipped))
        dims = (*chains[0][0].dims[:1], *chains[0][-1].dims[-1:])
        masks = masks_among(chains)
        rest = [c for c in chains if not masks_among([c])]
        if masks and rest:
            whole = product(ONE, (), linear(self.hadamard(rest)))
            return (Link(masked(whole, masks), dims=dims),)
        above = [product(ONE, (), linear(c)) for c in chains if not _inverse_of(c)]
        below = [inverse for c in chains if (inverse := _inverse_of(c)) is not None]
        symmetric = all(len(chain) == 1 and chain[0].symmetric for chain in chains)
        return (Link(self.elementwise(above, below), symmetric, dims=dims),)

    def trace(self, chain: Chain) -> Formula:
        """``tr``, of the rotation and direction that read best; ``norm2(A)^2``, ``sum(A.*B)``."""
        if len(chain) == 2:
            left, right = chain[0], chain[1].flipped()
            turns_left, turns_right = (x.transposed or x.symmetric for x in (left, right))
            if turns_left and turns_right and (left.transposed or right.transposed):
                left, right = left.flipped(), right.flipped()
            a, b = left.written, right.written
            if self.writer.text(a) == self.writer.text(b):
                return Power(norm(a, "F"), Number(Fraction(2)))
            if is_elementwise(a) or is_elementwise(b):
                return Call("sum", (self.elementwise((a, b), ()),))
        turns = [(*chain[k:], *chain[:k]) for k in range(len(chain))]
        turns += [flip(turn) for turn in turns]
        body = min((linear(turn) for turn in turns), key=self.simplicity)
        return Call("tr", (product(ONE, (), body),))

    def inner(self, left: Weight, right: Weight) -> Formula:
        """``x'*A*y``, read from the better end."""
        if not left.chain and not right.chain:
            same = self.writer.text(left.end) == self.writer.text(right.end)
            if same and not isinstance(left.end, Symbol):
                return Power(norm(left.end, "2"), Number(Fraction(2)))
        if self.writer.text(left.end) == self.writer.text(right.end):
            chain = (*flip(left.chain), *right.chain)
            half = len(chain) // 2
            if chain and all(x.mirrors(y) for x, y in zip(chain, chain[::-1], strict=True)):
                end = linear([*chain[half:], Link(right.end, order=1)])
                return Power(norm(product(ONE, (), end), "2"), Number(Fraction(2)))
        options = [
            linear([_row(x), *flip(x.chain), *y.chain, Link(y.end, order=1)])
            for x, y in ((left, right), (right, left))
        ]
        return product(ONE, (), min(options, key=self.simplicity))

    def either_way(self, chain: Chain) -> tuple[Formula, ...]:
        """A chain read from the better end."""
        return min(linear(chain), linear(flip(chain)), key=self.simplicity)

    def simplicity(self, body: tuple[Formula, ...]) -> tuple[object, ...]:
        """Which of two products reads better, as a key: the smaller one does."""
        transposes, *rest = self.writer.simplicity(Product(body=body))
        first, last = (self.writer.text(formula) for formula in (body[0], body[-1]))
        return (transposes, first != f"{last}'", *rest)


def column(chain: Chain, at: str) -> Formula:
    """The column of a matrix at a position; a row of what stands transposed."""
    if len(chain) == 1 and chain[0].transposed:
        return Indexed(chain[0].formula, (at, WHOLE))
    return Indexed(product(ONE, (), linear(chain)), (WHOLE, at))


def outer(x: Weight, y: Weight) -> tuple[Formula, ...]:
    """``x*y'`` of two vectors."""
    x, y = x.among_zeros(), y.among_zeros()
    return linear([*x.chain, Link(x.end, order=1), _row(y), *flip(y.chain)])


def _row(x: Weight) -> Link:
    return Link(x.end, transposed=True, order=1)


def masks_among(chains: Sequence[Chain]) -> list[Link]:
    """The triangles of ones among chains."""
    return [c[0] for c in chains if len(c) == 1 and c[0].mask is not None]


def masked(formula: Formula, masks: Sequence[Link]) -> Formula:
    """A matrix times triangles of ones, element by element."""
    for mask in masks:
        formula = triangle(formula, mask.mask or 0, upper=mask.transposed)
    return formula


def _inverse_of(chain: Chain) -> Formula | None:
    if len(chain) != 1 or chain[0].inverse is None:
        return None
    inverse = chain[0].inverse
    if not chain[0].transposed:
        return inverse
    return inverse.base if isinstance(inverse, Transpose) else Transpose(inverse)


def element(vector: Formula, at: str) -> Formula:
    """One element of a vector; a column of a matrix gives an element of the matrix."""
    if isinstance(vector, Indexed) and len(vector.positions) == 2:
        row, column = vector.positions
        if ":" in row:
            return Indexed(vector.base, (at, column))
        if ":" in column:
            return Indexed(vector.base, (row, at))
    return Indexed(vector, (at,))
