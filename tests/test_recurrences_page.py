"""The page on recurrences tells the truth."""

from __future__ import annotations

from pathlib import Path

from sessions import run_sessions

PAGE = (Path(__file__).parents[1] / "docs" / "recurrences.md").read_text(encoding="utf-8")


def test_sessions():
    assert run_sessions(PAGE, "recurrences.md") > 25
