"""Element-wise steps written into the memory of an operand that is no longer needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Protocol

from tcalc.codegen.program import Addend, Call, Operation, Placed, Product, Sum, Value, View
from tcalc.codegen.targets.target import Writer, number_text
from tcalc.primitives.routines import Template


class Terms(Protocol):
    """How a target writes operands and terms."""

    def operand(self, view: View, writer: Writer) -> str: ...

    def term(self, addend: Addend | Placed, writer: Writer) -> str: ...

    def place(self, part: Placed, name: str, writer: Writer, fresh: bool) -> str: ...


def overwriting(
    target: Terms, operation: Operation, name: str, writer: Writer, over: Value
) -> list[str]:
    """The lines that leave the result in the array of `over`; none where that is not known how.

    `name` is that of the result, which may be the one that the array has already.
    """
    array = writer.name(over)
    lines: list[str] = []
    if isinstance(operation, Product):
        lines = _product(target, operation, array, writer, over)
    elif isinstance(operation, Sum):
        lines = _sum(target, operation, array, writer, over)
    elif isinstance(operation, Call) and isinstance(operation.routine, Template):
        arguments = [target.operand(view, writer) for view in operation.arguments]
        text = operation.routine.text.format(*arguments)
        inner = text.removeprefix("1.0 / ")
        called = inner.endswith(")") and inner.startswith("np.")
        if called:
            lines = [f"{inner[:-1]}, out={array})"]
        if inner != text and (called or inner == array):
            lines.append(f"np.divide(1.0, {array}, out={array})")
    if lines and name != array:
        lines.append(f"{name} = {array}")
    return lines


def _product(target: Terms, product: Product, array: str, writer: Writer, over: Value) -> list[str]:
    """The other factors and divisors applied one by one."""
    if any(view.value is over for view in product.divisors):
        if len(product.divisors) > 1:
            return []
        above = " * ".join(target.operand(view, writer) for view in product.factors)
        return [f"np.divide({above}, {array}, out={array})"]
    others = [view for view in product.factors if view.value is not over]
    lines = [f"{array} *= {target.operand(view, writer)}" for view in others]
    return lines + [f"{array} /= {target.operand(view, writer)}" for view in product.divisors]


def _sum(target: Terms, total: Sum, array: str, writer: Writer, over: Value) -> list[str]:
    """The other terms added to the array, a coefficient that all have multiplied in last."""
    common = {abs(addend.coefficient) for addend in total.addends}
    factor = common.pop() if len(common) == 1 else Fraction(1)
    addends = [replace(x, coefficient=x.coefficient / factor) for x in total.addends]
    if len(addends) == 1:
        factor, addends = factor * addends[0].coefficient, [replace(addends[0], coefficient=ONE)]
    (mine,) = (x for x in addends if x.view.value is over)
    others = [x for x in addends if x is not mine]
    lines: list[str] = []
    if mine.coefficient == -1 and others:
        first = _first(others)
        others.remove(first)
        lines.append(f"np.subtract({target.term(first, writer)}, {array}, out={array})")
    elif mine.coefficient != 1:
        lines += scaled_by(array, mine.coefficient)
    lines += [add_to(array, target.term(x, writer)) for x in others]
    lines += scaled_by(array, factor)
    lines += [target.place(part, array, writer, False) for part in total.placed]
    return lines


def _first(addends: Sequence[Addend]) -> Addend:
    """The term to begin with: one that needs no sign or coefficient, if there is one."""
    return next((x for x in addends if x.coefficient == 1), addends[0])


def scaled_by(array: str, coefficient: Fraction) -> list[str]:
    """The statement that multiplies an array by a number, if it is not one."""
    if coefficient == 1:
        return []
    if coefficient == -1:
        return [f"np.negative({array}, out={array})"]
    sign = "-" if coefficient < 0 else ""
    return [f"{array} *= {sign}{number_text(abs(coefficient))}"]


def add_to(target: str, term: str) -> str:
    """A statement that adds a term, or subtracts one with a sign."""
    return f"{target} -= {term[1:]}" if term.startswith("-") else f"{target} += {term}"


ONE = Fraction(1)
