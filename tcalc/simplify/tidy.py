"""Formulas as one would write them: all rules together, for printing."""

from __future__ import annotations

from collections.abc import Sequence

from tcalc.expr.nodes import Node
from tcalc.simplify import branches, exponentials, matrices, powers, sums
from tcalc.simplify.engine import Rule, rewrite
from tcalc.simplify.flatten import Inline, flatten

RULES: tuple[Rule, ...] = (
    *powers.RULES,
    *exponentials.RULES,
    *matrices.RULES,
    *branches.RULES,
    *sums.RULES,
)
"""Every rule, in the order in which they are tried."""

OPENING: tuple[Rule, ...] = (sums.product_in_product, sums.sum_in_sum)
"""The rules that open what is shared: not where common subexpressions are to be named."""


def tidy(root: Node) -> Node:
    """A tensor as one would write it; equal for all real inputs in its domain.

    >>> from tcalc.expr import build, shape
    >>> from tcalc.primitives.exponential import exp, log
    >>> x = build.var("x", shape("n"))
    >>> tidy(log(exp(x))) is x
    True
    """
    return tidy_all([root])[0]


def tidy_all(roots: Sequence[Node], *, inline: Inline = "all") -> list[Node]:
    """Several tensors as one would write them; with ``inline="single"`` sharing is kept."""
    rules = [rule for rule in RULES if inline == "all" or rule not in OPENING]
    flat = flatten(roots, inline=inline)
    tidied = rewrite(flat, rules)
    if inline == "single":
        tidied = flatten(tidied, inline=inline)
    return tidied
