"""Errors of syntax in human words: what stands there, what was expected, what to write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tcalc.errors import ParseError, Span
from tcalc.expr.properties import PROPERTIES
from tcalc.language.elsewhere import meant
from tcalc.language.habits import REDUCED, WORDS, arguments_hint, said_elsewhere, word_hint
from tcalc.language.marks import character_hint, tex_hint
from tcalc.language.names import is_greek

if TYPE_CHECKING:
    from tcalc.language.parser import Lexeme

_OPERATORS = {"SIGN", "TIMES", "BY", "POWER", "COMPARE"}
_OPERANDS = {"NAME", "NUMBER", "LPAR"}


def stray_character(text: str, span: Span) -> ParseError:
    """The error for a character of the text that no token begins with."""
    character = text[span.start]
    shown = character if character.isprintable() else repr(character)[1:-1]
    hint = character_hint(text, span.start)
    return ParseError(f"unexpected character `{shown}`", span=span, hint=hint)


def unexpected(lexeme: Lexeme, last: Lexeme | None, accepted: set[str]) -> ParseError:
    """The error for a token that does not fit where it stands."""
    wanted = _expectation(accepted)
    if lexeme.type == "$END":
        message = f"the text ends where {wanted} was expected"
    elif lexeme.type == "_SEPARATOR":
        stop = "`;` stands" if lexeme.text == ";" else "the line ends"
        message = f"{stop} where {wanted} was expected"
    else:
        message = f"unexpected `{lexeme.text}`: expected {wanted}"
    return ParseError(message, span=lexeme.span, hint=_hint(lexeme, last, accepted))


def _expectation(accepted: set[str]) -> str:
    """What the parser could go on with, in words."""
    parts: list[str] = []
    if accepted >= _OPERANDS:
        parts.append("a value (a name, a number or a parenthesis)")
    elif "NAME" in accepted and "END" in accepted and "NUMBER" in accepted:
        parts.append("an index (a name, a number or `end`)")
    elif "NAME" in accepted and "NUMBER" in accepted:
        parts.append("a dimension (a name or a number)")
    elif "NAME" in accepted:
        parts.append("a name")
    if accepted & _OPERATORS and not parts:
        parts.append("an operator")
    for terminal, text in _CLOSERS:
        if terminal in accepted:
            parts.append(text)
    if "END" in accepted and "NUMBER" not in accepted:
        parts.append("`end`")
    if "$END" in accepted or ("_SEPARATOR" in accepted and "NAME" not in accepted):
        parts.append("the end of the statement")
    *most, final = parts or ["something else"]
    return f"{', '.join(most)} or {final}" if most else final


_CLOSERS = (
    ("EQUAL", "`=`"),
    ("COLON", "`:`"),
    ("COMMA", "`,`"),
    ("RPAR", "`)`"),
    ("RSQB", "`]`"),
    ("RBRACE", "`}`"),
)

_HINTS = {
    "_SEPARATOR": "a formula goes on over several lines inside parentheses",
    "FOR": "`for` begins a loop: `for t = 1:10`",
    "END": "`end` closes a `for`, or stands for the last index inside brackets",
    "TENSOR": "`tensor` begins a declaration on a line of its own: `tensor X[m,n]`",
    "EQUAL": "a definition is `name = formula`; a comparison, inside where(), is `==`",
    "COLON": "a whole axis is `:`; a range is `2:5`, inside brackets",
    "TEXT": 'a text is the first argument of einsum("ij,jk->ik", A, B)',
    "LBRACE": "braces number a name: `x{t}`",
    "QUOTE": "the transpose stands behind a value: `X'`",
    "LSQB": "an index stands behind a value, `X[i,j]`; arrays of numbers are data, and tensors are "
    "joined by stack(x, y) or concat(x, y)",
    "RPAR": "parentheses hold a value",
    "HASH": '#("ij,jk->ik", A, B) is an einsum, where a value may stand; a comment has no `(`',
    "$END": "the formula is not finished",
}


_ENDS_OF_VALUES = {"NAME", "NUMBER", "RPAR", "RSQB", "RBRACE", "QUOTE"}
_HEADER = {"COLON", "SIGN", "TIMES", "_SEPARATOR"}
_RESERVED = "`for`, `end` and `tensor` are words of the language, and no names"
_RANGE = "a range has both its ends: `1:2`, `2:end`; a whole axis is `:`"
_SUM = "a sum over an index is sum[i](x[i]); one that occurs twice is summed by itself"
_LIST = "what stands in brackets is separated by commas"
_COMPARISON = "a comparison compares two values, inside where()"
_PRODUCT = "a product needs its operator: write `*` between the two"


def _hint(lexeme: Lexeme, last: Lexeme | None, accepted: set[str]) -> str:
    """What to write instead, from the special to the general."""
    before = "" if last is None else last.type
    if {"NAME", "COMMA"} <= accepted and "NUMBER" not in accepted:
        return _declaration_hint(lexeme, before, accepted)
    if accepted <= _HEADER:
        return WORDS["in"]
    if accepted <= {"$END", "_SEPARATOR"} and lexeme.type not in _HINTS:
        return "statements stand on lines of their own, or are separated by `;`"
    if lexeme.type == "$END" and "END" in accepted and "RSQB" not in accepted:
        return "a `for` ends with `end`"
    if found := _brackets_of_a_function(lexeme):
        return found
    if before in _ENDS_OF_VALUES:
        said = _hint_after_value(lexeme, last, accepted)
    else:
        said = _hint_for_value(lexeme, last, accepted)
    if said is not None:
        return said
    if lexeme.type in _OPERATORS:
        if accepted <= {"COMMA", "RSQB"}:
            return "positions that are computed have a name: p = g + 1, and then x[p[i]]"
        return "an operator stands between two values"
    return _HINTS.get(lexeme.type, "something is missing before it")


def _brackets_of_a_function(lexeme: Lexeme) -> str:
    """Where brackets stand behind the name of a function, as in Mathematica."""
    text = lexeme.span.up_to_end(80)
    ahead = text[: len(text) - lexeme.span.length]
    opening = re.search(r"([^\W\d]\w*)\[(?:[^\[\]]|\[[^\[\]]*\])*\Z", ahead)
    inner = re.search(r"([^\W\d]\w*)\[\Z", text)
    for found in (inner, opening):
        name = found[1] if found else ""
        if name[:1].isupper() and len(name) > 1 and not is_greek(name):
            if function := meant(name):
                return f"a function takes its argument in parentheses: `{function}(...)`"
            if said := said_elsewhere(name):
                return said
    if opening is not None and opening[1] == "D" and lexeme.type == "LBRACE":
        return "a derivative is gradient(f, x), hessian(f, x), or derivative(f, x, y)"
    return ""


_COMMAS = "declarations are separated by commas: `tensor X[m,n], y[m]`"


def _declaration_hint(lexeme: Lexeme, before: str, accepted: set[str]) -> str:
    """Within a declaration, behind a name, its dimensions or a property."""
    ahead = "|".join(PROPERTIES)
    match lexeme.type:
        case "POWER":
            return "dimensions stand in brackets: `x[n]`, `X[m,n]`"
        case "COMPARE":
            return "properties are words: `K[n,n] spd`, `x[n] positive`"
        case "SIGN" if before == "NAME":
            return "a property is one word: `K[n,n] spd`, `A[n,n] symmetric`"
        case "COLON" if before == "RSQB":
            return "properties stand behind the brackets as they are: `K[n,n] spd`"
        case "LSQB" if first := re.search(rf"\b({ahead})\s+(\w+)\[\Z", lexeme.span.up_to_end(60)):
            return f"properties stand behind: `{first[2]}[n,n] {first[1]}`; {_COMMAS}"
        case "LSQB" if before == "NAME" and "LSQB" not in accepted:
            return _COMMAS
        case "EQUAL":
            return "a declaration has no value: what is computed needs none"
        case "LSQB" | "NUMBER" if "LSQB" not in accepted:
            return "dimensions stand in one pair of brackets: `X[m,n]`"
        case _ if "LSQB" in accepted:
            return "dimensions stand in brackets: `X[m,n]`"
    return "declarations are separated by commas: `tensor X[m,n], K[n,n] spd, c`"


def _hint_after_value(lexeme: Lexeme, last: Lexeme | None, accepted: set[str]) -> str | None:
    """Behind a value, where an operator or an end was expected."""
    assert last is not None
    following = lexeme.span.following(1)
    match lexeme.type:
        case "NAME" if lexeme.text in WORDS:
            return WORDS[lexeme.text]
        case "NAME" if lexeme.text in PROPERTIES:
            return f"a declaration begins with `tensor`: `tensor X[n,n] {lexeme.text}`"
        case "NAME" | "NUMBER" | "LPAR" if accepted & _OPERATORS and "RSQB" not in accepted:
            return _hint_between_values(last)
        case "NAME" | "NUMBER" if {"COMMA", "RSQB"} <= accepted:
            if lexeme.text.startswith("."):
                return "a range is `1:3`"
            if (times := re.fullmatch(r"x(\d*)", lexeme.text)) is not None:
                other = times[1] or lexeme.span.following(20).partition("]")[0]
                return f"{_LIST}: `[{last.text},{other}]`"
            return _LIST
        case "LSQB" if "RSQB" in accepted and last.type == "NAME":
            return said_elsewhere("gather")
        case "_SEPARATOR" if "RSQB" in accepted:
            return _LIST
        case "EQUAL" if "RBRACE" in accepted:
            return _SUM
        case "COMMA" if "RPAR" in accepted:
            return _tuple_hint(lexeme)
        case "EQUAL" if "RPAR" in accepted:
            return _named_argument_hint(lexeme)
        case "EQUAL" if last.type in ("FOR", "TENSOR"):
            return _RESERVED
        case "COLON" if following == "=":
            return "a definition is `name = formula`"
        case "COLON" if "RPAR" in accepted and "RSQB" not in accepted:
            return _elements(lexeme)
        case "COLON" if "RSQB" in accepted:
            return "a range is `2:5`, and takes every element"
        case "COLON" if "EQUAL" in accepted:
            return (
                "a definition is `name = formula`; a range `2:5` stands in brackets, behind a name"
            )
        case "FOR" if "RPAR" in accepted:
            return _SUM
        case "COMPARE":
            return _COMPARISON
        case "$END" | "_SEPARATOR" if {"EQUAL", "COMMA"} <= accepted:
            return "statements are separated by `;`, and numbers are written without commas"
    return None


def _tuple_hint(lexeme: Lexeme) -> str:
    """For a comma in parentheses that are no call: by the function that they are given to."""
    joined = "tensors are joined by stack(x, y) or concat(x, y)"
    opening = re.search(r"([^\W\d]\w*)\((?:[^()]*,)?\s*\([^()]*\Z", lexeme.span.up_to_end(80))
    if opening is None or (function := meant(opening[1])) in ("stack", "concat"):
        return joined
    if function in ("ones", "zeros"):
        return f"sizes stand side by side: {function}(m, n)"
    if function in REDUCED:
        return f"{function}(X) is of all elements, {function}[j](X[i,j]) over one axis"
    if said := arguments_hint(function, 2) or said_elsewhere(opening[1]):
        return said
    return joined if function in ("", opening[1]) else f"did you mean `{function}`?"


def _named_argument_hint(lexeme: Lexeme) -> str:
    """For ``=`` within a call: over which axis, where that is what the argument says."""
    behind = re.match(r"\s*(-?\d+)", lexeme.span.following(20))
    named = re.search(
        r"([^\W\d]\w*)\((?:[^()]|\([^()]*\))*\b(?:axis|dim)\s*=\Z", lexeme.span.up_to_end(80)
    )
    function = meant(named[1]) if named else ""
    if function not in REDUCED:
        return "arguments have no names; over one axis: sum[j](X[i,j])"
    index = "i" if behind is not None and behind[1] in ("0", "-2") else "j"
    return f"arguments have no names; over one axis: {function}[{index}](X[i,j])"


def _elements(lexeme: Lexeme) -> str:
    """Where an element or a slice stands in parentheses, as in MATLAB: the same in brackets."""
    source = lexeme.span.source
    text = "" if source is None else source.text
    opening = re.search(r"([^\W\d]\w*)\(([^()\[\]\n]*)\Z", text[: lexeme.span.start])
    closing = re.match(r"[^()\[\]\n]*\)", text[lexeme.span.start :])
    if opening is None or closing is None:
        return "elements and slices stand in brackets: `A[:,1]`, `x[2:end]`"
    name, inside = opening[1], opening[2] + closing[0][:-1]
    if inside.strip() == ":":
        return f"the columns of a matrix below each other are vec({name})"
    return f"elements and slices stand in brackets: `{name}[{inside}]`"


def _hint_between_values(last: Lexeme) -> str:
    """Where two values stand side by side."""
    if re.search(r"\b(?:function|lambda|fun)\s*\([\w\s,]*\)\Z", last.span.up_to_end(80)):
        return WORDS["function"]
    if re.search(r"[d∂]\s*/\s*d\w+\Z", last.span.up_to_end(40)):
        return "a derivative is gradient(f, x), or jacobian(f, x)"
    reduced = re.search(r"(\w+)(\[\w+\])\Z", last.span.up_to_end(60))
    if reduced is not None and (function := meant(reduced.group(1))):
        return f"a function takes its argument in parentheses: `{function}{reduced.group(2)}(...)`"
    if last.type == "RBRACE":
        return f"{_PRODUCT}; an index stands in brackets, `A[i,j]`"
    return (last.type == "NAME" and word_hint(last.text)) or _PRODUCT


_DERIVATIVE_BY = r"\b(?:gradient|jacobian|hessian|derivative)\([^()]*(?:\([^()]*\)[^()]*)*,\s*\[\Z"


def _hint_for_value(lexeme: Lexeme, last: Lexeme | None, accepted: set[str]) -> str | None:
    """Where a value, or a name, was expected."""
    before = "" if last is None else last.type
    following = lexeme.span.following(60).partition("\n")[0]
    match lexeme.type:
        case "LBRACE" if before == "POWER":
            return "an exponent stands in parentheses, `A^(-1)`; the transpose is `A'`"
        case "EQUAL" if before in ("FOR", "TENSOR"):
            return _RESERVED
        case "END" if lexeme.span.following(1) == "=":
            return _RESERVED
        case "EQUAL" if before in ("SIGN", "TIMES", "BY", "POWER"):
            return "a definition is `name = formula`, and each name is assigned once"
        case "QUOTE" if before in ("", "LPAR", "COMMA", "EQUAL"):
            return 'a text stands between `"`; the transpose stands behind a value'
        case "TIMES" if before == "TIMES":
            return "the power is `^`, element by element `.^`"
        case "BY" if lexeme.text == "\\":
            return tex_hint(lexeme.span.following(20))
        case "BY" if last is not None and last.text == lexeme.text == "/":
            return "a comment starts with `#`; a quotient is `/`"
        case "BY" if lexeme.text == "/" and following[:1] in ("*", "/"):
            return "a comment starts with `#`"
        case "COMPARE" if last is not None and last.text in ("-", "=") and lexeme.text == ">":
            return "a definition has its name on the left: `name = formula`"
        case "COMPARE" if lexeme.text == "<":
            return f"the scalar product is x'*y; {_COMPARISON}"
        case "COMPARE":
            return _COMPARISON
        case "COLON" | "END" if before in ("LPAR", "COMMA") and not {"COLON", "END"} & accepted:
            return _elements(lexeme)
        case "LSQB" if re.search(_DERIVATIVE_BY, lexeme.span.up_to_end(80)):
            return "by one variable, gradient(f, x); in Python tcalc.gradient(f, ['x', 'y']) too"
        case "LSQB" if unpacked := re.match(r"([\w\s,]+)\]\s*(=\s*[^=].*)", following):
            return f"results are unpacked without brackets: `{unpacked[1]} {unpacked[2]}`"
        case "BY" if lexeme.text == "@" and following.startswith("("):
            return "a definition has no parameters: `f = x'*x`"
        case "BY" if lexeme.text == "@" and following.startswith("."):
            return "functions, sums and `.*` are element by element as they are"
        case "TIMES" if lexeme.text == "*" and before == "LPAR" and "*)" in following:
            return "a comment starts with `#`"
        case _ if before == "COLON":
            return _RANGE
        case _ if before == "FOR":
            return WORDS["in"]
        case _ if before == "TEXT":
            return "arguments are separated by commas"
        case _ if {"COLON", "END"} <= accepted:
            return "a position is an index, a number, `end`, a range `2:5`, or `:`, a whole axis"
    return None
