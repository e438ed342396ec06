"""Rules for quotients of sums one of which divides the other, as polynomials do.

The unknowns of the polynomials are whatever tensors are multiplied in the terms, element by
element: ``(x'*y)^2 - c^2`` is one in ``x'*y`` and c.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from fractions import Fraction
from operator import add, sub
from typing import TypeAlias

from tcalc.expr import build
from tcalc.expr.nodes import Add, Const, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.primitives.power import power
from tcalc.simplify.engine import length, of_products_having
from tcalc.simplify.parts import base_and_exponent, parts_of, piece, pieces

MOST_TERMS = 6
"""The most terms of a sum that is divided, or divides, and of the quotient."""

LARGEST_EXPONENT = 12
"""The largest exponent of an unknown: of ``x^13 - 1`` it is the whole power."""

Unknown: TypeAlias = tuple[Node, Labels]
"""A tensor with the axes of the whole that it has."""

Monomials: TypeAlias = Sequence[tuple[Fraction, Mapping[Unknown, int]]]
"""Coefficients, and the exponents of the unknowns."""

Polynomial: TypeAlias = Mapping[tuple[int, ...], Fraction]
"""Coefficients by the exponents of the unknowns."""


@of_products_having(Add)
def sum_over_its_divisor(node: Einsum) -> Node | None:
    """``(a^2 - b^2)/(a - b) -> a + b``, and ``(a - b)/(a^2 - b^2) -> 1/(a + b)``.

    For a sum that is another one times a third, and whole powers of both.  As of ``x./x``, of a
    quotient that is 0/0 for all values, on the diagonal of ``(A.^2 - A'.^2)./(A - A')``, there is
    no domain.
    Example: ``(x.^2 - 1)./(x + 1) -> x - 1``.
    """
    parts = parts_of(node)
    powers = [base_and_exponent(factor) for factor in parts.factors]
    sums = [
        (k, base, exponent.numerator, parts.rows[k])
        for k, (base, exponent) in enumerate(powers)
        if isinstance(base, Add) and len(base.terms) <= MOST_TERMS and exponent.denominator == 1
    ]
    above, below = ([x for x in sums if (x[2] > 0) == positive] for positive in (True, False))
    if not above or not below:
        return None
    terms = {u: _monomials(u) for _, u, _, _ in sums}
    unknowns = {u: {x for _, monomial in terms[u] for x in monomial} for u in terms}
    for j, u, p, row in above:
        for k, v, q, other in below:
            if row != other or len(row) != len(set(row)):
                continue
            # What divides has no unknown of its own.
            if not (unknowns[u] <= unknowns[v] or unknowns[v] <= unknowns[u]):
                continue
            divided = _divided(u, terms[u], terms[v], unknowns[u] | unknowns[v])
            if divided is not None:
                w, sign = divided
                times = min(p, -q)
                # u^p v^q = u^(p-t) v^(q+t) w^±t for u = v w^±1
                factors = power(u, p - times), power(v, q + times), power(w, sign * times)
                new = parts.replaced((j, k), factors, (row,) * 3).build()
                if length(new) < length(node):
                    return new
    return None


def _divided(
    u: Add, above: Monomials, below: Monomials, unknowns: Set[Unknown]
) -> tuple[Node, int] | None:
    """The sum w and the sign for ``u = v*w`` or ``u = v/w``, if there is one of few terms."""
    order = sorted(unknowns, key=lambda unknown: (unknown[0].digest, unknown[1]))
    first, second = (_polynomial(monomials, order) for monomials in (above, below))
    for sign, one, other in (1, first, second), (-1, second, first):
        quotient = _quotient(one, other)
        if quotient is not None:
            return _tensor(quotient, order, u), sign
    return None


def _monomials(node: Add) -> Monomials:
    """The terms of a sum as products of powers of tensors, element by element."""
    found: list[tuple[Fraction, dict[Unknown, int]]] = []
    for c, term in node.terms:
        parts = parts_of(term)
        axis = {label: k for k, label in enumerate(parts.output)}
        exponents: dict[Unknown, int] = {}
        for places in pieces(parts, parts.output):
            tensor, labels = piece(parts, places, parts.output)
            base, exponent = base_and_exponent(tensor)
            if not (exponent.denominator == 1 and 0 < exponent <= LARGEST_EXPONENT):
                base, exponent = tensor, Fraction(1)
            if not isinstance(base, Const):
                unknown = base, tuple(axis[label] for label in labels)
                exponents[unknown] = exponents.get(unknown, 0) + exponent.numerator
            else:
                c *= base.value
        found.append((c * parts.coefficient, exponents))
    return found


def _polynomial(monomials: Monomials, unknowns: Sequence[Unknown]) -> Polynomial:
    found: dict[tuple[int, ...], Fraction] = {}
    for c, monomial in monomials:
        exponents = tuple(monomial.get(unknown, 0) for unknown in unknowns)
        found[exponents] = found.get(exponents, Fraction(0)) + c
    return {exponents: c for exponents, c in found.items() if c}


def _quotient(above: Polynomial, below: Polynomial) -> Polynomial | None:
    """The polynomial that times the second is the first, if there is one of few terms."""
    rest = dict(above)
    found: dict[tuple[int, ...], Fraction] = {}
    lead = max(below, default=None)
    while rest and lead is not None:
        first = max(rest)
        exponents = tuple(map(sub, first, lead))
        if min(exponents, default=0) < 0 or len(found) == MOST_TERMS:
            return None
        c = found[exponents] = rest[first] / below[lead]
        for other, d in below.items():
            at = tuple(map(add, exponents, other))
            left = rest.get(at, Fraction(0)) - c * d
            if left:
                rest[at] = left
            else:
                rest.pop(at, None)
    return found or None


def _tensor(polynomial: Polynomial, unknowns: Sequence[Unknown], like: Node) -> Node:
    """A polynomial as a tensor with the axes of another."""
    axes = tuple(range(like.order))
    dims = dict(enumerate(like.dims))
    terms: list[tuple[Fraction, Node]] = []
    for exponents, c in polynomial.items():
        used = [(x, k, row) for (x, row), k in zip(unknowns, exponents, strict=True) if k]
        factors = [power(x, k) for x, k, _ in used]
        terms.append((c, build.einsum(factors, [row for _, _, row in used], axes, dims)))
    return build.add(terms)


RULES = (sum_over_its_divisor,)
