"""Matrix functions differentiated through the equations that define them.

An eigendecomposition is whatever solves ``A V = V diag(w)``, ``V'V = I``.  With A moving along E,
the derivative of ``G(A, Y) = 0`` is a linear system for the tangent of Y, ``G_Y dY = -G_A E``,
whose matrices come from complex steps through G, which is a polynomial.  No rule of
differentiation for the matrix function has a part in it, so that such a rule can be judged by it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from tcalc.errors import DomainError
from tcalc.expr.primitive import Primitive
from tcalc.primitives.arrays import NumPyArray as Array
from tcalc.primitives.eigh import Eigh, Eigvalsh
from tcalc.primitives.pinv import PseudoInverse
from tcalc.primitives.polar import NuclearNorm, Polar
from tcalc.primitives.qr import Lq, Qr
from tcalc.primitives.sqrtm import SquareRoot
from tcalc.primitives.svd import SingularValues, Svd

Equations: TypeAlias = Callable[..., Sequence[Any]]

STEP = 1e-20
LARGEST = 400
"""The most unknowns of a system: beyond, forming it takes longer than anybody waits."""
CONSISTENT = 1e-6


def _unit(like: Any) -> Any:
    return np.eye(like.shape[-1])


def _eigh(A: Any, w: Any, V: Any) -> Sequence[Any]:
    return (A + A.T) / 2 @ V - V * w, V.T @ V - _unit(V)


def _svd(A: Any, U: Any, s: Any, V: Any) -> Sequence[Any]:
    return (U * s) @ V.T - A, U.T @ U - _unit(U), V.T @ V - _unit(V)


def _qr(A: Any, Q: Any, R: Any) -> Sequence[Any]:
    return Q @ R - A, Q.T @ Q - _unit(Q), np.tril(R, -1)


def _lq(A: Any, L: Any, Q: Any) -> Sequence[Any]:
    return L @ Q - A, Q @ Q.T - _unit(Q.T), np.triu(L, 1)


def _polar(A: Any, Q: Any) -> Sequence[Any]:
    if A.shape[0] < A.shape[1]:
        return _polar(A.T, Q.T)
    # A = Q H with H = Q'A symmetric.
    return Q.T @ Q - _unit(Q), Q @ (Q.T @ A) - A, Q.T @ A - A.T @ Q


def _pinv(A: Any, X: Any) -> Sequence[Any]:
    # The four conditions of Penrose, 1955.
    return A @ X @ A - A, X @ A @ X - X, A @ X - (A @ X).T, X @ A - (X @ A).T


def _sqrtm(A: Any, X: Any) -> Sequence[Any]:
    return (X @ X - A,)


DEFINED: dict[type[Primitive], tuple[Equations, type[Primitive], Callable[..., Any]]] = {
    Eigh: (_eigh, Eigh, lambda dw, dV: (dw, dV)),
    Eigvalsh: (_eigh, Eigh, lambda dw, dV: dw),
    Svd: (_svd, Svd, lambda dU, ds, dV: (dU, ds, dV)),
    SingularValues: (_svd, Svd, lambda dU, ds, dV: ds),
    NuclearNorm: (_svd, Svd, lambda dU, ds, dV: np.sum(ds)),
    Qr: (_qr, Qr, lambda dQ, dR: (dQ, dR)),
    Lq: (_lq, Lq, lambda dL, dQ: (dL, dQ)),
    Polar: (_polar, Polar, lambda dQ: dQ),
    PseudoInverse: (_pinv, PseudoInverse, lambda dX: dX),
    SquareRoot: (_sqrtm, SquareRoot, lambda dX: dX),
}
"""For each function of a matrix: its equations, whose solution they have, and what to take of the
tangents of that solution."""


def by_equations(primitive: Primitive, A: Array, E: Array) -> Any | None:
    """The tangent of a matrix function along E; None where the system would be too large.

    A tuple where the primitive has several outputs.  Raises `DomainError` where the equations have
    no tangent, at a singular value that is 0 or eigenvalues that meet.
    """
    equations, solved, take = DEFINED[type(primitive)]
    lead = A.shape[:-2]
    cells = []
    for cell in np.ndindex(lead):
        value = solved().evaluate(A[cell])
        solution = [np.asarray(y) for y in (value if isinstance(value, tuple) else (value,))]
        if sum(y.size for y in solution) > LARGEST:
            return None
        cells.append(take(*_tangents(primitive.name, equations, A[cell], E[cell], solution)))
    if primitive.outputs == 1:
        return np.reshape(np.stack(cells), lead + np.shape(cells[0]))
    return tuple(
        np.reshape(np.stack(parts), lead + np.shape(parts[0])) for parts in zip(*cells, strict=True)
    )


def _tangents(
    name: str, equations: Equations, A: Array, E: Array, solution: Sequence[Array]
) -> list[Array]:
    shapes = [y.shape for y in solution]
    places = np.cumsum([y.size for y in solution])[:-1]
    flat = np.concatenate([y.reshape(-1) for y in solution])

    def residual(matrix: Array, vector: Array) -> Array:
        parts = np.split(vector, places)
        given = [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
        return np.concatenate([np.reshape(r, -1) for r in equations(matrix, *given)])

    unit = np.eye(flat.size)
    columns = [residual(A, flat + 1j * STEP * column).imag / STEP for column in unit]
    matrix = np.stack(columns, axis=1)
    right = -residual(A + 1j * STEP * E, flat.astype(complex)).imag / STEP
    found = np.linalg.lstsq(matrix, right, rcond=None)[0]
    miss = np.max(np.abs(matrix @ found - right), initial=0.0)
    if miss > CONSISTENT * max(1.0, float(np.max(np.abs(right), initial=0.0))):
        raise DomainError(f"{name} is not differentiable at this matrix")
    return [
        part.reshape(shape) for part, shape in zip(np.split(found, places), shapes, strict=True)
    ]
