"""Systems in C, by LAPACK: factorised once, solved and inverted as often as needed.

LAPACK reads an array of rows as the transpose of the matrix.  So a Cholesky factor in rows is, to
it, an upper triangle; the LU factors are those of the transpose; and right sides in rows are solved
from the right.  What is not clearly regular is left to NumPy's code, which knows more to say.
"""

from __future__ import annotations

from typing import assert_never

from tcalc.codegen.c.code import DENSE, Code
from tcalc.codegen.c.lapack import BLOCK
from tcalc.codegen.c.loops import nested
from tcalc.codegen.c.places import ONE, Place, number, row_major
from tcalc.codegen.program import (
    Derived,
    Factorise,
    FromFactor,
    Solve,
    Solver,
    Statement,
    Value,
)
from tcalc.expr.dims import Dim, Shape


def factorise(code: Code, statement: Statement, operation: Factorise) -> None:
    """The factors of a matrix, or of each of a stack; with room for what belongs to them."""
    (value,) = statement.results
    source = code.place(operation.matrix)
    if operation.solver not in DENSE:
        code.places[value] = source
        if operation.solver is Solver.DIAGONAL:
            require_diagonal(code, source)
        return
    indices = code.indices(source.dims)
    factorised(code, value, source.dims, operation.solver, code.element(source, indices))


def factorised(code: Code, value: Value, dims: Shape, solver: Solver, element: str) -> Place:
    """The factors of matrices whose elements are an expression of the indices.

    Behind each is room for what belongs to it: the pivots, or the diagonal that there was.
    """
    *stack, n, _ = dims
    room = code.make(value, (*stack, n * n + n))
    factor = Place(room.name, dims, (*room.strides[:-1], n, ONE), room.start)
    code.places[value] = factor
    code.assign(factor, element)
    indices = code.indices(stack)
    name = code.helper("factor_spd" if solver is Solver.SPD else "factor_general")
    aside = code.scratch(code.length(n) * (code.length(n) + 6))
    call = f"{name}({code.size(n)}, {code.pointer(factor, indices)}, {aside})"
    code.lines += nested(code.loops(stack, indices), [f"if ({call}) return 1;"])
    return factor


def require_diagonal(code: Code, source: Place) -> None:
    indices = code.indices(source.dims)
    row = indices[-2]
    element = code.element(source, [*indices[:-1], row])
    loops = code.loops(source.dims[:-1], indices[:-1])
    code.lines += nested(loops, [f"if ({element} == 0) return 1;"])


def solve(code: Code, statement: Statement, operation: Solve) -> None:
    """Right sides solved where the result is to lie."""
    (value,) = statement.results
    factor, right = code.places[operation.factor], code.place(operation.right)
    core = 1 + operation.columns
    stack = value.dims[: len(value.dims) - core]
    n = value.dims[len(stack)]
    columns = value.dims[-1] if operation.columns else ONE
    # LAPACK takes right sides that lie in columns.
    in_columns = operation.solver is Solver.GENERAL and operation.columns
    target = code.make(value, value.dims if in_columns else None)
    indices = code.indices(value.dims)
    outer = indices[: len(stack)]
    match operation.solver:
        case Solver.DIAGONAL:
            row = indices[len(stack)]
            pivot = code.element(factor, [*outer, row, row])
            code.assign(target, f"{code.element(right, indices)} / {pivot}")
            return
        case Solver.LOWER | Solver.UPPER:
            code.copy(right, target)
            call = _triangular(code, operation, factor, n, columns, target, outer)
        case Solver.SPD:
            code.copy(right, target)
            call = (
                f"{code.helper('solve_spd')}({code.size(n)}, {code.size(columns)}, "
                f"{code.pointer(factor, outer)}, {code.pointer(target, outer)});"
            )
        case Solver.GENERAL:
            if in_columns:
                target = code.places[value] = _in_columns(value.dims, target)
            code.copy(right, target)
            letter = "N" if operation.transposed else "T"
            call = (
                f"{code.helper('solve_general')}('{letter}', {code.size(n)}, {code.size(columns)}, "
                f"{code.pointer(factor, outer)}, {code.pointer(target, outer)});"
            )
        case _:
            assert_never(operation.solver)
    code.lines += nested(code.loops(stack, outer), [call])


