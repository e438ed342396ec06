"""Systems with the Hessian by a variable of a declared structure.

Such a Hessian is a map between the tensors that the variable can be: symmetric matrices, say.  On
all tensors it is singular, for it takes those that have nothing of the structure to zero.  So its
systems, its determinant and its eigenvalues are those of the map within the structure.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from tcalc.expr.nodes import Var
from tcalc.primitives.arrays import NumPyArray as Array
from tcalc.records import dataclass
from tcalc.runtime.coordinates import Coordinates, kind_of
from tcalc.runtime.modules import as_array, largest, where
from tcalc.runtime.parts import Factored
from tcalc.runtime.structure import Parts, Solver, structured, symmetric_eigenvalues

if TYPE_CHECKING:
    from tcalc.runtime.factored import FactoredTensor

ROUNDING = 1e-6
"""How far a right-hand side may be from the structure, beside its size."""


@dataclass(frozen=True, slots=True)
class Ends:
    """The variable whose values both ends of a Hessian are directions of.

    `half` are places of some of its terms, and how often each is to be taken for a map that agrees
    with it on symmetric matrices: ``A ⊗ A`` for ``(A ⊗ A)(I + T)/2``.
    """

    variable: Var
    half: tuple[tuple[int, int], ...] | None = None

    @property
    def kind(self) -> str:
        """``symmetric``, ``diagonal``, …; empty for a variable that can be any tensor."""
        return kind_of(self.variable)


def solver_within(tensor: FactoredTensor, ends: Ends) -> Solver:
    """The solver for a Hessian by a variable of a structure."""
    if ends.kind == "symmetric" and ends.half:
        found = structured(_taken(tensor, ends.half))
        if found is not None:
            return Projected(tensor, ends, found)
    size = prod(tensor.rows)
    if size * size * tensor.dtype.itemsize > tensor.memory_limit:
        from tcalc.runtime.iterative import Iterative

        return Projected(tensor, ends, Iterative(tensor))
    return Reduced(tensor, ends)


def _taken(tensor: FactoredTensor, half: tuple[tuple[int, int], ...]) -> FactoredTensor:
    from tcalc.runtime.factored import FactoredTensor

    terms = [
        replace(tensor.terms[k], coefficient=times * tensor.terms[k].coefficient)
        for k, times in half
    ]
    return FactoredTensor(terms, tensor.rows, tensor.columns, tensor.dtype)


class Reduced:
    """The dense matrix over the free entries, in coordinates that keep lengths."""

    def __init__(self, tensor: FactoredTensor, ends: Ends) -> None:
        self.tensor, self.ends = tensor, ends
        self.coordinates = Coordinates(ends.variable, tensor.rows)
        first, count = self.coordinates.firsts
        size = prod(tensor.rows)
        dense = tensor.dense().reshape(size, size)
        self.first = where(first, dense)
        # Entries that are one coordinate, such as those of a symmetric pair, are equal.
        self.lengths = where(np.sqrt(count).astype(dense.dtype), dense)
        reduced = self.lengths[:, None] * dense[self.first][:, self.first] * self.lengths
        name = f"the dense matrix over the {len(first)} free entries"
        self.matrix = Factored(reduced, name)
        self.route = f"within {ends.kind} matrices, dense: {len(first)} × {len(first)}"

    def details(self) -> list[str]:
        return [self.matrix.describe()]

    def solve(self, b: Array) -> Array:
        count = len(self.tensor.rows)
        b = within(b, self.ends, count)
        size = prod(self.tensor.rows)
        right = self.lengths[:, None] * b.reshape(size, -1)[self.first]
        z = self.matrix.solve(right) / self.lengths[:, None]
        # A zero after the coordinates stands for the entries that have none.
        padded = np.concatenate([z, np.zeros_like(z, shape=(1, z.shape[1]))])
        places = self.coordinates.places
        assert places is not None
        return as_array(padded[where(places, z)].reshape(self.tensor.columns + b.shape[count:]))

    def slogdet(self) -> tuple[float, float]:
        sign, logarithm = np.linalg.slogdet(self.matrix.matrix)
        return float(sign), float(logarithm)

    def eigenvalues(self) -> Array:
        return symmetric_eigenvalues(self.matrix.matrix)


class Projected:
    """The solver of a map that agrees with the Hessian within the structure."""

    def __init__(self, tensor: FactoredTensor, ends: Ends, inner: Solver) -> None:
        self.tensor, self.ends, self.inner = tensor, ends, inner
        self.route = f"within {ends.kind} matrices, {inner.route}"

    def details(self) -> list[str]:
        return self.inner.details()

    def solve(self, b: Array) -> Array:
        count = len(self.tensor.rows)
        return _part(self.inner.solve(within(b, self.ends, count)), self.ends, count)

    def slogdet(self) -> tuple[float, float]:
        square = self._square
        if square is None:
            return Reduced(self.tensor, self.ends).slogdet()
        # The symmetric square of an n × n matrix A has the determinant det(A)^(n + 1).
        n = len(square)
        c, size = self._coefficient, n * (n + 1) // 2
        sign, logarithm = np.linalg.slogdet(square)
        whole = float(np.sign(c)) ** size * float(sign) ** (n + 1)
        return whole, size * float(np.log(abs(c))) + (n + 1) * float(logarithm)

    def eigenvalues(self) -> Array:
        square = self._square
        if square is None:
            return Reduced(self.tensor, self.ends).eigenvalues()
        values = symmetric_eigenvalues(square)
        rows, columns = np.tril_indices(len(values))
        products = values[where(rows, values)] * values[where(columns, values)]
        return as_array(self._coefficient * products)

    @property
    def _square(self) -> Array | None:
        """The symmetric A where the map is a multiple of ``A ⊗ A``."""
        if not isinstance(self.inner, Parts) or len(self.inner.parts) != 2:
            return None
        a, b = (part.matrix for part in self.inner.parts)
        if a.ndim != 2 or a.shape != b.shape or not bool((a == b).all()):
            return None
        return a if not largest(np.abs(a - a.T)) > ROUNDING * largest(np.abs(a)) else None

    @property
    def _coefficient(self) -> float:
        assert isinstance(self.inner, Parts)
        return self.inner.term.coefficient


def within(b: Array, ends: Ends, count: int) -> Array:
    """A right-hand side of the structure, which rounding may have left; refuses any other."""
    part = _part(b, ends, count)
    if largest(np.abs(b - part)) > ROUNDING * largest(np.abs(b)):
        raise np.linalg.LinAlgError(
            f"the right-hand side is not {ends.kind}, as all values of this map are: there is no "
            "solution"
        )
    return part


def _part(x: Array, ends: Ends, count: int) -> Array:
    """The part of a tensor that has the structure; axes after the first `count` are kept."""
    if ends.kind == "symmetric":
        return as_array((x + x.swapaxes(count - 2, count - 1)) / 2)
    places = Coordinates(ends.variable, x.shape[:count]).places
    assert places is not None
    mask = (places >= 0).reshape(x.shape[:count] + (1,) * (x.ndim - count))
    return as_array(np.where(where(mask, x), x, 0))
