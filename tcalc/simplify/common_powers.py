"""Rules for common factors that are not plain: powers of one tensor, and those in a factor."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TypeAlias

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node
from tcalc.primitives.exponential import sigmoid
from tcalc.primitives.power import Power, power
from tcalc.primitives.softmax import Softmax
from tcalc.simplify.coefficients import multiple
from tcalc.simplify.common_factors import LONGEST, pulled_out, reaches_output, ties
from tcalc.simplify.engine import length, of_products_having, of_sums_having, of_views
from tcalc.simplify.parts import Parts, base_and_exponent, parts_of
from tcalc.simplify.sums import is_balanced

Places: TypeAlias = dict[int, tuple[int, Fraction, bool]]
"""By the number of a term: where a power stands, its exponent, and whether its base is turned."""


@of_sums_having(Power)
def common_power(node: Add) -> Node | None:
    """``(1 - x).^2.*a + (x - 1).*b -> (1 - x).*((1 - x).*a - b)`` where that is shorter.

    For sums, of which either sign will do, and for functions: ``c*exp(x).^2 - exp(x).*y`` has a
    common factor too.  Powers of variables stay, for they are how polynomials are written.
    Example: ``(1 - x).^2 - 4*x.*(1 - x) -> (1 - x).*(1 - 5*x)``.
    """
    if not 1 < len(node.terms) <= LONGEST:
        return None
    terms = [parts_of(term) for _, term in node.terms]
    for base, places in _powers(terms).items():
        if len(places) < 2 or len({(p, turned) for _, p, turned in places.values()}) < 2:
            continue
        for one in _of_either_sign(base, places):
            lowest = min(p for _, p, _ in places.values())
            split = list(terms)
            for t, (k, p, turned) in places.items():
                split[t] = _split(terms[t], k, one, p, lowest, turned == (one is base))
            at = {t: len(split[t].factors) - 1 for t in places}
            if len({ties(split[t], k) for t, k in at.items()}) == 1:
                new = pulled_out(node, split, power(one, lowest), at)
                if new is not None and length(new) < length(node):
                    return new
    return None


def _of_either_sign(base: Node, places: Places) -> list[Node]:
    """The base, and its negative where that occurs as well, the shorter first."""
    if isinstance(base, Add) and any(turned for _, _, turned in places.values()):
        return sorted((base, multiple(Fraction(-1), base)), key=length)
    return [base]


def _powers(terms: list[Parts]) -> dict[Node, Places]:
    """The sums and functions of which terms have a whole power, one; ``y - x`` is ``-(x - y)``."""
    found: dict[Node, Places] = {}
    repeated: set[Node] = set()
    for t, parts in enumerate(terms):
        for k, factor in enumerate(parts.factors):
            base, p = base_and_exponent(factor)
            if p < 1 or p.denominator != 1 or not isinstance(base, Add | Apply):
                continue
            turned = False
            if base not in found and isinstance(base, Add) and is_balanced(base):
                other = multiple(Fraction(-1), base)
                base, turned = (other, True) if other in found else (base, False)
            places = found.setdefault(base, {})
            if t in places:
                # Of ``norm2(p)^2*p`` the last p may come out, the others make a number.
                reach = reaches_output(parts, k), reaches_output(parts, places[t][0])
                if reach[0] == reach[1]:
                    repeated.add(base)
                if not reach[0]:
                    continue
            places[t] = k, p, turned
    return {base: places for base, places in found.items() if base not in repeated}


def _split(parts: Parts, k: int, base: Node, p: Fraction, lowest: Fraction, turned: bool) -> Parts:
    """A product with ``base^p`` as ``base^(p - lowest)`` and, as its last factor, the rest."""
    rest = (power(base, p - lowest),) if p > lowest else ()
    new = parts.replaced((k,), (*rest, power(base, lowest)), (parts.rows[k],) * (len(rest) + 1))
    odd = turned and p.numerator % 2
    return replace(new, coefficient=-new.coefficient) if odd else new


@of_sums_having(sigmoid, Softmax)
def share_and_its_square(node: Add) -> Node | None:
    """``p - p.^2 -> p.*(1 - p)`` for shares p, which a sigmoid or a softmax is.

    The number of powers falls.
    """
    if len(node.terms) == 2:
        for (c, p), (d, square) in (node.terms, node.terms[::-1]):
            if c == -d and base_and_exponent(square) == (p, Fraction(2)) and _is_share(p):
                rest = build.subtract(build.const(1, p.dims), p)
                return build.scale(c, build.hadamard(p, rest))
    return None


def _is_share(node: Node) -> bool:
    return isinstance(node, Apply) and (
        node.primitive == sigmoid or isinstance(node.primitive, Softmax)
    )


@of_products_having(Add)
def common_factor_of_factor(node: Einsum) -> Node | None:
    """``a.*(b + b.*c) -> a.*b.*(1 + c)`` where that is no longer, in a product.

    The number of factors in the sum falls.
    """
    return _with_factor_out(node)


@of_views
def common_factor_of_number(node: Einsum) -> Node | None:
    """``(a - a*b)*I -> a*(1 - b)*I`` where that is no longer, for numbers.

    The number of factors in the sum falls.
    """
    numbers = any(isinstance(x, Add) and not x.order for x in node.factors)
    return _with_factor_out(node) if numbers else None


def _with_factor_out(node: Einsum) -> Node | None:
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if not isinstance(factor, Add) or not 1 < len(factor.terms) <= LONGEST:
            continue
        terms = [parts_of(term) for _, term in factor.terms]
        first, *others = (inner.factors for inner in terms)
        for common in dict.fromkeys(x for x in first if x in others[0]):
            if isinstance(common, Const | Delta) or not all(common in other for other in others):
                continue
            places = {t: inner.factors.index(common) for t, inner in enumerate(terms)}
            if len({ties(inner, places[t]) for t, inner in enumerate(terms)}) > 1:
                continue
            new = pulled_out(factor, terms, common, places)
            if new is not None and length(new) <= length(factor):
                return parts.replaced((k,), (new,), (parts.rows[k],)).build()
    return None


RULES = (common_power, share_and_its_square, common_factor_of_factor, common_factor_of_number)
