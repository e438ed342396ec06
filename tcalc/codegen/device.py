"""What generated code for devices calls in place of functions that stand on LAPACK's wrappers.

cuSOLVER is reached through `cupy.linalg` and `cupyx.scipy.linalg`, which have no
`potri`, `trtri` or `getri`, and no Schur form.  The sources are copied into the modules that use
them, with ``np`` respelled; ``linalg`` is cupyx.scipy.linalg there, and ``host`` scipy.linalg.

A factorisation is a tuple, as on the host: the factor, its pivots (or None), and a text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tcalc.codegen import solvers
from tcalc.primitives import onehot, selection, sylvester
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.inverse import inverse_spd, inverse_triangular

# The names that the modules give to cupy, cupyx.scipy.linalg and scipy.linalg.
cp: Any = None
linalg: Any = None
host: Any = None


def lu_factors(a: Array, *, where: str, symmetric: bool = False) -> tuple[Any, ...]:
    """The LU factors of a square matrix; stacks of matrices stay as they are.

    CuPy's function looks whether it succeeded, and so waits for the device, checks or none.
    """
    if a.ndim > 2:
        return a, None, where
    lu, pivots = linalg.lu_factor(a, check_finite=False)
    if (lu.diagonal() == 0).any():
        raise np.linalg.LinAlgError(f"{where}: the matrix is singular")
    return lu, pivots, where


def cholesky_factors(a: Array, *, where: str) -> tuple[Any, ...]:
    """The lower Cholesky factor of a symmetric positive definite matrix, or of a stack of them."""
    try:
        factor = np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        raise np.linalg.LinAlgError(f"{where}: the matrix is not positive definite") from None
    positive = (np.einsum("...ii->...i", factor) > 0).all(axis=-1)
    if (~positive & np.isfinite(a).all(axis=(-2, -1))).any():
        raise np.linalg.LinAlgError(f"{where}: the matrix is not positive definite")
    # What cuSOLVER leaves of a matrix that has no factor is not to be taken for one.
    return np.where(positive[..., None, None], factor, np.nan), None, where


def device_diagonal(a: Array) -> Array:
    """The diagonal of a matrix as a view to write to; CuPy's arrays have no `setflags`."""
    return np.einsum("ii->i", a)


def factor_of(factors: tuple[Any, ...]) -> Array:
    """The lower triangular factor of a matrix that `cholesky_factors` has factorised."""
    return factors[0]


def solve_lu(factors: tuple[Any, ...], b: Array, transposed: bool, columns: bool) -> Array:
    """inv(a) b, or inv(a') b, for a matrix (`columns`) or a vector b."""
    a, pivots, _ = factors
    if a.ndim > 2:
        a = a.swapaxes(-1, -2) if transposed else a
        x = np.linalg.solve(a, b if columns else b[..., None])
        return x if columns else x[..., 0]
    return linalg.lu_solve((a, pivots), b, trans=int(transposed), check_finite=False)


def solve_cholesky(factors: tuple[Any, ...], b: Array, transposed: bool, columns: bool) -> Array:
    """inv(a) b for a matrix (`columns`) or a vector b, from the lower Cholesky factor of a."""
    factor = factors[0]
    right = b if columns else b[..., None]
    half = linalg.solve_triangular(factor, right, lower=True)
    x = linalg.solve_triangular(factor, half, lower=True, trans=1)
    return x if columns else x[..., 0]


def inverse_lu(factors: tuple[Any, ...]) -> Array:
    """The inverse of a factorised matrix."""
    a, pivots, _ = factors
    if a.ndim > 2:
        return np.linalg.inv(a)
    unit = np.eye(len(a), dtype=a.dtype)
    return linalg.lu_solve((a, pivots), unit, check_finite=False)


def inverse_cholesky(factors: tuple[Any, ...]) -> Array:
    """The inverse of a matrix with a known Cholesky factor."""
    factor = factors[0]
    unit = np.broadcast_to(np.eye(factor.shape[-1], dtype=factor.dtype), factor.shape)
    half = linalg.solve_triangular(factor, unit, lower=True)
    return half.swapaxes(-1, -2) @ half


def log_determinant_lu(factors: tuple[Any, ...], *, where: str) -> Array:
    """The logarithm of the determinant of a factorised matrix; an error where that is <= 0."""
    a, pivots, _ = factors
    if a.ndim > 2:
        sign, value = np.linalg.slogdet(a)
    else:
        d = a.diagonal()
        swaps = (pivots != np.arange(len(a), dtype=pivots.dtype)).sum()
        sign, value = np.sign(d).prod() * (1 - 2 * (swaps % 2)), np.log(np.abs(d)).sum()
    if (sign <= 0).any():
        raise np.linalg.LinAlgError(f"{where}: the determinant is not positive")
    return np.where(sign > 0, value, np.nan)


