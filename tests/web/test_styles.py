"""The style sheets and the page fit together: no rule is for what there is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "web" / "static"
SHEETS = {
    path.name: re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
    for path in STATIC.glob("*.css")
}
PAGES = "\n".join(path.read_text() for path in sorted(STATIC.glob("*.html")))
SCRIPTS = "\n".join(path.read_text() for path in sorted(STATIC.glob("*.js")))


def occurs(word: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None


@pytest.mark.parametrize("name", sorted(SHEETS))
def test_every_rule_is_for_something(name):
    selectors = [
        s for s in re.findall(r"([^{}]+)\{", SHEETS[name]) if not s.strip().startswith("@")
    ]
    assert selectors
    named = {word for s in selectors for word in re.findall(r"[.#]([a-zA-Z][\w-]*)", s)}
    assert [word for word in sorted(named) if not occurs(word, PAGES + SCRIPTS)] == []


def test_every_colour_and_measure_is_used():
    defined = {name for sheet in SHEETS.values() for name in re.findall(r"(--[\w-]+):", sheet)}
    used = {name for sheet in SHEETS.values() for name in re.findall(r"var\((--[\w-]+)\)", sheet)}
    assert defined == used


def test_what_the_scripts_look_for_is_on_a_page():
    wanted = set(re.findall(r'byId\("([\w-]+)"\)', SCRIPTS))
    assert wanted
    assert wanted <= set(re.findall(r'\bid="([\w-]+)"', PAGES))


def test_every_file_is_loaded():
    """By a page, or by a script that is."""
    for path in STATIC.iterdir():
        if path.suffix in (".css", ".svg"):
            assert f'"/static/{path.name}"' in PAGES
        if path.suffix == ".js":
            assert f'"/static/{path.name}"' in PAGES or f'"./{path.name}"' in SCRIPTS


def test_pages_hold_no_scripts_and_no_styles_of_their_own():
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", PAGES)
    assert not re.search(r"\beval\(|new Function|innerHTML|document\.write", SCRIPTS)