def _in_columns(dims: Shape, target: Place) -> Place:
    *_, n, _columns = dims
    strides = (*target.strides[:-2], ONE, n)
    return Place(target.name, dims, strides, target.start)


def _triangular(
    code: Code,
    operation: Solve,
    factor: Place,
    n: Dim,
    columns: Dim,
    target: Place,
    outer: list[str | None],
) -> str:
    """The call that solves with a triangle, which may lie in rows or in columns."""
    *_, row, column = factor.strides
    if column == ONE or code.length(n) == 1:
        upper, turned, apart = operation.solver is Solver.LOWER, operation.transposed, row
    elif row == ONE:
        upper, turned, apart = operation.solver is Solver.UPPER, not operation.transposed, column
    else:
        copied = code.scratch(code.count(factor.dims))
        place = row_major(f"({copied})", factor.dims)
        code.copy(factor, place)
        return _triangular(code, operation, place, n, columns, target, outer)
    if code.length(n) == 1:
        apart = ONE
    return (
        f"if ({code.helper('solve_triangle')}('{'U' if upper else 'L'}', "
        f"'{'T' if turned else 'N'}', {code.size(n)}, {code.size(columns)}, "
        f"{code.pointer(factor, outer)}, {code.size(apart)}, "
        f"{code.pointer(target, outer)})) return 1;"
    )


def from_factor(code: Code, statement: Statement, operation: FromFactor) -> None:
    """What else a factorisation gives."""
    (value,) = statement.results
    factor = code.places[operation.factor]
    match operation.kind:
        case Derived.INVERSE if operation.solver in DENSE:
            inverted(code, value, factor, operation.solver)
        case Derived.INVERSE:
            inverted_triangle(code, value, factor, operation.solver)
        case Derived.CHOLESKY:
            code.places[value] = factor
        case Derived.LOGDET:
            logarithm(code, value, factor, operation.solver)
        case _:
            assert_never(operation.kind)


def logarithm(code: Code, value: Value, factor: Place, solver: Solver) -> None:
    """The logarithms of determinants of matrices from their factors."""
    *stack, n, _ = factor.dims
    indices = code.indices(stack)
    name = code.helper("logdet_spd" if solver is Solver.SPD else "logdet_general")
    call = f"{name}({code.size(n)}, {code.pointer(factor, indices)}, "
    if stack:
        target = code.make(value)
        line = f"if ({call}{code.pointer(target, indices)})) return 1;"
        code.lines += nested(code.loops(stack, indices), [line])
        return
    result = code.name(value)
    code.lines.append(f"real {result};")
    code.fail(f"{call}&{result})")
    code.places[value] = number(result)


def inverted(code: Code, value: Value, factor: Place, solver: Solver) -> None:
    """The inverses of matrices from their factors; of tensors that are such, in their place."""
    *stack, n, _ = factor.dims
    target = row_major(code.make(value).name, factor.dims)
    code.copy(factor, target)
    outer = code.indices(stack)
    if solver is Solver.SPD:
        call = f"{code.helper('invert_spd')}({code.size(n)}, {code.pointer(target, outer)})"
    else:
        room = code.scratch(BLOCK * code.length(n))
        call = (
            f"{code.helper('invert_general')}({code.size(n)}, {code.pointer(target, outer)}, "
            f"{code.pointer(factor, outer)} + {code.size(n * n)}, {room})"
        )
    code.lines += nested(code.loops(stack, outer), [f"if ({call}) return 1;"])


def inverted_triangle(code: Code, value: Value, source: Place, solver: Solver) -> None:
    """The inverses of triangles; the other sides, which nobody looks at, are zeros."""
    *stack, n, _ = value.dims
    target = code.make(value)
    indices = code.indices(value.dims)
    outer, (row, column) = indices[:-2], (x or "0" for x in indices[-2:])
    sign = "<=" if solver is Solver.LOWER else ">="
    code.assign(target, f"{column} {sign} {row} ? {code.element(source, indices)} : 0")
    side = "U" if solver is Solver.LOWER else "L"
    name = code.helper("invert_triangle")
    call = f"{name}('{side}', {code.size(n)}, {code.pointer(target, outer)})"
    code.lines += nested(code.loops(stack, outer), [f"if ({call}) return 1;"])