def log_determinant_cholesky(factors: tuple[Any, ...], *, where: str) -> Array:
    """The logarithm of the determinant of a matrix with a known Cholesky factor."""
    return 2 * np.log(np.einsum("...ii->...i", factors[0])).sum(axis=-1)


def solve_lower_or_upper(
    a: Array, b: Array, lower: bool, transposed: bool, columns: bool, *, where: str = ""
) -> Array:
    """inv(a) b, or inv(a') b, for a triangular a and a matrix (`columns`) or a vector b.

    Zeros on the diagonal are looked for where there is a text to say so with.
    """
    if where and (np.einsum("...ii->...i", a) == 0).any():
        raise np.linalg.LinAlgError(f"{where}: the matrix is singular")
    x = linalg.solve_triangular(
        a, b if columns else b[..., None], lower=lower, trans=int(transposed)
    )
    return x if columns else x[..., 0]


def inverse_lower_or_upper(a: Array, lower: bool, *, where: str = "") -> Array:
    """The inverse of a triangular matrix, whose other triangle is not looked at."""
    unit = np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape)
    return solve_lower_or_upper(a, unit, lower, False, True, where=where)


def inverse_definite(a: Array, *, where: str) -> Array:
    """The inverse of symmetric positive definite matrices, one or many."""
    return inverse_cholesky(cholesky_factors(a, where=where))


def squared_distances_by(kernel: Any, a: Array, b: Array) -> Array:
    """The squared distances between the rows of two matrices, by a kernel and without temporaries.

    The second matrix is transposed, so that neighbours in a row of the result read neighbours.
    """
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b.T)
    distances = np.empty((a.shape[0], b.shape[1]), a.dtype)
    return kernel(a, b, a.shape[1], b.shape[1], distances)


def sylvester_schur(a: Array, b: Array, c: Array, *, where: str) -> Array:
    """The solutions for one pair of matrices and many C; through the host, for its Schur forms."""
    left, right = cp.asnumpy(a), cp.asnumpy(b)
    found = [host.solve_sylvester(left, right, x) for x in cp.asnumpy(c).reshape(-1, *c.shape[-2:])]
    return np.stack([np.asarray(x) for x in found]).reshape(c.shape)


def placed_at(values: Array, places: Array, size: int, kept: int) -> Array:
    """The elements of an array added up at their places, all at once."""
    lead, rest = places.shape[:kept], values.shape[places.ndim :]
    count = columns = 1
    for n in lead:
        count *= n
    for n in rest:
        columns *= n
    rows = places.reshape(count, places.size // max(count, 1)) + size * np.arange(count)[:, None]
    sums = np.zeros((count * size, columns), values.dtype)
    whole = np.broadcast_to(values, (*places.shape, *rest))
    np.add.at(sums, rows.ravel(), whole.reshape(rows.size, columns))
    return sums.reshape(*lead, size, *rest)


def running_sums_at_once(a: Array, axis: int, backwards: bool, strict: bool) -> Array:
    """Sums along an axis up to each place, or from each on; without the place itself if strict."""
    if backwards:
        a = np.flip(a, axis)
    sums = np.cumsum(a, axis, dtype=np.result_type(a, np.float64)).astype(a.dtype, copy=False)
    if strict:
        sums = np.roll(sums, 1, axis)
        np.moveaxis(sums, axis, 0)[:1] = 0
    return np.ascontiguousarray(np.flip(sums, axis)) if backwards else sums


VARIANTS: dict[Callable[..., Any], tuple[Callable[..., Any], ...]] = {
    solvers.factorise: (lu_factors,),
    solvers.factorise_spd: (cholesky_factors,),
    solvers.lower_factor: (factor_of,),
    solvers.diagonal_of: (device_diagonal,),
    solvers.solve_triangle: (solve_lower_or_upper,),
    solvers.inverse_triangle: (inverse_lower_or_upper, solve_lower_or_upper),
    inverse_spd: (inverse_definite, inverse_cholesky, cholesky_factors),
    inverse_triangular: (inverse_lower_or_upper, solve_lower_or_upper),
    onehot.placed: (placed_at,),
    selection.running_sums: (running_sums_at_once,),
    sylvester.sylvester_schur: (sylvester_schur,),
}
"""For a function of the host's: what a device calls, and what that calls in turn."""

OF_CHOLESKY: dict[Callable[..., Any], Callable[..., Any]] = {
    solvers.solve_factored: solve_cholesky,
    solvers.solve_stack: solve_cholesky,
    solvers.inverse_factored: inverse_cholesky,
    solvers.log_determinant_factored: log_determinant_cholesky,
}
OF_LU: dict[Callable[..., Any], Callable[..., Any]] = {
    solvers.solve_factored: solve_lu,
    solvers.solve_stack: solve_lu,
    solvers.inverse_factored: inverse_lu,
    solvers.log_determinant_factored: log_determinant_lu,
}
"""The same for functions that the host chooses by what it finds in a factorisation."""
