"""Logarithms of what comes near 0 or leaves the range of numbers, where their own are moderate."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Const, Node
from tcalc.primitives.exponential import exp, expm1, log, log1mexp, log1p
from tcalc.primitives.hyperbolic import atanh, cosh, log_cosh
from tcalc.primitives.normal import erf, erfc, log_erfc, log_normcdf, normcdf
from tcalc.simplify.coefficients import ONE, content, multiple
from tcalc.simplify.engine import of_functions, of_sums_having

_LOGARITHMS = ((cosh, log_cosh), (normcdf, log_normcdf), (erfc, log_erfc))


class _Line(NamedTuple):
    """``number + slope * function(x)``."""

    number: Fraction
    slope: Fraction
    function: Apply


@of_functions
def log_of_one_minus_exp(node: Apply) -> Node | None:
    """``log(1 - exp(x)) -> log1mexp(x)``, ``log1p(-exp(x)) -> log1mexp(x)``."""
    line = _argument(node)
    if line is None or line.function.primitive != exp:
        return None
    return log1mexp(line.function.args[0]) if line.number == 1 == -line.slope else None


@of_functions
def log_of_function(node: Apply) -> Node | None:
    """``log(c f(x)) -> log(c) + …`` for functions f whose logarithm neither over- nor underflows.

    Such f are cosh, normcdf, erfc, and with them ``1 - normcdf(x)``, ``1 ± erf(x)``,
    ``1 - exp(x)``, ``exp(x) - 1`` and `expm1`.

    Example: ``log(cosh(x)) -> log_cosh(x)``, ``log(exp(x) - 1) -> x + log1mexp(-x)``.
    """
    line = _argument(node)
    if line is None:
        return None
    number, slope, function = line
    (x,) = function.args
    mirrored = build.scale(-1, x)
    scale = abs(slope)
    primitive = function.primitive
    if number == 0 and slope > 0:
        for bare, logarithm in _LOGARITHMS:
            if primitive == bare:
                return _plus_log(scale, logarithm(x))
    if primitive == normcdf and number == -slope > 0:
        return _plus_log(scale, log_normcdf(mirrored))
    if primitive == erf and number == scale:
        return _plus_log(scale, log_erfc(x if slope < 0 else mirrored))
    if (primitive == exp and number == -slope) or (primitive == expm1 and number == 0):
        value = log1mexp(x) if slope < 0 else build.sum_of(x, log1mexp(mirrored))
        return _plus_log(scale, value)
    return None


def _plus_log(scale: Fraction, value: Node) -> Node:
    if scale == 1:
        return value
    return build.sum_of(build.broadcast(log(build.const(scale)), value.dims), value)


def _argument(node: Apply) -> _Line | None:
    """What the logarithm is of, where it is a line in one function of one argument."""
    if node.primitive != log and node.primitive != log1p:
        return None
    number = Fraction(node.primitive == log1p)
    scale, argument = Fraction(1), node.args[0]
    while isinstance(argument, Add) and len(argument.terms) == 1:
        ((coefficient, argument),) = argument.terms
        scale *= coefficient
    found: tuple[Fraction, Apply] | None = None
    terms = argument.terms if isinstance(argument, Add) else ((Fraction(1), argument),)
    for coefficient, term in terms:
        if isinstance(term, Const):
            number += scale * coefficient * term.value
        elif found is None and isinstance(term, Apply) and len(term.args) == 1:
            found = scale * coefficient, term
        else:
            return None
    return None if found is None else _Line(number, *found)


@of_sums_having(log)
def equal_multiples_in_logarithms(node: Add) -> Node | None:
    """``log(x/2 + y/2) - log(x/2 - y/2) -> log(x + y) - log(x - y)``: numbers that cancel.

    The number of numbers in logarithms falls.
    """
    shared: dict[Fraction, Fraction] = {}
    for c, term in node.terms:
        number = _number_in_logarithm(term)
        if number != 1:
            shared[number] = shared.get(number, Fraction(0)) + c
    gone = {number for number, total in shared.items() if not total}
    if not gone:
        return None
    found: list[tuple[Fraction, Node]] = []
    for c, term in node.terms:
        number = _number_in_logarithm(term)
        if number in gone and isinstance(term, Apply) and isinstance(term.args[0], Add):
            term = log(multiple(1 / number, term.args[0]))
        found.append((c, term))
    return build.add(found)


def _number_in_logarithm(term: Node) -> Fraction:
    """What the terms of the sum that a logarithm is of share, if that is positive."""
    match term:
        case Apply(primitive=function, args=(Add() as x,)) if function == log:
            number = content(x) if len(x.terms) > 1 else x.terms[0][0]
            return max(number, Fraction(0)) or Fraction(1)
    return Fraction(1)


@of_sums_having(log, log1p)
def difference_of_logarithms(node: Add) -> Node | None:
    """``log(1 + x) - log(1 - x) -> 2 atanh(x)``."""
    known = {x: (c, term) for c, term in node.terms if (x := _less_one(term)) is not None}
    for x, (c, term) in known.items():
        other = known.get(build.scale(-1, x) if not isinstance(x, Add) else multiple(-ONE, x))
        if other is not None and other[0] == -c:
            kept = [(d, y) for d, y in node.terms if y is not term and y is not other[1]]
            return build.add([*kept, (2 * c, atanh(x))])
    return None


def _less_one(term: Node) -> Node | None:
    """The x of ``log(1 + x)``."""
    match term:
        case Apply(primitive=function, args=(x,)) if function == log1p:
            return x
        case Apply(primitive=function, args=(Add() as u,)) if function == log:
            numbers = [c * x.value for c, x in u.terms if isinstance(x, Const)]
            rest = build.add((c, x) for c, x in u.terms if not isinstance(x, Const))
            return rest if numbers == [1] else None
    return None


RULES = (log_of_one_minus_exp, equal_multiples_in_logarithms, difference_of_logarithms)
