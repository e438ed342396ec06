"""Axes merged and split: `vec`, `kron`, and the linear maps that their derivatives need.

``kron(A, B)[(i,k),(j,l)] = A[i,j] B[k,l]`` and ``vec(A)[(j,i)] = A[i,j]``: a pair of axes becomes
one, the first running slowly.  Both are linear in each argument; their adjoints `split` axes again
(Magnus & Neudecker, Matrix Differential Calculus, chapter 2).
"""

from __future__ import annotations

from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape, product
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Fact, Holds, LinearMap, Notation, Operator, Style
from tcalc.primitives import matrices
from tcalc.primitives.arrays import Array
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.matrix_shapes import check_matrix
from tcalc.primitives.operators import operator
from tcalc.primitives.routines import Coded, Embedded, Routine, no_work

_ENTRYWISE = (Fact.POSITIVE, Fact.NONNEGATIVE, Fact.INTEGER)
_OF_MATRICES = (
    Fact.SYMMETRIC,
    Fact.SPD,
    Fact.PSD,
    Fact.DIAGONAL,
    Fact.LOWER,
    Fact.UPPER,
    Fact.ORTHOGONAL,
)


class Merge(Coded):
    """The last `pairs` pairs of axes, each merged into one."""

    name = "merge"
    analytic = True

    def __init__(self, pairs: int) -> None:
        self.pairs = pairs

    @property
    def key(self) -> str:
        return f"merge({self.pairs})"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (x,) = arguments
        cut = len(x) - 2 * self.pairs
        if cut < 0:
            raise ValueError(f"merge takes {2 * self.pairs} axes, not {len(x)}")
        return ((*x[:cut], *(product(x[k : k + 2]) for k in range(cut, len(x), 2))),)

    def jacobian(self, node: Apply, position: int) -> Operator:
        core = node.args[0].dims[len(node.args[0].dims) - 2 * self.pairs :]

        def push(d: Node) -> Node:
            return merge(d, self.pairs)

        def pull(bar: Node) -> Node:
            return split(bar, core)

        return operator(node, position, (), push, pull, core=self.pairs)

    def evaluate(self, *arrays: Any) -> Any:
        return merge_axes(arrays[0], self.pairs)

    def routine(self, node: Apply) -> Routine:
        return Embedded(merge_axes, (self.pairs,), work=no_work)

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return True if fact in _ENTRYWISE and holds(node.args[0], fact) else None

    def notation(self, node: Apply) -> Notation:
        return Notation(name="merge" if self.pairs == 1 else f"merge{self.pairs}")


def merge_axes(X: Array, pairs: int) -> Array:
    """The last pairs of axes, each merged into one."""
    cut = X.ndim - 2 * pairs
    merged = [X.shape[k] * X.shape[k + 1] for k in range(cut, X.ndim, 2)]
    return X.reshape(*X.shape[:cut], *merged)


