"""Sylvester equations in generated code for NumPy: real Schur forms, and LAPACK's solves with them.

The sources of these functions are copied into the modules that use them.
"""

from __future__ import annotations

from typing import Any

from tcalc.primitives.arrays import Array, linalg, np
from tcalc.primitives.sylvester import sylvester_solve


def sylvester_by_lapack(A: Array, B: Array, C: Array, *, where: str) -> Array:
    """The solution of A X + X B = C, for one pair of real matrices by real Schur forms.

    Where B is A or its transpose, as in Lyapunov equations, the form of A is that of both.
    """
    real = A.dtype == B.dtype == C.dtype and C.dtype.char in "fd"
    if not real or not C.size or any(A.strides[:-2] + B.strides[:-2]):
        return sylvester_solve(A, B, C, where=where)
    m, n = C.shape[-2:]
    first = (0,) * (C.ndim - 2)
    A, B = A[first], B[first]
    if not (np.isfinite(A).all() and np.isfinite(B).all()):
        return np.full_like(C, np.nan)
    same = m == n and bool((A == B).all())
    turned = m == n and not same and bool((A.T == B).all())
    R, U, r = real_schur(A)
    S, V, s = (R, U, r) if same or turned else real_schur(B)
    sums = np.abs(r[:, None] + s)
    if sums.min() <= (m + n) * np.finfo(C.dtype).eps * (np.abs(r).max() + np.abs(s).max()):
        raise np.linalg.LinAlgError(f"{where}: A and -B have a common eigenvalue")
    trsyl: Any = linalg.lapack.dtrsyl if C.dtype == float else linalg.lapack.strsyl
    F = np.ascontiguousarray(U.T @ C @ V)
    for F_k in F.reshape(-1, m, n):
        Y, scale, _ = trsyl(R, S, F_k, "N", "T" if turned else "N")
        np.multiply(Y, 1 / scale, out=F_k)
    return U @ F @ V.T


def real_schur(A: Array) -> tuple[Array, Array, Array]:
    """T, U and the eigenvalues of A = U T U', T with blocks of order two for complex pairs."""
    gees: Any = linalg.lapack.dgees if A.dtype == float else linalg.lapack.sgees
    T, _, real, imaginary, U, _, info = gees(lambda x, y: None, A, 1, 0, 64 * len(A))
    if info > 0:
        raise np.linalg.LinAlgError("Schur form not found. Possibly ill-conditioned.")
    return T, U, real + 1j * imaginary
