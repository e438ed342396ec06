"""Axes merged and split: `vec`, `kron`, and the linear maps that their derivatives need.

``kron(A, B)[(i,k),(j,l)] = A[i,j] B[k,l]`` and ``vec(A)[(j,i)] = A[i,j]``: a pair of axes becomes
one, the first running slowly.  Both are linear in each argument; their adjoints split axes again
(Magnus & Neudecker, Matrix Differential Calculus, chapter 2).
"""

from __future__ import annotations

from typing import Any

from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape, product
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Fact, Holds, LinearMap, Notation, Operator
from tcalc.primitives import matrices
from tcalc.primitives.arrays import Array
from tcalc.primitives.function import Function, tensor_form
from tcalc.primitives.operators import operator
from tcalc.primitives.routines import Coded, Embedded, Routine


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
        return Embedded(merge_axes, (self.pairs,))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        kept = (Fact.POSITIVE, Fact.NONNEGATIVE, Fact.INTEGER)
        return True if fact in kept and holds(node.args[0], fact) else None

    def notation(self, node: Apply) -> Notation:
        return Notation(name="merge", parameters=(str(self.pairs),))


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
        return Embedded(split_axes)

    def notation(self, node: Apply) -> Notation:
        return Notation(name="split")


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


def vec(a: Node) -> Node:
    """The columns of matrices, one after the other."""
    return merge(matrices.transpose(a), 1)


def kron(a: Node, b: Node) -> Node:
    """The Kronecker product of two matrices, or of two vectors."""
    if a.order == 1:
        return merge(build.outer(a, b), 1)
    return merge(matrices.product("ij,kl->ikjl", a, b), 2)


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
)
