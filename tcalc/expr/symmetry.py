"""Tensors that keep their values, or change their signs, when two of their axes are exchanged.

``X[i,k] - X[j,k]`` changes its sign when i and j are exchanged, so that its square, and the sum of
that over k, keeps its value: the distances between the rows of a matrix are symmetric.
"""

from __future__ import annotations

from fractions import Fraction

from tcalc.expr.nodes import Add, Apply, Einsum, Node

Place = tuple[Node, tuple[int, ...], tuple[tuple[int, ...], ...]]


def parity(node: Node, first: int, second: int) -> int:
    """1 where exchanging two axes changes nothing, -1 where it changes the sign, else 0.

    Looks through even and odd functions at a sum of views; all else is 0, that is, unknown.

    >>> from tcalc.expr import build, shape
    >>> X = build.var("X", shape("n", "k"))
    >>> n, k = X.dims
    >>> rows, columns = (build.einsum([X], [row], "ijk", {"i": n, "j": n}) for row in ("ik", "jk"))
    >>> parity(build.subtract(rows, columns), 0, 1)
    -1
    """
    is_even = False
    while isinstance(node, Apply) and len(node.args) == 1:
        if not (node.primitive.even or node.primitive.odd):
            return 0
        is_even, (node,) = is_even or node.primitive.even, node.args
    sign = _parity_of_sum(node, first, second)
    return abs(sign) if is_even else sign


def _parity_of_sum(node: Node, first: int, second: int) -> int:
    if not isinstance(node, Add) or node.dims[first] != node.dims[second]:
        return 0
    if not all(isinstance(term, Einsum) and term.is_view for term in node.operands):
        return 0  # what is no view lies one way only
    terms: dict[Place, Fraction] = {}
    turned: dict[Place, Fraction] = {}
    for coefficient, term in node.terms:
        exchange = list(range(term.order))
        exchange[first], exchange[second] = second, first
        terms[_place(term, range(term.order))] = coefficient
        turned[_place(term, exchange)] = coefficient
    if terms == turned:
        return 1
    return -1 if terms == {place: -c for place, c in turned.items()} else 0


def _place(term: Node, order: range | list[int]) -> Place:
    """How a term lies in a tensor whose axes are taken in another order."""
    if not isinstance(term, Einsum) or not term.is_view:
        return term, tuple(order), ()
    number: dict[int, int] = {}
    for label in (label for row in term.subscripts for label in row):
        number.setdefault(label, len(number))
    output = tuple(term.output[axis] for axis in order)
    # Labels that only the result has repeat the term: they are numbered as they come.
    for label in output:
        number.setdefault(label, len(number))
    core = term.factors[0] if len(term.factors) == 1 else term
    rows = tuple(tuple(number[label] for label in row) for row in term.subscripts)
    return core, tuple(number[label] for label in output), rows
