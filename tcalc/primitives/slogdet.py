"""Sign and logarithm of the absolute value of the determinant.

``d log|det(A)| = tr(inv(A) dA)`` for every regular matrix (Magnus & Neudecker 8.3); the sign is
constant wherever it has a derivative.  At singular matrices the value is -inf with sign 0, and
the derivative an error.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Fact, Holds, LinearMap
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.logdet import jacobian_of_log_determinant
from tcalc.primitives.matrix_shapes import check_square
from tcalc.primitives.routines import Coded, Embedded, Routine, of_square


class SignLogDet(Coded):
    """The sign of the determinant, and the logarithm of its absolute value."""

    name = "slogdet"
    outputs = 2
    output_names = ("s", "l")

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        check_square(self.name, arguments[0])
        return (arguments[0][:-2],) * 2

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        return jacobian_of_log_determinant(node) if node.output == 1 else ()

    def evaluate(self, *arrays: Any) -> Any:
        return sign_and_logarithm(arrays[0], where="slogdet")

    def routine(self, node: Apply) -> Routine:
        return Embedded(sign_and_logarithm, named=True, work=of_square(Fraction(2, 3)))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        if node.output == 1:
            return None
        definite = fact in (Fact.POSITIVE, Fact.NONNEGATIVE) and holds(node.args[0], Fact.SPD)
        return True if fact is Fact.INTEGER or definite else None


class LogAbsDet(Coded):
    """``log|det(A)|`` alone."""

    name = "logabsdet"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        check_square(self.name, arguments[0])
        return (arguments[0][:-2],)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        return jacobian_of_log_determinant(node)

    def evaluate(self, *arrays: Any) -> Any:
        return sign_and_logarithm(arrays[0], where="logabsdet")[1]

    def routine(self, node: Apply) -> Routine:
        return Embedded(
            log_absolute_determinant,
            named=True,
            requires=(sign_and_logarithm,),
            work=of_square(Fraction(2, 3)),
        )


def sign_and_logarithm(A: Array, *, where: str) -> tuple[Array, Array]:
    """The sign of the determinants, and log|det|; NaN gives NaN."""
    if np.iscomplexobj(A):
        raise np.linalg.LinAlgError(f"{where}: the matrix is complex, and should be real")
    finite = np.isfinite(A).all(axis=(-2, -1))
    sign, value = np.linalg.slogdet(np.where(finite[..., None, None], A, 1))
    return np.where(finite, sign, np.nan), np.where(finite, value, np.nan)


def log_absolute_determinant(A: Array, *, where: str) -> Array:
    """log|det|; NaN gives NaN."""
    return sign_and_logarithm(A, where=where)[1]


def slogdet(a: Node) -> tuple[Node, Node]:
    """The sign of the determinant, and the logarithm of its absolute value."""
    return build.apply(SignLogDet(), a), build.apply(SignLogDet(), a, output=1)


def logabsdet(a: Node) -> Node:
    """The logarithm of the absolute value of the determinant."""
    return build.apply(LogAbsDet(), a)


FUNCTIONS = (
    Function(
        "slogdet",
        (tensor_form("...nn->...,...", slogdet),),
        "s, l = slogdet(A): the sign of det(A), and log|det(A)|",
        "A not singular",
        "0 and inv(A)'",
        "sign 0 and -infinity where A is singular; the derivative is an error there",
        source="Magnus & Neudecker, Matrix Differential Calculus, 8.3",
    ),
    Function(
        "logabsdet",
        (tensor_form("...nn->...", logabsdet),),
        "log|det(A)|",
        "A not singular",
        "inv(A)'",
        "-infinity where A is singular; the derivative is an error there",
        source="Magnus & Neudecker, Matrix Differential Calculus, 8.3",
    ),
)
