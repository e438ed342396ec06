"""Squared distances between the rows of two matrices, several pairs at a time.

Where rows are short, processors take them side by side: the terms of one distance are added one
after the other, and those of its neighbours along with them.  Steps over its elements may share
the loops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeGuard

from tcalc.codegen.c.code import Code
from tcalc.codegen.c.elementwise import accumulated
from tcalc.codegen.c.loops import nested
from tcalc.codegen.program import Call, Operation
from tcalc.primitives.distances import squared_distances
from tcalc.primitives.routines import Embedded

SHORT = 32
"""The most coordinates of which distances are made side by side."""
ABREAST = 8
"""The least distances for it."""
UNROLLED = 16
"""How many terms are written one after the other: the coordinates of one row stay in registers."""


def are_distances(operation: Operation) -> TypeGuard[Call]:
    """Whether an operation makes squared distances."""
    if not isinstance(operation, Call) or not isinstance(operation.routine, Embedded):
        return False
    return operation.routine.function is squared_distances


def are_abreast(operation: Operation, sizes: Mapping[str, int]) -> TypeGuard[Call]:
    """Whether an operation makes squared distances, and several at a time."""
    if not are_distances(operation):
        return False
    rows, coordinates = (dim.evaluate(sizes) for dim in operation.arguments[1].dims)
    return rows >= ABREAST and coordinates <= SHORT


def distance(code: Code, operation: Call, indices: Sequence[str | None]) -> tuple[list[str], str]:
    """Lines that add up the distance at some indices, and its name."""
    first, second = map(code.place, operation.arguments)
    (n, d), (m, _) = first.dims, second.dims
    i, j = indices
    k = code.indices((n, m, d))[2]
    steps = [f"const real step = {code.element(first, [i, k])} - {code.element(second, [j, k])};"]
    loops = code.loops((d,), [k])
    name = code.names.give("squared")
    if not are_abreast(operation, code.known):
        return [f"real {name} = 0;", *accumulated(name, loops, steps, "step * step")], name
    lines = nested(loops, [*steps, f"{name} += step * step;"])
    unrolled = [f"#pragma GCC unroll {UNROLLED}"] if loops else []
    return [f"real {name} = 0;", *unrolled, *lines], name
