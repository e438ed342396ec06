"""Products in a sum that share a factor, with that factor outside the bracket.

    a b' + a c'  ->  a (b + c)'
    A B + A B'   ->  A (B + B')

A product less is made and added up, for a sum of the other factors.  Reverse mode leaves such sums
where cotangents of one tensor meet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from typing import TypeAlias

from tcalc.codegen.memory import count
from tcalc.codegen.program import (
    Addend,
    MatMul,
    Operation,
    Product,
    Program,
    Statement,
    Sum,
    Value,
    View,
    operands,
)
from tcalc.codegen.sums import Regrouping, padded, regrouped, whole
from tcalc.expr.dims import Shape
from tcalc.records import dataclass

MOVED = 4
"""How many multiplications of a matrix product take as long as to add an element to another."""

ONE = Fraction(1)
Axes: TypeAlias = tuple[int | None, ...]
Shared: TypeAlias = tuple[type, int, View, tuple[bool, ...], Shape, Axes]
"""What products have in common that may be made as one.

Their kind, where in it the factor stands that they share (0 for element-wise ones), this factor,
the axes that the other one has, its dimensions, and how the product stands in the sum.
"""


@dataclass(frozen=True, slots=True)
class Term:
    """A product as seen from one of its factors: the addend, and a multiple of the other factor."""

    addend: Addend
    coefficient: Fraction
    other: View


def with_brackets(
    program: Program, sizes: Mapping[str, int], given: Collection[str] = ()
) -> Program:
    """The program with factors that products in a sum share outside brackets, where this pays.

    What depends on the `given` inputs alone is computed once, and stays what it is.
    """
    products = {
        x.results[0] for x in program.statements if isinstance(x.operation, Product | MatMul)
    }
    sums = (x for x in program.statements if _adds(x.operation, products))
    return regrouped(_Bracketing, program, sums, sizes, given)


def _adds(operation: Operation, products: Collection[Value]) -> bool:
    """Whether an operation adds up products, and has axes."""
    if not isinstance(operation, Sum) or len(operation.addends) < 2 or not operation.dims:
        return False
    return sum(addend.view.value in products for addend in operation.addends) > 1


class _Bracketing(Regrouping):
    """Products that share a factor as one, of this factor and a sum of the others."""

    def regroup(self, total: Sum) -> tuple[Sequence[Statement], Sequence[Addend]]:
        groups: dict[Shared, list[Term]] = {}
        factors = [self._factors(addend) for addend in total.addends]
        times = Counter(chain.from_iterable(factors))
        for addend, values in zip(total.addends, factors, strict=True):
            if all(times[value] == 1 for value in values):
                continue
            for key, term in self._terms(addend, len(total.dims)):
                groups.setdefault(key, []).append(term)
        addends = list(total.addends)
        before: list[Statement] = []
        gone: set[int] = set()
        # The factor that most of them share first.
        for key in sorted(groups, key=lambda key: -len(groups[key])):
            terms = [x for x in groups[key] if id(x.addend) not in gone]
            if len({id(x.addend) for x in terms}) < max(2, len(terms)):
                continue
            if not self._pays(key, terms[0]):
                continue
            made, addend = self._bracket(key, terms)
            before += made
            gone.update(id(x.addend) for x in terms)
            place = next(k for k, x in enumerate(addends) if x is terms[0].addend)
            addends[place] = addend
            addends = [x for x in addends if id(x) not in gone]
        return before, addends

    def _factors(self, addend: Addend) -> tuple[Value, ...]:
        """The arrays that an addend is the product of, if it is one and nobody else reads it."""
        value = addend.view.value
        operation = self.made[value]
        if not isinstance(operation, Product | MatMul) or self.uses[value] > 1:
            return ()
        return tuple({self._unscaled(View.of(x))[1].value for x in operands(operation)})

    def _terms(self, addend: Addend, order: int) -> Iterator[tuple[Shared, Term]]:
        """The ways to see an addend as a product of a factor, with what it would share."""
        value = addend.view.value
        if value in self.left_alone or len(value.dims) < order:
            return
        operation, axes = self.made[value], addend.view.axes
        match operation:
            case Product(factors=(first, second), divisors=()):
                sides = (_placed(first, axes, order), _placed(second, axes, order))
                places, axes = (0, 0), tuple(range(order))
            case MatMul(left=first, right=second):
                if axes == (1, 0) and len(first.axes) == len(second.axes) == 2:
                    # The transpose of a product, as the product of transposes.
                    first, second, axes = _turned(second), _turned(first), (0, 1)
                sides, places = (first, second), (0, 1)
            case _:
                return
        unscaled = [self._unscaled(view) for view in sides]
        coefficient = addend.coefficient * unscaled[0][0] * unscaled[1][0]
        views = [view for _, view in unscaled]
        if any(view.value.weak for view in views):
            return
        for mine, other in ((0, 1), (1, 0)):
            view = views[other]
            own = tuple(axis is not None for axis in view.axes)
            dims = tuple(view.dims[k] for k, kept in enumerate(own) if kept)
            if view.value in self.sparse or not dims:
                continue
            kind = type(operation), places[mine], views[mine], own, dims, axes
            yield kind, Term(addend, coefficient, view)

    def _unscaled(self, view: View) -> tuple[Fraction, View]:
        """A factor as a multiple of an array, where it was multiplied for this product alone."""
        found = self.multiple(view.value)
        if found is not None and found[1].plain:
            return found[0], replace(view, value=found[1].value)
        return ONE, view

    def _pays(self, key: Shared, term: Term) -> bool:
        """Whether the sum of the other factors is less work than the products that are saved."""
        kind, place, shared, *_ = key
        if kind is Product:
            return True
        self.tuned = True
        summed = shared.dims[-1] if place == 0 else shared.dims[-2:][0]
        result = count(term.addend.view.value.dims, self.sizes)
        other = count(term.other.value.dims, self.sizes)
        multiplications = result * summed.evaluate(self.sizes)
        read = count(shared.value.dims, self.sizes)
        return other <= max(result, read) or MOVED * other <= multiplications

    def _bracket(self, key: Shared, terms: Sequence[Term]) -> tuple[list[Statement], Addend]:
        """The sum of the other factors, the product with it, and this in the sum."""
        kind, place, shared, own, dims, axes = key
        coefficients = {term.coefficient for term in terms}
        common = coefficients.pop() if len(coefficients) == 1 else ONE
        inner = [
            Addend(x.coefficient / common, replace(x.other, axes=whole(x.other))) for x in terms
        ]
        inner.sort(key=lambda x: (x.coefficient < 0, not x.view.plain))
        total = self.fresh(dims)
        numbers = iter(range(len(dims)))
        other = View(total, tuple(next(numbers) if kept else None for kept in own))
        pair = (shared, other) if kind is Product or place == 0 else (other, shared)
        operation = Product(pair) if kind is Product else MatMul(*pair)
        dims_of_sum = terms[0].addend.view.dims
        product = self.fresh(tuple(dims_of_sum[axes.index(k)] for k in range(len(axes))))
        made = [
            Statement((total,), Sum(dims, tuple(inner))),
            Statement((product,), operation),
        ]
        return made, Addend(common, View(product, axes))


def _placed(factor: View, axes: Axes, order: int) -> View:
    """A factor of an element-wise product, with the axes that the product has in a sum."""
    own = padded(factor, order).axes
    return replace(factor, axes=tuple([None if axis is None else own[axis] for axis in axes]))


def _turned(view: View) -> View:
    """The transpose of a matrix."""
    return replace(view, axes=view.axes[::-1])
