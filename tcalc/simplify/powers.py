"""Rules for powers."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

from tcalc.expr import build
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Add, Apply, Const, Einsum, Node
from tcalc.expr.primitive import Fact, Labels
from tcalc.primitives.exponential import exp, log, log0, pow_
from tcalc.primitives.norms import Norm2, norm2
from tcalc.primitives.piecewise import Where, step
from tcalc.primitives.power import Power, inverse_entries, power, reciprocal0
from tcalc.primitives.selection import Selection
from tcalc.simplify.coefficients import content, multiple
from tcalc.simplify.engine import Trait, length, of_functions, of_products_having
from tcalc.simplify.flatten import contraction_in, open_sum
from tcalc.simplify.parts import (
    Parts,
    base_and_exponent,
    occurrences,
    parts_of,
    piece,
    pieces,
)

HALF = Fraction(1, 2)


@of_functions
def power_of_power(node: Apply) -> Node | None:
    """``(x^p)^q -> x^(p q)``, unless an even power hides a sign.

    Example: ``(x^-1)^2 -> x^-2``; but ``(x^2)^(1/2)`` stays.
    """
    match node:
        case Apply(primitive=Power() as outer, args=(Apply(primitive=Power() as inner) as base,)):
            x = base.args[0]
            hides = inner.exponent.denominator == 1 and inner.exponent.numerator % 2 == 0
            safe = outer.exponent.denominator == 1 or not hides or holds(x, Fact.NONNEGATIVE)
            return power(x, inner.exponent * outer.exponent) if safe else None
    return None


@of_functions
def power_of_scaled(node: Apply) -> Node | None:
    """``(c x)^p -> c^p x^p`` where that is exact: a sign only for integers p.

    Example: ``(-2 x)^3 -> -8 x^3``, ``(2 x + 2 y)^-1 -> 1/2 (x + y)^-1``.
    """
    match node:
        case Apply(primitive=Power() as p, args=(Add() as base,)):
            c = content(base) if len(base.terms) > 1 else base.terms[0][0]
            exponent = p.exponent
            if c == 1 or (c < 0 and exponent.denominator != 1):
                return None
            folded = power(build.const(c), exponent)
            if not isinstance(folded, Const):
                return None
            return build.scale(folded.value, power(multiple(1 / c, base), exponent))
    return None


@of_products_having(Trait.REPEATED)
def powers_collected(node: Einsum) -> Node | None:
    """``x^p .* x^q -> x^(p+q)`` at the same labels, scalar products ``x'*x`` excepted.

    Example: ``x .* x.^2 -> x.^3``, ``a * a^-1 -> 1``, ``diag(A) ./ diag(A) -> ones``.
    """
    parts = parts_of(node)
    seen: dict[tuple[Node, tuple[int, ...]], int] = {}
    for k, (factor, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        base, exponent = base_and_exponent(factor)
        core, inner = _diagonal_opened(base, row)
        first = seen.setdefault((core, inner), k)
        if first == k:
            continue
        other = base_and_exponent(parts.factors[first])[1]
        free = [parts.uses(label) == 2 for label in row if label not in node.output]
        if free and all(free) and exponent == other == 1:
            continue
        labels = tuple(dict.fromkeys(inner))
        if len(labels) == len(inner):
            new = power(base, exponent + other)
        else:
            new = power(build.einsum([core], [inner], labels), exponent + other)
            row = labels
        return parts.replaced((first, k), (new,), (row,)).build()
    return None


def _diagonal_opened(base: Node, row: tuple[int, ...]) -> tuple[Node, tuple[int, ...]]:
    """A diagonal ``diag(A)[i]`` as ``A[i,i]``, anything else as it is."""
    if isinstance(base, Einsum) and base.is_view and len(base.factors) == 1:
        (core,), (inner,) = base.factors, base.subscripts
        if len(set(inner)) < len(inner) and set(inner) == set(base.output):
            named = dict(zip(base.output, row, strict=True))
            return core, tuple(named[label] for label in inner)
    return base, row


@of_products_having(Power)
def power_of_product_opened(node: Einsum) -> Node | None:
    """``x (x y)^p -> x x^p y^p`` element by element, for a whole p: where powers then meet.

    Example: ``norm2(y) / (norm2(x) norm2(y))^2 -> 1 / (norm2(x)^2 norm2(y))``.
    """
    parts = parts_of(node)
    present = {
        (_met_by(base_and_exponent(factor)[0]), row)
        for factor, row in zip(parts.factors, parts.rows, strict=True)
    }
    for k, (factor, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        base, exponent = base_and_exponent(factor)
        inner = _in_pieces(base) if base is not factor else None
        if inner is None or exponent.denominator != 1:
            continue
        named = dict(zip(inner.output, row, strict=True))
        rows = [tuple(named[label] for label in labels) for labels in inner.rows]
        bases = [base_and_exponent(x)[0] for x in inner.factors]
        if any(
            (_met_by(x), at) in present or _stands_open(parts, x)
            for x, at in zip(bases, rows, strict=True)
        ):
            new = [power(x, exponent) for x in inner.factors]
            opened = parts.replaced((k,), new, rows).build()
            return build.scale(inner.coefficient**exponent.numerator, opened)
    return None


def _stands_open(parts: Parts, base: Node) -> bool:
    """Whether a product may stand open among the factors of another one."""
    return isinstance(base, Einsum) and not base.is_view and set(base.factors) <= set(parts.factors)


def _in_pieces(base: Node) -> Parts | None:
    """A product as one of the pieces that no sum joins, if there are several."""
    inner = parts_of(base)
    ends = set(inner.output)
    groups = pieces(inner, ends) if len(ends) == len(inner.output) else []
    if len(groups) < 2:
        return None
    found = [piece(inner, places, ends) for places in groups]
    factors, rows = zip(*found, strict=True)
    return Parts(inner.coefficient, factors, rows, inner.output, inner.dims)


def _met_by(base: Node) -> object:
    """What the powers of a base can be collected with: all exponentials are powers of one."""
    return exp if isinstance(base, Apply) and base.primitive == exp else base


@of_products_having(pow_)
def variable_powers_collected(node: Einsum) -> Node | None:
    """``x^t .* x^q -> x^(t+q)`` where that is shorter, for an exponent t that is no number.

    Example: ``x.^(a - 1).*x -> x.^a``, ``x.^(a - 1)./x -> x.^(a - 2)``.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if not (isinstance(factor, Apply) and factor.primitive == pow_):
            continue
        x, t = factor.args
        for j, other in enumerate(parts.factors):
            base, q = base_and_exponent(other)
            if j == k or parts.rows[j] != parts.rows[k]:
                continue
            if base is x:
                more: Node = build.const(q, t.dims)
            elif isinstance(other, Apply) and other.primitive == pow_ and other.args[0] is x:
                more = other.args[1]
            else:
                continue
            total = build.sum_of(t, more)
            total = open_sum(total) if isinstance(total, Add) else total
            new = power(x, total.value) if isinstance(total, Const) else pow_(x, total)
            if length(new) < length(factor) + length(other):
                return parts.replaced((k, j), (new,), (parts.rows[k],)).build()
    return None


