"""Random data for the inputs of a program, as their declared properties demand.

Nothing says which domain an undeclared matrix has (``log(X)`` wants positive entries, ``chol(X)``
a positive definite matrix), so that there are several *manners*, from the most general to the
tamest, and the caller takes the first in which its function has a value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tcalc.expr.facts import holds
from tcalc.expr.nodes import Apply, Node, Var
from tcalc.expr.primitive import Fact
from tcalc.expr.traverse import postorder
from tcalc.primitives.arrays import NumPyArray as Array
from tcalc.primitives.onehot import positions_among
from tcalc.primitives.selection import GivenBySizes

DEFAULT_SIZES: tuple[int, ...] = (4, 3, 5, 2, 6)
DEALS = 3
"""In how many ways these sizes are dealt out to dimensions."""
DRAWS = 300
"""How many further sizes are drawn where these do not fit together."""


def complete_sizes(
    inputs: Sequence[Var], given: Mapping[str, int], deal: int = 0, roots: Sequence[Node] = ()
) -> dict[str, int]:
    """Sizes for all named dimensions: the given ones, then small numbers that differ.

    `deal` says which name gets which number.  With 0, the names get them as they come; with 1, from
    the last name on, so that what was tall is wide; with 2, the largest go to what most inputs have
    as their first axis, such as the observations of a model.  Where the `roots` have no value for
    these, as for a filter longer than its signal, others are drawn.
    """
    names = [name for node in inputs for dim in node.dims for name in sorted(dim.names())]
    order, numbers = list(dict.fromkeys(names)), DEFAULT_SIZES
    if deal == 1:
        order.reverse()
    elif deal == 2:
        first = Counter(name for node in inputs for dim in node.dims[:1] for name in dim.names())
        order.sort(key=lambda name: -first[name])
        numbers = tuple(sorted(DEFAULT_SIZES, reverse=True))
    sizes = dict(given)
    for name in order:
        if name not in sizes:
            sizes[name] = numbers[len(sizes) % len(numbers)]
    nodes = postorder(roots)
    generator = np.random.default_rng(deal)
    found = sizes
    for k in range(DRAWS):
        if _fit(nodes, found):
            return found
        # An axis of one element shows little: only where nothing else fits.
        least = 2 if k < DRAWS // 2 else 1
        drawn = generator.integers(least, 2 * max(DEFAULT_SIZES), len(order)).tolist()
        found = dict(zip(order, drawn, strict=True)) | dict(given)
    return sizes


def _fit(nodes: Sequence[Node], sizes: Mapping[str, int]) -> bool:
    """Whether there are tensors of some sizes, and elements at the positions asked for."""
    try:
        for node in nodes:
            if any(dim.evaluate(sizes) < 1 for dim in node.dims):
                return False
            if isinstance(node, Apply) and isinstance(node.primitive, GivenBySizes):
                numbers = (x.evaluate(sizes) for x in node.primitive.parameters)
                node.primitive.check_numbers(*numbers)
    except ValueError:
        return False
    except KeyError:  # a size that no input has
        return True
    return True


def sample(
    inputs: Sequence[Var],
    sizes: Mapping[str, int],
    generator: np.random.Generator,
    manner: int = 0,
    roots: Sequence[Node] = (),
) -> dict[str, Array]:
    """Arrays for the inputs; `manner` counts up from 0 (normal) through `MANNERS`.

    Positions in the `roots` are drawn from those that are there.
    """
    drawn: dict[str, Array] = {}
    ends = {x.name: dims for x, dims in positions_among(postorder(roots)).items()}
    for node in inputs:
        numbers = tuple(dim.evaluate(sizes) for dim in node.dims)
        if node.name in ends:
            last = min(dim.evaluate(sizes) for dim in ends[node.name])
            drawn[node.name] = generator.integers(1, last + 1, numbers).astype(float)
            continue
        array = MANNERS[manner](numbers, generator)
        drawn[node.name] = _structured(node, np.asarray(array), generator)
    return drawn


def direction(node: Var, shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    """A random direction in which an input can move and keep its declared structure."""
    move = generator.standard_normal(shape)
    if node.order < 2:
        return move
    if holds(node, Fact.DIAGONAL):
        return move * np.eye(shape[-1])
    if holds(node, Fact.SYMMETRIC):
        return np.asarray((move + _turned(move)) / 2)
    if holds(node, Fact.LOWER):
        return np.tril(move)
    if holds(node, Fact.UPPER):
        return np.triu(move)
    return move


def _normal(shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    return np.asarray(generator.standard_normal(shape))


def _fractions(shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    return np.asarray(generator.uniform(0.15, 0.85, shape))


def _dominant(shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    """Positive entries; square matrices symmetric with a heavy diagonal, so positive definite."""
    array = _fractions(shape, generator)
    if len(shape) >= 2 and shape[-1] == shape[-2]:
        array = (array + _turned(array)) / 2 + shape[-1] * np.eye(shape[-1])
    return array


def _above_one(shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    return np.asarray(generator.uniform(1.2, 2.5, shape))


MANNERS: tuple[Callable[[tuple[int, ...], np.random.Generator], Array], ...] = (
    _normal,
    _fractions,
    _dominant,
    _above_one,
)


def _structured(node: Var, array: Array, generator: np.random.Generator) -> Array:
    """Impose the declared properties on an array."""
    if node.order >= 2 and node.dims[-1] == node.dims[-2]:
        n = array.shape[-1]
        if holds(node, Fact.PSD):
            array = array @ _turned(array) / max(n, 1)
            if holds(node, Fact.SPD):
                array = array + np.eye(n)
        elif holds(node, Fact.SYMMETRIC):
            array = (array + _turned(array)) / 2
        if holds(node, Fact.DIAGONAL):
            array = array * np.eye(n)
        if holds(node, Fact.ORTHOGONAL):
            array = np.linalg.qr(generator.standard_normal(array.shape))[0]
        # A triangular matrix is kept well away from singular ones.
        if holds(node, Fact.LOWER) and not holds(node, Fact.DIAGONAL):
            array = np.tril(array, -1) + (1 + abs(array)) * np.eye(n)
        elif holds(node, Fact.UPPER) and not holds(node, Fact.DIAGONAL):
            array = np.triu(array, 1) + (1 + abs(array)) * np.eye(n)
    if holds(node, Fact.POSITIVE):
        array = abs(array) + 0.1
    elif holds(node, Fact.NONNEGATIVE):
        array = abs(array)
    if holds(node, Fact.INTEGER):
        array = np.round(2 * array)
        if holds(node, Fact.POSITIVE):
            array = np.maximum(array, 1.0)
    return np.asarray(array)


def _turned(array: Array) -> Array:
    return np.swapaxes(array, -1, -2)
