"""The matrix exponential and its Fréchet derivatives of all orders, ``L_k(A; E_1, …, E_k)``.

The family is closed under differentiation: it is linear in each direction, and its derivative by A
is the member of the next order.  Its adjoint is a member for A',

    <G, L_k(A; E_1, E_2, …)> = <L_k(A'; G, E_2', …), E_1>,

and it is a block of the exponential of a block-triangular matrix (Higham & Relton, "Higher order
Fréchet derivatives of matrix functions and the level-2 condition number", 2014).  Of the 4^k
blocks of that matrix only 2^k differ, one for each set of directions, so that code computes with
these: 3^k products of blocks for one of matrices, instead of 8^k.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Apply, Einsum, Node
from tcalc.expr.primitive import Fact, Holds, Operator
from tcalc.primitives.arrays import Array, linalg, np
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.matrices import transpose
from tcalc.primitives.matrix_shapes import check_square
from tcalc.primitives.operators import is_zero, operator, unit_multiple
from tcalc.primitives.routines import Coded, Embedded, Routine, Work, of_square


class Expm(Coded):
    """The exponential of A, or its derivative of order k in k directions."""

    name = "expm"
    compound = "exp_{}"
    analytic = True

    def __init__(self, k: int = 0) -> None:
        self.k = k

    @property
    def key(self) -> str:
        return f"expm({self.k})" if self.k else "expm"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        check_square(self.name, arguments[0])
        if len(set(arguments)) > 1 or len(arguments) != self.k + 1:
            raise ValueError("expm: the directions have the shape of the matrix")
        return (arguments[0],)

    def jacobian(self, node: Apply, position: int) -> Operator:
        A, *E = node.args
        # By A: L_{k+1}(A; .., dA).  By E_1: L_k(A; dE_1, ..).
        kept = E if position == 0 else [*E[: position - 1], *E[position:]]

        def push(d: Node, A: Node, *kept: Node) -> Node:
            return expm(A, d, *kept)

        def pull(bar: Node, A: Node, *kept: Node) -> Node:
            return expm(transpose(A), bar, *map(transpose, kept))

        return operator(node, position, (A, *kept), push, pull)

    def evaluate(self, *arrays: Any) -> Any:
        A, *E = arrays
        n, X = A.shape[-1], np.asarray(A)
        for k, direction in enumerate(E):
            unit = np.kron(np.eye(2**k), np.ones((n, n)))
            spread = np.tile(direction, (2**k, 2**k)) * unit
            X = np.block([[X, spread], [np.zeros_like(X), X]])
        finite = np.isfinite(X).all(axis=(-2, -1), keepdims=True)
        return np.where(finite, linalg.expm(np.where(finite, X, 0))[..., :n, -n:], np.nan)

    def routine(self, node: Apply) -> Routine:
        if self.k == 0:
            needed = (pade_coefficients, balancing)
            return Embedded(matrix_exponential, requires=needed, work=self._work)
        parts = (pade_coefficients, balancing, product_of_parts)
        return Embedded(exponential_derivative, requires=parts, work=self._work)

    @property
    def _work(self) -> Work:
        # Six products and a solve, 2 and 8/3 n³ each; the squarings, 2 n³ each, depend on the norm
        # and are not counted.  With k directions a product has 3^k parts, and the solve that of an
        # inverse, 2 n³.
        if self.k == 0:
            return of_square(Fraction(44, 3), 20)
        return of_square(2 + 14 * 3**self.k, 20 * 2**self.k)

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        kept = (Fact.DIAGONAL, Fact.LOWER, Fact.UPPER, Fact.SYMMETRIC)
        if fact in kept and all(holds(argument, fact) for argument in node.args):
            return True
        definite = self.k == 0 and fact in (Fact.SPD, Fact.PSD)
        return True if definite and holds(node.args[0], Fact.SYMMETRIC) else None


def pade_coefficients() -> list[float]:
    """Those of the Padé approximant of degree 13 (Higham 2005), over the first."""
    b = [64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800]
    b += [129060195264000, 10559470521600, 670442572800, 33522128640, 1323241920, 40840800]
    b += [960960, 16380, 182, 1]
    return [x / b[0] for x in b]


def balancing(A: Array) -> Array:
    """Factors ``d[j]/d[i]``, powers of two, for which ``A[i,j] d[j]/d[i]`` has a smaller norm.

    Rows and columns come to have sums of like sizes (Osborne 1960), but for what is below one and
    does not matter to an exponential.  Else each squaring, as many as the norm asks for, would
    lose a digit of what is small beside it: eigenvalues of ``[0 1; -1e12 -1]`` are of size 1e6.
    """
    size = np.abs(A)
    norm = size.sum(axis=-2).max(axis=-1, initial=0)
    scaled, ratio = size, np.ones_like(size)
    if not (norm > 64).any():
        return ratio
    most = np.log2(np.finfo(size.dtype).max) / 4
    exponent = np.zeros_like(norm)[..., None]
    for _ in range(20):
        further = np.log2(1 + scaled.sum(axis=-1)) - np.log2(1 + scaled.sum(axis=-2))
        if not (np.abs(further) > 4).any():
            break
        exponent = np.clip(exponent + further / 4, -most, most)
        d = np.round(exponent)
        ratio = (2.0 ** (d[..., None, :] - d[..., :, None])).astype(size.dtype)
        scaled = size * ratio
    smaller = scaled.sum(axis=-2).max(axis=-1, initial=0) < norm / 2
    return np.where(smaller[..., None, None], ratio, np.ones_like(size))


def matrix_exponential(A: Array) -> Array:
    """The exponential by scaling, a Padé approximant of degree 13, and squaring (Higham 2005)."""
    c = pade_coefficients()
    finite = np.isfinite(A).all(axis=(-2, -1))
    A = np.where(finite[..., None, None], A, np.zeros_like(A))
    balance = balancing(A)
    A = A * balance
    norm = np.abs(A).sum(axis=-2).max(axis=-1, initial=0)
    steps = np.ceil(np.log2(np.maximum(norm / 4, 1))).astype(int)
    A = A * (0.5**steps).astype(norm.dtype)[..., None, None]
    unit = np.eye(A.shape[-1], dtype=A.dtype)
    A2 = A @ A
    A4 = A2 @ A2
    A6 = A4 @ A2
    U = A6 @ (c[13] * A6 + c[11] * A4 + c[9] * A2) + c[7] * A6 + c[5] * A4 + c[3] * A2 + c[1] * unit
    U = A @ U
    V = A6 @ (c[12] * A6 + c[10] * A4 + c[8] * A2) + c[6] * A6 + c[4] * A4 + c[2] * A2 + unit
    X = np.linalg.solve(V - U, V + U)
    for step in range(int(steps.max(initial=0))):
        X = np.where((step < steps)[..., None, None], X @ X, X)
    return np.where(finite[..., None, None], X / balance, np.nan)


def exponential_derivative(A: Array, *directions: Array) -> Array:
    """The derivative of the exponential in directions, as the part that all of them have in common.

    X[S] is the part with the directions of the set S, a number in binary, of a matrix in whose
    entries each direction occurs once at most.  Directions are scaled to norm one, so that each
    adds one to the norm.
    """
    c = pade_coefficients()
    X = np.zeros((2 ** len(directions), *A.shape), A.dtype)
    finite, factor = np.isfinite(A).all(axis=(-2, -1))[..., None, None], np.ones((), A.dtype)
    balance = balancing(np.where(finite, A, np.zeros_like(A)))
    X[0] = A * balance
    for k, direction in enumerate(directions):
        E = direction * balance
        size = np.abs(E).sum(axis=-2, keepdims=True).max(axis=-1, keepdims=True, initial=0)
        size = np.where(size > 0, size, 1)
        X[2**k], factor = E / size, factor * size
        finite = finite & np.isfinite(E).all(axis=(-2, -1))[..., None, None]
    X = np.where(finite, X, 0)
    norm = np.abs(X[0]).sum(axis=-2).max(axis=-1, initial=0) + len(directions)
    steps = np.ceil(np.log2(np.maximum(norm / 4, 1))).astype(int)
    X = X * (0.5**steps).astype(norm.dtype)[..., None, None]
    unit = np.zeros_like(X)
    unit[0] = np.eye(A.shape[-1], dtype=A.dtype)
    X2 = product_of_parts(X, X)
    X4 = product_of_parts(X2, X2)
    X6 = product_of_parts(X4, X2)
    U = product_of_parts(X6, c[13] * X6 + c[11] * X4 + c[9] * X2)
    U = product_of_parts(X, U + c[7] * X6 + c[5] * X4 + c[3] * X2 + c[1] * unit)
    V = product_of_parts(X6, c[12] * X6 + c[10] * X4 + c[8] * X2)
    V = V + c[6] * X6 + c[4] * X4 + c[2] * X2 + unit
    # (V - U) Y = V + U, part by part: all have the matrix of the part without directions.
    inverse, D, Y = np.linalg.inv((V - U)[0]), V - U, V + U
    for S in range(len(Y)):
        for T in range(1, S + 1):
            if S | T == S:
                Y[S] -= D[T] @ Y[S - T]
        Y[S] = inverse @ Y[S]
    for step in range(int(steps.max(initial=0))):
        Y = np.where((step < steps)[..., None, None], product_of_parts(Y, Y), Y)
    return np.where(finite, Y[-1] / balance * factor, np.nan)


def product_of_parts(X: Array, Y: Array) -> Array:
    """The product of matrices with parts: (X Y)[S] = Σ X[T] Y[S - T] over the subsets T of S."""
    Z = np.zeros_like(X)
    for S in range(len(X)):
        for T in range(S + 1):
            if S | T == S:
                Z[S] += X[T] @ Y[S - T]
    return Z


def expm(a: Node, *directions: Node) -> Node:
    """The exponential of square matrices, or its derivative in directions.

    A direction that is a multiple of the unit matrix commutes: ``L_k(A; c I, ..) = c L_{k-1}``.
    That of a transpose is the transpose.
    """
    if isinstance(a, Einsum) and a.is_view and not isinstance(turned := transpose(a), Einsum):
        return transpose(expm(turned, *map(transpose, directions)))
    for k, direction in enumerate(directions):
        number = unit_multiple(direction)
        if is_zero(direction):
            return direction
        if number is not None:
            return build.scale(number, expm(a, *directions[:k], *directions[k + 1 :]))
    ordered = sorted(directions, key=lambda direction: direction.digest)
    return build.apply(Expm(len(directions)), a, *ordered)


FUNCTIONS = (
    Function(
        "expm",
        tuple(tensor_form(",".join(["...nn"] * (k + 1)) + "->...nn", expm) for k in range(7)),
        "matrix exponential; expm(A, E) is its derivative at A in the direction E, and so on",
        domain="A square",
        derivative="expm(A, dA), exact where eigenvalues coincide",
        source="Higham & Relton, Higher order Fréchet derivatives of matrix functions, 2014",
    ),
)
