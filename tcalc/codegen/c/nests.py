"""Statements that share a nest of loops, as lines of C.

What the nest makes and reads is a number of its body; it is written to memory where others read it
too.  Sums over all axes begin before the nest.
"""

from __future__ import annotations

from dataclasses import replace

from tcalc.codegen.c.code import Code
from tcalc.codegen.c.contractions import labelled
from tcalc.codegen.c.distances import are_distances, distance
from tcalc.codegen.c.elementwise import place_part, repeated, side, written_group
from tcalc.codegen.c.loops import Loop, comment
from tcalc.codegen.c.merging import Nest
from tcalc.codegen.c.narrow import Narrow, narrow
from tcalc.codegen.c.places import Place, joined, number
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
    for value in body.copies.values():
        code.release(value)
    return repeated(loops, body.lines, body.sums, body.of_rows)


class _Body:
    """The body of a nest, and where what it makes is found behind it."""

    def __init__(self, code: Code, nest: Nest) -> None:
        self.code = code
        self.inner = nest.inner
        self.read = {value for statement in nest.statements for value in statement.reads}
        self.indices = code.indices(nest.dims)
        self.lines: list[str] = []
        self.sums: list[str] = []
        #: The sums along rows, with the elements that they are written to.
        self.of_rows: dict[str, str] = {}
        self.made: dict[Value, Place] = {}
        self.copies: dict[Place, Value] = {}
        self._count = 0

    def add(self, statement: Statement) -> None:
        """The lines of a statement."""
        code = self.code
        (value,) = statement.results
        if statement.remark:
            self.lines.append(comment(statement.remark))
        product = self._narrow(statement)
        if product is not None and product.large is not None:
            self._add_sums(value, product, View.of(product.large))
            return
        before, text = self._expression(statement)
        self._count += len(before)
        self.lines += before
        if not value.dims:
            name = code.name(value)
            self.sums.append(name)
            self.lines.append(f"{name} += {text};")
            self.made[value] = number(name)
        elif isinstance(statement.operation, Fused | Total) and statement.operation.axes:
            target = self.made[value] = code.make(value)
            name = self._sum_of_row(code.element(target, self.indices[:-1]))
            self.lines.append(f"{name} += {text};")
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

    def _sum_of_row(self, element: str) -> str:
        """The name of a sum along rows that is written to an element."""
        name = f"sum{len(self.of_rows) + 1}"
        self.of_rows[name] = element
        return name

    def _expression(self, statement: Statement) -> tuple[list[str], str]:
        """Lines, and the expression of the element that a statement makes or adds."""
        code = self.code
        match statement.operation:
            case Fused() as operation:
                return written_group(operation, self._element, self._count)
            case Total(source=source):
                return [], self._element(View.of(source))
            case operation if are_distances(operation):
                lines, name = distance(code, operation, self.indices)
                self.lines += lines
                return [], name
            case Triangle() as operation:
                return [], side(code, operation, self.indices)
            case MatMul() | TensorDot() | EinSum() as operation:
                product = self._narrow(statement)
                if product is not None:
                    terms = zip(*(self._beside(product, k) for k in (0, 1)), strict=True)
                    return [], " + ".join(map(" * ".join, terms))
                operands, output = labelled(operation)
                names = dict(zip(output or operands[0][1], self.indices, strict=True))
                factors = [
                    code.element(code.place(view), [names[label] for label in row])
                    for view, row in operands
                ]
                return [], " * ".join(factors)
            case _:
                return written_group(Fused((statement,)), self._element, self._count)

    def _narrow(self, statement: Statement) -> Narrow | None:
        match statement.operation:
            case MatMul() | TensorDot() | EinSum() as operation:
                return narrow(operation, statement.results[0].dims, self.code.known)
            case _:
                return None

    def _add_sums(self, value: Value, product: Narrow, large: View) -> None:
        """The lines that add an element of a matrix, times others, to those of its product."""
        code = self.code
        element = self._element(large)
        label = next(x for x in product.output if x != product.short)
        along_rows = label == product.over[0]
        by_columns = not along_rows and label == product.output[0]
        made = code.make(value, value.dims[::-1] if by_columns else None)
        if by_columns:
            made = replace(made, dims=value.dims, strides=made.strides[::-1])
        self.made[value] = made
        if not along_rows:
            code.assign(made, "0")
        target = joined(made, product.output, (product.short, label))
        for part, factor in zip(
            self._parts(product, label, target), self._beside(product, 0), strict=True
        ):
            if along_rows:
                part = self._sum_of_row(part)
            self.lines.append(f"{part} += {element} * {factor};")

    def _beside(self, product: Narrow, which: int) -> list[str]:
        """For each place on the short axis the element of an operand that is not large."""
        code = self.code
        view, row = product.beside[which]
        label = next(x for x in row if x != product.short)
        place = joined(code.place(view), row, (product.short, label))
        if label == product.over[1] and place.strides[1].value not in (0, 1):
            # Vectors of several columns lie one after the other in a copy alone.
            value = self.copies.get(place)
            if value is None:
                value = self.copies[place] = code.aside(place.dims)
                code.copy(place, code.make(value))
            place = code.places[value]
        return self._parts(product, label, place)

    def _parts(self, product: Narrow, label: int, place: Place) -> list[str]:
        """For each place on the first axis, the short one, the element at an index of the nest."""
        index = self.indices[product.over.index(label)]
        return [
            self.code.element(place, [str(k) if k else None, index]) for k in range(product.terms)
        ]

    def _element(self, view: View) -> str:
        return self.code.element(self.code.place(view), self.indices)
