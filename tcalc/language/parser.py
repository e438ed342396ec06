"""From text to syntax tree: Lark's tables, our tokens, and errors in human words.

The grammar is LALR(1) and its tree is built while parsing, so that depth costs stack entries of
the parser and no recursion.  Brackets are matched here, before the parser sees them: inside
them newlines are white space, and an unbalanced one is reported where it stands.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from tcalc.errors import LimitError, ParseError, Place, Source, Span
from tcalc.language.diagnostics import stray_character, unexpected
from tcalc.language.syntax import Statement
from tcalc.language.tables import parser
from tcalc.language.tree import TreeBuilder
from tcalc.records import dataclass

LONGEST_TEXT = 120_000
"""The most characters of a program."""

LONGEST_NAME = 200
"""The most characters of a name."""

_OPENING = {"LPAR": ")", "LSQB": "]", "LBRACE": "}"}
_CLOSING = {"RPAR": "(", "RSQB": "[", "RBRACE": "{"}


@dataclass(frozen=True, slots=True)
class Lexeme:
    """A token with its span; `type` is the name of a terminal of the grammar."""

    type: str
    text: str
    span: Span


def parse_statements(source: Source, *, declarations: bool = False) -> tuple[Statement, ...]:
    """The statements of a program; where `declarations`, the word ``tensor`` may be left out."""
    if len(source.text) > LONGEST_TEXT:
        raise LimitError(
            f"the text has {len(source.text):,} characters; the limit is {LONGEST_TEXT:,}",
            span=Span(0, 1, 1, 1, source),
            hint="write repetition as a loop: `for t = 1:T`",
        )
    lexemes = _read(source)
    reading = _grammar().parse_interactive()
    last: Lexeme | None = None
    opened: list[Lexeme] = []
    for lexeme in lexemes:
        _match_brackets(lexeme, opened)
        if lexeme.type == "_SEPARATOR" and opened and lexeme.text != ";":
            continue
        if declarations and (last is None or last.type == "_SEPARATOR"):
            _announce(reading, lexeme)
        try:
            _feed(reading, lexeme)
        except UnexpectedToken:
            _require_balance(opened, lexemes)
            raise unexpected(lexeme, last, _accepted(reading)) from None
        last = lexeme
    _require_balance(opened, lexemes)
    end = Lexeme("$END", "", _end_of(source))
    try:
        statements: tuple[Statement, ...] = _feed(reading, end)
    except UnexpectedToken:
        raise unexpected(end, last, _accepted(reading)) from None
    return statements


@cache
def _grammar() -> Lark:
    return parser(TreeBuilder())


RESERVED = ("tensor", "for", "end")
"""The words of the language that are no names."""


def is_name(text: str) -> bool:
    """Whether a text can be written as a name, in one spelling.

    >>> is_name("batch"), is_name("λ"), is_name("日"), is_name("2x"), is_name("end")
    (True, True, False, False, False)
    """
    written = bool(_names().fullmatch(text)) and unicodedata.normalize("NFKC", text) == text
    return written and text not in RESERVED


@cache
def _names() -> re.Pattern[str]:
    return re.compile(_grammar().get_terminal("NAME").pattern.to_regexp())


def _feed(parser: InteractiveParser, lexeme: Lexeme) -> Any:
    """Hand the next token to the parser; with the last one it gives what the text is."""
    return parser.feed_token(lexeme)  # type: ignore[arg-type] # a lexeme has what Lark reads


def _accepted(parser: InteractiveParser) -> set[str]:
    """The terminals that the parser could go on with."""
    return set(parser.accepts())  # type: ignore[no-untyped-call] # Lark does not annotate it


def _read(source: Source) -> Iterator[Lexeme]:
    """The tokens of the text, one by one."""
    try:
        for token in _grammar().lex(source.text):
            span = _span_of(token, source)
            if token.type == "NAME" and len(token) > LONGEST_NAME:
                raise LimitError(
                    f"a name of {len(token):,} characters; the limit is {LONGEST_NAME}",
                    span=span,
                    hint="give it a shorter name",
                )
            yield Lexeme(token.type, _normal(token), span)
    except UnexpectedCharacters as error:
        at = error.pos_in_stream or 0
        span = Span(at, at + 1, error.line, error.column, source)
        raise stray_character(source.text, span) from None


def _normal(token: Token) -> str:
    """One spelling for each name: an accented letter may be written in two ways."""
    if token.type != "NAME" or token.isascii():
        return str(token)
    return unicodedata.normalize("NFKC", str(token))


def _span_of(token: Token, source: Source) -> Span:
    start, end = token.start_pos or 0, token.end_pos or 0
    return Span(start, end, token.line or 1, token.column or 1, source)


def _end_of(source: Source) -> Span:
    text = source.text.rstrip()
    line = text.count("\n") + 1
    column = len(text) - (text.rfind("\n") + 1) + 1
    return Span(len(text), len(text) + 1, line, column, source)


def _announce(parser: InteractiveParser, lexeme: Lexeme) -> None:
    """Put the word ``tensor`` before a declaration that comes without."""
    if lexeme.type not in ("TENSOR", "_SEPARATOR"):
        start = Span(
            lexeme.span.start,
            lexeme.span.start,
            lexeme.span.line,
            lexeme.span.column,
            lexeme.span.source,
        )
        _feed(parser, Lexeme("TENSOR", "tensor", start))


def _match_brackets(lexeme: Lexeme, opened: list[Lexeme]) -> None:
    """Keep the stack of open brackets; a wrong closing one is an error."""
    if lexeme.type in _OPENING:
        opened.append(lexeme)
    elif lexeme.type in _CLOSING:
        if not opened:
            raise ParseError(
                f"`{lexeme.text}` closes nothing",
                span=lexeme.span,
                hint=f"remove it, or open a bracket before it with `{_CLOSING[lexeme.type]}`",
            )
        opener = opened.pop()
        if _OPENING[opener.type] != lexeme.text:
            raise ParseError(
                f"`{lexeme.text}` does not close `{opener.text}`",
                span=lexeme.span,
                places=(Place("opened here", opener.span),),
                hint=f"close it with `{_OPENING[opener.type]}`",
            )


def _require_balance(opened: list[Lexeme], rest: Iterator[Lexeme]) -> None:
    """Complain of an open bracket that the rest of the text does not close."""
    if not opened:
        return
    still_open = list(opened)
    try:
        for lexeme in rest:
            _match_brackets(lexeme, still_open)
    except ParseError as error:
        if error.places:
            raise
        return
    if still_open:
        culprit = still_open[0]
        raise ParseError(
            f"`{culprit.text}` is never closed",
            span=culprit.span,
            hint=f"add the missing `{_OPENING[culprit.type]}`",
        )
