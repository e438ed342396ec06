"""Divided differences in C, order by order, and the points at which they want derivatives."""

from __future__ import annotations

from tcalc.codegen.c.code import Code
from tcalc.codegen.c.loops import nested, within
from tcalc.codegen.program import Call, Statement
from tcalc.primitives.divided_differences import points_per_axis


def points(code: Code, statement: Statement, operation: Call) -> None:
    """The points of Gauss's rule between the elements of vectors."""
    source = code.place(operation.arguments[0])
    (value,) = statement.results
    n = source.dims[-1]
    k = len(value.dims) - len(source.dims) - 1
    target = code.make(value)
    values = code.scratch(code.length(n))
    indices = code.indices(source.dims)
    name, result = code.helper("simplex_points"), code.pointer(target, indices[:-1])
    arguments = f"{code.size(n)}, {k}, {points_per_axis(k)}, {values}, {result}"
    body = [*code.copied(source, 1, values), f"{name}({arguments});"]
    code.lines += within(code.loops(source.dims[:-1], indices[:-1]), body)


def differences(code: Code, statement: Statement, operation: Call) -> None:
    """The divided differences of the order that there are derivatives for."""
    w, first, *samples = map(code.place, operation.arguments)
    (value,) = statement.results
    n, length = w.dims[-1], code.length(w.dims[-1])
    target = code.make(value)
    orders = range(len(samples) + 1)
    values, most, *made = code.scratches(
        length,
        max(length ** (k + 1) * points_per_axis(k) ** k for k in orders),
        *(length ** (k + 1) for k in orders for _ in range(2)),
    )
    *outer, i = code.indices(w.dims)
    made[-2] = code.pointer(target, outer)
    body = [*code.copied(w, 1, values), *code.copied(first, 1, made[0])]
    # The derivatives at the values themselves are among the samples of the first order.
    at = [*outer, i, i, None]
    slope = code.element(samples[0], at)
    x, y = (f"({start})[{i or 0}]" for start in (values, made[0]))
    bound = f"({made[1]})[{i or 0}] = EPSILON * (fabs({y}) + fabs({x} * {slope}));"
    body += nested(code.loops((n,), [i]), [bound])
    for k, place in enumerate(samples, 1):
        body += code.copied(place, k + 2, most)
        given = ", ".join([values, *made[2 * k - 2 : 2 * k], most])
        results = ", ".join(made[2 * k : 2 * k + 2])
        name = code.helper("next_differences")
        body.append(f"{name}({code.size(n)}, {k}, {points_per_axis(k)}, {given}, {results});")
    code.lines += within(code.loops(w.dims[:-1], outer), body)
