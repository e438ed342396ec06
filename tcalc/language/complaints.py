"""Errors of syntax in human words: what stands there, what was expected, what to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcalc.errors import ParseError, Span

if TYPE_CHECKING:
    from tcalc.language.parser import Lexeme

_LOOK_ALIKES = {
    "−": "the minus sign is `-`",
    "–": "the minus sign is `-`",
    "×": "the product is `*`",
    "·": "the product is `*`",
    "⋅": "the product is `*`",
    "∘": "the element-wise product is `.*`",
    "⊙": "the element-wise product is `.*`",
    "÷": "the quotient is `/`",
    "²": "a square is `^2`",
    "³": "a cube is `^3`",
    "⁻": "the inverse is `inv(A)`, a negative power `^-2`",
    "|": "a norm is `norm2(x)` or `norm1(x)`, an absolute value `abs(a)`",
    "’": "the transpose is `'`",
    "′": "the transpose is `'`",
    "ᵀ": "the transpose is `'`",
    "⊤": "the transpose is `'`",
    "≤": "write `<=`",
    "≥": "write `>=`",
    "“": 'a text stands between `"`',
    "”": 'a text stands between `"`',
    '"': 'a text ends on its own line, with a second `"`',
    "%": "a comment starts with `#`",
    "!": "a comparison is one of `< <= > >= ==`",
    "_": "a name begins with a letter",
    "$": "a name begins with a letter",
    "√": "the square root is `sqrt(x)`",
    "∑": "a sum is `sum(x)`, or a repeated index",
    ".": "a number is `0.5`, element-wise operators are `.*`, `./`, `.^`; behind a name only `.T`",
}

_OPERATORS = {"SIGN", "TIMES", "BY", "POWER", "COMPARE"}
_OPERANDS = {"NAME", "NUMBER", "LPAR"}


def counted(number: int, noun: str, plural: str = "") -> str:
    """A number of things, in words.

    >>> counted(1, "operand"), counted(3, "axis", "axes")
    ('1 operand', '3 axes')
    """
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def stray_character(character: str, span: Span) -> ParseError:
    """The error for a character that no token begins with."""
    shown = character if character.isprintable() else repr(character)[1:-1]
    hint = _LOOK_ALIKES.get(character, "the language has no such character")
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
    if "$END" in accepted or ("_SEPARATOR" in accepted and not parts):
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
    "LSQB": "an index stands behind a value: `X[i,j]`",
    "HASH": '#("ij,jk->ik", A, B) is an einsum, where a value may stand; a comment has no `(`',
    "$END": "the formula is not finished",
}


def _hint(lexeme: Lexeme, last: Lexeme | None, accepted: set[str]) -> str | None:
    if lexeme.type in {"NAME", "NUMBER"} and {"COLON", "RSQB"} <= accepted:
        return "positions are separated by commas"
    ends_value = last is not None and last.type in {"NAME", "NUMBER", "RPAR", "RSQB", "QUOTE"}
    if last is not None and last.type == "COLON":
        return "a range has both its ends: `1:2`, `2:end`; a whole axis is `:`"
    if lexeme.type == "COMPARE":
        return "a comparison compares two values, inside where()"
    if lexeme.type in _OPERANDS and ends_value and accepted & _OPERATORS:
        return "a product needs its operator: write `*` between the two"
    if last is not None and last.text == lexeme.text == "*":
        return "the power is `^`, element by element `.^`"
    if lexeme.type == "$END" and "END" in accepted:
        return "a `for` ends with `end`"
    if lexeme.text == "\\" and not ends_value:
        return "a solve is `A \\ b`; Greek letters are written `alpha` or `α`"
    if lexeme.type in _OPERATORS:
        return "an operator stands between two values"
    return _HINTS.get(lexeme.type, "something is missing before it")
