"""Thin QR and LQ decompositions with positive diagonals.

``A = Q R`` for a matrix with at least as many rows as columns, of full column rank; Q is then
unique.  With ``Y = inv(R)`` and ``M = Q' dA Y``,

    dQ = (I - Q Q') dA Y + Q (tril(M, -1) - tril(M, -1)'),    dR = (triu(M) + tril(M, -1)') R

(Walter & Lehmann, "Algorithmic differentiation of linear algebra functions with application in
optimum experimental design", 2010, section 4.2).  ``A = L Q``, for a matrix with at least as many
columns as rows, is the decomposition of the transpose; with ``Y = inv(L)`` and ``M = Y dA Q'``,

    dL = L (tril(M) + triu(M, 1)'),    dQ = Y dA (I - Q' Q) + (triu(M, 1) - triu(M, 1)') Q

(Seeger et al., "Auto-differentiating linear algebra", arXiv 1710.08717, section 4.2).  A matrix of
the other shape, or without full rank, has no such decomposition that is unique: an error.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Fact, Holds, LinearMap, Notation, linear_map
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.inverse import inv
from tcalc.primitives.matrices import product
from tcalc.primitives.polar import check_matrix
from tcalc.primitives.routines import Coded, Embedded, Routine, of_thin
from tcalc.primitives.selection import lower


class Qr(Coded):
    """Q with orthonormal columns and R upper triangular, ``A = Q R``."""

    name = "qr"
    outputs = 2

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (a,) = arguments
        check_matrix(self.name, a)
        *batch, m, n = a
        if (short := (m - n).value) is not None and short < 0:
            raise ValueError(f"qr needs a matrix that is not wide, not [{m},{n}]: use lq")
        return (a, (*batch, n, n))

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        Q, R = qr(node.args[0])
        n = R.dims[-1]
        Y, below, above = inv(R), lower(n, n, -1), lower(n, n)
        if node.output == 1:
            # M[c,e] = Q[k,c] Y[l,e] dA[k,l]
            return linear_map(
                node,
                0,
                "cd",
                "kl",
                (1, "ec,kc,le,ed", (above, Q, Y, R)),
                (1, "ec,ke,lc,ed", (below, Q, Y, R)),
            )
        return linear_map(
            node,
            0,
            "ab",
            "kl",
            (1, "ak,lb", (_complement(product("ac,kc->ak", Q, Q)), Y)),
            (1, "ac,cb,kc,lb", (Q, below, Q, Y)),
            (-1, "ac,bc,kb,lc", (Q, below, Q, Y)),
        )

    def evaluate(self, *arrays: Any) -> Any:
        return thin_qr(*arrays, where="qr")

    def routine(self, node: Apply) -> Routine:
        return Embedded(thin_qr, named=True, work=of_thin(4, Fraction(-4, 3), 1))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        if node.output == 1:
            return True if fact is Fact.UPPER else None
        square = node.dims[-1] == node.dims[-2]
        return True if fact is Fact.ORTHOGONAL and square else None

    def notation(self, node: Apply) -> Notation:
        return Notation(name="qr")


class Lq(Coded):
    """L lower triangular and Q with orthonormal rows, ``A = L Q``."""

    name = "lq"
    outputs = 2

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (a,) = arguments
        check_matrix(self.name, a)
        *batch, m, n = a
        if (short := (n - m).value) is not None and short < 0:
            raise ValueError(f"lq needs a matrix that is not tall, not [{m},{n}]: use qr")
        return ((*batch, m, m), a)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        L, Q = lq(node.args[0])
        m = L.dims[-1]
        Y, below, within = inv(L), lower(m, m, -1), lower(m, m)
        if node.output == 0:
            # M[c,e] = Y[c,k] Q[e,l] dA[k,l]
            return linear_map(
                node,
                0,
                "dc",
                "kl",
                (1, "de,ec,ek,cl", (L, within, Y, Q)),
                (1, "de,ec,ck,el", (L, below, Y, Q)),
            )
        return linear_map(
            node,
            0,
            "ab",
            "kl",
            (1, "ak,lb", (Y, _complement(product("cl,cb->lb", Q, Q)))),
            (1, "ca,ak,cl,cb", (below, Y, Q, Q)),
            (-1, "ac,ck,al,cb", (below, Y, Q, Q)),
        )

    def evaluate(self, *arrays: Any) -> Any:
        return thin_lq(*arrays, where="lq")

    def routine(self, node: Apply) -> Routine:
        return Embedded(thin_lq, named=True, work=of_thin(4, Fraction(-4, 3), 1))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        if node.output == 0:
            return True if fact is Fact.LOWER else None
        square = node.dims[-1] == node.dims[-2]
        return True if fact is Fact.ORTHOGONAL and square else None

    def notation(self, node: Apply) -> Notation:
        return Notation(name="lq")


def _complement(projection: Node) -> Node:
    """The unit matrix less a projection."""
    unit = build.broadcast(build.delta(projection.dims[-1]), projection.dims)
    return build.subtract(unit, projection)


def thin_qr(A: Array, *, where: str) -> tuple[Array, Array]:
    """Q and R with A = Q R and a positive diagonal of R; NaN gives NaN."""
    m, n = A.shape[-2:]
    if m < n:
        raise np.linalg.LinAlgError(f"{where}: the matrix is wide, {m} by {n}: use lq")
    finite = np.isfinite(A).all(axis=(-2, -1))[..., None, None]
    Q, R = np.linalg.qr(np.where(finite, A, np.eye(m, n, dtype=A.dtype)))
    d = np.einsum("...ii->...i", R)
    size = np.abs(d)
    if (size <= m * np.finfo(A.dtype).eps * size.max(axis=-1, keepdims=True, initial=0)).any():
        raise np.linalg.LinAlgError(f"{where}: the matrix does not have full rank")
    sign = np.where(d < 0, -1, 1).astype(A.dtype)
    Q, R = Q * sign[..., None, :], R * sign[..., :, None]
    return np.where(finite, Q, np.nan), np.where(finite, R, np.triu(np.full_like(R, np.nan)))


def thin_lq(A: Array, *, where: str) -> tuple[Array, Array]:
    """L and Q with A = L Q and a positive diagonal of L; NaN gives NaN."""
    m, n = A.shape[-2:]
    if m > n:
        raise np.linalg.LinAlgError(f"{where}: the matrix is tall, {m} by {n}: use qr")
    finite = np.isfinite(A).all(axis=(-2, -1))[..., None, None]
    A = np.where(finite, A, np.eye(m, n, dtype=A.dtype))
    Q, R = np.linalg.qr(A.swapaxes(-1, -2))
    d = np.einsum("...ii->...i", R)
    size = np.abs(d)
    if (size <= n * np.finfo(A.dtype).eps * size.max(axis=-1, keepdims=True, initial=0)).any():
        raise np.linalg.LinAlgError(f"{where}: the matrix does not have full rank")
    sign = np.where(d < 0, -1, 1).astype(A.dtype)
    L = (R * sign[..., :, None]).swapaxes(-1, -2)
    Q = (Q * sign[..., None, :]).swapaxes(-1, -2)
    return np.where(finite, L, np.tril(np.full_like(L, np.nan))), np.where(finite, Q, np.nan)


def qr(a: Node) -> tuple[Node, Node]:
    """The thin QR decomposition of matrices with at least as many rows as columns."""
    return build.apply(Qr(), a), build.apply(Qr(), a, output=1)


def lq(a: Node) -> tuple[Node, Node]:
    """The thin LQ decomposition of matrices with at least as many columns as rows."""
    return build.apply(Lq(), a), build.apply(Lq(), a, output=1)


FUNCTIONS = (
    Function(
        "qr",
        (tensor_form("...mn->...mn,...nn", qr),),
        "Q, R = qr(A): A = Q*R, thin, with a positive diagonal of R",
        "A of full rank and not wide",
        "dR = (triu(M) + tril(M,-1)') R, M = Q' dA inv(R); dQ from dA = dQ R + Q dR",
    ),
    Function(
        "lq",
        (tensor_form("...mn->...mm,...mn", lq),),
        "L, Q = lq(A): A = L*Q, thin, with a positive diagonal of L",
        "A of full rank and not tall",
        "dL = L (tril(M) + triu(M,1)'), M = inv(L) dA Q'; dQ from dA = dL Q + L dQ",
    ),
)
