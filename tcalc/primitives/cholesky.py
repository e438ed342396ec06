"""The Cholesky factor, ``L L' = (A + A')/2``, and triangular solves.

``dL = L Φ(inv(L) dS inv(L)')``, where Φ keeps the lower triangle and halves the diagonal, and
``dS = (dA + dA')/2`` (Murray, "Differentiation of the Cholesky decomposition", 2016, eq. 8).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.facts import holds as known
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Fact, Holds, LinearMap, linear_map
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.inverse import inv, left_divide
from tcalc.primitives.matrices import tril
from tcalc.primitives.matrix_shapes import check_square
from tcalc.primitives.routines import Coded, Embedded, Routine, of_square
from tcalc.primitives.selection import lower

HALF = Fraction(1, 2)


class Cholesky(Coded):
    """The lower triangular L with positive diagonal and ``L L' = (A + A')/2``."""

    name = "chol"
    letter = "L"
    compound = "L"
    analytic = True

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        check_square(self.name, arguments[0])
        return (arguments[0],)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        factors = (node, half_lower(node.dims[-1]), inv(node), inv(node))
        # dL[i,j] = L[i,a] Φ[a,j] Y[a,k] Y[j,l] (dA[k,l] + dA[l,k])/2,  Y = inv(L)
        return linear_map(
            node,
            0,
            "ij",
            "kl",
            (HALF, "ia,aj,ak,jl", factors),
            (HALF, "ia,aj,al,jk", factors),
        )

    def evaluate(self, *arrays: Any) -> Any:
        return cholesky(*arrays, where="chol")

    def routine(self, node: Apply) -> Routine:
        return Embedded(
            cholesky,
            named=True,
            requires=(growth_of_solution,),
            work=of_square(Fraction(1, 3), 2),
        )

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        if fact is Fact.LOWER:
            return True
        return True if fact is Fact.DIAGONAL and holds(node.args[0], fact) else None


def half_lower(n: Dim) -> Node:
    """Φ: ones below the diagonal, one half on it."""
    return build.add([(HALF, lower(n, n)), (HALF, lower(n, n, -1))])


def cholesky(A: Array, *, where: str) -> Array:
    """The lower Cholesky factor of (A + A')/2; a matrix that is not finite gives NaN."""
    S = 0.5 * (A + A.swapaxes(-1, -2))
    if np.iscomplexobj(S):
        # For the complex step: the same factor by columns, without conjugation.
        L = np.zeros_like(S)
        for j in range(S.shape[-1]):
            done = np.einsum("...k,...ik->...i", L[..., j, :j], L[..., j:, :j])
            column = S[..., j:, j] - done
            if (column[..., 0].real <= 0).any():
                raise np.linalg.LinAlgError(f"{where}: the matrix is not positive definite")
            L[..., j:, j] = column / np.sqrt(column[..., :1])
        return L
    try:
        L = np.linalg.cholesky(S)
    except np.linalg.LinAlgError:
        finite = np.isfinite(S).all(axis=(-2, -1))
        if finite.all():
            message = f"{where}: the matrix is not positive definite"
            raise np.linalg.LinAlgError(message) from None
        L = np.full_like(S, np.nan)
        L[finite] = cholesky(S[finite], where=where)
    # Hadamard: det(S) is at most the product of the diagonal, and far less near singular matrices.
    d, scale = np.einsum("...ii->...i", L), np.sqrt(np.einsum("...ii->...i", S))
    n = S.shape[-1]
    most = 1 / (max(n, 4) ** 0.5 * np.finfo(S.dtype).eps)
    far = 2 * np.log(scale / d).sum(axis=-1) < np.log(most / (4 * max(n, 4)))
    if not far.all() and (growth_of_solution(L, scale) > most).any():
        raise np.linalg.LinAlgError(
            f"{where}: the matrix is not positive definite, but for rounding"
        )
    return L


def growth_of_solution(L: Array, scale: Array) -> Array:
    """How large a solution with L L', rows and columns scaled, is for a right side of ±1.

    The signs are those by which it grows most (Cline, Moler, Stewart & Wilkinson, "An estimate for
    the condition number of a matrix", 1979), then those of the solution that is found by them,
    which near singular matrices is a null vector: an estimate of the norm of the inverse (Hager,
    "Condition estimates", 1984).
    """
    n = L.shape[-1]
    y, signs = np.zeros_like(scale), None
    for _ in range(2):
        for k in range(n):
            done = np.einsum("...j,...j->...", L[..., k, :k], y[..., :k])
            sign = np.where(done < 0, 1, -1) if signs is None else signs[..., k]
            y[..., k] = (sign * scale[..., k] - done) / L[..., k, k]
        for k in range(n - 1, -1, -1):
            done = np.einsum("...j,...j->...", L[..., k + 1 :, k], y[..., k + 1 :])
            y[..., k] = (y[..., k] - done) / L[..., k, k]
        signs = np.where(y < 0, -1, 1)
    return np.abs(y * scale).max(axis=-1)


def chol(a: Node) -> Node:
    """The lower Cholesky factor of ``(A + A')/2``."""
    return build.apply(Cholesky(), a)


def trisolve(a: Node, b: Node) -> Node:
    """``inv(tril(A)) B``."""
    return left_divide(a if known(a, Fact.LOWER) is True else tril(a), b)


FUNCTIONS = (
    Function(
        "chol",
        (tensor_form("...nn->...nn", chol),),
        "lower Cholesky factor of (A + A')/2, with a positive diagonal",
        "(A + A')/2 positive definite, else an error",
        "dL = L Φ(inv(L) dS inv(L)'), S = (A + A')/2, Φ the lower triangle with halved diagonal",
        source="Murray, Differentiation of the Cholesky decomposition, 2016, eq. 8",
    ),
    Function(
        "trisolve",
        (
            tensor_form("...nn,...nk->...nk", trisolve),
            tensor_form("...nn,...n->...n", trisolve),
        ),
        "trisolve(L, B) = inv(tril(L)) B",
        "no zero on the diagonal of L, else an error",
        "dX = inv(tril(L)) (dB - tril(dL) X)",
        source="Magnus & Neudecker, Matrix Differential Calculus, 8.4",
    ),
)
