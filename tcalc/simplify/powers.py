"""Rules for powers."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

from tcalc.expr import build
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Add, Apply, Const, Einsum, Node
from tcalc.expr.primitive import Fact
from tcalc.primitives.exponential import log, log0
from tcalc.primitives.norms import Norm2, norm2
from tcalc.primitives.piecewise import Where, step
from tcalc.primitives.power import Power, inverse_entries, power, reciprocal0
from tcalc.primitives.selection import Selection
from tcalc.simplify.coefficients import content, multiple
from tcalc.simplify.engine import of_functions, of_products, of_products_having
from tcalc.simplify.parts import base_and_exponent, parts_of

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


@of_products
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
        (base_and_exponent(factor)[0], row)
        for factor, row in zip(parts.factors, parts.rows, strict=True)
    }
    for k, (factor, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        base, exponent = base_and_exponent(factor)
        if base is factor or exponent.denominator != 1:
            continue
        inner = parts_of(base)
        alike = all(labels == inner.output for labels in inner.rows)
        bases = [base_and_exponent(x)[0] for x in inner.factors]
        if len(bases) > 1 and alike and any((x, row) in present for x in bases):
            new = [power(x, exponent) for x in inner.factors]
            opened = parts.replaced((k,), new, [row] * len(new)).build()
            return build.scale(inner.coefficient**exponent.numerator, opened)
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

    Example: ``sqrt(x'*x) -> norm2(x)``.
    """
    match node:
        case Apply(primitive=Power() as p, args=(Einsum(factors=(x, y), output=()) as core,)):
            first, second = core.subscripts
            plain = x is y and first == second and len(set(first)) == len(first) > 0
            if plain and p.exponent.denominator == 2:
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


RULES = (
    reciprocal_at_zero,
    power_of_power,
    power_of_scaled,
    power_of_number_choice,
    power_of_zero_or_one,
    powers_collected,
    power_of_product_opened,
    sum_of_squares,
    squares_over_norm,
    square_of_norm,
    root_of_squares,
)
