"""What the public functions take, and how they refuse all else.

Raised are `ArgumentError`, `DimensionError` and `UnsupportedError`, each with what was expected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral

from tcalc.codegen.options import HOST_BACKENDS
from tcalc.errors import ArgumentError, DimensionError, UnsupportedError, suggestion
from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Var
from tcalc.expr.outline import Outline, outlined
from tcalc.expr.traverse import variables
from tcalc.expression import Expression, Names, Variable, Variables
from tcalc.language.parser import RESERVED, is_name


def require_expression(F: object) -> Expression:
    """The argument itself; raises `ArgumentError` unless it is an expression.

    >>> require_expression("x'*x")
    Traceback (most recent call last):
    tcalc.errors.ArgumentError: an expression was expected, not an object of type str
      hint: tcalc.parse makes one of a text
    """
    if isinstance(F, Expression):
        return F
    hint = "tcalc.parse makes one of a text" if isinstance(F, str) else None
    if callable(F):
        hint = """a function is written as a formula: tcalc.parse("sum(x.^2)")"""
    raise ArgumentError(
        f"an expression was expected, not an object of type {type(F).__name__}", hint=hint
    )


def require_expressions(F: object) -> list[Expression]:
    """All expressions of nested lists and dictionaries; raises `ArgumentError` for all else."""
    return require_outlined(F)[1]


def require_outlined(F: object) -> tuple[Outline, list[Expression]]:
    """The same, with the outline of the lists and dictionaries."""
    outline, leaves = outlined(F)
    return outline, [require_expression(leaf) for leaf in leaves]


def require_scalar(f: object, what: str) -> None:
    """Raise `ArgumentError` unless it is an expression, `DimensionError` unless it is a scalar."""
    expression = require_expression(f)
    if shape := expression.shape:
        hint = "sum it up, by sum(...) or by `s = ...` before indices, or ask for the jacobian"
        known = expression.variables
        guessed = [repr(known[x]).removesuffix("[]") for x in expression.guesses if x in known]
        if guessed:
            hint += f"; undeclared names were taken for {', '.join(guessed)}"
        raise DimensionError(
            f"the {what} is that of a scalar, and this expression has the axes "
            f"[{', '.join(shape)}]",
            hint=hint,
        )


def require_sizes(F: Expression, sizes: Mapping[str, int]) -> None:
    """Raise `ArgumentError` unless each is a positive size of a dimension of the inputs."""
    dims = [dim for x in [*F.variables.values(), *variables([F.node])] for dim in x.dims]
    known = dict.fromkeys(name for dim in dims for name in sorted(dim.names()))
    for name, size in sizes.items():
        if name not in known:
            others = f"it has {', '.join(known) or 'none'}"
            raise ArgumentError(
                f"{name} is no size of the program", hint=suggestion(name, known, others)
            )
        if not isinstance(size, Integral) or size < 1:
            raise ArgumentError(
                f"the size {name} is {size!r}, and should be a whole number, at least 1"
            )


def require_on_host(backend: object, what: str) -> None:
    """Raise `UnsupportedError` unless it is a backend for arrays of NumPy's.

    >>> require_on_host("cupy", "a problem")
    Traceback (most recent call last):
    tcalc.errors.UnsupportedError: a problem is not run by 'cupy'
      hint: backend="numpy" or backend="c"
    """
    if backend not in HOST_BACKENDS:
        hint = " or ".join(f'backend="{name}"' for name in HOST_BACKENDS)
        raise UnsupportedError(f"{what} is not run by {backend!r}", hint=hint)


def require_order(order: object) -> None:
    """Raise `ArgumentError` unless it is the order of a derivative, 1 or more."""
    if not isinstance(order, Integral) or order < 1:
        raise ArgumentError(f"there is no derivative of order {order}", hint="order=1 or more")


def require_seed(seed: object) -> None:
    """Raise `ArgumentError` for what is no seed: a whole number from 0 on, or what NumPy takes.

    >>> require_seed(-1)
    Traceback (most recent call last):
    tcalc.errors.ArgumentError: the seed is -1, and should be a whole number, at least 0
      hint: or a generator of numpy.random
    """
    negative = isinstance(seed, Integral) and seed < 0
    if negative or isinstance(seed, str | float | complex):
        raise ArgumentError(
            f"the seed is {seed!r}, and should be a whole number, at least 0",
            hint="or a generator of numpy.random",
        )


def names_of(given: str | Names) -> list[str]:
    """One name or several, as a list."""
    return list(given) if isinstance(given, list | tuple) else [given]


def variables_of(wrt: Variable | Variables) -> list[Variable]:
    """One variable or several, as a list."""
    return list(wrt) if isinstance(wrt, list | tuple) else [wrt]


def require_name(name: object) -> None:
    """Raise `ArgumentError` unless it is a text."""
    if not isinstance(name, str):
        raise ArgumentError(f"a name is a str, not an object of type {type(name).__name__}")


def each_once(names: Sequence[str]) -> None:
    """Refuse with `ArgumentError` a variable that is given twice, where each has its own part."""
    for name in names:
        if names.count(name) > 1:
            raise ArgumentError(f"the variable {name} is given twice")


def new_input(name: str, dims: Shape, known: Mapping[str, Var]) -> Var:
    """The input of that name and shape: a known one if it has that shape, else a new one."""
    if not isinstance(name, str) or (name not in known and not is_name(name)):
        reserved = name in RESERVED
        raise ArgumentError(
            f"{name!r} is not a name for an input",
            hint=f"{name} is a word of the language; choose another name" if reserved else None,
        )
    if name not in known:
        return build.var(name, dims)
    if known[name].dims != dims:
        raise DimensionError(
            f"{known[name]!r} is an input already, and one of the shape "
            f"[{', '.join(map(str, dims))}] is needed",
            hint="choose another name",
        )
    return known[name]
