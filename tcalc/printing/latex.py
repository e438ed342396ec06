"""Formulas in LaTeX, for math mode with amsmath."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tcalc.printing.breaking import lines
from tcalc.printing.formula import Statement
from tcalc.printing.typeset import Medium, Typesetter

_OPERATORS = {
    "·": r"\cdot",
    "⊙": r"\odot",
    "⊘": r"\oslash",
    "⊗": r"\otimes",
    "×": r"\times",
    "∑": r"\sum",
    "∏": r"\prod",
    "≠": r"\ne",
    "≤": r"\le",
    "≥": r"\ge",
    ":": "{:}",
    "+=": r"\mathrel{+}=",
}
_APPLIED = "\u2061"  # marks the end of a function's name until its argument comes
_NAMES = (r"\operatorname", r"\log", r"\exp", r"\sin", r"\cos", r"\tan", r"\det", r"\max", r"\min")
_BINARY = (r"\odot", r"\oslash", r"\otimes", r"\sum", r"\prod", "+", "-")
_FENCES = {"‖": r"\|", "|": "|", "(": "(", ")": ")", "[": "[", "]": "]"}
_TALL = (r"\frac", r"\sum", r"\prod", r"\begin", r"\left", "^", "_{")


_SIGNS = {*_OPERATORS.values(), *"+-=<>,|", r"\quad"}
_WORD = r"\mathrm{"


def _run_together(before: str, item: str) -> bool:
    """Whether a name of several letters would run into its neighbour."""
    if before in _SIGNS or item in _SIGNS or not before:
        return False
    return before.startswith(_WORD) or item.startswith(_WORD)


class Latex(Medium):
    """LaTeX's way with fractions, scripts and fences."""

    def letter(self, letter: str) -> str:
        if len(letter) == 1:
            return letter if letter.isascii() else self.word(letter)
        # Greek capitals that look Latin have no command of their own.
        latin = {"Alpha": "A", "Beta": "B", "Epsilon": "E", "Zeta": "Z", "Eta": "H", "Iota": "I"}
        latin |= {"Kappa": "K", "Mu": "M", "Nu": "N", "Omicron": "O", "omicron": "o", "Rho": "P"}
        latin |= {"Tau": "T", "Upsilon": "Y", "Chi": "X"}
        return rf"\mathrm{{{latin[letter]}}}" if letter in latin else rf"\{letter}"

    def word(self, word: str) -> str:
        escaped = word.replace("_", r"\_")
        # Fonts of mathematics have no letters with accents, and LaTeX drops the accents.
        return rf"\mathrm{{{escaped}}}" if word.isascii() else rf"\text{{{escaped}}}"

    def number(self, digits: str) -> str:
        return digits

    def function(self, name: str, latex: str) -> str:
        return (latex or rf"\operatorname{{{name}}}") + _APPLIED

    def operator(self, sign: str) -> str:
        return _OPERATORS.get(sign, sign)

    def row(self, items: Sequence[str]) -> str:
        joined = ""
        for before, item in pairwise(("", *items)):
            if not item or not joined or item == "," or joined == "-":
                joined += item
            elif joined.endswith(_APPLIED):
                joined = joined.removesuffix(_APPLIED) + item
            elif item[0].isdigit() and joined[-1].isdigit():
                joined += rf" \cdot {item}"
            elif item.startswith(_NAMES) and (joined[-1] in ")}" or joined[-1].isalnum()):
                after_operator = joined.endswith(_BINARY)
                joined += f" {item}" if after_operator else rf" \, {item}"
            elif _run_together(before, item):
                joined += rf" \, {item}"
            else:
                joined += f" {item}"
        return joined

    def fenced(self, inner: str, left: str = "(", right: str = ")") -> str:
        opening, closing = _FENCES[left], _FENCES[right]
        if any(mark in inner for mark in _TALL):
            return rf"\left{opening} {inner} \right{closing}"
        gap = " " if opening.startswith("\\") else ""
        return f"{opening}{gap}{inner}{gap}{closing}"

    def fraction(self, above: str, below: str) -> str:
        return rf"\frac{{{above}}}{{{below}}}"

    def root(self, inner: str) -> str:
        return rf"\sqrt{{{inner}}}"

    def above(self, base: str, script: str) -> str:
        if base.endswith("}") and _has_outer(base, "^"):
            base = f"{{{base}}}"
        bare = len(script) == 1 or script == r"\top"
        return f"{base}^{script}" if bare else f"{base}^{{{script}}}"

    def below(self, base: str, script: str) -> str:
        applied = base.endswith(_APPLIED)
        text = base.removesuffix(_APPLIED)
        if _has_outer(text, "_"):
            text = f"{{{text}}}"
        text += f"_{script}" if len(script) == 1 else f"_{{{script}}}"
        return text + _APPLIED if applied else text

    def both(self, base: str, below: str, above: str) -> str:
        return f"{base}_{{{below}}}^{{{above}}}"

    def accented(self, base: str, accent: str) -> str:
        return rf"\{accent}{{{base}}}"

    def cases(self, rows: Sequence[tuple[str, str]]) -> str:
        lines = [
            f"{value} & " + (rf"\text{{if }} {condition}" if condition else r"\text{otherwise}")
            for value, condition in rows
        ]
        return r"\begin{cases} " + r" \\ ".join(lines) + r" \end{cases}"

    @property
    def transposed(self) -> str:
        return r"\top"

    def bold_one(self) -> str:
        return r"\mathbf{1}"

    def parenthesis(self, sign: str) -> str:
        return sign

    def gap(self) -> str:
        return r"\quad"

    def lines(self, rows: Sequence[str]) -> str:
        if len(rows) == 1:
            return rows[0]
        body = " \\\\\n".join(f"& {row}" for row in rows)
        return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


def _has_outer(base: str, script: str) -> bool:
    """Whether a text has a superscript or a subscript outside all brackets."""
    depth = 0
    for character in base:
        depth += (character in "{[(") - (character in "}])")
        if character == script and depth == 0:
            return True
    return False


def program_latex(statements: Sequence[Statement]) -> str:
    """A program in LaTeX; long formulas are broken into lines."""
    medium = Latex()
    setter = Typesetter(medium)
    return medium.lines([row for statement in statements for row in lines(statement, setter)])
