"""Formulas as text in the language itself: what is printed here parses to the same tensor."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, count, pairwise
from typing import NamedTuple, assert_never

from tcalc.errors import LimitError
from tcalc.expr.primitive import Style
from tcalc.printing.formula import (
    Call,
    Formula,
    Indexed,
    Number,
    Power,
    Product,
    Statement,
    Sum,
    Symbol,
    Transpose,
    fold,
)


class Binding(enum.IntEnum):
    """How tightly a text holds together: the table of the language, loosest first."""

    SUM = 0
    PRODUCT = 1
    POWER = 2
    ATOM = 3


class Set(NamedTuple):
    """A text and how tightly it holds together."""

    text: str
    binding: Binding


def text_of(formula: Formula, known: dict[int, Set] | None = None) -> str:
    """The text of a formula.

    >>> from tcalc.printing.formula import Symbol, Transpose
    >>> text_of(Transpose(Symbol("A")))
    "A'"
    """
    if isinstance(formula, Indexed) and isinstance(formula.base, Symbol):
        return _element(formula.base.name, formula.positions)
    return fold(formula, _set, {} if known is None else known).text


def _element(name: str, positions: Sequence[str]) -> str:
    return f"{name}[{','.join(positions)}]"


def statement_text(statement: Statement) -> str:
    """A line of a program, after its note if it has one."""
    note = f"# {statement.note}\n" if statement.note else ""
    value = text_of(statement.value)
    if not statement.names:
        return note + value
    positions = f"[{','.join(statement.positions)}]" if statement.positions else ""
    names = ", ".join(name + positions for name in statement.names)
    return f"{note}{names} {statement.sign} {value}"


def decimal(value: Fraction) -> str | None:
    """A fraction as a decimal where that is shorter: 0.01, 1e-8, but 1/2, 3/4 and 1/3.

    It may be as long where the denominator has two digits, as people write: 0.05, but 1/5.
    """
    if value.denominator == 1 and value < _LONG:
        return str(value.numerator)
    if max(value.numerator, value.denominator) >= _LONGEST:
        return _floating(value)
    if value < _SMALL or (value * 10**12).denominator != 1 or value >= _LONG:
        text = _floating(value)
    else:
        places = next(k for k in count() if (value * 10**k).denominator == 1)
        digits = str(int(value * 10**places)).rjust(places + 1, "0")
        text = f"{digits[:-places]}.{digits[-places:]}"
    exact = f"{value.numerator}/{value.denominator}" if value.denominator > 1 else f"{value}"
    return text if text is not None and len(text) < len(exact) + (value.denominator > 9) else None


_SMALL = Fraction(1, 10**4)
_LONG = 10**16
_LONGEST = 10**1000


def _floating(value: Fraction) -> str | None:
    """A number as a float is shown, where that is the same number."""
    try:
        text = repr(float(value))
    except OverflowError:
        return None
    return re.sub(r"e(-?)\+?0*", r"e\1", text) if Fraction(text) == value else None


def ratio(value: Fraction) -> tuple[str, str]:
    """A positive coefficient as numerator and denominator, texts; the denominator may be empty."""
    short = decimal(value)
    if short is not None:
        return short, ""
    if max(value.numerator, value.denominator) >= _LONGEST:
        raise LimitError(
            "the formula has a coefficient of more than 1000 digits",
            hint="evaluate or compile it; written numbers are exact",
        )
    return str(value.numerator), "" if value.denominator == 1 else str(value.denominator)


def _set(formula: Formula, inner: list[Set]) -> Set:
    match formula:
        case Number(value=value):
            top, bottom = ratio(value)
            return Set(f"{top}/{bottom}", Binding.PRODUCT) if bottom else Set(top, Binding.ATOM)
        case Symbol(name=name):
            return Set(name, Binding.ATOM)
        case Call():
            return _call(formula, [part.text for part in inner])
        case Power(elementwise=elementwise):
            base, exponent = inner
            mark = ".^" if elementwise else "^"
            above = exponent.text
            if not (exponent.binding is Binding.ATOM or _is_negative_number(formula.exponent)):
                above = f"({above})"
            return Set(f"{_fenced(base, Binding.ATOM)}{mark}{above}", Binding.POWER)
        case Product():
            return _product(formula, inner)
        case Sum(terms=terms):
            return _sum([negative for negative, _ in terms], inner)
        case Transpose():
            return Set(_fenced(inner[0], Binding.ATOM) + "'", Binding.ATOM)
        case Indexed(positions=positions):
            return Set(_element(_fenced(inner[0], Binding.ATOM), positions), Binding.ATOM)
        case _:
            assert_never(formula)


def _is_negative_number(formula: Formula) -> bool:
    match formula:
        case Sum(terms=((True, Number(value=value)),)):
            return decimal(value) is not None
    return False


def _fenced(part: Set, least: Binding) -> str:
    return part.text if part.binding >= least else f"({part.text})"


def _call(call: Call, args: Sequence[str]) -> Set:
    if call.style is Style.BRANCH:
        left, right, *branches = args
        return Set(f"{call.name}({left} {call.mark} {right}, {', '.join(branches)})", Binding.ATOM)
    if call.style is Style.SYMBOL and not args:
        return Set(call.name, Binding.ATOM)
    over = f"[{','.join(call.over)}]" if call.over else ""
    return Set(f"{call.name}{over}({', '.join(args)})", Binding.ATOM)


def _sum(signs: Sequence[bool], inner: Sequence[Set]) -> Set:
    pieces: list[str] = []
    for negative, part in zip(signs, inner, strict=True):
        text = _fenced(part, Binding.PRODUCT)
        if not pieces:
            pieces.append(f"-{text}" if negative else text)
        else:
            pieces.append(f" - {text}" if negative else f" + {text}")
    return Set("".join(pieces), Binding.SUM)


def _product(formula: Product, inner: Sequence[Set]) -> Set:
    texts = [_fenced(part, Binding.POWER) for part in inner]
    for k, scalar in enumerate(formula.scalars):
        # x'*y*A is (x'*y)*A: a product of linear algebra that is a scalar needs no fence.
        if isinstance(scalar, Product) and not (scalar.elementwise or scalar.divisors):
            texts[k] = inner[k].text
    cuts = [len(formula.scalars), len(formula.body), len(formula.over), len(formula.divisors)]
    stops = pairwise([0, *accumulate(cuts)])
    scalars, body, over, divisors = (texts[start:stop] for start, stop in stops)
    top, bottom = ratio(formula.coefficient)
    below = ([bottom] if bottom else []) + divisors
    front = ([] if top == "1" else [top]) + scalars
    text = "*".join(front)
    if body:
        joined = (".*" if formula.elementwise else "*").join(body)
        text = f"{text}*{joined}" if text else joined
    text = text or "1"
    for divisor in over[:1]:
        text += f"./{divisor}" if len(over) == 1 else f"./({'.*'.join(over)})"
    if len(below) == 1:
        # A divisor that stands alone keeps its own fence.
        text += f"/{below[0]}"
    elif below:
        text += f"/({'*'.join(below)})"
    return Set(text, Binding.PRODUCT)
