"""What cancels element by element: powers of one tensor that meet, and the terms they leave alike.

Derivatives are full of it: the second derivative of ``x .* log(x)`` is derived as
``2 ./ x - x ./ x.^2``, which is ``1 ./ x``, and is not 0 for a tiny x, nor twice as much for a
huge one.  The rules are those of other modules by which factors and terms become fewer.  Those that
take common factors out are not among them: of ``x.*exp(-x.^2) - x.^3.*exp(-x.^2)`` both terms
vanish where ``x - x.^3`` has long been infinite.  Nor are those that write a function out as a
formula that loses digits, or that leave out what holds at 0 by convention.
"""

from __future__ import annotations

from functools import lru_cache

from tcalc.expr.nodes import Node
from tcalc.expr.traverse import postorder
from tcalc.simplify import (
    exponentials,
    like_terms,
    powers,
    powers_of_products,
    products,
    quotients,
    signs,
    sums,
)
from tcalc.simplify.engine import Rule, length, rewrite
from tcalc.simplify.flatten import flatten
from tcalc.simplify.normal import reciprocal_of_product
from tcalc.simplify.parts import base_and_exponent

RULES: tuple[Rule, ...] = (
    powers.power_of_power,
    powers.power_of_scaled,
    powers.powers_collected,
    powers.power_of_product_opened,
    powers.variable_powers_collected,
    powers_of_products.reciprocal_of_quotient,
    exponentials.log_of_exp,
    exponentials.exp_of_log,
    exponentials.exponentials_combined,
    exponentials.exp_of_zero,
    exponentials.hyperbolic_quotient,
    signs.even_power_of_abs,
    quotients.quotients_by_sum,
    quotients.denominator_into_sum,
    *sums.OPENING,
    *like_terms.RULES,
)

EXPANDING: tuple[Rule, ...] = (
    powers.power_of_power,
    powers.power_of_scaled,
    powers.powers_collected,
    reciprocal_of_product,
    exponentials.hyperbolic_quotient,
    *sums.OPENING,
    products.product_of_sums,
)
"""The rules for multiplying out, to let terms meet that sums keep apart."""

LONGEST_EXPANDED = 120.0
"""Formulas beyond this length are not multiplied out."""


@lru_cache(maxsize=256)  # functions are compiled again, and loops have like parts
def cancelled(node: Node) -> tuple[Node, ...]:
    """A short tensor with everything opened, and what then meets cancelled.

    And the same multiplied out before, where that may let quotients cancel: which is less work is
    for others to say.

    >>> from tcalc.expr import build, shape
    >>> from tcalc.primitives.power import power
    >>> x = build.var("x", shape("n"))
    >>> cancelled(build.hadamard(x, power(x, -2))) == (power(x, -1),)
    True
    """
    flat = flatten([node], inline="all")
    found = rewrite(flat, RULES)
    quotients_meet = any(base_and_exponent(x)[1] < 0 for x in postorder(flat))
    if quotients_meet and length(flat[0]) <= LONGEST_EXPANDED:
        found += rewrite(rewrite(flat, EXPANDING), RULES)
    return tuple(dict.fromkeys(found))
