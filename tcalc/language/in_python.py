"""What is written in Python, in the language: operators, positions, functions of NumPy."""

from __future__ import annotations

from numbers import Integral
from typing import SupportsIndex, TypeAlias

from tcalc.errors import ArgumentError
from tcalc.language.elsewhere import meant
from tcalc.language.habits import combining

Position: TypeAlias = SupportsIndex | str | slice
"""What stands in brackets behind an expression."""

OPERATED = {
    "+": "x.T is the row of a column x; x @ y.T is the outer product",
    "-": "x.T is the row of a column x; x @ y.T is the outer product",
    "*": "x.T @ y is the scalar product, x @ y.T the outer one; "
    "tcalc.combine('x.*y', x=x, y=y) multiplies element by element",
    "/": "tcalc.combine('x./y', x=x, y=y) divides element by element",
    "^": "tcalc.combine('x.^p', x=x, p=p) takes powers element by element; "
    "x.T @ x is the scalar product",
}
"""What to write in Python where rows and columns do not fit an operator."""

OPERATORS = {
    "add": "+",
    "subtract": "-",
    "multiply": "*",
    "matmul": "*",
    "divide": "/",
    "true_divide": "/",
    "power": "^",
}
"""The functions of NumPy that are operators of Python, and those of the language."""


def no_number(function: str) -> ArgumentError:
    """The error for a function of NumPy that is given an expression."""
    name = meant(function)
    if name in ("max", "min") and function in ("maximum", "minimum", "fmax", "fmin"):
        formula = f"tcalc.combine('{name}(x, y)', x=x, y=y)"
    else:
        formula = combining(name) if name else "tcalc.combine('2*x', x=x)"
    return ArgumentError(
        f"{function} of NumPy computes with numbers, and this is a formula",
        hint=f"write the function in a program, or combine: {formula}",
    )


def position_text(position: Position) -> str:
    """An index position in the language: a 1-based number, ``end``, an index name, or a range."""
    match position:
        case slice(start=start, stop=stop, step=None):
            return f"{1 if start is None else start}:{'end' if stop is None else stop}"
        case bool() | slice():
            raise ArgumentError(f"{position!r} is not a position", hint="use 2, 'end' or 2:5")
        case Integral():
            if position < 1:
                raise ArgumentError(
                    f"positions count from 1, and {position} is below that",
                    hint="the last one is 'end'",
                )
            return str(position)
        case str() if position.isidentifier():
            return position
    raise ArgumentError(f"{position!r} is not a position", hint="use 2, 'end' or 2:5")
