"""What generated code for NumPy calls in place of the formulas in the primitives' files.

Those are what kernels for devices are derived from, so that each is one expression; with arrays,
fewer passes and fewer temporaries are worth more.  The sources are copied into the modules.

Whether any of a few elements is true is said by ``b"\\1" in x.tobytes()`` in a fifth of the time of
``x.any()``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tcalc.codegen.schur import real_schur, sylvester_by_lapack
from tcalc.primitives.arrays import Array, linalg, np
from tcalc.primitives.determinant import determinant
from tcalc.primitives.expm import balancing, matrix_exponential, pade_coefficients
from tcalc.primitives.exponential import (
    product_with_complement,
    sigmoid_stable,
    softplus_stable,
)
from tcalc.primitives.hyperbolic import complement_of_square
from tcalc.primitives.norms import euclidean_norm, power_of_two_below
from tcalc.primitives.qr import thin_lq, thin_qr
from tcalc.primitives.reflectors import reflectors
from tcalc.primitives.softmax import log_sum_exp, soft_max
from tcalc.primitives.sylvester import sylvester_solve


def sigmoid_in_place(x: Array) -> Array:
    """1/(1 + exp(-x)) as exp(min(x, 0))/(1 + exp(-|x|)), which neither overflows nor branches."""
    if x.ndim == 0 or x.dtype.kind == "c":
        return sigmoid_stable(x)
    e = np.abs(x)
    np.negative(e, out=e)
    np.exp(e, out=e)
    e += 1
    y = np.minimum(x, 0)
    np.exp(y, out=y)
    y /= e
    return y


def softplus_in_place(x: Array) -> Array:
    """log(1 + exp(x)) as max(x, 0) + log(1 + exp(-|x|))."""
    if x.ndim == 0 or x.dtype.kind == "c":
        return softplus_stable(x)
    y = np.abs(x)
    np.negative(y, out=y)
    np.exp(y, out=y)
    np.log1p(y, out=y)
    y += np.maximum(x, 0)
    return y


def log_sum_exp_in_place(x: Array, axes: tuple[int, ...]) -> Array:
    """log(sum(exp(x))) about the largest element; infinite elements included."""
    top = np.maximum.reduce(x.real, axes, keepdims=True)
    finite = np.isfinite(top)
    if b"\0" in finite.tobytes():
        top = np.where(finite, top, 0)
    e = x - top
    np.exp(e, out=e)
    y = np.log(np.add.reduce(e, axes))
    y += top.reshape(y.shape)
    return y


def soft_max_in_place(x: Array, axes: tuple[int, ...]) -> Array:
    """exp(x) / sum(exp(x)), about the largest element."""
    e = x - np.maximum.reduce(x.real, axes, keepdims=True)
    np.exp(e, out=e)
    e /= np.add.reduce(e, axes, keepdims=True)
    return e


def complement_in_place(y: Array, x: Array) -> Array:
    """1 - y² for y = tanh(x); near 1, where digits cancel, as 4e/(1 + e)² with e = exp(-2|x|)."""
    if y.ndim == 0 or y.dtype.kind == "c":
        return complement_of_square(y, x)
    rest = np.square(y)
    np.subtract(1, rest, out=rest)
    near = rest < 0.01
    if b"\1" in near.tobytes():
        e = np.exp(-2 * np.abs(np.broadcast_to(x, y.shape)[near]))
        rest[near] = 4 * e / np.square(1 + e)
    return rest


def product_with_complement_in_place(y: Array, x: Array) -> Array:
    """y (1 - y) for y = sigmoid(x); near 1, where digits cancel, as e/(1 + e)², e = exp(-x)."""
    if y.ndim == 0 or y.dtype.kind == "c":
        return product_with_complement(y, x)
    found = 1 - y
    found *= y
    near = y > 0.99
    if b"\1" in near.tobytes():
        e = np.exp(-np.broadcast_to(x, y.shape)[near])
        found[near] = e / np.square(1 + e)
    return found


def norm_in_range(x: Array, axes: tuple[int, ...]) -> Array:
    """‖x‖, of x divided by a power of two where squares leave the range of the type.

    Squares that underflow do no harm in a sum of squares that is itself a normal number.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if x.ndim == len(axes) and x.dtype.kind == "f":
            flat = x.reshape(-1)
            norm = np.sqrt(flat.dot(flat))
        else:
            norm = np.sqrt(np.add.reduce(np.square(x), axis=axes))
    size = np.abs(norm) if x.dtype.kind == "c" else norm
    least = 1.1e-19 if x.dtype.char in "fF" else 1.5e-154
    if ((size >= least) & (size < np.inf)).all() if norm.ndim else least <= size < np.inf:
        return norm
    scale = power_of_two_below(x, axes)
    return euclidean_norm(x / scale, axes) * np.squeeze(scale, axes)


