"""The thin singular value decomposition of a matrix of full rank, ``A = U diag(s) V'``.

Singular values descend; each column of U has the sign that makes positive its first component of
at least seven tenths of the largest.  With ``M = U' dA V`` (Townsend, "Differentiating the singular
value decomposition", 2016, written with sums and differences of singular values apart),

    ds = diag(M),
    dU = U (F .* (M + M') + P .* (M - M'))/2 + (dA V - U M) inv(diag(s)),
    dV = V (F .* (M + M') - P .* (M - M'))/2 + (dA' U - V M') inv(diag(s)),

``F[j,i] = 1/(s[i] - s[j])``, and 0 for j = i, ``P[j,i] = 1/(s[i] + s[j])``.  The projections on the
complements of U and V, as large as the sides of A squared, are not formed.  Repeated singular
values are as repeated eigenvalues are for `eigh`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Fact, Holds, LinearMap, Operator, linear_map
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.eigh import gap
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.matrices import product, sums_of_pairs, transpose
from tcalc.primitives.matrix_shapes import check_matrix
from tcalc.primitives.messages import described
from tcalc.primitives.operators import operator
from tcalc.primitives.power import reciprocal
from tcalc.primitives.reductions import largest
from tcalc.primitives.routines import Coded, Embedded, Routine, of_thin

HALF = Fraction(1, 2)


class Svd(Coded):
    """The factors U, s, V of ``A = U diag(s) V'``, with min(m, n) columns."""

    name = "svd"
    outputs = 3
    output_names = ("U", "s", "V")

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (a,) = arguments
        check_matrix(self.name, a)
        *batch, m, n = a
        r = Dim.minimum(m, n)
        return ((*batch, m, r), (*batch, r), (*batch, n, r))

    def jacobian(self, node: Apply, position: int) -> LinearMap | Operator:
        U, s, V = svd(node.args[0])
        if node.output == 1:
            # ds[i] = U[k,i] V[l,i] dA[k,l]
            return linear_map(node, 0, "i", "kl", (1, "ki,li", (U, V)))
        F, P, Y = gap(s), reciprocal(sums_of_pairs(s)), singular_value_reciprocals(s)
        left = node.output == 0

        def push(d: Node, U: Node, V: Node, F: Node, P: Node, Y: Node) -> Node:
            if not left:  # V is the U of A'
                U, V, d = V, U, transpose(d)
            T = product("ij,jk->ik", d, V)
            M = product("ji,jk->ik", U, T)
            FM = product("ij,ij->ij", F, _mirrored(M, 1))
            PM = product("ij,ij->ij", P, _mirrored(M, -1))
            turned = build.add([(HALF, FM), (HALF, PM)])
            rest = build.subtract(T, product("ij,jk->ik", U, M))
            return build.sum_of(product("ij,jk->ik", U, turned), product("ij,j->ij", rest, Y))

        def pull(bar: Node, U: Node, V: Node, F: Node, P: Node, Y: Node) -> Node:
            W, X = (U, V) if left else (V, U)
            # Ā, or Ā' for V, is (W N + W̄ inv(diag(s))) X' with K = W' W̄ and
            # N = (F .* K + (F .* K)' + P .* K - (P .* K)')/2 - K inv(diag(s))
            K = product("ji,jk->ik", W, bar)
            FK, PK = product("ij,ij->ij", F, K), product("ij,ij->ij", P, K)
            turned = build.add([(HALF, _mirrored(FK, 1)), (HALF, _mirrored(PK, -1))])
            N = build.subtract(turned, product("ij,j->ij", K, Y))
            inner = build.sum_of(product("ij,jk->ik", W, N), product("ij,j->ij", bar, Y))
            return product("ij,kj->ik" if left else "ij,kj->ki", inner, X)

        return operator(node, position, (U, V, F, P, Y), push, pull)

    def evaluate(self, *arrays: Any) -> Any:
        return singular_decomposition(arrays[0], where="svd")

    def routine(self, node: Apply) -> Routine:
        return Embedded(singular_decomposition, named=True, work=of_thin(14, 8, 2))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        if node.output == 1:
            return True if fact is Fact.NONNEGATIVE else None
        square = node.dims[-1] == node.dims[-2]
        return True if fact is Fact.ORTHOGONAL and square else None


class SingularValues(Coded):
    """The singular values alone."""

    name = "svdvals"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (a,) = arguments
        check_matrix(self.name, a)
        return ((*a[:-2], Dim.minimum(a[-2], a[-1])),)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        U, _, V = svd(node.args[0])
        # ds[i] = U[k,i] V[l,i] dA[k,l]
        return linear_map(node, 0, "i", "kl", (1, "ki,li", (U, V)))

    def evaluate(self, *arrays: Any) -> Any:
        return singular_values(arrays[0], where="svdvals")

    def routine(self, node: Apply) -> Routine:
        return Embedded(singular_values, named=True, work=of_thin(4, Fraction(-4, 3)))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return True if fact is Fact.NONNEGATIVE else None


