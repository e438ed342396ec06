"""Eigenvalues and eigenvectors of the symmetric part, ``(A + A')/2 = V diag(w) V'``.

Eigenvalues ascend.  Each eigenvector has the sign that makes positive its first component of at
least seven tenths of the largest: a choice that small changes of A do not turn over where
components are equal in size, as they often are by symmetry.

    dw[i] = V[k,i] V[l,i] dA[k,l],
    dV[m,i] = V[m,j] F[j,i] V[k,j] V[l,i] dS[k,l],   F[j,i] = 1/(w[i] - w[j]), and 0 for j = i

(Magnus & Neudecker, Matrix Differential Calculus, 8.9; Giles 2008, 3.1).  Eigenvectors of an
eigenvalue that is repeated, to rounding, have no derivative.  `gap` is 0 there, which leaves out
the rotations inside an eigenspace: right for functions that do not depend on its basis, to first
order.  Derivatives of `gap` are an error there, since the rotations would count.  Functions of all
eigenvalues alike are taken by other means and have no such points: see `tcalc.primitives.spectral`.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Fact, Holds, LinearMap, Notation, linear_map
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.matrix_shapes import check_square
from tcalc.primitives.messages import described
from tcalc.primitives.routines import Coded, Embedded, Routine, elements, of_square

HALF = Fraction(1, 2)


class Eigh(Coded):
    """The eigenvalues w, ascending, and the matrix V of eigenvectors, as its columns."""

    name = "eigh"
    outputs = 2
    output_names = ("w", "V")

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (a,) = arguments
        check_square(self.name, a)
        return (a[:-1], a)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        w, V = eigh(node.args[0])
        if node.output == 0:
            return linear_map(node, 0, "i", "kl", (1, "ki,li", (V, V)))
        return linear_map(
            node,
            0,
            "mi",
            "kl",
            (HALF, "mj,ji,kj,li", (V, gap(w), V, V)),
            (HALF, "mj,ji,lj,ki", (V, gap(w), V, V)),
        )

    def evaluate(self, *arrays: Any) -> Any:
        return symmetric_eigen(arrays[0], where="eigh")

    def routine(self, node: Apply) -> Routine:
        return Embedded(symmetric_eigen, named=True, work=of_square(9, 4))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        if node.output == 1:
            return True if fact is Fact.ORTHOGONAL else None
        return _signs_of_eigenvalues(node.args[0], fact, holds)


class Eigvalsh(Coded):
    """The eigenvalues alone."""

    name = "eigvalsh"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        check_square(self.name, arguments[0])
        return (arguments[0][:-1],)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        _, V = eigh(node.args[0])
        # dw[i] = V[k,i] V[l,i] dA[k,l]
        return linear_map(node, 0, "i", "kl", (1, "ki,li", (V, V)))

    def evaluate(self, *arrays: Any) -> Any:
        return symmetric_eigenvalues(arrays[0], where="eigvalsh")

    def routine(self, node: Apply) -> Routine:
        return Embedded(symmetric_eigenvalues, named=True, work=of_square(Fraction(4, 3), 2))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return _signs_of_eigenvalues(node.args[0], fact, holds)


def _signs_of_eigenvalues(a: Node, fact: Fact, holds: Holds) -> bool | None:
    positive = fact in (Fact.POSITIVE, Fact.NONNEGATIVE) and holds(a, Fact.SPD)
    return True if positive else None


def symmetric_eigen(A: Array, *, where: str) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors of (A + A')/2, signs fixed; NaN gives NaN."""
    if np.iscomplexobj(A):
        raise np.linalg.LinAlgError(f"{where}: the matrix is complex, and should be real")
    S = 0.5 * (A + A.swapaxes(-1, -2))
    finite = np.isfinite(S).all(axis=(-2, -1))
    w, V = np.linalg.eigh(np.where(finite[..., None, None], S, 0))
    if V.size:
        size = np.abs(V)
        first = (size >= 0.7 * size.max(axis=-2, keepdims=True)).argmax(-2)[..., None, :]
        V = V * np.sign(np.take_along_axis(V, first, -2))
    return np.where(finite[..., None], w, np.nan), np.where(finite[..., None, None], V, np.nan)


def symmetric_eigenvalues(A: Array, *, where: str) -> Array:
    """The eigenvalues of (A + A')/2, ascending; NaN gives NaN."""
    if np.iscomplexobj(A):
        raise np.linalg.LinAlgError(f"{where}: the matrix is complex, and should be real")
    S = 0.5 * (A + A.swapaxes(-1, -2))
    finite = np.isfinite(S).all(axis=(-2, -1))
    w = np.linalg.eigvalsh(np.where(finite[..., None, None], S, 0))
    return np.where(finite[..., None], w, np.nan)


