"""Powers of products: parted into powers of their factors or pieces, and put together from them.

A piece of a product is what sums join, as ``A*y`` in ``x .* (A*y)``.  Products stand open beside
other factors, so that ``(A*x) .* (A*x)`` has four of them: equal pieces are found by their factors
and labels, and become one power.
"""

from __future__ import annotations

from tcalc.expr import build
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Apply, Const, Einsum, Node
from tcalc.expr.primitive import Fact, Labels
from tcalc.primitives.power import Power, power
from tcalc.simplify.engine import Trait, length, of_functions_of, of_products_having
from tcalc.simplify.flatten import contraction_in
from tcalc.simplify.parts import Parts, base_and_exponent, occurrences, parts_of, piece, pieces

LONGEST_OPENED = 4
"""The most factors of a product that is looked for beside a power of it."""


@of_functions_of(Power)
def reciprocal_of_quotient(node: Apply) -> Node | None:
    """``(x ./ y)^-p -> y^p ./ x^p`` for a whole p, where that is shorter.

    Example: ``1./(x./y) -> y./x``.
    """
    match node:
        case Apply(primitive=Power(exponent=p), args=(base,)) if p < 0 and p.denominator == 1:
            inner = _element_by_element(base)
            known = [base_and_exponent(x) for x in inner.factors] if inner is not None else []
            if inner is not None and any(q < 0 for _, q in known):
                new = [power(x, p * q) for x, q in known]
                opened = inner.replaced(range(len(new)), new, inner.rows).build()
                number = inner.coefficient ** (p.numerator - 1)
                return build.scale(number, opened) if length(opened) <= length(node) else None
    return None


@of_functions_of(Power)
def reciprocal_of_pieces(node: Apply) -> Node | None:
    """``1/(x .* (A*y)) -> 1./x .* 1./(A*y)`` for factors that no sum joins; roots of sizes too.

    The number of powers of products falls.
    Example: ``1/(x'*x*(y'*y)) -> 1/(x'*x) * 1/(y'*y)``, ``sqrt(x'*x/n) -> sqrt(x'*x)/sqrt(n)``.
    """
    match node:
        case Apply(primitive=Power(exponent=p), args=(base,)) if p == -1 or p.denominator != 1:
            parts = parts_of(base)
            ends = set(parts.output)
            if ends.issuperset(parts.dims) or len(ends) < len(parts.output):
                return None
            groups = pieces(parts, ends)
            if p.denominator != 1:
                sizes = [places for places in groups if _is_positive(parts, places)]
                rest = [k for places in groups if places not in sizes for k in places]
                groups = [*sizes, tuple(rest)] if rest else sizes
            found = [piece(parts, places, ends) for places in groups]
            number = power(build.const(parts.coefficient), p)
            if len(groups) > 1 and isinstance(number, Const):
                rows = [labels for _, labels in found]
                new = build.einsum([power(x, p) for x, _ in found], rows, parts.output)
                return build.scale(number.value, new)
    return None


def _is_positive(parts: Parts, places: tuple[int, ...]) -> bool:
    """Whether a piece of a product is a number that is known to be positive."""
    (k, *others) = places
    base = base_and_exponent(parts.factors[k])[0]
    return not (others or parts.rows[k]) and holds(base, Fact.POSITIVE) is True


@of_functions_of(Power)
def power_of_quotient(node: Apply) -> Node | None:
    """``(x/c)^p -> x^p/c^p`` for a whole p > 0 and a scalar c, so that like terms meet."""
    match node:
        case Apply(primitive=Power(exponent=p), args=(base,)) if p > 0 and p.denominator == 1:
            inner = _element_by_element(base)
            known = [base_and_exponent(x) for x in inner.factors] if inner is not None else []
            if inner is not None and any(q < 0 and not x.order for x, q in known):
                new = [power(x, p * q) for x, q in known]
                opened = inner.replaced(range(len(new)), new, inner.rows).build()
                return build.scale(inner.coefficient ** (p.numerator - 1), opened)
    return None


