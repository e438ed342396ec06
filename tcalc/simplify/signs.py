"""Rules for functions with kinks: signs, absolute values and rectified numbers that meet.

What holds at a kink by convention is not part of the formula: ``sign(x)^2 abs(x)^p`` is written
``abs(x)^p``, which is its limit at 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations

from tcalc.expr import build
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Add, Apply, Const, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.expr.symmetry import parity
from tcalc.expr.traverse import rebuild
from tcalc.primitives.absolute_powers import absolute_power, scaled_even_power
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.exponential import pow_
from tcalc.primitives.hyperbolic import asinh, atanh, cosh, sinh, tanh
from tcalc.primitives.normal import erf, normpdf
from tcalc.primitives.piecewise import abs_, maximum, minimum, relu, sign, step
from tcalc.primitives.power import Power, power
from tcalc.primitives.trigonometric import asin, atan, cos, sin, tan
from tcalc.simplify.coefficients import common_number, content, multiple
from tcalc.simplify.common_factors import common_factor
from tcalc.simplify.engine import (
    of_functions,
    of_functions_of,
    of_products_having,
    of_sums_having,
    of_views,
)
from tcalc.simplify.flatten import is_contraction
from tcalc.simplify.parts import Parts, base_and_exponent, parts_of
from tcalc.simplify.sums import is_balanced

ODD = (sign, sin, tan, asin, atan, sinh, tanh, asinh, atanh, erf)
EVEN = (abs_, cos, cosh, normpdf)


@of_functions
def function_of_negative(node: Apply) -> Node | None:
    """``sin(-x) -> -sin(x)``, ``cos(-x) -> cos(x)`` for odd and for even functions.

    Where most signs are minus.  Example: ``sign(-x - y) -> -sign(x + y)``.
    """
    match node:
        case Apply(primitive=function, args=(Add() as x,)) if function in ODD or function in EVEN:
            if content(x) < 0:
                turned = build.apply(function, multiple(Fraction(-1), x))
                return build.scale(-1, turned) if function in ODD else turned
    return None


@of_functions_of(sign, step, abs_, relu)
def function_of_multiple(node: Apply) -> Node | None:
    """``sign(2*x) -> sign(x)``, the same for `step`; ``abs(2*x) -> 2*abs(x)``, and for `relu`.

    For positive numbers, which terms may share.  The number of numbers in these functions falls.
    """
    match node:
        case Apply(primitive=function, args=(Add() as x,)):
            number = abs(common_number(x) if len(x.terms) > 1 else x.terms[0][0])
            if number != 1:
                new = build.apply(function, multiple(1 / number, x))
                return build.scale(number, new) if function in (abs_, relu) else new
    return None


@of_views
def transpose_of_antisymmetric(node: Einsum) -> Node | None:
    """``sin(A - A')' -> -sin(A - A')``, and for other odd and even functions.

    The same for products of these and symmetric matrices, and for any two axes of a tensor.  The
    number of transposes falls.  Example: ``(S.*cos(x*1' - 1*x'))' -> S.*cos(x*1' - 1*x')``.
    """
    factor, axes = node.factors[0], node.subscripts[0]
    if len(node.factors) != 1 or factor.dims != node.dims:
        return None
    pairs = [(i, j) for i, j in zip(axes, node.output, strict=True) if i != j]
    if len(pairs) != 2 or pairs[0] != pairs[1][::-1]:
        return None
    if is_contraction(factor):
        factors, rows, output = factor.factors, factor.subscripts, factor.output
    else:
        output = tuple(range(factor.order))
        factors, rows = (factor,), (output,)
    first, second = (output[axes.index(label)] for label in pairs[0])
    sign = 1
    for x, row in zip(factors, rows, strict=True):
        # The diagonal of a symmetric matrix stands along one axis alone.
        times = row.count(first), row.count(second)
        if times == (1, 1):
            sign *= _sign_under_exchange(x, row.index(first), row.index(second))
        elif times != (0, 0):
            return None
    return build.scale(sign, factor) if sign else None


@of_products_having(*ODD, *EVEN)
def antisymmetric_turned(node: Einsum) -> Node | None:
    """``A[i,j] sin(B - B')[j,i] -> -A[i,j] sin(B - B')[i,j]``: the axis of the result comes first.

    Antisymmetric sums beside such functions too.  The number of factors that lie transposed falls.
    Example: ``diag(A*sin(x*1' - 1*x')) -> -(A.*sin(x*1' - 1*x'))*1``.
    """
    parts = parts_of(node)
    for k, (factor, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        if len(row) == 2 and _lies_transposed(row, parts.output):
            sign = None if symmetric_axes(factor) else _sign_under_transposition(factor)
            if sign is not None:
                turned = parts.replaced((k,), (factor,), (row[::-1],)).build()
                return build.scale(sign, turned)
    return None


@of_products_having(Add, *ODD, *EVEN)
def differences_turned(node: Einsum) -> Node | None:
    """``a[j] (X[j,k] - X[i,k]) -> -a[j] (X[i,k] - X[j,k])``: the axis of the result comes first.

    For tensors of order three and more that change their sign, or even functions of such tensors.
    The number of pairs of axes that lie transposed falls.
    """
    return _turned(parts_of(node)) if any(x.order > 2 for x in node.factors) else None


@of_sums_having(Add)
def common_difference(node: Add) -> Node | None:
    """``A[i,j] (x[i,k] - x[j,k]) + A[j,i] (x[j,k] - x[i,k]) -> (A - A')[i,j] (x[i,k] - x[j,k])``.

    Where a factor lies transposed in one of the terms, and with it turned around is common to them.
    """
    if node.order < 3:
        return None
    new = build.add((c, _turned(parts_of(term)) or term) for c, term in node.terms)
    return common_factor(new) if isinstance(new, Add) and new is not node else None


def _turned(parts: Parts) -> Node | None:
    """A product with a factor turned around that lies transposed, if there is one."""
    for k, (factor, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        if factor.order < 3:
            continue
        for i, j in combinations(range(factor.order), 2):
            if not _lies_transposed((row[i], row[j]), parts.output):
                continue
            sign = _sign_under_exchange(factor, i, j)
            if sign == -1 or (sign and isinstance(factor, Apply)):
                turned = list(row)
                turned[i], turned[j] = row[j], row[i]
                new = parts.replaced((k,), (factor,), (tuple(turned),)).build()
                return build.scale(sign, new)
    return None


def _lies_transposed(row: Labels, output: Labels) -> bool:
    """Whether the second axis of a matrix is that of the result, or the first of its axes."""
    if row[1] not in output:
        return False
    return row[0] not in output or output.index(row[1]) < output.index(row[0])


def _sign_under_transposition(node: Node) -> int | None:
    """1 for a symmetric matrix; for an antisymmetric sum -1, and for a function of one 1 or -1."""
    if node.order == 2 and symmetric_axes(node):
        return 1
    match node:
        case Add(order=2):
            return -1 if _is_antisymmetric(node) else None
        case Apply(primitive=function, args=(Add(order=2) as x,)):
            if function not in ODD and function not in EVEN:
                return None
            if _is_antisymmetric(x):
                return -1 if function in ODD else 1
    return None


def _sign_under_exchange(node: Node, first: int, second: int) -> int:
    """1 where exchanging two axes changes nothing, -1 where it changes the sign, 0 if unknown."""
    if node.order == 2:
        return _sign_under_transposition(node) or 0
    if {first, second} == {node.order - 1, node.order - 2} and symmetric_axes(node):
        return 1
    return parity(node, first, second)


def _is_antisymmetric(node: Add) -> bool:
    """Whether a sum of matrices is the negative of its transpose."""
    if node.dims[0] != node.dims[1] or not is_balanced(node):
        return False
    turned = build.add((c, build.transpose(term)) for c, term in node.terms)
    return turned is multiple(Fraction(-1), node)


@of_sums_having(*ODD, *EVEN)
def opposite_arguments(node: Add) -> Node | None:
    """``a*sin(x - y) + b*sin(y - x) -> (a - b)*sin(x - y)``, the same for other odd and even.

    Also within the sums that are factors.  The number of different factors falls.
    """
    known: dict[tuple[object, Node], Apply] = {}
    for found in _functions_in(node):
        (x,) = found.args
        assert isinstance(x, Add)
        first = known.get((found.primitive, multiple(Fraction(-1), x)))
        if first is not None:
            sign = -1 if found.primitive in ODD else 1
            (new,) = rebuild([node], replacements={found: build.scale(sign, first)})
            return new
        known[found.primitive, x] = found
    return None


def _functions_in(node: Add) -> Iterator[Apply]:
    """The odd and even functions of balanced sums among the factors of terms, and within these."""
    factors = [x for _, term in node.terms for x in parts_of(term).factors]
    inner = [x for factor in factors if isinstance(factor, Add) for x in factor.operands]
    for x in dict.fromkeys((*factors, *(y for term in inner for y in parts_of(term).factors))):
        match x:
            case Apply(primitive=function, args=(Add() as u,)) if is_balanced(u):
                if function in ODD or function in EVEN:
                    yield x


@of_functions_of(Power)
def even_power_of_abs(node: Apply) -> Node | None:
    """``abs(x)^p -> x^p`` for an even p."""
    match node:
        case Apply(primitive=Power(exponent=p), args=(Apply(primitive=inner, args=(x,)),)):
            if inner == abs_ and p.denominator == 1 and p.numerator % 2 == 0:
                return power(x, p)
    return None


@of_functions
def power_of_size(node: Apply) -> Node | None:
    """``abs(x)^p`` as one function of x, for p > 0 that is no even number, and for a variable p.

    It is for what is differentiated: see `tcalc.primitives.absolute_powers`.
    Example: ``abs(x)^1.5 -> absolute_power(x, 1.5)``, ``sqrt(x^2) -> abs(x)``.
    """
    match node:
        case Apply(
            primitive=Power(exponent=p), args=(Apply(primitive=Power(exponent=q), args=(x,)),)
        ) if p > 0 and p.denominator != 1 and q > 0 and q.denominator == 1 and q % 2 == 0:
            return absolute_power(x, p * q)
        case Apply(primitive=function, args=(Apply(primitive=inner, args=(x,)), *exponent)):
            if inner != abs_:
                return None
            if isinstance(function, Power) and function.exponent > 0:
                return absolute_power(x, function.exponent)
            if function == pow_:
                return scaled_even_power(build.ones(x.dims), x, *exponent)
    return None


@of_functions_of(Power)
def power_of_sign(node: Apply) -> Node | None:
    """``sign(x)^p -> sign(x)`` for an odd p > 0, ``sign(x)^p -> sign(x)^2`` for an even one."""
    match node:
        case Apply(primitive=Power(exponent=p), args=(Apply(primitive=inner) as base,)):
            if inner == sign and p.denominator == 1 and p > 2:
                return base if p.numerator % 2 else power(base, 2)
    return None


@of_products_having(sign)
def sign_times_itself(node: Einsum) -> Node | None:
    """``sign(x) .* x^q -> x^(q-1) .* abs(x)``, ``sign(x) .* abs(x)^q -> x .* abs(x)^(q-1)``.

    For a whole q, and even powers of abs(x) are those of x.  Example: ``x .* sign(x) -> abs(x)``,
    ``sign(x) .* abs(x)^3 -> x^3``, ``sign(x) ./ abs(x) -> 1./x``.
    """
    parts = parts_of(node)
    for k, s, j in _beside(parts, sign):
        (x,) = s.args
        base, q = base_and_exponent(parts.factors[j])
        if parts.factors[k] is not s or q.denominator != 1:
            continue
        odd = q.numerator % 2 == 1
        if base is x:
            new = (power(abs_(x), q),) if odd else (power(x, q - 1), abs_(x))
        elif base is abs_(x):
            new = (power(x, q),) if odd else (x, power(base, q - 1))
        else:
            continue
        return parts.replaced((k, j), new, (parts.rows[j],) * len(new)).build()
    return None


@of_products_having(sign)
def square_of_sign(node: Einsum) -> Node | None:
    """``sign(x)^2 .* abs(x)^q -> abs(x)^q``, also where q is a variable."""
    parts = parts_of(node)
    for k, s, j in _beside(parts, sign):
        base = base_and_exponent(parts.factors[j])[0]
        if isinstance(base, Apply) and base.primitive == pow_:
            base = base.args[0]
        if parts.factors[k] is power(s, 2) and (base is abs_(*s.args) or base is s.args[0]):
            return parts.replaced((k,), (), ()).build()
    return None


@of_products_having(relu)
def step_of_rectified(node: Einsum) -> Node | None:
    """``relu(x)^p .* step(x)^q -> relu(x)^p`` for p > 0."""
    parts = parts_of(node)
    for k, s, j in _beside(parts, step):
        base, p = base_and_exponent(parts.factors[j])
        if p > 0 and base is relu(*s.args):
            return parts.replaced((k,), (), ()).build()
    return None


@of_products_having(maximum, minimum)
def share_of_rectified(node: Einsum) -> Node | None:
    """``max(0, x)^p .* (1 + sign(x)) -> 2 max(0, x)^p`` for p > 0, ``min(0, x)`` likewise.

    Example: the gradient of ``norm2(max(0, x))^2`` is ``2*max(0, x)``.
    """
    parts = parts_of(node)
    for j, (factor, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        base, p = base_and_exponent(factor)
        if not isinstance(base, Apply) or p <= 0 or base.primitive not in (maximum, minimum):
            continue
        for zero, x in (base.args, base.args[::-1]):
            if not (isinstance(zero, Const) and zero.value == 0):
                continue
            one, side = build.ones(x.dims), 1 if base.primitive == maximum else -1
            share = build.add([(1, one), (side, sign(x))])
            for k, other in enumerate(parts.factors):
                if k != j and parts.rows[k] == row and other is share:
                    return build.scale(2, parts.replaced((k,), (), ()).build())
    return None


def _beside(parts: Parts, function: Elementwise) -> Iterator[tuple[int, Apply, int]]:
    """A function or a power of it, and another factor with the same indices."""
    for k, factor in enumerate(parts.factors):
        base = base_and_exponent(factor)[0]
        if isinstance(base, Apply) and base.primitive == function:
            for j, row in enumerate(parts.rows):
                if j != k and row == parts.rows[k]:
                    yield k, base, j


RULES = (
    function_of_negative,
    function_of_multiple,
    transpose_of_antisymmetric,
    antisymmetric_turned,
    differences_turned,
    common_difference,
    opposite_arguments,
    even_power_of_abs,
    power_of_sign,
    sign_times_itself,
    square_of_sign,
    step_of_rectified,
    share_of_rectified,
)
