"""The inverse, of matrices and of tensors seen as matrices.

``Y = inv(A)``, ``dY = -Y dA Y`` (Magnus & Neudecker, Matrix Differential Calculus, 8.4).  There is
no solve: ``A \\ b`` is the product ``inv(A) b``, and the code generator decides whether an inverse
is applied, by the factorisation that suits the `structure` of its argument, or formed.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.facts import holds as known
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.polynomial import Polynomial
from tcalc.expr.primitive import Fact, Holds, LinearMap, Notation, Style, linear_map
from tcalc.primitives.arrays import Array, linalg, np
from tcalc.primitives.function import Function, OfScalar, tensor_form
from tcalc.primitives.labels import groups
from tcalc.primitives.routines import Coded, Embedded, Routine, elements, of_square
from tcalc.primitives.singularity import equilibrated, singular_among

_KEPT = (Fact.SYMMETRIC, Fact.SPD, Fact.DIAGONAL, Fact.LOWER, Fact.UPPER, Fact.ORTHOGONAL)


class Inverse(Coded):
    """The inverse of a tensor whose last 2·axes axes are a square matrix over `axes` axes each."""

    name = "inv"
    letter = "V"
    compound = "{}_inv"
    analytic = True

    def __init__(self, axes: int = 1) -> None:
        self.axes = axes

    @property
    def key(self) -> str:
        return "inv" if self.axes == 1 else f"inv({self.axes})"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (a,) = arguments
        rows, columns = a[-2 * self.axes : -self.axes], a[-self.axes :]
        if len(a) < 2 * self.axes or rows != columns:
            raise ValueError(f"inv needs a square matrix, not [{','.join(map(str, a))}]")
        return (a,)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        i, j, k, l = groups(4, self.axes)  # noqa: E741 - the indices of the formula
        # dY[i,j] = -Y[i,k] dA[k,l] Y[l,j]
        return linear_map(node, 0, i + j, k + l, (-1, f"{i}{k},{l}{j}", (node, node)))

    def evaluate(self, *arrays: Any) -> Any:
        return inverse(arrays[0], self.axes, where="inv")

    def routine(self, node: Apply) -> Routine:
        if self.axes == 1:
            match structure(node.args[0]):
                case Fact.DIAGONAL:
                    return Embedded(inverse_diagonal, named=True, work=_of_diagonal)
                case Fact.LOWER:
                    return Embedded(inverse_triangular, (True,), named=True, work=_TRIANGULAR)
                case Fact.UPPER:
                    return Embedded(inverse_triangular, (False,), named=True, work=_TRIANGULAR)
                case Fact.SPD:
                    return Embedded(
                        inverse_spd,
                        named=True,
                        requires=(inverse, singular_among, equilibrated),
                        work=of_square(1, 1),
                    )
        return Embedded(
            inverse,
            (self.axes,),
            named=True,
            requires=(singular_among, equilibrated),
            work=self._work,
        )

    def _work(self, given: Sequence[Shape], made: Sequence[Shape]) -> Polynomial:
        # getrf and getri: 2/3 n³ + 4/3 n³
        return 2 * elements(given[0]) * elements(given[0][-self.axes :])

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        if self.axes > 1:
            return None
        (a,) = node.args
        if fact is Fact.PSD:
            # A positive semidefinite matrix that has an inverse is definite.
            return holds(a, Fact.PSD) or None
        if fact is Fact.SPD:
            return True if holds(a, Fact.SPD) or holds(a, Fact.PSD) else None
        return True if fact in _KEPT and holds(a, fact) else None

    def notation(self, node: Apply) -> Notation:
        names = {1: "inv", 2: "tensorinv"}
        return Notation(Style.INVERSE, names.get(self.axes, f"tensorinv{self.axes}"))


def _of_diagonal(given: Sequence[Shape], made: Sequence[Shape]) -> Polynomial:
    return elements(given[0][:-1])


_TRIANGULAR = of_square(Fraction(1, 3))


def structure(a: Node) -> Fact | None:
    """The fact about a matrix that its solves can use best, if there is one."""
    for fact in (Fact.DIAGONAL, Fact.LOWER, Fact.UPPER, Fact.SPD):
        if known(a, fact) is True:
            return fact
    return None


def is_triangle(a: Node) -> bool:
    """Whether a node is one triangular matrix, which is solved with as it is."""
    return a.order == 2 and structure(a) in (Fact.LOWER, Fact.UPPER)


def inverse(A: Array, axes: int, *, where: str) -> Array:
    """The inverse of A, whose last 2·axes axes are a square matrix; NaN gives NaN."""
    shape = A.shape
    n = 1
    for size in shape[len(shape) - axes :]:
        n *= size
    M = A.reshape(*shape[: len(shape) - 2 * axes], n, n)
    try:
        Y = np.linalg.inv(M)
    except np.linalg.LinAlgError:
        finite = np.isfinite(M).all(axis=(-2, -1))
        if finite.all():
            raise np.linalg.LinAlgError(f"{where}: the matrix is singular") from None
        Y = np.full_like(M, np.nan)
        Y[finite] = inverse(M[finite], 1, where=where)
    # Rows and columns may be scaled as one likes: these do not change, and would be 1 if A were
    # diagonal.  Where one is large, its size may be off by all that pivots chosen by units allow.
    sizes = np.einsum("...ij,...ji->...i", np.abs(M), np.abs(Y))
    suspected = (sizes > np.finfo(M.dtype).eps ** -0.5).any(axis=-1)
    if suspected.any() and singular_among(M, suspected).any():
        raise np.linalg.LinAlgError(f"{where}: the matrix is singular, up to rounding")
    return Y.reshape(shape)


def inverse_diagonal(A: Array, *, where: str) -> Array:
    """The inverse of diagonal matrices."""
    Y = np.zeros_like(A)
    d = np.einsum("...ii->...i", A)
    if (d == 0).any():
        raise np.linalg.LinAlgError(f"{where}: the matrix is singular")
    np.einsum("...ii->...i", Y)[...] = 1 / d
    return Y


def inverse_triangular(L: Array, lower: bool, *, where: str) -> Array:
    """The inverse of triangular matrices, one (LAPACK's trtri) or many."""
    if (np.einsum("...ii->...i", L) == 0).any():
        raise np.linalg.LinAlgError(f"{where}: the matrix is singular")
    if L.ndim > 2:
        Y = np.linalg.inv(L)
        return np.tril(Y) if lower else np.triu(Y)
    trtri: Any = linalg.get_lapack_funcs("trtri", (L,))
    # LAPACK reads columns: hand over the transpose, which is a triangle of the other kind.
    Y, _ = trtri(L.T, lower=not lower)
    return np.tril(Y.T) if lower else np.triu(Y.T)


def inverse_spd(A: Array, *, where: str) -> Array:
    """The inverse of symmetric positive definite matrices, one (LAPACK's potri) or many."""
    if A.ndim > 2 or np.iscomplexobj(A) or not np.isfinite(A).all():
        return inverse(A, 1, where=where)
    potrf: Any = linalg.get_lapack_funcs("potrf", (A,))
    potri: Any = linalg.get_lapack_funcs("potri", (A,))
    R, info = potrf(A.T, lower=False, clean=True)
    if info:
        raise np.linalg.LinAlgError(f"{where}: the matrix is not positive definite")
    Y, _ = potri(R, lower=False)
    return np.triu(Y) + np.triu(Y, 1).T


def inv(a: Node, axes: int = 1) -> Node:
    """The inverse of a node; raises `ValueError` where it is not square."""
    return build.apply(Inverse(axes), a)


def tensor_inverse(h: Node) -> Node:
    """The inverse of tensors of order four, each a square matrix over pairs of axes."""
    return inv(h, 2)


def left_divide(a: Node, b: Node) -> Node:
    """``A \\ B``, that is ``inv(A) B``, for one right-hand side or a matrix of them, batched.

    B has the order of A (a matrix), or one axis less (a vector).
    """
    batch = tuple(f"b{k}" for k in range(a.order - 2))
    columns = ("k",) if b.order == a.order else ()
    factors, rows = [inv(a), b], [(*batch, "i", "j"), (*batch, "j", *columns)]
    return build.einsum(factors, rows, (*batch, "i", *columns))


def tensor_inverse_over(axes: int) -> Function:
    """``tensorinv3`` and so on: the inverse of a map between tensors of that many axes."""
    letters = "klmnpqrstuvw"[:axes] * 2
    return Function(
        f"tensorinv{axes}",
        (tensor_form(f"...{letters}->...{letters}", lambda h: inv(h, axes)),),
        f"inverse of a tensor of order {2 * axes} that maps tensors of order {axes}",
        "not singular",
        "dY = -Y dH Y",
    )


FUNCTIONS = (
    Function(
        "inv",
        (tensor_form("...nn->...nn", inv),),
        "inverse of a square matrix",
        "A not singular",
        "dY = -Y dA Y",
        of_scalar=OfScalar.RECIPROCAL,
    ),
    Function(
        "tensorinv",
        (tensor_form("...mnmn->...mnmn", tensor_inverse),),
        "inverse of a tensor of order four that maps matrices, as a Hessian by a matrix does",
        "not singular",
        "dY = -Y dH Y",
    ),
    Function(
        "solve",
        (
            tensor_form("...nn,...nk->...nk", left_divide),
            tensor_form("...nn,...n->...n", left_divide),
        ),
        "solve(A, B) = A \\ B = inv(A) B; no inverse is formed",
        "A not singular",
        "dX = inv(A) (dB - dA X)",
    ),
)

FAMILIES = {"tensorinv": tensor_inverse_over}
"""Names that go on: ``tensorinv3`` inverts the Hessian by a tensor of order three."""
