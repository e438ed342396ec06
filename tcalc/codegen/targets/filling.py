"""Results written into arrays that are there already: ``np.multiply(a, b, out=c)``."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from tcalc.codegen.placement import fills, written
from tcalc.codegen.program import Call, MatMul, Operation, Product, Sum
from tcalc.codegen.targets.overwriting import Terms, add_to, scaled_by
from tcalc.codegen.targets.target import Writer, number_text
from tcalc.primitives.routines import Template


def filling(
    target: Terms, operation: Operation, name: str, writer: Writer, zeroed: bool
) -> list[str]:
    """The lines that leave the result in an array; `zeroed` has zeros where nothing is written."""
    match operation:
        case Product(factors=factors, divisors=divisors):
            above = [target.operand(view, writer) for view in factors]
            below = [target.operand(view, writer) for view in divisors]
            if len(above) > 1:
                lines = [f"np.multiply({above[0]}, {above[1]}, out={name})"]
            else:
                lines = [f"np.divide({above[0]}, {below.pop(0)}, out={name})"]
            lines += [f"{name} *= {text}" for text in above[2:]]
            return lines + [f"{name} /= {text}" for text in below]
        case MatMul(left=left, right=right):
            texts = [target.operand(view, writer) for view in (left, right)]
            return [f"np.matmul({', '.join(texts)}, out={name})"]
        case Call(routine=Template(text=text), arguments=arguments):
            called = text.format(*(target.operand(view, writer) for view in arguments))
            return [f"{called[:-1]}, out={name})"]
        case Sum():
            return _sum(target, operation, name, writer, zeroed)
        case _:
            raise AssertionError("not an operation that fills an array")


def _sum(target: Terms, total: Sum, name: str, writer: Writer, zeroed: bool) -> list[str]:
    if zeroed:
        return [target.place(total.placed[0], name, writer, True)]
    common = {abs(addend.coefficient) for addend in total.addends}
    shared = common.pop() if len(common) == 1 and len(total.addends) > 1 else Fraction(1)
    addends = [replace(x, coefficient=x.coefficient / shared) for x in total.addends]
    lines: list[str] = []
    if not total.spans:
        lines += [] if fills(total) else [f"{name}[...] = 0"]
    elif len(addends) > 1 and addends[0].coefficient == 1 and abs(addends[1].coefficient) == 1:
        function = "add" if addends[1].coefficient == 1 else "subtract"
        pair = [target.operand(x.view, writer) for x in addends[:2]]
        lines.append(f"np.{function}({', '.join(pair)}, out={name})")
        addends = addends[2:]
    else:
        first, *addends = addends
        text, c = target.operand(first.view, writer), first.coefficient
        if abs(c) == 1:
            function = "np.negative" if c < 0 else "np.positive"
            lines.append(f"{function}({text}, out={name})")
        else:
            sign = "-" if c < 0 else ""
            lines.append(f"np.multiply({sign}{number_text(abs(c))}, {text}, out={name})")
    lines += [add_to(name, target.term(x, writer)) for x in addends]
    lines += scaled_by(name, shared)
    places = zip(total.placed, written(total), strict=True)
    return lines + [target.place(part, name, writer, alone) for part, alone in places]
