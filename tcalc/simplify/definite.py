"""Functions of a Cholesky factor as functions of the matrix, before they are differentiated.

A Gaussian's likelihood is written with ``L = chol(K)``, as ``norm2(inv(L)*y)^2`` and
``sum(log(diag(L)))``.  Wherever that has a value it is ``y'*inv(K)*y`` and ``logdet(K)/2``, whose
derivatives are solves with K, at half the cost of a derivative of the factor.  So derivatives are
taken of that, and the value, which is an error for a K that is not positive definite, stays.
Numbers are rewritten first.  Where they depend on arrays that have factors in turn, as a filter's
step does on the one before, arrays are too: it is then told which they are, so that derivatives
can be written with the arrays of the value, and the two share them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tcalc.expr import build
from tcalc.expr.nodes import Apply, Einsum, Node
from tcalc.expr.traverse import dependents, postorder
from tcalc.primitives.cholesky import Cholesky
from tcalc.primitives.exponential import log
from tcalc.primitives.inverse import Inverse
from tcalc.primitives.logdet import LogDet, logdet
from tcalc.primitives.power import Power
from tcalc.simplify.engine import Rule, of_functions_of, of_products, of_products_having, rewrite
from tcalc.simplify.factorisations import (
    HALF,
    factor_times_factor,
    inverse_of_factor_inside,
    is_factor,
    logarithms,
)
from tcalc.simplify.flatten import contraction_in, opened_and


@of_products_having(Power)
def squares_of_solution(node: Einsum) -> Node | None:
    """``Σ (inv(L)*A).^2 -> tr(A'*inv(K)*A)`` for L = chol(K), ``Σ (L'*A).^2 -> tr(A'*K*A)``."""
    match node:
        case Einsum(factors=(Apply(primitive=Power(exponent=p), args=(x,)),), output=()) if p == 2:
            if len(set(node.subscripts[0])) < x.order:
                return None
            product = build.einsum([x, x], [range(x.order)] * 2, ())
            return _without_factor(product)
    return None


def _without_factor(product: Node) -> Node | None:
    """A number with two factors or their inverses put together; products inside are opened."""
    if not isinstance(product, Einsum) or not _has_two(product):
        return None
    return inverse_of_factor_inside(product) or opened_and(product, factor_times_factor)


def _has_two(product: Einsum) -> bool:
    """Whether a product has two factors or inverses of such in it, products inside being opened."""
    found = 0
    for factor in product.factors:
        inside = contraction_in(factor)
        for x in (factor,) if inside is None else inside[1].factors:
            if isinstance(x, Apply) and isinstance(x.primitive, Inverse):
                x = x.args[0]
            found += _is_cholesky(x)
    return found > 1


@of_products
def product_of_solutions(node: Einsum) -> Node | None:
    """``tr((inv(L)*A)'*(inv(L)*B)) -> tr(A'*inv(K)*B)`` for L = chol(K), and so with L' and K."""
    return None if node.output else _without_factor(node)


@of_products
def array_of_solutions(node: Einsum) -> Node | None:
    """``(inv(L)*A)'*(inv(L)*B) -> A'*inv(K)*B`` for L = chol(K), and so with L and K."""
    return _without_factor(node)


@of_products_having(log)
def logarithms_of_factor(node: Einsum) -> Node | None:
    """``sum(log(diag(chol(K)))) -> logdet(K)/2`` for a symmetric K."""
    return logarithms(node, lambda matrix: True)


@of_functions_of(LogDet)
def log_determinant_of_factor(node: Apply) -> Node | None:
    """``logdet(chol(K)) -> logdet(K)/2`` for a symmetric K."""
    match node:
        case Apply(primitive=LogDet(), args=(factor,)) if is_factor(factor):
            return build.scale(HALF, logdet(factor.operands[0]))
    return None


RULES: tuple[Rule, ...] = (
    squares_of_solution,
    logarithms_of_factor,
    log_determinant_of_factor,
    product_of_solutions,
)

ARRAYS: tuple[Rule, ...] = (*RULES, array_of_solutions)


def without_factors(roots: Sequence[Node]) -> tuple[list[Node], Mapping[Node, Node]]:
    """The same tensors without Cholesky factors, or unchanged where one would be left over.

    With them, for each array that was rewritten on the way, the array that it was.

    A factor that is used in other ways is differentiated in any case, and solves with the matrix
    beside it would be further work.

    >>> from tcalc.expr import shape
    >>> from tcalc.primitives.cholesky import chol
    >>> K = build.var("K", shape("n", "n"), ("symmetric",))
    >>> (f,), _ = without_factors([logdet(chol(K))])
    >>> f is build.scale(HALF, logdet(K))
    True
    """
    roots = list(roots)
    order = postorder(roots)
    factors = [node for node in order if _is_cholesky(node)]
    if not factors:
        return roots, {}
    if dependents(roots, factors).isdisjoint(x for node in factors for x in node.operands):
        found = rewrite(roots, RULES)
        if not any(map(_is_cholesky, postorder(found))):
            return found, {}
    # A factor depends on another one through arrays, or one is left over in an array.
    images = dict(zip(order, rewrite(order, ARRAYS), strict=True))
    found = [images[root] for root in roots]
    if any(map(_is_cholesky, postorder(found))):
        return roots, {}
    # What two arrays became stands for the first of them.
    changed = [(new, old) for old, new in images.items() if new is not old and new.order]
    return found, dict(reversed(changed))


def _is_cholesky(node: Node) -> bool:
    return isinstance(node, Apply) and isinstance(node.primitive, Cholesky)
