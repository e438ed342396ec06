"""The logarithm of the determinant: ``d logdet(A) = tr(inv(A) dA)`` (Magnus & Neudecker 8.3)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.facts import holds as known
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Fact, LinearMap, Notation, linear_map
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.cholesky import cholesky, growth_of_solution
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.inverse import inv
from tcalc.primitives.matrix_shapes import check_square
from tcalc.primitives.routines import Coded, Embedded, Routine, of_square
from tcalc.primitives.singularity import below_hadamard, equilibrated, singular_among


class LogDet(Coded):
    """``log(det(A))``; an error where det(A) <= 0."""

    name = "logdet"
    compound = "logdet_{}"
    analytic = True

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        check_square(self.name, arguments[0])
        return (arguments[0][:-2],)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        return jacobian_of_log_determinant(node)

    def evaluate(self, *arrays: Any) -> Any:
        return log_determinant(*arrays, where="logdet")

    def routine(self, node: Apply) -> Routine:
        if known(node.args[0], Fact.SPD) is True:
            return Embedded(
                log_determinant_spd,
                named=True,
                requires=(cholesky, growth_of_solution),
                work=of_square(Fraction(1, 3), 2),
            )
        return Embedded(
            log_determinant,
            named=True,
            requires=(below_hadamard, singular_among, equilibrated),
            work=of_square(Fraction(2, 3), 4),
        )

    def notation(self, node: Apply) -> Notation:
        return Notation(name="logdet", latex=r"\log\det")


def jacobian_of_log_determinant(node: Apply) -> LinearMap:
    """That of ``log|det(A)|`` for any regular matrix A, the argument of `node`."""
    # d log|det(A)| = Y[j,i] dA[i,j],  Y = inv(A)
    return linear_map(node, 0, "", "ij", (1, "ji", (inv(node.args[0]),)))


def log_determinant(A: Array, *, where: str) -> Array:
    """The logarithm of the determinants; an error where one of finite numbers is not positive."""
    finite = np.isfinite(A).all(axis=(-2, -1))
    sign, value = np.linalg.slogdet(np.where(finite[..., None, None], A, 1))
    bad = np.real(sign) <= 0
    if (bad & finite).any():
        raise np.linalg.LinAlgError(f"{where}: the determinant is not positive")
    if singular_among(A, below_hadamard(A, value) & finite).any():
        raise np.linalg.LinAlgError(f"{where}: the matrix is singular, up to rounding")
    # A complex sign carries the argument of the determinant.
    return np.where(finite, value, np.nan) + np.log(np.where(bad, 1, sign))


def log_determinant_spd(A: Array, *, where: str) -> Array:
    """The logarithm of the determinants of positive definite matrices, by Cholesky."""
    L = cholesky(A, where=where)
    return 2 * np.log(np.einsum("...ii->...i", L)).sum(axis=-1)


def logdet(a: Node) -> Node:
    """The logarithm of the determinant of square matrices."""
    return build.apply(LogDet(), a)


FUNCTIONS = (
    Function(
        "logdet",
        (tensor_form("...nn->...", logdet),),
        "log(det(A)); an error where det(A) <= 0",
        "det(A) > 0",
        "inv(A)'",
        "its derivatives, those of log|det(A)|, have values where det(A) < 0 too",
        source="Magnus & Neudecker, Matrix Differential Calculus, 8.3",
    ),
)
