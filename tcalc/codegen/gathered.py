"""Sums of outer products, and of small matrix products, as one matrix product.

    a₁ b₁' + a₂ b₂' + …   ->   [a₁ a₂ …] [b₁ b₂ …]'
    A₁ B₁ + A₂ B₂ + …     ->   [A₁ A₂ …] [B₁; B₂; …]

Term by term each product is an array of the size of the result, written once and read once more;
BLAS adds them up as it multiplies.  The factors may have several axes, so that second derivatives
by weights that all steps of a recurrent net share are two products instead of twice as many passes
over an array of order four as there are steps.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain

from tcalc.codegen.memory import count
from tcalc.codegen.program import (
    Addend,
    Argument,
    Index,
    MatMul,
    Memory,
    Placed,
    Product,
    Program,
    Slice,
    Statement,
    Sum,
    TensorDot,
    Value,
    View,
    without_unused,
)
from tcalc.expr.dims import Dim, Shape

MANY = 4
"""The terms from which on they are gathered, be they ever so small."""
LARGE = 1 << 12
"""The elements of a sum from which on two outer products are gathered."""
THIN = 8
"""Along how many elements each factor has to run then: a product of less is mostly copying."""
SMALL = 1 << 8
"""The elements of matrices up to which a call takes longer than to copy them."""

ONE = Dim.of(1)
Axes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Term:
    """A product of two factors: of each an axis that is summed over, then some of the sum's axes.

    An outer product has no such axis, and its `summed` is None.
    """

    addend: Addend
    coefficient: Fraction
    first: View
    second: View
    summed: Dim | None = None


def with_gathered_products(
    program: Program, sizes: Mapping[str, int], given: Collection[str] = ()
) -> Program:
    """The program with the products in sums made together, where this pays for the sizes.

    Terms that depend on the `given` inputs alone are computed once, and stay what they are.
    """
    gathering = _Gathering(program, sizes, given)
    statements = [made for x in program.statements for made in gathering.statements(x)]
    program = replace(program, tuned=program.tuned or gathering.tuned)
    if not gathering.fresh:
        return program
    return without_unused(replace(program, statements=tuple(statements)))


class _Gathering:
    """The sums of one program; `fresh` counts the values that are new."""

    def __init__(self, program: Program, sizes: Mapping[str, int], given: Collection[str]) -> None:
        self.sizes = sizes
        self.made = {x: s.operation for s in program.statements for x in s.results}
        self.uses = Counter(chain.from_iterable(s.reads for s in program.statements))
        self.uses.update(output.view.value for output in program.outputs)
        self.left_alone = depending_on(program, given) if given else set[Value]()
        self.sparse = perhaps_sparse(program)
        self.start = max((value.number for value in self.made), default=0)
        self.fresh = 0
        self.tuned = False

    def statements(self, statement: Statement) -> Iterable[Statement]:
        """A statement; of a sum, its products replaced by one for each way to part its axes."""
        total = statement.operation
        if not isinstance(total, Sum) or len(total.addends) < 2 or len(total.dims) < 2:
            return [statement]
        groups: dict[tuple[Axes, Axes], list[Term]] = defaultdict(list)
        for addend in total.addends:
            if (found := self._term(addend, len(total.dims))) is not None:
                groups[found[0]].append(found[1])
        before: list[Statement] = []
        for axes, found_terms in groups.items():
            terms = self._paying(found_terms, axes, total.dims)
            if not terms:
                continue
            coefficients = {term.coefficient for term in terms}
            common = coefficients.pop() if len(coefficients) == 1 else Fraction(1)
            before += self._product(axes, terms, total.dims, common)
            gone = {id(term.addend) for term in terms}
            kept = [x for x in total.addends if id(x) not in gone]
            order = axes[0] + axes[1]
            view = View(before[-1].results[0], tuple(order.index(k) for k in range(len(order))))
            # What lies as the sum does comes first, to be written over; signs come last.
            fits = bool(kept) and kept[0].view.plain and kept[0].coefficient > 0
            first = int(fits and not view.plain) if common > 0 else len(kept)
            kept.insert(first, Addend(common, view))
            total = replace(total, addends=tuple(kept))
        if total is statement.operation:
            return [statement]
        alone = before and len(total.addends) == 1 and not total.placed
        if alone and total.addends[0].coefficient == 1 and total.addends[0].view.plain:
            # The product is the sum.
            return [*before[:-1], replace(before[-1], results=statement.results)]
        return [*before, replace(statement, operation=total)]

    def _term(self, addend: Addend, order: int) -> tuple[tuple[Axes, Axes], Term] | None:
        """A term that is a product which nobody else reads, with the axes of its factors."""
        value = addend.view.value
        axes = _whole(addend.view)
        if self.uses[value] > 1 or value in self.left_alone or len(axes) < order:
            return None
        place = {axis: k for k, axis in enumerate(axes)}
        match self.made[value]:
            case Product(factors=(first, second), divisors=()):
                rows = _padded(first, order), _padded(second, order)
                if any((a is None) == (b is None) for a, b in zip(*rows, strict=True)):
                    return None
                inner: tuple[tuple[int | None, ...], ...] = (), ()
                summed = None
            case MatMul(left=first, right=second) if len(first.axes) == len(second.axes) == 2:
                if None in (*first.axes, *second.axes) or self._may_be_sparse(first, second):
                    return None
                rows = (first.axes[0], None), (None, second.axes[1])
                inner, summed = (first.axes[1:], second.axes[:1]), first.dims[1]
            case _:
                return None
        coefficient = addend.coefficient
        parts: list[tuple[Axes, View]] = []
        for view, row, along in zip((first, second), rows, inner, strict=True):
            mine = tuple(sorted(place[k] for k, axis in enumerate(row) if axis is not None))
            if not mine or view.value.weak:
                return None
            own = [row[axes[k]] for k in mine]
            scale, factor = self._unscaled(View(view.value, (*along, *own)))
            coefficient *= scale
            parts.append((mine, factor))
        (left, one), (right, other) = sorted(parts, key=lambda part: part[0])
        return (left, right), Term(addend, coefficient, one, other, summed)

    def _unscaled(self, view: View) -> tuple[Fraction, View]:
        """A factor as a multiple of an array, where it was multiplied for this product alone."""
        match self.made[view.value]:
            case Sum(addends=(Addend(coefficient=scale, view=inner),), placed=(), spans=True):
                whole = None not in inner.axes and len(inner.axes) == len(view.value.dims)
                if whole and self.uses[view.value] == 1 and not inner.value.weak:
                    return scale, View(inner.value, tuple(inner.axes[k] for k in _whole(view)))
        return Fraction(1), view

    def _may_be_sparse(self, *views: View) -> bool:
        return any(view.value in self.sparse for view in views)

    def _paying(
        self, terms: Sequence[Term], axes: tuple[Axes, Axes], dims: Shape
    ) -> Sequence[Term]:
        """Those of the terms that are better made together."""
        if len(terms) < 2:
            return ()
        left, right = (count(tuple(dims[k] for k in part), self.sizes) for part in axes)
        if len(terms) >= MANY:
            if all(term.summed is None for term in terms):
                return terms
            self.tuned = True
            limit = max(left * right, SMALL)
            thin = [x for x in terms if self._length(x) * (left + right) <= limit]
            if len(thin) >= MANY:
                return thin
        outer = [term for term in terms if term.summed is None]
        if len(outer) < 2:
            return ()
        self.tuned = True
        return outer if min(left, right) >= THIN and left * right >= LARGE else ()

    def _length(self, term: Term) -> int:
        return term.summed.evaluate(self.sizes) if term.summed is not None else 1

    def _product(
        self, axes: tuple[Axes, Axes], terms: Sequence[Term], dims: Shape, common: Fraction
    ) -> list[Statement]:
        """The statements that put the factors side by side, and multiply them.

        A coefficient that is `common` to all is left to be multiplied in.
        """
        left, right = (tuple(dims[k] for k in part) for part in axes)
        # Other coefficients go to the factors that have fewer axes.
        scaled = [x.coefficient / common for x in terms]
        plain = [Fraction(1)] * len(terms)
        coefficients = (scaled, plain) if len(left) < len(right) else (plain, scaled)
        lengths = [term.summed for term in terms]
        first = self._stack([x.first for x in terms], lengths, coefficients[0], left)
        second = self._stack([x.second for x in terms], lengths, coefficients[1], right)
        operation = TensorDot(first.results[0], second.results[0], ((0,), (0,)))
        remark = f"a sum of {len(terms)} products"
        return [first, second, Statement((self._value((*left, *right)),), operation, remark)]

    def _stack(
        self,
        views: Sequence[View],
        lengths: Sequence[Dim | None],
        coefficients: Sequence[Fraction],
        dims: Shape,
    ) -> Statement:
        """Arrays one below the other; those without a length are a row each."""
        rows: list[Placed] = []
        start = Dim.of(0)
        rest: tuple[Index, ...] = (None,) * len(dims)
        for coefficient, view, length in zip(coefficients, views, lengths, strict=True):
            index = start if length is None else Slice(start, length)
            labels = tuple(range(len(view.axes)))
            rows.append(Placed(coefficient, view, (index, *rest), labels))
            start = start + (ONE if length is None else length)
        shape = (start, *dims)
        return Statement((self._value(shape),), Sum(shape, (), tuple(rows), spans=False))

    def _value(self, dims: Shape) -> Value:
        self.fresh += 1
        return Value(self.start + self.fresh, dims)


def _whole(view: View) -> list[int]:
    """The axes of a value that an operand has."""
    return [axis for axis in view.axes if axis is not None]


def _padded(view: View, order: int) -> tuple[int | None, ...]:
    """The axes of an operand, those that broadcasting puts in front included."""
    return (*[None] * (order - len(view.axes)), *view.axes)


def depending_on(program: Program, given: Collection[str]) -> set[Value]:
    """The values that depend on given inputs alone."""
    found: set[Value] = set()
    for statement in program.statements:
        operation = statement.operation
        if isinstance(operation, Argument):
            ready = operation.name in given
        else:
            ready = found.issuperset(statement.reads)
        if ready:
            found.update(statement.results)
    return found


def perhaps_sparse(program: Program) -> set[Value]:
    """Inputs that may come as sparse matrices, and what is made of them by scaling.

    They are multiplied as they are; a copy side by side with others would be dense.
    """
    found: set[Value] = set()
    for statement in program.statements:
        (result, *_) = statement.results
        match statement.operation:
            case Argument():
                inherits = len(result.dims) == 2 and result.memory is Memory.INPUT
            case Product() | Sum():
                inherits = any(x in found and x.dims == result.dims for x in statement.reads)
            case _:
                inherits = False
        if inherits:
            found.add(result)
    return found
