"""Element-wise statements and sums over axes, as loops whose body is one expression."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from tcalc.codegen.c.code import Code
from tcalc.codegen.c.loops import Loop, nested
from tcalc.codegen.c.places import Place, joined, number, picked
from tcalc.codegen.fusion import inputs
from tcalc.codegen.placement import fills, written
from tcalc.codegen.program import Call, Fused, Placed, Statement, Sum, Total, Triangle, Value, View
from tcalc.codegen.targets.kernels import Body, UntranslatableError, bare, literal, steps_text
from tcalc.expr.dims import Shape
from tcalc.primitives.routines import Routine

_NUMERAL = re.compile(r"\bT\((-?[\w.+-]+)\)")
_CAST, _DECLARED = re.compile(r"\bT(?=\()"), re.compile(r"\bT(?= )")
LONG = re.compile(r"\b(?!T\b|fabs\b|sqrt\b|is[a-z]+\b|floor\b|ceil\b)\w+\(")
"""The calls of functions that are many instructions."""


def in_c(text: str) -> str:
    """The text of a kernel, with C's way to write numbers and types."""
    text = _NUMERAL.sub(lambda found: _numeral(found[1]), text).replace("--", "- -")
    return _DECLARED.sub("real", _CAST.sub("(real)", text))


def _numeral(text: str) -> str:
    named = {"inf": "INFINITY", "-inf": "-INFINITY", "nan": "NAN"}
    return named.get(text, text if re.search(r"[.eE]", text) else f"{text}.0")


def number_text(value: Fraction) -> str:
    """An exact number as an atom."""
    text = in_c(literal(value))
    return f"({text})" if value < 0 else text


def writable(call: Call) -> bool:
    """Whether the routine of a call is one expression of C for each element."""
    return is_expression(call.routine, len(call.arguments))


def is_expression(routine: Routine, arity: int) -> bool:
    """Whether a routine is one expression of C for each element."""
    try:
        _translated(routine, arity)
    except UntranslatableError:
        return False
    return True


def takes_long(call: Call) -> bool:
    """Whether a routine that is an expression calls functions that are many instructions."""
    return any(map(LONG.search, _translated(call.routine, len(call.arguments))))


def _translated(routine: Routine, arity: int) -> list[str]:
    body = Body()
    text = body.routine(routine, [f"x{k}" for k in range(arity)])
    return [*body.lines, text]


def written_group(
    operation: Fused, read: Callable[[View], str], count: int = 0
) -> tuple[list[str], str]:
    """The lines before the expression of a group's result, and that expression.

    `count` is that of the local numbers that have names already.
    """
    views = inputs(operation)
    # The operands have C's way to write numbers, and names of the user's, already.
    marks = {view: f"@{place}@" for place, view in enumerate(views)}
    texts = [read(view) for view in views]
    lines, text = steps_text(operation, marks, count)

    def filled(line: str) -> str:
        return re.sub("@(\\d+)@", lambda mark: texts[int(mark[1])], in_c(line))

    return [filled(line) for line in lines], filled(bare(text))


def group(code: Code, statement: Statement, operation: Fused) -> None:
    """A group of element-wise steps, which a sum over axes may end."""
    (value,) = statement.results
    end = next(reversed(operation.steps)).results[0]
    indices = code.indices(end.dims)

    def read(view: View) -> str:
        return code.element(code.place(view), indices)

    lines, text = written_group(operation, read)
    if operation.axes is not None:
        summed(code, value, end.dims, operation.axes, lines, text)
    elif not end.dims:
        number_of(code, value, lines, text)
    else:
        code.assign(code.make(value), text, lines)


def number_of(code: Code, value: Value, lines: Sequence[str], text: str) -> None:
    """A number that is an expression after some lines."""
    if not lines:
        code.define(value, text)
        return
    name = code.name(value)
    code.lines += [f"real {name};", *nested([], [*lines, f"{name} = {text};"])]
    code.places[value] = number(name)


def total(code: Code, statement: Statement, operation: Total) -> None:
    """A sum over axes of an array."""
    source = code.places[operation.source]
    text = code.element(source, code.indices(source.dims))
    summed(code, statement.results[0], source.dims, operation.axes, [], text)