@of_functions
def power_of_variable_power(node: Apply) -> Node | None:
    """``(x^t)^p -> x^(p t)`` for a whole p."""
    match node:
        case Apply(primitive=Power(exponent=p), args=(Apply(primitive=inner) as base,)):
            if inner == pow_ and p.denominator == 1:
                x, t = base.args
                return pow_(x, multiple(p, t) if isinstance(t, Add) else build.scale(p, t))
    return None


@of_functions
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


@of_functions
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


@of_functions
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


LONGEST_OPENED = 4
"""The most factors of a product that is looked for beside a power of it."""


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


@of_products_having(Power)
def sum_of_squares(node: Einsum) -> Node | None:
    """``Σ x[i]^2 -> Σ x[i] x[i]``, which is written ``x'*x`` or ``norm2(x)^2``, in any product.

    Example: ``sum(x.^2)/c -> x'*x/c``.
    """
    parts = parts_of(node)
    for k, (factor, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        base, exponent = base_and_exponent(factor)
        alone = row and all(parts.uses(x) == 1 and x not in parts.output for x in row)
        if exponent == 2 and alone and len(set(row)) == len(row):
            return parts.replaced((k,), (base, base), (row, row)).build()
    return None


@of_products_having(Norm2)
def squares_over_norm(node: Einsum) -> Node | None:
    """``x'*x norm2(x)^p -> norm2(x)^(p+2)``.

    Example: ``x'*x/norm2(x)^3 -> 1/norm2(x)``.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        norm, exponent = base_and_exponent(factor)
        if norm.order or not (isinstance(norm, Apply) and isinstance(norm.primitive, Norm2)):
            continue
        (x,) = norm.args
        places = [j for j, other in enumerate(parts.factors) if other is x]
        for a, b in combinations(places, 2):
            row = parts.rows[a]
            alone = all(parts.uses(label) == 2 and label not in parts.output for label in row)
            if row == parts.rows[b] and alone and len(set(row)) == len(row):
                return parts.replaced((k, a, b), (power(norm, exponent + 2),), ((),)).build()
    return None


@of_functions
def square_of_norm(node: Apply) -> Node | None:
    """``norm2(x)^2 -> x'*x`` over the last axes.

    Example: ``norm2(x)^2 -> x'*x``.
    """
    match node:
        case Apply(primitive=Power() as p, args=(Apply(primitive=Norm2() as n) as norm,)):
            if p.exponent != 2:
                return None
            (x,) = norm.args
            axes = tuple(range(x.order))
            return build.einsum([x, x], [axes, axes], axes[: x.order - n.axes])
    return None


@of_functions
def power_of_number_choice(node: Apply) -> Node | None:
    """``where(c, a, b)^p -> where(c, a^p, b^p)`` for numbers a and b.

    Example: ``where(c, 1, 0)^2 -> where(c, 1, 0)``.
    """
    match node:
        case Apply(primitive=Power() as p, args=(Apply(primitive=Where()) as choice,)):
            left, right, yes, no = choice.args
            folded = [power(x, p.exponent) for x in (yes, no) if isinstance(x, Const)]
            if len(folded) == 2 and all(isinstance(x, Const) for x in folded):
                return build.apply(choice.primitive, left, right, *folded)
    return None


@of_functions
def power_of_zero_or_one(node: Apply) -> Node | None:
    """``step(x)^p -> step(x)`` for p > 0, and so for a triangle of ones.

    Example: ``tril(ones(n,n)) .* tril(ones(n,n)) -> tril(ones(n,n))``.
    """
    match node:
        case Apply(primitive=Power(exponent=p), args=(Apply(primitive=inner) as base,)):
            if p > 0 and (inner == step or isinstance(inner, Selection)):
                return base
    return None


@of_functions
def root_of_squares(node: Apply) -> Node | None:
    """``(x'*x)^(p/2) -> norm2(x)^p`` for odd p.

    Example: ``sqrt(x'*x) -> norm2(x)``, ``sqrt(sum(x.^2)) -> norm2(x)``.
    """
    match node:
        case Apply(primitive=Power() as p, args=(Einsum(output=()) as core,)):
            if p.exponent.denominator != 2:
                return None
            match core.factors:
                case (x, y) if x is y and core.subscripts[0] == core.subscripts[1]:
                    pass
                case (Apply(primitive=Power(exponent=Fraction(numerator=2)), args=(x,)) as square,):
                    if base_and_exponent(square)[1] != 2:
                        return None
                case _:
                    return None
            if len(set(core.subscripts[0])) == x.order > 0:
                return power(norm2(x, x.order), 2 * p.exponent)
    return None


@of_functions
def reciprocal_at_zero(node: Apply) -> Node | None:
    """``reciprocal0(x) -> x^-1, log0(x) -> log(x)``: what holds at 0 is not part of the formula.

    Example: ``x * reciprocal0(norm2(x)) -> x / norm2(x)``.
    """
    if node.primitive in (reciprocal0, inverse_entries):
        return power(node.args[0], -1)
    if node.primitive == log0:
        return log(node.args[0])
    return None


@of_functions
def as_written(node: Apply) -> Node | None:
    """Quotients and differences that primitives stand for so as to lose no digits.

    The number of such primitives falls.  Example: ``direction(x) -> x/norm2(x)``.
    """
    return node.primitive.written(node)


RULES = (
    as_written,
    reciprocal_at_zero,
    power_of_power,
    power_of_scaled,
    power_of_number_choice,
    power_of_zero_or_one,
    powers_collected,
    power_of_product_opened,
    variable_powers_collected,
    power_of_variable_power,
    reciprocal_of_quotient,
    reciprocal_of_pieces,
    power_of_quotient,
    product_over_itself,
    equal_pieces,
    sum_of_squares,
    squares_over_norm,
    square_of_norm,
    root_of_squares,
)
