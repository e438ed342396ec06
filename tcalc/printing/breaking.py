"""Where a long formula is broken into lines: before the signs of a sum, between factors.

A sum in parentheses is broken too where it stands last in a product and the rest is short.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tcalc.printing.formula import Formula, Product, Statement, Sum
from tcalc.printing.text import text_of
from tcalc.printing.typeset import Typesetter

LONGEST_LINE = 72
"""The most characters that a formula may have as text before it is broken."""

LONGEST_PRODUCT = 120
"""The most characters of a product before it is broken as well."""


def lines(statement: Statement, setter: Typesetter) -> list[str]:
    """A statement as one line, or, if it is long, as several that begin with an operator."""
    if len(text_of(statement.value)) <= LONGEST_LINE:
        return [setter.statement(statement)]
    medium = setter.medium
    outside, value = _multiplied_sum(statement.value) or (None, statement.value)
    (_, first), *rest = _pieces(value)
    rows = [setter.statement(replace(statement, value=outside or first))]
    if outside is not None:
        rows = [medium.row([*rows, medium.parenthesis("("), setter.formula(first)])]
    for mark, piece in rest:
        rows.append(medium.row([medium.gap(), medium.operator(mark), setter.formula(piece)]))
    if outside is not None:
        rows[-1] = medium.row([rows[-1], medium.parenthesis(")")])
    return rows


def _multiplied_sum(value: Formula) -> tuple[Product, Sum] | None:
    """A short product times a sum in parentheses, which takes nearly all the room; or None."""
    if not isinstance(value, Product) or value.elementwise or value.over or value.divisors:
        return None
    factors = _factors_of(value)
    if not factors or value.coefficient.denominator != 1:
        return None
    *others, last = factors
    if not isinstance(last, Sum) or len(last.terms) < 2 or len(text_of(last)) <= LONGEST_LINE:
        return None
    outside = _of_factors(value, others, value)
    return (outside, last) if len(text_of(outside)) <= LONGEST_LINE // 2 else None


def _pieces(value: Formula) -> Iterator[tuple[str, Formula]]:
    """The pieces of a formula with the operators before them."""
    terms = value.terms if isinstance(value, Sum) else ((False, value),)
    for k, (negative, term) in enumerate(terms):
        first, *rest = _factors(term)
        if k == 0:
            yield "", Sum(((True, first),)) if negative else first
        else:
            yield "-" if negative else "+", first
        mark = "⊙" if isinstance(term, Product) and term.elementwise else "·"
        for factors in rest:
            yield mark, factors


def _factors(term: Formula) -> Iterator[Formula]:
    """A product as products that are short enough, if that can be; anything else as it is."""
    if not isinstance(term, Product) or term.over or len(text_of(term)) <= LONGEST_PRODUCT:
        yield term
        return
    whole = term
    taken: list[Formula] = []
    for factor in _factors_of(term):
        longer = Product(body=(*taken, factor), elementwise=term.elementwise)
        if taken and len(text_of(longer)) > LONGEST_LINE:
            yield _of_factors(whole, taken, term)
            whole = Product(elementwise=term.elementwise)
            taken = []
        taken.append(factor)
    yield _of_factors(whole, taken, term)


def _factors_of(term: Product) -> tuple[Formula, ...]:
    """What a product may be broken between: Einstein notation has scalars alone."""
    return term.body or term.scalars


def _of_factors(whole: Product, factors: list[Formula], term: Product) -> Product:
    new = tuple(factors)
    return replace(whole, body=new) if term.body else replace(whole, scalars=new)
