"""The two-dimensional setting of formulas, once for LaTeX and MathML.

A `Medium` knows how to set a fraction or a subscript; this module knows when to.
"""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from typing import assert_never

from tcalc.expr.primitive import Style
from tcalc.printing.formula import (
    Call,
    Formula,
    Indexed,
    Number,
    Power,
    Product,
    Statement,
    Sum,
    Symbol,
    Transpose,
    data_at,
    fold,
)
from tcalc.printing.text import Binding, Set, ratio

_LETTERS = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau
upsilon phi chi psi omega
"""
GREEK = _LETTERS.split()
"""The names of the letters; with a capital first letter, of capital letters."""

ACCENTS = ("bar", "hat", "tilde", "dot")
"""Suffixes of names that are written over the letter: ``x_bar``, ``t1_hat``, ``x_bar_2``."""

VARIANTS = {"varepsilon": "ε", "vartheta": "ϑ", "varrho": "ϱ", "varsigma": "ς", "varphi": "φ"}
"""Other shapes of Greek letters, by LaTeX's names for them."""

RELATIONS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥", "==": "="}


class Medium(ABC):
    """What LaTeX and MathML set each in their way; all results are texts of the medium."""

    @abstractmethod
    def letter(self, letter: str) -> str:
        """A variable of one letter, or the name of a Greek one."""

    @abstractmethod
    def word(self, word: str) -> str:
        """A variable of several letters, upright."""

    @abstractmethod
    def number(self, digits: str) -> str: ...

    @abstractmethod
    def function(self, name: str, latex: str) -> str:
        """The name of a function."""

    @abstractmethod
    def operator(self, sign: str) -> str:
        """An operator between operands: one of ``+ - ⊙ ⊘ ⊗ , · ∑`` or a relation."""

    @abstractmethod
    def row(self, items: Sequence[str]) -> str:
        """Items side by side."""

    @abstractmethod
    def fenced(self, inner: str, left: str = "(", right: str = ")") -> str: ...

    @abstractmethod
    def fraction(self, above: str, below: str) -> str: ...

    @abstractmethod
    def root(self, inner: str) -> str: ...

    @abstractmethod
    def above(self, base: str, script: str) -> str:
        """A superscript."""

    @abstractmethod
    def below(self, base: str, script: str) -> str:
        """A subscript."""

    @abstractmethod
    def both(self, base: str, below: str, above: str) -> str:
        """A subscript and a superscript."""

    @abstractmethod
    def accented(self, base: str, accent: str) -> str:
        """A letter with one of the `ACCENTS` over it."""

    @abstractmethod
    def cases(self, rows: Sequence[tuple[str, str]]) -> str:
        """Values with their conditions, the last one otherwise."""

    @property
    @abstractmethod
    def transposed(self) -> str:
        """The mark of a transpose."""

    @abstractmethod
    def bold_one(self) -> str:
        """The vector of ones."""

    @abstractmethod
    def parenthesis(self, sign: str) -> str:
        """One of a pair of parentheses that stand on different lines."""

    @abstractmethod
    def gap(self) -> str:
        """The space before a line that goes on with a formula."""

    @abstractmethod
    def lines(self, rows: Sequence[str]) -> str:
        """Statements, or the parts of a long one, below each other."""


