"""Sums of many numbers of one kind, each made from a small array, made of all arrays at once.

    x₁'x₁ + x₂'x₂ + …           ->   x'x with x = [x₁ x₂ …]
    Σ log(u₁) + Σ log(u₂) + …   ->   Σ log([u₁ u₂ …])

A call takes longer than to copy a few elements.  A likelihood over time has such terms for each
step: squares of residuals, logarithms of pivots.  Functions that work element by element are
applied to all of them in one call too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TypeAlias

from tcalc.codegen.fusion import elementwise, views, with_views
from tcalc.codegen.gathered_products import MANY, SMALL
from tcalc.codegen.memory import by_elements, count
from tcalc.codegen.program import (
    Addend,
    Call,
    EinSum,
    MatMul,
    Operation,
    Placed,
    Product,
    Program,
    Slice,
    Statement,
    Sum,
    Total,
    Value,
    View,
)
from tcalc.codegen.sums import Regrouping, regrouped
from tcalc.expr.dims import Dim, Shape
from tcalc.primitives.routines import Template
from tcalc.records import dataclass

DEPTH = 8
"""How many element-wise functions of one another are looked through."""

Key: TypeAlias = Hashable
"""What two numbers have in common that are made in one way."""


def with_gathered_scalars(
    program: Program, sizes: Mapping[str, int], given: Collection[str] = ()
) -> Program:
    """The program with numbers of one kind that are added up made together, where they are small.

    What depends on the `given` inputs alone is computed once, and stays what it is.
    """
    sums = (s for s in program.statements if _adds_numbers(s.operation))
    return regrouped(_Gathering, program, sums, sizes, given)


def _adds_numbers(operation: Operation) -> bool:
    return isinstance(operation, Sum) and not operation.dims and len(operation.addends) >= MANY


@dataclass(frozen=True, slots=True)
class _Tree:
    """An array with how it is made from others; one that is just there has no operation."""

    value: Value
    operation: Operation | None = None
    parts: tuple[_Tree, ...] = ()

    def key(self) -> Key:
        """What it shares with arrays that are made in the same way of others of their shapes."""
        if self.operation is None:
            return self.value.dims or self.value
        return _without_values(self.operation), *(part.key() for part in self.parts)

    def leaves(self) -> list[Value]:
        """The arrays that it is made of."""
        if self.operation is None:
            return [self.value] if self.value.dims else []
        return [leaf for part in self.parts for leaf in part.leaves()]


@dataclass(frozen=True, slots=True)
class _Term:
    """A number in a sum: what it is made by, and of which arrays."""

    addend: Addend
    operation: Operation
    sides: tuple[_Tree, ...]

    def key(self) -> Key:
        """What terms share that can be made together."""
        square = self.sides[0].value is self.sides[-1].value
        kind = type(self.operation), square, self.addend.coefficient
        return *kind, *(side.key() for side in self.sides)

    def leaves(self) -> list[Value]:
        return [leaf for side in self.sides for leaf in side.leaves()]


class _Gathering(Regrouping):
    """Numbers of one kind as one, made of the arrays of all of them."""

    def regroup(self, total: Sum) -> tuple[Sequence[Statement], Sequence[Addend]]:
        groups: dict[Key, list[_Term]] = defaultdict(list)
        for addend in total.addends:
            term = self._term(addend)
            if term is not None and self.sparse.isdisjoint(term.leaves()):
                groups[term.key()].append(term)
        made: list[Statement] = []
        stacks: dict[tuple[Value, ...], Value] = {}
        addends = list(total.addends)
        for terms in groups.values():
            if len(terms) < MANY or not self._pays(terms[0]):
                continue
            # In one order, so that numbers made of the same arrays share these.
            terms.sort(key=lambda term: [leaf.number for leaf in term.leaves()])
            value = self._together(terms, stacks, made)
            gone = {id(term.addend) for term in terms}
            place = next(k for k, addend in enumerate(addends) if id(addend) in gone)
            addends = [addend for addend in addends if id(addend) not in gone]
            addends.insert(place, Addend(terms[0].addend.coefficient, View.of(value)))
        return made, addends

    def _term(self, addend: Addend) -> _Term | None:
        """A term, if it can be made together with others."""
        value = addend.view.value
        if self.uses[value] > 1 or value in self.left_alone:
            return None
        operation = self.made[value]
        match operation:
            case Total(source=source, axes=axes) if len(axes) == len(source.dims):
                sides: Sequence[Value] = (source,)
            case MatMul(left=View(axes=(0,)) as left, right=View(axes=(0,)) as right):
                sides = (left.value, right.value)
            case EinSum(operands=sides, subscripts=(row, other), output=()) if row == other and len(
                set(row)
            ) == len(row):
                pass
            case _:
                return None
        return _Term(addend, operation, tuple(self._tree(side, DEPTH) for side in sides))

    def _tree(self, value: Value, depth: int) -> _Tree:
        """How an array is made from others of its shape, and from numbers, element by element."""
        operation = self.made[value]
        read = _views(operation)
        alone = self.uses[value] == 1 and value not in self.left_alone
        if not (alone and depth and read and all(_fits(view, value.dims) for view in read)):
            return _Tree(value)
        return _Tree(value, operation, tuple(self._tree(x.value, depth - 1) for x in read))

    def _pays(self, term: _Term) -> bool:
        """Whether the arrays of a term are so small that calls take longer than to copy them."""
        self.tuned = True
        return all(count(x.dims, self.sizes) <= SMALL for x in term.leaves())

    def _together(
        self,
        terms: Sequence[_Term],
        stacks: dict[tuple[Value, ...], Value],
        made: list[Statement],
    ) -> Value:
        """The value of several terms; what makes it is added to the statements."""

        def joined(trees: Sequence[_Tree]) -> Value:
            first = trees[0]
            if not first.value.dims:
                return first.value  # a number, the same in all of them
            if first.operation is None:
                column = tuple(tree.value for tree in trees)
                if column not in stacks:
                    stacks[column] = self._stack(column, made)
                return stacks[column]
            new = [joined(parts) for parts in zip(*(tree.parts for tree in trees), strict=True)]
            dims = next(value.dims for value in new if value.dims)
            return self._result(_with_values(first.operation, new), dims, made)

        sides = [joined(trees) for trees in zip(*(term.sides for term in terms), strict=True)]
        operation = terms[0].operation
        match operation:
            case Total():
                operation = replace(operation, source=sides[0])
            case MatMul():
                operation = MatMul(View.of(sides[0]), View.of(sides[1]))
            case EinSum():
                operation = replace(operation, operands=tuple(sides))
        return self._result(operation, (), made)

    def _stack(self, values: Sequence[Value], made: list[Statement]) -> Value:
        """Arrays of one shape, one after the other along their first axis."""
        length, *rest = values[0].dims
        labels = tuple(range(len(rest) + 1))
        parts: list[Placed] = []
        start = Dim.of(0)
        for value in values:
            index = (Slice(start, length), *[None] * len(rest))
            parts.append(Placed(Fraction(1), View.of(value), index, labels))
            start = start + length
        shape = (start, *rest)
        return self._result(Sum(shape, (), tuple(parts), spans=False), shape, made)

    def _result(self, operation: Operation, dims: Shape, made: list[Statement]) -> Value:
        value = self.fresh(dims)
        made.append(Statement((value,), operation))
        return value


def _views(operation: Operation) -> Sequence[View]:
    """The operands of a function that works element by element; none of anything else."""
    return tuple(views(operation)) if elementwise(operation, _is_by_elements) else ()


def _is_by_elements(call: Call) -> bool:
    return isinstance(call.routine, Template) and by_elements(call.routine)


def _fits(view: View, dims: Shape) -> bool:
    """Whether an operand is a number, or has the shape of the result."""
    return not view.value.dims or (view.plain and view.value.dims == dims)


def _without_values(operation: Operation) -> Key:
    """What a function that works element by element is, without what it is applied to."""
    match operation:
        case Call(routine=routine):
            return routine
        case Product(factors=factors, divisors=divisors):
            return len(factors), len(divisors)
        case Sum(addends=addends):
            return tuple(addend.coefficient for addend in addends)
        case _:
            raise AssertionError("not a function that works element by element")


def _with_values(operation: Operation, values: Sequence[Value]) -> Operation:
    """The same function of other arrays."""
    given = iter(values)
    new = with_views(operation, lambda _: View.of(next(given)))
    if isinstance(new, Sum):
        return replace(new, dims=next(value.dims for value in values if value.dims))
    return new
