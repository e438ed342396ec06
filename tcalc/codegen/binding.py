"""A program in two parts: what depends on given arguments alone, and the rest.

The first part is computed once for the arguments that are bound, the second in every call.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from tcalc.codegen.memory import shared
from tcalc.codegen.program import (
    Argument,
    Call,
    Extent,
    Fold,
    Index,
    Operation,
    Pick,
    Program,
    Slice,
    Spread,
    Statement,
    Sum,
    Triangle,
    Value,
    operands,
)
from tcalc.codegen.signature import Signature, sources_of
from tcalc.expr.dims import Dim
from tcalc.primitives.routines import Embedded


def bound_first(program: Program, signature: Signature, given: Collection[str]) -> Program:
    """The program with what depends on the given arguments alone at its beginning.

    What depends on sizes alone belongs to it where the given arguments tell these sizes.
    """
    known = {s.name for s in sources_of([x for x in signature.arguments if x.name in given])}
    prepared: set[Value] = set()
    first: list[Statement] = []
    rest: list[Statement] = []
    for statement in program.statements:
        operation = statement.operation
        if isinstance(operation, Argument):
            ready = operation.name in given
        else:
            ready = prepared.issuperset(operands(operation))
            ready = ready and known.issuperset(_sizes(operation))
        (first if ready else rest).append(statement)
        if ready:
            prepared.update(statement.results)
    outputs = tuple(
        replace(x, copied=x.copied or _lies_in(x.view.value, prepared, program))
        for x in program.outputs
    )
    whole = (*first, *rest)
    return replace(program, statements=whole, outputs=outputs, prepared=len(first))


def _lies_in(value: Value, prepared: Collection[Value], program: Program) -> bool:
    """Whether a result is, or is a part of, what the first part keeps for further calls."""
    made = {x: s.operation for s in program.statements for x in s.results}
    while value not in prepared:
        source = shared(made[value])
        if source is None:
            return False
        value = source
    return True


def crossing(program: Program) -> list[Value]:
    """The values of the first part that the second one reads, or that are results."""
    made = {x: None for s in program.statements[: program.prepared] for x in s.results}
    read = {x for s in program.statements[program.prepared :] for x in operands(s.operation)}
    read.update(output.view.value for output in program.outputs)
    return [value for value in made if value in read]


def _sizes(operation: Operation) -> set[str]:
    """The names of the sizes that the code of an operation mentions."""
    return {name for dim in _dims(operation) for name in dim.names()}


def _dims(operation: Operation) -> Iterator[Dim]:
    match operation:
        case Extent(dim=dim):
            yield dim
        case Pick(index=index):
            yield from _of_index(index)
        case Spread(dims=dims) | Fold(dims=dims):
            yield from dims
        case Triangle(offset=offset):
            yield offset
        case Sum(dims=dims, placed=placed, spans=spans):
            for part in placed:
                yield from _of_index(part.index)
            if not spans:
                yield from dims
        case Call(routine=Embedded(sizes=dims)):
            yield from dims
        case _:
            return


def _of_index(index: tuple[Index, ...]) -> Iterator[Dim]:
    for part in index:
        if isinstance(part, Slice):
            yield part.start
            yield part.length
        elif part is not None:
            yield part
