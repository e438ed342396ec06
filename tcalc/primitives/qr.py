"""Thin QR and LQ decompositions with positive diagonals.

``A = L Q``, for a matrix of full row rank with at least as many columns as rows; Q is then unique.
With ``M = inv(L) dA Q'`` and ``S = tril(M) + triu(M, 1)'``,

    dL = L S,    dQ = inv(L) dA - S Q,

and for cotangents L̄ and Q̄, with ``N = L' L̄`` or ``N = -Q̄ Q'``,

    Ā = inv(L)' copyltu(N) Q,    Ā = inv(L)' (Q̄ + copyltu(N) Q),

where copyltu mirrors the lower triangle into the upper one (Seeger et al., "Auto-differentiating
linear algebra", arXiv 1710.08717, section 4.2; Walter & Lehmann, "Algorithmic differentiation of
linear algebra functions with application in optimum experimental design", 2010, section 4.2).  No
projection onto the complement of the rows of Q is formed, which is as large as the longer side of
A.  ``A = Q R``, for a matrix of full column rank with at least as many rows as columns, is the
decomposition of the transpose.  A matrix of the other shape, or without full rank, has no such
decomposition that is unique: an error.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.facts import holds as known
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Add, Apply, Node
from tcalc.expr.primitive import Fact, Holds, Operator
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.inverse import inv
from tcalc.primitives.matrices import diagonal, diagonal_matrix, product, transpose, tril
from tcalc.primitives.matrix_shapes import check_matrix
from tcalc.primitives.operators import operator
from tcalc.primitives.power import power
from tcalc.primitives.routines import Coded, Embedded, Routine, of_thin
from tcalc.primitives.selection import lower


class Qr(Coded):
    """Q with orthonormal columns and R upper triangular, ``A = Q R``."""

    name = "qr"
    outputs = 2
    output_names = ("Q", "R")

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (a,) = arguments
        check_matrix(self.name, a)
        *batch, m, n = a
        if (short := (m - n).value) is not None and short < 0:
            raise ValueError(f"qr needs a matrix that is not wide, not [{m},{n}]: use lq")
        return (a, (*batch, n, n))

    def jacobian(self, node: Apply, position: int) -> Operator:
        Q, R = qr(node.args[0])

        def push(d: Node, Q: Node, R: Node, Y: Node) -> Node:
            T = product("ij,jk->ik", d, Y)
            S = transpose(_folded(product("ji,jk->ki", Q, T)))
            if node.output == 1:  # dR = S R,  S' = fold((Q' dA Y)')
                return product("ij,jk->ik", S, R)
            return build.subtract(T, product("ij,jk->ik", Q, S))  # dQ = dA Y - Q S

        def pull(bar: Node, Q: Node, R: Node, Y: Node) -> Node:
            if node.output == 1:  # Ā = Q copyltu(R R̄') Y'
                N = _weighted(R, bar) or _copyltu(product("ij,kj->ik", R, bar))
                return product("ij,jk,lk->il", Q, N, Y)
            N = _copyltu(product("ji,jk->ik", bar, Q))
            # Ā = (Q̄ - Q copyltu(Q̄' Q)) Y'
            inner = build.subtract(bar, product("ij,jk->ik", Q, N))
            return product("ij,kj->ik", inner, Y)

        return operator(node, position, (Q, R, inv(R)), push, pull)

    def evaluate(self, *arrays: Any) -> Any:
        return thin_qr(*arrays, where="qr")

    def routine(self, node: Apply) -> Routine:
        return Embedded(thin_qr, named=True, work=of_thin(4, Fraction(-4, 3), 1))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        if node.output == 1:
            return True if fact is Fact.UPPER else None
        square = node.dims[-1] == node.dims[-2]
        return True if fact is Fact.ORTHOGONAL and square else None


class Lq(Coded):
    """L lower triangular and Q with orthonormal rows, ``A = L Q``."""

    name = "lq"
    outputs = 2
    output_names = ("L", "Q")

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (a,) = arguments
        check_matrix(self.name, a)
        *batch, m, n = a
        if (short := (n - m).value) is not None and short < 0:
            raise ValueError(f"lq needs a matrix that is not tall, not [{m},{n}]: use qr")
        return ((*batch, m, m), a)

    def jacobian(self, node: Apply, position: int) -> Operator:
        L, Q = lq(node.args[0])

        def push(d: Node, L: Node, Q: Node, Y: Node) -> Node:
            T = product("ij,jk->ik", Y, d)
            S = _folded(product("ij,kj->ik", T, Q))
            if node.output == 0:  # dL = L S,  S = fold(Y dA Q')
                return product("ij,jk->ik", L, S)
            return build.subtract(T, product("ij,jk->ik", S, Q))  # dQ = Y dA - S Q

        def pull(bar: Node, L: Node, Q: Node, Y: Node) -> Node:
            if node.output == 0:  # Ā = Y' copyltu(L' L̄) Q
                N = _weighted(L, bar) or _copyltu(product("ji,jk->ik", L, bar))
                return product("ji,jk,kl->il", Y, N, Q)
            N = _copyltu(product("ij,kj->ik", bar, Q))
            # Ā = Y' (Q̄ - copyltu(Q̄ Q') Q)
            inner = build.subtract(bar, product("ij,jk->ik", N, Q))
            return product("ji,jk->ik", Y, inner)

        return operator(node, position, (L, Q, inv(L)), push, pull)

    def evaluate(self, *arrays: Any) -> Any:
        return thin_lq(*arrays, where="lq")

    def routine(self, node: Apply) -> Routine:
        return Embedded(thin_lq, named=True, work=of_thin(4, Fraction(-4, 3), 1))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        if node.output == 0:
            return True if fact is Fact.LOWER else None
        square = node.dims[-1] == node.dims[-2]
        return True if fact is Fact.ORTHOGONAL and square else None


def _folded(m: Node) -> Node:
    """``tril(M) + triu(M, 1)'``."""
    return build.sum_of(tril(m), _strictly_lower(transpose(m)))


