"""What stands in the node of a picture: an operator's sign, a name, the subscripts of a product."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from string import ascii_lowercase
from typing import assert_never

from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.primitive import Style
from tcalc.primitives.selection import LowerMask, UnitVector, Window

LONGEST = 24
"""The most characters of a label; the subscripts of a longer product are left to its title."""


def label(node: Node) -> str:
    """The label of a node.

    >>> from tcalc.expr import build, shape
    >>> A, x = build.var("A", shape("m", "n")), build.var("x", shape("n"))
    >>> label(build.einsum([A, x], "ij,j->i")), label(build.scale(2, x)), label(x)
    ('ij,j→i', '× 2', 'x')
    """
    text = full_label(node)
    if len(text) <= LONGEST:
        return text
    if isinstance(node, Einsum):
        return f"product of {len(node.factors)}"
    return text[: LONGEST - 1] + "…"


def full_label(node: Node) -> str:
    """The same without a bound on its length."""
    match node:
        case Var(name=name):
            return name
        case Const(value=value):
            return _number(value)
        case Delta():
            return "δ"
        case Add(terms=((coefficient, _),)):
            return "−" if coefficient == -1 else f"× {_number(coefficient)}"
        case Add(terms=terms):
            return _sum([coefficient for coefficient, _ in terms])
        case Einsum():
            return _product(node)
        case Apply():
            return _function(node)
        case _:
            assert_never(node)


def _number(value: Fraction) -> str:
    text = str(value).replace("-", "−")
    return text if len(text) <= LONGEST else f"{float(value):.6g}"


def _sum(coefficients: Sequence[Fraction]) -> str:
    """The sign of a sum, with its coefficients in the order of its operands."""
    if all(c == 1 for c in coefficients):
        return "+"
    return "+ with " + ", ".join(map(_number, coefficients))


def _product(node: Einsum) -> str:
    if all(isinstance(factor, Const) for factor in node.factors):
        return "size " + "·".join(str(dim) for factor in node.factors for dim in factor.dims)
    if (
        node.is_view
        and len(node.factors) == 1
        and node.output == node.subscripts[0][::-1]
        and node.order == 2
    ):
        return "transpose"
    if not any(node.subscripts):
        return "product" if len(node.factors) > 1 else "number"
    if (
        len(node.factors) == 1
        and not node.output
        and len(set(node.subscripts[0])) == node.factors[0].order
    ):
        return "sum"
    names: dict[int, str] = {}
    rows = []
    for row in (*node.subscripts, node.output):
        for x in row:
            names.setdefault(x, _letter(len(names)))
        rows.append("".join(names[x] for x in row) or "()")
    shown = [
        f"δ{row}" if isinstance(factor, Delta) else row
        for factor, row in zip(node.factors, rows, strict=False)
    ]
    return f"{','.join(shown)}→{rows[-1]}"


def _letter(k: int) -> str:
    letters = ascii_lowercase[8:] + ascii_lowercase[:8]
    return letters[k % 26] + "'" * (k // 26)


def _function(node: Apply) -> str:
    match node.primitive:
        case UnitVector(index=index):
            return f"unit vector {index}"
        case Window(start=start, stop=stop):
            return f"rows {start} to {stop}"
        case LowerMask():
            return "triangle of ones"
    notation = node.primitive.notation(node)
    match notation.style:
        case Style.POWER if notation.exponent is not None:
            return f"power {_number(notation.exponent)}"
        case Style.BRANCH:
            return f"where {notation.mark}"
    name = notation.name or node.primitive.name
    return name if node.primitive.outputs == 1 else f"{name}, result {node.output + 1}"
