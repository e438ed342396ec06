"""Which matrices of a stack are singular up to rounding, so that no digit would be right.

These are embedded in generated code, and run on devices too.  A single matrix that is factorised
anyway is judged by LAPACK's estimate of its condition number, to the same bound.
"""

from __future__ import annotations

from tcalc.primitives.arrays import Array, np


def singular_among(A: Array, suspected: Array) -> Array:
    """Which of the suspected matrices of a stack are singular up to rounding.

    The diagonal of |A| |inv(A)| stays however rows and columns are scaled, and is of ones if they
    can be scaled to a diagonal matrix: where it is this large, no digit of a solution is right.
    """
    found = np.array(suspected)
    if not found.any():
        return found
    some = equilibrated(A[found])
    try:
        sizes = np.einsum("...ij,...ji->...i", np.abs(some), np.abs(np.linalg.inv(some)))
    except np.linalg.LinAlgError:  # a pivot is zero, of which matrix is not told
        if len(some) > 1:
            each = [bool(singular_among(one, np.asarray(True))) for one in some]
            found[found] = np.asarray(each)
        return found
    most = 1 / (max(A.shape[-1], 4) ** 0.5 * np.finfo(A.dtype).eps)
    found[found] = ~(sizes <= most).all(axis=-1)  # NaN on devices, of a pivot of zero
    return found


def equilibrated(A: Array) -> Array:
    """Matrices with rows and columns scaled by powers of 2, to entries of about 1 at most.

    That changes no digit.  As they were, their units may choose pivots by which rounding grows so
    much that it hides how singular they are.
    """
    tiny = np.finfo(A.dtype).tiny
    for axis in (-1, -2):
        size = np.maximum(np.abs(A).max(axis=axis, keepdims=True), tiny)
        A = A * np.exp2(-np.ceil(np.log2(size)))
    return A


def below_hadamard(A: Array, logarithm: Array) -> Array:
    """Which matrices of a stack, of known log|det|, may be singular up to rounding.

    ``|det(A)|`` is at most the product of the norms of the rows (Hadamard), and of a matrix that
    is singular up to rounding it is less by that.
    """
    n = A.shape[-1]
    sizes = np.abs(A)
    squares = np.einsum("...ij,...ij->...i", sizes, sizes)
    regular = (squares > 0) & np.isfinite(squares)
    lost = np.log(np.where(regular, squares, 1)).sum(axis=-1) / 2 - logarithm
    far = lost < -np.log(4 * max(n, 4) ** 0.5 * np.finfo(A.dtype).eps)
    return ~(far & regular.all(axis=-1))
