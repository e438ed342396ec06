"""Rules that put factorisations together again: L*L' is the matrix that L is the factor of.

They hold wherever the factorisation exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from tcalc.expr import build
from tcalc.expr.facts import holds, symmetric_axes
from tcalc.expr.nodes import Apply, Einsum, Node
from tcalc.expr.primitive import Fact
from tcalc.primitives.cholesky import Cholesky
from tcalc.primitives.eigh import Eigh
from tcalc.primitives.exponential import log
from tcalc.primitives.inverse import Inverse, inv
from tcalc.primitives.logdet import LogDet, logdet
from tcalc.primitives.qr import Lq, Qr
from tcalc.primitives.sqrtm import SquareRoot
from tcalc.primitives.svd import Svd
from tcalc.simplify.engine import Trait, length, of_functions_of, of_products, of_products_having
from tcalc.simplify.flatten import is_contraction, opened_and
from tcalc.simplify.parts import Parts, parts_of

HALF = Fraction(1, 2)


@of_products_having(Cholesky, Qr, Lq)
def factor_times_factor(node: Einsum) -> Node | None:
    """``chol(K)*chol(K)' -> K``; ``Q*R -> A``, ``L*Q -> A`` for the factors of qr(A), lq(A).

    K symmetric: of another matrix chol takes the symmetric part.
    """
    parts = parts_of(node)
    for k, j in _pairs(parts):
        left, right = parts.factors[k], parts.factors[j]
        if is_factor(left) and right is left:
            ends = 1, 1
        elif _are_outputs(left, right, Qr) or _are_outputs(left, right, Lq):
            ends = 1, 0
        else:
            continue
        new = _joined(parts, k, j, ends, left.operands[0])
        if new is not None:
            return new
    return None


@of_products_having(SquareRoot, Inverse, Trait.REPEATED)
def root_times_root(node: Einsum) -> Node | None:
    """``sqrtm(A)*sqrtm(A) -> A``, ``inv(sqrtm(A))*inv(sqrtm(A)) -> inv(A)``."""
    parts = parts_of(node)
    for k, j in _pairs(parts):
        root = parts.factors[k]
        match root:
            case Apply(primitive=SquareRoot(), args=(a,)):
                whole = a
            case Apply(primitive=Inverse(axes=1), args=(Apply(primitive=SquareRoot(), args=(a,)),)):
                whole = inv(a)
            case _:
                continue
        if parts.factors[j] is not root:
            continue
        either = bool(symmetric_axes(root)) and bool(symmetric_axes(whole))
        for ends in ((1, 0), (0, 0), (1, 1)) if either else ((1, 0),):
            new = _joined(parts, k, j, ends, whole)
            if new is not None:
                return new
    return None


@of_products_having(Inverse, Trait.REPEATED)
def inverse_of_factor(node: Einsum) -> Node | None:
    """``inv(L)'*inv(L) -> inv(K)`` for L = chol(K), K symmetric."""
    parts = parts_of(node)
    for k, j in _pairs(parts):
        match parts.factors[k]:
            case Apply(primitive=Inverse(axes=1), args=(factor,)) as left:
                if left is parts.factors[j] and is_factor(factor):
                    new = _joined(parts, k, j, (0, 0), inv(factor.operands[0]))
                    if new is not None:
                        return new
    return None


@of_products_having(Trait.NESTED)
def inverse_of_factor_inside(node: Einsum) -> Node | None:
    """``(inv(L)*A)'*(inv(L)*B) -> A'*inv(K)*B`` for L = chol(K), K symmetric: products are opened.

    Where that is shorter, also if the products inside have other uses.
    """
    if not any(map(_holds_inverse, node.factors)) or not _inverses_meet(node):
        return None
    new = opened_and(node, inverse_of_factor)
    return new if new is not None and length(new) < length(node) else None


def _inverses_meet(node: Einsum) -> bool:
    """Whether the rows of two equal inverses are joined, once products are opened."""
    seen: set[tuple[Node, object]] = set()
    for k, (factor, row) in enumerate(zip(node.factors, node.subscripts, strict=True)):
        if is_contraction(factor):
            named = dict(zip(factor.output, row, strict=True))
            inside = [
                (x, named.get(labels[0], (k, labels[0])))
                for x, labels in zip(factor.factors, factor.subscripts, strict=True)
                if _is_inverse_of_factor(x)
            ]
        else:
            inside = [(factor, row[0])] if _is_inverse_of_factor(factor) else []
        for end in inside:
            if end in seen:
                return True
            seen.add(end)
    return False


@of_products
def quadratic_form_of_factor(node: Einsum) -> Node | None:
    """``(inv(L)*A)'*(inv(L)*B) -> A'*inv(K)*B`` for L = chol(K), K known to be positive definite.

    Then K is an error on both sides where it is not, and no derivative of a factor is taken.
    """
    inverses = [
        inverse
        for factor in node.factors
        for inverse in (factor.factors if is_contraction(factor) else (factor,))
        if _is_inverse_of_factor(inverse)
    ]
    known = all(holds(x.operands[0].operands[0], Fact.SPD) is True for x in inverses)
    if len(inverses) < 2 or not known:
        return None
    alone = len(node.factors) == 2 and node.order == 2
    return (inverse_of_factor(node) if alone else None) or inverse_of_factor_inside(node)


