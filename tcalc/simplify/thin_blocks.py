"""Laws for the thin factor of blocks side by side, ``A = [A1, A2] = L*[Q1, Q2]`` with ``Q*Q' = I``.

    inv(L)*A1 -> Q1
    Q1*Q1'    -> I - Q2*Q2'
    Q2        -> inv(L)*A2             for a diagonal A2

and the same for ``Q, R = qr([A1; A2])``, transposed.  So a regularised least squares problem is
factorised, whose second block is a multiple of the unit matrix.  Its derivatives ask for
``Σ inv(L)'*Q1 .* A1``, by these laws ``n - Σ Q2.^2``.  Where all that is left of Q are products
with vectors, Q need not be formed, which takes as long as to factorise.

The first law divides by scalars that stand before A1, and asks that they be positive.  The third
is as accurate as a formed Q: that satisfies ``Q*Q' = I`` to rounding, but differs from the factor
of A by rounding times the condition number of A, and so does ``inv(L)*A2``.  By the second, what
is small is a difference of numbers near 1; a formed Q1 has as large an error.  None of them writes
``Q'*Q`` by solves with L, which would lose the condition number twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, permutations, product

from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Add, Apply, Einsum, Node
from tcalc.expr.primitive import Fact, Labels
from tcalc.expr.traverse import postorder, with_operands
from tcalc.primitives.inverse import inv
from tcalc.primitives.power import power
from tcalc.primitives.qr import Lq, Qr
from tcalc.primitives.selection import Window
from tcalc.simplify.coefficients import ONE
from tcalc.simplify.flatten import FACTORS, is_contraction
from tcalc.simplify.parts import Parts, parts_of
from tcalc.simplify.splicing import (
    alone,
    changed,
    factors_of,
    is_between,
    joined,
    opened,
    spliced,
)

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
        family = _family(factors[k]) if k < len(factors) else None
        if family is not None:
            found = _Elimination(family, found).run() or found
    return found


def thin_factors(roots: Sequence[Node]) -> list[Apply]:
    """The thin factors with orthonormal rows or columns below some roots."""
    return [node for node in postorder(roots) if _is_thin(node)]  # type: ignore[misc] # Apply


def _is_thin(node: Node) -> bool:
    match node:
        case Apply(primitive=Lq(), output=1) | Apply(primitive=Qr(), output=0):
            return node.order == 2
        case _:
            return False


@dataclass(frozen=True, slots=True)
class _Block:
    """A block of A: a number and scalars times a matrix, or times a diagonal matrix of vectors.

    `axis` is the axis of the matrix that is the short one of A.
    """

    window: Node
    number: Fraction
    scalars: tuple[Node, ...]
    matrix: Node | None
    axis: int
    entries: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class _Family:
    """The factors of a matrix of blocks: Q, whose short axis is `short`, and the inverse of L.

    The axis `short` of the inverse is that of Q; with the other it meets A.
    """

    q: Apply
    inverse: Node
    short: int
    blocks: tuple[_Block, ...]

    @property
    def long(self) -> int:
        return 1 - self.short

    def row(self, short: int, long: int) -> Labels:
        """The labels of Q, or of the inverse, by its axes."""
        return (short, long) if self.short == 0 else (long, short)

    @property
    def sides(self) -> tuple[Dim, Dim]:
        """The short and the long dimension."""
        return self.q.dims[self.short], self.q.dims[self.long]


def _family(q: Apply) -> _Family | None:
    """What belongs to a thin factor, if its matrix is of blocks, at most one of them not diagonal.

    Then each block is by the third law, or by the second from those that are.
    """
    short = 0 if isinstance(q.primitive, Lq) else 1
    triangle = build.apply(q.primitive, *q.args, output=1 - q.output)
    blocks = _blocks(q.args[0], short)
    if len(blocks) < 2 or sum(block.matrix is not None for block in blocks) > 1:
        return None
    return _Family(q, inv(triangle), short, blocks)


def _blocks(matrix: Node, short: int) -> tuple[_Block, ...]:
    """The blocks that a matrix consists of along its longer axis; none if it is anything else."""
    terms: Sequence[tuple[Fraction, Node]] = ((ONE, matrix),)
    match matrix:
        case Add():
            terms = matrix.terms
        case Einsum(factors=(Add() as inner,)) if build.transpose(inner) is matrix:
            terms = [(c, build.transpose(x)) for c, x in inner.terms]
    found: list[_Block] = []
    for coefficient, term in terms:
        block = _block(coefficient, opened(parts_of(term)), short)
        if block is None:
            return ()
        found.append(block)
    places = sorted((_places(block.window) for block in found), key=lambda place: str(place[0]))
    return tuple(found) if _cover(places, matrix.dims[1 - short]) else ()


def _cover(places: list[tuple[Dim, Dim]], dim: Dim) -> bool:
    """Whether ranges put one behind the other are all of a dimension."""
    at = Dim.of(1)
    while places:
        following = next((place for place in places if place[0] == at), None)
        if following is None:
            return False
        places.remove(following)
        at = following[1] + 1
    return at == dim + 1


def _places(window: Node) -> tuple[Dim, Dim]:
    assert isinstance(window, Apply)
    assert isinstance(window.primitive, Window)
    return window.primitive.start, window.primitive.stop


def _block(coefficient: Fraction, parts: Parts, short: int) -> _Block | None:
    if len(parts.output) != 2:
        return None
    row, end = parts.output[short], parts.output[1 - short]
    windows = [
        k
        for k, (x, at) in enumerate(zip(parts.factors, parts.rows, strict=True))
        if _is_window(x) and at[1] == end
    ]
    if len(windows) != 1 or parts.uses(end) != 1:
        return None
    (k,) = windows
    window, (inner, _) = parts.factors[k], parts.rows[k]
    rest = [
        (x, at) for j, (x, at) in enumerate(zip(parts.factors, parts.rows, strict=True)) if j != k
    ]
    scalars = tuple(x for x, at in rest if not at)
    others = [(x, at) for x, at in rest if at]
    number = coefficient * parts.coefficient
    if inner == row and all(at == (row,) for _, at in others):
        return _Block(window, number, scalars, None, 0, tuple(x for x, _ in others))
    if len(others) == 1 and sorted(others[0][1]) == sorted((row, inner)) and row != inner:
        ((matrix, at),) = others
        good = all(holds(x, Fact.POSITIVE) is True for x in scalars)
        return _Block(window, number, scalars, matrix, at.index(row), ()) if good else None
    return None


def _is_window(node: Node) -> bool:
    return isinstance(node, Apply) and isinstance(node.primitive, Window)


class _Elimination:
    """One attempt to write some roots without one thin factor."""

    def __init__(self, family: _Family, roots: Sequence[Node]) -> None:
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
        return parts if small and any(True for _ in self._solved(parts)) else None

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
            new = self._with_products(term) or self._step(term)
            if new is None:
                found.append(term)
            else:
                waiting += new
        return [*found, *waiting]

    def _step(self, parts: Parts) -> list[Parts] | None:
        for new in self._solved(parts):
            return [new]
        for law in (self._square, self._windows, self._gram, self._diagonal, self._distributed):
            found = law(parts)
            if found is not None:
                return found
        return None

    # inv(L)*A1 -> Q1

    def _solved(self, parts: Parts) -> Iterator[Parts]:
        family = self.family
        block = next((x for x in family.blocks if x.matrix is not None), None)
        if block is None or block.matrix is None:
            return
        for k, j in permutations(range(len(parts.factors)), 2):
            if parts.factors[k] is not family.inverse or parts.factors[j] is not block.matrix:
                continue
            outer, inner = parts.rows[k][family.short], parts.rows[k][family.long]
            here = parts.rows[j]
            if here[block.axis] == inner and outer != inner and is_between(parts, inner):
                end = 1 + max(parts.dims)
                new = [family.q, block.window, *(power(s, -1) for s in block.scalars)]
                rows = [family.row(outer, end), (here[1 - block.axis], end)]
                rows += [()] * len(block.scalars)
                yield changed(parts, (k, j), new, rows, 1 / block.number)

    # Q*Q' -> I

    def _square(self, parts: Parts) -> list[Parts] | None:
        family = self.family
        for k, j in self._pairs(parts):
            end = parts.rows[k][family.long]
            if end == parts.rows[j][family.long] and is_between(parts, end):
                return [self._unit(parts, (k, j), parts.rows[k], parts.rows[j])]
        return None

    # Q1*Q1' -> I - Q2*Q2'

    def _gram(self, parts: Parts) -> list[Parts] | None:
        family = self.family
        for k, j in self._pairs(parts):
            one, other = self._window(parts, k), self._window(parts, j)
            if one is None or other is None or one == other:
                continue
            same = parts.factors[one] is parts.factors[other]
            middle = parts.rows[one][0]
            if not same or middle != parts.rows[other][0] or not is_between(parts, middle):
                continue
            gone = (k, j, one, other)
            left, right = parts.rows[k][family.short], parts.rows[j][family.short]
            found = [self._unit(parts, gone, parts.rows[k], parts.rows[j])]
            for block in family.blocks:
                if block.window is parts.factors[one]:
                    continue
                if block.matrix is not None:
                    return None
                at = 1 + max(parts.dims)
                rows = [family.row(left, at), family.row(right, at)]
                rows += [(at,)] * (2 * len(block.entries)) + [()] * (2 * len(block.scalars))
                new = [family.inverse] * 2 + [*block.entries] * 2 + [*block.scalars] * 2
                found.append(changed(parts, gone, new, rows, -(block.number**2)))
            return found
        return None

    # Q2 -> inv(L)*A2

    def _diagonal(self, parts: Parts) -> list[Parts] | None:
        family = self.family
        for k, factor in enumerate(parts.factors):
            place = self._window(parts, k) if factor is family.q else None
            if place is None:
                continue
            for block in family.blocks:
                if block.window is parts.factors[place] and block.matrix is None:
                    short, at = parts.rows[k][family.short], parts.rows[place][0]
                    rows = [family.row(short, at), *[(at,)] * len(block.entries)]
                    rows += [()] * len(block.scalars)
                    new = [family.inverse, *block.entries, *block.scalars]
                    return [changed(parts, (k, place), new, rows, block.number)]
        return None

    # W1*W1' -> I, W1*W2' -> 0 for rows of the unit matrix

    def _windows(self, parts: Parts) -> list[Parts] | None:
        own = {block.window for block in self.family.blocks}
        places = [k for k, x in enumerate(parts.factors) if x in own]
        for k, j in combinations(places, 2):
            end = parts.rows[k][1]
            if end == parts.rows[j][1] and is_between(parts, end):
                if parts.factors[k] is not parts.factors[j]:
                    return []
                left, right = parts.rows[k][0], parts.rows[j][0]
                return [joined(parts, (k, j), left, right, parts.factors[k].dims[0])]
        return None

    # (A + B)*Q' -> A*Q' + B*Q'

    def _distributed(self, parts: Parts) -> list[Parts] | None:
        places = [k for k, factor in enumerate(parts.factors) if factor is self.family.q]
        for axis in (self.family.long, self.family.short):
            met = {parts.rows[k][axis] for k in places}
            for j, other in enumerate(parts.factors):
                if isinstance(other, Add) and other.order > 1 and met.intersection(parts.rows[j]):
                    return [self._with_term(parts, j, c, x) for c, x in other.terms]
        return None

    def _with_term(self, parts: Parts, place: int, coefficient: Fraction, term: Node) -> Parts:
        """The product with one term of a sum in the place of the sum."""
        inner = [alone(x) for x in parts.factors]
        inner[place] = opened(parts_of(term))
        new = spliced(parts, inner)
        return Parts(new.coefficient * coefficient, new.factors, new.rows, new.output, new.dims)

    def _pairs(self, parts: Parts) -> Iterator[tuple[int, int]]:
        places = [k for k, x in enumerate(parts.factors) if x is self.family.q]
        return ((k, j) for k in places for j in places if k < j)

    def _window(self, parts: Parts, k: int) -> int | None:
        """The position of the block that alone is taken of a Q, if one is."""
        end = parts.rows[k][self.family.long]
        if not is_between(parts, end):
            return None
        found = [j for j, row in enumerate(parts.rows) if j != k and end in row]
        good = len(found) == 1 and _is_window(parts.factors[found[0]])
        return found[0] if good and parts.rows[found[0]][1] == end else None

    def _unit(self, parts: Parts, gone: Collection[int], one: Labels, other: Labels) -> Parts:
        """A unit matrix in place of two Q, between their short axes."""
        left, right = one[self.family.short], other[self.family.short]
        return joined(parts, gone, left, right, self.family.sides[0])

    # Products with vectors, which keep Q from being multiplied by anything larger.

    def _with_products(self, parts: Parts) -> list[Parts] | None:
        """A vector and a matrix that it meets, or another vector, as one vector."""
        candidates = [
            new
            for k, row in enumerate(parts.rows)
            if len(row) == 1
            for new in self._product(parts, k)
        ]
        for new in candidates:
            if new.factors[-1] in self.known:
                return [new]
        return candidates[:1] or None

    def _product(self, parts: Parts, k: int) -> Iterator[Parts]:
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
