"""Forms that lose digits or overflow, replaced by the functions that do not.

``log(1 + exp(x))`` overflows where ``softplus(x)`` is `x`, and its derivative becomes
``inf * 0``; ``x'*x`` leaves the range of numbers where its root does not.  The rules are those of
other modules that recognise such forms, and no others: they are applied before differentiation, and
must not undo the sharing of a graph.
"""

from __future__ import annotations

from collections.abc import Sequence

from tcalc.expr.nodes import Apply, Node
from tcalc.expr.traverse import postorder
from tcalc.primitives.piecewise import Where
from tcalc.simplify import (
    directions,
    exponentials,
    factorisations,
    kronecker,
    logarithms,
    matrices,
    norms,
    signs,
    softmaxes,
)
from tcalc.simplify.engine import Rule, rewrite

RULES: tuple[Rule, ...] = (
    exponentials.log_of_one_plus_exp,
    exponentials.reciprocal_of_one_plus_exp,
    exponentials.exp_times_sigmoid,
    exponentials.log_of_sigmoid,
    logarithms.log_of_function,
    exponentials.hyperbolic_quotient,
    exponentials.log_of_product,
    exponentials.log_of_exp_in_product,
    exponentials.log_of_sum_of_exp,
    exponentials.exp_over_sum_of_exp,
    exponentials.exp_minus_logsumexp,
    softmaxes.log_of_softmax,
    kronecker.determinant_of_kronecker_product,
    norms.root_of_squares,
    signs.power_of_size,
    norms.root_at_zero,
    directions.vector_over_norm,
)

RAISING: tuple[Rule, ...] = (
    matrices.log_of_determinant,
    factorisations.logarithms_of_factor,
    factorisations.log_determinant_of_factor,
    factorisations.quadratic_form_of_factor,
)
"""Rules whose result raises an error where the original is NaN: not where branches are chosen."""


def stable(roots: Sequence[Node]) -> list[Node]:
    """The same tensors in forms that are safe to evaluate and to differentiate.

    >>> from tcalc.expr import build, shape
    >>> from tcalc.primitives.exponential import exp, log
    >>> x = build.var("x", shape("n"))
    >>> node = log(build.sum_of(build.ones(x.dims), exp(x)))
    >>> stable([node])[0].primitive.name
    'softplus'
    """
    return rewrite(roots, RULES if has_branches(roots) else RULES + RAISING)


def has_branches(roots: Sequence[Node]) -> bool:
    """Whether what is computed depends on conditions."""
    return any(
        isinstance(node, Apply) and isinstance(node.primitive, Where) for node in postorder(roots)
    )
