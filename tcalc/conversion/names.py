"""The functions that tcalc and SymPy both have, and dimensions on both sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sympy

from tcalc.errors import ArgumentError
from tcalc.expr.dims import Dim

FUNCTIONS: Mapping[str, Any] = {
    "exp": sympy.exp,
    "log": sympy.log,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tan": sympy.tan,
    "asin": sympy.asin,
    "acos": sympy.acos,
    "atan": sympy.atan,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "tanh": sympy.tanh,
    "asinh": sympy.asinh,
    "acosh": sympy.acosh,
    "atanh": sympy.atanh,
    "abs": sympy.Abs,
    "sign": sympy.sign,
    "erf": sympy.erf,
    "erfc": sympy.erfc,
    "gamma": sympy.gamma,
    "lgamma": sympy.loggamma,
    "digamma": sympy.digamma,
    "max": sympy.Max,
    "min": sympy.Min,
    "atan2": sympy.atan2,
}
"""Functions of numbers by their name in the language."""

RELATIONS: Mapping[str, Any] = {
    "<": sympy.StrictLessThan,
    "<=": sympy.LessThan,
    ">": sympy.StrictGreaterThan,
    ">=": sympy.GreaterThan,
    "==": sympy.Equality,
}
"""Comparisons by their sign in the language."""


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + sympy.exp(-x))


WRITTEN_OUT: Mapping[str, Callable[..., Any]] = {
    "log1p": lambda x: sympy.log(1 + x),
    "expm1": lambda x: sympy.exp(x) - 1,
    "log2": lambda x: sympy.log(x, 2),
    "log10": lambda x: sympy.log(x, 10),
    "sqrt": sympy.sqrt,
    "square": lambda x: x**2,
    "relu": lambda x: sympy.Max(x, 0),
    "step": lambda x: sympy.Heaviside(x, 0),
    "sigmoid": _sigmoid,
    "softplus": lambda x: sympy.log(1 + sympy.exp(x)),
    "normpdf": lambda x: sympy.exp(-(x**2) / 2) / sympy.sqrt(2 * sympy.pi),
    "normcdf": lambda x: (1 + sympy.erf(x / sympy.sqrt(2))) / 2,
    "xlogx": lambda x: x * sympy.log(x),
    "xlogy": lambda x, y: x * sympy.log(y),
    "logaddexp": lambda x, y: sympy.log(sympy.exp(x) + sympy.exp(y)),
    "pow": lambda x, y: x**y,
}
"""Functions that SymPy writes by others."""


def scalar_function(name: str) -> Callable[..., Any]:
    """The function of numbers that SymPy has for a name of the language."""
    found = FUNCTIONS.get(name) or WRITTEN_OUT.get(name)
    if found is None:
        raise ArgumentError(f"SymPy has no counterpart of {name}")
    made: Callable[..., Any] = found
    return made


def dimension(dim: Dim) -> Any:
    """A dimension as an integer or a symbol of SymPy's, or a polynomial in such."""
    names = dim.names()
    total: Any = sympy.Integer(0)
    for monomial, coefficient in dim.terms:
        if not names.issuperset(monomial):
            raise ArgumentError(f"SymPy has no counterpart of the dimension {dim}")
        total += coefficient * sympy.Mul(*map(symbol, monomial))
    return total


def symbol(name: str) -> Any:
    """A dimension's symbol: SymPy asks that sizes of matrices be integers."""
    return sympy.Symbol(name, integer=True, positive=True)
