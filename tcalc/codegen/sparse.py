"""Sparse arguments: where they may stand, and what becomes of them.

A sparse matrix is scaled, transposed, summed up, and multiplied; a product with a dense array is
dense, and so is every result.  Where a result is dense and as large as the matrix, as running sums
are, the matrix is made dense for it.  Anything else is refused, by the name of the argument: a copy
without zeros left out would be made behind the user's back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, TypeGuard

from tcalc.codegen.program import (
    Argument,
    Call,
    EinSum,
    MatMul,
    Memory,
    Operation,
    Product,
    Program,
    Statement,
    Sum,
    Total,
    Value,
    View,
    operands,
    rewritten,
    unused_number,
)
from tcalc.errors import ArgumentError
from tcalc.primitives.arrays import Array
from tcalc.primitives.routines import Embedded, no_work
from tcalc.primitives.selection import running_sums


def sparse_program(program: Program, names: Collection[str]) -> Program:
    """The program for sparse arguments of some names; raises `ArgumentError` where it has none."""
    origin: dict[Value, str] = {}
    parts: list[tuple[Statement, ...]] = []
    number = unused_number(program)
    for statement in program.statements:
        operation = statement.operation
        parts.append((statement,))
        if isinstance(operation, Argument):
            if operation.name in names:
                origin[statement.results[0]] = operation.name
            continue
        read = [value for value in operands(operation) if value in origin]
        if not read:
            continue
        if _is_as_large(operation, origin):
            made = {value: Value(number + k, value.dims) for k, value in enumerate(read)}
            number += len(read)
            copies = [Statement((new,), _dense(old)) for old, new in made.items()]
            parts[-1] = (*copies, replace(statement, operation=_of_dense(operation, made)))
            continue
        if not _takes_sparse(operation, origin):
            name = origin[read[0]]
            raise ArgumentError(
                f"{name} is a sparse matrix, and is used in other ways than products",
                hint=f"give a dense array: {name}.toarray()",
            )
        if isinstance(operation, Product | Sum):
            origin[statement.results[0]] = origin[read[0]]
    for output in program.outputs:
        if output.view.value in origin and not _plane(output.view):
            raise ArgumentError(f"{origin[output.view.value]} is a sparse matrix of another order")
    return replace(rewritten(program, parts), sparse=frozenset(origin), in_place=False)


def made_dense(a: Any) -> Array:
    """The array of a sparse matrix."""
    return a.toarray()


def _dense(value: Value) -> Call:
    return Call(Embedded(made_dense, fresh=True, work=no_work), (View.of(value),))


def _is_as_large(operation: Operation, sparse: Collection[Value]) -> TypeGuard[Call | Sum]:
    """Whether something is dense, and has as many elements as the sparse matrix that it is of."""
    match operation:
        case Call(routine=Embedded(function=function), arguments=(view,)):
            return function is running_sums and _plane(view)
        case Sum(addends=addends, placed=(), spans=True):
            # Beside a term that has all elements.
            mine = [x.view for x in addends if x.view.value in sparse]
            others = [x.view for x in addends if x.view.value not in sparse]
            return all(map(_plane, mine)) and any(map(_plane, others))
        case _:
            return False


def _of_dense(operation: Call | Sum, made: Mapping[Value, Value]) -> Call | Sum:
    """The operation with other values in the place of some."""

    def changed(view: View) -> View:
        return replace(view, value=made.get(view.value, view.value))

    if isinstance(operation, Call):
        return replace(operation, arguments=tuple(map(changed, operation.arguments)))
    addends = tuple(replace(x, view=changed(x.view)) for x in operation.addends)
    return replace(operation, addends=addends)


def _takes_sparse(operation: Operation, sparse: Collection[Value]) -> bool:
    match operation:
        case MatMul(left=left, right=right):
            views = [view for view in (left, right) if view.value in sparse]
            others = [view for view in (left, right) if view.value not in sparse]
            return all(map(_plane, views)) and all(len(view.axes) <= 2 for view in others)
        case Product(factors=factors, divisors=divisors):
            # One sparse factor, which the others scale: the zeros stay where they are.
            mine = [view for view in factors if view.value in sparse]
            whole = [view for view in (*factors, *divisors) if view.value not in sparse]
            lower = all(len([x for x in view.axes if x is not None]) < 2 for view in whole)
            good = len(mine) == 1 and mine[0].plain and _plane(mine[0]) and lower
            return good and not any(view.value in sparse for view in divisors)
        case Sum(addends=(addend,), placed=(), spans=True):
            return addend.view.plain and _plane(addend.view)
        case Total(source=source):
            return len(source.dims) == 2
        case EinSum(operands=(left, right), subscripts=(first, second), output=()):
            return len(left.dims) == len(right.dims) == 2 and set(first) == set(second)
        case _:
            return False


def _plane(view: View) -> bool:
    return len(view.axes) == 2 and None not in view.axes and view.value.memory is not Memory.NONE
