"""The Moore-Penrose inverse, ``P = pinv(A)``.

    dP = -P dA P + P P' dA' (I - A P) + (I - P A) dA' P' P

along changes that keep the rank (Golub & Pereyra, "The differentiation of pseudo-inverses and
nonlinear least squares problems", 1973, eq. 4.12).  Where A does not have full rank, that is the
derivative along the matrices of its rank; in other directions `pinv` is not continuous.

That derivative is a primitive of its own, ``L(A; E)``, which is its own adjoint but for transposes:

    <B, L(A; E)> = <E, L(A; B')'>.

It is written out by the formula when all derivatives are taken.  Each term is then a product of
matrices as thin as A, multiplied in the order that their sizes ask for: ``N = I - A P`` and
``K = I - P A``, one of them as large as the longer side of A squared, are never formed.

Its own derivative is not that of each A and P in turn.  In ``d(A P) = dA P + A dP`` the part
``A K dA' P' P`` of the last term is 0, but is computed as the rounding of K times the square of
the condition number, and second derivatives would lose twice the digits that P loses.  Rather

    dN = -N dA P - (N dA P)',   dK = -P dA K - (P dA K)'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Apply, Einsum, Node
from tcalc.expr.primitive import Fact, Holds, Operator, Primitive
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.matrices import product, transpose
from tcalc.primitives.matrix_shapes import check_matrix
from tcalc.primitives.operators import is_zero, operator, taken_once
from tcalc.primitives.routines import Coded, Embedded, Routine, of_thin

_KEPT = (Fact.SYMMETRIC, Fact.SPD, Fact.PSD, Fact.DIAGONAL)

_FIRST = "-P.E.P + P.P'.E'.N + K.E'.P'.P"
"""The derivative in the direction E."""

_SECOND = (
    "-Q.E.P - P.E.Q + Q.P'.V + P.Q'.V + U.P'.Q + U.Q'.P"
    " - P.P'.V.D.P - P.C'.D'.N - P.D.U.P'.P - K.D'.C'.P"
)
"""Its derivative in the direction D of A, where Q is that of P, C = P E P, V = E' N, U = K E'."""

_CONTEXT = "AEPCVU"
"""What it is made from besides directions."""

_COMPLEMENTS = {"N": ("A", "P"), "K": ("P", "A")}
"""What N and K are the unit matrix less."""


class PseudoInverse(Coded):
    """The matrix P with ``A P A = A``, ``P A P = P``, and A P and P A symmetric."""

    name = "pinv"
    compound = "{}_pinv"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (a,) = arguments
        check_matrix(self.name, a)
        return ((*a[:-2], a[-1], a[-2]),)

    def jacobian(self, node: Apply, position: int) -> Operator:
        return operator(node, position, node.args, _along, _adjoint)

    def evaluate(self, *arrays: Any) -> Any:
        return pseudo_inverse(arrays[0], where="pinv")

    def routine(self, node: Apply) -> Routine:
        return Embedded(pseudo_inverse, named=True, work=of_thin(16, 8))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return True if fact in _KEPT and holds(node.args[0], fact) else None


class PseudoInverseAlong(Primitive):
    """The derivative of the pseudo-inverse of A in the direction E; the arguments are A and E."""

    name = "pinvalong"
    blamed = "pinv"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        a, e = arguments
        check_matrix(self.name, a)
        if a != e:
            raise ValueError("pinvalong: the direction does not fit the matrix")
        return ((*a[:-2], a[-1], a[-2]),)

    def jacobian(self, node: Apply, position: int) -> Operator:
        A, E = node.args
        if position == 1:
            return operator(node, position, (A,), _along, _adjoint)
        return operator(node, position, _around(A, E), _second, _second_adjoint)

    def evaluate(self, *arrays: Any) -> Any:
        A, E = arrays
        given = {"A": A, "E": E, "P": pseudo_inverse(A, where="pinv")}
        total = np.zeros_like(given["P"])
        for sign, letters, rows, ends in _terms(_FIRST):
            inputs = ",".join(f"...{row}" for row in rows)
            factors = [given[letter] for letter in letters]
            total += sign * np.einsum(f"{inputs}->...{ends}", *factors, optimize=True)
        return total

    def expansion(self, node: Apply) -> Node:
        A, E = node.args
        return _sum_of(_FIRST, {"A": A, "E": E, "P": _inverse(A)})


@cache
def _terms(formula: str) -> tuple[tuple[int, str, tuple[str, ...], str], ...]:
    """For each term its sign, the letters of its factors, their labels, and those of the result."""
    words = formula.replace("- ", "-").replace("+ ", "").split()
    terms: list[tuple[int, tuple[str, ...]]] = []
    for word in words:
        signed: list[tuple[int, tuple[str, ...]]] = [(-1 if word[0] == "-" else 1, ())]
        for factor in word.removeprefix("-").split("."):
            if factor in _COMPLEMENTS:
                taken = [(-sign, (*before, *_COMPLEMENTS[factor])) for sign, before in signed]
                signed += taken
            else:
                signed = [(sign, (*before, factor)) for sign, before in signed]
        terms += signed
    return tuple((sign, *_labelled(factors)) for sign, factors in terms)


def _labelled(factors: tuple[str, ...]) -> tuple[str, tuple[str, ...], str]:
    labels = "abcdefghij"
    rows = tuple(labels[k : k + 2][:: -1 if "'" in x else 1] for k, x in enumerate(factors))
    return "".join(x[0] for x in factors), rows, labels[0] + labels[len(factors)]


def _sum_of(formula: str, given: Mapping[str, Node]) -> Node:
    return build.add(
        (sign, product(f"{','.join(rows)}->{ends}", *(given[x] for x in letters)))
        for sign, letters, rows, ends in _terms(formula)
    )


def _inverse(A: Node) -> Node:
    """The inverse: of one matrix for many directions, as in a whole Jacobian, it is taken once."""
    lead, (once,) = taken_once(A)
    P = pinv(once)
    return build.broadcast(P, lead + P.dims)


def _along(d: Node, A: Node) -> Node:
    """``L(A; d)``, taken once along axes along which both are repeated."""
    if is_zero(d):
        return transpose(d)
    last, row = d.order - 2, range(d.order)
    kept = [k for k in row if k >= last or _carries(A, k) or _carries(d, k)]
    found = build.apply(PseudoInverseAlong(), _with_axes(A, kept), _with_axes(d, kept))
    dims = dict(zip(row, transpose(d).dims, strict=True))
    return build.einsum([found], [kept], row, dims)


def _carries(x: Node, axis: int) -> bool:
    """Whether a tensor is other than repeated along an axis."""
    if not (isinstance(x, Einsum) and x.is_view):
        return True
    return any(x.output[axis] in labels for labels in x.subscripts)


def _with_axes(x: Node, kept: Sequence[int]) -> Node:
    """A tensor with these axes alone, all others being repetitions."""
    if len(kept) == x.order or not isinstance(x, Einsum):
        return x
    dims = dict(zip(x.output, x.dims, strict=True))
    return build.einsum(x.factors, x.subscripts, [x.output[k] for k in kept], dims)


def _adjoint(bar: Node, A: Node) -> Node:
    return transpose(_along(transpose(bar), A))


def _around(A: Node, E: Node) -> tuple[Node, ...]:
    """What the derivative of ``L(A; E)`` is made from, in the order of `_CONTEXT`."""
    given = {"A": A, "E": E, "P": _inverse(A)}
    return *given.values(), *(_sum_of(formula, given) for formula in ("P.E.P", "E'.N", "K.E'"))


def _second(d: Node, *context: Node) -> Node:
    """The derivative of ``L(A; E)`` in the direction d of A."""
    given = dict(zip(_CONTEXT, context, strict=True))
    return _sum_of(_SECOND, given | {"D": d, "Q": _along(d, given["A"])})


def _second_adjoint(bar: Node, *context: Node) -> Node:
    """What a cotangent of ``L(A; E)`` gives to A: itself, and through P."""
    given = dict(zip(_CONTEXT, context, strict=True))
    found: dict[str, list[tuple[int, Node]]] = {"D": [], "Q": []}
    for sign, letters, rows, ends in _terms(_SECOND):
        k = next(k for k, letter in enumerate(letters) if letter in found)
        inputs = ",".join((*rows[:k], ends, *rows[k + 1 :]))
        factors = [bar if letter in found else given[letter] for letter in letters]
        found[letters[k]].append((sign, product(f"{inputs}->{rows[k]}", *factors)))
    return build.sum_of(build.add(found["D"]), _adjoint(build.add(found["Q"]), given["A"]))


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
        kink="not continuous where the rank changes; the derivative is along matrices of one rank",
        source="Golub & Pereyra, 1973, eq. 4.12",
    ),
)