class Typesetter:
    """Sets formulas in a medium."""

    def __init__(self, medium: Medium) -> None:
        self.medium = medium

    def formula(self, formula: Formula) -> str:
        return fold(formula, self._set, {}).text

    def statement(self, statement: Statement) -> str:
        """A definition or a value; a long sum is broken before its signs by the medium."""
        value = self.formula(statement.value)
        if not statement.names:
            return value
        left: list[str] = []
        for name in statement.names:
            if left:
                left.append(self.medium.operator(","))
            symbol = self.symbol(name)
            if statement.positions:
                symbol = self.medium.below(symbol, self._positions(statement.positions))
            left.append(symbol)
        return self.medium.row([*left, self.medium.operator(statement.sign), value])

    def symbol(self, name: str) -> str:
        """A name: a letter, a Greek letter, a word, with digits or a suffix as a subscript.

        The step of one that is numbered, ``m{t-1}``, is a subscript too.
        """
        bracket = re.search(r"[{[]", name)
        if bracket:
            steps = name[bracket.end() : -1].split(",")
            return self.medium.below(self.symbol(name[: bracket.start()]), self._positions(steps))
        plain, _, accent = name.rpartition("_")
        if not plain.strip("_") or accent not in ACCENTS:
            plain, accent = name, ""
        stem, suffix = split_name(plain)
        before, _, after = suffix.partition("_")
        if not accent and before in ACCENTS:
            accent, suffix = before, after.strip("_")
        base = self._stem(stem)
        if accent:
            base = self.medium.accented(base, accent)
        if not suffix:
            return base
        below: list[str] = []
        for part in filter(None, suffix.split("_")):
            text = self.medium.number(part) if part.isdigit() else self._stem(part)
            below += [self.medium.operator(","), text] if below else [text]
        return self.medium.below(base, self.medium.row(below))

    def _stem(self, stem: str) -> str:
        greek = greek_name(stem)
        if greek is not None:
            return self.medium.letter(greek)
        return self.medium.letter(stem) if len(stem) == 1 else self.medium.word(stem)

    def _set(self, formula: Formula, inner: list[Set]) -> Set:
        medium = self.medium
        match formula:
            case Number(value=value):
                return self._number(value)
            case Symbol(name=name):
                return Set(self.symbol(name), Binding.ATOM)
            case Call():
                return self._call(formula, inner)
            case Power(base=Call(style=Style.INVERSE) as inverse, elementwise=False):
                return Set(self._inverse_above(inverse, inner[1].text), Binding.POWER)
            case Power(elementwise=elementwise):
                base, exponent = inner
                script = exponent.text
                if elementwise:
                    # x^{⊙ (a + 1)}, lest it be read as a sum with a circle
                    script = self._fenced(exponent, Binding.PRODUCT)
                    script = medium.row([medium.operator("⊙"), script])
                return Set(medium.above(self._fenced(base, Binding.ATOM), script), Binding.POWER)
            case Product():
                return self._product(formula, inner)
            case Sum(terms=terms):
                return self._sum([negative for negative, _ in terms], inner)
            case Transpose(base=base_formula):
                return Set(self._transpose(base_formula, inner[0]), Binding.POWER)
            case Indexed():
                return Set(self._indexed(formula, inner[0]), Binding.ATOM)
            case _:
                assert_never(formula)

    def _number(self, value: Fraction) -> Set:
        top, bottom = ratio(value)
        if not bottom:
            return Set(self._digits(top), Binding.PRODUCT if "e" in top else Binding.ATOM)
        halves = (self.medium.number(top), self.medium.number(bottom))
        return Set(self.medium.fraction(*halves), Binding.PRODUCT)

    def _digits(self, text: str) -> str:
        """A number as text, with a power of ten for what has an exponent: ``1.5e-8``."""
        medium = self.medium
        digits, _, exponent = text.partition("e")
        if not exponent:
            return medium.number(digits)
        size = medium.number(exponent.removeprefix("-"))
        above = medium.row([medium.operator("-"), size]) if exponent.startswith("-") else size
        power = medium.above(medium.number("10"), above)
        times = [medium.number(digits), medium.operator("×")] if digits != "1" else []
        return medium.row([*times, power])

    def _fenced(self, part: Set, least: Binding) -> str:
        return part.text if part.binding >= least else self.medium.fenced(part.text)

    def _sum(self, signs: Sequence[bool], inner: Sequence[Set]) -> Set:
        pieces: list[str] = []
        for negative, part in zip(signs, inner, strict=True):
            if pieces or negative:
                pieces.append(self.medium.operator("-" if negative else "+"))
            pieces.append(self._fenced(part, Binding.PRODUCT))
        return Set(self.medium.row(pieces), Binding.SUM)

    def _transpose(self, formula: Formula, base: Set) -> str:
        medium = self.medium
        if isinstance(formula, Call) and formula.style is Style.INVERSE:
            # the transposed inverse, A^{-T}
            return self._inverse_above(formula, medium.transposed)
        return medium.above(self._fenced(base, Binding.ATOM), medium.transposed)

    def _inverse_above(self, inverse: Call, script: str) -> str:
        """The matrix of an inverse with a minus sign and a script above it, ``A^{-2}``."""
        medium = self.medium
        matrix = self._fenced(fold(inverse.args[0], self._set, {}), Binding.ATOM)
        return medium.above(matrix, medium.row([medium.operator("-"), script]))

    def _positions(self, positions: Sequence[str]) -> str:
        medium = self.medium
        plain = all(at != ":" and (len(at) == 1 or greek_name(at)) for at in positions)
        plain = plain and sum(at.isdigit() for at in positions) < 2  # A_{2,3}, not A_{23}
        pieces: list[str] = []
        for at in positions:
            if pieces and not plain:
                pieces.append(medium.operator(","))
            pieces.append(self._position(at))
        return medium.row(pieces)

    def _position(self, at: str) -> str:
        """A name, a number, a range as ``end-1:end``, or what has positions itself, ``g[i]``."""
        medium = self.medium
        if (data := data_at(at)) is not None:
            return medium.below(self.symbol(data[0]), self._positions(data[1]))
        pieces: list[str] = []
        for part in re.findall(r"\w+|\W", at):
            if part.isdigit():
                pieces.append(medium.number(part))
            elif part.isidentifier():
                pieces.append(medium.word(part) if part == "end" else self.symbol(part))
            elif not part.isspace():
                pieces.append(medium.operator(part))
        return medium.row(pieces)

    def _indexed(self, formula: Indexed, base: Set) -> str:
        medium = self.medium
        positions = self._positions(formula.positions)
        unit = isinstance(formula.base, Symbol) and formula.base.name == "delta"
        if isinstance(formula.base, Call) and formula.base.name == "eye":
            unit = not any(":" in at for at in formula.positions)
            rows, column = formula.positions
            if rows == ":" and ":" not in column:
                return medium.below(medium.letter("e"), self._positions((column,)))
        if unit:
            return medium.below(medium.letter("delta"), positions)
        whole = isinstance(formula.base, Symbol)
        text = base.text if whole else medium.fenced(base.text, "[", "]")
        return medium.below(text, positions)

    # Products.

    def _product(self, formula: Product, inner: Sequence[Set]) -> Set:
        medium = self.medium
        counts = [len(formula.scalars), len(formula.body), len(formula.over)]
        scalars = list(inner[: counts[0]])
        body = list(inner[counts[0] : sum(counts[:2])])
        over = list(inner[sum(counts[:2]) : sum(counts)])
        divisors = list(inner[sum(counts) :])
        top, bottom = ratio(formula.coefficient)
        above = [self._fenced(s, Binding.PRODUCT) for s in scalars]
        if top != "1":
            above.insert(0, self._digits(top))
        below = [self._fenced(d, Binding.PRODUCT) for d in divisors]
        if len(divisors) == 1 and not bottom:
            below = [divisors[0].text]
        if bottom:
            below.insert(0, medium.number(bottom))
        core: list[str] = []
        for k, part in enumerate(body):
            if core and formula.elementwise:
                core.append(medium.operator("⊙"))
            alone = len(body) == 1 and not (above or over)
            core.append(self._fenced(part, Binding.SUM if alone and below else Binding.POWER))
            if k == 0 and formula.elementwise and isinstance(formula.body[0], Product):
                core[-1] = medium.fenced(part.text)
        if over and not core:
            core.append(medium.number("1"))
        for part in over:
            core += [medium.operator("⊘"), self._fenced(part, Binding.POWER)]
        if not below:
            return Set(medium.row([*above, *core]), Binding.PRODUCT)
        if len(core) == 1 and not above:
            above, core = core, []
        upper = medium.row(above or [medium.number("1")])
        if len(above) == 1 and len(scalars) == 1 and top == "1":
            upper = scalars[0].text
        return Set(medium.row([medium.fraction(upper, medium.row(below)), *core]), Binding.PRODUCT)

    # Calls.

    def _call(self, call: Call, inner: Sequence[Set]) -> Set:
        medium = self.medium
        texts = [part.text for part in inner]
        match call.style:
            case Style.SYMBOL:
                return Set(medium.letter(call.name), Binding.ATOM)
            case Style.INVERSE:
                minus_one = medium.row([medium.operator("-"), medium.number("1")])
                matrix = self._fenced(inner[0], Binding.ATOM)
                return Set(medium.above(matrix, minus_one), Binding.POWER)
            case Style.ROOT:
                return Set(medium.root(texts[0]), Binding.ATOM)
            case Style.ABSOLUTE:
                return Set(medium.fenced(texts[0], "|", "|"), Binding.ATOM)
            case Style.NORM:
                named = medium.letter if call.mark.isalpha() else medium.number
                mark = medium.row([named(call.mark), *self._consumed(call)])
                norm = medium.fenced(texts[0], "‖", "‖")
                return Set(medium.below(norm, mark), Binding.ATOM)
            case Style.OTHERS if not call.over:
                return Set(self._products_of_others(inner[0]), Binding.ATOM)
            case Style.KRONECKER:
                left, right = (self._fenced(part, Binding.POWER) for part in inner)
                return Set(medium.row([left, medium.operator("⊗"), right]), Binding.PRODUCT)
            case Style.BRANCH:
                left, right, yes, no = texts
                relation = medium.operator(RELATIONS[call.mark])
                condition = medium.row([left, relation, right])
                return Set(medium.cases([(yes, condition), (no, "")]), Binding.ATOM)
        return self._function(call, inner, texts)

    def _products_of_others(self, vector: Set) -> str:
        """For each element of a vector the product of all the others, in brackets."""
        medium = self.medium
        i, j = medium.letter("i"), medium.letter("j")
        sign = medium.below(medium.operator("∏"), medium.row([j, medium.operator("≠"), i]))
        factor = medium.below(self._fenced(vector, Binding.ATOM), j)
        return medium.below(medium.fenced(medium.row([sign, factor]), "[", "]"), i)

    def _consumed(self, call: Call) -> list[str]:
        return [self.medium.operator(","), self._positions(call.over)] if call.over else []

    def _function(self, call: Call, inner: Sequence[Set], texts: Sequence[str]) -> Set:
        medium = self.medium
        match call.name:
            case "ones" | "zeros":
                one = medium.bold_one() if call.name == "ones" else medium.number("0")
                sizes: list[str] = []
                for text in texts:
                    sizes += [medium.operator("×"), text] if sizes else [text]
                return Set(medium.below(one, medium.row(sizes)), Binding.ATOM)
            case "eye":
                return Set(medium.below(medium.letter("I"), texts[0]), Binding.ATOM)
            case "sum" if call.over:
                sign = medium.below(medium.operator("∑"), self._positions(call.over))
                return Set(medium.row([sign, self._fenced(inner[0], Binding.PRODUCT)]), Binding.SUM)
        name = medium.function(call.name, call.latex)
        if call.over:
            name = medium.below(name, self._positions(call.over))
        pieces: list[str] = []
        for text in texts[call.told :]:
            pieces += [medium.operator(","), text] if pieces else [text]
        return Set(medium.row([name, medium.fenced(medium.row(pieces))]), Binding.ATOM)


def split_name(name: str) -> tuple[str, str]:
    """A name as stem and subscript, which may have several parts.

    >>> split_name("alpha_2"), split_name("x1"), split_name("K"), split_name("x_train_2")
    (('alpha', '2'), ('x', '1'), ('K', ''), ('x', 'train_2'))
    """
    stem, _, suffix = name.partition("_")
    if stem and (suffix := suffix.strip("_")):
        return stem, suffix
    bare = name.rstrip("0123456789")
    return (bare, name[len(bare) :]) if bare else (name, "")


def greek_name(stem: str) -> str | None:
    """The name of a Greek letter, from the letter or the name itself.

    >>> greek_name("λ"), greek_name("Sigma"), greek_name("SIGMA"), greek_name("x")
    ('lambda', 'Sigma', None, None)
    """
    if stem in VARIANTS or (stem.lower() in GREEK and stem in (stem.lower(), stem.capitalize())):
        return stem
    if len(stem) == 1 and "GREEK" in unicodedata.name(stem, ""):
        *_, word = unicodedata.name(stem).split()
        word = "lambda" if word == "LAMDA" else word.lower()
        capital = "CAPITAL" in unicodedata.name(stem)
        if word in GREEK:
            return word.capitalize() if capital else word
    return None
