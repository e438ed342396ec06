"""Small pieces of the text of a module."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from tcalc.codegen.signature import Source
from tcalc.codegen.wrapping import WIDTH
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

    An attribute is another word.

    Code can be long, and a regular expression would stop at each of its words.

    >>> mentions("t1 = x + Any", "Any"), mentions("Anything = many_Any", "Any")
    (True, False)
    >>> mentions("np.exp(x)", "np."), mentions("a special case", "special.")
    (True, False)
    >>> mentions("np.linalg.LinAlgError", "linalg.")
    False
    """
    place = code.find(word)
    while place >= 0:
        before, after = (
            code[max(place - 1, 0) : place],
            code[place + len(word) : place + len(word) + 1],
        )
        longer = before.isalnum() or before in ("_", ".")
        if not longer and (word.endswith(".") or not (after.isalnum() or after == "_")):
            return True
        place = code.find(word, place + 1)
    return False


def imported(imports: Mapping[str, str], code: str) -> list[str]:
    """The lines that import the words that stand in code, one for each package.

    >>> words = {"sin": "from math import sin", "cos": "from math import cos"}
    >>> imported(words, "x = cos(y) + sin(y)")
    ['from math import sin, cos']
    """
    lines: list[str] = []
    for word, line in imports.items():
        if not mentions(code, word):
            continue
        package, _, name = line.rpartition("import ")
        if package and lines and lines[-1].startswith(package):
            lines[-1] += f", {name}"
        else:
            lines.append(line)
    return lines


def harmless(line: str) -> str:
    """A line that can stand in a docstring, whatever it holds."""
    printable = "".join(c if c.isprintable() else "?" for c in line)
    if len(printable) > 400:  # a formula of a page, which is marked as cut, hides what follows
        printable = textwrap.shorten(printable, 400, placeholder=" …")
    return printable.replace("\\", "\\\\").replace('"""', "'''")


def documented(text: str) -> str:
    """The lines of a text as they stand in a docstring, long ones continued on further lines."""
    lines: list[str] = []
    for line in map(harmless, text.splitlines()):
        indent = line[: len(line) - len(line.lstrip())]
        lines += textwrap.wrap(
            line,
            WIDTH,
            subsequent_indent=f"{indent}    ",
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
    return "\n".join(lines)
