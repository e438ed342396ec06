"""Symbolic dimensions.

A dimension is a polynomial with integer coefficients in named sizes: ``m``, ``3``, ``m*n``,
``n - 1``.  Thin factorisations need the smaller of two sizes, so ``min(m, n)`` is an atom too.
Equal polynomials are one object, as nodes are: shapes are compared and looked up very often.  The
textual form is canonical, so that it can serve in digests.

>>> m, n = Dim.of("m"), Dim.of("n")
>>> str(m * n - 1), str(n + n), (m + 2).evaluate({"m": 5})
('m*n - 1', '2*n', 7)
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias
from weakref import WeakValueDictionary

from tcalc.expr.forks import free_in_forks

Monomial: TypeAlias = tuple[str, ...]

_lock = free_in_forks(threading.RLock())


class Dim:
    """The size of one axis, exact and symbolic; immutable.

    Make one with `Dim.of`, combine with ``+ - *``, and put numbers in with `evaluate`.
    """

    __slots__ = ("__weakref__", "_atoms", "_terms", "_text")

    _terms: tuple[tuple[Monomial, int], ...]
    _atoms: dict[str, tuple[Dim, Dim]]  # the text of a minimum -> its two arguments
    _text: str

    def __new__(
        cls, terms: Mapping[Monomial, int], atoms: Mapping[str, tuple[Dim, Dim]] | None = None
    ) -> Dim:
        kept = {monomial: c for monomial, c in terms.items() if c != 0}
        ordered = tuple(sorted(kept.items(), key=lambda item: (-len(item[0]), item[0])))
        with _lock:
            known = _table.get(ordered)
            if known is not None:
                return known
            self = super().__new__(cls)
            used = {name for monomial in kept for name in monomial}
            self._terms = ordered
            self._atoms = {name: pair for name, pair in (atoms or {}).items() if name in used}
            self._text = _text_of(ordered)
            _table[ordered] = self
            return self

    @staticmethod
    def of(value: str | int | Dim) -> Dim:
        """The dimension of a given name or number."""
        return value if isinstance(value, Dim) else _atom(value)

    @staticmethod
    def minimum(left: Dim, right: Dim) -> Dim:
        """The smaller of two dimensions, evaluated where both are numbers.

        >>> str(Dim.minimum(Dim.of("n"), Dim.of("m")))
        'min(m, n)'
        """
        if left == right:
            return left
        if left.value is not None and right.value is not None:
            return Dim.of(min(left.value, right.value))
        first, second = sorted((left, right), key=str)
        atom = f"min({first}, {second})"
        return Dim({(atom,): 1}, {**first._atoms, **second._atoms, atom: (first, second)})

    @property
    def value(self) -> int | None:
        """The number, if the dimension is one."""
        if not self._terms:
            return 0
        if len(self._terms) == 1 and self._terms[0][0] == ():
            return self._terms[0][1]
        return None

    @property
    def is_name(self) -> bool:
        """Whether the dimension is a single name."""
        return (
            len(self._terms) == 1
            and self._terms[0][1] == 1
            and len(self._terms[0][0]) == 1
            and not self._atoms
        )

    @property
    def degree(self) -> int:
        """The total degree of the polynomial: how the size grows when all names do."""
        return max((len(monomial) for monomial, _ in self._terms), default=0)

    @property
    def terms(self) -> tuple[tuple[Monomial, int], ...]:
        """Monomials, as sorted tuples of names and minima, with coefficients; by degree."""
        return self._terms

    def of_degree(self, degree: int) -> Dim:
        """The terms of one total degree."""
        return Dim({m: c for m, c in self._terms if len(m) == degree}, self._atoms)

    def divided(self, number: int) -> Dim:
        """The polynomial over a number that divides all its coefficients."""
        return Dim({monomial: c // number for monomial, c in self._terms}, self._atoms)

    @staticmethod
    def total(terms: Iterable[tuple[int, Dim]]) -> Dim:
        """The sum of multiples, in time linear in all their terms.

        >>> str(Dim.total([(2, Dim.of("m")), (3, Dim.of("n")), (-1, Dim.of("m"))]))
        'm + 3*n'
        """
        found: dict[Monomial, int] = {}
        atoms: dict[str, tuple[Dim, Dim]] = {}
        for factor, dim in terms:
            atoms.update(dim._atoms)
            for monomial, c in dim._terms:
                found[monomial] = found.get(monomial, 0) + factor * c
        return Dim(found, atoms)

    def names(self) -> frozenset[str]:
        """The names that occur, those inside minima included."""
        found: set[str] = set()
        for monomial, _ in self._terms:
            for name in monomial:
                pair = self._atoms.get(name)
                found |= {name} if pair is None else pair[0].names() | pair[1].names()
        return frozenset(found)

    def substitute(self, values: Mapping[str, Dim]) -> Dim:
        """The dimension with names replaced; names without a replacement stay."""
        total = Dim.of(0)
        for monomial, coefficient in self._terms:
            product = Dim.of(coefficient)
            for name in monomial:
                product = product * self._replace(name, values)
            total = total + product
        return total

    def _replace(self, name: str, values: Mapping[str, Dim]) -> Dim:
        pair = self._atoms.get(name)
        if pair is not None:
            return Dim.minimum(pair[0].substitute(values), pair[1].substitute(values))
        return values.get(name, Dim({(name,): 1}))

    def evaluate(self, sizes: Mapping[str, int]) -> int:
        """The number for given sizes of all names; raises `KeyError` for a name without one."""
        total = 0
        for monomial, coefficient in self._terms:
            for name in monomial:
                pair = self._atoms.get(name)
                if pair is None:
                    coefficient *= sizes[name]
                else:
                    coefficient *= min(pair[0].evaluate(sizes), pair[1].evaluate(sizes))
            total += coefficient
        return total

    def __add__(self, other: Dim | int) -> Dim:
        other = Dim.of(other)
        terms = dict(self._terms)
        for monomial, coefficient in other._terms:
            terms[monomial] = terms.get(monomial, 0) + coefficient
        return Dim(terms, {**self._atoms, **other._atoms})

    def __neg__(self) -> Dim:
        return Dim({monomial: -c for monomial, c in self._terms}, self._atoms)

    def __sub__(self, other: Dim | int) -> Dim:
        return self + -Dim.of(other)

    def __mul__(self, other: Dim | int) -> Dim:
        other = Dim.of(other)
        terms: dict[Monomial, int] = {}
        for left, a in self._terms:
            for right, b in other._terms:
                monomial = tuple(sorted(left + right))
                terms[monomial] = terms.get(monomial, 0) + a * b
        return Dim(terms, {**self._atoms, **other._atoms})

    __radd__ = __add__
    __rmul__ = __mul__

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Dim({self._text})"

    def __reduce__(self) -> tuple[object, ...]:
        return (Dim, (dict(self._terms), self._atoms))


_table: WeakValueDictionary[tuple[tuple[Monomial, int], ...], Dim] = WeakValueDictionary()


@lru_cache(maxsize=4096, typed=True)
def _atom(value: str | int) -> Dim:
    """A name or a number."""
    return Dim({(): value}) if isinstance(value, int) else Dim({(value,): 1})


Shape: TypeAlias = tuple[Dim, ...]


def shape(*dims: str | int | Dim) -> Shape:
    """A shape from names and numbers.

    >>> [str(d) for d in shape("m", 3)]
    ['m', '3']
    """
    return tuple(Dim.of(d) for d in dims)


def product(dims: Iterable[Dim]) -> Dim:
    """The number of elements of a tensor with these dimensions."""
    total = Dim.of(1)
    for dim in dims:
        total = total * dim
    return total


def _text_of(terms: tuple[tuple[Monomial, int], ...]) -> str:
    if not terms:
        return "0"
    parts: list[str] = []
    for monomial, coefficient in as_read(terms):
        sign = "-" if coefficient < 0 else "+"
        magnitude = abs(coefficient)
        if monomial and magnitude == 1:
            body = "*".join(monomial)
        else:
            body = "*".join((str(magnitude), *monomial))
        if parts:
            parts.append(f" {sign} {body}")
        else:
            parts.append(body if sign == "+" else f"-{body}")
    return "".join(parts)


def as_read(terms: Sequence[tuple[Monomial, int]]) -> list[tuple[Monomial, int]]:
    """Terms in the order of reading: a sum begins with what is not subtracted, if it can.

    >>> Dim.of("n") - Dim.of("m") + 1
    Dim(n - m + 1)
    """
    first = next((k for k, (monomial, c) in enumerate(terms) if c > 0 and monomial), 0)
    return [terms[first], *terms[:first], *terms[first + 1 :]]
