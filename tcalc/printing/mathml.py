"""Formulas in MathML Core, as browsers set them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from itertools import pairwise

from tcalc.printing.breaking import lines
from tcalc.printing.formula import Statement
from tcalc.printing.typeset import GREEK, VARIANTS, Medium, Typesetter, greek_name

_NAMES = {"⊙": "⊙", "⊘": "⊘", "-": "−"}
_ACCENTS = {"bar": "¯", "hat": "^", "tilde": "~"}
_TALL = ("<mfrac", "<mtable", "<msqrt", "<mo>∑", "<mo>∏")
_LETTERS = "αβγδεζηθικλμνξοπρστυφχψω"


_THIN = '<mspace width="0.17em"/>'
_WORD = re.compile(r'(?:<m(?:row|sub|sup|subsup)>)*<mi mathvariant="normal">\w{2,}')
_OPERATOR = re.compile(r"\\(?:operatorname\{([^}]*)\}|([A-Za-z]+))(?:([_^])(?:\{([^}]*)\}|(\w)))?")


def _run_together(before: str, item: str) -> bool:
    """Whether a word would run into its neighbour; a function stands close to its argument."""
    if before.startswith(("<mo", "<mspace")) or item.startswith(("<mo", "<mrow><mo", "<mspace")):
        return False
    return bool(_WORD.match(before) or _WORD.match(item))


class MathML(Medium):
    """MathML's way with fractions, scripts and fences."""

    def letter(self, letter: str) -> str:
        if letter in VARIANTS:
            letter = VARIANTS[letter]
        elif len(letter) > 1:
            small = _LETTERS[GREEK.index(letter.lower())]
            letter = small if letter.islower() else small.upper()
        return f"<mi>{escape(letter)}</mi>"

    def word(self, word: str) -> str:
        return f'<mi mathvariant="normal">{escape(word)}</mi>'

    def number(self, digits: str) -> str:
        return f"<mn>{digits}</mn>"

    def function(self, name: str, latex: str) -> str:
        words = [self._operator_name(*found.groups("")) for found in _OPERATOR.finditer(latex)]
        return self.row(words or [self.word(name)])

    def _operator_name(self, word: str, command: str, kind: str, *script: str) -> str:
        """A LaTeX command, ``\\operatorname{word}`` or ``\\command``, with the script behind it."""
        greek = greek_name(command)
        base = self.letter(greek) if greek else self.word(word.replace(r"\_", "_") or command)
        if not kind:
            return base
        return (self.below if kind == "_" else self.above)(base, self.number("".join(script)))

    def operator(self, sign: str) -> str:
        gaps = ' lspace="0" rspace="0"' if sign == ":" else ""
        return f"<mo{gaps}>{escape(_NAMES.get(sign, sign))}</mo>"

    def row(self, items: Sequence[str]) -> str:
        if len(items) == 1:
            return items[0]
        joined = items[0]
        for before, item in pairwise(items):
            joined += (_THIN if _run_together(before, item) else "") + item
        return f"<mrow>{joined}</mrow>"

    def fenced(self, inner: str, left: str = "(", right: str = ")") -> str:
        # What can stretch takes the room of its widest form in some browsers, whatever its height.
        tall = any(tag in inner for tag in _TALL)
        manner = 'fence="true"' if tall else 'fence="true" stretchy="false"'
        opening = f'<mo {manner} form="prefix">{left}</mo>'
        closing = f'<mo {manner} form="postfix">{right}</mo>'
        return f"<mrow>{opening}{inner}{closing}</mrow>"

    def fraction(self, above: str, below: str) -> str:
        return f"<mfrac>{_one(above)}{_one(below)}</mfrac>"

    def root(self, inner: str) -> str:
        return f"<msqrt>{inner}</msqrt>"

    def above(self, base: str, script: str) -> str:
        return f"<msup>{_one(base)}{_one(script)}</msup>"

    def below(self, base: str, script: str) -> str:
        return f"<msub>{_one(base)}{_one(script)}</msub>"

    def both(self, base: str, below: str, above: str) -> str:
        return f"<msubsup>{_one(base)}{_one(below)}{_one(above)}</msubsup>"

    def accented(self, base: str, accent: str) -> str:
        return (
            f'<mover accent="true">{_one(base)}<mo stretchy="false">{_ACCENTS[accent]}</mo></mover>'
        )

    def cases(self, rows: Sequence[tuple[str, str]]) -> str:
        cells = "".join(
            f"<mtr><mtd>{value}</mtd><mtd>{_condition(condition)}</mtd></mtr>"
            for value, condition in rows
        )
        return f'<mrow><mo fence="true" form="prefix">{{</mo><mtable>{cells}</mtable></mrow>'

    @property
    def transposed(self) -> str:
        return "<mo>⊤</mo>"

    def bold_one(self) -> str:
        return "<mn>𝟏</mn>"

    def parenthesis(self, sign: str) -> str:
        form = "prefix" if sign == "(" else "postfix"
        return f'<mo form="{form}" stretchy="false">{sign}</mo>'

    def gap(self) -> str:
        return '<mspace width="1em"/>'

    def lines(self, rows: Sequence[str]) -> str:
        if len(rows) == 1:
            return rows[0]
        cells = "".join(f"<mtr><mtd>{row}</mtd></mtr>" for row in rows)
        return f'<mtable displaystyle="true" columnalign="left">{cells}</mtable>'


def _one(text: str) -> str:
    return f"<mrow>{text}</mrow>"


def _condition(condition: str) -> str:
    return f"<mtext>if\u00a0</mtext>{condition}" if condition else "<mtext>otherwise</mtext>"


def program_mathml(statements: Sequence[Statement]) -> str:
    """A program as one ``<math>`` element."""
    medium = MathML()
    setter = Typesetter(medium)
    body = medium.lines([row for statement in statements for row in lines(statement, setter)])
    space = "http://www.w3.org/1998/Math/MathML"
    return f'<math xmlns="{space}" display="block"><mrow>{body}</mrow></math>'
