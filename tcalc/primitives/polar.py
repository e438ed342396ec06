"""The polar factor ``W = U V'`` of a matrix ``A = U diag(s) V'`` of full rank, and `normnuc`.

W is a function of all singular values alike, the constant 1 (`tcalc.primitives.singular`): that is
how its derivative is computed, by factors as thin as A.  Higher derivatives are those of its
equation (`tcalc.primitives.polar_solve`).

With ``K = A W' = U diag(s) U'`` and ``H = W' A = V diag(s) V'``,

    K dW + dW H = dA - W dA' W

for tall and wide matrices alike: in the bases of U and V it reads
``(s[i] + s[j]) dW[i,j] = M[i,j] - M[j,i]`` (compare Higham, Functions of Matrices, 8.5).  K and H
have no common eigenvalue with opposite sign at full rank, so that singular values that coincide
do no harm, at any order.  W is the gradient of the nuclear norm.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Fact, Holds, LinearMap, Notation, Operator, Style, linear_map
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.matrices import product, transpose
from tcalc.primitives.matrix_shapes import check_matrix
from tcalc.primitives.operators import operator
from tcalc.primitives.routines import Coded, Embedded, Routine, of_thin
from tcalc.primitives.sylvester import sylvester

HALF = Fraction(1, 2)


class Polar(Coded):
    """The matrix with orthonormal columns, or rows, that is nearest to A."""

    name = "polar"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        check_matrix(self.name, arguments[0])
        return (arguments[0],)

    def jacobian(self, node: Apply, position: int) -> Operator:
        # `singular` is built on this file.
        from tcalc.primitives.singular import derivative_of_polar

        def rule(d: Node, A: Node) -> Node:
            return derivative_of_polar(A, d)

        return operator(node, position, node.args, rule, rule)

    def evaluate(self, *arrays: Any) -> Any:
        return polar_factor(*arrays, where="polar")

    def routine(self, node: Apply) -> Routine:
        return Embedded(polar_factor, named=True, work=of_thin(16, 8))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        (a,) = node.args
        if fact is Fact.ORTHOGONAL and a.dims[-1] == a.dims[-2]:
            return True
        return True if fact is Fact.SYMMETRIC and holds(a, fact) else None


def polar_equation(a: Node, right: Node) -> Node:
    """The solution X of ``K X + X H = R`` for a right-hand side R."""
    W = polar(a)
    K, H = (
        build.add([(HALF, x), (HALF, transpose(x))])
        for x in (product("ij,kj->ik", a, W), product("ji,jk->ik", W, a))
    )
    return sylvester(K, H, right)


def turned(d: Node, factor: Node) -> Node:
    """``dA - W dA' W``, the right-hand side for dW: an operator that is its own adjoint."""
    return build.subtract(d, product("ij,kj,kl->il", factor, d, factor))


def polar_factor(A: Array, *, where: str) -> Array:
    """U V' from the singular value decomposition; NaN gives NaN."""
    if np.iscomplexobj(A):
        raise np.linalg.LinAlgError(f"{where}: the matrix is complex, and should be real")
    finite = np.isfinite(A).all(axis=(-2, -1))[..., None, None]
    unit = np.eye(*A.shape[-2:], dtype=A.dtype)
    U, s, Vh = np.linalg.svd(np.where(finite, A, unit), full_matrices=False)
    rounding = max(A.shape[-2:]) * np.finfo(A.dtype).eps
    if (s[..., -1:] <= rounding * s[..., :1]).any():
        raise np.linalg.LinAlgError(f"{where}: the matrix does not have full rank")
    return np.where(finite, U @ Vh, np.nan)


class NuclearNorm(Coded):
    """The sum of the singular values."""

    name = "normnuc"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        check_matrix(self.name, arguments[0])
        return (arguments[0][:-2],)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        # d‖A‖_* = W[i,j] dA[i,j]   (Watson, "Characterization of the subdifferential", 1992)
        return linear_map(node, 0, "", "ij", (1, "ij", (polar(node.args[0]),)))

    def evaluate(self, *arrays: Any) -> Any:
        return nuclear_norm(*arrays, where="normnuc")

    def routine(self, node: Apply) -> Routine:
        return Embedded(nuclear_norm, named=True, work=of_thin(4, Fraction(-4, 3)))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return True if fact is Fact.NONNEGATIVE else None

    def notation(self, node: Apply) -> Notation:
        return Notation(Style.NORM, "normnuc", mark="*")


def nuclear_norm(A: Array, *, where: str) -> Array:
    """The sum of the singular values; NaN gives NaN."""
    if np.iscomplexobj(A):
        raise np.linalg.LinAlgError(f"{where}: the matrix is complex, and should be real")
    finite = np.isfinite(A).all(axis=(-2, -1))
    s = np.linalg.svd(np.where(finite[..., None, None], A, 0), compute_uv=False)
    return np.where(finite, s.sum(axis=-1), np.nan)


def polar(a: Node) -> Node:
    """The polar factor of matrices of full rank."""
    return build.apply(Polar(), a)


def normnuc(a: Node) -> Node:
    """The nuclear norm of matrices."""
    return build.apply(NuclearNorm(), a)


FUNCTIONS = (
    Function(
        "normnuc",
        (tensor_form("...mn->...", normnuc),),
        "nuclear norm, the sum of the singular values",
        derivative="polar(A), exact where singular values coincide, at every order",
        kink="no derivative where A does not have full rank: an error",
        source="Watson, Characterization of the subdifferential of some matrix norms, 1992",
    ),
    Function(
        "polar",
        (tensor_form("...mn->...mn", polar),),
        "polar factor U*V' of A = U*diag(s)*V'; the gradient of normnuc",
        "A of full rank, else an error",
        "K dW + dW H = dA - W dA' W,  K = A W',  H = W' A",
        source="Higham, Functions of Matrices, chapter 8",
    ),
)
