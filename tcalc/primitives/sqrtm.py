"""The principal square root of a matrix, ``X X = A``.

``X dX + dX X = dA`` is a Sylvester equation (Higham, Functions of Matrices, 6.1), regular wherever
A has no eigenvalue on the closed negative real axis; eigenvalues that coincide do no harm.
"""

from __future__ import annotations

from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Fact, Holds, Operator
from tcalc.primitives.arrays import Array, linalg, np
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.matrices import transpose
from tcalc.primitives.matrix_shapes import check_square
from tcalc.primitives.operators import operator
from tcalc.primitives.routines import Coded, Embedded, Routine, of_square
from tcalc.primitives.sylvester import sylvester

_KEPT = (Fact.SYMMETRIC, Fact.SPD, Fact.PSD, Fact.DIAGONAL, Fact.LOWER, Fact.UPPER)


class SquareRoot(Coded):
    """The square root whose eigenvalues have positive real parts."""

    name = "sqrtm"
    compound = "sqrt_{}"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        check_square(self.name, arguments[0])
        return (arguments[0],)

    def jacobian(self, node: Apply, position: int) -> Operator:
        def push(d: Node, X: Node) -> Node:
            # X dX + dX X = dA
            return sylvester(X, X, d)

        def pull(bar: Node, X: Node) -> Node:
            return sylvester(transpose(X), transpose(X), bar)

        return operator(node, position, (node,), push, pull)

    def evaluate(self, *arrays: Any) -> Any:
        (A,) = arrays
        X = np.full(A.shape, np.nan, A.dtype)
        for k in np.ndindex(A.shape[:-2]):
            if np.isfinite(A[k]).all():
                if not np.iscomplexobj(A) and (A[k] == A[k].T).all():
                    # Positive semidefinite ones have a root, but no derivative where singular.
                    X[k] = square_root_symmetric(A[k], where="sqrtm")
                    continue
                w = np.linalg.eigvals(A[k])
                rounding = len(w) * np.finfo(w.dtype).eps * np.abs(w).max(initial=0)
                if ((w.real <= rounding) & (np.abs(w.imag) <= rounding)).any():
                    message = "sqrtm: the matrix has an eigenvalue on the closed negative real axis"
                    raise np.linalg.LinAlgError(message)
                root = linalg.sqrtm(A[k])
                X[k] = root if np.iscomplexobj(A) else root.real
        return X

    def routine(self, node: Apply) -> Routine:
        if symmetric_axes(node.args[0]):
            return Embedded(square_root_symmetric, named=True, work=of_square(11, 1))
        general = (square_root_symmetric,)
        return Embedded(square_root, named=True, requires=general, work=of_square(44, 80))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return True if fact in _KEPT and holds(node.args[0], fact) else None


def square_root(A: Array, *, where: str) -> Array:
    """The principal square root by the scaled product iteration of Denman and Beavers.

    Higham, Functions of Matrices, (6.29): M -> I, X -> the square root; NaN gives NaN.
    """
    if not np.iscomplexobj(A) and (A.swapaxes(-1, -2) == A).all():
        return square_root_symmetric(A, where=where)
    n = A.shape[-1]
    message = f"{where}: the matrix has an eigenvalue on the closed negative real axis"
    finite = np.isfinite(A).all(axis=(-2, -1))[..., None, None]
    unit = np.eye(n, dtype=A.dtype)
    X = M = np.where(finite, A, unit)
    tolerance = 4 * n * np.finfo(A.dtype).eps
    try:
        for step in range(40):
            scale = np.ones((), A.dtype)
            if step < 6:
                # |det M|^(-1/2n); the determinant itself may be beyond all numbers.
                _, size = np.linalg.slogdet(M)
                scale = np.exp(np.where(np.isfinite(size), size, 0) / (-2 * n))[..., None, None]
            Y = np.linalg.inv(M)
            X = scale / 2 * X @ (unit + Y / scale**2)
            M = (unit + (scale**2 * M + Y / scale**2) / 2) / 2
            if (np.abs(M - unit).max(axis=(-2, -1), initial=0) <= tolerance).all():
                return np.where(finite, X, np.nan)
    except np.linalg.LinAlgError:
        raise np.linalg.LinAlgError(message) from None
    raise np.linalg.LinAlgError(message)


def square_root_symmetric(A: Array, *, where: str) -> Array:
    """The square root of positive semidefinite matrices, by eigenvalues; NaN gives NaN."""
    finite = np.isfinite(A).all(axis=(-2, -1))[..., None, None]
    w, V = np.linalg.eigh(np.where(finite, A, np.eye(A.shape[-1], dtype=A.dtype)))
    rounding = A.shape[-1] * np.finfo(A.dtype).eps * np.abs(w).max(axis=-1, initial=0)
    if (w < -rounding[..., None]).any():
        raise np.linalg.LinAlgError(f"{where}: the matrix has a negative eigenvalue")
    X = (V * np.sqrt(np.maximum(w, 0))[..., None, :]) @ V.swapaxes(-1, -2)
    return np.where(finite, X, np.nan)


def sqrtm(a: Node) -> Node:
    """The principal square root of square matrices."""
    return build.apply(SquareRoot(), a)


FUNCTIONS = (
    Function(
        "sqrtm",
        (tensor_form("...nn->...nn", sqrtm),),
        "principal square root of a matrix",
        "no eigenvalue on the closed negative real axis, else an error; symmetric positive "
        "semidefinite matrices have a value too",
        "X dX + dX X = dA, exact where eigenvalues coincide",
        "no derivative where A is singular: an error",
        source="Higham, Functions of Matrices, 6.1",
        on_device="the derivative of a matrix not known to be symmetric goes through the host",
    ),
)
