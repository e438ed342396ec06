"""Rules for projections: what a matrix with orthonormal columns leaves over, it does not see.

    Q'*(x - Q*(Q'*x)) -> 0        Q'*(x - Q*Q'*x + y) -> Q'*y

In a model the residual of a least squares problem is such a rest, and in its derivative it meets
the factor again.  What is left of these products otherwise is rounding, at the price of a pass
over the factor for each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.expr.traverse import postorder
from tcalc.primitives.qr import Lq, Qr
from tcalc.primitives.svd import Svd
from tcalc.simplify.coefficients import product_of
from tcalc.simplify.engine import length, of_products_having, rewrite
from tcalc.simplify.flatten import contraction_in, opened_and, opened_term
from tcalc.simplify.matrices import orthogonal_cancelled, orthonormal_axes
from tcalc.simplify.parts import Parts, parts_of

TERMS = 16
"""The most terms of a sum that is looked into."""


@of_products_having(Qr, Lq, Svd)
def projected_away(node: Einsum) -> Node | None:
    """``Q'*(x - Q*Q'*x + y) -> Q'*y`` for a Q with orthonormal columns.

    Where terms cancel: their number falls.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        for axis in orthonormal_axes(factor):
            joint = parts.rows[k][axis]
            if joint in parts.output or parts.uses(joint) != 2:
                continue
            (j,) = (n for n, row in enumerate(parts.rows) if joint in row and n != k)
            rest = parts.factors[j]
            if isinstance(rest, Add) and 1 < len(rest.terms) <= TERMS:
                new = _applied(parts, k, j, rest)
                if new is not None:
                    return new
    return None


@of_products_having(Qr, Lq, Svd)
def projected_away_inside(node: Einsum) -> Node | None:
    """``Q'*((x - Q*Q'*x)*y') -> 0``: products are opened, also if they have other uses.

    Where that is shorter.
    """
    if not any(contraction_in(factor) for factor in node.factors):
        return None
    new = opened_and(node, projected_away)
    return new if new is not None and length(new) < length(node) else None


def _applied(parts: Parts, k: int, j: int, rest: Add) -> Node | None:
    """The product with the factor multiplied into the sum, where terms of that cancel."""
    (left, right), row = parts.rows[k], parts.rows[j]
    free = left if right in row else right
    joint = right if free == left else left
    output = tuple(label for label in row if label != joint)
    if left == right or len(set(row)) < len(row) or free in row:
        return None
    terms = [
        (c, _product(parts.factors[k], parts.rows[k], term, row, (free, *output)))
        for c, term in rest.terms
    ]
    whole = [product_of(opened_term(term)) for _, term in terms]
    left_over: defaultdict[Node, Fraction] = defaultdict(Fraction)
    for (c, _), (number, core) in zip(terms, whole, strict=True):
        left_over[core] += c * number
    kept = [term for term, (_, core) in zip(terms, whole, strict=True) if left_over[core]]
    if len(kept) == len(terms):
        return None
    dims = [parts.dims[label] for label in (free, *output)]
    new = build.add(kept) if kept else build.zeros(dims)
    return parts.replaced((k, j), (new,), ((free, *output),)).build()


def _product(matrix: Node, row: Labels, term: Node, at: Labels, output: Labels) -> Node:
    """A matrix times a term of a sum, shorter where the term begins with that matrix."""
    inner = parts_of(term)
    named: dict[int, object] = dict(zip(inner.output, at, strict=True))
    # A term may be repeated along axes that none of its factors has.
    dims = dict(zip((*row, *at), (*matrix.dims, *term.dims), strict=True))
    if matrix in inner.factors and len(named) == len(inner.output):
        rows: list[Sequence[object]] = [[named.get(x, ("inner", x)) for x in r] for r in inner.rows]
        opened = build.einsum([matrix, *inner.factors], [row, *rows], output, dims)
        core, axes = _uncovered(opened)
        shorter = orthogonal_cancelled(core)
        if shorter is not None:
            turned = build.einsum([shorter], [range(shorter.order)], axes)
            return build.scale(inner.coefficient, turned)
    return build.einsum([matrix, term], [row, at], output, dims)


def _uncovered(node: Node) -> tuple[Node, tuple[int, ...]]:
    """A product below a transpose, and the axes of it that are the axes of the node."""
    if isinstance(node, Einsum) and node.is_view and len(node.factors) == 1:
        (row,) = node.subscripts
        if sorted(row) == sorted(node.output):
            return node.factors[0], tuple(map(row.index, node.output))
    return node, tuple(range(node.order))


def without_projections(roots: Sequence[Node]) -> list[Node]:
    """The roots with these rules applied everywhere, for generated code.

    >>> from tcalc.expr import shape
    >>> from tcalc.primitives.qr import qr
    >>> A, x = build.var("A", shape("m", "n")), build.var("x", shape("m"))
    >>> Q, _ = qr(A)
    >>> seen = build.einsum([Q, x], "ij,i->j")
    >>> rest = build.subtract(x, build.einsum([Q, seen], "ij,j->i"))
    >>> without_projections([build.einsum([Q, rest], "ij,i->j")]) == [build.zeros(shape("n"))]
    True
    """
    made = any(
        isinstance(node, Apply) and isinstance(node.primitive, Qr | Lq | Svd)
        for node in postorder(roots)
    )
    return rewrite(roots, RULES) if made else list(roots)


RULES = (projected_away, projected_away_inside)
