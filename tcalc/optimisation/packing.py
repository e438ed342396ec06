"""Several tensors as one vector, and back: what SciPy's optimisers act on.

A variable of a declared structure has as many coordinates as it has free entries, see
`tcalc.runtime.coordinates`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, SupportsIndex

import numpy as np

from tcalc.errors import ArgumentError
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Var
from tcalc.expr.primitive import Fact
from tcalc.interpret import numbers_of
from tcalc.primitives.arrays import NumPyArray as Array
from tcalc.runtime.coordinates import Coordinates


class Packing:
    """Variables one after the other in a vector; `shapes` has those of the tensors, by name."""

    def __init__(self, variables: Sequence[Var], shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.parts = {x.name: Coordinates(x, shapes[x.name]) for x in variables}
        self.shapes = {name: part.shape for name, part in self.parts.items()}
        self.size = sum(part.size for part in self.parts.values())
        ends = np.cumsum([part.size for part in self.parts.values()]).tolist()
        starts = [0, *ends]
        self.slices = {name: slice(starts[k], starts[k + 1]) for k, name in enumerate(self.parts)}

    def pack(self, values: Mapping[str, Any]) -> Array:
        """The variables as one vector; raises `ArgumentError` for wrong shapes or structure."""
        pieces: list[Array] = []
        for name, part in self.parts.items():
            array = real_numbers(name, values[name]) if name in values else None
            if array is None or array.shape != part.shape:
                found = "missing" if array is None else f"of shape {array.shape}"
                raise ArgumentError(f"{name} is {found}, and should have the shape {part.shape}")
            z = part.coordinates(array)
            if not part.plain and not np.allclose(part.entries(z), array):
                kind = " ".join(part.variable.properties)
                raise ArgumentError(f"{name} was declared {kind}, and is not")
            pieces.append(z)
        return np.concatenate(pieces)

    def unpack(self, x: Any) -> dict[str, Array]:
        """The vector as the variables; further axes of it are kept, as last ones."""
        vector = np.asarray(x)
        if vector.shape[:1] != (self.size,):
            raise ArgumentError(
                f"the vector has the shape {vector.shape}, and should have ({self.size},)"
            )
        return {name: part.entries(vector[self.slices[name]]) for name, part in self.parts.items()}

    def gradient(self, blocks: Sequence[Any]) -> Array:
        """The derivative by the vector, from those by the variables."""
        parts = zip(self.parts.values(), blocks, strict=True)
        return np.concatenate([part.pulled(np.asarray(block)) for part, block in parts])

    def jacobian(self, blocks: Sequence[Any], rows: int) -> Array:
        """A matrix of `rows` rows, from the derivatives of a tensor by the variables."""
        columns = []
        for part, block in zip(self.parts.values(), blocks, strict=True):
            flat = np.reshape(block, (rows, *part.shape))
            columns.append(part.pulled(np.moveaxis(flat, 0, -1)).T)
        return np.concatenate(columns, axis=1)

    def hessian(self, blocks: Sequence[Any]) -> Array:
        """The Hessian by the vector, from those by the pairs of variables that `pairs` lists."""
        found = np.zeros((self.size, self.size))
        names = list(self.parts)
        for (i, j), block in zip(pairs(len(names)), blocks, strict=True):
            left, right = self.parts[names[i]], self.parts[names[j]]
            half = left.pulled(np.reshape(block, left.shape + right.shape))
            whole = right.pulled(np.moveaxis(half, 0, -1)).T
            found[self.slices[names[i]], self.slices[names[j]]] = whole
            found[self.slices[names[j]], self.slices[names[i]]] = whole.T
        return found

    def bounds(self, given: Mapping[str, Any]) -> tuple[Array, Array]:
        """Lower and upper bounds of the coordinates.

        `given` has a pair for some of the variables, each a number, an array, or None for no
        bound.  Without one a variable that was declared positive or nonnegative has its own.
        """
        low, high = np.full(self.size, -np.inf), np.full(self.size, np.inf)
        for name in given:
            if name not in self.parts:
                raise ArgumentError(
                    f"{name!r} has bounds, and is not a variable of the problem",
                    hint="its variables: " + ", ".join(self.parts),
                )
        for name, part in self.parts.items():
            pair = given.get(name, _own_bounds(part.variable))
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise ArgumentError(f"the bounds of {name} are a pair, as (0, None)")
            sides = (low, pair[0], -np.inf, np.maximum), (high, pair[1], np.inf, np.minimum)
            for side, bound, nothing, tighter in sides:
                value = real_numbers(f"a bound of {name}", nothing if bound is None else bound)
                if np.isnan(value).any():
                    raise ArgumentError(
                        f"a bound of {name} is not a number", hint="None, or inf, is no bound"
                    )
                try:
                    full = np.broadcast_to(value, part.shape)
                except ValueError:
                    raise ArgumentError(
                        f"the bounds of {name} have the shape {value.shape}, and should have "
                        f"{part.shape}"
                    ) from None
                places = part.places
                if places is None:
                    places = np.reshape(np.arange(part.size), part.shape)
                free = places >= 0
                # Of the bounds of entries that are one, the tightest.
                tighter.at(side, self.slices[name].start + places[free], full[free])
        crossed = np.flatnonzero(low > high)
        if crossed.size:
            raise ArgumentError(f"the bounds of {self.name(crossed[0])} leave nothing between them")
        return low, high

    def name(self, place: SupportsIndex) -> str:
        """What an entry of the vector is, in the language: ``w[3]``."""
        for name, part in self.parts.items():
            inside = int(place) - self.slices[name].start
            if 0 <= inside < part.size:
                if not part.shape:
                    return name
                places = np.arange(part.size) if part.places is None else part.places
                index = np.argwhere(np.reshape(places, part.shape) == inside)[0]
                return f"{name}[{','.join(str(k + 1) for k in index)}]"
        raise IndexError(place)


def real_numbers(name: str, value: Any) -> Array:
    """What is given under a name as an array of floats; raises `ArgumentError` for all else."""
    array = numbers_of(name, value)
    if np.iscomplexobj(array):
        raise ArgumentError(f"{name} has complex numbers", hint="optimisers need real data")
    return array.astype(float, copy=False)


def pairs(count: int) -> list[tuple[int, int]]:
    """The blocks of a symmetric matrix that are not those below the diagonal, row by row."""
    return [(i, j) for i in range(count) for j in range(i, count)]


SMALLEST = float(np.sqrt(np.finfo(float).eps))
"""The lower bound of what was declared positive: a number of no importance beside 1."""


def _own_bounds(variable: Var) -> tuple[float | None, float | None]:
    if holds(variable, Fact.POSITIVE):
        return SMALLEST, None
    if holds(variable, Fact.NONNEGATIVE):
        return 0.0, None
    return None, None
