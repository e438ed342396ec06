"""The free entries of a variable of a declared structure, as the coordinates of a vector.

A symmetric matrix has its lower triangle, a diagonal one its diagonal.  The map ``x = P z`` from
coordinates to entries is linear, so that gradients pull back by ``P'`` and Hessians by ``P' H P``.
"""

from __future__ import annotations

from functools import cached_property
from math import prod

import numpy as np

from tcalc.expr.facts import holds
from tcalc.expr.nodes import Var
from tcalc.expr.primitive import Fact
from tcalc.primitives.arrays import NumPyArray as Array


class Coordinates:
    """The free entries of one variable: `places` has the coordinate of each entry, -1 for none."""

    def __init__(self, variable: Var, shape: tuple[int, ...]) -> None:
        self.variable, self.shape = variable, shape
        self.places = _places(variable, shape)
        self.plain = self.places is None
        self.size = prod(shape) if self.places is None else int(self.places.max(initial=-1)) + 1

    def entries(self, z: Array) -> Array:
        """The tensor of given coordinates; they may have further axes."""
        more = z.shape[1:]
        if self.places is None:
            return z.reshape(self.shape + more)
        padded = np.concatenate([z, np.zeros((1, *more), z.dtype)])
        return np.asarray(padded[self.places])

    def coordinates(self, x: Array) -> Array:
        """The coordinates of a tensor that has the structure."""
        if self.places is None:
            return x.reshape(-1)
        z = np.zeros(self.size, x.dtype)
        free = self.places >= 0
        z[self.places[free]] = x[free]
        return z

    def pulled(self, gradient: Array) -> Array:
        """``P' g``: a derivative by the entries, its first axes, as one by the coordinates."""
        more = gradient.shape[len(self.shape) :]
        if self.places is None:
            return gradient.reshape((self.size, *more))
        total = np.zeros((self.size + 1, *more), gradient.dtype)
        np.add.at(total, self.places, gradient)
        return total[:-1]

    @cached_property
    def firsts(self) -> tuple[Array, Array]:
        """For each coordinate the first entry that has it, and how many have it."""
        flat = np.arange(self.size) if self.places is None else self.places.reshape(-1)
        _, first, count = np.unique(flat, return_index=True, return_counts=True)
        skipped = len(first) - self.size  # one, where entries without a coordinate are
        return first[skipped:], count[skipped:]


def kind_of(variable: Var) -> str:
    """What the matrices that a variable can be are called; empty where they may be any."""
    if variable.order < 2:
        return ""
    kinds = {
        Fact.DIAGONAL: "diagonal",
        Fact.SYMMETRIC: "symmetric",
        Fact.LOWER: "lower triangular",
        Fact.UPPER: "upper triangular",
    }
    return next((kind for fact, kind in kinds.items() if holds(variable, fact)), "")


def _places(variable: Var, shape: tuple[int, ...]) -> Array | None:
    """The coordinate of each entry of a structured matrix, or of a stack; None for any tensor."""
    kind = kind_of(variable)
    if not kind:
        return None
    *lead, m, n = shape
    row, column = np.indices((m, n))
    if kind == "diagonal":
        free, same = row == column, row
    elif kind == "symmetric":
        free, same = row >= column, np.maximum(row, column)
    elif kind == "lower triangular":
        free, same = row >= column, row
    else:
        free, same = row <= column, row
    count = int(free.sum())
    one = np.full((m, n), -1)
    one[free] = np.arange(count)
    if kind == "symmetric":
        one = one[same, np.minimum(row, column)]
    stack = np.arange(prod(lead)).reshape(*lead, 1, 1) * count
    return np.asarray(np.where(one >= 0, one + stack, -1))
