"""Chains of matrices that can be read from either end, and the vectors that end them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain, pairwise

from tcalc.expr.dims import Dim
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Apply, Const, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.primitives import REGISTRY, Kind
from tcalc.primitives.power import power
from tcalc.primitives.selection import LowerMask, UnitVector, Window, is_slice
from tcalc.printing.formula import (
    ONE,
    Call,
    Formula,
    Indexed,
    Power,
    Product,
    Sum,
    Transpose,
    product,
)
from tcalc.printing.writer import WHOLE, Writer, ones, position, raised, size_of, span, triangle
from tcalc.records import dataclass
from tcalc.simplify.parts import base_and_exponent

ZERO = Fraction(0)

LONGEST = 24
"""Products of more factors do not open those among their factors."""

BY_ENTRY = (Kind.ELEMENTWISE, Kind.NORMALISATION)
"""Functions of which the entries count: ``sum(Y.*logsoftmax(Z))``, not ``tr(Y'*logsoftmax(Z))``."""


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """A matrix in a chain, perhaps transposed; `mask` is the offset of a triangle of ones.

    `turned` is the transposed matrix, where that reads better than a prime on a sum; `node` tells
    which matrices are equal, so that a run of them is written as a power.
    """

    formula: Formula
    symmetric: bool = False
    transposed: bool = False
    dims: tuple[Dim, ...] = ()
    window: str = ""  # the range of rows of the unit matrix that it is
    inverse: Formula | None = None  # it is 1 ./ inverse
    mask: int | None = None
    turned: Formula | None = None
    node: Node | None = None
    exponent: int = 1
    order: int = 2  # 1 for the vector at an end of the chain

    def flipped(self) -> Link:
        if self.symmetric:
            return self
        return Link(
            self.formula,
            False,
            not self.transposed,
            self.dims[::-1],
            self.window,
            self.inverse,
            self.mask,
            self.turned,
            self.node,
            self.exponent,
            self.order,
        )

    @property
    def written(self) -> Formula:
        formula = self.turned if self.transposed and self.turned else self.formula
        written = raised(formula, Fraction(self.exponent), elementwise=False)
        return Transpose(written) if self.transposed and not self.turned else written

    @property
    def sums_up(self) -> bool:
        """Whether it is ``tril(ones(n,n))``."""
        return self.mask == 0 and not self.transposed and self.dims == self.dims[::-1]

    def mirrors(self, other: Link) -> bool:
        """Whether a link is the matrix of another one, transposed, and that is not the same."""
        return (
            self.node is not None
            and self.node is other.node
            and not (self.symmetric or self.window or self.inverse)
            and self.transposed != other.transposed
        )

    def repeats(self, other: Link) -> bool:
        """Whether a link is the matrix of another one once more, and square."""
        return (
            self.node is not None
            and self.node is other.node
            and (self.symmetric or self.transposed == other.transposed)
            and self.dims == self.dims[::-1]
            and not (self.window or self.inverse)
            and self.mask is None
        )


Chain = tuple[Link, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Weight:
    """A vector on a label: a chain of matrices times a vector, or one over a vector."""

    chain: Chain
    end: Formula
    inverse: Formula | None = None  # the weight is 1 ./ inverse
    unit: str = ""  # the position of the one in a unit vector
    loop: Chain = ()  # the product of matrices of which it is the diagonal

    @property
    def body(self) -> tuple[Formula, ...]:
        weight = self.among_zeros()
        return linear([*weight.chain, Link(weight.end, order=1)])

    def among_zeros(self) -> Weight:
        """``E'*v``, for a range E of rows of the unit matrix, as ``concat(zeros(1), v)``."""
        match self.chain:
            case (Link(transposed=True, node=Apply(primitive=Window() as window)), *rest):
                size = (window.start - 1, window.dim - window.stop)
                before, after = (
                    [] if zeros == Dim.of(0) else [Call("zeros", (size_of(zeros),))]
                    for zeros in size
                )
                part = product(ONE, (), linear([*rest, Link(self.end, order=1)]))
                return Weight((), Call("concat", (*before, part, *after)))
        return self


@dataclass(slots=True, eq=False)
class Edge:
    start: int
    stop: int
    chain: Chain

    def from_(self, label: int) -> Chain:
        """The chain read from one of its ends."""
        return self.chain if label == self.start else flip(self.chain)

    def other(self, label: int) -> int:
        return self.stop if label == self.start else self.start


@dataclass(frozen=True, slots=True)
class Cut:
    """What a unit vector or a window does to the one axis that it is tied to."""

    place: int  # of the unit vector or window among the factors
    at: str
    label: int | None  # of the axis that is left, if any
    dim: Dim


def cuts_of(factors: Sequence[tuple[Node, Labels]], output: Sequence[int]) -> dict[int, Cut]:
    """By the label of an axis, what selects from it, where nothing else has that label."""
    uses = Counter(label for _, row in factors for label in row)
    held = {
        label
        for factor, row in factors
        if not (isinstance(factor, Const) or is_slice(factor))
        for label in row
    }
    found: dict[int, Cut] = {}
    for place, (factor, row) in enumerate(factors):
        if not row or row[-1] in output or row[-1] not in held:
            continue
        match factor:
            case Apply(primitive=UnitVector(index=index, dim=dim)):
                found[row[-1]] = Cut(place, position(index, dim), None, dim)
            case Apply(primitive=Window(start=start, stop=stop, dim=dim)) if uses[row[-1]] == 2:
                found[row[-1]] = Cut(place, span(start, stop, dim), row[0], factor.dims[0])
    return found


def flip(chain: Chain) -> Chain:
    return tuple(link.flipped() for link in reversed(chain))


def _summed_up(chain: Sequence[Link]) -> Chain:
    """``tril(ones(n,n))*v``, with a vector v, as ``cumsum(v)``."""
    behind: list[Link] = []  # from the end of the chain on
    for link in reversed(chain):
        if link.sums_up:
            vectors = (k for k in reversed(range(len(behind))) if behind[k].order == 1)
            if (end := next(vectors, None)) is not None:
                vector = product(ONE, (), linear(behind[end:][::-1]))
                behind[end:] = [Link(Call("cumsum", (vector,)), order=1)]
                continue
        behind.append(link)
    return tuple(behind[::-1])


def linear(chain: Sequence[Link]) -> tuple[Formula, ...]:
    """The factors of a chain; runs become powers, windows slices of their neighbours."""
    if any(link.mask == 0 for link in chain):
        chain = flip(_summed_up(flip(_summed_up(chain))))
    if any(link.repeats(other) for link, other in pairwise(chain)):
        chain = _with_powers(chain)
    body: list[Formula] = []
    k = 0
    while k < len(chain):
        rows = chain[k] if chain[k].window and not chain[k].transposed else None
        core = k if rows is None else k + 1
        if core == len(chain) or chain[core].window:
            body.append(chain[k].written)
            k += 1
            continue
        link = chain[core]
        after = chain[core + 1] if core + 1 < len(chain) and link.order == 2 else None
        columns = after if after is not None and after.window and after.transposed else None
        if rows is None and columns is None:
            body.append(link.written)
        else:
            at = [WHOLE] * link.order
            at[0] = at[0] if rows is None else rows.window
            at[-1] = at[-1] if columns is None else columns.window
            body.append(Indexed(link.written, tuple(at)))
        k = core + 1 + (columns is not None)
    return tuple(body)


def _with_powers(chain: Sequence[Link]) -> list[Link]:
    """A chain with runs of equal square matrices made one, ``A*A`` as ``A^2``."""
    found: list[Link] = []
    for link in chain:
        if found and link.repeats(found[-1]):
            found[-1] = replace(found[-1], exponent=found[-1].exponent + link.exponent)
        else:
            found.append(link)
    return found


def is_chain(node: Einsum) -> bool:
    """Whether a product is of scalars and matrices, perhaps with a vector at the end, or two.

    An outer product has two: it is in two pieces, and each ends in the output.
    """
    places = [x for x in zip(node.factors, node.subscripts, strict=True) if x[1]]
    uses = Counter(label for row in node.subscripts for label in row)
    summed = [label for label in uses if label not in node.output]
    vectors = sum(factor.order == 1 for factor in node.factors)
    return (
        all(factor.order in (1, 2) and len(set(row)) == len(row) for factor, row in places)
        and all(uses[label] == 2 for label in summed)
        and all(uses[label] == 1 for label in node.output)
        and vectors < 3
        and len(summed) == len(places) - (vectors or 1)
        and node.order > 0
    )


def opened(
    node: Einsum, writer: Writer
) -> tuple[list[tuple[Node, tuple[int, ...]]], tuple[int, ...]]:
    """The factors of a product; a view of a product is opened, and so are chains among factors.

    A product in a product is one that has other uses, but no name: ``(V*C)'*(V*C)`` says no more
    than ``C'*V'*V*C``.
    """
    top = 1 + max(chain.from_iterable((*node.subscripts, node.output)), default=0)
    found: list[tuple[Node, tuple[int, ...]]] = []
    waiting = [*zip(node.factors, node.subscripts, strict=True)][::-1]
    free = node.is_view
    while waiting:
        factor, row = waiting.pop()
        if (
            isinstance(factor, Einsum)
            and not factor.is_view
            and factor not in writer.defined
            and len(found) + len(waiting) < LONGEST
            and (free or is_chain(factor))
        ):
            named = dict(zip(factor.output, row, strict=True))
            inside = [
                (inner, tuple(named.get(x, top + x) for x in labels))
                for inner, labels in zip(factor.factors, factor.subscripts, strict=True)
            ]
            waiting += inside[::-1]
            top += 1 + max(chain.from_iterable(factor.subscripts), default=0)
            free = False
        else:
            found.append((factor, row))
    return found, node.output


def divisors_collected(
    factors: Sequence[tuple[Node, Labels]],
) -> list[tuple[Node, Labels]]:
    """The factors with divisors that are equal made one: those of products that are opened meet."""
    exponents: dict[Node, list[Fraction]] = {}
    for factor, row in factors:
        base, exponent = base_and_exponent(factor)
        if not row and exponent < 0 and not isinstance(base, Einsum):
            exponents.setdefault(base, []).append(exponent)
    met = {base for base, found in exponents.items() if len(found) > 1}
    if not met:
        return list(factors)
    kept = [
        (factor, row)
        for factor, row in factors
        if row or base_and_exponent(factor)[1] > 0 or base_and_exponent(factor)[0] not in met
    ]
    return kept + [(power(x, sum(exponents[x], ZERO)), ()) for x in exponents if x in met]


def is_elementwise(formula: Formula) -> bool:
    """Whether a formula is made element by element, so that ``sum(A.*B)`` reads better."""
    waiting = [formula]
    while waiting:
        match waiting.pop():
            case Power(elementwise=True) | Product(elementwise=True):
                return True
            case Product(body=(factor,)):
                waiting.append(factor)
            case Sum(terms=terms):
                waiting += [term for _, term in terms]
            case Call(name=name, args=args):
                function = REGISTRY.get(name)
                forms = function.forms if function is not None else ()
                if any(f.kind in BY_ENTRY and f.arity == len(args) for f in forms):
                    return True
    return False


def is_ones(formula: Formula) -> bool:
    """Whether a formula is a vector of ones."""
    return isinstance(formula, Call) and formula.name == "ones" and len(formula.args) == 1


def weight_of(factor: Node, formula: Formula, inverse: Formula | None) -> Weight:
    if isinstance(factor, Apply) and isinstance(factor.primitive, UnitVector):
        unit = position(factor.primitive.index, factor.primitive.dim)
        return Weight((), formula, unit=unit)
    if inverse is None and isinstance(formula, Product):
        plain = not (formula.elementwise or formula.scalars or formula.divisors)
        if plain and formula.coefficient == 1:
            *matrices, end = formula.body
            return Weight(tuple(map(_link, matrices)), end)
    return Weight((), formula, inverse)


def link_of(factor: Node, formula: Formula, inverse: Formula | None) -> Link:
    symmetric = symmetric_axes(factor)
    if isinstance(factor, Apply):
        primitive = factor.primitive
        if isinstance(primitive, Window):
            rows = span(primitive.start, primitive.stop, primitive.dim)
            return Link(formula, dims=factor.dims, window=rows, node=factor)
        if isinstance(primitive, LowerMask) and (offset := primitive.offset.value) is not None:
            above = triangle(ones(*factor.dims[::-1]), offset, upper=True)
            return Link(formula, dims=factor.dims, mask=offset, turned=above, node=factor)
    if isinstance(formula, Transpose):
        return replace(_link(formula), dims=factor.dims, node=factor)
    return Link(formula, symmetric, dims=factor.dims, inverse=inverse, node=factor)


def _link(matrix: Formula) -> Link:
    """A written matrix as a link, so that turning it over removes its transpose."""
    if isinstance(matrix, Transpose):
        return Link(matrix.base, transposed=True)
    return Link(matrix)
