"""The equation of the polar factor, solved: the derivatives of `polar` beyond the first.

For A of full rank with polar factor W, ``K = A W'`` and ``H = W' A``, a primitive T(A; R) is the
solution X of

    K X + X H = R.

``dW = T(A; dA - W dA' W)`` (`tcalc.primitives.polar`), and differentiating the equation gives

    dT(A; R) = T(A; dR - dK X - X dH),    dK = dA W' + A dW',    dH = dW' A + W' dA,

so that the family is closed under differentiation; the equation is symmetric, so T is its own
adjoint.  Of a long matrix one of K and H is as large as its longer side squared.  Neither is
formed: with ``A = U diag(s) V'`` and ``M = U' R V``,

    X = U (M ./ (s[i] + s[j])) V' + (R - U U' R) V diag(1/s) V' + U diag(1/s) U' (R - R V V').
"""

from __future__ import annotations

from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Operator, Primitive
from tcalc.primitives.matrices import product, sums_of_pairs
from tcalc.primitives.matrix_shapes import check_matrix
from tcalc.primitives.operators import is_zero, operator, taken_once
from tcalc.primitives.polar import polar, turned
from tcalc.primitives.power import reciprocal
from tcalc.primitives.svd import (
    singular_decomposition,
    singular_reciprocals,
    singular_value_reciprocals,
    svd,
)


class PolarSolve(Primitive):
    """The solution X of ``K X + X H = R`` for the matrices K and H of A; arguments A and R."""

    name = "polarsolve"
    blamed = "polar"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        a, r = arguments
        check_matrix(self.name, a)
        if a != r:
            raise ValueError("polarsolve: the right-hand side does not fit the matrix")
        return (a,)

    def jacobian(self, node: Apply, position: int) -> Operator:
        A = node.args[0]
        if position == 1:
            return operator(node, 1, (A,), _solved, _solved)
        return operator(node, 0, (A, polar(A), node), _along, _adjoint)

    def evaluate(self, *arrays: Any) -> Any:
        A, R = arrays
        U, s, V = singular_decomposition(A, where=self.blamed)
        over = singular_reciprocals(s, self.blamed)[..., None, :]
        U_t, V_t = U.swapaxes(-1, -2), V.swapaxes(-1, -2)
        M = U_t @ R @ V
        inner = M / (s[..., :, None] + s[..., None, :])
        left = (R @ V - U @ M) * over
        right = (U_t @ R - M @ V_t).swapaxes(-1, -2) * over
        return (U @ inner + left) @ V_t + U @ right.swapaxes(-1, -2)

    def expansion(self, node: Apply) -> Node:
        A, R = node.args
        # One matrix for many right-hand sides is decomposed once.
        lead, (A,) = taken_once(A)
        U, s, V = svd(A)
        over, sums = singular_value_reciprocals(s, self.blamed), reciprocal(sums_of_pairs(s))
        U, V, over, sums = (build.broadcast(x, lead + x.dims) for x in (U, V, over, sums))
        RV = product("ij,jr->ir", R, V)
        UR = product("ir,ij->rj", U, R)
        M = product("ir,ij->rj", U, RV)
        left = build.subtract(RV, product("ir,rj->ij", U, M))
        right = build.subtract(UR, product("ri,ji->rj", M, V))
        return build.sum_of(
            product("ir,rq,rq,jq->ij", U, M, sums, V),
            product("ir,r,jr->ij", left, over, V),
            product("ir,r,rj->ij", U, over, right),
        )


def polar_solve(a: Node, right: Node) -> Node:
    """The solution of the equation of the polar factor of `a` for a right-hand side."""
    return right if is_zero(right) else build.apply(PolarSolve(), a, right)


def polar_along(a: Node, direction: Node) -> Node:
    """The derivative of the polar factor in a direction, by factors that can be differentiated."""
    return polar_solve(a, turned(direction, polar(a)))


def _solved(R: Node, A: Node) -> Node:
    return polar_solve(A, R)


def _along(d: Node, A: Node, W: Node, X: Node) -> Node:
    """The derivative of ``X = T(A; R)`` in the direction d of A: ``-T(A; dK X + X dH)``."""
    G = polar_solve(A, turned(d, W))
    moved = build.sum_of(
        product("ij,kj,kl->il", d, W, X),
        product("ij,kj,kl->il", A, G, X),
        product("ij,kj,kl->il", X, G, A),
        product("ij,kj,kl->il", X, W, d),
    )
    return build.scale(-1, polar_solve(A, moved))


def _adjoint(bar: Node, A: Node, W: Node, X: Node) -> Node:
    """What a cotangent of ``X = T(A; R)`` gives to A."""
    Y = polar_solve(A, bar)
    direct = build.sum_of(
        product("ij,kj,kl->il", Y, X, W),
        product("ij,kj,kl->il", W, X, Y),
    )
    by_factor = build.sum_of(
        product("ij,kj,kl->il", X, Y, A),
        product("ij,kj,kl->il", A, Y, X),
    )
    return build.scale(-1, build.sum_of(direct, turned(polar_solve(A, by_factor), W)))
