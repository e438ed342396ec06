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
the condition number, and second derivatives would lose twice the digits that P loses.  So the
products of A, P, N and K are primitives at every order, differentiated as `pinv_words` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
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
from tcalc.primitives.pinv_words import (
    Words,
    adjoint,
    differentiated,
    renamed,
    tensors_of,
    terms_of,
    text_of,
    words_of,
)
from tcalc.primitives.routines import Coded, Embedded, Routine, of_thin

_KEPT = (Fact.SYMMETRIC, Fact.SPD, Fact.PSD, Fact.DIAGONAL)

_FIRST = "-P.1.P + P.P'.1'.N + K.1'.P'.P"
"""The derivative in the direction 1."""

_AROUND = ("P.1.P", "1'.N", "K.1'")
"""What the second derivative is made from besides: 2, 3 and 4 in it."""

_SECOND = (
    "-6.1.P - P.1.6 + 6.P'.3 + P.6'.3 + 4.P'.6 + 4.6'.P"
    " - P.P'.3.5.P - P.2'.5'.N - P.5.4.P'.P - K.5'.2'.P"
)
"""Its derivative in the direction 5 of A, where 6 is that of P."""


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


class PseudoInverseProducts(Primitive):
    """A sum of products of A, its pseudo-inverse and other tensors, linear in each of these.

    The arguments are A and those tensors, which stand in the formula as digits from 1.
    """

    blamed = "pinv"

    def __init__(self, formula: str, name: str = "pinvproducts") -> None:
        self.name = name
        self.formula = formula

    @property
    def key(self) -> str:
        return f"{self.name}({self.formula})"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        a = arguments[0]
        check_matrix(self.name, a)
        sides = {str(k): x[-2:] for k, x in enumerate(arguments) if k}
        sides |= {"A": a[-2:], "P": a[:-3:-1], "N": (a[-2], a[-2]), "K": (a[-1], a[-1])}
        ends = set()
        for _, word in words_of(self.formula):
            pairs = [sides[x.rstrip("'")][:: -1 if "'" in x else 1] for x in word]
            if any(left[1] != right[0] for left, right in pairwise(pairs)):
                raise ValueError(f"{self.name}: the tensors do not fit the matrix")
            ends.add((pairs[0][0], pairs[-1][1]))
        if len(ends) != 1 or any(x[:-2] != a[:-2] for x in arguments):
            raise ValueError(f"{self.name}: the tensors do not fit the matrix")
        return ((*a[:-2], *ends.pop()),)

    def jacobian(self, node: Apply, position: int) -> Operator:
        words = words_of(self.formula)
        if position:
            return self._by_tensor(node, position, words)
        number = len(node.args)
        new = str(number), str(number + 1)
        return _by_matrix(node, node.args, differentiated(words, *new))

    def _by_tensor(self, node: Apply, position: int, words: Words) -> Operator:
        one = str(position)
        kept = tuple(x for x in words if one in tensors_of((x,)))
        turned = adjoint(words, one, one)

        def push(d: Node, *args: Node) -> Node:
            return _products(kept, _with(args, position, d))

        def pull(bar: Node, *args: Node) -> Node:
            return _products(turned, _with(args, position, bar))

        return operator(node, position, node.args, push, pull)

    def evaluate(self, *arrays: Any) -> Any:
        given = {str(k): x for k, x in enumerate(arrays)}
        given |= {"A": arrays[0], "P": pseudo_inverse(arrays[0], where="pinv")}
        total = 0
        for sign, letters, rows, ends in terms_of(words_of(self.formula)):
            inputs = ",".join(f"...{row}" for row in rows)
            factors = [given[letter] for letter in letters]
            total = total + sign * np.einsum(f"{inputs}->...{ends}", *factors, optimize=True)
        return total

    def expansion(self, node: Apply) -> Node:
        given = {str(k): x for k, x in enumerate(node.args)}
        given |= {"A": node.args[0], "P": _inverse(node.args[0])}
        return build.add(
            (sign, product(f"{','.join(rows)}->{ends}", *(given[x] for x in letters)))
            for sign, letters, rows, ends in terms_of(words_of(self.formula))
        )


class PseudoInverseAlong(PseudoInverseProducts):
    """The derivative of the pseudo-inverse of A in the direction E; the arguments are A and E."""

    def __init__(self) -> None:
        super().__init__(_FIRST, "pinvalong")

    @property
    def key(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return (PseudoInverseAlong, ())

    def jacobian(self, node: Apply, position: int) -> Operator:
        A, E = node.args
        if position == 1:
            return operator(node, position, (A,), _along, _adjoint)
        around = (_products(words_of(x), (A, E)) for x in _AROUND)
        return _by_matrix(node, (A, E, *around), words_of(_SECOND))


def _by_matrix(node: Apply, args: Sequence[Node], words: Words) -> Operator:
    """The local Jacobian by A, in the direction of the digit after those of `args`.

    The next digit is the derivative of P in that direction.
    """
    number = len(args)
    direction, inverse = str(number), str(number + 1)

    def push(d: Node, *args: Node) -> Node:
        return _products(words, (*args, d, _along(d, args[0])))

    def pull(bar: Node, *args: Node) -> Node:
        direct, through = (adjoint(words, x, direction) for x in (direction, inverse))
        given = (*args, bar)
        parts = [_products(direct, given)] if direct else []
        parts += [_adjoint(_products(through, given), args[0])] if through else []
        return build.sum_of(*parts)

    return operator(node, 0, args, push, pull)


def _products(words: Words, given: Sequence[Node]) -> Node:
    """The sum for the tensors given, of which A is the first, with those alone that are in it."""
    used = tensors_of(words)
    names = {letter: str(k) for k, letter in enumerate(used, 1)}
    primitive = PseudoInverseProducts(text_of(renamed(words, names)))
    return build.apply(primitive, given[0], *(given[int(letter)] for letter in used))


def _with(args: Sequence[Node], position: int, x: Node) -> tuple[Node, ...]:
    return (*args[:position], x, *args[position + 1 :])


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
