"""Thin QR and LQ decompositions whose Q is not formed, as code computes them.

LAPACK's ``geqrf`` leaves Q as a product of reflections, ``I - t v v'`` for each column v of V, and
``ormqr`` applies it to a vector in one pass over V.  To form Q takes as long as to factorise once
more.  The code generator puts these primitives in place of `qr` and `lq` where Q is only
multiplied by vectors; they are not differentiated, and have no names in the language.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.polynomial import Polynomial
from tcalc.expr.primitive import Fact, Holds, LinearMap
from tcalc.primitives.arrays import Array, linalg, np
from tcalc.primitives.qr import thin_qr
from tcalc.primitives.routines import Coded, Embedded, Routine, elements, of_thin


class Reflectors(Coded):
    """R, V, t and signs with ``A = Q R``, R with a positive diagonal; V, t and signs make up Q.

    With `wide` the matrix is that of ``A = L Q``, and the first value L.
    """

    outputs = 4

    def __init__(self, wide: bool) -> None:
        self.wide = wide
        self.name = "lq" if wide else "qr"  # as messages say

    @property
    def key(self) -> str:
        return f"reflectors({self.name})"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        ((m, n),) = arguments
        long, short = (n, m) if self.wide else (m, n)
        return ((short, short), (long, short), (short,), (short,))

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        raise TypeError("reflectors are for code, after all derivatives are taken")

    def evaluate(self, *arrays: Any) -> Any:
        (A,) = arrays
        return reflectors(A, self.wide, where=self.name)

    def routine(self, node: Apply) -> Routine:
        work = of_thin(2, Fraction(-2, 3), 1)
        return Embedded(reflectors, (self.wide,), named=True, work=work)

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        triangle = Fact.LOWER if self.wide else Fact.UPPER
        return True if node.output == 0 and fact is triangle else None


class Reflected(Coded):
    """``Q x`` for the Q of m rows and n columns that V, t and signs make up, or ``Q' x``."""

    name = "reflected"

    def __init__(self, transposed: bool) -> None:
        self.transposed = transposed

    @property
    def key(self) -> str:
        return f"{self.name}({'transposed' if self.transposed else ''})"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (m, n), _, _, _ = arguments
        return ((n,),) if self.transposed else ((m,),)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        raise TypeError("reflectors are for code, after all derivatives are taken")

    def evaluate(self, *arrays: Any) -> Any:
        V, t, signs, x = arrays
        return reflected(V, t, signs, x, self.transposed)

    def routine(self, node: Apply) -> Routine:
        return Embedded(reflected, (self.transposed,), fresh=True, work=_work)


def _work(given: Sequence[Shape], made: Sequence[Shape]) -> Polynomial:
    # n reflections, the k-th of m - k elements, a scalar product and an update each
    m, n = given[0]
    return elements((m, n)) * 4 - elements((n, n)) * 2


def reflectors(A: Array, wide: bool, *, where: str) -> tuple[Array, Array, Array, Array]:
    """R, V, t and signs of A = Q R, of one matrix; for a wide one those of A', with L for R.

    Where the signs are zero, V is Q itself: of matrices that are not finite, and of singles, which
    NumPy decomposes as doubles, and which are the more accurate for it.
    """
    if wide and A.shape[0] > A.shape[1]:
        raise np.linalg.LinAlgError(
            f"{where}: the matrix is tall, {len(A)} by {A.shape[1]}: use qr"
        )
    M = A.T if wide else A
    m, n = M.shape
    if A.dtype == np.float64 and 0 < n <= m:
        V, t, _, _ = linalg.lapack.dgeqrf(M, 64 * n)
        R = np.triu(V[:n])
        d = R.diagonal()
        size = np.abs(d)
        largest = size.max()
        if largest + np.add.reduce(size) < np.inf:
            if size.min() <= m * 2.0**-52 * largest:
                raise np.linalg.LinAlgError(f"{where}: the matrix does not have full rank")
            signs = np.copysign(1.0, d)
            R *= signs[:, None]
            return R.T if wide else R, V, t, signs
    Q, R = thin_qr(M, where=where)
    return R.T if wide else R, Q, np.zeros(n, A.dtype), np.zeros(n, A.dtype)


def reflected(V: Array, t: Array, signs: Array, x: Array, transposed: bool) -> Array:
    """Q x, or Q' x, by the reflections that make up Q.

    One after the other, as LAPACK takes them where it has no room for more: to combine them to
    blocks takes longer, for one vector.
    """
    if not signs.any():
        return (V.T if transposed else V) @ x
    m, n = V.shape
    if transposed:
        return linalg.lapack.dormqr("L", "T", V, t, x[:, None], 1)[0][:n, 0] * signs
    padded = np.zeros((m, 1), V.dtype)
    padded[:n, 0] = signs * x
    return linalg.lapack.dormqr("L", "N", V, t, padded, 1, True)[0][:, 0]


def reflectors_of(a: Node, wide: bool) -> tuple[Node, ...]:
    """The triangle, and the three tensors that make up Q."""
    return tuple(build.apply(Reflectors(wide), a, output=k) for k in range(4))
