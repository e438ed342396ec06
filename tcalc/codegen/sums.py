"""The sums of a program, and ways to make several of their terms together.

A way is a subclass of `Regrouping`, which says what makes the terms of one sum together, and what
is added up then; `regrouped` puts that into the program.  Only what nobody else reads is made in
another way, and nothing that is computed once from bound inputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain, count

from tcalc.codegen.program import (
    Addend,
    Argument,
    Product,
    Program,
    Statement,
    Sum,
    Value,
    View,
    unused_number,
    without_unused,
)
from tcalc.expr.dims import Shape


class Regrouping(ABC):
    """A way to make terms of sums together, where this pays for the sizes.

    Of the program it knows what makes each value and how often it is read, which values depend on
    the `given` inputs alone and are `left_alone`, and which are sparse.  `tuned` tells whether
    the sizes made a difference.
    """

    def __init__(self, program: Program, sizes: Mapping[str, int], given: Collection[str]) -> None:
        self.sizes = sizes
        self.made = {x: s.operation for s in program.statements for x in s.results}
        self.uses = Counter(chain.from_iterable(s.reads for s in program.statements))
        self.uses.update(output.view.value for output in program.outputs)
        self.left_alone = _depending_on(program, given) if given else set[Value]()
        self.sparse = _sparse_in(program) if program.sparse else set[Value]()
        self.tuned = False
        self._numbers = count(unused_number(program))

    @abstractmethod
    def regroup(self, total: Sum) -> tuple[Sequence[Statement], Sequence[Addend]]:
        """What makes terms of a sum together, and the terms that it has then.

        The last of the statements makes one of these terms; where nothing is made together, there
        are no statements.
        """

    def fresh(self, dims: Shape) -> Value:
        """A value that the program does not have."""
        return Value(next(self._numbers), dims)

    def statements(self, statement: Statement) -> list[Statement] | None:
        """What a sum becomes; None where it stays as it is."""
        total = statement.operation
        assert isinstance(total, Sum)
        before, addends = self.regroup(total)
        if not before:
            return None
        if len(addends) == 1 and not total.placed:
            (addend,) = addends
            if addend.coefficient == 1 and addend.view.plain:
                # What was made last is the sum.
                return [*before[:-1], replace(before[-1], results=statement.results)]
        return [*before, replace(statement, operation=replace(total, addends=tuple(addends)))]

    def multiple(self, value: Value) -> tuple[Fraction, View] | None:
        """A number and the array that it was multiplied with, for one use alone."""
        match self.made[value]:
            case Sum(addends=(Addend(coefficient=scale, view=inner),), placed=(), spans=True):
                if self.uses[value] == 1 and not inner.value.weak:
                    return scale, inner
        return None


def regrouped(
    way: type[Regrouping],
    program: Program,
    sums: Iterable[Statement],
    sizes: Mapping[str, int],
    given: Collection[str],
) -> Program:
    """The program with some of its sums made in one way, as far as this pays."""
    sums = list(sums)
    if not sums:
        return program
    regrouping = way(program, sizes, given)
    changed = {x.results[0]: new for x in sums if (new := regrouping.statements(x)) is not None}
    program = replace(program, tuned=program.tuned or regrouping.tuned)
    if not changed:
        return program
    statements = [made for x in program.statements for made in changed.get(x.results[0], (x,))]
    return without_unused(replace(program, statements=tuple(statements)))


def whole(view: View) -> tuple[int, ...]:
    """The axes of a value that an operand has."""
    return tuple(axis for axis in view.axes if axis is not None)


def padded(view: View, order: int) -> View:
    """An operand with the new axes that broadcasting puts in front."""
    return replace(view, axes=(*[None] * (order - len(view.axes)), *view.axes))


def _depending_on(program: Program, given: Collection[str]) -> set[Value]:
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


def _sparse_in(program: Program) -> set[Value]:
    """The sparse inputs of a program, and what is made of them by scaling.

    They are multiplied as they are; a copy side by side with others would be dense.
    """
    found = {*program.sparse}
    for statement in program.statements:
        if isinstance(statement.operation, Product | Sum):
            (result,) = statement.results
            if any(x in found and x.dims == result.dims for x in statement.reads):
                found.add(result)
    return found