def exponential_by_scipy(A: Array) -> Array:
    """The exponential of one matrix by SciPy, which fits the degree to the norm.

    SciPy goes through stacks in Python, and its routes differ in what they leave of numbers that
    overflow: these are for the formula.
    """
    if A.ndim == 2 and np.isfinite(A).all():
        balance = balancing(A)
        with np.errstate(all="ignore"):
            X = linalg.expm(A * balance) / balance
        if np.isfinite(X).all():
            return X
    return matrix_exponential(A)


def qr_by_lapack(A: Array, *, where: str) -> tuple[Array, Array]:
    """Q and R with A = Q R and a positive diagonal of R, of one matrix without copies.

    Of doubles: NumPy decomposes singles as doubles, and they are the more accurate for it.
    """
    if A.ndim > 2 or A.dtype != np.float64 or A.shape[0] < A.shape[1] or not A.size:
        return thin_qr(A, where=where)
    n, columns = A.shape
    tall = columns >= 48 and n >= 4 * columns
    if tall:
        packed, T, _ = linalg.lapack.dgeqrt(32, A)
    else:
        # Enough room for blocks of columns: the wrappers' own choice is the least that will do.
        packed, tau, _ = linalg.lapack.dgeqrfp(A, 64 * columns)
    R = np.triu(packed[:columns])
    if tall:
        signs = np.where(R.diagonal() < 0, -1.0, 1.0)
        R *= signs[:, None]
    d = R.diagonal()  # not negative, of geqrfp
    largest = d.max()
    if not (largest + np.add.reduce(d)) < np.inf:
        return thin_qr(A, where=where)
    if d.min() <= n * 2.0**-52 * largest:
        raise np.linalg.LinAlgError(f"{where}: the matrix does not have full rank")
    if tall:
        return q_by_blocks(packed, T, signs), R
    Q, _, _ = linalg.lapack.dorgqr(packed, tau, 64 * columns, True)  # in the place of packed
    return Q, R


def q_by_blocks(packed: Array, T: Array, signs: Array) -> Array:
    """The first columns, with signs, of the orthogonal matrix that LAPACK's geqrt factorised by.

    Block by block it is ``I - V T V'``, and each is applied by products of matrices: for a tall
    matrix geqrt and this take two thirds to five sixths of the time of geqrfp and orgqr.
    """
    rows, size = packed.T, len(T)
    columns = np.arange(len(rows))
    Q = np.zeros(rows.shape)  # transposed
    Q[columns, columns] = signs
    for start in reversed(range(0, len(rows), size)):
        block = columns[start : start + size]
        V = np.triu(rows[start : start + size], start + 1)
        V[block - start, block] = 1
        W = np.triu(T[: len(block), start : start + size]) @ (V @ Q[start:].T)
        linalg.blas.dgemm(-1.0, V.T, W, 1.0, Q[start:].T, False, False, True)
    return Q.T


def lq_by_lapack(A: Array, *, where: str) -> tuple[Array, Array]:
    """L and Q with A = L Q and a positive diagonal of L, of one matrix without copies."""
    if A.ndim > 2 or A.dtype != np.float64 or A.shape[0] > A.shape[1] or not A.size:
        return thin_lq(A, where=where)
    Q, R = qr_by_lapack(A.T, where=where)
    return R.T, Q.T


def determinant_unwarned(A: Array) -> Array:
    """The determinants; NaN gives NaN, which is warning enough."""
    with np.errstate(invalid="ignore"):
        return np.linalg.det(A)


VARIANTS: dict[Callable[..., Any], tuple[Callable[..., Any], ...]] = {
    sigmoid_stable: (sigmoid_in_place, sigmoid_stable),
    softplus_stable: (softplus_in_place, softplus_stable),
    log_sum_exp: (log_sum_exp_in_place,),
    soft_max: (soft_max_in_place,),
    sylvester_solve: (sylvester_by_lapack, sylvester_solve, real_schur),
    thin_qr: (qr_by_lapack, q_by_blocks, thin_qr),
    thin_lq: (lq_by_lapack, thin_lq, qr_by_lapack, q_by_blocks, thin_qr),
    reflectors: (reflectors, thin_qr),
    complement_of_square: (complement_in_place, complement_of_square),
    product_with_complement: (product_with_complement_in_place, product_with_complement),
    determinant: (determinant_unwarned,),
    matrix_exponential: (
        exponential_by_scipy,
        matrix_exponential,
        balancing,
        pade_coefficients,
    ),
    euclidean_norm: (norm_in_range, euclidean_norm, power_of_two_below),
}
"""For a formula of a primitive's what NumPy computes it by, and what that calls."""
