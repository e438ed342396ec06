"""Element-wise statements gathered into one: on a device each statement is a launch.

A statement joins the group of its users where *all* of them are in one group, read it as it is
(neither transposed nor broadcast), and the shapes agree; so a group has one result, its last
statement's, and nothing outside can stand between its members.  A sum over axes whose argument is
a group's only result ends it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import starmap

from tcalc.codegen.binding import crossing
from tcalc.codegen.launches import arrays, most_operands
from tcalc.codegen.program import (
    Call,
    Fused,
    Number,
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
)
from tcalc.expr.dims import Shape
from tcalc.primitives.routines import Template

MOST = 30
"""The most statements in one kernel: registers are few, and compilation takes time."""


def fused(program: Program, writable: Callable[[Call], bool]) -> Program:
    """The program with groups of element-wise statements as one statement each.

    `writable` tells which calls of routines the target can write into a group.
    """
    groups = _groups(program, writable)
    numbers = {
        statement.results[0]: statement
        for statement in program.statements
        if isinstance(statement.operation, Number)
    }
    members = {
        place: last
        for last, group in groups.items()
        for place in group
        if (len(group) > 1 or _launches(program.statements[last].operation) > 1)
        and _fits(program.statements[last], set(views(program.statements[last].operation)))
    }
    known = arrays(program)

    def gathered(place: int, statement: Statement) -> Sequence[Statement]:
        last = members.get(place)
        if last is None:
            return (statement,)
        if last != place:
            return ()  # it comes with the last one of its group
        steps = [program.statements[k] for k in sorted(groups[last])]
        joined = _joined(steps, numbers)
        # A kernel takes its type from an array among its operands.
        typed = any(value in known for value in operands(joined.operation))
        return [joined] if typed else steps

    return rewritten(program, starmap(gathered, enumerate(program.statements)))


def elementwise(operation: Operation, writable: Callable[[Call], bool]) -> bool:
    """Whether each element of the result depends on one element of each operand."""
    match operation:
        case Product():
            return True
        case Sum(placed=placed, spans=spans, addends=addends):
            return not placed and spans and bool(addends)
        case Call():
            return writable(operation)
        case _:
            return False


def _launches(operation: Operation) -> int:
    """How many launches a statement takes by itself."""
    match operation:
        case Product(factors=factors, divisors=divisors):
            return len(factors) + len(divisors) - 1
        case Sum(addends=addends):
            return sum(1 + (abs(addend.coefficient) != 1) for addend in addends) - 1
        case Call(routine=Template(text=text)):
            return len(re.findall(r"np\.|special\.| [-+*/] |\*\*", text))
        case Call():
            return 2  # a function of several statements
        case _:
            return 1


def views(operation: Operation) -> Iterator[View]:
    """The operands of an element-wise operation, as it reads them."""
    match operation:
        case Product(factors=factors, divisors=divisors):
            yield from factors
            yield from divisors
        case Sum(addends=addends):
            yield from (addend.view for addend in addends)
        case Call(arguments=arguments):
            yield from arguments


def with_views(operation: Operation, change: Callable[[View], View]) -> Operation:
    """An operation whose operands, as `views` tells them, are others; of a sum the whole terms."""
    match operation:
        case Product(factors=factors, divisors=divisors):
            return Product(tuple(map(change, factors)), tuple(map(change, divisors)))
        case Sum(addends=addends):
            return replace(
                operation, addends=tuple(replace(x, view=change(x.view)) for x in addends)
            )
        case Call(arguments=arguments):
            return replace(operation, arguments=tuple(map(change, arguments)))
        case _:
            return operation


def _groups(program: Program, writable: Callable[[Call], bool]) -> dict[int, list[int]]:
    """The members of each group by its last statement, all as places in the program."""
    alone = _needed_as_arrays(program)
    users: dict[Value, list[int]] = {}
    for place, statement in enumerate(program.statements):
        for value in dict.fromkeys(statement.reads):
            users.setdefault(value, []).append(place)
    groups: dict[int, list[int]] = {}
    group: dict[int, int] = {}
    read: dict[int, set[View]] = {}
    for place in range(len(program.statements) - 1, -1, -1):
        statement = program.statements[place]
        (value, *others) = statement.results
        if isinstance(statement.operation, Total):
            last = None
        elif others or not elementwise(statement.operation, writable):
            continue
        else:
            last = _common(users.get(value, []), group)
        mine = set(views(statement.operation))
        if last is not None:
            mine |= {view for view in read[last] if view.value != value}
        if last is not None and (
            value in alone
            or not _fits(program.statements[last], mine)
            or len(groups[last]) >= MOST
            or value.dims != _shape(program.statements[last])
        ):
            last, mine = None, set(views(statement.operation))
        group[place] = place if last is None else last
        groups.setdefault(group[place], []).append(place)
        read[group[place]] = mine
    return groups


def _fits(last: Statement, read: set[View]) -> bool:
    """Whether a kernel for the group that a statement ends can have so many operands."""
    return len(read) <= most_operands(len(_shape(last)))


def _needed_as_arrays(program: Program) -> set[Value]:
    """The values that no group may have inside: results, and what is read otherwise than it is."""
    found = {output.view.value for output in program.outputs}
    # What is prepared beforehand is handed over as it is.
    found.update(crossing(program))
    for statement in program.statements:
        found.update(view.value for view in views(statement.operation) if not view.plain)
    return found


def _shape(last: Statement) -> Shape:
    """The shape of the element-wise steps of the group that a statement ends."""
    end = last.operation
    return end.source.dims if isinstance(end, Total) else last.results[0].dims


def _common(places: list[int], group: dict[int, int]) -> int | None:
    """The one group that all these statements belong to."""
    found = {group.get(place) for place in places}
    return found.pop() if len(found) == 1 else None


def _joined(steps: list[Statement], numbers: dict[Value, Statement]) -> Statement:
    """One statement for many; the numbers that they use come along, to be written as literals."""
    used = dict.fromkeys(
        value for step in steps for value in operands(step.operation) if value in numbers
    )
    end = steps[-1]
    axes = None
    if isinstance(end.operation, Total):
        axes = end.operation.axes
        steps = steps[:-1]
    remark = next((step.remark for step in reversed(steps) if step.remark), "")
    return Statement(
        end.results, Fused((*(numbers[value] for value in used), *steps), axes), remark
    )


def inputs(operation: Fused) -> tuple[View, ...]:
    """The views that a group reads from outside, each once, in the order of first use."""
    inside = {value for step in operation.steps for value in step.results}
    return tuple(
        dict.fromkeys(
            view
            for step in operation.steps
            for view in views(step.operation)
            if view.value not in inside
        )
    )
