"""Formulas as one would write them: all rules together, for printing."""

from __future__ import annotations

from collections.abc import Sequence

from tcalc.expr.nodes import Apply, Const, Node
from tcalc.expr.traverse import postorder
from tcalc.primitives.inverse import Inverse
from tcalc.primitives.pinv import PseudoInverse
from tcalc.primitives.selection import LowerMask
from tcalc.primitives.softmax import LogSumExp
from tcalc.simplify import (
    branches,
    cancelled_inverses,
    circular,
    collected,
    common,
    common_factors,
    common_matrices,
    common_powers,
    cross_products,
    diagonal_matrices,
    divisions,
    exponentials,
    factorisations,
    indicators,
    kronecker,
    like_terms,
    linear_functions,
    logarithms,
    matrices,
    norms,
    outer_products,
    powers,
    powers_of_products,
    prods,
    products,
    projections,
    pseudo_inverses,
    quotients,
    selections,
    signs,
    softmaxes,
    sums,
    triangles,
    units,
    views,
)
from tcalc.simplify.engine import Rule, length, rewrite
from tcalc.simplify.finishing import (
    with_common_denominators,
    with_one_sign,
    with_sums_first,
)
from tcalc.simplify.flatten import Inline, flatten
from tcalc.simplify.parts import base_and_exponent
from tcalc.simplify.symmetric import with_symmetric_terms

RULES: tuple[Rule, ...] = (
    *powers.RULES,
    *powers_of_products.RULES,
    *norms.RULES,
    *prods.RULES,
    *exponentials.RULES,
    *circular.RULES,
    *logarithms.RULES,
    *softmaxes.RULES,
    *signs.RULES,
    *matrices.RULES,
    *diagonal_matrices.RULES,
    *cancelled_inverses.RULES,
    *linear_functions.RULES,
    *cross_products.RULES,
    *projections.RULES,
    *pseudo_inverses.RULES,
    *factorisations.RULES,
    *branches.RULES,
    *kronecker.RULES,
    *products.RULES,
    *views.RULES,
    *selections.RULES,
    *indicators.RULES,
    *quotients.RULES,
    *divisions.RULES,
    *collected.NUMBERS,
    *outer_products.RULES,
    *common.PIECES,
    *common_matrices.SUMS,
    *sums.RULES,
    *units.RULES,
    *like_terms.PRODUCTS,
    *common_factors.RULES,
    *common_powers.RULES,
    *common_matrices.RULES,
    *common.RULES,
    *collected.RULES,
)
"""Every rule, in the order in which they are tried."""

OPENING: tuple[Rule, ...] = (
    *sums.OPENING,
    views.diagonal_of_product,
    common_matrices.sum_inside,
)
"""The rules that open what is shared: not where common subexpressions are to be named."""

MEETING: tuple[Rule, ...] = (
    powers.powers_collected,
    exponentials.exponentials_combined,
    cancelled_inverses.inverse_cancelled,
    matrices.orthogonal_cancelled,
    factorisations.factor_times_factor,
    factorisations.inverse_of_factor,
    products.mask_of_zero_diagonal,
    like_terms.like_terms_in_sums,
)
"""The rules for what meets when a product or a sum with a single use is opened."""

TRIANGLES: tuple[Rule, ...] = (
    triangles.triangle_and_its_transpose,
    products.triangle_without_diagonal,
    powers.power_of_zero_or_one,
    sums.number_out_of_factor,
)
"""What puts strict triangles together again, in the end."""

EXPANDING: tuple[Rule, ...] = (
    *powers.RULES,
    *powers_of_products.RULES,
    *norms.RULES,
    *prods.RULES,
    *matrices.RULES,
    *cancelled_inverses.RULES,
    *views.RULES,
    sums.product_in_product,
    sums.sum_in_sum,
    sums.transpose_of_sum,
    products.product_of_sums,
)
"""The rules for multiplying out, to let inverses and like terms cancel."""

SQUARING: tuple[Rule, ...] = (
    products.square_of_norm,
    products.square_of_products,
    products.square_of_sum,
)
"""Rules for squares of sums, one of which may be tried as well: mostly, squares read better."""

