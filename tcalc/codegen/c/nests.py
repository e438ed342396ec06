"""Statements that share a nest of loops, as lines of C.

What the nest makes and reads is a number of its body; it is written to memory where others read it
too.  Sums over all axes begin before the nest.
"""

from __future__ import annotations

from tcalc.codegen.c.code import Code
from tcalc.codegen.c.contractions import labelled
from tcalc.codegen.c.elementwise import place_part, repeated, side, written_group
from tcalc.codegen.c.loops import Loop, comment
from tcalc.codegen.c.merging import Nest
from tcalc.codegen.c.places import Place, number
from tcalc.codegen.program import (
    EinSum,
    Fused,
    MatMul,
    Statement,
    Sum,
    TensorDot,
    Total,
    Triangle,
    Value,
    View,
)


def write_nest(code: Code, nest: Nest) -> None:
    """The lines of statements that share a nest."""
    code.lines += nest_lines(code, nest)
    for statement in nest.statements:
        if isinstance(statement.operation, Sum):
            for part in statement.operation.placed:
                place_part(code, code.places[statement.results[0]], part, alone=False)


def nest_lines(code: Code, nest: Nest, part: tuple[str, str] | None = None) -> list[str]:
    """The loops of a nest, or of a part of it along the first axis: from a place to another.

    What they write to begins in lines before them.
    """
    body = _Body(code, nest)
    for statement in nest.statements:
        body.add(statement)
    loops: list[Loop] = [*code.loops(nest.dims, body.indices)]
    if part is not None:
        start, stop = part
        loops[0] = (loops[0][0], stop, start)
    code.lines += [f"real {name} = 0;" for name in body.sums]
    code.places.update(body.made)
    return repeated(loops, body.lines, body.sums)


class _Body:
    """The body of a nest, and where what it makes is found behind it."""

    def __init__(self, code: Code, nest: Nest) -> None:
        self.code = code
        self.inner = nest.inner
        self.read = {value for statement in nest.statements for value in statement.reads}
        self.indices = code.indices(nest.dims)
        self.lines: list[str] = []
        self.sums: list[str] = []
        self.made: dict[Value, Place] = {}
        self._count = 0

    def add(self, statement: Statement) -> None:
        """The lines of a statement."""
        code = self.code
        (value,) = statement.results
        if statement.remark:
            self.lines.append(comment(statement.remark))
        before, text = self._expression(statement)
        self._count += len(before)
        self.lines += before
        if not value.dims:
            name = code.name(value)
            self.sums.append(name)
            self.lines.append(f"{name} += {text};")
            self.made[value] = number(name)
        elif value in self.inner:
            self._define(value, code.name(value), text)
        else:
            target = self.made[value] = code.make(value)
            if value in self.read:
                self._count += 1
                text = self._define(value, f"t{self._count}", text)
            self.lines.append(f"{code.element(target, self.indices)} = {text};")

    def _define(self, value: Value, name: str, text: str) -> str:
        """A number of the body that later statements read for an array."""
        self.lines.append(f"const real {name} = {text};")
        self.code.places[value] = number(name)
        return name

    def _expression(self, statement: Statement) -> tuple[list[str], str]:
        """Lines, and the expression of the element that a statement makes or adds."""
        code = self.code
        match statement.operation:
            case Fused() as operation:
                return written_group(operation, self._element, self._count)
            case Total(source=source):
                return [], self._element(View.of(source))
            case Triangle() as operation:
                return [], side(code, operation, self.indices)
            case MatMul() | TensorDot() | EinSum() as operation:
                operands, output = labelled(operation)
                names = dict(zip(output or operands[0][1], self.indices, strict=True))
                factors = [
                    code.element(code.place(view), [names[label] for label in row])
                    for view, row in operands
                ]
                return [], " * ".join(factors)
            case _:
                return written_group(Fused((statement,)), self._element, self._count)

    def _element(self, view: View) -> str:
        return self.code.element(self.code.place(view), self.indices)
