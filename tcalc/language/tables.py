"""The LALR parser of the language, from tables that were made from the grammar beforehand.

To make them takes Lark forty milliseconds, more than most programs take to be parsed and
differentiated, and to read them two.  Tables that are of another grammar, or were made by another
release of Lark, are not read: the parser is then made from the grammar.
"""

from __future__ import annotations

import json
from hashlib import sha256
from importlib import resources
from io import BytesIO
from pickle import loads
from typing import Any

import lark
from lark import Lark

_GRAMMAR, _TABLES = "tcalc.lark", "tables.json"
_OPTIONS: dict[str, Any] = {"start": "program", "parser": "lalr", "lexer": "basic"}


def parser(transformer: Any) -> Lark:
    """The parser, with what its rules make given by a transformer as Lark knows them."""
    grammar, tables = _read(_GRAMMAR), json.loads(_read(_TABLES))
    if (tables["grammar"], tables["lark"]) != (_digest(grammar), lark.__version__):
        return Lark(grammar, transformer=transformer, **_OPTIONS)
    table = tables["data"]["parser"]["parser"]
    table["tokens"] = _numbered(table["tokens"])
    table["states"] = {k: _numbered(v) for k, v in _numbered(table["states"]).items()}
    # What the parsers that Lark itself generates call.
    return Lark._load_from_dict(  # type: ignore[no-any-return, no-untyped-call] # not annotated
        tables["data"], _numbered(tables["memo"]), transformer=transformer
    )


def tables() -> str:
    """The text of the file of tables, for the grammar and the release of Lark that are there."""
    grammar = _read(_GRAMMAR)
    saved = BytesIO()
    Lark(grammar, **_OPTIONS).save(saved)
    made = {"grammar": _digest(grammar), "lark": lark.__version__, **loads(saved.getvalue())}
    return json.dumps(made, sort_keys=True, separators=(",", ":")) + "\n"


def are_current() -> bool:
    """Whether the tables are of the grammar that is there."""
    return bool(json.loads(_read(_TABLES))["grammar"] == _digest(_read(_GRAMMAR)))


def _read(name: str) -> str:
    return resources.files("tcalc.grammar").joinpath(name).read_text(encoding="utf-8")


def _digest(grammar: str) -> str:
    return sha256(grammar.encode()).hexdigest()


def _numbered(entries: dict[str, Any]) -> dict[int, Any]:
    """The keys as numbers again, which JSON has as texts."""
    return {int(key): value for key, value in entries.items()}
