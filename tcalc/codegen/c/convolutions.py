"""Convolutions: sums of products at positions that are sums of indices.

The innermost loop runs along a row of the result, or of the array that is spread, in parts that
stay in a cache while all elements of the other array pass over them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from tcalc.codegen.c.code import Code
from tcalc.codegen.c.elementwise import accumulated, repeated
from tcalc.codegen.c.loops import Loop, indented, nested, within
from tcalc.codegen.c.shifts import along
from tcalc.codegen.program import Call, Statement
from tcalc.expr.dims import Shape
from tcalc.primitives import convolutions
from tcalc.primitives.routines import Embedded

PART = 1024
"""How many elements of a row are passed over at a time."""
FEW = 16
"""The length below which a row is no longer worth a loop of its own."""

Indices: TypeAlias = Sequence[str | None]


def correlated(code: Code, statement: Statement, operation: Call) -> None:
    """The sums over the indices of the second array, for positions that are sums of indices."""
    seen, weights = map(code.place, operation.arguments)
    target = code.make(statement.results[0])
    code.assign(target, "0")
    p, q, at = _indices(code, operation, target.dims, weights.dims)
    made = code.element(target, p)
    product = f"{code.element(seen, at)} * {code.element(weights, q)}"
    loops = code.loops((*target.dims[:-1], *weights.dims[:-1]), (*p[:-1], *q[:-1]))
    row = code.loops(target.dims[-1:], p[-1:])
    short = code.loops(weights.dims[-1:], q[-1:])
    if short and code.length(target.dims[-1]) < FEW:
        body = ["real sum = 0;", *accumulated("sum", short, [], product), f"{made} += sum;"]
        code.lines += nested([*loops, *row], body)
        return
    line = f"{made} += {product};"
    code.lines += within(loops, _in_parts(row, short, line, code.length(target.dims[-1])))


def spread(code: Code, statement: Statement, operation: Call) -> None:
    """The products of all elements, added up at positions that are sums of indices."""
    moving, weights = map(code.place, operation.arguments)
    target = code.make(statement.results[0])
    code.assign(target, "0")
    p, q, at = _indices(code, operation, moving.dims, weights.dims)
    line = f"{code.element(target, at)} += {code.element(moving, p)} * {code.element(weights, q)};"
    loops = code.loops((*moving.dims[:-1], *weights.dims[:-1]), (*p[:-1], *q[:-1]))
    rows = [
        (code.length(dim), code.loops([dim], [index]))
        for dim, index in ((moving.dims[-1], p[-1]), (weights.dims[-1], q[-1]))
    ]
    (_, short), (length, row) = sorted(rows, key=lambda x: x[0])
    code.lines += within(loops, _in_parts(row, short, line, length))


def _in_parts(row: Sequence[Loop], short: Sequence[Loop], line: str, length: int) -> list[str]:
    """A line for all elements of a row, and of a short one that passes over parts of it."""
    if not row:
        return nested(short, [line])
    if not short or length <= 2 * PART:
        return repeated([*short, *row], [line], [])
    ((index, end, *_),) = row
    part = [
        f"const int end = {end} - start < {PART} ? {end} : start + {PART};",
        *repeated([*short, (index, "end", "start")], [line], []),
    ]
    head = f"for (int start = 0; start < {end}; start += {PART}) {{"
    return [head, *indented(part), "}"]


def _indices(
    code: Code, operation: Call, counts: Shape, others: Shape
) -> tuple[Indices, Indices, Indices]:
    """The indices of two arrays, and the positions that they lead to along each axis."""
    assert isinstance(operation.routine, Embedded)
    outer, inner = operation.routine.parameters
    starts = operation.routine.sizes[: len(counts)]
    if not starts:
        outer, inner = (outer,), (inner,)
        starts = (-min(outer[0], 0) * (counts[0] - 1) - min(inner[0], 0) * (others[0] - 1),)
    indices = code.indices((*counts, *others))
    p, q = indices[: len(counts)], indices[len(counts) :]
    axes = (*range(len(counts)), *range(len(counts)))
    at = along(code, starts, axes, (*outer, *inner), indices)
    return p, q, at


ROUTINES: Mapping[Callable[..., Any], Callable[[Code, Statement, Call], None]] = {
    convolutions.correlated: correlated,
    convolutions.filtered: correlated,
    convolutions.spread: spread,
    convolutions.convolved: spread,
}
"""How the functions for generated code are written in C."""
