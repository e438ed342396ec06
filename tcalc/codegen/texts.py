"""Small pieces of the text of a module."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping

from tcalc.codegen.signature import Source
from tcalc.expr.dims import Dim


def size_text(dim: Dim, sizes: Mapping[str, str]) -> str:
    """A dimension as an atom of an expression, with the identifiers of its names put in."""
    if dim.value is not None:
        return str(dim.value) if dim.value >= 0 else f"({dim.value})"
    # With identifiers for names, the text of a polynomial is an expression of Python.
    names = dim.names()
    if any(sizes[name] != name for name in names):
        dim = dim.substitute({name: Dim.of(sizes[name]) for name in names})
    text = str(dim)
    return text if dim.is_name else f"({text})"


def read(name: str, source: Source) -> str:
    text = f"{name}.shape[{source.axis}]"
    if source.offset:
        text += f" {'-' if source.offset > 0 else '+'} {abs(source.offset)}"
    if source.factor == 1:
        return text
    return f"({text}) // {source.factor}" if source.offset else f"{text} // {source.factor}"


def uses(code: str, name: str) -> bool:
    """Whether an attribute of a module is used; it takes a name no time that is not there."""
    return f"{name}." in code and re.search(rf"\b{name}\.", code) is not None


def harmless(line: str) -> str:
    """A line that can stand in a docstring, whatever it holds."""
    printable = "".join(c if c.isprintable() else "?" for c in line)
    if len(printable) > 400:
        printable = textwrap.shorten(printable, 400, placeholder=" …")
    return printable.replace("\\", "\\\\").replace('"""', "'''")
