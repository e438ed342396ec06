"""The parser's tables: those in the repository are of the grammar, and read as made afresh.

Make them anew with ``TCALC_REFRESH_GOLDEN=1 pytest tests/language/test_parser_tables.py``.
"""

import os
from importlib import resources

import lark
import pytest

import tcalc
from tcalc import gallery
from tcalc.errors import ParseError, Source
from tcalc.language import parser as parsing
from tcalc.language import tables

FILE = resources.files("tcalc.grammar").joinpath("tables.json")


@pytest.fixture(autouse=True, scope="module")
def refreshed():
    if os.environ.get("TCALC_REFRESH_GOLDEN"):
        FILE.write_text(tables.tables(), encoding="utf-8")


@pytest.fixture
def afresh(monkeypatch):
    """A parser made from the grammar."""
    monkeypatch.setattr(lark, "__version__", "another")
    made = tables.parser(parsing.TreeBuilder())
    monkeypatch.undo()
    return made


def test_tables_are_of_the_grammar():
    assert tables.are_current(), "refresh them: TCALC_REFRESH_GOLDEN=1"


def test_programs_are_read_as_by_a_parser_made_afresh(afresh, monkeypatch):
    texts = [model.program for model in gallery.models()]
    assert texts
    read = [tcalc.parse(text).node for text in texts]
    monkeypatch.setattr(parsing, "_grammar", lambda: afresh)
    assert [tcalc.parse(text).node for text in texts] == read


WRONG = ("tensor x[n]\nx +* x", "x = ", "sum(x", "for t = 1\nend", "x'' y")


@pytest.mark.parametrize("text", WRONG)
def test_complaints_are_those_of_a_parser_made_afresh(text, afresh, monkeypatch):
    def complaint():
        with pytest.raises(ParseError) as caught:
            parsing.parse_statements(Source(text))
        return str(caught.value)

    said = complaint()
    monkeypatch.setattr(parsing, "_grammar", lambda: afresh)
    assert complaint() == said
