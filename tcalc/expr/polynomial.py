"""Polynomials in the dimensions, with rational coefficients: what a computation costs.

A Cholesky factorisation takes ``n^3/3`` operations, which no `Dim` can say; so a polynomial is a
`Dim` over a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import groupby
from math import gcd, lcm
from typing import TypeAlias

from tcalc.expr.dims import Dim, Monomial

Term: TypeAlias = "Polynomial | Dim | Fraction | int"


class Polynomial:
    """A polynomial with rational coefficients in named sizes; immutable.

    >>> n = Polynomial.of(Dim.of("n"))
    >>> print(n**3 / 3 + 2 * n**2 - 1)
    n^3/3 + 2*n^2 - 1
    """

    __slots__ = ("_denominator", "_numerator")

    def __init__(self, numerator: Dim, denominator: int = 1) -> None:
        common = gcd(denominator, *(c for _, c in numerator.terms))
        if common > 1:
            numerator = numerator.divided(common)
        self._numerator = numerator
        self._denominator = denominator // common

    @staticmethod
    def of(value: Term) -> Polynomial:
        """A number or a dimension as a polynomial."""
        if isinstance(value, Polynomial):
            return value
        if isinstance(value, Fraction):
            return Polynomial(Dim.of(value.numerator), value.denominator)
        return Polynomial(Dim.of(value))

    @staticmethod
    def total(terms: Iterable[tuple[int, Polynomial]]) -> Polynomial:
        """The sum of multiples, in time linear in all their terms.

        >>> m, n = (Polynomial.of(Dim.of(name)) for name in "mn")
        >>> print(Polynomial.total([(2, m * n), (3, n / 6)]))
        2*m*n + n/2
        """
        kept = list(terms)
        denominator = lcm(*(p._denominator for _, p in kept))
        scaled = ((c * (denominator // p._denominator), p._numerator) for c, p in kept)
        return Polynomial(Dim.total(scaled), denominator)

    @property
    def terms(self) -> tuple[tuple[Monomial, Fraction], ...]:
        """Monomials, as tuples of names, with coefficients; leading ones first.

        The order is by degree, then by coefficient, then by name.
        """
        found = [(m, Fraction(c, self._denominator)) for m, c in self._numerator.terms]
        return tuple(sorted(found, key=lambda item: (-len(item[0]), -item[1], item[0])))

    @property
    def leading(self) -> Polynomial:
        """The terms of the highest degree."""
        degree = self._numerator.degree
        return Polynomial(self._numerator.of_degree(degree), self._denominator)

    def names(self) -> frozenset[str]:
        """The names of the sizes that occur."""
        return self._numerator.names()

    def coefficient(self, *names: str) -> Fraction:
        """The coefficient of a monomial, given as its names: ``coefficient("m", "n", "n")``."""
        return dict(self.terms).get(tuple(sorted(names)), Fraction(0))

    def evaluate(self, sizes: Mapping[str, int]) -> int:
        """The number for given sizes, to the nearest integer; `KeyError` for a missing one."""
        return round(Fraction(self._numerator.evaluate(sizes), self._denominator))

    def __add__(self, other: Term) -> Polynomial:
        return Polynomial.total([(1, self), (1, Polynomial.of(other))])

    def __neg__(self) -> Polynomial:
        return Polynomial(-self._numerator, self._denominator)

    def __sub__(self, other: Term) -> Polynomial:
        return Polynomial.total([(1, self), (-1, Polynomial.of(other))])

    def __rsub__(self, other: Term) -> Polynomial:
        return Polynomial.of(other) - self

    def __mul__(self, other: Term) -> Polynomial:
        right = Polynomial.of(other)
        return Polynomial(
            self._numerator * right._numerator, self._denominator * right._denominator
        )

    def __truediv__(self, other: Fraction | int) -> Polynomial:
        return self * (1 / Fraction(other))

    def __pow__(self, exponent: int) -> Polynomial:
        result = Polynomial.of(1)
        for _ in range(exponent):
            result = result * self
        return result

    __radd__ = __add__
    __rmul__ = __mul__

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Polynomial)
            and self._numerator == other._numerator
            and self._denominator == other._denominator
        )

    def __hash__(self) -> int:
        return hash((self._numerator, self._denominator))

    def text(self, most: int | None = None) -> str:
        """The polynomial, leading terms first; of more than `most` terms the rest as dots."""
        parts = [(c < 0, _text(monomial, abs(c))) for monomial, c in self.terms]
        if not parts:
            return "0"
        (negative, first), *rest = parts[:most]
        tail = "".join(f" {'-' if minus else '+'} {text}" for minus, text in rest)
        dots = " + ..." if most is not None and len(parts) > most else ""
        return f"{'-' if negative else ''}{first}{tail}{dots}"

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"Polynomial({self})"

    def __reduce__(self) -> tuple[object, ...]:
        return (Polynomial, (self._numerator, self._denominator))


def _text(monomial: Monomial, coefficient: Fraction) -> str:
    powers = [(name, len(list(same))) for name, same in groupby(monomial)]
    factors = [name if power == 1 else f"{name}^{power}" for name, power in powers]
    if coefficient.numerator != 1 or not factors:
        factors.insert(0, str(coefficient.numerator))
    over = "" if coefficient.denominator == 1 else f"/{coefficient.denominator}"
    return "*".join(factors) + over