def summed(
    code: Code, value: Value, dims: Shape, axes: Sequence[int], lines: Sequence[str], text: str
) -> None:
    """The sum over some axes of what lines and an expression make for indices over `dims`."""
    indices = code.indices(dims)
    kept = [k for k in range(len(dims)) if k not in axes]
    inner = code.loops([dims[k] for k in axes], [indices[k] for k in axes])
    if not kept:
        name = code.name(value)
        code.lines += [f"real {name} = 0;", *accumulated(name, inner, lines, text)]
        code.places[value] = number(name)
        return
    target = code.make(value)
    place = code.element(target, [indices[k] for k in kept])
    outer = code.loops([dims[k] for k in kept], [indices[k] for k in kept])
    if max(axes) == len(dims) - 1:
        body = ["real sum = 0;", *accumulated("sum", inner, lines, text), f"{place} = sum;"]
        code.lines += nested(outer, body)
        return
    code.assign(target, "0")
    code.lines += nested(code.loops(dims, indices), [*lines, f"{place} += {text};"])


def accumulated(name: str, loops: Sequence[Loop], lines: Sequence[str], text: str) -> list[str]:
    """Loops that add an expression to a number."""
    return repeated(loops, [*lines, f"{name} += {text};"], [name])


def repeated(
    loops: Sequence[Loop],
    body: Sequence[str],
    sums: Sequence[str],
    of_rows: Mapping[str, str] | None = None,
) -> list[str]:
    """Loops of which no run reads what another one writes, but for numbers that are summed up.

    The sums `of_rows` are those of the innermost loop, with the elements that they are written to.
    """
    if not loops:
        return nested([], body)
    every = ", ".join([*sums, *(of_rows or ())])
    reduction = f" reduction(+:{every})" if every else ""
    innermost = [f"#pragma omp simd{reduction}", *nested(loops[-1:], body)]
    if of_rows:
        begun = ", ".join(f"{name} = 0" for name in of_rows)
        ended = [f"{element} = {name};" for name, element in of_rows.items()]
        innermost = [f"real {begun};", *innermost, *ended]
    return nested(loops[:-1], innermost) if len(loops) > 1 else innermost


def combined(code: Code, statement: Statement, operation: Sum) -> None:
    """Terms added up: whole ones in one loop, then those on parts of the result."""
    (value,) = statement.results
    indices = code.indices(operation.dims)
    text = ""
    for addend in operation.addends:
        element = code.element(code.place(addend.view), indices)
        text = added(text, addend.coefficient, element)
    if not operation.dims:
        number_of(code, value, [], text or "0")
        return
    target = code.make(value)
    if not fills(operation):
        code.assign(target, text or "0")
    for part, alone in zip(operation.placed, written(operation), strict=True):
        place_part(code, target, part, alone)


def added(text: str, coefficient: Fraction, element: str) -> str:
    """A sum with a term more."""
    size = abs(coefficient)
    term = element if size == 1 else f"{number_text(size)} * {element}"
    if not text:
        return f"-{term}" if coefficient < 0 else term
    return f"{text} {'-' if coefficient < 0 else '+'} {term}"


def place_part(code: Code, target: Place, part: Placed, alone: bool) -> None:
    """Write a term on a part of the result, or add it where something is already."""
    once = tuple(dict.fromkeys(part.labels))
    cut = joined(picked(target, part.index), part.labels, once)
    source = code.place(part.view)
    indices = code.indices(cut.dims)
    text = added("", part.coefficient, code.element(source, indices))
    line = f"{code.element(cut, indices)} {'=' if alone else '+='} {text};"
    code.lines += nested(code.loops(cut.dims, indices), [line])


def triangle(code: Code, statement: Statement, operation: Triangle) -> None:
    """The elements on one side of a diagonal, and zeros on the other."""
    (value,) = statement.results
    target = code.make(value)
    code.assign(target, side(code, operation, code.indices(value.dims)))


def side(code: Code, operation: Triangle, indices: Sequence[str | None]) -> str:
    """An element of a triangle, or 0."""
    source = code.place(operation.source)
    row, column = (x or "0" for x in indices[-2:])
    shift = f" + {code.size(operation.offset)}" if operation.offset.value != 0 else ""
    sign = "<=" if operation.lower else ">="
    return f"{column} {sign} {row}{shift} ? {code.element(source, indices)} : 0"
