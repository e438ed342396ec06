"""The numbers in sums: coefficients, and what all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm

from tcalc.expr import build
from tcalc.expr.nodes import Add, Node

LARGEST_CONTENT = 2**64
"""What the numerator and the denominator of a common number stay below."""

LARGEST_DENOMINATOR = 100
"""What a common denominator stays below that not all coefficients have."""

ONE = Fraction(1)


def product_of(node: Node) -> tuple[Fraction, Node]:
    """A node as a coefficient and the rest: ``2 x`` is ``(2, x)``."""
    if isinstance(node, Add) and len(node.terms) == 1:
        return node.terms[0]
    return ONE, node


def multiple(coefficient: Fraction, node: Add) -> Node:
    """A multiple of a sum, term by term."""
    if coefficient == -1:
        return build.add((-c, x) for c, x in node.terms)
    return build.add((coefficient * c, x) for c, x in node.terms)


def content(node: Add) -> Fraction:
    """The number that all coefficients share, negative where most of them are.

    ``4 x - 2 y`` has the content 2, ``-x - y`` the content -1.  A number of more than
    `LARGEST_CONTENT` is left where it is: contents multiply, and those of a recurrence grow with
    every step.
    """
    ratios = [c.as_integer_ratio() for c, _ in node.terms]
    return _signed(_bounded(*_shared(ratios)), ratios)


def common_number(node: Add) -> Fraction:
    """The number that is written before a sum: its content, but decimals stay as they were given.

    As of ``1 + 0.00001*x``, which is not to be ``100000 + x``, the number is 1.  Decimals are what
    a 5 divides the denominator of, for fractions that come of differentiation are halves, thirds
    and the like.  Of decimals alone one is taken out that leaves shorter numbers; beside whole
    numbers what the digits have in common, ``2 x + 0.02 y = 2 (x + 0.01 y)``.  ``x + y/128`` stays:
    in a recurrence such denominators would multiply.
    """
    ratios = [c.as_integer_ratio() for c, _ in node.terms]
    decimals = [below % 5 == 0 for _, below in ratios]
    if not any(decimals):
        above, below = _shared(ratios)
        spread = below < LARGEST_DENOMINATOR or all(x == below for _, x in ratios)
        return _signed(_bounded(above, below if spread else 1), ratios)
    if all(decimals):
        return _signed(shared_decimal([c for c, _ in node.terms]), ratios)
    every = [_digits(above, below) for above, below in ratios]
    digits = gcd(*every) if all(every) else 1
    while digits % 5 == 0:
        digits //= 5
    return _signed(_bounded(digits, 1), ratios)


def shared_decimal(numbers: Sequence[Fraction], least: int = 1) -> Fraction:
    """The size of one of some decimals by which the others are shorter, 1 if there is none.

    By `least` signs each.

    >>> shared_decimal([Fraction("0.8"), Fraction("0.024")])  # 0.8 (x + 0.03 y)
    Fraction(4, 5)
    """
    if any(c.denominator % 5 for c in numbers):
        return ONE
    sizes = list(dict.fromkeys(map(abs, numbers)))
    found = [
        (sum(_size(c / one) for c in sizes), one)
        for one in sizes
        if all(_size(c / one) + least <= _size(c) for c in sizes if c is not one)
    ]
    return min(found)[1] if found else ONE


def _size(number: Fraction) -> int:
    """How long a number is as a decimal, its zeros not counted."""
    digits = _digits(*number.as_integer_ratio())
    if not digits:
        return ENDLESS
    return len(str(digits)) + (number.denominator > 1)


ENDLESS = 1000
"""The length of a decimal that has no end."""


def _shared(ratios: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The largest fraction that all of some are whole multiples of."""
    return gcd(*[above for above, _ in ratios]), lcm(*[below for _, below in ratios])


def _bounded(above: int, below: int) -> Fraction:
    whole = above == below == 1 or max(above, below) >= LARGEST_CONTENT
    return ONE if whole else Fraction(above, below)


def _signed(size: Fraction, ratios: Sequence[tuple[int, int]]) -> Fraction:
    negative = sum([above < 0 for above, _ in ratios])
    return -size if 2 * negative > len(ratios) else size


def _digits(above: int, below: int) -> int:
    """The digits of a decimal as a whole number, ``0.02`` as 2; 0 for what has no end."""
    twos = (below & -below).bit_length() - 1
    fives, rest = 0, below >> twos
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest > 1:
        return 0
    return int(Fraction(above * 10 ** max(twos, fives), below))
