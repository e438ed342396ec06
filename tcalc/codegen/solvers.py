"""The solves of generated code: a factorisation made once, and applied as often as needed.

The sources of these functions are copied into the modules that use them, so that each uses
`np`, `linalg` (scipy.linalg) and its like from this file only, and annotates with `Array`.
Complex matrices (of the complex-step check) are symmetric where real ones are, never Hermitian.

A factorisation of one matrix is what LAPACK makes of its transpose, which is how LAPACK reads an
array of rows.  With `overwrite` it may take the place of the matrix.  LAPACK's routines for
doubles are called by name, and with positional arguments: to look them up costs as much as to
factorise a small matrix, and so does a second keyword.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tcalc.primitives.arrays import Array, linalg, np
from tcalc.primitives.cholesky import cholesky, growth_of_solution
from tcalc.primitives.singularity import below_hadamard, equilibrated, singular_among


def factorise(
    a: Array, *, where: str, symmetric: bool = False, overwrite: bool = False
) -> tuple[Any, ...]:
    """The LU factors of a square matrix, or the Cholesky factor where it proves to be definite.

    A symmetric matrix with a positive diagonal is tried by Cholesky first, which takes half the
    work.  Stacks of matrices, and those without rows, which LAPACK refuses, stay as they are.
    """
    if a.ndim > 2 or not a.size:
        return a, None, where
    double = a.dtype == float
    squares = a.diagonal()
    if a.dtype.kind == "f" and (symmetric or looks_symmetric(a)) and (squares > 0).all():
        potrf: Any = linalg.lapack.dpotrf if double else linalg.lapack.spotrf
        factor, info = potrf(a.T, False, True)  # the upper factor, zeros below it
        if info == 0:
            refuse_semidefinite(factor, squares, where=where, fault="singular")
            return factor, None, where
    getrf: Any = linalg.lapack.dgetrf if double else linalg.get_lapack_funcs("getrf", (a,))
    lu, pivots, info = getrf(a.T, overwrite)
    if info > 0:
        raise np.linalg.LinAlgError(f"{where}: the matrix is singular")
    refuse_singular(lu, pivots, where=where)
    return lu, pivots, where


def refuse_singular(factor: Array, pivots: Array, *, where: str) -> None:
    """Raises where what was factorised is singular up to rounding, so that no digit would be right.

    Small pivots tell where to look; whether they are small is judged with rows and columns scaled.
    """
    d = factor.diagonal()
    if len(d) < 8:  # for which NumPy's calls would take longer than the factorisation
        sizes = list(map(abs, d.tolist()))
        least, most = min(sizes), max(sizes)
    else:
        size = np.abs(d)  # to find their places takes half the time of np.minimum.reduce
        least, most = size.item(size.argmin()), size.item(size.argmax())
    if least <= (1e-2 if factor.itemsize == 4 else 1e-4) * most < np.inf:
        refuse_condition(factor, pivots, where=where, fault="singular")


def refuse_semidefinite(factor: Array, squares: Array, *, where: str, fault: str) -> None:
    """Raises where a matrix that has Cholesky's factor is singular up to rounding.

    Of its diagonal, `squares`, the pivots are what is left by the columns before them: where that
    is little, in whatever units, is where to look.
    """
    d = factor.diagonal()
    if len(d) < 8:
        least = min(x * x / y for x, y in zip(d.tolist(), squares.tolist(), strict=True))
    else:
        left = d * d / squares
        least = left.item(left.argmin())
    if least <= (1e-2 if factor.itemsize == 4 else 1e-8):
        refuse_condition(factor, None, where=where, fault=fault)


def refuse_condition(factor: Array, pivots: Array | None, *, where: str, fault: str) -> None:
    """Raises where the condition number says that no digit would be right."""
    condition = scaled_condition(factor, pivots)
    if condition < max(len(factor), 4) ** 0.5 * np.finfo(factor.dtype).eps:
        raise np.linalg.LinAlgError(
            f"{where}: the matrix is {fault}: its reciprocal condition number is "
            f"{condition:.1e}, however rows and columns are scaled"
        )


def scaled_condition(factor: Array, pivots: Array | None) -> float:
    """The reciprocal condition number, rows and columns scaled, from LU factors or Cholesky's.

    By LAPACK's estimate of the norm of the inverse; scaled, the matrix itself has a norm near 1.
    A bad choice of units is no reason to refuse a system that is solved to all digits.
    """
    if pivots is None:
        scaled = factor / np.sqrt(np.einsum("ij,ij->j", factor, factor))
        pocon: Any = linalg.get_lapack_funcs("pocon", (scaled,))
        return float(pocon(scaled, 1.0)[0])
    with np.errstate(all="ignore"):
        lower, upper = np.tril(factor, -1), np.triu(factor)
        sums = np.abs(upper).sum(axis=1)
        rows = sums + np.abs(lower) @ sums  # of |L||U|
        lower = lower * (rows / rows[:, None])  # so that the ones on the diagonal stay
        upper = upper / rows[:, None]
        sums = np.abs(lower).sum(axis=0) + 1
        upper = upper / (sums @ np.abs(upper))
        gecon: Any = linalg.get_lapack_funcs("gecon", (upper,))
        return float(gecon(lower + upper, 1.0)[0])


def looks_symmetric(a: Array) -> bool:
    """Whether a matrix is equal to its transpose; one element tells of most that are not."""
    return bool(len(a) > 1 and a[0, -1] == a[-1, 0] and (a == a.T).all())


def factorise_spd(a: Array, *, where: str, overwrite: bool = False) -> tuple[Any, ...]:
    """The Cholesky factor of a symmetric positive definite matrix; stacks stay as they are."""
    if a.ndim > 2 or not a.size:
        return a, None, where
    if a.dtype.kind == "c":
        return cholesky(a, where=where).T, None, where
    potrf: Any = linalg.lapack.dpotrf if a.dtype == float else linalg.lapack.spotrf
    squares = a.diagonal().copy()
    factor, info = potrf(a.T, False, True, overwrite)  # the upper factor, zeros below it
    if info > 0:
        if np.isfinite(a).all():
            raise np.linalg.LinAlgError(f"{where}: the matrix is not positive definite")
        return np.triu(np.full_like(a, np.nan)), None, where
    fault = "not positive definite, but for rounding"
    refuse_semidefinite(factor, squares, where=where, fault=fault)
    return factor, None, where


def solve_factored(factors: tuple[Any, ...], b: Array, transposed: bool, columns: bool) -> Array:
    """inv(a) b, or inv(a') b, for a matrix (`columns`) or a vector b."""
    a, pivots, _ = factors
    if not a.size:
        return np.zeros_like(b)
    double = a.dtype == float
    if pivots is None and a.dtype.kind == "c":
        half = np.linalg.solve(a.T, b)
        return np.linalg.solve(a, half)
    if pivots is None and not columns and len(a) >= 64:
        # From there on two triangles take half the time that potrs takes for one column.
        trtrs: Any = linalg.lapack.dtrtrs if double else linalg.get_lapack_funcs("trtrs", (a, b))
        return trtrs(a, trtrs(a, b, False, True)[0], overwrite_b=True)[0]
    if pivots is None:
        potrs: Any = linalg.lapack.dpotrs if double else linalg.get_lapack_funcs("potrs", (a, b))
        return potrs(a, b, False)[0]  # by the upper factor
    getrs: Any = linalg.lapack.dgetrs if double else linalg.get_lapack_funcs("getrs", (a, b))
    return getrs(a, pivots, b, not transposed)[0]


def solve_stack(factors: tuple[Any, ...], b: Array, transposed: bool, columns: bool) -> Array:
    """inv(a) b, or inv(a') b, for a stack of matrices and of matrices (`columns`) or vectors b.

    A column of known numbers is solved with as well: where it grows much, a matrix is looked at.
    Beside a single column that takes half as long again, and the diagonals are asked first.
    """
    a, _, where = factors
    if transposed:
        a = a.swapaxes(-1, -2)
    if not columns:
        b = b[..., None]
    if not a.size:
        return np.linalg.solve(a, b) if columns else np.linalg.solve(a, b)[..., 0]
    n = a.shape[-1]
    try:
        if not columns and a.size >= 4096 and dominated(a):
            return np.ascontiguousarray(np.linalg.solve(a, b)[..., 0])
        right = np.empty((*a.shape[:-1], b.shape[-1] + 1), a.dtype)
        right[..., :-1] = b
        right[..., -1] = np.cos(np.arange(n))
        x = np.linalg.solve(a, right)
    except np.linalg.LinAlgError:
        raise singular_in(a, where=where) from None
    most = 1e2 if a.dtype.char in "fF" else 1e4
    squares = [float(np.vdot(y, y).real) for y in (x[..., -1].ravel(), a.ravel())]
    if not squares[0] * squares[1] < most**3:  # of all together, which takes a tenth of the time
        grown, sizes = np.abs(x[..., -1]), np.abs(a)
        suspected = grown.max(axis=-1) * sizes.max(axis=(-2, -1)) > most
        refuse_singular_among(a, suspected, where=where)
    return np.ascontiguousarray(x[..., :-1] if columns else x[..., 0])


def dominated(a: Array) -> bool:
    """Whether their diagonals prove all matrices of a stack to be regular, far from singular ones.

    With rows and columns scaled to a diagonal of ones, what is beside it has a norm below 1 then.
    One row tells whether it pays to look.
    """
    n = a.shape[-1]
    first = a[(0,) * (a.ndim - 2)]
    d, row = first.diagonal().tolist(), first[0].tolist()
    if a.dtype.kind != "f" or not all(d):
        return False
    beside = sum(x * x / abs(y) for x, y in zip(row[1:], d[1:], strict=True))
    if not beside * n < 3 * abs(d[0]):
        return False
    with np.errstate(all="ignore"):
        scale = 1 / np.abs(np.einsum("...ii->...i", a))
        squares = a * scale[..., None]
        squares *= a
        sizes = np.einsum("...ij,...j->...", squares, scale)  # n and the square of the norm
    return bool((sizes < n + 0.99).all())


def refuse_singular_among(a: Array, suspected: Array, *, where: str) -> None:
    """Raises where one of the suspected matrices of a stack is singular up to rounding."""
    singular = singular_among(a, suspected)
    if singular.any():
        place = (np.argwhere(singular) + 1).tolist()[0]
        raise np.linalg.LinAlgError(f"{where}: the matrix is singular, up to rounding, at {place}")


def singular_in(a: Array, *, where: str) -> np.linalg.LinAlgError:
    """The error for a stack with a matrix that has a pivot of zero, with its place.

    Determinants may be rounded otherwise than the routine that met it: then no place is told.
    """
    places = (np.argwhere(np.linalg.slogdet(a)[0] == 0) + 1).tolist()
    place = f" at {places[0]}" if places else ""
    return np.linalg.LinAlgError(f"{where}: the matrix is singular{place}")


def inverse_factored(factors: tuple[Any, ...], overwrite: bool = False) -> Array:
    """The inverse of a factorised matrix, whose factors it may overwrite."""
    a, pivots, where = factors
    if a.ndim > 2 or not a.size:
        try:
            return np.linalg.inv(a)
        except np.linalg.LinAlgError:
            raise singular_in(a, where=where) from None
    double = a.dtype == float
    if pivots is None and a.dtype.kind == "c":
        half = np.linalg.inv(a)
        return half @ half.T
    if pivots is None:
        potri: Any = linalg.lapack.dpotri if double else linalg.get_lapack_funcs("potri", (a,))
        half = potri(a, False, overwrite)[0]  # the upper triangle
        full = np.add(half.T, half, order="C")
        full.reshape(-1)[:: len(full) + 1] *= 0.5
        return full
    getri: Any = linalg.lapack.dgetri if double else linalg.get_lapack_funcs("getri", (a,))
    # Room for blocks of columns: what the wrapper takes by itself makes it go column by column.
    return getri(a, pivots, 64 * len(a), overwrite)[0].T


def log_determinant_factored(factors: tuple[Any, ...], *, where: str) -> Array:
    """The logarithm of the determinant of a factorised matrix; an error where that is <= 0."""
    a, pivots, _ = factors
    finite = np.True_
    if a.ndim > 2 or not a.size:
        finite = np.isfinite(a).all(axis=(-2, -1))
        sign, value = np.linalg.slogdet(np.where(finite[..., None, None], a, 1))
        suspected = below_hadamard(a, value) & finite & (np.real(sign) > 0)
        refuse_singular_among(a, suspected, where=where)
        value = np.where(finite, value, np.nan)
    else:
        d = a.diagonal()
        if pivots is None:
            return 2 * np.add.reduce(np.log(d))
        size = np.abs(d)
        value = np.add.reduce(np.log(size))
        # To count the bytes takes a third of the time of np.count_nonzero on a few elements.
        swaps = (pivots != np.arange(len(pivots))).tobytes().count(1)
        if a.dtype.kind == "f":
            # Of a matrix that is not finite the value is not a number, and has no sign.
            if (swaps + np.signbit(d).tobytes().count(1)) % 2 and value == value:
                raise np.linalg.LinAlgError(f"{where}: the determinant is not positive")
            return value
        sign = (d / size).prod() * (-1) ** swaps
    if ((np.real(sign) <= 0) & finite).any():
        raise np.linalg.LinAlgError(f"{where}: the determinant is not positive")
    return value + np.log(sign) if np.iscomplexobj(a) else value


def lower_factor(factors: tuple[Any, ...]) -> Array:
    """The lower triangular factor of a matrix that `factorise_spd` has factorised."""
    return factors[0].T


def check_triangle(a: Array, *, where: str) -> Array:
    """The triangular or diagonal matrices, once their diagonals are known to have no zero."""
    if (np.einsum("...ii->...i", a) == 0).any():
        raise np.linalg.LinAlgError(f"{where}: the matrix is singular")
    return a


def solve_triangle(
    a: Array, b: Array, lower: bool, transposed: bool, columns: bool, *, where: str
) -> Array:
    """inv(a) b, or inv(a') b, for a triangular a and a matrix (`columns`) or a vector b."""
    if a.ndim == 2 and a.size:
        double = a.dtype == float and b.dtype == float
        if double and columns and b.size >= 4096 and len(b) <= b.shape[1] and b.flags.c_contiguous:
            # Rows of rows are columns of columns: x' = b' inv(a)', and nothing is copied.
            if (a.diagonal() == 0).any():
                raise np.linalg.LinAlgError(f"{where}: the matrix is singular")
            return linalg.blas.dtrsm(1.0, a.T, b.T, True, not lower, transposed).T
        trtrs: Any = linalg.lapack.dtrtrs if double else linalg.get_lapack_funcs("trtrs", (a, b))
        # LAPACK reads columns: hand over the transpose, a triangle of the other kind.
        x, info = trtrs(a.T, b, not lower, not transposed)
        if info > 0:
            raise np.linalg.LinAlgError(f"{where}: the matrix is singular")
        return x
    if (np.einsum("...ii->...i", a) == 0).any():
        raise np.linalg.LinAlgError(f"{where}: the matrix is singular")
    x = np.linalg.solve(a.swapaxes(-1, -2) if transposed else a, b if columns else b[..., None])
    return x if columns else x[..., 0]


def diagonal_of(a: Array) -> Array:
    """The diagonal of a matrix as a view to write to, in a third of the time of an einsum."""
    d = a.diagonal()
    d.setflags(write=True)
    return d


def solve_diagonal(a: Array, b: Array, columns: bool) -> Array:
    """inv(a) b for a diagonal a and a matrix (`columns`) or a vector b."""
    d = np.einsum("...ii->...i", a)
    return b / (d[..., None] if columns else d)


def inverse_triangle(a: Array, lower: bool, *, where: str) -> Array:
    """The inverse of a triangular matrix, whose other triangle is not looked at."""
    if not a.size:
        return a.copy()
    trtri: Any = (
        linalg.lapack.dtrtri if a.dtype == float else linalg.get_lapack_funcs("trtri", (a,))
    )
    x, info = trtri(a.T, not lower)
    if info > 0:
        raise np.linalg.LinAlgError(f"{where}: the matrix is singular")
    # LAPACK leaves the other triangle as it was: zeros, or what rounding made of them.
    return np.tril(x.T) if lower else np.triu(x.T)


REQUIRED: dict[Callable[..., Any], tuple[Callable[..., Any], ...]] = {
    factorise: (
        looks_symmetric,
        refuse_singular,
        refuse_semidefinite,
        refuse_condition,
        scaled_condition,
    ),
    factorise_spd: (
        cholesky,
        growth_of_solution,
        refuse_semidefinite,
        refuse_condition,
        scaled_condition,
    ),
    log_determinant_factored: (
        below_hadamard,
        refuse_singular_among,
        singular_among,
        equilibrated,
    ),
    inverse_factored: (singular_in,),
    solve_stack: (dominated, refuse_singular_among, singular_among, equilibrated, singular_in),
}
"""What some of these functions call in turn."""
