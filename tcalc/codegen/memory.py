"""What a program holds, and when it may let go."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from tcalc.codegen.program import Argument, Memory, Program, Value, operands
from tcalc.expr.dims import Shape

LARGE = 1 << 17
"""The elements from which on a temporary is dropped when it is no longer needed."""


def count(dims: Shape, sizes: Mapping[str, int]) -> int:
    """The number of elements of an array."""
    return prod(dim.evaluate(sizes) for dim in dims)


def released(program: Program, sizes: Mapping[str, int]) -> dict[int, list[Value]]:
    """For each statement, by its place, the large temporaries that nobody needs after it.

    A value and its views share their memory, which is freed with the last of them.
    """
    kept = {output.view.value for output in program.outputs}
    last: dict[int, list[Value]] = {}
    for place in range(len(program.statements) - 1, -1, -1):
        statement = program.statements[place]
        for value in dict.fromkeys(operands(statement.operation)):
            if value in kept or value.weak:
                continue
            kept.add(value)
            if value.memory is Memory.FRESH and count(value.dims, sizes) >= LARGE:
                last.setdefault(place, []).append(value)
    return last


def peak(program: Program, sizes: Mapping[str, int]) -> int:
    """The most elements that temporaries and results take at one time, arguments not counted."""
    dropped = released(program, sizes)
    held = highest = 0
    for place, statement in enumerate(program.statements):
        if not isinstance(statement.operation, Argument):
            held += sum(count(x.dims, sizes) for x in statement.results if x.memory is Memory.FRESH)
        highest = max(highest, held)
        held -= sum(count(value.dims, sizes) for value in dropped.get(place, ()))
    return highest
