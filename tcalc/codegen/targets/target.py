"""What a target is: how one statement of a program is written for an array library."""

from __future__ import annotations

import linecache
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any, ClassVar, Protocol

from tcalc.codegen.program import Index, Program, Slice, Solver, Statement, Value, View
from tcalc.errors import LimitError, UnsupportedError
from tcalc.expr.dims import Dim, Shape
from tcalc.primitives.routines import Supplied

_WHOLE = 2**53
_IMPORTED = time.time()


class Writer(Protocol):
    """The module that is being written, as a target sees it."""

    def name(self, value: Value) -> str:
        """The name of a value."""

    def size(self, dim: Dim) -> str:
        """A dimension as an expression of sizes."""

    def embed(self, function: Callable[..., Any]) -> str:
        """The name of a function whose source the module is to have."""

    def supply(self, function: Supplied) -> str:
        """An expression for a function that the module is to be given."""

    def dtype(self) -> str:
        """The name of the type of all arrays."""

    def is_sparse(self, value: Value) -> bool:
        """Whether a value is a sparse matrix."""

    def buffer(self, value: Value) -> tuple[str, bool] | None:
        """The array that a value is to be written into, if any, and whether it is zeroed."""

    def define(self, stem: str, text: str) -> str:
        """The name of a new global of the module; ``{name}`` in the text is its name."""

    def count(self, dims: Shape) -> int:
        """The number of elements of an array, at the sizes that the module is planned for."""


class Target(ABC):
    """An array library: the names under which it is imported, and its way to say a statement."""

    name: str
    module: str
    """The name by which code knows the array library."""
    arrays: str
    """What arguments are, for the docstring of a module."""
    imports: ClassVar[Mapping[str, str]]
    """For each word that code may use, the line that imports it; lines of one package together."""
    argument: str
    """The type of what `evaluate` takes for an array."""
    array: str
    """The type of the arrays that it returns."""
    number: str
    """The type of what it returns of order 0."""
    integers_follow: ClassVar[bool] = True
    """Whether integers that are declared so take the type of the other arguments."""

    def prepared(self, program: Program) -> Program:
        """The program as this target is to write it."""
        return program

    def source(self, function: Callable[..., Any]) -> str:
        """The source of a function that a module embeds."""
        return source_of(function)

    def notes(self, functions: Collection[Callable[..., Any]]) -> list[str]:
        """What the docstring of a module says of the functions that it embeds."""
        return []

    def spelled(self, code: str) -> str:
        """A whole module, written for NumPy, with the library's names in it."""
        return code

    @abstractmethod
    def write(
        self,
        statement: Statement,
        names: tuple[str, ...],
        writer: Writer,
        over: Value | None,
    ) -> list[str]:
        """The lines of a statement whose results have the given names.

        `over` is an operand that nobody reads afterwards, whose memory the result may take; a
        target that makes no use of it writes the statement as without.
        """

    def embedded(self, function: Callable[..., Any], solver: Solver | None, writer: Writer) -> str:
        """The name of a function in the module, with all that it calls there beside it.

        `solver` is what made the factorisation that it reads, if it reads one.
        """
        return writer.embed(function)

    @abstractmethod
    def copied(self, text: str, contiguous: bool) -> str:
        """An expression for a copy, in row-major order where that is asked for."""

    @abstractmethod
    def contiguous(self, text: str) -> str:
        """An expression for an array in row-major order: a copy only where it is in another."""

    def as_number(self, text: str) -> str:
        """An expression for a number, from one for an array without axes or a number."""
        return text

    def literal(self, number: Fraction) -> str:
        """An exact number as an atom of an expression."""
        text = number_text(abs(number))
        return text if number >= 0 else f"(-{text})"

    def operand(self, view: View, writer: Writer) -> str:
        """A view as an atom of an expression."""
        text = writer.name(view.value)
        if view.plain:
            return text
        axes = [axis for axis in view.axes if axis is not None]
        count = len(axes)
        if axes != list(range(count)):
            text += ".T" if axes == [1, 0] else f".transpose({', '.join(map(str, axes))})"
        if None in view.axes:
            index = [":" if axis is not None else "None" for axis in view.axes]
            text += f"[{', '.join(index)}]"
        return text

    def shape(self, dims: Shape, writer: Writer) -> str:
        """A shape as a tuple."""
        sizes = [writer.size(dim) for dim in dims]
        return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"

    def index(self, parts: tuple[Index, ...], writer: Writer) -> str:
        """An index in brackets, trailing full slices left out; empty where all are full."""
        texts = [self._part(part, writer) for part in parts]
        while texts and texts[-1] == ":":
            texts.pop()
        return f"[{', '.join(texts)}]" if texts else ""

    def _part(self, part: Index, writer: Writer) -> str:
        if part is None:
            return ":"
        if isinstance(part, Slice):
            return f"{writer.size(part.start)}:{writer.size(part.start + part.length)}"
        return writer.size(part)


def embed_all(functions: Sequence[Callable[..., Any]], writer: Writer) -> str:
    """The name of the first of some functions in a module that has the others, which it calls."""
    first, *required = functions
    for function in required:
        writer.embed(function)
    return writer.embed(first)


@lru_cache(maxsize=512)
def source_of(function: Callable[..., Any]) -> str:
    """What `inspect.getsource` gives, which reads token by token to find where a function ends.

    Raises `UnsupportedError` unless that is the text of the function as it runs: an upgrade of the
    package under a running process leaves other lines in its files, and a frozen program has none.
    """
    code: CodeType = function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    if not lines or (_may_have_changed(code.co_filename) and not _holds("".join(lines), code)):
        raise UnsupportedError(
            f"the source of {function.__module__}.{function.__name__} is not that of the function "
            "which runs",
            hint="start Python anew" if lines else "install tcalc with its .py files",
        )
    return "".join(lines[code.co_firstlineno - 1 : _last_line(code)])


def _may_have_changed(file: str) -> bool:
    try:
        return Path(file).stat().st_mtime > _IMPORTED
    except OSError:  # in an archive
        return False


def _holds(text: str, code: CodeType) -> bool:
    """Whether the text of a module has, in the same place, the function of that code."""
    try:
        waiting = [compile(text, code.co_filename, "exec", dont_inherit=True)]
    except SyntaxError:
        return False
    while waiting:
        found = waiting.pop()
        if found == code:
            return True
        waiting += [x for x in found.co_consts if isinstance(x, CodeType)]
    return False


def _last_line(code: CodeType) -> int:
    inner = [_last_line(x) for x in code.co_consts if isinstance(x, CodeType)]
    return max([*inner, *(end or 0 for _, end, *_ in code.co_positions())])


def number_text(number: Fraction) -> str:
    """A number that is not negative, exactly where a literal can: ``2``, ``0.5``, ``(1 / 3)``."""
    if number.denominator == 1 and number < _WHOLE:
        return str(number.numerator)
    try:
        value = float(number)
    except OverflowError:
        raise LimitError("a number of the program is beyond the range of doubles") from None
    if Fraction(repr(value)) != number and max(number.numerator, number.denominator) < 1000:
        return f"({number.numerator} / {number.denominator})"
    return repr(value)


def quoted(text: str) -> str:
    """A text as a string literal, in double quotes where that needs no escape."""
    literal = repr(text)
    return literal if '"' in literal or "\\" in literal else f'"{literal[1:-1]}"'
