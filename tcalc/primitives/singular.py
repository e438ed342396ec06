"""Functions of singular values, all treated alike, and their derivatives, exact at ties.

For ``A = U diag(s) V'`` of full rank and a function g of one number, ``Σ g(s)`` has the gradient
``U diag(f(s)) V'`` with ``f = g'`` (Lewis & Sendov, "Nonsmooth analysis of singular values", 2005),
and this generalised matrix function (Hawkins & Ben-Israel 1973) the derivative in a direction E

    U (D .* (M + M') + P .* (M - M'))/2 V' + (E V - U M) Q V' + U Q (U' E - M V'),   M = U' E V,

    D[i,j] = f[s[i], s[j]],   P[i,j] = (f(s[i]) + f(s[j]))/(s[i] + s[j]),   Q = diag(f(s)/s),

(Noferini, "A formula for the Fréchet derivative of a generalized matrix function", 2017), with a
divided difference D, so that nothing is lost where singular values meet.  As the second derivative
of a scalar it is its own adjoint.  For the third derivative D is `written_out` by
``1/(s[i] - s[j])``, whose terms cancel near ties, so that these are an error; for the polar factor,
where f is 1, there is an equation that has none (`tcalc.primitives.polar_solve`).

The function may have parameters, as `tcalc.primitives.scalar` describes.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Add, Apply, Node
from tcalc.expr.primitive import LinearMap, Operator, Primitive, linear_map
from tcalc.expr.traverse import variables
from tcalc.primitives.arrays import np
from tcalc.primitives.divided_differences import (
    divided_difference,
    divided_differences,
    points_per_axis,
    simplex_points,
    simplex_points_of,
)
from tcalc.primitives.eigh import gap
from tcalc.primitives.matrices import (
    diagonal_matrix,
    product,
    spread_over_pairs,
    sums_of_pairs,
    transpose,
)
from tcalc.primitives.matrix_function import MatrixFunction
from tcalc.primitives.matrix_shapes import check_matrix
from tcalc.primitives.operators import is_zero, operator, taken_once
from tcalc.primitives.polar import normnuc, polar
from tcalc.primitives.polar_solve import polar_along
from tcalc.primitives.power import power, reciprocal, square
from tcalc.primitives.reductions import total
from tcalc.primitives.scalar import (
    ARGUMENT,
    applied_to,
    parameter,
    scalar_applied,
    scalar_derivative,
    split_arguments,
    values_at,
    without_unused,
)
from tcalc.primitives.svd import (
    singular_decomposition,
    singular_reciprocals,
    singular_value_reciprocals,
    svd,
    svdvals,
)

HALF = Fraction(1, 2)
ONE = build.const(1)


class SingularSum(Primitive):
    """``Σ g(s)`` over the singular values of a matrix; the arguments are A and the parameters."""

    name = "singularsum"
    blamed = "svdvals"

    def __init__(self, g: Node, parameters: int) -> None:
        self.g, self.parameters = g, parameters

    @property
    def key(self) -> str:
        return f"singularsum({self.g.digest.hex()}, {self.parameters})"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        a, *t = arguments
        check_matrix(self.name, a)
        if len(t) != self.parameters or set(t) > {a[:-2]}:
            raise ValueError("singularsum: the parameters do not fit the matrix")
        return (a[:-2],)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        A, *t = node.args
        if position:
            slope = scalar_derivative(self.g, parameter(position - 1))
            return linear_map(node, position, "", "", (1, "", (singular_sum(slope, A, t),)))
        # dΣ g(s) = U[i,r] g'(s[r]) V[j,r] dA[i,j]
        gradient = singular(scalar_derivative(self.g, ARGUMENT), A, t)
        return linear_map(node, 0, "", "ij", (1, "ij", (gradient,)))

    def evaluate(self, *arrays: Any) -> Any:
        A, *t = arrays
        _, s, _ = singular_decomposition(A, where=self.blamed)
        return values_at(self.g, s, t).sum(axis=-1)

    def expansion(self, node: Apply) -> Node:
        A, *t = node.args
        return total(applied_to(self.g, svdvals(A), t), 1)


class Singular(MatrixFunction):
    """``U diag(f(s)) V'``, or its derivative in a direction, the last argument."""

    name = "singular"

    def __init__(self, f: Node, parameters: int, k: int) -> None:
        super().__init__(f, parameters, k)
        self.blamed = "polar" if self.is_polar else "svd"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        check_matrix(self.name, arguments[0])
        return super().shapes(*arguments)

    def of(
        self, scalar: Node, a: Node, parameters: Sequence[Node], directions: Sequence[Node]
    ) -> Node:
        return singular(scalar, a, parameters, *directions)

    def jacobian(self, node: Apply, position: int) -> LinearMap | Operator:
        if (found := self.by_parameter(node, position)) is not None:
            return found
        if position == 0 and self.k:
            raise TypeError("singular is written out before it is differentiated twice")
        A, t, _ = split_arguments(node.args, self.parameters)

        def rule(d: Node, A: Node, *t: Node) -> Node:
            return singular(self.scalar, A, t, d)

        return operator(node, position, (A, *t), rule, rule)

    def evaluate(self, *arrays: Any) -> Any:
        A, t, E = split_arguments(arrays, self.parameters)
        U, s, V = singular_decomposition(A, where=self.blamed)
        f = values_at(self.scalar, s, t)
        if not E:
            return np.einsum("...ir,...r,...jr->...ij", U, f, V)
        points = simplex_points(-s, 1, points_per_axis(1))
        slope = scalar_derivative(self.scalar, ARGUMENT)
        D = -divided_differences(-s, f, -values_at(slope, -points, t))
        P = (f[..., :, None] + f[..., None, :]) / (s[..., :, None] + s[..., None, :])
        Q = f * singular_reciprocals(s, self.blamed)
        U_t, V_t = U.swapaxes(-1, -2), V.swapaxes(-1, -2)
        M = U_t @ E[0] @ V
        M_t = M.swapaxes(-1, -2)
        inner = (D * (M + M_t) + P * (M - M_t)) / 2
        left = (E[0] @ V - U @ M) * Q[..., None, :]
        right = Q[..., :, None] * (U_t @ E[0] - M @ V_t)
        return U @ inner @ V_t + left @ V_t + U @ right

    def expansion(self, node: Apply) -> Node:
        return self._written(node, apart=False)

    @property
    def is_polar(self) -> bool:
        """Whether it is the derivative of the polar factor."""
        return self.scalar is ONE

    def _written(self, node: Apply, apart: bool) -> Node:
        A, t, E = split_arguments(node.args, self.parameters)
        if apart and self.is_polar:
            return polar_along(A, E[0])
        # One matrix for many directions, as in a whole Hessian, is decomposed once.
        lead, (A, *once) = taken_once(A, *t)
        U, s, V = svd(A)
        f = applied_to(self.scalar, s, once)
        if not E:
            found = product("ir,r,jr->ij", U, f, V)
            return build.broadcast(found, lead + found.dims)
        D = self._divided_differences(s, f, once, apart)
        P = build.hadamard(sums_of_pairs(f), reciprocal(sums_of_pairs(s)))
        Q = build.hadamard(f, singular_value_reciprocals(s, self.blamed))
        U, V, D, P, Q = (build.broadcast(x, lead + x.dims) for x in (U, V, D, P, Q))
        T = product("ij,jr->ir", E[0], V)
        M = product("ir,ij->rj", U, T)
        DM = product("ij,ij->ij", D, build.sum_of(M, transpose(M)))
        PM = product("ij,ij->ij", P, build.subtract(M, transpose(M)))
        inner = build.add([(HALF, DM), (HALF, PM)])
        left = product("ir,r->ir", build.subtract(T, product("ir,rj->ij", U, M)), Q)
        right = build.subtract(product("ir,ij->rj", U, E[0]), product("ri,ji->rj", M, V))
        return build.sum_of(
            product("ir,rq,jq->ij", U, inner, V),
            product("ir,jr->ij", left, V),
            product("ir,r,rj->ij", U, Q, right),
        )

    def _divided_differences(self, s: Node, f: Node, t: Sequence[Node], apart: bool) -> Node:
        """D, by quotients of differences if the values are `apart`."""
        slope = scalar_derivative(self.scalar, ARGUMENT)
        if apart:
            # gap(s)[i,j] = 1/(s[j] - s[i])
            rows, columns = spread_over_pairs(f)
            quotients = product("ij,ij->ij", gap(s, apart=True), build.subtract(columns, rows))
            return build.sum_of(quotients, diagonal_matrix(applied_to(slope, s, t)))
        if is_zero(slope):
            return build.zeros((*s.dims, s.dims[-1]))
        # Singular values descend, and divided differences are of values that ascend.
        w = build.scale(-1, s)
        points = build.scale(-1, simplex_points_of(w, 1))
        found = divided_difference(w, f, build.scale(-1, applied_to(slope, points, t)))
        return build.scale(-1, found)


