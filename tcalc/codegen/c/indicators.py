"""Elements at places that data give, and what belongs to each place, added up there.

Places are numbers like any other in the arrays of C, and integers where they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tcalc.codegen.c.code import Code
from tcalc.codegen.c.elementwise import number_of
from tcalc.codegen.c.loops import nested
from tcalc.codegen.program import Call, Statement
from tcalc.errors import UnsupportedError
from tcalc.primitives import onehot
from tcalc.primitives.routines import Embedded

EXACT = 1 << 24
"""Up to where floats tell all integers apart."""


def places(code: Code, statement: Statement, operation: Call) -> None:
    """Positions, counted from 0; others than there are are for NumPy's code to complain of."""
    assert isinstance(operation.routine, Embedded)
    (value,) = statement.results
    (size,) = operation.routine.sizes
    _require_exact(code.length(size))
    source = code.place(operation.arguments[0])
    indices = code.indices(source.dims)
    place, checked = _checked(code, code.element(source, indices), code.size(size))
    if not value.dims:
        number_of(code, value, checked, f"{place} - 1")
        return
    target = code.element(code.make(value), indices)
    code.lines += nested(code.loops(source.dims, indices), [*checked, f"{target} = {place} - 1;"])


def one_hot(code: Code, statement: Statement, operation: Call) -> None:
    """A row for each position, of zeros and a one there."""
    (value,) = statement.results
    source = code.place(operation.arguments[0])
    target = code.make(value)
    code.assign(target, "0")
    indices = code.indices(source.dims)
    place, checked = _checked(code, code.element(source, indices), code.size(value.dims[-1]))
    line = f"{code.element(target, [*indices, f'(int)({place} - 1)'])} = 1;"
    code.lines += nested(code.loops(source.dims, indices), [*checked, line])


def taken(code: Code, statement: Statement, operation: Call) -> None:
    """The elements of an axis at some places, whose axes stand in its place."""
    assert isinstance(operation.routine, Embedded)
    (axis,) = operation.routine.parameters
    _at_places(code, statement, operation, axis, axis)


def picked(code: Code, statement: Statement, operation: Call) -> None:
    """Elements of the axis after the first few, which an array and the places have in common."""
    assert isinstance(operation.routine, Embedded)
    (shared,) = operation.routine.parameters
    _at_places(code, statement, operation, shared, 0)


def _at_places(code: Code, statement: Statement, operation: Call, axis: int, first: int) -> None:
    """The elements of an axis at places that have the axes of the result from the `first` one."""
    source, at = map(code.place, operation.arguments)
    (value,) = statement.results
    indices = code.indices(value.dims)
    end = first + len(at.dims)
    place = f"(int){code.element(at, indices[first:end])}"
    element = code.element(source, [*indices[:axis], place, *indices[end:]])
    _assigned(code, statement, indices, element)


def placed(code: Code, statement: Statement, operation: Call) -> None:
    """What belongs to each place, added up there."""
    assert isinstance(operation.routine, Embedded)
    (kept,) = operation.routine.parameters
    _require_exact(code.length(operation.routine.sizes[0]))
    source, at = map(code.place, operation.arguments)
    target = code.make(statement.results[0])
    code.assign(target, "0")
    dims = (*at.dims, *source.dims[len(at.dims) :])
    indices = code.indices(dims)
    rows, rest = indices[: len(at.dims)], indices[len(at.dims) :]
    place = f"(int){code.element(at, rows)}"
    made = code.element(target, [*rows[:kept], place, *rest])
    line = f"{made} += {code.element(source, indices)};"
    code.lines += nested(code.loops(dims, indices), [line])


def joined(code: Code, statement: Statement, operation: Call) -> None:
    """Places on two axes as places on one that runs over both."""
    assert isinstance(operation.routine, Embedded)
    (value,) = statement.results
    (size,) = operation.routine.sizes
    left, right = map(code.place, operation.arguments)
    indices = code.indices(value.dims)
    first, second = code.element(left, indices), code.element(right, indices)
    _assigned(code, statement, indices, f"{first} * {code.size(size)} + {second}")


def _assigned(code: Code, statement: Statement, indices: Sequence[str | None], text: str) -> None:
    """A result whose elements are an expression of some indices."""
    (value,) = statement.results
    if not value.dims:
        code.define(value, text)
        return
    target = code.element(code.make(value), indices)
    code.lines += nested(code.loops(value.dims, indices), [f"{target} = {text};"])


def _checked(code: Code, position: str, size: str) -> tuple[str, list[str]]:
    """The name of a position, and lines that read it, and give up where there is no such one."""
    name = code.names.give("place")
    return name, [
        f"const real {name} = rint({position});",
        f"if (!({name} >= 1 && {name} <= {size})) return 1;",
    ]


def _require_exact(size: int) -> None:
    if size > EXACT:
        raise UnsupportedError(
            f"there is no C code for positions on an axis of size {size}",
            hint='compile with backend="numpy"',
        )


ROUTINES: Mapping[Callable[..., Any], Callable[[Code, Statement, Call], None]] = {
    onehot.joined: joined,
    onehot.one_hot: one_hot,
    onehot.picked: picked,
    onehot.placed: placed,
    onehot.places_of: places,
    onehot.taken: taken,
}
"""How the functions of the primitive's file are written in C."""
