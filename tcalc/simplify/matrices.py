"""Rules for inverses, determinants and orthogonal matrices."""

from __future__ import annotations

from tcalc.expr import build
from tcalc.expr.facts import holds, symmetric_axes
from tcalc.expr.nodes import Add, Apply, Einsum, Node
from tcalc.expr.primitive import Fact
from tcalc.primitives.determinant import Cofactors
from tcalc.primitives.exponential import log
from tcalc.primitives.inverse import Inverse, inv
from tcalc.primitives.logdet import LogDet, logdet
from tcalc.primitives.piecewise import abs_
from tcalc.primitives.power import power
from tcalc.primitives.qr import Lq, Qr
from tcalc.primitives.scalar import ARGUMENT
from tcalc.primitives.selection import Window
from tcalc.primitives.slogdet import logabsdet
from tcalc.primitives.spectral import Spectral
from tcalc.primitives.svd import Svd
from tcalc.simplify.cancelled_inverses import TURNED, joined_by_unit
from tcalc.simplify.coefficients import common_number, multiple
from tcalc.simplify.engine import Trait, of_functions_of, of_products_having
from tcalc.simplify.parts import (
    Parts,
    base_and_exponent,
    parts_of,
    piece,
    pieces,
)


@of_functions_of(Inverse)
def inverse_of_inverse(node: Apply) -> Node | None:
    """``inv(inv(A)) -> A``."""
    match node:
        case Apply(primitive=Inverse() as outer, args=(Apply(primitive=Inverse() as inner) as y,)):
            return y.args[0] if outer == inner else None
    return None


@of_functions_of(Inverse)
def inverse_of_scaled(node: Apply) -> Node | None:
    """``inv(c A) -> 1/c inv(A)``, also for a number that the terms of a sum share.

    Example: ``inv((A + B)/2) -> 2*inv(A + B)``.
    """
    match node:
        case Apply(primitive=Inverse() as p, args=(Add() as base,)):
            c = common_number(base) if len(base.terms) > 1 else base.terms[0][0]
            return build.scale(1 / c, inv(multiple(1 / c, base), p.axes)) if c != 1 else None
    return None


@of_functions_of(Inverse)
def scalar_out_of_inverse(node: Apply) -> Node | None:
    """``inv(a*A) -> inv(A)/a`` for a scalar a.

    The number of scalars in inverses falls.  Example: ``pi*inv(pi*S) -> inv(S)``.
    """
    match node:
        case Apply(primitive=Inverse() as p, args=(Einsum() as base,)):
            parts = parts_of(base)
            ends = set(parts.output)
            groups = pieces(parts, ends)
            apart = [x for x in groups if all(ends.isdisjoint(parts.rows[k]) for k in x)]
            gone = [k for places in apart for k in places]
            if not gone or len(gone) == len(parts.factors):
                return None
            rest = inv(parts.replaced(gone, (), ()).build(), p.axes)
            reciprocals = [power(piece(parts, places, ends)[0], -1) for places in apart]
            axes = tuple(range(rest.order))
            return build.einsum([rest, *reciprocals], [axes, *[()] * len(apart)], axes)
    return None


@of_functions_of(Inverse)
def inverse_of_quotient(node: Apply) -> Node | None:
    """``inv(A*inv(B)) -> B*inv(A)`` and ``inv(inv(B)*A) -> inv(A)*B``: fewer inverses.

    The same for longer chains, ``inv(inv(L)*A*inv(L)') -> L'*inv(A)*L``.
    """
    match node:
        case Apply(primitive=Inverse(axes=1), args=(Einsum() as base,)):
            parts = parts_of(base)
            if not _is_chain_of_squares(parts):
                return None
            inside = [_inverted(factor) for factor in parts.factors]
            if sum(x is None for x in inside) > sum(x is not None for x in inside):
                return None
            new = [x or inv(y) for x, y in zip(inside, parts.factors, strict=True)]
            turned = [row[::-1] for row in parts.rows]
            found = build.einsum(new, turned, parts.output[::-1])
            return build.scale(1 / parts.coefficient, found)
    return None


def _inverted(factor: Node) -> Node | None:
    """The matrix that one is the inverse of."""
    match factor:
        case Apply(primitive=Inverse(axes=1), args=(a,)):
            return a
    return None


def _is_chain_of_squares(parts: Parts) -> bool:
    """Whether a matrix is the product of square matrices, each turned or not."""
    if len(parts.factors) < 2 or len(parts.output) != 2 or len(set(parts.dims.values())) > 1:
        return False
    if any(
        x.order != 2 or row[0] == row[1] for x, row in zip(parts.factors, parts.rows, strict=True)
    ):
        return False
    ends = all(parts.uses(label) == 1 + (label not in parts.output) for label in parts.dims)
    return ends and all(map(parts.uses, parts.output)) and len(pieces(parts, ())) == 1


