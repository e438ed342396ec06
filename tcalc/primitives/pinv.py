"""The Moore-Penrose inverse, ``P = pinv(A)``.

    dP = -P dA P + P P' dA' (I - A P) + (I - P A) dA' P' P

along changes that keep the rank (Golub & Pereyra, "The differentiation of pseudo-inverses and
nonlinear least squares problems", 1973, eq. 4.12).  Where A does not have full rank, that is the
derivative along the matrices of its rank; in other directions `pinv` is not continuous.

That derivative is a primitive of its own, ``L(A; E)``, which is its own adjoint but for transposes:

    <B, L(A; E)> = <E, L(A; B')'>.

It is written out by the formula when all derivatives are taken.  Each term is then a product of
matrices as thin as A, multiplied in the order that their sizes ask for: ``I - A P`` and
``I - P A``, one of them as large as the longer side of A squared, are never formed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Fact, Holds, Operator, Primitive
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.matrices import product, transpose
from tcalc.primitives.matrix_shapes import check_matrix
from tcalc.primitives.operators import is_zero, operator, repeats, taken_once
from tcalc.primitives.routines import Coded, Embedded, Routine, of_thin

_KEPT = (Fact.SYMMETRIC, Fact.SPD, Fact.PSD, Fact.DIAGONAL)

_FORMULA = ((-1, "P E P"), (1, "P P' E'"), (-1, "P P' E' A P"), (1, "E' P' P"), (-1, "P A E' P' P"))
"""The derivative in the direction E."""


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
        return operator(node, position, (A, E, pinv(A)), _second, _second_adjoint)

    def evaluate(self, *arrays: Any) -> Any:
        A, E = arrays
        given = {"A": A, "E": E, "P": pseudo_inverse(A, where="pinv")}
        total = np.zeros_like(given["P"])
        for sign, letters, rows, ends in _terms():
            inputs = ",".join(f"...{row}" for row in rows)
            factors = [given[letter] for letter in letters]
            total += sign * np.einsum(f"{inputs}->...{ends}", *factors, optimize=True)
        return total

    def expansion(self, node: Apply) -> Node:
        return _written(*node.args)


def _terms() -> Iterator[tuple[int, str, list[str], str]]:
    """For each term its sign, the letters of its factors, their labels, and those of the result."""
    labels = "abcdef"
    for sign, text in _FORMULA:
        factors = text.split()
        rows = [labels[k : k + 2][:: -1 if "'" in x else 1] for k, x in enumerate(factors)]
        yield sign, "".join(x[0] for x in factors), rows, labels[0] + labels[len(factors)]


def _written(A: Node, E: Node) -> Node:
    # One matrix for many directions, as in a whole Jacobian, is inverted once.
    lead, (once,) = taken_once(A)
    P = pinv(once)
    given = {"A": A, "E": E, "P": build.broadcast(P, lead + P.dims)}
    return build.add(
        (sign, product(f"{','.join(rows)}->{ends}", *(given[x] for x in letters)))
        for sign, letters, rows, ends in _terms()
    )


def _along(d: Node, A: Node) -> Node:
    """``L(A; d)``: written out for a whole tensor of directions, along which A is repeated."""
    if is_zero(d):
        return transpose(d)
    return _written(A, d) if repeats(A, 2) else build.apply(PseudoInverseAlong(), A, d)


def _adjoint(bar: Node, A: Node) -> Node:
    return transpose(_along(transpose(bar), A))


def _second(d: Node, A: Node, E: Node, P: Node) -> Node:
    """The derivative of ``L(A; E)`` in the direction d of A: of each P and A in the formula."""
    given = {"A": A, "E": E, "P": P}
    moved = {"A": d, "P": _along(d, A)}
    terms: list[tuple[int, Node]] = []
    for sign, letters, rows, ends in _terms():
        for k in _places(letters, moved):
            factors = [given[x] for x in letters]
            factors[k] = moved[letters[k]]
            terms.append((sign, product(f"{','.join(rows)}->{ends}", *factors)))
    return build.add(terms)


def _second_adjoint(bar: Node, A: Node, E: Node, P: Node) -> Node:
    """What a cotangent of ``L(A; E)`` gives to A: by each A in the formula, and by each P."""
    given = {"A": A, "E": E, "P": P}
    found: dict[str, list[tuple[int, Node]]] = {"A": [], "P": []}
    for sign, letters, rows, ends in _terms():
        for k in _places(letters, found):
            factors = [given[x] for x in letters]
            inputs = [*rows[:k], ends, *rows[k + 1 :]]
            factors[k] = bar
            share = product(f"{','.join(inputs)}->{rows[k]}", *factors)
            found[letters[k]].append((sign, share))
    return build.sum_of(build.add(found["A"]), _adjoint(build.add(found["P"]), A))


def _places(letters: str, moving: Mapping[str, object]) -> list[int]:
    return [k for k, letter in enumerate(letters) if letter in moving]


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
