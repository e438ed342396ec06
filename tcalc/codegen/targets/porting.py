"""Python written for NumPy, as Python for CuPy: what the two do not have in common, rewritten.

The edits are made at the places that the syntax tree gives, so that comments and layout stay.

- ``np`` becomes ``cp``.
- What CuPy has not, and whose arguments are plain numbers (`HOST_ONLY`), is computed by NumPy, and
  its results are moved.
- CuPy's ufuncs reduce by addition and multiplication only: others are its functions (`REDUCTIONS`).
- Reductions of CuPy's have no ``initial=``; on a device there are no empty matrices to need it.
- Arrays on a device are real here: what is done ``if np.iscomplexobj(…)`` alone goes.
- Without checks, ``if …: raise …`` goes, and ``try: … except …: …`` keeps its first block: CuPy
  raises nothing then, and what cannot be factorised gives NaN or numbers without meaning.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

HOST, DEVICE = "np", "cp"
HOST_ONLY = ("np.polynomial.legendre.leggauss",)
REDUCTIONS = {"np.minimum.reduce": "np.min", "np.maximum.reduce": "np.max"}
"""Which take all axes where none are told; code for both tells them."""


def ported(source: str, checked: bool = True) -> str:
    """Source text with the same meaning for CuPy arrays; `checked` keeps its errors."""
    source = _apply(source, _real(source))
    source = _apply(source, _reduced(source))
    if not checked:
        source = _apply(source, _unchecked(source))
    return _apply(source, _spelled(source))


class _Edit(NamedTuple):
    """A stretch of the text, as offsets, and what is put there."""

    start: int
    end: int
    text: str


def _apply(source: str, edits: list[_Edit]) -> str:
    for edit in sorted(edits, reverse=True):
        source = source[: edit.start] + edit.text + source[edit.end :]
    return source


class _Places:
    """Offsets of the nodes of a tree in its text."""

    def __init__(self, source: str) -> None:
        self.lines = source.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def offset(self, line: int, column: int) -> int:
        # Columns of the syntax tree count bytes.
        text = self.lines[line - 1].encode()[:column].decode()
        return self.starts[line - 1] + len(text)

    def span(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return (
            self.offset(node.lineno, node.col_offset),
            self.offset(node.end_lineno, node.end_col_offset),
        )


def _spelled(source: str) -> list[_Edit]:
    places, edits = _Places(source), []
    kept: set[ast.AST] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=function) if ast.unparse(function) in HOST_ONLY:
                start, end = places.span(node)
                edits += [_Edit(start, start, f"map({DEVICE}.asarray, "), _Edit(end, end, ")")]
                kept.update(ast.walk(function))
                edits.append(_Edit(*places.span(_root(function)), "numpy"))
            case ast.Name() if node in kept:
                continue
            case ast.Name(id=name) if name == HOST:
                edits.append(_Edit(*places.span(node), DEVICE))
            case ast.Call(keywords=keywords):
                edits += [
                    _Edit(*_with_comma(source, *places.span(keyword)), "")
                    for keyword in keywords
                    if keyword.arg == "initial"
                ]
    return edits


def _reduced(source: str) -> list[_Edit]:
    """The edits that call reductions by the names of functions."""
    places = _Places(source)
    return [
        _Edit(*places.span(node.func), REDUCTIONS[ast.unparse(node.func)])
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in REDUCTIONS
    ]


def _root(name: ast.expr) -> ast.expr:
    """The first name of a dotted one."""
    while isinstance(name, ast.Attribute):
        name = name.value
    return name


def _with_comma(source: str, start: int, end: int) -> tuple[int, int]:
    """The stretch of an argument and of the comma that sets it apart from the others."""
    before = source[:start].rstrip()
    if before.endswith(","):
        return len(before) - 1, end
    after = source[end:]
    rest = after.lstrip().removeprefix(",").lstrip()
    return start, end + (len(after) - len(rest) if after.lstrip().startswith(",") else 0)


def _real(source: str) -> list[_Edit]:
    """The edits that take out what is done for complex numbers only, whole lines at a time."""
    places = _Places(source)
    return [
        _Edit(places.starts[node.lineno - 1], places.starts[node.end_lineno], "")
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.If)
        and not node.orelse
        and asks_for_complex(node.test)
        and node.end_lineno is not None
    ]


def asks_for_complex(test: ast.expr) -> bool:
    """Whether a condition is that something is complex, which nothing on a device is."""
    match test:
        case ast.BoolOp(op=ast.Or(), values=values):
            return all(map(asks_for_complex, values))
        case ast.Call(func=function):
            return ast.unparse(function) == "np.iscomplexobj"
        case _:
            return False


def _unchecked(source: str) -> list[_Edit]:
    """The edits that take out the outermost checks, whole lines at a time."""
    places, edits = _Places(source), []
    for statement in _outermost(ast.parse(source).body):
        assert statement.end_lineno is not None
        start, end = places.starts[statement.lineno - 1], places.starts[statement.end_lineno]
        text = ""
        if isinstance(statement, ast.Try):
            first, last = statement.body[0].lineno, statement.body[-1].end_lineno
            assert last is not None
            body = textwrap.dedent("".join(places.lines[first - 1 : last]))
            text = textwrap.indent(body, " " * statement.col_offset)
        edits.append(_Edit(start, end, text))
    return edits


def _outermost(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    stack = list(body)
    while stack:
        statement = stack.pop()
        match statement:
            case ast.If(body=[*_, ast.Raise()], orelse=[]) | ast.Try():
                yield statement
            case ast.FunctionDef(body=inner) | ast.For(body=inner) | ast.While(body=inner):
                stack += inner
            case ast.If(body=inner, orelse=other):
                stack += [*inner, *other]
            case _:
                continue