@of_products_having(Eigh, Svd)
def decomposition_put_together(node: Einsum) -> Node | None:
    """``V*diag(w)*V' -> A`` for w, V = eigh(A), A symmetric; ``U*diag(s)*V' -> A`` for svd(A)."""
    parts = parts_of(node)
    for k, j in _pairs(parts):
        left, right = parts.factors[k], parts.factors[j]
        match left, right:
            case Apply(primitive=Eigh(), output=1, args=(a,)), _:
                middle = build.apply(left.primitive, a, output=0)
                fits = left is right and symmetric_axes(a)
            case Apply(primitive=Svd(), output=0, args=(a,)), Apply(primitive=Svd(), output=2):
                middle = build.apply(left.primitive, a, output=1)
                fits = left.operands == right.operands
            case _:
                continue
        label = parts.rows[k][-1]
        if not fits or left.order != 2 or label != parts.rows[j][-1] or parts.uses(label) != 3:
            continue
        for i, value in enumerate(parts.factors):
            if value is middle and parts.rows[i] == (label,) and label not in parts.output:
                row = parts.rows[k][0], parts.rows[j][0]
                return parts.replaced((k, j, i), (a,), (row,)).build()
    return None


@of_products_having(log)
def logarithms_of_factor(node: Einsum) -> Node | None:
    """``sum(log(diag(chol(K)))) -> logdet(K)/2`` for a K known to be positive definite."""
    return logarithms(node, lambda matrix: holds(matrix, Fact.SPD) is True)


def logarithms(node: Einsum, wanted: Callable[[Node], bool]) -> Node | None:
    """``sum(log(diag(chol(K)))) -> logdet(K)/2`` for a symmetric K that is wanted."""
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        row = parts.rows[k]
        if not isinstance(factor, Apply) or factor.primitive != log or len(row) != 1:
            continue
        if parts.uses(row[0]) > 1 or row[0] in parts.output:
            continue
        match factor.args[0]:
            case Einsum(factors=(core,), subscripts=((a, b),)) if a == b and is_factor(core):
                matrix = core.operands[0]
                if wanted(matrix):
                    new = parts.replaced((k,), (logdet(matrix),), ((),)).build()
                    return build.scale(HALF, new)
    return None


@of_functions_of(LogDet)
def log_determinant_of_factor(node: Apply) -> Node | None:
    """``logdet(chol(K)) -> logdet(K)/2`` for a K known to be positive definite."""
    match node:
        case Apply(primitive=LogDet(), args=(factor,)) if is_factor(factor):
            matrix = factor.operands[0]
            return build.scale(HALF, logdet(matrix)) if holds(matrix, Fact.SPD) is True else None
    return None


def is_factor(node: Node) -> bool:
    """Whether a node is the Cholesky factor of a symmetric matrix."""
    return (
        isinstance(node, Apply)
        and isinstance(node.primitive, Cholesky)
        and symmetric_axes(node.args[0])
    )


def _is_inverse_of_factor(node: Node) -> bool:
    return (
        isinstance(node, Apply) and isinstance(node.primitive, Inverse) and is_factor(node.args[0])
    )


def _holds_inverse(node: Node) -> bool:
    return is_contraction(node) and any(map(_is_inverse_of_factor, node.factors))


def _are_outputs(left: Node, right: Node, kind: type) -> bool:
    """Whether two nodes are the first and the second output of one decomposition."""
    return (
        isinstance(left, Apply)
        and isinstance(right, Apply)
        and isinstance(left.primitive, kind)
        and isinstance(right.primitive, kind)
        and (left.output, right.output) == (0, 1)
        and left.args == right.args
    )


def _pairs(parts: Parts) -> Iterator[tuple[int, int]]:
    """The positions of two matrices that are functions, in either order."""
    matrices = [k for k, x in enumerate(parts.factors) if isinstance(x, Apply) and x.order == 2]
    return ((k, j) for k in matrices for j in matrices if k != j)


def _joined(parts: Parts, k: int, j: int, ends: tuple[int, int], value: Node) -> Node | None:
    """Two factors that nothing but these axes joins, summed over, replaced by one matrix."""
    left, right = parts.rows[k], parts.rows[j]
    label = left[ends[0]]
    if label != right[ends[1]] or label in parts.output or parts.uses(label) != 2:
        return None
    row = left[1 - ends[0]], right[1 - ends[1]]
    return None if label in row else parts.replaced((k, j), (value,), (row,)).build()


RULES = (
    factor_times_factor,
    root_times_root,
    inverse_of_factor,
    inverse_of_factor_inside,
    decomposition_put_together,
    logarithms_of_factor,
    log_determinant_of_factor,
)
