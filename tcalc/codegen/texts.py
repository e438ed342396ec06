"""Small pieces of the text of a module."""

from __future__ import annotations

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


def mentions(code: str, word: str) -> bool:
    """Whether a word stands in code by itself, or what begins with it if it ends in a point.

    Code can be long, and a regular expression would stop at each of its words.

    >>> mentions("t1 = x + Any", "Any"), mentions("Anything = many_Any", "Any")
    (True, False)
    >>> mentions("np.exp(x)", "np."), mentions("a special case", "special.")
    (True, False)
    """
    place = code.find(word)
    while place >= 0:
        end = place + len(word)
        around = code[max(place - 1, 0) : place], "" if word.endswith(".") else code[end : end + 1]
        if not any(c.isalnum() or c == "_" for c in around):
            return True
        place = code.find(word, place + 1)
    return False


def harmless(line: str) -> str:
    """A line that can stand in a docstring, whatever it holds."""
    printable = "".join(c if c.isprintable() else "?" for c in line)
    if len(printable) > 400:
        printable = textwrap.shorten(printable, 400, placeholder=" …")
    return printable.replace("\\", "\\\\").replace('"""', "'''")
