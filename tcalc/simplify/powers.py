"""Powers of one tensor: powers of them, of multiples and of what is 0 or 1, and those that meet.

The powers that meet in a product are collected, ``x^p .* x^q -> x^(p+q)``, with exponents that are
numbers or tensors; a power of a product is opened where its factors meet powers of theirs.
"""

from __future__ import annotations

from fractions import Fraction

from tcalc.expr import build
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Add, Apply, Const, Einsum, Node
from tcalc.expr.primitive import Fact
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.exponential import exp, log, log0, pow_
from tcalc.primitives.norms import Norm2
from tcalc.primitives.onehot import OneHot
from tcalc.primitives.piecewise import Where, step
from tcalc.primitives.power import Power, inverse_entries, power, reciprocal0
from tcalc.primitives.selection import Selection
from tcalc.simplify.coefficients import common_number, multiple
from tcalc.simplify.engine import Trait, length, of_functions, of_functions_of, of_products_having
from tcalc.simplify.flatten import open_sum
from tcalc.simplify.parts import Parts, base_and_exponent, parts_of, piece, pieces


@of_functions_of(Power)
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


@of_functions_of(Power)
def power_of_scaled(node: Apply) -> Node | None:
    """``(c x)^p -> c^p x^p`` where that is exact: a sign only for integers p.

    Example: ``(-2 x)^3 -> -8 x^3``, ``(2 x + 2 y)^-1 -> 1/2 (x + y)^-1``.
    """
    match node:
        case Apply(primitive=Power() as p, args=(Add() as base,)):
            c = common_number(base) if len(base.terms) > 1 else base.terms[0][0]
            exponent = p.exponent
            if c == 1 or (c < 0 and exponent.denominator != 1):
                return None
            folded = power(build.const(c), exponent)
            if not isinstance(folded, Const) or _grows(base, c, folded.value):
                return None
            return build.scale(folded.value, power(multiple(1 / c, base), exponent))
    return None


LARGEST_POWER = 1000
"""What the denominator of a power of a number stays below, where it is not there to be seen."""


def _grows(base: Add, number: Fraction, folded: Fraction) -> bool:
    """Whether the power of what the terms share is a large number, and a term gets longer by it.

    As ``(x + h*y/16)^3`` would be ``(16 x + h*y)^3/4096``: in a recurrence these numbers multiply.
    """
    if folded.denominator < LARGEST_POWER or number.denominator == 1:
        return False
    return any(c.denominator < number.denominator for c, _ in base.terms)


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


@of_products_having(Power)
def powers_of_multiple_collected(node: Einsum) -> Node | None:
    """``x^q .* (c x)^p -> c^-q .* (c x)^(p+q)`` for a number c > 0, exponents of either sign.

    Example: ``sqrt(2*pi)/pi -> 2/sqrt(2*pi)``.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        whole, p = base_and_exponent(factor)
        if p.denominator == 1 or not (isinstance(whole, Add) and len(whole.terms) == 1):
            continue
        ((c, x),) = whole.terms
        for j, other in enumerate(parts.factors):
            base, q = base_and_exponent(other)
            if (
                base is x
                and parts.rows[j] == parts.rows[k]
                and c > 0 > p * q
                and q.denominator == 1
            ):
                new = parts.replaced((k, j), (power(whole, p + q),), (parts.rows[k],))
                return build.scale(c**-q.numerator, new.build())
    return None


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


@of_functions_of(Power)
def power_of_variable_power(node: Apply) -> Node | None:
    """``(x^t)^p -> x^(p t)`` for a whole p."""
    match node:
        case Apply(primitive=Power(exponent=p), args=(Apply(primitive=inner) as base,)):
            if inner == pow_ and p.denominator == 1:
                x, t = base.args
                return pow_(x, multiple(p, t) if isinstance(t, Add) else build.scale(p, t))
    return None


@of_functions_of(Power)
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


@of_functions_of(Power)
def power_of_zero_or_one(node: Apply) -> Node | None:
    """``step(x)^p -> step(x)`` for p > 0, and so for a triangle of ones.

    Example: ``tril(ones(n,n)) .* tril(ones(n,n)) -> tril(ones(n,n))``.
    """
    match node:
        case Apply(primitive=Power(exponent=p), args=(Apply(primitive=inner) as base,)):
            if p > 0 and (inner == step or isinstance(inner, Selection | OneHot)):
                return base
    return None


@of_functions_of(reciprocal0, inverse_entries, log0)
def reciprocal_at_zero(node: Apply) -> Node | None:
    """``reciprocal0(x) -> x^-1, log0(x) -> log(x)``: what holds at 0 is not part of the formula.

    But it is of the distances of all pairs, which are 0 on the diagonal whatever the points are.
    Example: ``x * reciprocal0(norm2(x)) -> x / norm2(x)``.
    """
    if node.primitive in (reciprocal0, inverse_entries):
        return None if _is_zero_on_diagonal(node.args[0]) else power(node.args[0], -1)
    if node.primitive == log0:
        return log(node.args[0])
    return None


@of_functions
def as_written(node: Apply) -> Node | None:
    """Quotients and differences that primitives stand for so as to lose no digits.

    The number of such primitives falls.  Example: ``direction(x) -> x/norm2(x)``.
    """
    return node.primitive.written(node)


def _is_zero_on_diagonal(node: Node) -> bool:
    """Whether a matrix shows that it is 0 on its diagonal, as norms of ``X[i,:] - X[j,:]`` do."""
    axes, place = node.order, (0, 1)
    if axes != 2 or node.dims[0] is not node.dims[1]:
        return False
    while True:
        match node:
            case Add():
                row = tuple(0 if axis in place else axis + 2 for axis in range(node.order))
                kept = tuple(dict.fromkeys(row))
                on_it = build.add((c, build.einsum([x], [row], kept)) for c, x in node.terms)
                return isinstance(on_it, Const) and not on_it.value
            case Apply(primitive=Norm2(), args=(node,)):
                pass
            case Apply(primitive=Elementwise() as function, args=(node,)) if function.zero_at_zero:
                pass
            case Apply(primitive=Power(exponent=p), args=(node,)) if p > 0:
                pass
            case Einsum(factors=factors, subscripts=rows, output=output):
                ends = [output[axis] for axis in place]
                found = [k for k, row in enumerate(rows) if all(row.count(x) == 1 for x in ends)]
                if not found:
                    return False
                node, row = factors[found[0]], rows[found[0]]
                place = row.index(ends[0]), row.index(ends[1])
            case _:
                return False


RULES = (
    as_written,
    reciprocal_at_zero,
    power_of_power,
    power_of_scaled,
    power_of_number_choice,
    power_of_zero_or_one,
    powers_collected,
    powers_of_multiple_collected,
    power_of_product_opened,
    variable_powers_collected,
    power_of_variable_power,
)
