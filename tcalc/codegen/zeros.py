"""Rectifiers against an array of zeros, which all of one shape share.

    np.maximum(x, 0.0)   ->   np.maximum(x, zeros)

NumPy compares two arrays with the processor's vectors, and an array with a number one by one: that
takes twice as long, until reading the zeros from memory does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from tcalc.codegen.memory import count
from tcalc.codegen.program import Call, Program, Statement, Sum, Value, View, unused_number
from tcalc.expr.dims import Shape
from tcalc.primitives.piecewise import RECTIFIER
from tcalc.primitives.routines import Template

LARGEST = 1 << 16
"""The elements up to which zeros come from the processor's caches."""
SEVERAL = 2
"""How many rectifiers pay for the zeros."""
COMPARISON = Template("np.maximum({0}, {1})", ufunc=True)


def rectified(program: Program, sizes: Mapping[str, int]) -> tuple[Shape, ...]:
    """The shapes of which several rectifiers are better compared with an array of zeros."""
    uses = Counter(
        dims
        for statement in program.statements[program.prepared :]
        if (dims := _rectifies(statement)) is not None
    )
    return tuple(
        dims for dims, times in uses.items() if times >= SEVERAL and count(dims, sizes) <= LARGEST
    )


def with_zeros(program: Program, shapes: tuple[Shape, ...]) -> Program:
    """The program with zeros of these shapes made before the first rectifier that needs them."""
    if not shapes:
        return program
    fresh = unused_number(program)
    zeros = {dims: Value(fresh + k, dims) for k, dims in enumerate(shapes)}
    made: set[Shape] = set()
    statements: list[Statement] = []
    for place, statement in enumerate(program.statements):
        dims = _rectifies(statement)
        if dims in zeros and place >= program.prepared:
            if dims not in made:
                made.add(dims)
                statements.append(Statement((zeros[dims],), Sum(dims, (), spans=False)))
            call = statement.operation
            assert isinstance(call, Call)
            arguments = (*call.arguments, View.of(zeros[dims]))
            call = replace(call, routine=COMPARISON, arguments=arguments)
            statement = replace(statement, operation=call)
        statements.append(statement)
    return replace(program, statements=tuple(statements))


def _rectifies(statement: Statement) -> Shape | None:
    """The shape of an array that a statement rectifies; None for another statement."""
    match statement.operation:
        case Call(routine=routine, arguments=(view,)) if routine == RECTIFIER and view.dims:
            return view.dims
        case _:
            return None
