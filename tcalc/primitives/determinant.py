"""The determinant and its derivatives of all orders, exact at singular matrices too.

``∂det/∂A[i,j] = C[i,j]``, the cofactors (Magnus & Neudecker 8.3).  The k-th derivative of det is a
tensor of order 2k that is polynomial in A; `Cofactors(k)` is that family, closed under
differentiation, with det itself for k = 0 and the transposed adjugate for k = 1.  Its elements are
minors, with signs, and are computed as such where A has at most four rows; for others, with a
singular value decomposition ``A = U diag(s) V'``,

    C_k[i1,j1,..,ik,jk] = det(U) det(V) Σ_π sgn(π) Σ_p E[p1..pk] Π_a U[i_a,p_a] V[j_π(a),p_a]

where ``E[p1..pk]`` is the product of the singular values other than s[p1]..s[pk], and 0 where two
of these agree; nothing is divided by.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.polynomial import Polynomial
from tcalc.expr.primitive import Fact, Holds, LinearMap, Notation, linear_map
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.function import Function, OfScalar, tensor_form
from tcalc.primitives.labels import groups
from tcalc.primitives.matrix_shapes import check_square
from tcalc.primitives.routines import Coded, Embedded, Routine, elements, of_square


class Cofactors(Coded):
    """The derivative of `det` of order k, shape [..., n, n, …, n, n] with k pairs of axes."""

    name = "cofactors"

    def __init__(self, k: int) -> None:
        self.k = k
        self.analytic = k == 0

    @property
    def key(self) -> str:
        return f"cofactors({self.k})" if self.k else "det"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (a,) = arguments
        check_square("det" if self.k == 0 else self.name, a)
        return ((*a[:-2], *(a[-1:] * (2 * self.k))),)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        (pairs,) = groups(1, 2 * self.k)
        up = build.apply(Cofactors(self.k + 1), *node.args)
        # dC_k[..] = C_{k+1}[..,i,j] dA[i,j]
        return linear_map(node, 0, pairs, "yz", (1, pairs + "yz", (up,)))

    def evaluate(self, *arrays: Any) -> Any:
        (A,) = arrays
        if self.k:
            return cofactors(A, self.k)
        with np.errstate(invalid="ignore"):  # NaN is warning enough
            return np.linalg.det(A)

    def routine(self, node: Apply) -> Routine:
        if self.k == 0:
            return Embedded(determinant, work=of_square(Fraction(2, 3)))
        requires = (minors, derivative_by_minors)
        return Embedded(cofactors, (self.k,), requires=requires, work=self._work)

    def _work(self, given: Sequence[Shape], made: Sequence[Shape]) -> Polynomial:
        # A singular value decomposition, 22 n³, two determinants, and 2k products with U or V.
        decomposed = of_square(Fraction(70, 3))(given, made)
        return decomposed + 4 * self.k * elements(made[0]) * given[0][-1]

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        (a,) = node.args
        if self.k == 0:
            if fact in (Fact.POSITIVE, Fact.NONNEGATIVE) and holds(a, Fact.SPD):
                return True
            if fact is Fact.NONNEGATIVE and holds(a, Fact.PSD):
                return True
        if self.k == 1 and fact in (Fact.SYMMETRIC, Fact.SPD, Fact.PSD, Fact.DIAGONAL):
            return True if holds(a, fact) else None
        return None

    def notation(self, node: Apply) -> Notation:
        if self.k == 0:
            return Notation(name="det", latex=r"\det")
        return Notation(name="cofactors" if self.k == 1 else f"cofactors{self.k}")


def determinant(A: Array) -> Array:
    """The determinants."""
    return np.linalg.det(A)


def cofactors(A: Array, k: int) -> Array:
    """The derivative of det of order k; of larger matrices from a singular value decomposition."""
    n = A.shape[-1]
    finite = np.isfinite(A).all(axis=(-2, -1), keepdims=True)
    if n <= 4:
        found = derivative_by_minors(np.where(finite, A, 0), k)
        return np.where(finite.reshape(*A.shape[:-2], *[1] * (2 * k)), found, np.nan)
    U, s, Vh = np.linalg.svd(np.where(finite, A, 0))
    sign = np.linalg.det(U) * np.linalg.det(Vh)
    E = np.zeros((*s.shape[:-1], *[n] * k), s.dtype)
    for chosen in np.ndindex(*[n] * k):
        if len(set(chosen)) == k:
            E[(..., *chosen)] = np.delete(s, chosen, axis=-1).prod(-1)
    i, j, p = "abcdefgh"[:k], "ijklmnop"[:k], "qrstuvwx"[:k]
    inputs = ",".join(f"...{x}{z},...{z}{y}" for x, y, z in zip(i, j, p, strict=True))
    pairs = "".join(x + y for x, y in zip(i, j, strict=True))
    one = np.einsum(
        f"...{p},{inputs}->...{pairs}", E, *[U.conj(), Vh.conj()] * k, optimize="greedy"
    )
    lead = A.ndim - 2
    total = np.zeros_like(one)
    orders: list[list[int]] = [[]]
    for a in range(k):
        orders = [[*o[:b], a, *o[b:]] for o in orders for b in range(a + 1)]
    for order in orders:
        axes = [axis for a, b in enumerate(order) for axis in (lead + 2 * a, lead + 2 * b + 1)]
        inversions = sum(order[a] > order[b] for b in range(k) for a in range(b))
        total += (-1) ** inversions * one.transpose(*range(lead), *axes)
    total *= sign.reshape(*sign.shape, *[1] * (2 * k))
    return np.where(finite.reshape(*sign.shape, *[1] * (2 * k)), total, np.nan)


def minors(A: Array, m: int) -> Array:
    """The determinants of all m rows and m columns of matrices, for m > 0, in ascending order.

    By Laplace's expansion along the first of the rows:
    ``M[R,C] = Σ_p (-1)^p A[R[0],C[p]] M[R - R[0], C - C[p]]``.
    """
    n = A.shape[-1]
    M = A
    chosen: list[tuple[int, ...]] = [(j,) for j in range(n)]
    for size in range(2, m + 1):
        before = {s: place for place, s in enumerate(chosen)}
        chosen = [(*s, j) for s in chosen for j in range(s[-1] + 1, n)]
        first = A[..., [s[0] for s in chosen], :]
        rest = M[..., [before[s[1:]] for s in chosen], :]
        for p in range(size):
            others = [before[s[:p] + s[p + 1 :]] for s in chosen]
            term = first[..., [s[p] for s in chosen]] * rest[..., others]
            M = term if p == 0 else M - term if p % 2 else M + term
    return M


def derivative_by_minors(A: Array, k: int) -> Array:
    """The derivative of det of order k: what is left without k rows and k columns, with signs."""
    n, lead = A.shape[-1], A.shape[:-2]
    M = minors(A, n - k) if k < n else np.ones((*lead, 1, 1), A.dtype)
    left: list[tuple[int, ...]] = [()]
    gone: list[tuple[int, ...]] = [()]
    for _ in range(n - k):
        left = [(*s, j) for s in left for j in range(s[-1] + 1 if s else 0, n)]
    for _ in range(k):
        gone = [(*s, j) for s in gone for j in range(n)]
    places, signs = [], []
    for s in gone:
        swaps = sum(s) + sum(s[a] > s[b] for b in range(k) for a in range(b))
        rest = tuple(j for j in range(n) if j not in s)
        apart = len(rest) == n - k
        places.append(left.index(rest) if apart else 0)
        signs.append((-1) ** swaps if apart else 0)
    sign = np.asarray(signs, A.dtype)
    found = sign[:, None] * sign * M[..., places, :][..., places]
    # The rows come before the columns here, and beside them in the result.
    axes = [len(lead) + side + a for a in range(k) for side in (0, k)]
    found = found.reshape(*lead, *[n] * (2 * k))
    return found.transpose(*range(len(lead)), *axes)


def det(a: Node) -> Node:
    """The determinant of square matrices."""
    return build.apply(Cofactors(0), a)


def cofactor_matrix(a: Node) -> Node:
    """The matrix of cofactors, the gradient of `det`."""
    return build.apply(Cofactors(1), a)


def derivative_of_det(k: int, a: Node) -> Node:
    """The k-th derivative of the determinant, a tensor with 2k axes for each matrix."""
    return build.apply(Cofactors(k), a)


def adj(a: Node) -> Node:
    """The adjugate, ``det(A) inv(A)`` where that exists: the transposed cofactors."""
    c = cofactor_matrix(a)
    axes = tuple(range(c.order))
    return build.transpose(c, (*axes[:-2], axes[-1], axes[-2]))


def derivative_function(k: int) -> Function:
    """``cofactors2`` and so on as functions of the language."""
    return Function(
        f"cofactors{k}",
        (tensor_form("...nn->..." + "n" * 2 * k, partial(derivative_of_det, k)),),
        f"the derivative of det of order {k}, exact at singular matrices too",
        derivative=f"cofactors{k + 1}(A)",
    )


FUNCTIONS = (
    Function(
        "det",
        (tensor_form("...nn->...", det),),
        "determinant",
        derivative="cofactors, exact at singular matrices too",
        of_scalar=OfScalar.ITSELF,
    ),
    Function(
        "adj",
        (tensor_form("...nn->...nn", adj),),
        "adjugate, det(A) inv(A) where that exists",
        derivative="second derivative of det, exact at singular matrices too",
    ),
    Function(
        "cofactors",
        (tensor_form("...nn->...nn", cofactor_matrix),),
        "the matrix of cofactors, adj(A)', which is the gradient of det",
        derivative="cofactors2(A)",
    ),
    *map(derivative_function, (2, 3)),
)

FAMILIES = {"cofactors": derivative_function}
"""Names that go on: ``cofactors4`` is in the third derivative of `cofactors`."""