@of_functions_of(Inverse, Cofactors)
def inverse_of_transpose(node: Apply) -> Node | None:
    """``inv(A') -> inv(A)'``, and the same for the cofactors."""
    match node:
        case Apply(
            primitive=Inverse(axes=1) | Cofactors(k=1) as p, args=(Einsum(factors=(a,)) as view,)
        ):
            (row,) = view.subscripts
            lead, swapped = row[:-2], row[-2:][::-1]
            if view.is_view and view.output == (*lead, *swapped):
                return build.einsum([build.apply(p, a)], [row], view.output)
    return None


@of_products_having(Trait.REPEATED)
def orthogonal_cancelled(node: Einsum) -> Node | None:
    """``Q'*Q -> I`` for a matrix declared orthogonal, or with columns that are by construction.

    Example: ``Q'*Q -> I`` for the thin Q of qr(A), ``E*E' -> I`` for rows E of a unit matrix.
    """
    parts = parts_of(node)
    seen: dict[tuple[Node, int, int], int] = {}
    for k, (factor, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        for axis in orthonormal_axes(factor):
            joint = row[axis]
            if joint in parts.output or parts.uses(joint) != 2 or row[0] == row[1]:
                continue
            first = seen.setdefault((factor, joint, axis), k)
            if first != k:
                unit = build.delta(factor.dims[1 - axis])
                ends = (parts.rows[first][1 - axis], row[1 - axis])
                return parts.replaced((first, k), (unit,), (ends,)).build()
    return None


def orthonormal_axes(node: Node) -> tuple[int, ...]:
    """The axes of a matrix over which its product with itself sums to the unit matrix."""
    match node:
        case _ if node.order != 2:
            return ()
        case Apply(primitive=Qr(), output=0) | Apply(primitive=Svd(), output=0 | 2):
            thin: tuple[int, ...] = (0,)
        case Apply(primitive=Lq(), output=1) | Apply(primitive=Window()):
            thin = (1,)
        case _:
            thin = ()
    return (0, 1) if holds(node, Fact.ORTHOGONAL) is True else thin


@of_functions_of(Spectral)
def whole_power_of_matrix(node: Apply) -> Node | None:
    """``powm(2, S) -> S*S`` and ``powm(-1, S) -> inv(S)`` for small whole powers of a symmetric S.

    The number of functions of eigenvalues falls.
    """
    match node:
        case Apply(primitive=Spectral(k=0, scalar=g), args=(a,)):
            base, p = base_and_exponent(g)
            count = abs(p.numerator)
            whole = base is ARGUMENT and p.denominator == 1 and count <= LARGEST_POWER
            if not whole or a.order != 2 or not symmetric_axes(a):
                return None
            factor = a if p > 0 else inv(a)
            rows = [(k, k + 1) for k in range(count)]
            return build.einsum([factor] * count, rows, (0, count))
    return None


LARGEST_POWER = 4
"""The largest power of a matrix that is written as a product."""


@of_products_having(Cofactors)
def cofactors_over_determinant(node: Einsum) -> Node | None:
    """``cofactors(A) det(A)^p -> inv(A)' det(A)^(p+1)`` for p < 0, where det(A) is not zero.

    Example: the gradient of ``log(det(X))`` is ``inv(X)'``.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        base, exponent = base_and_exponent(factor)
        if not _is_cofactors(base, 0) or exponent >= 0:
            continue
        for j, other in enumerate(parts.factors):
            if _is_cofactors(other, 1) and other.operands == base.operands and other.order == 2:
                row = parts.rows[j]
                new = [inv(base.operands[0]), power(base, exponent + 1)]
                return parts.replaced((k, j), new, (row[::-1], ())).build()
    return None


@of_functions_of(Cofactors)
def cofactors_of_inverse(node: Apply) -> Node | None:
    """``cofactors(inv(A)) -> A'/det(A)``, and the derivatives of these likewise.

    Those are ``(A[j,i]*A[l,k] - A[l,i]*A[j,k])/det(A)``.
    """
    match node:
        case Apply(primitive=Cofactors(k=2), args=(Apply(primitive=Inverse(axes=1)) as y,)) if (
            y.order == 2
        ):
            (a,) = y.args
            one, other = (
                build.einsum([a, a], rows, "ijkl") for rows in (("ji", "lk"), ("li", "jk"))
            )
            reciprocal = power(build.apply(Cofactors(0), a), -1)
            return build.hadamard(reciprocal, build.subtract(one, other))
        case Apply(primitive=Cofactors(k=1), args=(Apply(primitive=Inverse(axes=1)) as y,)):
            (a,) = y.args
            axes = tuple(range(a.order))
            reciprocal = power(build.apply(Cofactors(0), a), -1)
            turned = (*axes[:-2], axes[-1], axes[-2])
            return build.einsum([a, reciprocal], [axes, axes[:-2]], turned)
    return None


@of_functions_of(log)
def log_of_determinant(node: Apply) -> Node | None:
    """``log(det(A)) -> logdet(A)``, ``log(abs(det(A))) -> logabsdet(A)``."""
    match node:
        case Apply(primitive=function, args=(Apply() as inner,)) if function == log:
            if _is_cofactors(inner, 0):
                return logdet(inner.args[0])
            if inner.primitive == abs_ and _is_cofactors(inner.args[0], 0):
                return logabsdet(inner.args[0].operands[0])
    return None


@of_functions_of(LogDet, Cofactors)
def determinant_of_inverse(node: Apply) -> Node | None:
    """``logdet(inv(A)) -> -logdet(A)``, ``det(inv(A)) -> 1/det(A)``."""
    match node:
        case Apply(primitive=LogDet(), args=(Apply(primitive=Inverse(axes=1)) as y,)):
            return build.scale(-1, logdet(y.args[0]))
        case Apply(primitive=Cofactors(k=0), args=(Apply(primitive=Inverse(axes=1)) as y,)):
            return power(build.apply(Cofactors(0), y.args[0]), -1)
    return None


@of_functions_of(LogDet, Cofactors)
def determinant_of_transpose(node: Apply) -> Node | None:
    """``det(A') -> det(A)``, ``logdet(A') -> logdet(A)``."""
    match node:
        case Apply(primitive=LogDet() | Cofactors(k=0) as p, args=(Einsum(factors=(a,)) as view,)):
            (row,) = view.subscripts
            if view.is_view and view.output == (*row[:-2], *row[-2:][::-1]):
                return build.apply(p, a)
    return None


@of_functions_of(Inverse, LogDet, Cofactors)
def function_of_power(node: Apply) -> Node | None:
    """``det(X^3) -> det(X)^3``, the same for `inv`, `logdet` and adjugates of whole powers.

    The number of powers of matrices in functions falls.  ``logdet(X^2) -> 2*logabsdet(X)``.
    """
    primitive = node.primitive
    if not isinstance(primitive, Inverse | LogDet | Cofactors) or len(node.args) != 1:
        return None
    x, count, turned = _root_of_power(node.args[0])
    if count == 1:
        return None
    match primitive:
        case LogDet():
            return build.scale(count, logdet(x) if count % 2 else logabsdet(x))
        case Cofactors(k=0):
            return power(build.apply(primitive, x), count)
        case Cofactors(k=2):
            return None
    factor = build.apply(primitive, x)
    rows = [(k, k + 1) for k in range(count)]
    return build.einsum([factor] * count, rows, (count, 0) if turned else (0, count))


def _root_of_power(node: Node) -> tuple[Node, int, bool]:
    """X, k and False for ``X^k``, True for its transpose; every matrix is its own first power."""
    if isinstance(node, Einsum) and node.order == 2:
        factors = parts_of(node).factors
        x, count = factors[0], len(factors)
        if count > 1 and x.dims == node.dims and all(other is x for other in factors):
            rows = [(k, k + 1) for k in range(count)]
            for ends in ((0, count), (count, 0)):
                if build.einsum(factors, rows, ends) is node:
                    return x, count, ends != (0, count)
    return node, 1, False


@of_products_having(Cofactors)
def matrix_times_adjugate(node: Einsum) -> Node | None:
    """``X*adj(X) -> det(X)*I`` and ``adj(X)*X -> det(X)*I`` in a product, either one transposed.

    The number of factors falls.  Example: the gradient of ``det(X*X)`` is ``2*det(X)*adj(X)'``.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if not _is_cofactors(factor, 1) or factor.order != 2:
            continue
        (x,) = factor.operands
        for j, other in enumerate(parts.factors):
            if other is x:
                new = joined_by_unit(parts, k, j, TURNED)
                if new is not None:
                    det = build.apply(Cofactors(0), x)
                    return new.replaced((), (det,), ((),)).build()
    return None


def _is_cofactors(node: Node, k: int) -> bool:
    return (
        isinstance(node, Apply) and isinstance(node.primitive, Cofactors) and node.primitive.k == k
    )


RULES = (
    inverse_of_inverse,
    inverse_of_scaled,
    scalar_out_of_inverse,
    inverse_of_quotient,
    inverse_of_transpose,
    whole_power_of_matrix,
    orthogonal_cancelled,
    cofactors_over_determinant,
    cofactors_of_inverse,
    log_of_determinant,
    determinant_of_inverse,
    determinant_of_transpose,
    function_of_power,
    matrix_times_adjugate,
)
