"""Statements that are alike in all steps of an unrolled recurrence, and which need no other step.

Statements are alike where they do the same to operands that are made alike, down to a few
statements below.  Seen as one, alike statements of all steps make up the loop that was unrolled; a
statement of which the loop needs no result of the step before, through itself or through others,
may be made for all steps at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from itertools import count
from typing import TypeAlias

from tcalc.codegen.memory import by_elements
from tcalc.codegen.program import (
    Argument,
    Call,
    Derived,
    Factorise,
    FromFactor,
    MatMul,
    Memory,
    Operation,
    Pick,
    Product,
    Program,
    Solver,
    Statement,
    Sum,
    Value,
    View,
)
from tcalc.expr.dims import Dim
from tcalc.primitives.routines import Embedded, Routine, Template

ROUNDS = 3
"""How many statements below one another have to be alike."""

Form: TypeAlias = tuple[Hashable, ...]


def form_of(operation: Operation) -> Form | None:
    """What an operation does, whatever its operands are; None where it is made one by one."""
    match operation:
        case MatMul(left=left, right=right) if max(len(left.axes), len(right.axes)) <= 2:
            return MatMul, left.axes, right.axes
        case Sum(addends=addends, placed=(), spans=True):
            return Sum, *((x.coefficient.as_integer_ratio(), x.view.axes) for x in addends)
        case Product(factors=factors, divisors=divisors):
            return Product, len(factors), *(x.axes for x in (*factors, *divisors))
        case Call(routine=routine, arguments=arguments) if _is_elementwise(routine):
            return Call, routine, *(x.axes for x in arguments)
        case FromFactor(kind=Derived.INVERSE, solver=Solver.SPD, where=where):
            return FromFactor, where
        case _:
            return None


def _is_elementwise(routine: Routine) -> bool:
    """Whether a function is known to work element by element."""
    match routine:
        case Template():
            return by_elements(routine)
        case Embedded():
            return routine.elementwise
        case _:
            return False


def views_of(operation: Operation, made: Mapping[Value, Statement]) -> tuple[View, ...]:
    """The operands of an operation that has a form; of an inverse, the matrix."""
    match operation:
        case MatMul(left=left, right=right):
            return left, right
        case Sum(addends=addends):
            return tuple([x.view for x in addends])
        case Product(factors=factors, divisors=divisors):
            return *factors, *divisors
        case Call(arguments=arguments):
            return arguments
        case FromFactor(factor=factor):
            matrix = made[factor].operation
            assert isinstance(matrix, Factorise)
            return (matrix.matrix,)
        case _:
            raise AssertionError("an operation without a form")


def classes(program: Program) -> list[list[int]]:
    """The places of statements that may be made together: groups of alike ones, in order.

    No statement of a group needs a result of another, nor do they through other groups.
    """
    colours, several = _colours(program)
    if not several:
        return []
    colours = _without_ends(colours, several)
    users: dict[int, set[int]] = defaultdict(set)
    colour_of = {x: c for s, c in zip(program.statements, colours, strict=True) for x in s.results}
    for statement, colour in zip(program.statements, colours, strict=True):
        for value in statement.reads:
            users[colour_of[value]].add(colour)
    tied = _tied(users)
    groups: dict[int, list[int]] = defaultdict(list)
    for place, colour in enumerate(colours):
        if colour in several and colour not in tied:
            groups[colour].append(place)
    return list(groups.values())


def _colours(program: Program) -> tuple[list[int], set[int]]:
    """A number for each statement, equal for alike ones, and those of several with a form."""
    number: dict[Hashable, int] = {}
    forms: list[Form | None] = []
    colours: list[int] = []
    for statement in program.statements:
        form = form_of(statement.operation)
        forms.append(form)
        key = _first(statement) if form is None else (*form, statement.results[0].dims)
        colours.append(number.setdefault(key, len(number)))
    for _ in range(ROUNDS if _several(colours, forms) else 0):
        colour_of = {
            x: (c, k)
            for s, c in zip(program.statements, colours, strict=True)
            for k, x in enumerate(s.results)
        }
        number = {}
        colours = [
            number.setdefault((c, *[colour_of[x] for x in s.reads]), len(number))
            for s, c in zip(program.statements, colours, strict=True)
        ]
    return colours, _several(colours, forms)


def _without_ends(colours: Sequence[int], several: Collection[int]) -> list[int]:
    """Colours of their own for the first and the last one of alike statements.

    At the ends of a recurrence steps are joined in other ways, and would tie all of them.
    """
    last = {colour: place for place, colour in enumerate(colours) if colour in several}
    backwards = range(len(colours) - 1, -1, -1)
    first = {colours[place]: place for place in backwards if colours[place] in several}
    fresh = count(1 + max(colours))
    ends = {place: next(fresh) for place in sorted({*first.values(), *last.values()})}
    return [ends.get(place, colour) for place, colour in enumerate(colours)]


def _several(colours: Sequence[int], forms: Sequence[Form | None]) -> set[int]:
    found: dict[int, int] = {}
    for colour, form in zip(colours, forms, strict=True):
        if form is not None:
            found[colour] = found.get(colour, 0) + 1
    return {colour for colour, times in found.items() if times >= MANY}


MANY = 8
"""The statements from which on they are made together."""


def _first(statement: Statement) -> Hashable:
    """What a statement without a form is by itself: elements of one input are alike."""
    operation, result = statement.operation, statement.results[0]
    match operation:
        case Argument(name=name):
            return Argument, name
        case Pick(index=index):
            kinds = tuple([Dim if isinstance(x, Dim) else x for x in index])
            return Pick, kinds, result.dims
        case _ if result.memory is Memory.NONE:
            return result
        case _:
            return type(operation), tuple([x.dims for x in statement.results])


def _tied(users: Mapping[int, set[int]]) -> set[int]:
    """The vertices of a graph that are on a cycle: Tarjan's components, without recursion.

    To import NetworkX for it would take longer than to compile most programs.
    """
    found: set[int] = set()
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    waiting: set[int] = set()
    for root in users:
        if root in index:
            continue
        work: list[tuple[int, Iterator[int]]] = []

        def enter(vertex: int, work: list[tuple[int, Iterator[int]]] = work) -> None:
            index[vertex] = low[vertex] = len(index)
            stack.append(vertex)
            waiting.add(vertex)
            work.append((vertex, iter(sorted(users.get(vertex, ())))))

        enter(root)
        while work:
            vertex, pending = work[-1]
            for other in pending:
                if other not in index:
                    enter(other)
                    break
                if other in waiting:
                    low[vertex] = min(low[vertex], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[vertex])
                if low[vertex] == index[vertex]:
                    component = [stack.pop()]
                    while component[-1] != vertex:
                        component.append(stack.pop())
                    waiting.difference_update(component)
                    if len(component) > 1 or vertex in users.get(vertex, ()):
                        found.update(component)
    return found
