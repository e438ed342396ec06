"""From EXPR to a program: where its text comes from, and what is said about its guesses."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

import tcalc
from tcalc.cli import progress
from tcalc.cli.output import tell
from tcalc.errors import ArgumentError, LimitError, ParseError, Source, TcalcError
from tcalc.expression import Expression

if TYPE_CHECKING:
    from tcalc.recurrences import Recurrence

T = TypeVar("T")

STANDARD_INPUT = "-"
LIMIT = 16_000_000
"""The most bytes that are read of a program."""

# No formula looks like one of these, so that no formula is ever taken for the name of a file.
FILE_NAME = re.compile(r"(\.{0,2}/|~/|[A-Za-z]:\\)[^\n]*|[^\n#;]*\.tc")
RESERVED = frozenset(inspect.signature(tcalc.parse).parameters)


@dataclass(frozen=True, slots=True)
class Program:
    """A program as read: its text, the name of its file if any, and its value."""

    text: str
    name: str
    expression: Expression

    def default_wrt(self, given: Sequence[str]) -> list[str]:
        """The variables to differentiate by: the given ones, else the only one there is."""
        return default_wrt(given, self.expression.variables)


def default_wrt(given: Sequence[str], known: Collection[str]) -> list[str]:
    """The given variables, else the only one that is known."""
    if given:
        return list(given)
    if len(known) == 1:
        return list(known)
    listed = ", ".join(known) or "none"
    raise click.UsageError(f"Missing option '--wrt'. The variables are: {listed}.")


def load(expr: str, declare: Sequence[str], let: Mapping[str, int | float]) -> Program:
    """Parse EXPR, and tell what was guessed on standard error."""
    text, name = read(expr)
    value = _parsed(tcalc.parse, expr, text, name, declare, let)
    progress.about([value.node])
    return Program(text, name, value)


def load_loop(expr: str, declare: Sequence[str], let: Mapping[str, int | float]) -> Recurrence:
    """Parse EXPR, a program with a loop that is kept."""
    text, name = read(expr)
    return _parsed(tcalc.recurrence, expr, text, name, declare, let)


def _parsed(
    parse: Callable[..., T],
    expr: str,
    text: str,
    name: str,
    declare: Sequence[str],
    let: Mapping[str, int | float],
) -> T:
    """What `parse` makes of a text, with the name of its file in errors."""
    clash = sorted(RESERVED.intersection(let))
    if clash:
        raise ArgumentError(f"--let cannot set {clash[0]!r}", hint="rename it in the program")
    try:
        return parse(text, ", ".join(declare), functions=(), **let)
    except TcalcError as error:
        if error.source is not None and error.source.text == text:
            error.source = Source(text, name)
        if isinstance(error, ParseError) and text is expr and _is_file(expr):
            error.hint = f"there is a file of that name, which ./{expr} reads"
        raise


def _is_file(expr: str) -> bool:
    try:
        return Path(expr).is_file()
    except (OSError, ValueError):
        return False


def guesses(expression: Expression | Recurrence) -> list[str]:
    """What was guessed of undeclared names, as declarations: ``X[m,n]``, ``g[n] integer``."""
    guessed = (expression.variables[name] for name in expression.guesses)
    return [" ".join((repr(x).removesuffix("[]"), *x.properties)) for x in guessed]


def tell_guesses(expression: Expression | Recurrence) -> None:
    """Say on standard error what was guessed of undeclared names."""
    guessed = guesses(expression)
    if guessed:
        otherwise = "override with --declare"
        if expression.guesses.get("I") == "matrix":
            otherwise += "; the unit matrix is eye(n)"
        tell(f"guessed: {', '.join(guessed)} ({otherwise})")


def read(expr: str) -> tuple[str, str]:
    """The text of a program, and the name of its file (empty where it was given as it is).

    >>> read("x'*x")
    ("x'*x", '')
    """
    if expr == STANDARD_INPUT:
        if sys.stdin is None:
            raise ArgumentError("standard input is closed", hint="give the program, or a file")
        return _decode(sys.stdin.buffer.read(LIMIT + 1), "standard input"), ""
    if not FILE_NAME.fullmatch(expr):
        return expr, ""
    try:
        with Path(expr).expanduser().open("rb") as file:
            content = file.read(LIMIT + 1)
    except (OSError, ValueError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ArgumentError(f"cannot read the file {expr}: {reason}") from None
    return _decode(content, expr), expr


def _decode(content: bytes, name: str) -> str:
    if len(content) > LIMIT:
        raise LimitError(f"{name}: a program of more than {LIMIT // 10**6} MB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ArgumentError(
            f"{name}: byte {error.start + 1} is not UTF-8", hint="save the text as UTF-8"
        ) from None