LEAST_GAIN = 0.1
"""By how much of its length a formula must be shorter for squares of sums to be multiplied out."""


LONGEST_EXPANDED = 160.0
"""Formulas beyond this length are not multiplied out."""


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
    """Several tensors as one would write them; with ``inline="single"`` sharing is kept.

    Where a denominator is zero by an identity, as that of ``1/(exp(x)*exp(-x) - 1)``, the tensors
    stay as they are, in the words of the language: one does not write ``1/0``.
    """
    tidied = _tidied(roots, inline)
    if not _has_pole(tidied) or _has_pole(roots):
        return tidied
    written = rewrite(list(roots), (powers.as_written,))
    return list(roots) if _has_pole(written) else written


def _tidied(roots: Sequence[Node], inline: Inline) -> list[Node]:
    rules = [rule for rule in RULES if inline == "all" or rule not in OPENING]
    flat = flatten(norms.with_one_norm(roots), inline=inline, numbers=True, leaves=_leaves(roots))
    tidied = rewrite(flat, rules)
    if inline == "all":
        tidied = with_symmetric_terms(tidied, flat, rules)
        tidied = with_symmetric_terms(list(map(_cancelled, tidied)), flat, rules)
    tidied = with_common_denominators(tidied, shared=inline == "single")
    if inline == "single":
        tidied = flatten(tidied, inline=inline, numbers=True, meeting=MEETING)
        tidied = rewrite(tidied, (like_terms.negative_of_short_sum,))
    tidied = rewrite(tidied, TRIANGLES) if _has_mask(tidied) else tidied
    return with_sums_first(with_one_sign(tidied))


def _has_mask(roots: Sequence[Node]) -> bool:
    return any(isinstance(x, Apply) and type(x.primitive) is LowerMask for x in postorder(roots))


def _has_pole(roots: Sequence[Node]) -> bool:
    """Whether there is a power of the number zero with a negative exponent."""
    return any(
        exponent < 0 and isinstance(base, Const) and not base.value
        for base, exponent in map(base_and_exponent, postorder(roots))
    )


def _leaves(roots: Sequence[Node]) -> dict[Node, Node]:
    """What becomes of constants, so that nothing above them has to be made twice."""
    constants = [x for x in postorder(roots) if isinstance(x, Apply) and not x.args]
    return {x: new for x in constants if (new := products.strict_triangle(x)) is not None}


def _cancelled(root: Node) -> Node:
    """The tensor multiplied out and tidied again, where that makes it shorter."""
    if length(root) > LONGEST_EXPANDED:
        return root
    root = _without_logsoftmax(root)
    if not _may_gain(root):
        return root
    best, nodes = root, postorder([root])
    squaring = [rule for rule in SQUARING if any(rule(x) is not None for x in nodes)]
    for squares in ((), *((rule,) for rule in squaring)):
        (again,) = rewrite(rewrite([root], (*EXPANDING, *squares)), RULES)
        gain = LEAST_GAIN if squares else 0
        best = again if length(again) < (1 - gain) * length(best) else best
    return best


def _without_logsoftmax(root: Node) -> Node:
    """The tensor with logarithms of softmax multiplied out, where they go and it is shorter."""
    if root.order != 2 or not _has_logsumexp(root):
        return root
    new = rewrite(rewrite([root], (*EXPANDING, products.product_of_logsoftmax)), RULES)[0]
    return new if length(new) < length(root) and not _has_logsumexp(new) else root


def _has_logsumexp(root: Node) -> bool:
    nodes = postorder([root])
    return any(isinstance(x, Apply) and isinstance(x.primitive, LogSumExp) for x in nodes)


def _may_gain(root: Node) -> bool:
    """Whether multiplying out can let anything cancel: inverses, quotients in sums, or angles."""
    nodes = postorder([root])
    return circular.has_angles(nodes) or any(
        (isinstance(x, Apply) and isinstance(x.primitive, Inverse | PseudoInverse))
        or base_and_exponent(x)[1] < 0
        for x in nodes
    )
