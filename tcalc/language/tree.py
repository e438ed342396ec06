"""Builds the syntax tree while the parser reduces: one method per rule of the grammar."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tcalc.errors import IndexNotationError, LimitError, ParseError
from tcalc.language.habits import power_hint
from tcalc.language.syntax import (
    Bound,
    Call,
    Comparison,
    Declaration,
    Declared,
    Definition,
    Expression,
    Gathered,
    Index,
    Loop,
    Name,
    Number,
    Paren,
    Position,
    Power,
    Product,
    Range,
    Result,
    Sign,
    Statement,
    Sum,
    Target,
    Text,
    Transpose,
)

if TYPE_CHECKING:
    from tcalc.language.parser import Lexeme

LONGEST_NUMBER = 400
"""The most characters of a number: more than any double needs."""

LARGEST_BOUND = 10**9
"""The largest integer in a bound."""


class TreeBuilder:
    """Callbacks of the parser; each takes the children of a rule, in the order of the text."""

    def program(self, children: list[Any]) -> tuple[Statement, ...]:
        statements: tuple[Statement, ...] = children[0]
        return statements

    def block(self, children: list[Statement | None]) -> tuple[Statement, ...]:
        return tuple(child for child in children if child is not None)

    # Declarations

    def declaration(self, children: list[Any]) -> Declaration:
        word, *items = children
        return Declaration(tuple(items), word.span.to(items[-1].span))

    def declared(self, children: list[Any]) -> Declared:
        name, _, sizes, close, *properties = children
        last = close or name
        return Declared(
            name.text,
            tuple(map(_size, sizes or ())),
            tuple((word.text, word.span) for word in properties),
            name.span.to(last.span),
        )

    def sizes(self, children: list[Bound]) -> list[Bound]:
        return children

    # Statements

    def definition(self, children: list[Any]) -> Definition:
        targets, value = children
        made = tuple(_target(expression) for expression in targets)
        return Definition(made, value, made[0].span.to(value.span))

    def targets(self, children: list[Expression]) -> list[Expression]:
        return children

    def result(self, children: list[Expression]) -> Result:
        return Result(children[0], children[0].span)

    def loop(self, children: list[Any]) -> Loop:
        word, counter, _, start, _, second, _, third, _, body, _ = children
        step, stop = (None, second) if third is None else (second, third)
        span = word.span.to(stop.span)
        return Loop(counter.text, counter.span, start, stop, step, body, span)

    # Expressions

    def comparison(self, children: list[Any]) -> Comparison:
        left, operator, right = children
        return Comparison(operator.text, left, right, left.span.to(right.span))

    def sum(self, children: list[Any]) -> Sum:
        first, *rest = children
        terms = [(1, first)]
        terms += zip(map(_sign, rest[::2]), rest[1::2], strict=True)
        return Sum(tuple(terms), first.span.to(children[-1].span))

    def product(self, children: list[Any]) -> Product:
        first, *rest = children
        operators = (lexeme.text for lexeme in rest[::2])
        factors = tuple(zip(operators, rest[1::2], strict=True))
        return Product(first, factors, first.span.to(children[-1].span))

    def sign(self, children: list[Any]) -> Sign:
        sign, operand = children
        return Sign(_sign(sign), operand, sign.span.to(operand.span))

    def power(self, children: list[Any]) -> Power:
        base, operator, exponent = children
        return Power(base, exponent, operator.text == ".^", base.span.to(exponent.span))

    def transpose(self, children: list[Any]) -> Transpose:
        operand, mark = children
        return Transpose(operand, operand.span.to(mark.span))

    def paren(self, children: list[Any]) -> Paren:
        opening, inner, closing = children
        return Paren(inner, opening.span.to(closing.span))

    def index(self, children: list[Any]) -> Index:
        base, _, positions, closing = children
        return Index(base, tuple(positions or ()), base.span.to(closing.span))

    def call(self, children: list[Any]) -> Call:
        callee, _, arguments, closing = children
        span = callee.span.to(closing.span)
        given = tuple(arguments or ())
        match callee:
            case Name(name=name, steps=()):
                return Call(name, None, given, callee.span, span)
            case Index(base=Name(name=name, steps=(), span=name_span), positions=positions):
                return Call(name, positions, given, name_span, span)
        if getattr(callee, "type", "") == "HASH":
            return Call("einsum", None, given, callee.span, span)
        raise ParseError(
            "only a function can be called",
            span=callee.span,
            hint=power_hint(callee.span.up_to_end(80)),
        )

    def name(self, children: list[Any]) -> Name:
        name, _, steps, closing = children
        span = name.span if closing is None else name.span.to(closing.span)
        return Name(name.text, tuple(steps or ()), span)

    def number(self, children: list[Lexeme]) -> Number:
        lexeme = children[0]
        return Number(_value(lexeme), lexeme.span)

    def text(self, children: list[Lexeme]) -> Text:
        return Text(children[0].text[1:-1], children[0].span)

    def arguments(self, children: list[Expression]) -> list[Expression]:
        return children

    # Integers known before anything runs

    def positions(self, children: list[Position]) -> list[Position]:
        return children

    def position(self, children: list[Bound | None]) -> Position:
        start, stop = children
        assert start is not None
        return start if stop is None else Range(start, stop, start.span.to(stop.span))

    def gathered(self, children: list[Any]) -> Gathered:
        name, *braces, _, positions, closing = children
        base = self.name([name, *braces])
        span = base.span.to(closing.span)
        return Gathered(Index(base, tuple(positions), span), span)

    def everything(self, children: list[Lexeme]) -> Range:
        """``:`` is ``1:end``."""
        span = children[0].span
        return Range(Bound(((1, ()),), span), Bound(((1, ("end",)),), span), span)

    def bounds(self, children: list[Bound]) -> list[Bound]:
        return children

    def bound(self, children: list[Any]) -> Bound:
        sign, *rest = children
        signs = [sign, *rest[1::2]]
        terms = [
            (coefficient * (1 if lexeme is None else _sign(lexeme)), names)
            for lexeme, (coefficient, names, _, _) in zip(signs, rest[::2], strict=True)
        ]
        first = rest[0][2].span if sign is None else sign.span
        return Bound(tuple(terms), first.to(rest[-1][3].span))

    def scaled(self, children: list[Any]) -> tuple[int, tuple[str, ...], Lexeme, Lexeme]:
        coefficient = 1
        names: list[str] = []
        for lexeme in children[::2]:
            if lexeme.type == "NUMBER":
                coefficient *= _integer(lexeme, "positions and dimensions are integers")
                if coefficient > LARGEST_BOUND:
                    raise _too_large(lexeme)
            else:
                names.append(lexeme.text)
        return coefficient, tuple(names), children[0], children[-1]


def _size(bound: Bound) -> Bound:
    """A declared dimension: names and positive integers, and sums of products of these."""
    hint = "a dimension is a name or a positive integer, or made of these: x[n*q], x[2*n+1]"
    if any("end" in names for _, names in bound.terms):
        raise ParseError("`end` is no dimension", span=bound.span, hint=hint)
    if (
        not any(names and c > 0 for c, names in bound.terms)
        and sum(c for c, names in bound.terms if not names) < 1
    ):
        raise ParseError("a dimension is at least 1", span=bound.span, hint=hint)
    return bound


def _sign(lexeme: Lexeme) -> int:
    return -1 if lexeme.text == "-" else 1


def _target(expression: Expression) -> Target:
    match expression:
        case Name():
            return Target(expression, None, expression.span)
        case Index(base=Name() as name, positions=positions):
            return Target(name, positions, expression.span)
    hint = "a comparison, inside where(), is `==`"
    if isinstance(expression, Call):
        hint = (
            f"a definition has no parameters, `{expression.function} = ...`; "
            "a recurrence is a loop, `for t = 1:T`"
        )
    raise ParseError(
        "the left of `=` is a name, or a name with indices", span=expression.span, hint=hint
    )


def _integer(lexeme: Lexeme, rule: str) -> int:
    if not lexeme.text.isdecimal():
        raise IndexNotationError(
            f"`{lexeme.text}` is no integer: {rule}", span=lexeme.span, hint="write a whole number"
        )
    if len(lexeme.text) > len(str(LARGEST_BOUND)) or int(lexeme.text) > LARGEST_BOUND:
        raise _too_large(lexeme)
    return int(lexeme.text)


def _too_large(lexeme: Lexeme) -> LimitError:
    return LimitError(
        f"the limit is {LARGEST_BOUND:,} here", span=lexeme.span, hint="write a smaller number"
    )


def _value(lexeme: Lexeme) -> Fraction:
    """The exact number; one that no double can stand for is an error."""
    text = lexeme.text
    if len(text) > LONGEST_NUMBER:
        raise LimitError(
            f"a number of {len(text):,} characters; the limit is {LONGEST_NUMBER}",
            span=lexeme.span,
            hint="a double has 17 digits",
        )
    nearest = float(text)
    if math.isinf(nearest):
        raise LimitError(
            f"`{text}` is beyond the range of numbers, which ends near 1.8e308",
            span=lexeme.span,
            hint="scale the formula",
        )
    mantissa = text.lower().partition("e")[0]
    if nearest == 0 and mantissa.strip("0."):
        raise LimitError(
            f"`{text}` is below the range of numbers, which begins near 4.9e-324",
            span=lexeme.span,
            hint="write 0, or scale the formula",
        )
    return Fraction(0) if nearest == 0 else Fraction(text)
