"""Each statement of a program as lines of C; what only names a part of memory takes none."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from tcalc.codegen.c import contractions, elementwise, routines, systems
from tcalc.codegen.c.code import Code
from tcalc.codegen.c.places import Place, is_row_major, joined, number, picked, row_major, spread
from tcalc.codegen.program import (
    Argument,
    Call,
    Diagonal,
    EinSum,
    Extent,
    Factorise,
    Fold,
    FromFactor,
    Fused,
    MatMul,
    Number,
    Pick,
    Product,
    Rows,
    Solve,
    Spread,
    Statement,
    Sum,
    TensorDot,
    Total,
    Triangle,
    Typed,
)
from tcalc.expr.dims import Dim, Shape


def write(code: Code, statement: Statement) -> None:
    """The lines of a statement; where its results are is noted in any case."""
    operation = statement.operation
    value = statement.results[0]
    match operation:
        case Argument(name=name):
            code.places[value] = code.argument(name, value.dims)
        case Number(value=exact):
            code.places[value] = number(elementwise.number_text(exact))
        case Extent(dim=dim):
            # A product of sizes may be beyond the integers.
            known = f"(real){code.size(dim)}" if dim.is_name else f"{code.length(dim)}.0"
            code.places[value] = number(known)
        case Typed(source=source):
            code.places[value] = code.places[source]
        case Pick(source=source, index=index):
            code.places[value] = _element_or_array(code, picked(code.places[source], index))
        case Rows(source=source):
            place = code.places[source]
            rest = (None,) * (len(place.dims) - 1)
            for k, result in enumerate(statement.results):
                part = picked(place, (Dim.of(k), *rest))
                code.places[result] = _element_or_array(code, part)
        case Diagonal(source=source, labels=labels, output=output):
            code.places[value] = joined(code.places[source], labels, output)
        case Spread(source=view, dims=dims):
            code.places[value] = spread(code.place(view), dims, code.known)
        case Fold(source=view, dims=dims):
            _fold(code, statement, code.place(view), dims)
        case Total():
            elementwise.total(code, statement, operation)
        case Triangle():
            elementwise.triangle(code, statement, operation)
        case Fused():
            elementwise.group(code, statement, operation)
        case Product():
            elementwise.group(code, statement, Fused((statement,)))
        case Sum():
            elementwise.combined(code, statement, operation)
        case Call():
            if elementwise.writable(operation):
                elementwise.group(code, statement, Fused((statement,)))
            else:
                routines.call(code, statement, operation)
        case MatMul() | TensorDot() | EinSum():
            contractions.contract(code, statement, operation)
        case Factorise():
            systems.factorise(code, statement, operation)
        case Solve():
            systems.solve(code, statement, operation)
        case FromFactor():
            systems.from_factor(code, statement, operation)
        case _:
            assert_never(operation)


def _element_or_array(code: Code, place: Place) -> Place:
    return place if place.dims else number(code.element(place, ()))


def _fold(code: Code, statement: Statement, source: Place, dims: Shape) -> None:
    """The same elements with other axes: where they lie in rows, nothing is moved."""
    (value,) = statement.results
    if is_row_major(source, code.known):
        strides = row_major("", dims).strides
        place = replace(source, dims=dims, strides=strides)
        code.places[value] = _element_or_array(code, place)
        return
    target = code.make(value)
    code.copy(source, row_major(target.name, source.dims))
