"""The numbers in sums: coefficients, and what all of them share."""

from __future__ import annotations

from fractions import Fraction
from math import gcd, lcm

from tcalc.expr import build
from tcalc.expr.nodes import Add, Node

LARGEST_CONTENT = 2**64
"""What the numerator and the denominator of a common number stay below."""


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
    above = gcd(*[numerator for numerator, _ in ratios])
    below = lcm(*[denominator for _, denominator in ratios])
    negative = sum([numerator < 0 for numerator, _ in ratios])
    whole = above == below == 1 or max(above, below) >= LARGEST_CONTENT
    size = ONE if whole else Fraction(above, below)
    return -size if 2 * negative > len(node.terms) else size
