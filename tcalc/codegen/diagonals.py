"""Small diagonal matrices that several sums share, written out once.

    C U C' + diag(r),  F P F' + diag(r), …   ->   R = diag(r),  C U C' + R,  F P F' + R, …

To add to a diagonal through a view of it takes three times as long as to add a whole matrix of a
few rows, as the covariance of the noise in a filter is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TypeAlias

from tcalc.codegen.memory import count
from tcalc.codegen.program import (
    Addend,
    Placed,
    Program,
    Statement,
    Sum,
    Value,
    View,
    unused_number,
)
from tcalc.expr.dims import Shape

LARGEST = 1 << 8
"""The elements up to which a diagonal matrix is written out."""

Diagonal: TypeAlias = tuple[View, Shape]


def with_shared_diagonals(program: Program, sizes: Mapping[str, int]) -> Program:
    """The program with diagonals that are added more than once, to small matrices, as matrices."""
    uses = Counter(key for statement in program.statements for _, key in _added(statement))
    several = [key for key, times in uses.items() if times > 1]
    shared = {key for key in several if count(key[1], sizes) <= LARGEST}
    program = replace(program, tuned=program.tuned or bool(several))
    if not shared:
        return program
    fresh = unused_number(program)
    made: dict[Diagonal, Value] = {}
    statements: list[Statement] = []
    for statement in program.statements:
        for part, key in _added(statement):
            if key not in shared:
                continue
            if key not in made:
                dims = key[1]
                made[key] = Value(fresh + len(made), dims)
                alone = replace(part, coefficient=Fraction(1))
                statements.append(Statement((made[key],), Sum(dims, (), (alone,), spans=False)))
            statement = _with_matrix(statement, part, made[key])
        statements.append(statement)
    return replace(program, statements=tuple(statements))


def _added(statement: Statement) -> Iterator[tuple[Placed, Diagonal]]:
    """The diagonals that a statement adds to whole matrices."""
    match statement.operation:
        case Sum(dims=dims, addends=(_, *_), placed=placed, spans=True) if len(dims) == 2:
            for part in placed:
                if part.labels == (0, 0) and part.index == (None, None):
                    yield part, (part.view, dims)


def _with_matrix(statement: Statement, part: Placed, matrix: Value) -> Statement:
    """A sum with a matrix among its terms instead of what is placed on its diagonal."""
    total = statement.operation
    assert isinstance(total, Sum)
    positive = sum(addend.coefficient > 0 for addend in total.addends)
    place = positive if part.coefficient > 0 else len(total.addends)
    term = Addend(part.coefficient, View.of(matrix))
    addends = (*total.addends[:place], term, *total.addends[place:])
    placed = tuple(x for x in total.placed if x is not part)
    return replace(statement, operation=replace(total, addends=addends, placed=placed))
