"""Long lines of a module, broken at their brackets as formatters do it."""

from __future__ import annotations

import textwrap
from dataclasses import field
from itertools import pairwise

from tcalc.records import dataclass

WIDTH = 100
"""The longest line of a generated module."""
_INDENT = "    "
_OPENING, _CLOSING = "([{", ")]}"
_LISTS = ("return ", "del ")
"""What may precede a list that has no brackets of its own."""


def wrapped(line: str) -> list[str]:
    """A line as one or several, none of which is longer than `WIDTH` where brackets allow it.

    >>> wrapped("t1 = X @ w")
    ['t1 = X @ w']
    >>> for part in wrapped("    t = solve(" + ", ".join(["argument"] * 9) + ")  # a remark"):
    ...     print(part)
        # a remark
        t = solve(
            argument, argument, argument, argument, argument, argument, argument, argument, argument
        )
    """
    if len(line) <= WIDTH or "\n" in line:
        return [line]
    code = line.lstrip()
    indent = line[: len(line) - len(code)]
    scan = _scanned(code)
    above = []
    if scan.remark is not None:
        above = [indent + code[scan.remark :]]
        code = code[: scan.remark].rstrip()
    if scan.commas:
        code = _bracketed(code)
    return above + _broken(indent, code)


def _broken(indent: str, code: str) -> list[str]:
    pairs = _scanned(code).pairs
    if len(indent) + len(code) <= WIDTH or not pairs:
        return [indent + code]
    # The parameters of a definition come before what it returns; else what is longest is broken.
    start, end = pairs[0] if code.startswith("def ") else max(pairs, key=lambda x: x[1] - x[0])
    inner, deeper = code[start + 1 : end], indent + _INDENT
    head, tail = f"{indent}{code[: start + 1]}", f"{indent}{code[end:]}"
    commas = _scanned(inner).commas
    if len(deeper) + len(inner) <= WIDTH or not commas:
        return [head, *_broken(deeper, inner), tail]
    cuts = [-1, *commas, len(inner)]
    items = [inner[a + 1 : b].strip() for a, b in pairwise(cuts)]
    if all(item.isidentifier() for item in items):
        room = WIDTH - len(deeper)
        filled = textwrap.wrap(f"{', '.join(items)},", room, break_long_words=False)
        return [head, *(deeper + names for names in filled), tail]
    lines = [part for item in items if item for part in _broken(deeper, f"{item},")]
    return [head, *lines, tail]


def _bracketed(code: str) -> str:
    """A statement with a bare list in it, the list in parentheses."""
    for word in _LISTS:
        if code.startswith(word):
            return f"{word}({code.removeprefix(word)})"
    targets, equals, values = code.partition(" = ")
    return f"({targets}){equals}{values}"


@dataclass(slots=True)
class _Scan:
    """Places in a line of code, outside strings.

    `pairs` are the outermost brackets that hold something, `commas` those outside all brackets,
    `remark` is where a comment begins.
    """

    pairs: list[tuple[int, int]] = field(default_factory=list)
    commas: list[int] = field(default_factory=list)
    remark: int | None = None


def _scanned(code: str) -> _Scan:
    scan = _Scan()
    depth, start, quote, escaped = 0, 0, "", False
    for place, c in enumerate(code):
        if quote:
            if c == quote and not escaped:
                quote = ""
            escaped = c == "\\" and not escaped
        elif c in "'\"":
            quote = c
        elif c == "#":
            scan.remark = place
            break
        elif c in _OPENING:
            start = start if depth else place
            depth += 1
        elif c in _CLOSING:
            depth -= 1
            if not depth and place > start + 1:
                scan.pairs.append((start, place))
        elif c == "," and not depth:
            scan.commas.append(place)
    return scan
