"""Whatever goes wrong, as an error object of the API."""

from __future__ import annotations

from tcalc import TcalcError

from .schemas import Error, Failure

LONGEST_MESSAGE = 2_000
"""Messages may quote names of the user's, which can be as long as the formula."""


def of_tcalc(error: TcalcError) -> Error:
    """What the compiler has to say, with the place in the user's text.

    >>> import tcalc
    >>> try:
    ...     tcalc.parse("x*y")
    ... except tcalc.TcalcError as error:
    ...     found = of_tcalc(error)
    >>> found.kind, found.line, found.column, found.end
    ('orientation error', 1, 1, 4)
    """
    made = Error(
        kind=error.kind,
        message=error.message[:LONGEST_MESSAGE],
        hint=None if error.hint is None else error.hint[:LONGEST_MESSAGE],
    )
    if error.span is None or error.source is None:
        return made
    line = error.source.line(error.span.line)
    column = error.span.column
    made.source = "declarations" if error.source.name == "declarations" else "formula"
    made.line, made.column = error.span.line, column
    # A place that goes on over several lines is shown to the end of its first one.
    made.end = max(column + 1, min(column + error.span.length, len(line) + 1))
    return made


def failure(
    kind: str, message: str, hint: str | None = None, *, column: int | None = None
) -> bytes:
    """The body of a response for an error that is not the compiler's."""
    error = Error(kind=kind, message=message, hint=hint, column=column)
    return Failure(error=error).model_dump_json().encode()