class Split(Coded):
    """The last axes split in pairs again, into those of a second argument, a tensor of ones."""

    name = "split"
    analytic = True

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        x, like = arguments
        pairs = len(like) // 2
        if x[len(x) - pairs :] != tuple(product(like[2 * k : 2 * k + 2]) for k in range(pairs)):
            raise ValueError("split: the sizes do not multiply to those that are split")
        return ((*x[: len(x) - pairs], *like),)

    def jacobian(self, node: Apply, position: int) -> LinearMap | Operator:
        if position:
            return ()
        core = node.args[1].dims

        def push(d: Node) -> Node:
            return split(d, core)

        def pull(bar: Node) -> Node:
            return merge(bar, len(core) // 2)

        return operator(node, position, (), push, pull, core=len(core))

    def evaluate(self, *arrays: Any) -> Any:
        return split_axes(*arrays)

    def routine(self, node: Apply) -> Routine:
        return Embedded(split_axes, work=no_work)


def split_axes(X: Array, like: Array) -> Array:
    """The last axes split in pairs, into those of another tensor."""
    return X.reshape(*X.shape[: X.ndim - like.ndim // 2], *like.shape)


def merge(x: Node, pairs: int) -> Node:
    """The last pairs of axes, each merged into one; undoes `split`."""
    if isinstance(x, Apply) and isinstance(x.primitive, Split) and x.args[1].order == 2 * pairs:
        return x.args[0]
    return build.apply(Merge(pairs), x)


def split(x: Node, dims: tuple[Dim, ...]) -> Node:
    """The last axes split in pairs of the given dimensions; undoes `merge`."""
    if isinstance(x, Apply) and isinstance(x.primitive, Merge):
        inner = x.args[0]
        if 2 * x.primitive.pairs == len(dims) and inner.dims[inner.order - len(dims) :] == dims:
            return inner
    return build.apply(Split(), x, build.ones(dims))


class Vec(Coded):
    """The columns of a matrix, one after the other."""

    name = "vec"
    analytic = True

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        (a,) = arguments
        check_matrix(self.name, a)
        return ((*a[:-2], a[-1] * a[-2]),)

    def jacobian(self, node: Apply, position: int) -> Operator:
        rows, columns = node.args[0].dims[-2:]

        def pull(bar: Node) -> Node:
            return matrices.transpose(split(bar, (columns, rows)))

        # dv[(j,i)] = dA[i,j]
        return operator(node, position, (), vec, pull, core=1)

    def evaluate(self, *arrays: Any) -> Any:
        return stacked_columns(arrays[0])

    def routine(self, node: Apply) -> Routine:
        return Embedded(stacked_columns, work=no_work)

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return True if fact in _ENTRYWISE and holds(node.args[0], fact) else None


def stacked_columns(A: Array) -> Array:
    """The columns of a matrix, one after the other."""
    return A.swapaxes(-1, -2).reshape(*A.shape[:-2], A.shape[-1] * A.shape[-2])


class Kron(Coded):
    """The Kronecker product over the last `core` axes of two tensors, one or two."""

    name = "kron"
    analytic = True

    def __init__(self, core: int) -> None:
        self.core = core

    @property
    def key(self) -> str:
        return f"kron({self.core})"

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        a, b = arguments
        cut = len(a) - self.core
        if len(a) != len(b) or cut < 0 or a[:cut] != b[:cut]:
            raise ValueError("kron takes two matrices, or two vectors")
        return ((*a[:cut], *(x * y for x, y in zip(a[cut:], b[cut:], strict=True))),)

    def jacobian(self, node: Apply, position: int) -> Operator:
        A, B = (argument.dims[argument.order - self.core :] for argument in node.args)
        pairs = tuple(dim for pair in zip(A, B, strict=True) for dim in pair)
        both, left, right = {1: ("ik", "i", "k"), 2: ("ikjl", "ij", "kl")}[self.core]
        own, other = (left, right) if position == 0 else (right, left)

        def push(d: Node, fixed: Node) -> Node:
            # kron(dA, B), kron(A, dB)
            pair = (d, fixed) if position == 0 else (fixed, d)
            return build.apply(Kron(self.core), *pair)

        def pull(bar: Node, fixed: Node) -> Node:
            # Ā[i,j] = K̄[(i,k),(j,l)] B[k,l]
            return matrices.product(f"{both},{other}->{own}", split(bar, pairs), fixed)

        return operator(node, position, (node.args[1 - position],), push, pull, core=self.core)

    def evaluate(self, *arrays: Any) -> Any:
        A, B = arrays
        return kronecker(A, B, self.core)

    def routine(self, node: Apply) -> Routine:
        return Embedded(kronecker, (self.core,))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        kept = _ENTRYWISE if self.core == 1 else (*_ENTRYWISE, *_OF_MATRICES)
        return True if fact in kept and all(holds(x, fact) for x in node.args) else None

    def notation(self, node: Apply) -> Notation:
        if self.core == 1 < node.order:
            return Notation(name="facesplit")
        return Notation(Style.KRONECKER, "kron")


def kronecker(A: Array, B: Array, core: int) -> Array:
    """The Kronecker product over the last axes."""
    lead, a, b = A.shape[: A.ndim - core], A.shape[A.ndim - core :], B.shape[B.ndim - core :]
    left = [n for m in a for n in (m, 1)]
    right = [n for m in b for n in (1, m)]
    merged = [m * n for m, n in zip(a, b, strict=True)]
    return (A.reshape(*lead, *left) * B.reshape(*lead, *right)).reshape(*lead, *merged)


def vec(a: Node) -> Node:
    """The columns of matrices, one after the other."""
    return build.apply(Vec(), a)


def kron(a: Node, b: Node) -> Node:
    """The Kronecker product of matrices, batched, or of two vectors."""
    return build.apply(Kron(min(a.order, 2)), a, b)


def facesplit(a: Node, b: Node) -> Node:
    """The Kronecker product of each row with the row beside it; of two vectors `kron`."""
    return build.apply(Kron(1), a, b)


FUNCTIONS = (
    Function(
        "vec",
        (tensor_form("...mn->...(mn)", vec),),
        "the columns of a matrix, one after the other",
        derivative="itself (linear)",
    ),
    Function(
        "kron",
        (
            tensor_form("...mn,...pq->...(mp)(nq)", kron),
            tensor_form("m,n->(mn)", kron),
        ),
        "Kronecker product of two matrices, or of two vectors",
        derivative="kron(dA, B) + kron(A, dB)",
    ),
    Function(
        "facesplit",
        (tensor_form("...m,...n->...(mn)", facesplit),),
        "face-splitting product: the Kronecker product of row with row",
        derivative="facesplit(dA, B) + facesplit(A, dB)",
    ),
)
