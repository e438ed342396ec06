"""The matrix exponential and its Fréchet derivatives of all orders, ``L_k(A; E_1, …, E_k)``.

The family is closed under differentiation: it is linear in each direction, and its derivative by A
is the member of the next order.  Its adjoint is a member for A',

    <G, L_k(A; E_1, E_2, …)> = <L_k(A'; G, E_2', …), E_1>,

and it is evaluated as a block of the exponential of a block-triangular matrix (Higham & Relton,
"Higher order Fréchet derivatives of matrix functions and the level-2 condition number", 2014).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Apply, Einsum, Node
from tcalc.expr.primitive import Fact, Holds, Notation, Operator
from tcalc.primitives.arrays import Array, linalg, np
from tcalc.primitives.determinant import check_square
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.matrices import transpose
from tcalc.primitives.operators import is_zero, operator, unit_multiple
from tcalc.primitives.routines import Coded, Embedded, Routine, Work, of_square


class Expm(Coded):
    """The exponential of A, or its derivative of order k in k directions."""

    name = "expm"
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
            return Embedded(matrix_exponential, work=self._work)
        return Embedded(exponential_derivative, requires=(matrix_exponential,), work=self._work)

    @property
    def _work(self) -> Work:
        # Six products and a solve, 2 and 8/3 n³ each, of matrices 2^k times as large; the
        # squarings, 2 n³ each, depend on the norm and are not counted.
        return of_square(Fraction(44, 3) * 8**self.k, 20 * 4**self.k)

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        kept = (Fact.DIAGONAL, Fact.LOWER, Fact.UPPER, Fact.SYMMETRIC)
        if fact in kept and all(holds(argument, fact) for argument in node.args):
            return True
        definite = self.k == 0 and fact in (Fact.SPD, Fact.PSD)
        return True if definite and holds(node.args[0], Fact.SYMMETRIC) else None

    def notation(self, node: Apply) -> Notation:
        return Notation(name="expm")


def matrix_exponential(A: Array) -> Array:
    """The exponential by scaling, a Padé approximant of degree 13, and squaring (Higham 2005)."""
    b = [64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800]
    b += [129060195264000, 10559470521600, 670442572800, 33522128640, 1323241920, 40840800]
    b += [960960, 16380, 182, 1]
    c = [x / b[0] for x in b]
    finite = np.isfinite(A).all(axis=(-2, -1))
    A = np.where(finite[..., None, None], A, np.zeros_like(A))
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
    for step in range(steps.max(initial=0)):
        X = np.where((step < steps)[..., None, None], X @ X, X)
    return np.where(finite[..., None, None], X, np.nan)


def exponential_derivative(A: Array, *directions: Array) -> Array:
    """The derivative of the exponential, from that of a block-triangular matrix.

    Directions are scaled to norm one, so that they add no steps of scaling.
    """
    n, X, factor = A.shape[-1], A, np.ones((), A.dtype)
    for k, E in enumerate(directions):
        size = np.abs(E).sum(axis=-2, keepdims=True).max(axis=-1, keepdims=True, initial=0)
        size = np.where(size > 0, size, 1)
        factor = factor * size
        # [[X, I ⊗ E], [0, X]]
        Y = np.zeros((*A.shape[:-2], 2 * X.shape[-1], 2 * X.shape[-1]), X.dtype)
        Y[..., : X.shape[-1], : X.shape[-1]] = Y[..., X.shape[-1] :, X.shape[-1] :] = X
        for row in range(2**k):
            column = 2**k + row
            Y[..., row * n : row * n + n, column * n : column * n + n] = E / size
        X = Y
    return matrix_exponential(X)[..., :n, -n:] * factor


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
        tuple(tensor_form(",".join(["...nn"] * (k + 1)) + "->...nn", expm) for k in range(4)),
        "matrix exponential; expm(A, E) is its derivative at A in the direction E, and so on",
        derivative="expm(A, dA), exact where eigenvalues coincide",
    ),
)
