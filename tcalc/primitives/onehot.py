"""Rows of zeros with a single one: ``onehot(g, m)[i,j]`` is 1 where ``g[i] = j``, and 0 elsewhere.

A tensor at positions that are data, ``X[g[i],k]``, is the product ``Σ_j S[i,j] X[j,k]`` with
``S = onehot(g, m)``, so that the calculus needs no rule for it: derivatives have S and its
transpose.  Generated code forms S only where all its elements are asked for.  Products with it
take elements, or add up those that go to one place.

Positions count from 1, in data as in formulas.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeGuard

from tcalc.errors import IndexNotationError
from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.facts import holds as known
from tcalc.expr.nodes import Apply, Node, Var
from tcalc.expr.primitive import Fact, Holds, LinearMap
from tcalc.expr.traverse import rebuild, variables
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.routines import Coded, Embedded, Routine, per_element

_ALWAYS = (Fact.NONNEGATIVE, Fact.INTEGER)


class OneHot(Coded):
    """One row for each position: zeros, and a one there.

    The last axis of the second argument, a tensor of ones, tells how long the rows are.  Between
    integers nothing changes with the positions: the derivative by them is zero.
    """

    name = blamed = "onehot"
    analytic = True
    bounded = True

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        g, row = arguments
        if not row or row[:-1] != g[: len(row) - 1]:
            raise ValueError("onehot takes positions and the size of an axis")
        return ((*g, row[-1]),)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        return ()

    def evaluate(self, *arrays: Any) -> Any:
        g, row = arrays
        return one_hot(g + 0.0, row, "position")  # as floats, if they are given as integers

    def routine(self, node: Apply) -> Routine:
        return Embedded(one_hot, (place_name(node),), requires=(places_of,), work=per_element(1))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return True if fact in _ALWAYS else None


def places_of(g: Array, size: int, name: str) -> Array:
    """Positions on an axis of some size as integers, counted from 0; others are refused."""
    if size * float(np.finfo(g.dtype).eps) > 2:
        raise IndexError(f"{name} is of single precision, which has not all positions up to {size}")
    places = np.rint(np.real(g))
    good = np.asarray((places >= 1) & (places <= size))
    if not good.all():
        first = [int(k[0]) for k in np.nonzero(~np.atleast_1d(good))]
        found = float(np.atleast_1d(np.real(g))[tuple(first)])
        at = f"[{','.join(str(k + 1) for k in first)}]" if good.ndim else ""
        raise IndexError(f"{name}{at} is {found:g}, and positions there go from 1 to {size}")
    return places.astype(np.intp) - 1


def advice(error: IndexError) -> str | None:
    """What to do about positions that `places_of` refuses; None for any other error."""
    if "positions there" in str(error):
        return "positions count from 1: add 1 to those that count from 0"
    return "give them in double precision" if "of single" in str(error) else None


def one_hot(g: Array, row: Array, name: str) -> Array:
    """A row for each position, of zeros and a one there."""
    size = row.shape[-1]
    places = np.asarray(places_of(g, size, name))
    return (places[..., None] == np.arange(size)).astype(row.dtype)


def taken(X: Array, places: Array, axis: int) -> Array:
    """The elements of an axis at some places."""
    return np.take(X, places, axis=axis)


def picked(X: Array, places: Array, shared: int) -> Array:
    """Elements of the axis after the first few, which X and the places have in common."""
    lead = [np.arange(X.shape[k]).reshape(-1, *(1,) * (places.ndim - k - 1)) for k in range(shared)]
    return X[(*lead, places)]


def placed(X: Array, places: Array, size: int, kept: int) -> Array:
    """The elements of X added up at their places on an axis of some size.

    X has the axes of the places first.  Of these the first few are kept, and the new axis stands
    in the place of the others.
    """
    if np.iscomplexobj(X):
        return placed(X.real, places, size, kept) + 1j * placed(X.imag, places, size, kept)
    lead, rest = places.shape[:kept], X.shape[places.ndim :]
    count = columns = 1
    for n in lead:
        count *= n
    for n in rest:
        columns *= n
    rows = places.reshape(count, places.size // max(count, 1))
    if kept:
        rows = rows + size * np.arange(count)[:, None]
    rows = rows.ravel()
    values = np.broadcast_to(X, (*places.shape, *rest)).reshape(rows.size, columns)
    sums = np.empty((columns, count * size), X.dtype)
    for k, column in enumerate(np.ascontiguousarray(values.T)):
        sums[k] = np.bincount(rows, column, count * size)
    return sums.T.reshape(*lead, size, *rest)


def joined(left: Array, right: Array, size: int) -> Array:
    """Places on two axes as places on one that runs over both, the second of some size."""
    return left * size + right


def onehot(g: Node, size: Dim) -> Node:
    """The rows of zeros and a one that positions stand for.

    Raises `IndexNotationError` for a tensor that is not known to consist of integers.
    """
    if known(g, Fact.INTEGER) is not True:
        raise IndexNotationError(
            "positions are integers, and these are not known to be", hint=_how_to_declare(g)
        )
    return build.apply(OneHot(), g, build.ones((size,)))


def _how_to_declare(g: Node) -> str:
    """What to declare so that positions are integers, or what they are to be instead."""
    loose = [x for x in variables([g]) if known(x, Fact.INTEGER) is not True]
    declared: dict[Node, Node] = {
        x: build.var(x.name, x.dims, (*x.properties, "integer")) for x in loose
    }
    (whole,) = rebuild([g], replacements=declared)
    if known(whole, Fact.INTEGER) is True:
        return f"a declaration says so: tensor {', '.join(f'{_named(x)} integer' for x in loose)}"
    axes = ",".join(map(str, g.dims))
    own = f"p[{axes}]" if axes else "p"
    return f"sums, products and powers of integers are; give others as data: tensor {own} integer"


def _named(x: Var) -> str:
    return repr(x).removesuffix("[]")


def place_name(node: Apply) -> str:
    """What messages call the positions: by their name, if they are an input."""
    g = node.args[0]
    return g.name if isinstance(g, Var) else "position"


def is_onehot(node: Node) -> TypeGuard[Apply]:
    """Whether a node is a tensor of rows of zeros and a one."""
    return isinstance(node, Apply) and isinstance(node.primitive, OneHot)


def positions_among(nodes: Iterable[Node]) -> dict[Var, list[Dim]]:
    """The inputs that positions are made of, with the sizes of the axes that these are on."""
    found: dict[Var, list[Dim]] = {}
    for node in nodes:
        if not is_onehot(node):
            continue
        pending, seen = [node.args[0]], set[Node]()
        while pending:
            part = pending.pop()
            if part in seen:
                continue
            seen.add(part)
            if isinstance(part, Var):
                found.setdefault(part, []).append(node.dims[-1])
            elif not is_onehot(part):
                pending += part.operands
    return found