class SingularReciprocals(Coded):
    """1/s for the singular values of a matrix; an error where it does not have full rank."""

    name = "svdreciprocals"
    of_values = True

    def __init__(self, blamed: str = "svd") -> None:
        self.blamed = blamed

    @property
    def key(self) -> str:
        return f"svdreciprocals({self.blamed})"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        return arguments

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        # d(1/s) = -ds/s^2
        return linear_map(node, 0, "i", "i", (-1, "i,i", (node, node)))

    def evaluate(self, *arrays: Any) -> Any:
        return singular_reciprocals(arrays[0], self.blamed)

    def routine(self, node: Apply) -> Routine:
        return Embedded(singular_reciprocals, (described(node),))


def singular_reciprocals(s: Array, where: str) -> Array:
    """1/s; an error where a singular value is rounding of the largest."""
    if (s <= np.finfo(s.dtype).eps * s.max(axis=-1, keepdims=True, initial=0)).any():
        message = f"{where}: the derivative needs a matrix of full rank"
        raise np.linalg.LinAlgError(message)
    return 1 / s


def _mirrored(m: Node, sign: int) -> Node:
    """``M + M'``, or ``M - M'``."""
    return build.add([(1, m), (sign, transpose(m))])


def singular_decomposition(A: Array, *, where: str) -> tuple[Array, Array, Array]:
    """U, s, V with A = U diag(s) V', signs fixed; NaN gives NaN."""
    if np.iscomplexobj(A):
        raise np.linalg.LinAlgError(f"{where}: the matrix is complex, and should be real")
    finite = np.isfinite(A).all(axis=(-2, -1))[..., None, None]
    U, s, Vh = np.linalg.svd(np.where(finite, A, 0), full_matrices=False)
    V = Vh.swapaxes(-1, -2)
    if U.size:
        size = np.abs(U)
        first = (size >= 0.7 * size.max(axis=-2, keepdims=True)).argmax(-2)[..., None, :]
        sign = np.sign(np.take_along_axis(U, first, -2))
        U, V = U * sign, V * sign
    s = np.where(finite[..., 0], s, np.nan)
    return np.where(finite, U, np.nan), s, np.where(finite, V, np.nan)


def singular_values(A: Array, *, where: str) -> Array:
    """The singular values, descending; NaN gives NaN."""
    if np.iscomplexobj(A):
        raise np.linalg.LinAlgError(f"{where}: the matrix is complex, and should be real")
    finite = np.isfinite(A).all(axis=(-2, -1))[..., None]
    return np.where(
        finite, np.linalg.svd(np.where(finite[..., None], A, 0), compute_uv=False), np.nan
    )


def svd(a: Node) -> tuple[Node, Node, Node]:
    """The thin singular value decomposition."""
    decomposition = Svd()
    U, s, V = (build.apply(decomposition, a, output=k) for k in range(3))
    return U, s, V


def svdvals(a: Node) -> Node:
    """The singular values, descending."""
    return build.apply(SingularValues(), a)


def singular_value_reciprocals(s: Node, function: str = "svd") -> Node:
    """1/s for the singular values of matrices of full rank, for derivatives of a function."""
    return build.apply(SingularReciprocals(function), s)


def normspec(a: Node) -> Node:
    """The spectral norm, the largest singular value."""
    return largest(svdvals(a), 1)


_RANK = "A of full rank, singular values distinct, for the derivatives of U and V"

FUNCTIONS = (
    Function(
        "svd",
        (tensor_form("...mn->...mr,...r,...nr", svd),),
        "U, s, V = svd(A): thin decomposition A = U*diag(s)*V', s descending; in each column of U, "
        "the first component of at least 0.7 times the largest size is positive",
        _RANK,
        "ds = diag(U' dA V); dU and dV by 1/(s[i] - s[j]) and 1/(s[i] + s[j])",
        "at a repeated singular value, dU and dV leave out rotations inside its space; higher "
        "derivatives are an error there; the first two of sum(g(s)) and the first of "
        "U*diag(g(s))*V' are exact, and the next ones are an error near ties too; without full "
        "rank, the derivatives of U and V are an error",
        source="Townsend, Differentiating the singular value decomposition, 2016; "
        "Noferini 2017 at ties",
    ),
    Function(
        "svdreciprocals",
        (tensor_form("...n->...n", singular_value_reciprocals),),
        "1/s for singular values s; an error if the matrix does not have full rank",
        "all s > 0",
        "-1/s^2",
    ),
    Function(
        "svdvals",
        (tensor_form("...mn->...r", svdvals),),
        "singular values, descending",
        derivative="diag(U' dA V)",
        kink="at repeated singular values, only symmetric functions of them are smooth, such as "
        "sum(g(s)); their first and second derivatives are exact there, and the third are an "
        "error near them; second derivatives need full rank",
        source="Lewis & Sendov 2005; Noferini 2017",
    ),
    Function(
        "normspec",
        (tensor_form("...mn->...", normspec),),
        "spectral norm, the largest singular value",
        derivative="u*v' of the largest singular value",
        kink="equal shares for equal largest singular values; no second derivatives: an error",
        source="Watson, Characterization of the subdifferential of some matrix norms, 1992",
    ),
)
