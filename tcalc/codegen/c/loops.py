"""Lines of C: loops over indices, and the blocks that they repeat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from tcalc.codegen.texts import documented

INDENT = "    "

Loop: TypeAlias = tuple[str, str] | tuple[str, str, str]
"""An index, how many values it has, and the first of them if it is not 0; then the end instead."""


def indented(lines: Sequence[str]) -> list[str]:
    return [line if line.startswith("#") else INDENT + line for line in lines]


def nested(loops: Sequence[Loop], body: Sequence[str]) -> list[str]:
    """A body within loops, the outermost first; braces where they are needed."""
    lines = list(body)
    if not loops:
        return lines if len(lines) == 1 else block(lines)
    for depth, (index, end, *first) in enumerate(reversed(loops)):
        head = f"for (int {index} = {first[0] if first else 0}; {index} < {end}; {index}++)"
        single = len(lines) == 1 or (depth > 0 and lines[0].startswith("for"))
        lines = [head, *indented(lines)] if single else [f"{head} {{", *indented(lines), "}"]
    return lines


def within(loops: Sequence[Loop], lines: Sequence[str]) -> list[str]:
    """Lines within loops; where there are none, as they are."""
    return nested(loops, lines) if loops else [*lines]


def block(lines: Sequence[str]) -> list[str]:
    """Lines with names of their own."""
    return ["{", *indented(lines), "}"]


def comment(text: str) -> str:
    """A comment in lines of some length."""
    return f"/* {commented(documented(text))} */"


def commented(text: str) -> str:
    """A text without what begins or ends a comment."""
    return text.replace("*/", "* /").replace("/*", "/ *")