def _copyltu(n: Node) -> Node:
    """``tril(N) + tril(N, -1)'``, the adjoint of `_folded`: symmetric."""
    if symmetric_axes(n):
        return n
    return build.sum_of(tril(n), transpose(_strictly_lower(n)))


def _weighted(t: Node, bar: Node) -> Node | None:
    """``copyltu(L' L̄) = copyltu(R R̄') = diag(L) diag(L̄)`` for a diagonal cotangent, else None.

    The one of ``c Σ log L[i,i]``, c/diag(L), leaves c times the unit matrix.
    """
    if known(bar, Fact.DIAGONAL) is not True:
        return None
    entries, (c, weights) = diagonal(t), _coefficient(diagonal(bar))
    if weights == power(entries, -1):
        axes = tuple(range(t.order))
        unit = build.einsum([build.delta(t.dims[-1])], [axes[-2:]], axes, dict(enumerate(t.dims)))
        return build.scale(c, unit)
    return build.scale(c, diagonal_matrix(build.hadamard(entries, weights)))


def _coefficient(x: Node) -> tuple[Fraction, Node]:
    """A tensor as a multiple of another."""
    match x:
        case Add(terms=((c, core),)):
            return c, core
        case _:
            return Fraction(1), x


def _strictly_lower(a: Node) -> Node:
    axes = tuple(range(a.order))
    return build.einsum([a, lower(a.dims[-2], a.dims[-1], -1)], [axes, axes[-2:]], axes)


def thin_qr(A: Array, *, where: str) -> tuple[Array, Array]:
    """Q and R with A = Q R and a positive diagonal of R; NaN gives NaN."""
    if np.iscomplexobj(A):
        raise np.linalg.LinAlgError(f"{where}: the matrix is complex, and should be real")
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
    if np.iscomplexobj(A):
        raise np.linalg.LinAlgError(f"{where}: the matrix is complex, and should be real")
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
        "A of full rank and not wide, else an error",
        "dR = S R, dQ = dA inv(R) - Q S, S = triu(M) + tril(M,-1)', M = Q' dA inv(R)",
        source="Walter & Lehmann, 2010, section 4.2; Seeger et al., arXiv 1710.08717, section 4.2",
    ),
    Function(
        "lq",
        (tensor_form("...mn->...mm,...mn", lq),),
        "L, Q = lq(A): A = L*Q, thin, with a positive diagonal of L",
        "A of full rank and not tall, else an error",
        "dL = L S, dQ = inv(L) dA - S Q, S = tril(M) + triu(M,1)', M = inv(L) dA Q'",
        source="Seeger et al., Auto-differentiating linear algebra, arXiv 1710.08717, section 4.2",
    ),
)
