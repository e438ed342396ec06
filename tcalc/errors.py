"""The errors of tcalc: what is wrong, where in the user's text, and what to do about it.

Every error that a user can cause derives from :class:`TcalcError`.  It shows its message, the line
of text concerned with a caret under the culprit, further places that matter (the other side of a
clash), and a hint.  An error may be raised where the text is not known, and gain its place and its
hint as it rises, by :meth:`TcalcError.locate` and :meth:`TcalcError.advise`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import ClassVar, Self

WINDOW = 96
"""The most characters of a source line that a message shows."""


@dataclass(frozen=True, slots=True)
class Source:
    """A text of the user's, with the name under which messages speak of it (none: the program)."""

    text: str = field(repr=False)
    name: str = ""

    def line(self, number: int) -> str:
        """The line of that 1-based number, without its end; empty beyond the last.

        >>> Source("a\\nb").line(2)
        'b'
        """
        start = 0
        for _ in range(number - 1):
            start = self.text.find("\n", start) + 1
            if start == 0:
                return ""
        end = self.text.find("\n", start)
        return self.text[start : len(self.text) if end < 0 else end].rstrip("\r")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of text: offsets ``[start, end)``, and the 1-based line and column of its start.

    >>> Span(4, 5, 1, 5).length
    1
    """

    start: int
    end: int
    line: int
    column: int
    source: Source | None = field(default=None, repr=False, compare=False)

    @property
    def length(self) -> int:
        """How many characters it covers."""
        return self.end - self.start

    @property
    def text(self) -> str:
        """The characters it covers; empty where the source is not known."""
        return "" if self.source is None else self.source.text[self.start : self.end]

    def following(self, characters: int) -> str:
        """The given number of characters after it, without the blanks they begin with."""
        text = "" if self.source is None else self.source.text
        return text[self.end : self.end + characters + 20].lstrip(" \t")[:characters]

    def up_to_end(self, characters: int) -> str:
        """The given number of characters up to its end; they may begin before its start."""
        text = "" if self.source is None else self.source.text
        return text[max(0, self.end - characters) : self.end]

    def excerpt(self) -> str:
        """Where it is, and its line with carets under it; the line is missing if not known."""
        return "\n".join(_excerpt("at ", self, self.source, ""))

    def to(self, other: Span) -> Span:
        """From the start of this one to the end of another, later one."""
        return Span(self.start, max(self.end, other.end), self.line, self.column, self.source)


@dataclass(frozen=True, slots=True)
class Place:
    """A further place that an error speaks of, and what there is to say of it."""

    note: str
    span: Span


class TcalcError(Exception):
    """The base class of all errors: a message and, where known, a place in the text and a hint.

    >>> source = Source("a + * b")
    >>> print(TcalcError("unexpected `*`", span=Span(4, 5, 1, 5), source=source, hint="a value?"))
    unexpected `*`
      at line 1, column 5
        a + * b
            ^
      hint: a value?
    """

    kind: ClassVar[str] = "error"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        span: Span | None = None,
        source: Source | str | None = None,
        places: tuple[Place, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.span = span
        self.places = places
        if source is None and span is not None:
            source = span.source
        self.source = Source(source) if isinstance(source, str) else source

    @property
    def line(self) -> int | None:
        """The 1-based line of the culprit, or None where there is no text."""
        return None if self.span is None else self.span.line

    @property
    def column(self) -> int | None:
        """The 1-based column of the culprit, or None where there is no text."""
        return None if self.span is None else self.span.column

    def locate(self, span: Span, source: Source | str | None = None) -> Self:
        """Give the error a place in the text, unless it has a better one already."""
        if self.span is None:
            self.span = span
            self.source = Source(source) if isinstance(source, str) else source or span.source
        return self

    def advise(self, hint: str) -> Self:
        """Give the error a hint, unless it has one already."""
        if self.hint is None:
            self.hint = hint
        return self

    def mention(self, note: str, span: Span) -> Self:
        """Add a further place that has to do with the error."""
        self.places += (Place(note, span),)
        return self

    def render(self) -> str:
        """The message, the places in the text with carets, and the hint, as lines of text."""
        lines = [self.message]
        if self.span is not None:
            lines += _excerpt("at ", self.span, self.source, "")
        for place in self.places:
            lines += _excerpt("and ", place.span, place.span.source or self.source, place.note)
        if self.hint is not None:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.render()


class LanguageError(TcalcError):
    """The program is at fault: all errors below point into its text."""

    kind = "language error"


class ParseError(LanguageError):
    """The text is not a program of the language."""

    kind = "syntax error"


class UnknownNameError(LanguageError):
    """A name that nothing defines, or that means something else."""

    kind = "name error"


class DimensionError(LanguageError, ValueError):
    """Two dimensions that must be equal are not, or a tensor has the wrong number of axes."""

    kind = "dimension error"


class IndexNotationError(LanguageError, ValueError):
    """Einstein notation that breaks one of its rules."""

    kind = "index error"


class OrientationError(LanguageError, ValueError):
    """Rows and columns that do not fit, such as the product of two columns."""

    kind = "orientation error"


class UnsupportedError(TcalcError):
    """What tcalc does not do: a construct in this place, a backend, a package that is missing."""

    kind = "unsupported"


class LimitError(TcalcError, ValueError):
    """Too large: a text, a number, a loop, or a result."""

    kind = "limit"


class ArgumentError(TcalcError, ValueError):
    """A wrong argument: an array of the wrong shape or type, an option that does not exist."""

    kind = "argument error"


class DomainError(TcalcError, ValueError):
    """A function has no value there: a singular or an indefinite matrix.

    ``function`` and ``argument`` name the two.

    >>> print(DomainError("the matrix is singular", function="inv", argument="A"))
    inv(A): the matrix is singular
    """

    kind = "domain error"

    def __init__(
        self,
        message: str,
        *,
        function: str | None = None,
        argument: str | None = None,
        hint: str | None = None,
        span: Span | None = None,
        source: Source | str | None = None,
        places: tuple[Place, ...] = (),
    ) -> None:
        if function is not None:
            message = f"{function}({argument or ''}): {message}"
        super().__init__(message, hint=hint, span=span, source=source, places=places)
        self.function = function
        self.argument = argument

    def __reduce__(self) -> tuple[object, ...]:
        return (_revive, (type(self), self.message), self.__dict__)


def suggestion(name: str, known: Iterable[str], otherwise: str) -> str:
    """The hint for a name that is none of the known: the one that was meant, or something else.

    >>> suggestion("W", ["X", "w"], otherwise="it takes X, w")
    "did you mean 'w'?"
    >>> suggestion("beta", ["X", "w"], otherwise="it takes X, w")
    'it takes X, w'
    """
    folded = {x.casefold(): x for x in known}
    near = get_close_matches(name.casefold(), folded, n=1)
    return f"did you mean {folded[near[0]]!r}?" if near else otherwise


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number of things, in words.

    >>> counted(1, "operand"), counted(3, "axis", "axes")
    ('1 operand', '3 axes')
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def _revive(kind: type[DomainError], message: str) -> DomainError:
    return kind(message)


def _excerpt(lead: str, span: Span, source: Source | None, note: str) -> list[str]:
    name = f"{source.name}, " if source is not None and source.name else ""
    lines = [f"  {lead}{name}line {span.line}, column {span.column}{': ' if note else ''}{note}"]
    if source is None:
        return lines
    line = "".join(map(_shown, source.line(span.line)))
    before, carets = span.column - 1, max(1, min(span.length, len(line) - span.column + 1))
    start = 0 if len(line) <= WINDOW else max(0, min(before - WINDOW // 2, len(line) - WINDOW))
    end = min(len(line), start + WINDOW)
    carets = max(1, min(carets, end - before))
    left, right = "…" if start else "", "…" if end < len(line) else ""
    indent = len(left) + _width(line[start:before])
    under = max(1, _width(line[before : before + carets]))
    lines.append(f"    {left}{line[start:end]}{right}")
    lines.append("    " + " " * indent + "^" * under)
    return lines


def _shown(character: str) -> str:
    """What stands for a character in an excerpt: nothing there moves the cursor of a terminal."""
    if unicodedata.category(character)[0] != "C":
        return character
    return " " if character.isspace() else "?"


def _width(text: str) -> int:
    """How many columns of a terminal a text takes.

    >>> _width("x"), _width("字"), _width("x\u0302")
    (1, 2, 1)
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
