"""The solves of generated code: a factorisation made once, and applied as often as needed.

The sources of these functions are copied into the modules that use them, so that each uses
`np`, `linalg` (scipy.linalg) and its like from this file only, and annotates with `Array`.
Complex matrices (of the complex-step check) are symmetric where real ones are, never Hermitian.
"""

from __future__ import annotations

from typing import Any

from tcalc.primitives.arrays import Array, linalg, np


def factorise(a: Array, *, where: str) -> tuple[Any, ...]:
    """The LU factors of a square matrix (of its transpose, which LAPACK reads); stacks stay."""
    if a.ndim > 2:
        return a, None, where
    getrf: Any = linalg.get_lapack_funcs("getrf", (a,))
    lu, pivots, info = getrf(a.T)
    if info > 0:
        raise np.linalg.LinAlgError(f"{where}: the matrix is singular")
    return lu, pivots, where


def factorise_spd(a: Array, *, where: str) -> tuple[Any, ...]:
    """The Cholesky factor of a symmetric positive definite matrix; stacks stay as they are."""
    if a.ndim > 2 or np.iscomplexobj(a):
        return factorise(a, where=where)
    potrf: Any = linalg.get_lapack_funcs("potrf", (a,))
    factor, info = potrf(a.T, lower=False, clean=False)
    if info > 0:
        if not np.isfinite(a).all():
            return factorise(a, where=where)
        raise np.linalg.LinAlgError(f"{where}: the matrix is not positive definite")
    return factor, None, where


def solve_factored(factors: tuple[Any, ...], b: Array, transposed: bool, columns: bool) -> Array:
    """inv(a) b, or inv(a') b, for a matrix (`columns`) or a vector b."""
    a, pivots, where = factors
    if a.ndim > 2:
        a = a.swapaxes(-1, -2) if transposed else a
        try:
            x = np.linalg.solve(a, b if columns else b[..., None])
        except np.linalg.LinAlgError:
            raise np.linalg.LinAlgError(f"{where}: the matrix is singular") from None
        return x if columns else x[..., 0]
    if pivots is None:
        potrs: Any = linalg.get_lapack_funcs("potrs", (a, b))
        return potrs(a, b, lower=False)[0]
    getrs: Any = linalg.get_lapack_funcs("getrs", (a, b))
    return getrs(a, pivots, b, trans=0 if transposed else 1)[0]


def inverse_factored(factors: tuple[Any, ...]) -> Array:
    """The inverse of a factorised matrix."""
    a, pivots, where = factors
    if a.ndim > 2:
        try:
            return np.linalg.inv(a)
        except np.linalg.LinAlgError:
            raise np.linalg.LinAlgError(f"{where}: the matrix is singular") from None
    if pivots is None:
        potri: Any = linalg.get_lapack_funcs("potri", (a,))
        half = np.triu(potri(a, lower=False)[0])
        return half + np.triu(half, 1).T
    getri: Any = linalg.get_lapack_funcs("getri", (a,))
    return getri(a, pivots)[0].T


def log_determinant_factored(factors: tuple[Any, ...], *, where: str) -> Array:
    """The logarithm of the determinant of a factorised matrix; an error where that is <= 0."""
    a, pivots, _ = factors
    if a.ndim > 2:
        sign, value = np.linalg.slogdet(a)
    else:
        d = np.diagonal(a)
        if pivots is None:
            return 2 * np.log(d).sum()
        size = np.abs(d)
        swaps = np.count_nonzero(pivots != np.arange(len(pivots)))
        sign, value = (d / size).prod() * (-1) ** swaps, np.log(size).sum()
    bad = np.real(sign) <= 0
    if bad.any():
        raise np.linalg.LinAlgError(f"{where}: the determinant is not positive")
    return value + np.log(sign) if np.iscomplexobj(a) else value


def check_triangle(a: Array, *, where: str) -> Array:
    """The triangular or diagonal matrix, once its diagonal is known to have no zero."""
    if (np.einsum("...ii->...i", a) == 0).any():
        raise np.linalg.LinAlgError(f"{where}: the matrix is singular")
    return a


def solve_triangle(a: Array, b: Array, lower: bool, transposed: bool, columns: bool) -> Array:
    """inv(a) b, or inv(a') b, for a triangular a and a matrix (`columns`) or a vector b."""
    if a.ndim == 2:
        trtrs: Any = linalg.get_lapack_funcs("trtrs", (a, b))
        # LAPACK reads columns: hand over the transpose, a triangle of the other kind.
        return trtrs(a.T, b, lower=not lower, trans=0 if transposed else 1)[0]
    x = np.linalg.solve(a.swapaxes(-1, -2) if transposed else a, b if columns else b[..., None])
    return x if columns else x[..., 0]


def solve_diagonal(a: Array, b: Array, columns: bool) -> Array:
    """inv(a) b for a diagonal a and a matrix (`columns`) or a vector b."""
    d = np.einsum("...ii->...i", a)
    return b / (d[..., None] if columns else d)