@of_functions_of(Power)
def power_of_roots(node: Apply) -> Node | None:
    """``(x .* sqrt(y))^p -> x^p .* y^(p/2)`` for an even p, and other roots that so become whole.

    The number of roots falls.  Example: ``(s*sqrt(2))^2 -> 2*s^2``.
    """
    match node:
        case Apply(primitive=Power(exponent=p), args=(base,)) if abs(p) > 1 and p.denominator == 1:
            inner = _element_by_element(base)
            known = [base_and_exponent(x) for x in inner.factors] if inner is not None else []
            roots = [q for _, q in known if q.denominator > 1]
            if inner is not None and any((p * q).denominator == 1 for q in roots):
                new = [power(x, p * q) for x, q in known]
                opened = inner.replaced(range(len(new)), new, inner.rows).build()
                return build.scale(inner.coefficient ** (p.numerator - 1), opened)
    return None


def _element_by_element(base: Node) -> Parts | None:
    """A product of several factors in which nothing is summed and nothing repeated."""
    inner = parts_of(base)
    labels = set(inner.output)
    if len(inner.factors) < 2 or len(labels) < len(inner.output):
        return None
    return inner if labels == set().union(*inner.rows) else None


@of_products_having(Power)
def product_over_itself(node: Einsum) -> Node | None:
    """``(A*x) .* (A*x)^p -> (A*x)^(p+1)`` for a product that stands open beside a power of itself.

    Example: ``x'*A*x/(x'*A*x)^2 -> 1/(x'*A*x)``, ``b'*((A*x)./(A*x)) -> sum(b)``.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        base, exponent = base_and_exponent(factor)
        opened = contraction_in(base) if base is not factor else None
        if opened is None or len(opened[1].factors) > LONGEST_OPENED:
            continue
        coefficient, core, output = opened
        if any(x not in parts.factors for x in core.factors):
            continue
        named = dict(zip(output, parts.rows[k], strict=True))
        for places in occurrences(parts, core, k):
            if _is_opened(parts, core, places, named):
                whole = parts.replaced((k, *places), (power(base, exponent + 1),), (parts.rows[k],))
                return build.scale(1 / coefficient, whole.build())
    return None


def _is_opened(parts: Parts, core: Einsum, places: tuple[int, ...], named: dict[int, int]) -> bool:
    """Whether the factors at these places are a core, its axes having these labels."""
    found = dict(named)
    for j, labels in zip(places, core.subscripts, strict=True):
        for label, here in zip(labels, parts.rows[j], strict=True):
            if found.setdefault(label, here) != here:
                return False
    inside = {found[label] for label in found if label not in named}
    if len(inside) < len(found) - len(named) or not inside.isdisjoint(parts.output):
        return False
    return all(inside.isdisjoint(row) for j, row in enumerate(parts.rows) if j not in places)


@of_products_having(Trait.REPEATED)
def equal_pieces(node: Einsum) -> Node | None:
    """``(Σ a) (Σ a) -> (Σ a)^2`` for numbers, and for vectors and matrices element by element.

    Of products that have been opened; not where two equal vectors meet in a number, ``x'*A'*A*x``.
    The number of factors falls.  Example: ``(A*x).*(A*x) -> (A*x).^2``.
    """
    parts = parts_of(node)
    output = set(parts.output)
    hubs = {x for x in parts.dims if parts.uses(x) > 2}
    for ends in (output, output | hubs) if hubs - output else (output,):
        known: dict[tuple[Node, Labels], tuple[int, ...]] = {}
        groups = [
            places
            for places in pieces(parts, ends)
            if not all(ends.issuperset(parts.rows[k]) for k in places)
        ]
        alike = [tuple(sorted([parts.factors[k].digest for k in places])) for places in groups]
        for places, key in zip(groups, alike, strict=True):
            if alike.count(key) == 1:
                continue
            found = piece(parts, places, ends)
            core, labels = found
            if found in known and (output or len(labels) != 1):
                both = (*known[found], *places)
                row = next((x for x in parts.rows if sorted(x) == [*labels]), labels)
                inside = [parts.rows[k] for k in places]
                core = build.einsum([parts.factors[k] for k in places], inside, row)
                square = power(core, 2)
                return parts.replaced(both, (square,), (row,)).build()
            known[found] = places
    return None


RULES = (
    reciprocal_of_quotient,
    reciprocal_of_pieces,
    power_of_quotient,
    power_of_roots,
    product_over_itself,
    equal_pieces,
)