class Gap(Coded):
    """``F[j,i] = 1/(w[i] - w[j])^p``, and 0 for j = i.

    Where elements agree to rounding it is 0 for p = 1, and an error for the higher powers, which
    are its derivatives.  Where it stands for elements that are `apart`, in formulas whose terms
    cancel otherwise, it is an error already where they are so close that half the digits are lost.
    """

    name = "gap"
    analytic = True
    of_values = True

    def __init__(self, p: int = 1, apart: bool = False) -> None:
        self.p, self.apart = p, apart

    @property
    def key(self) -> str:
        name = f"gap({self.p})" if self.p > 1 else "gap"
        return f"{name} apart" if self.apart else name

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (w,) = arguments
        if not w:
            raise ValueError("gap needs a vector")
        return ((*w, w[-1]),)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        up = gap(node.args[0], self.p + 1, self.apart)
        # dF_p[j,i] = p F_{p+1}[j,i] (dw[j] - dw[i])
        (one,) = linear_map(node, 0, "ji", "j", (self.p, "ji", (up,)))
        (other,) = linear_map(node, 0, "ji", "i", (-self.p, "ji", (up,)))
        return (one, other)

    def evaluate(self, *arrays: Any) -> Any:
        return reciprocal_gaps(arrays[0], self.p, self.apart, "gap")

    def routine(self, node: Apply) -> Routine:
        parameters = (self.p, self.apart, described(node))
        return Embedded(reciprocal_gaps, parameters, work=lambda _, made: 4 * elements(made[0]))

    def notation(self, node: Apply) -> Notation:
        return Notation(name=f"gap{self.p}" if self.p > 1 else "gap")


def reciprocal_gaps(w: Array, p: int, apart: bool, where: str) -> Array:
    """1/(w[i] - w[j])^p; 0, or an error, where the difference is rounding of the largest |w|."""
    difference = w[..., None, :] - w[..., :, None]
    top = np.abs(w).max(axis=-1, initial=0)[..., None, None]
    rounding = float(np.finfo(w.dtype).eps)
    least = rounding ** (0.75 / max(p, 1.5)) if apart else 4 * w.shape[-1] * rounding
    tied = np.abs(difference) <= least * top
    same = np.eye(w.shape[-1], dtype=bool)
    if (p > 1 or apart) and (tied & ~same).any():
        message = f"{where}: eigenvalues or singular values that are equal, in a higher derivative"
        raise np.linalg.LinAlgError(message)
    tied = tied | same
    return np.where(tied, 0, 1 / np.where(tied, 1, difference) ** p)


def eigh(a: Node) -> tuple[Node, Node]:
    """Eigenvalues and eigenvectors of ``(A + A')/2``."""
    return build.apply(Eigh(), a), build.apply(Eigh(), a, output=1)


def eigvalsh(a: Node) -> Node:
    """The eigenvalues of ``(A + A')/2``, ascending."""
    return build.apply(Eigvalsh(), a)


def gap(w: Node, p: int = 1, apart: bool = False) -> Node:
    """``F[j,i] = 1/(w[i] - w[j])^p``; where these agree to rounding 0, or an error for p > 1."""
    return build.apply(Gap(p, apart), w)


def power_of_gap(p: int) -> Function:
    """``gap2`` and so on as functions of the language."""
    return Function(
        f"gap{p}",
        (tensor_form("...n->...nn", partial(gap, p=p)),),
        f"1/(w[i] - w[j])^{p}, and 0 for j = i; it occurs in derivatives of gap",
        "no two elements of w equal",
        f"{p} gap{p + 1}[j,i] (dw[j] - dw[i])",
    )


_SOURCE = "Magnus & Neudecker, Matrix Differential Calculus, 8.9; Daleckii & Krein 1965"

FUNCTIONS = (
    Function(
        "eigh",
        (tensor_form("...nn->...n,...nn", eigh),),
        "w, V = eigh(A): eigenvalues, ascending, and eigenvectors of (A + A')/2; in each "
        "eigenvector, the first component of at least 0.7 times the largest size is positive",
        "A square",
        "dw = diag(V' dA V), dV = V (gap(w) .* (V' dA V)) for symmetric dA",
        "at a repeated eigenvalue, dV leaves out rotations inside the eigenspace, as is right for "
        "functions that do not depend on its basis; higher derivatives of V are an error there, "
        "but those of sum(g(w)) and V*diag(g(w))*V' are exact",
        source=_SOURCE,
    ),
    Function(
        "eigvalsh",
        (tensor_form("...nn->...n", eigvalsh),),
        "eigenvalues of (A + A')/2, ascending",
        "A square",
        "dw = diag(V' dA V) for symmetric dA",
        "at repeated eigenvalues, only symmetric functions of them are smooth, such as sum(g(w)); "
        "their derivatives are exact there",
        source=_SOURCE,
    ),
    Function(
        "gap",
        (tensor_form("...n->...nn", gap),),
        "F[j,i] = 1/(w[i] - w[j]), and 0 where w[i] and w[j] agree to rounding",
        derivative="F[j,i]^2 (dw[j] - dw[i])",
        kink="0 where elements agree to rounding; its derivatives are an error there",
    ),
    *map(power_of_gap, (2, 3)),
)

FAMILIES = {"gap": power_of_gap}
"""Names that go on: ``gap4`` is in the third derivative of `gap`."""
