"""Functions of matrices that are products with unit tensors and masks, not primitives."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from fractions import Fraction

from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.facts import holds as known
from tcalc.expr.nodes import Node
from tcalc.expr.primitive import Fact
from tcalc.primitives.function import (
    Form,
    Function,
    OfScalar,
    elementwise_form,
    normalisation,
    tensor_form,
)
from tcalc.primitives.selection import lower


def product(subscripts: str, *factors: Node) -> Node:
    """A product over the last axes, mapped over the batch axes that all factors share.

    ``product("ij,jk->ik", A, B)`` of tensors of order three multiplies matrix by matrix.
    """
    left, _, out = subscripts.partition("->")
    rows = left.split(",")
    batch = tuple(range(factors[0].order - len(rows[0])))
    dims = dict(zip(batch, factors[0].dims, strict=False))
    return build.einsum(factors, [(*batch, *row) for row in rows], (*batch, *out), dims)


def trace(a: Node) -> Node:
    """The sum of the diagonal of square matrices."""
    return product("ii->", a)


def diagonal(a: Node) -> Node:
    """The diagonal of square matrices."""
    return product("ii->i", a)


def diagonal_matrix(x: Node) -> Node:
    """The matrix with a vector on its diagonal."""
    return product("i->ii", x)


def transpose(a: Node) -> Node:
    """The transpose of matrices."""
    return product("ij->ji", a)


def spread_over_pairs(s: Node) -> tuple[Node, Node]:
    """``s[i]`` and ``s[j]`` as matrices over i and j."""
    lead, n = tuple(range(s.order - 1)), s.dims[-1]
    dims: dict[Hashable, Dim] = {**dict(enumerate(s.dims[:-1])), "i": n, "j": n}
    rows, columns = (build.einsum([s], [(*lead, x)], (*lead, "i", "j"), dims) for x in "ij")
    return rows, columns


def sums_of_pairs(s: Node) -> Node:
    """``s[i] + s[j]``."""
    return build.sum_of(*spread_over_pairs(s))


def dot(x: Node, y: Node) -> Node:
    """The scalar product of two vectors."""
    return product("i,i->", x, y)


def outer(x: Node, y: Node) -> Node:
    """All products of an element of one vector and an element of another."""
    return product("i,j->ij", x, y)


def tril(a: Node, offset: int = 0) -> Node:
    """The lower triangle of matrices and `offset` diagonals above the main one; the rest zero."""
    if offset >= 0 and known(a, Fact.LOWER) is True:
        return a
    return _masked(a, lower(a.dims[-2], a.dims[-1], offset))


def triu(a: Node, offset: int = 0) -> Node:
    """The upper triangle of matrices, from `offset` diagonals above the main one; the rest zero."""
    if offset <= 0 and known(a, Fact.UPPER) is True:
        return a
    return _masked(a, build.transpose(lower(a.dims[-1], a.dims[-2], -offset)))


def cumsum(x: Node, axes: int = 1) -> Node:
    """The sums of the elements up to each along the last axis, or along each of the last ones."""
    labels = tuple(range(x.order))
    for axis in labels[x.order - axes :]:
        mask = lower(x.dims[axis], x.dims[axis])
        inner = (*labels[:axis], "summed", *labels[axis + 1 :])
        x = build.einsum([mask, x], [(axis, "summed"), inner], labels)
    return x


def _beside(triangle: Callable[[Node, int], Node]) -> Callable[[Fraction, Node], Node]:
    """A triangle that ends at the k-th diagonal, k being a literal of the language."""

    def build_triangle(k: Fraction, a: Node) -> Node:
        if k.denominator != 1:
            raise ValueError(f"a diagonal has a whole number, not {float(k):g}")
        return triangle(a, int(k))

    return build_triangle


def _triangular(triangle: Callable[..., Node]) -> tuple[Form, Form]:
    return (
        tensor_form("...mn->...mn", triangle),
        tensor_form("...mn->...mn", _beside(triangle), parameters=1, trailing=True),
    )


def _masked(a: Node, mask: Node) -> Node:
    axes = tuple(range(a.order))
    return build.einsum([a, mask], [axes, axes[-2:]], axes)


FUNCTIONS = (
    Function(
        "tr",
        (tensor_form("...nn->...", trace),),
        "trace",
        derivative="the unit matrix",
        of_scalar=OfScalar.ITSELF,
    ),
    Function(
        "diag",
        (tensor_form("...nn->...n", diagonal), tensor_form("n->nn", diagonal_matrix)),
        "the diagonal of a matrix, or the matrix with a vector on its diagonal",
        derivative="itself (linear)",
    ),
    Function(
        "tril",
        _triangular(tril),
        "lower triangle, the rest zero; tril(A, k) up to the k-th diagonal above the main one",
        derivative="itself (linear)",
    ),
    Function(
        "triu",
        _triangular(triu),
        "upper triangle, the rest zero; triu(A, k) from the k-th diagonal above the main one",
        derivative="itself (linear)",
    ),
    Function(
        "cumsum",
        (normalisation(cumsum),),
        "the sums up to each element, along the last axis; from each on, triu(ones(n,n))*x",
        derivative="tril(ones(n,n))",
    ),
    Function(
        "transpose",
        (tensor_form("...mn->...nm", transpose),),
        "transpose of a matrix",
        derivative="itself (linear)",
    ),
    Function(
        "dot",
        (tensor_form("n,n->", dot),),
        "scalar product of two vectors",
        derivative="y by x and x by y",
    ),
    Function(
        "outer",
        (tensor_form("m,n->mn", outer),),
        "outer product of two vectors",
        derivative="bilinear",
    ),
    Function(
        "hadamard",
        (elementwise_form(build.hadamard, 2),),
        "element-wise product",
        derivative="y by x and x by y",
    ),
)
