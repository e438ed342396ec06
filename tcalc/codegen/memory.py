"""What a program holds, and when it may let go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

from tcalc.codegen.program import Argument, Memory, Program, Value, operands
from tcalc.expr.dims import Shape

LARGE = 1 << 17
"""The elements from which on a temporary is dropped when it is no longer needed."""

LONG = 2000
"""The statements from which on names are given on, so that no chain holds all its steps."""


def count(dims: Shape, sizes: Mapping[str, int]) -> int:
    """The number of elements of an array."""
    return prod(dim.evaluate(sizes) for dim in dims)


def last_uses(program: Program) -> dict[int, list[Value]]:
    """For each statement, by its place, the temporaries that nobody reads after it.

    A value and its views share their memory, which is freed with the last of them.
    """
    kept = {output.view.value for output in program.outputs}
    last: dict[int, list[Value]] = {}
    for place in range(len(program.statements) - 1, -1, -1):
        for value in dict.fromkeys(operands(program.statements[place].operation)):
            if value not in kept:
                kept.add(value)
                if value.memory in (Memory.FRESH, Memory.REPEATED):
                    last.setdefault(place, []).append(value)
    return last


def counter(sizes: Mapping[str, int]) -> Callable[[Value], int]:
    """A function that counts the elements of a temporary; views and numbers take none."""
    known: dict[Shape, int] = {}

    def elements(value: Value) -> int:
        if value.memory is not Memory.FRESH:
            return 0
        if value.dims not in known:
            known[value.dims] = count(value.dims, sizes)
        return known[value.dims]

    return elements


def reuses_names(program: Program) -> bool:
    """Whether temporaries that are no longer needed give their names, and so their memory, on."""
    return len(program.statements) > LONG


def dropped(program: Program, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The numbers of the temporaries that are dropped as soon as they are not needed."""
    elements = counter(sizes)
    return tuple(
        value.number
        for values in last_uses(program).values()
        for value in values
        if elements(value) >= LARGE
    )


def peak(program: Program, sizes: Mapping[str, int]) -> int:
    """The most elements that temporaries and results take at one time, arguments not counted."""
    last = last_uses(program)
    reused = reuses_names(program)
    elements = counter(sizes)
    held = highest = 0
    for place, statement in enumerate(program.statements):
        if not isinstance(statement.operation, Argument):
            held += sum(map(elements, statement.results))
        highest = max(highest, held)
        for value in last.get(place, ()):
            if reused or elements(value) >= LARGE:
                held -= elements(value)
    return highest
