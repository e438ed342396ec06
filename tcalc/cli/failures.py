"""What went wrong, told as text on standard error, or as JSON on standard output.

A caller that asked for JSON reads one document from standard output, whatever happens; which of
the two kinds it is, the exit status tells, and the key ``error``, which no result has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise, takewhile
from typing import Any

import click

from tcalc.cli.output import tell
from tcalc.cli.results import dump
from tcalc.errors import Source, Span, TcalcError

INTERNAL = "internal error"
"""The kind of all errors that are nobody's but tcalc's."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error in the parts that JSON has, and the exit status that it leads to."""

    kind: str
    message: str
    hint: str | None = None
    span: Span | None = None
    source: Source | None = None
    status: int = 1
    places: Sequence[dict[str, Any]] = ()
    text: str | None = None
    """How people are told, where that is not made of the parts."""

    def tell(self, as_json: bool) -> int:
        """Say it, and return the exit status."""
        if as_json:
            try:
                click.echo(dump({"error": self.document()}))
                return self.status
            except OSError:
                pass  # nothing can be written there, which may be the very error
        tell(self.text if self.text is not None else self._lines())
        return self.status

    def document(self) -> dict[str, Any]:
        """What is printed under ``error``, its keys always the same."""
        return {
            "kind": self.kind,
            "message": self.message,
            "hint": self.hint,
            **place(self.span, self.source),
            "places": list(self.places),
        }

    def _lines(self) -> str:
        hint = "" if self.hint is None else f"\n  hint: {self.hint}"
        return f"{self.kind}: {self.message}{hint}"


def of(error: Exception) -> Failure:
    """What is told of an exception.

    >>> of(MemoryError()).tell(as_json=False)
    1
    """
    match error:
        case TcalcError():
            return Failure(
                error.kind,
                error.message,
                error.hint,
                error.span,
                error.source,
                places=[
                    {"note": found.note, **place(found.span, found.span.source or error.source)}
                    for found in error.places
                ],
                text=f"{error.kind}: {error}",
            )
        case click.ClickException():
            return _of_click(error)
        case MemoryError():
            return Failure("error", "not enough memory")
        case OSError():
            file = "" if error.filename is None else f": {error.filename}"
            return Failure("error", f"{error.strerror or error}{file}")
    return Failure(
        INTERNAL,
        f"{type(error).__name__}: {error}",
        "this is a fault of tcalc, please report it with the traceback that TCALC_TRACEBACK=1 "
        "shows",
    )


def _of_click(error: click.ClickException) -> Failure:
    """As click words it; in JSON the command that helps is the hint."""
    shown = StringIO()
    error.show(shown)
    context = error.ctx if isinstance(error, click.UsageError) else None
    return Failure(
        "usage error" if isinstance(error, click.UsageError) else "error",
        error.format_message(),
        None if context is None else f"{context.command_path} --help",
        status=error.exit_code,
        text=shown.getvalue().removesuffix("\n"),
    )


def place(span: Span | None, source: Source | None) -> dict[str, Any]:
    """Where an error is: nulls where it is nowhere.

    >>> place(Span(4, 5, 1, 5), Source("a + * b"))
    {'source': 'program', 'line': 1, 'column': 5, 'text': '*'}
    """
    if span is None:
        return dict.fromkeys(("source", "line", "column", "text"))
    text = None if source is None else source.text[span.start : span.end]
    name = None if source is None else source.name or "program"
    return {"source": name, "line": span.line, "column": span.column, "text": text}


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether a command was asked for JSON, be its other words understood or not.

    >>> wants_json(["gradient", "x'*x", "--json"]), wants_json(["gradient", "--", "--json"])
    (True, False)
    """
    words = list(takewhile(lambda word: word != "--", arguments))
    named = {"--json", "--format=json"}.intersection(words)
    return bool(named) or ("--format", "json") in pairwise(words)