def written_out(node: Apply) -> Node:
    """The derivative of a function of singular values by factors that can be differentiated."""
    assert isinstance(node.primitive, Singular)
    return node.primitive._written(node, apart=True)


def derivative_of_polar(a: Node, direction: Node) -> Node:
    """The derivative of the polar factor in a direction."""
    if is_zero(direction):
        return direction
    return build.apply(Singular(ONE, 0, 1), a, direction)


def singular_sum(g: Node, a: Node, parameters: Sequence[Node] = ()) -> Node:
    """``Σ g(s)`` over the singular values; sums of s and of s² are known by other names."""
    if isinstance(g, Add) and len(g.terms) == 1:
        ((coefficient, g),) = g.terms
        return build.scale(coefficient, singular_sum(g, a, parameters))
    if g is ARGUMENT:
        return normnuc(a)
    if g is power(ARGUMENT, 2):
        return total(square(a), 2)
    g, kept = without_unused(g, parameters)
    return build.apply(SingularSum(g, len(kept)), a, *kept)


def singular(f: Node, a: Node, parameters: Sequence[Node] = (), *direction: Node) -> Node:
    """``U diag(f(s)) V'``, or its derivative in a direction."""
    if isinstance(f, Add) and len(f.terms) == 1:
        ((coefficient, f),) = f.terms
        return build.scale(coefficient, singular(f, a, parameters, *direction))
    if direction and is_zero(direction[0]):
        return direction[0]
    if f is ARGUMENT:
        return direction[0] if direction else a
    f, kept = without_unused(f, parameters)
    if ARGUMENT not in variables([f]) and not direction:
        factor = scalar_applied(f, {parameter(j): t for j, t in enumerate(kept)}) if kept else f
        return product("ij,->ij", polar(a), build.broadcast(factor, a.dims[:-2]))
    return build.apply(Singular(f, len(kept), len(direction)), a, *kept, *direction)
