"""Matrix equations and functions of matrices in C: copies of the matrices are handed to helpers.

LAPACK reads an array of rows as the transpose of the matrix, and ``A X + X B = C`` as the equation
``B' X' + X' A' = C'``, which is of the same kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tcalc.codegen.c.code import Code
from tcalc.codegen.c.decompositions import room_for_spectral
from tcalc.codegen.c.lapack import BLOCK
from tcalc.codegen.c.loops import Loop, nested, within
from tcalc.codegen.c.places import Place
from tcalc.codegen.program import Call, Statement
from tcalc.expr.dims import Dim
from tcalc.primitives.routines import Embedded
from tcalc.primitives.sylvester import sylvester_symmetric


def sylvester(code: Code, statement: Statement, operation: Call) -> None:
    """The solutions of ``A X + X B = C``.

    For each A and B one decomposition, and a single one where B is A or its transpose.
    """
    routine = operation.routine
    assert isinstance(routine, Embedded)
    a, b, right = map(code.place, operation.arguments)
    (value,) = statement.results
    target = code.make(value)
    *stack, m, n = value.dims
    symmetric = routine.function is sylvester_symmetric
    turned = a != b == _transposed(a)
    once = turned or a == b
    rows, columns = code.length(m), code.length(n)
    first, second, room = code.scratches(
        _form_size(rows, symmetric),
        0 if once else _form_size(columns, symmetric),
        max(2 * rows * columns, _form_room(max(rows, columns), symmetric)),
    )
    if once:
        second = first
    outer, inner = _loops(code, stack, (a, b))
    name = code.helper("spectral_form" if symmetric else "schur_form")
    lines = []
    for place, size, form in ((a, m, first), (b, n, second))[: 1 if once else 2]:
        lines += code.copied(place, 2, form)
        lines.append(f"if ({name}({code.size(size)}, {form}, {room})) return 1;")
    sizes = f"{code.size(m)}, {code.size(n)}"
    if symmetric:
        call = f"{code.helper('solve_symmetric_sylvester')}({sizes}"
    else:
        lines.append(f"if (!{code.helper('are_apart')}({sizes}, {first}, {second})) return 1;")
        call = f"{code.helper('solve_sylvester')}('{'T' if turned else 'N'}', {sizes}"
    indices = code.indices(value.dims)
    copied = f"{code.element(target, indices)} = {code.element(right, indices)};"
    pointer = code.pointer(target, indices[:-2])
    solved = [
        *nested(code.loops((m, n), indices[-2:]), [copied]),
        f"if ({call}, {first}, {second}, {pointer}, {room})) return 1;",
    ]
    code.lines += within(outer, [*lines, *within(inner, solved)])


def exponential(code: Code, statement: Statement, operation: Call) -> None:
    """The exponential of matrices, or its derivative in directions, the further arguments."""
    matrices = [code.place(x) for x in operation.arguments]
    (value,) = statement.results
    target = code.make(value)
    *stack, n, _ = value.dims
    size, order = code.length(n) ** 2, len(matrices) - 1
    start, room = code.scratches(size * len(matrices), 6 * size * 2**order + 2 * code.length(n))
    lines = []
    for k, place in enumerate(matrices):
        lines += code.copied(place, 2, f"{start} + {k * size}" if k else start)
    indices = code.indices(stack)
    name, result = code.helper("exponential"), code.pointer(target, indices)
    lines.append(f"if ({name}({code.size(n)}, {order}, {start}, {result}, {room})) return 1;")
    code.lines += within(code.loops(stack, indices), lines)


def _form_size(n: int, symmetric: bool) -> int:
    """The elements of a decomposition: vectors and values, with a triangle if not symmetric."""
    return n * n + n if symmetric else 2 * n * n + 2 * n


def _form_room(n: int, symmetric: bool) -> int:
    """What LAPACK works in."""
    return room_for_spectral(n) if symmetric else BLOCK * n


def _transposed(place: Place) -> Place:
    *stack, m, n = place.dims
    *steps, row, column = place.strides
    return replace(place, dims=(*stack, n, m), strides=(*steps, column, row))


def _loops(
    code: Code, stack: Sequence[Dim], matrices: Sequence[Place]
) -> tuple[list[Loop], list[Loop]]:
    """The loops over the axes of a stack along which some matrices differ, and over the others."""
    indices = code.indices(stack)
    differ = [any(x.strides[k].value != 0 for x in matrices) for k in range(len(stack))]
    loops = [
        code.loops(
            [dim for dim, x in zip(stack, differ, strict=True) if x is which],
            [index for index, x in zip(indices, differ, strict=True) if x is which],
        )
        for which in (True, False)
    ]
    return loops[0], loops[1]
