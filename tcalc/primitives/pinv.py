"""The Moore-Penrose inverse, ``P = pinv(A)``.

    dP = -P dA P + P P' dA' (I - A P) + (I - P A) dA' P' P

along changes that keep the rank (Golub & Pereyra, "The differentiation of pseudo-inverses and
nonlinear least squares problems", 1973, eq. 4.12).  Where A does not have full rank, that is the
derivative along the matrices of its rank; in other directions `pinv` is not continuous.
"""

from __future__ import annotations

from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Fact, Holds, LinearMap, Notation, linear_map
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.polar import check_matrix
from tcalc.primitives.routines import Coded, Embedded, Routine, of_thin

_KEPT = (Fact.SYMMETRIC, Fact.SPD, Fact.PSD, Fact.DIAGONAL)


class PseudoInverse(Coded):
    """The matrix P with ``A P A = A``, ``P A P = P``, and A P and P A symmetric."""

    name = "pinv"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (a,) = arguments
        check_matrix(self.name, a)
        return ((*a[:-2], a[-1], a[-2]),)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        A, P = node.args[0], node
        rows, columns = build.delta(A.dims[-2]), build.delta(A.dims[-1])
        # dP[i,j] by dA[k,l].  I - A P and I - P A, one of them as large as the longer side of A
        # squared, are never formed.
        return linear_map(
            node,
            0,
            "ij",
            "kl",
            (-1, "ik,lj", (P, P)),
            (1, "ia,la,kj", (P, P, rows)),
            (-1, "ia,la,kb,bj", (P, P, A, P)),
            (1, "il,ak,aj", (columns, P, P)),
            (-1, "ib,bl,ak,aj", (P, A, P, P)),
        )

    def evaluate(self, *arrays: Any) -> Any:
        return pseudo_inverse(arrays[0], where="pinv")

    def routine(self, node: Apply) -> Routine:
        return Embedded(pseudo_inverse, named=True, work=of_thin(16, 8))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return True if fact in _KEPT and holds(node.args[0], fact) else None

    def notation(self, node: Apply) -> Notation:
        return Notation(name="pinv")


def pseudo_inverse(A: Array, *, where: str) -> Array:
    """The Moore-Penrose inverse; singular values that are rounding of the largest count as 0."""
    if np.iscomplexobj(A):
        raise np.linalg.LinAlgError(f"{where}: the matrix is complex, and should be real")
    finite = np.isfinite(A).all(axis=(-2, -1))[..., None, None]
    cut = max(A.shape[-2:]) * float(np.finfo(A.dtype).eps)
    return np.where(finite, np.linalg.pinv(np.where(finite, A, 0), rcond=cut), np.nan)


def pinv(a: Node) -> Node:
    """The Moore-Penrose inverse of matrices."""
    return build.apply(PseudoInverse(), a)


FUNCTIONS = (
    Function(
        "pinv",
        (tensor_form("...mn->...nm", pinv),),
        "Moore-Penrose inverse",
        derivative="-P dA P + P P' dA' (I - A P) + (I - P A) dA' P' P",
        kink="not continuous where the rank changes; the derivative is along matrices of one rank; "
        "second and higher ones form matrices of the longer side squared",
        source="Golub & Pereyra, 1973, eq. 4.12",
    ),
)
