"""Elements at positions that are sums of indices, and what is added up there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tcalc.codegen.c.code import Code
from tcalc.codegen.c.loops import nested
from tcalc.codegen.program import Call, Statement
from tcalc.expr.dims import Dim, Shape
from tcalc.primitives import shifts
from tcalc.primitives.routines import Embedded


def positions(code: Code, statement: Statement, operation: Call) -> None:
    """The positions themselves, as numbers that count from 1."""
    assert isinstance(operation.routine, Embedded)
    offset, *counts = operation.routine.sizes
    (coefficients,) = operation.routine.parameters
    target = code.make(statement.results[0])
    indices = code.indices(counts)
    line = f"{code.element(target, indices)} = {_place(code, offset + 1, coefficients, indices)};"
    code.lines += nested(code.loops(counts, indices), [line])


def windows(code: Code, statement: Statement, operation: Call) -> None:
    """Elements along whose axes new ones run in steps."""
    assert isinstance(operation.routine, Embedded)
    axes, steps = operation.routine.parameters
    source = code.place(operation.arguments[0])
    (value,) = statement.results
    target = code.make(value)
    indices = code.indices(value.dims)
    starts = operation.routine.sizes[: len(source.dims)]
    at = along(code, starts, axes, steps, indices)
    line = f"{code.element(target, indices)} = {code.element(source, at)};"
    code.lines += nested(code.loops(value.dims, indices), [line])


def overlapped(code: Code, statement: Statement, operation: Call) -> None:
    """Elements added up where their axes run along those of the result in steps."""
    assert isinstance(operation.routine, Embedded)
    axes, steps, _ = operation.routine.parameters
    source = code.place(operation.arguments[0])
    target = code.make(statement.results[0])
    code.assign(target, "0")
    indices = code.indices(source.dims)
    starts = operation.routine.sizes[: len(target.dims)]
    at = along(code, starts, axes, steps, indices)
    line = f"{code.element(target, at)} += {code.element(source, indices)};"
    code.lines += nested(code.loops(source.dims, indices), [line])


def along(
    code: Code,
    starts: Shape,
    axes: Sequence[int],
    steps: Sequence[int],
    indices: Sequence[str | None],
) -> list[str]:
    """The positions along each axis, where indices begin somewhere and run along axes in steps."""
    terms = [[code.size(start)] if start.value != 0 else [] for start in starts]
    for axis, step, index in zip(axes, steps, indices, strict=True):
        if index is not None:
            terms[axis].append(index if step == 1 else f"({step}) * {index}")
    return [x[0] if len(x) == 1 else f"({' + '.join(x)})" if x else "0" for x in terms]


def windows_added(code: Code, statement: Statement, operation: Call) -> None:
    """What belongs to each sum of multiples of indices, added up there."""
    assert isinstance(operation.routine, Embedded)
    _, offset, *counts = operation.routine.sizes
    kept, coefficients = operation.routine.parameters
    source = code.place(operation.arguments[0])
    target = code.make(statement.results[0])
    code.assign(target, "0")
    dims = (*counts, *source.dims[len(counts) :])
    indices = code.indices(dims)
    rows, rest = indices[: len(counts)], indices[len(counts) :]
    place = _place(code, offset, coefficients, rows)
    made = code.element(target, [*rows[:kept], place, *rest])
    line = f"{made} += {code.element(source, indices)};"
    code.lines += nested(code.loops(dims, indices), [line])


def _place(
    code: Code, offset: Dim, coefficients: Sequence[int], indices: Sequence[str | None]
) -> str:
    """A position counted from 0, of indices that count from 0."""
    first = offset + (sum(coefficients) - 1)
    return along(code, (first,), [0] * len(indices), coefficients, indices)[0]


ROUTINES: Mapping[Callable[..., Any], Callable[[Code, Statement, Call], None]] = {
    shifts.shifted_positions: positions,
    shifts.windows: windows,
    shifts.overlapped: overlapped,
    shifts.windows_added: windows_added,
}
"""How the functions of the primitive's file are written in C."""
