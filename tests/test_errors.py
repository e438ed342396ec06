"""The rendering of errors."""

from __future__ import annotations

import inspect
import pickle

import pytest

from tcalc import errors
from tcalc.errors import DomainError, ParseError, Place, Source, Span, TcalcError


def span_at(text: str, start: int, length: int, name: str = "") -> Span:
    line = text.count("\n", 0, start) + 1
    column = start - (text.rfind("\n", 0, start) + 1) + 1
    return Span(start, start + length, line, column, Source(text, name))


def test_message_place_caret_and_hint():
    text = "x = 1\ny = x *\n"
    error = ParseError("a value is missing", span=span_at(text, 10, 3), hint="write one")
    assert str(error).splitlines() == [
        "a value is missing",
        "  at line 2, column 5",
        "    y = x *",
        "        ^^^",
        "  hint: write one",
    ]
    assert (error.line, error.column, error.kind) == (2, 5, "syntax error")


def test_further_places_and_named_sources():
    span = span_at("X[m,n]", 2, 1, "declarations")
    error = TcalcError("a clash").mention("m is declared here", span)
    assert str(error).splitlines() == [
        "a clash",
        "  and declarations, line 1, column 3: m is declared here",
        "    X[m,n]",
        "      ^",
    ]


@pytest.mark.parametrize("start", [0, 40, 100, 5_000, 9_960, 9_999])
def test_long_lines_are_cut_round_the_caret(start):
    text = "".join(chr(ord("a") + k % 26) for k in range(10_000))
    shown, carets = str(TcalcError("m", span=span_at(text, start, 60))).splitlines()[2:]
    assert len(shown) <= errors.WINDOW + 6
    place = carets.index("^")
    assert shown[place : place + 3].rstrip("…") in text
    assert shown[place] == text[start]
    assert len(carets) <= len(shown)


def test_an_error_gains_place_and_hint_as_it_rises():
    first, second = span_at("abc", 0, 1), span_at("abc", 1, 1)
    error = TcalcError("m").locate(second).locate(first).advise("this").advise("that")
    assert (error.column, error.hint) == (2, "this")


def test_the_end_of_the_text_can_be_pointed_at():
    assert str(TcalcError("m", span=span_at("ab", 2, 1))).splitlines()[-1] == "      ^"
    assert "^" in str(TcalcError("m", span=Span(0, 1, 1, 1), source=""))


@pytest.mark.parametrize(
    ("text", "at", "shown", "carets"),
    [
        ("字*b", 2, "字*b", "   ^"),
        ("字*b", 0, "字*b", "^^"),
        ("x\u0302*b", 3, "x\u0302*b", "  ^"),
        ("é*b", 2, "é*b", "  ^"),
    ],
)
def test_wide_and_combining_characters_do_not_shift_the_caret(text, at, shown, carets):
    error = TcalcError("no", span=Span(at, at + 1, 1, at + 1), source=text)
    assert str(error).splitlines()[2:] == [f"    {shown}", f"    {carets}"]


@pytest.mark.parametrize("control", ["\x1b", "\r", "\x00", "\u200b", "\u202e", "\ud800"])
def test_nothing_in_an_excerpt_moves_the_cursor(control):
    error = TcalcError("no", span=Span(2, 3, 1, 3), source=f"a{control}b c")
    excerpt, carets = str(error).splitlines()[2:]
    assert excerpt in ("    a?b c", "    a b c")
    assert carets == "      ^"


def test_tabs_do_not_shift_the_caret():
    excerpt, carets = str(TcalcError("m", span=span_at("\t\tx y", 4, 1))).splitlines()[-2:]
    assert excerpt[carets.index("^")] == "y"


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, TcalcError)
    ],
)
def test_every_error_survives_pickling(kind):
    error = kind("m", hint="h", span=span_at("abc", 1, 1))
    error.mention("there", span_at("abc", 2, 1))
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy)) == (kind, str(error))
    assert kind.kind


def test_a_domain_error_names_function_and_argument():
    error = DomainError("the matrix is singular", function="inv", argument="A")
    assert (error.function, error.argument) == ("inv", "A")
    assert str(pickle.loads(pickle.dumps(error))) == "inv(A): the matrix is singular"
    assert isinstance(error, ValueError)


def test_spans_join():
    text = "abc def"
    joined = span_at(text, 0, 3).to(span_at(text, 4, 3))
    assert (joined.text, joined.length) == (text, 7)
    assert Place("n", joined).span is joined
