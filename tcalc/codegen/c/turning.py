"""Arrays whose axes are in the order in which they are needed.

NumPy's code transposes at no cost, and later steps read across memory.  In loops a product of
smaller arrays, or a sum that is a result, is made with its axes in the order in which it is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from tcalc.codegen.c.contractions import labelled
from tcalc.codegen.fusion import views, with_views
from tcalc.codegen.program import (
    Call,
    EinSum,
    MatMul,
    Operation,
    Placed,
    Product,
    Program,
    Statement,
    Sum,
    TensorDot,
    Value,
    View,
    operands,
)
from tcalc.expr.dims import Dim

Order: TypeAlias = tuple[int, ...]


def turned(program: Program) -> Program:
    """The program with such products and sums made in the order in which they are read."""
    return _with_products_as_read(_with_results_in_order(program))


def _with_results_in_order(program: Program) -> Program:
    """Sums, and products of smaller arrays, that are results alone, with axes in their order."""
    uses = _uses(program)
    wanted: dict[Value, Order] = {}
    for output in program.outputs:
        order = _order(output.view)
        if order is not None and uses[output.view.value] == 1:
            wanted[output.view.value] = order
    return _with_orders(program, wanted, lambda x: isinstance(x, Sum) or _sums_nothing(x))


def _with_products_as_read(program: Program) -> Program:
    """Products of smaller arrays, and of two matrices, that are read once, by elements."""
    uses = _uses(program)
    wanted: dict[Value, Order] = {}
    for statement in program.statements:
        operation = statement.operation
        if not isinstance(operation, Product | Sum | Call):
            continue
        for view in views(operation):
            order = _order(view)
            if order is not None and uses[view.value] == 1:
                wanted[view.value] = order
    return _with_orders(program, wanted, lambda x: _sums_nothing(x) or _of_matrices(x))


def _of_matrices(operation: Operation) -> bool:
    """Whether a step is a product of two matrices, which BLAS makes in either order."""
    match operation:
        case MatMul(left=left, right=right):
            return {left.axes, right.axes} <= {(0, 1), (1, 0)}
        case _:
            return False


def _uses(program: Program) -> Counter[Value]:
    """How often each value is read, as an operand or as a result."""
    uses = Counter(output.view.value for output in program.outputs)
    for statement in program.statements:
        uses.update(operands(statement.operation))
    return uses


def _order(view: View) -> Order | None:
    """The order in which all axes of a value are read, where it is another than its own."""
    axes = tuple(axis for axis in view.axes if axis is not None)
    if len(axes) < len(view.axes) or sorted(axes) != [*range(len(view.value.dims))] or view.plain:
        return None
    return axes


def _sums_nothing(operation: Operation) -> bool:
    if isinstance(operation, Product):
        return True
    if not isinstance(operation, MatMul | TensorDot | EinSum):
        return False
    factors, output = labelled(operation)
    plain = all(view.plain and len({*row}) == len(row) for view, row in factors)
    return plain and {label for _, row in factors for label in row} == {*output}


def _with_orders(
    program: Program, wanted: Mapping[Value, Order], may_turn: Callable[[Operation], bool]
) -> Program:
    """The program with values made with their axes in the order that is wanted, where they may."""
    orders = {
        value: wanted[value]
        for statement in program.statements
        for value in statement.results
        if value in wanted and may_turn(statement.operation)
    }
    if not orders:
        return program
    new = {
        value: Value(value.number, tuple(value.dims[axis] for axis in order), value.memory)
        for value, order in orders.items()
    }

    def read(view: View) -> View:
        if view.value not in new:
            return view
        place = {axis: k for k, axis in enumerate(orders[view.value])}
        return View(
            new[view.value], tuple(None if axis is None else place[axis] for axis in view.axes)
        )

    def rewritten(statement: Statement) -> Statement:
        (value, *others) = statement.results
        order = None if others else orders.get(value)
        if order is None and new.keys().isdisjoint(statement.reads):
            return statement
        operation = with_views(statement.operation, read)
        if order is not None:
            operation = _made(operation, order)
            return replace(statement, results=(new[value],), operation=operation)
        return replace(statement, operation=operation)

    return replace(
        program,
        statements=tuple(map(rewritten, program.statements)),
        outputs=tuple(replace(x, view=read(x.view)) for x in program.outputs),
        hints={new.get(value, value): hint for value, hint in program.hints.items()},
    )


def _made(operation: Operation, order: Order) -> Operation:
    """What makes the same with its axes in another order."""
    match operation:
        case Sum(dims=dims, placed=placed):
            new = replace(
                operation,
                dims=tuple(dims[axis] for axis in order),
                placed=tuple(_part(x, order) for x in placed),
            )
            return with_views(new, lambda view: _permuted(view, order))
        case Product():
            return with_views(operation, lambda view: _permuted(view, order))
        case MatMul() | TensorDot() | EinSum():
            both, output = labelled(operation)
            rows = [
                tuple(row[view.axes.index(axis)] for axis in range(len(row))) for view, row in both
            ]
            (left, _), (right, _) = both
            permuted = tuple(output[axis] for axis in order)
            return EinSum((left.value, right.value), (rows[0], rows[1]), permuted)
        case _:
            raise AssertionError("no other is turned")


def _permuted(view: View, order: Order) -> View:
    """An operand for a result whose axes are in another order."""
    whole = (*[None] * (len(order) - len(view.axes)), *view.axes)
    return View(view.value, tuple(whole[axis] for axis in order))


def _part(part: Placed, order: Order) -> Placed:
    """The same part of a result with its axes in another order."""
    index = (*part.index, *[None] * (len(order) - len(part.index)))
    left = [axis for axis, x in enumerate(index) if not isinstance(x, Dim)]
    label = dict(zip(left, part.labels, strict=True))
    labels = tuple(label[axis] for axis in order if axis in label)
    first = [*dict.fromkeys(part.labels)]
    return Placed(
        part.coefficient,
        _permuted(part.view, tuple(first.index(x) for x in dict.fromkeys(labels))),
        tuple(index[axis] for axis in order),
        labels,
    )
