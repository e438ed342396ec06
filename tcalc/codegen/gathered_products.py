"""Sums of outer products, and of small matrix products, as one matrix product.

    a₁ b₁' + a₂ b₂' + …   ->   [a₁ a₂ …] [b₁ b₂ …]'
    A₁ B₁ + A₂ B₂ + …     ->   [A₁ A₂ …] [B₁; B₂; …]

Term by term each product is an array of the size of the result, written once and read once more;
BLAS adds them up as it multiplies.  The factors may have several axes, so that second derivatives
by weights that all steps of a recurrent net share are two products instead of twice as many passes
over an array of order four as there are steps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

from tcalc.codegen.memory import count
from tcalc.codegen.program import (
    Addend,
    Index,
    MatMul,
    Operation,
    Placed,
    Product,
    Program,
    Slice,
    Statement,
    Sum,
    TensorDot,
    View,
)
from tcalc.codegen.sums import Regrouping, padded, regrouped, whole
from tcalc.expr.dims import Dim, Shape
from tcalc.records import dataclass

MANY = 4
"""The terms from which on they are gathered, be they ever so small."""
LARGE = 1 << 12
"""The elements of a sum from which on two outer products are gathered."""
THIN = 8
"""Along how many elements each factor has to run then: a product of less is mostly copying."""
SMALL = 1 << 8
"""The elements of matrices up to which a call takes longer than to copy them."""

ONE = Dim.of(1)
Axes: TypeAlias = tuple[int, ...]


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
    sums = (x for x in program.statements if _adds_matrices(x.operation))
    return regrouped(_Gathering, program, sums, sizes, given)


def _adds_matrices(operation: Operation) -> bool:
    return isinstance(operation, Sum) and len(operation.addends) > 1 < len(operation.dims)


class _Gathering(Regrouping):
    """Products that part the axes of a sum in the same way as one matrix product."""

    def regroup(self, total: Sum) -> tuple[Sequence[Statement], Sequence[Addend]]:
        groups: dict[tuple[Axes, Axes], list[Term]] = defaultdict(list)
        for addend in total.addends:
            if (found := self._term(addend, len(total.dims))) is not None:
                groups[found[0]].append(found[1])
        before: list[Statement] = []
        addends = list(total.addends)
        for axes, found_terms in groups.items():
            terms = self._paying(found_terms, axes, total.dims)
            if not terms:
                continue
            coefficients = {term.coefficient for term in terms}
            common = coefficients.pop() if len(coefficients) == 1 else Fraction(1)
            before += self._product(axes, terms, total.dims, common)
            gone = {id(term.addend) for term in terms}
            addends = [x for x in addends if id(x) not in gone]
            order = axes[0] + axes[1]
            view = View(before[-1].results[0], tuple(order.index(k) for k in range(len(order))))
            # What lies as the sum does comes first, to be written over; signs come last.
            fits = bool(addends) and addends[0].view.plain and addends[0].coefficient > 0
            first = int(fits and not view.plain) if common > 0 else len(addends)
            addends.insert(first, Addend(common, view))
        return before, addends

    def _term(self, addend: Addend, order: int) -> tuple[tuple[Axes, Axes], Term] | None:
        """A term that is a product which nobody else reads, with the axes of its factors."""
        value = addend.view.value
        axes = whole(addend.view)
        if self.uses[value] > 1 or value in self.left_alone or len(axes) < order:
            return None
        place = {axis: k for k, axis in enumerate(axes)}
        match self.made[value]:
            case Product(factors=(first, second), divisors=()):
                rows = padded(first, order).axes, padded(second, order).axes
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
        found = self.multiple(view.value)
        if found is None:
            return Fraction(1), view
        scale, inner = found
        if None in inner.axes or len(inner.axes) < len(view.value.dims):
            return Fraction(1), view
        return scale, View(inner.value, tuple(inner.axes[k] for k in whole(view)))

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
        return [first, second, Statement((self.fresh((*left, *right)),), operation, remark)]

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
        return Statement((self.fresh(shape),), Sum(shape, (), tuple(rows), spans=False))
