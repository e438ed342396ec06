"""Sylvester and Lyapunov equations, ``A X + X B = C``.

``A dX + dX B = dC - dA X - X dB``: the derivative is a solution of an equation with the same
matrices, and its adjoint one with their transposes (Kao & Hennequin, "Automatic differentiation of
Sylvester, Lyapunov, and algebraic Riccati equations", arXiv 2011.11430).  The operator is applied
and never formed.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Add, Apply, Node
from tcalc.expr.polynomial import Polynomial
from tcalc.expr.primitive import Fact, Holds, Notation, Operator
from tcalc.primitives.arrays import Array, linalg, np
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.inverse import inv
from tcalc.primitives.matrices import product, transpose
from tcalc.primitives.matrix_shapes import check_square
from tcalc.primitives.operators import is_zero, operator, unit_multiple
from tcalc.primitives.routines import Coded, Embedded, Routine, elements


def _work(
    decomposition: int, products: int, given: Sequence[Shape], made: Sequence[Shape]
) -> Polynomial:
    """``a (m³ + n³) + b (m²n + mn²)``: two decompositions, products, and triangular solves."""
    cubes = sum((elements(x) * x[-1] for x in given[:2]), Polynomial.of(0))
    *_, m, n = (Polynomial.of(dim) for dim in made[0])
    return decomposition * cubes + products * elements(made[0]) * (m + n)


class Sylvester(Coded):
    """The solution X of ``A X + X B = C``."""

    name = "sylvester"
    analytic = True

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        a, b, c = arguments
        check_square(self.name, a)
        check_square(self.name, b)
        if c != (*a[:-1], b[-1]) or a[:-2] != b[:-2]:
            raise ValueError(f"sylvester: the right-hand side is [{','.join(map(str, c))}]")
        return (c,)

    def jacobian(self, node: Apply, position: int) -> Operator:
        A, B, _ = node.args

        def push(d: Node, A: Node, B: Node, X: Node) -> Node:
            match position:
                case 0:  # A dX + dX B = -dA X
                    return build.scale(-1, sylvester(A, B, product("ij,jk->ik", d, X)))
                case 1:  # A dX + dX B = -X dB
                    return build.scale(-1, sylvester(A, B, product("ij,jk->ik", X, d)))
                case _:  # A dX + dX B = dC
                    return sylvester(A, B, d)

        def pull(bar: Node, A: Node, B: Node, X: Node) -> Node:
            # A' G + G B' = X̄
            G = sylvester(transpose(A), transpose(B), bar)
            match position:
                case 0:  # Ā = -G X'
                    return build.scale(-1, product("ij,kj->ik", G, X))
                case 1:  # B̄ = -X' G
                    return build.scale(-1, product("ji,jk->ik", X, G))
                case _:  # C̄ = G
                    return G

        return operator(node, position, (A, B, node), push, pull)

    def evaluate(self, *arrays: Any) -> Any:
        A, B, C = arrays
        return sylvester_kronecker(A, B, C, where="sylvester")

    def routine(self, node: Apply) -> Routine:
        A, B, _ = node.args
        general = (sylvester_kronecker, sylvester_schur, sylvester_solve)
        if symmetric_axes(A) and symmetric_axes(B):
            return Embedded(
                sylvester_symmetric, (), named=True, requires=general, work=partial(_work, 9, 4)
            )
        return Embedded(
            sylvester_solve, (), named=True, requires=general[:2], work=partial(_work, 25, 5)
        )

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        A, B, C = node.args
        mirrored = symmetric_axes(C) and B is transpose(A)
        return True if fact is Fact.SYMMETRIC and mirrored else None

    def notation(self, node: Apply) -> Notation:
        A, B, _ = node.args
        turned = transpose(A)
        if isinstance(A, Add):  # whose terms are turned one by one in tidy formulas
            other = build.add((c, transpose(x)) for c, x in A.terms)
            turned = other if B is other else turned
        return Notation(name="lyap", hidden=(1,)) if B is turned else super().notation(node)


def sylvester_kronecker(A: Array, B: Array, C: Array, *, where: str) -> Array:
    """The solution of A X + X B = C as one linear system per matrix; NaN gives NaN."""
    m, n = C.shape[-2:]
    finite = np.isfinite(A).all(axis=(-2, -1)) & np.isfinite(B).all(axis=(-2, -1))
    cell = finite[..., None, None]
    I, J = np.eye(m, dtype=A.dtype), np.eye(n, dtype=A.dtype)  # noqa: E741 - unit matrices
    K = np.einsum("...ik,jl->...ijkl", np.where(cell, A, I), J)
    K = K + np.einsum("...lj,ik->...ijkl", np.where(cell, B, J), I)
    K = K.reshape(*K.shape[:-4], m * n, m * n)
    r = np.linalg.eigvals(np.where(cell, A, I))
    s = np.linalg.eigvals(np.where(cell, B, J))
    sums = np.abs(r[..., :, None] + s[..., None, :]).min(axis=(-2, -1), initial=np.inf)
    size = np.abs(r).max(axis=-1, initial=0) + np.abs(s).max(axis=-1, initial=0)
    if (sums <= (m + n) * np.finfo(C.dtype).eps * size).any():
        raise np.linalg.LinAlgError(f"{where}: A and -B have a common eigenvalue")
    X = np.linalg.solve(K, C.reshape(*C.shape[:-2], m * n, 1)).reshape(C.shape)
    return np.where(cell, X, np.nan)


def sylvester_schur(A: Array, B: Array, C: Array, *, where: str) -> Array:
    """The solutions for one pair of matrices and many C, by Schur forms (Bartels & Stewart)."""
    if not (np.isfinite(A).all() and np.isfinite(B).all()):
        return np.full_like(C, np.nan)
    R, U = linalg.schur(A, output="complex")
    S, V = linalg.schur(B, output="complex")
    r, s = R.diagonal(), S.diagonal()
    sums = np.abs(r[:, None] + s)
    if sums.size and sums.min() <= np.finfo(C.dtype).eps * max(np.abs(r).max(), np.abs(s).max()):
        raise np.linalg.LinAlgError(f"{where}: A and -B have a common eigenvalue")
    F = U.conj().T @ C @ V
    Y = np.empty_like(F)
    for j in range(len(s)):
        # (R + s[j] I) Y[:, j] = F[:, j] - Y[:, :j] S[:j, j]
        right = (F[..., j] - Y[..., :j] @ S[:j, j]).reshape(-1, len(r))
        shifted = R + s[j] * np.eye(len(r), dtype=R.dtype)
        found = linalg.solve_triangular(shifted, right.T, check_finite=False)
        Y[..., j] = found.T.reshape(Y.shape[:-1])
    X = U @ Y @ V.conj().T
    return X if any(map(np.iscomplexobj, (A, B, C))) else X.real


def sylvester_solve(A: Array, B: Array, C: Array, *, where: str) -> Array:
    """The solution of A X + X B = C.

    One pair of matrices, be it repeated along batch axes, is brought to Schur form; many small
    ones are one batched linear system.
    """
    strides = A.strides[:-2] + B.strides[:-2]
    m, n = C.shape[-2:]
    mixed = any(strides) or any(map(np.iscomplexobj, (A, B, C)))
    if not C.size or (mixed and m * n <= 400):
        return sylvester_kronecker(A, B, C, where=where)
    if not any(strides):
        first = (0,) * (C.ndim - 2)
        return sylvester_schur(A[first], B[first], C, where=where)
    X = np.empty_like(C)
    for k in np.ndindex(C.shape[:-2]):
        X[k] = sylvester_schur(A[k], B[k], C[k], where=where)
    return X


def sylvester_symmetric(A: Array, B: Array, C: Array, *, where: str) -> Array:
    """The solution of A X + X B = C for symmetric A and B, by their eigenvalues."""
    if np.iscomplexobj(A) or np.iscomplexobj(B):
        return sylvester_solve(A, B, C, where=where)
    same = A is B
    if not any(A.strides[:-2] + B.strides[:-2]) and C.size:
        A, B = A[(0,) * (A.ndim - 2)], B[(0,) * (B.ndim - 2)]
    finite = np.isfinite(A).all(axis=(-2, -1)) & np.isfinite(B).all(axis=(-2, -1))
    cell = finite[..., None, None]
    r, U = np.linalg.eigh(np.where(cell, A, np.eye(A.shape[-1], dtype=A.dtype)))
    s, V = (r, U) if same else np.linalg.eigh(np.where(cell, B, np.eye(B.shape[-1], dtype=B.dtype)))
    sums = r[..., :, None] + s[..., None, :]
    size = np.abs(r).max(axis=-1, initial=0) + np.abs(s).max(axis=-1, initial=0)
    if (np.abs(sums) <= np.finfo(C.dtype).eps * size[..., None, None]).any():
        raise np.linalg.LinAlgError(f"{where}: A and -B have a common eigenvalue")
    X = U @ ((U.swapaxes(-1, -2) @ C @ V) / sums) @ V.swapaxes(-1, -2)
    return np.where(cell, X, np.nan)


def sylvester(a: Node, b: Node, c: Node) -> Node:
    """The solution X of ``A X + X B = C``."""
    if is_zero(c):
        return c
    number = unit_multiple(c)
    if number is not None and a is b:
        # A X + X A = c I  =>  X = c/2 inv(A)
        return build.scale(number * Fraction(1, 2), inv(a))
    return build.apply(Sylvester(), a, b, c)


def lyap(a: Node, q: Node) -> Node:
    """The solution X of ``A X + X A' = Q``."""
    return sylvester(a, transpose(a), q)


_DOMAIN = "A and -B without a common eigenvalue, else an error"

FUNCTIONS = (
    Function(
        "sylvester",
        (tensor_form("...mm,...nn,...mn->...mn", sylvester),),
        "sylvester(A, B, C): the solution X of A X + X B = C",
        _DOMAIN,
        "A dX + dX B = dC - dA X - X dB",
        source="Kao & Hennequin, arXiv 2011.11430",
        on_device="A and B that are not known to be symmetric go through the host",
    ),
    Function(
        "lyap",
        (tensor_form("...nn,...nn->...nn", lyap),),
        "lyap(A, Q): the solution X of A X + X A' = Q",
        "no two eigenvalues of A with sum 0, else an error",
        "A dX + dX A' = dQ - dA X - X dA'",
        source="Kao & Hennequin, arXiv 2011.11430",
        on_device="an A that is not known to be symmetric goes through the host",
    ),
)
