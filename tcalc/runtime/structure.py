"""Systems with factored tensors, solved part by part.

What is looked for, in this order:

- one term whose cores each map some axes of the columns to as many of the rows: a Kronecker
  product, block-diagonal in the labels that both ends share, diagonal where nothing else is left,
  with any permutation of axes; several terms that are all diagonal in some axes are added up to
  one (`Parts`);
- ``A ⊗ I + I ⊗ B``: a Sylvester equation (`KroneckerSum`);
- one of these plus terms of low rank: the identity of Woodbury and the determinant lemma
  (`LowRank`);
- else the dense matrix (`Dense`), or where that is beyond the memory limit, an iteration with
  products only (`tcalc.runtime.iterative`).
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tcalc.expr.primitive import Labels
from tcalc.primitives.arrays import NumPyArray as Array
from tcalc.primitives.arrays import linalg
from tcalc.runtime.modules import as_array, largest, on_host, where
from tcalc.runtime.parts import Factored, Part
from tcalc.runtime.terms import added_up, contracted, product_of, split_in_two

if TYPE_CHECKING:
    from tcalc.runtime.factored import FactoredTensor, FactoredTerm


class Solver(Protocol):
    """Solves with one map, having found its structure.

    `route` names the structure for the user, `details` says more, a line for each part.
    """

    route: str

    def details(self) -> list[str]: ...
    def solve(self, b: Array) -> Array: ...
    def slogdet(self) -> tuple[float, float]: ...
    def eigenvalues(self) -> Array: ...


def solver_for(tensor: FactoredTensor) -> Solver:
    """The solver for the structure of a square map; a general one where there is none."""
    found = structured(tensor)
    if found is not None:
        return found
    size = prod(tensor.rows)
    if size * size * tensor.dtype.itemsize > tensor.memory_limit:
        from tcalc.runtime.iterative import Iterative

        return Iterative(tensor)
    return Dense(tensor)


def structured(tensor: FactoredTensor) -> Solver | None:
    """The solver for the structure of a square map, where it has one."""
    return Parts.find(tensor) or KroneckerSum.find(tensor) or LowRank.find(tensor)


class Empty:
    """A map between tensors without entries, of which there is one."""

    route = "there are no entries"

    def __init__(self, tensor: FactoredTensor) -> None:
        self.tensor = tensor

    def details(self) -> list[str]:
        return []

    def solve(self, b: Array) -> Array:
        return b

    def slogdet(self) -> tuple[float, float]:
        return 1.0, 0.0

    def eigenvalues(self) -> Array:
        return as_array(self.tensor.module.zeros(0, self.tensor.dtype))


class Dense:
    """The dense matrix, factorised once."""

    route = "dense: no structure was found"

    def __init__(self, tensor: FactoredTensor) -> None:
        self.tensor = tensor
        size = prod(tensor.rows)
        self.matrix = Factored(tensor.dense().reshape(size, size), "the dense matrix")

    def details(self) -> list[str]:
        return [self.matrix.describe()]

    def solve(self, b: Array) -> Array:
        count = len(self.tensor.rows)
        size = len(self.matrix.matrix)
        x = self.matrix.solve(b.reshape(size, -1))
        return as_array(x.reshape(self.tensor.columns + b.shape[count:]))

    def slogdet(self) -> tuple[float, float]:
        sign, logarithm = np.linalg.slogdet(self.matrix.matrix)
        return float(sign), float(logarithm)

    def eigenvalues(self) -> Array:
        return symmetric_eigenvalues(self.matrix.matrix)


class Parts:
    """One term, whose cores act on axes of their own: each part is solved by itself."""

    def __init__(self, tensor: FactoredTensor, term: FactoredTerm, parts: list[Part]) -> None:
        self.tensor, self.term, self.parts = tensor, term, parts
        count = len(tensor.rows)
        self.left, self.right = term.output[:count], term.output[count:]
        self.sizes = dict(zip(term.output, tensor.shape, strict=True))
        self.route = "part by part: " + (", ".join(p.name for p in parts) or "a multiple of a unit")

    @staticmethod
    def find(tensor: FactoredTensor) -> Parts | None:
        count = len(tensor.rows)
        term = contracted(tensor.terms[0]) if len(tensor.terms) == 1 else added_up(tensor)
        if term is None:
            return None
        left, right = term.output[:count], term.output[count:]
        if len(set(left)) < count or len(set(right)) < count:
            return None
        parts: list[Part] = []
        owned: list[int] = []
        for core, row in zip(term.cores, term.subscripts, strict=True):
            if not set(row) <= set(term.output) or len(set(row)) < len(row):
                return None
            shared = tuple(x for x in row if x in left and x in right)
            rows = tuple(x for x in left if x in row and x not in shared)
            columns = tuple(x for x in right if x in row and x not in shared)
            matrix = product_of((core,), (row,), (*shared, *rows, *columns), {}, core.dtype)
            batch = matrix.shape[: len(shared)]
            size = prod(matrix.shape[len(shared) : len(shared) + len(rows)])
            if size * size * prod(batch) != matrix.size:
                return None
            owned += [*rows, *columns]
            wide = matrix.shape[len(shared) + len(rows) :]
            blocks = matrix.reshape(*batch, size, size)
            parts.append(Part(shared, rows, columns, wide, blocks))
        unlinked = [x for x in term.output if not (x in left and x in right)]
        return Parts(tensor, term, parts) if sorted(owned) == sorted(unlinked) else None

    def details(self) -> list[str]:
        return [part.describe() for part in self.parts]

    def solve(self, b: Array) -> Array:
        count = len(self.left)
        extra = tuple(range(-1, -1 - (b.ndim - count), -1))
        labels, value = self.left + extra, b / self.term.coefficient
        for part in self.parts:
            labels, value = part.solve(labels, value)
        return as_array(value.transpose([labels.index(x) for x in self.right + extra]))

    def slogdet(self) -> tuple[float, float]:
        size = prod(self.tensor.rows)
        c = self.term.coefficient
        sign, total = float(np.sign(c)) ** size, size * float(np.log(abs(c)))
        for part in self.parts:
            signs, logarithms = np.linalg.slogdet(part.matrix)
            times = size // (signs.size * part.matrix.shape[-1])
            sign *= float(np.prod(signs)) ** times
            total += times * float(np.sum(logarithms))
        return sign * self._permutation_sign(), total

    def _permutation_sign(self) -> float:
        """The sign of the permutation of elements between the axes of both ends."""
        units: list[tuple[Labels, Labels]] = [((x,), (x,)) for x in self.left if x in self.right]
        # An outer product over axes of one element is two parts: one of rows, one of columns.
        units += [(part.rows, part.columns) for part in self.parts if part.rows or part.columns]
        sign = 1.0
        places = []
        for end, axes in ((self.left, 0), (self.right, 1)):
            order = [end.index(x) for unit in units for x in unit[axes]]
            places.append(order)
            shape = [self.sizes[x] for x in end]
            sign *= _parity(np.arange(prod(shape)).reshape(shape).transpose(order).reshape(-1))
            if len(places) == 2 and places[0] == places[1]:
                return 1.0
        return sign

    def eigenvalues(self) -> Array:
        # The symmetric part of a product is not the product of symmetric parts.
        straight = all(self._in_place(part) and _symmetric(part.matrix) for part in self.parts)
        linked = [x for x in self.left if x in self.right]
        if not straight or any(self.left.index(x) != self.right.index(x) for x in linked):
            return Dense(self.tensor).eigenvalues()
        operands: list[Any] = []
        output = [self.left.index(x) for x in linked]
        for k, part in enumerate(self.parts, len(self.left)):
            operands += [
                symmetric_eigenvalues(part.matrix),
                [*map(self.left.index, part.shared), k],
            ]
            output.append(k)
        for x in linked:
            ones = self.tensor.module.ones(self.sizes[x], self.tensor.dtype)
            operands += [ones, [self.left.index(x)]]
        unit = self.tensor.module.ones((), self.tensor.dtype)
        values = np.einsum(*operands, output) if operands else unit
        return as_array(self.term.coefficient * values.reshape(-1))

    def _in_place(self, part: Part) -> bool:
        return [self.left.index(x) for x in part.rows] == [
            self.right.index(x) for x in part.columns
        ]


class LowRank:
    """A map whose structure is known plus products of low rank: ``B + U V``."""

    def __init__(self, tensor: FactoredTensor, base: Solver, U: Array, V: Array) -> None:
        self.tensor, self.base, self.U, self.V = tensor, base, U, V
        rank = U.shape[1]
        self.route = f"rank {rank}, by the identity of Woodbury, and {base.route}"
        self.solved = base.solve(U.reshape(*tensor.rows, rank)).reshape(-1, rank)
        products = V @ self.solved
        unit = tensor.module.eye(rank, dtype=products.dtype)
        self.core = Factored(unit + products, f"the core of rank {rank}")
        # What is left of I + V B^-1 U where the two cancel is rounding alone.
        least = np.linalg.norm(self.core.matrix, -2) if rank else np.inf
        rounding = np.finfo(products.dtype).eps * np.sqrt(len(U))
        self.singular = bool(least <= rounding * (1 + np.linalg.norm(products)))

    @staticmethod
    def find(tensor: FactoredTensor) -> LowRank | None:
        count = len(tensor.rows)
        split = [split_in_two(term, count, tensor.shape, tensor.dtype) for term in tensor.terms]
        plain = [term for term, pair in zip(tensor.terms, split, strict=True) if pair is None]
        pairs = [pair for pair in split if pair is not None]
        if not plain or not pairs:
            return None
        U = np.concatenate([pair[0] for pair in pairs], axis=1)
        V = np.concatenate([pair[1] for pair in pairs], axis=0)
        if 2 * U.shape[1] > U.shape[0]:
            return None
        from tcalc.runtime.factored import FactoredTensor

        rest = FactoredTensor(plain, tensor.rows, tensor.columns, tensor.dtype)
        base = Parts.find(rest) or KroneckerSum.find(rest)
        if base is None:
            return None
        try:
            return LowRank(tensor, base, U, V)
        except np.linalg.LinAlgError:
            return None  # the whole may be regular though the base is not

    def details(self) -> list[str]:
        return [*self.base.details(), self.core.describe()]

    def solve(self, b: Array) -> Array:
        if self.singular:
            raise np.linalg.LinAlgError(
                f"{self.core.name} is singular: its terms cancel up to rounding"
            )
        flat = self.base.solve(b).reshape(len(self.U), -1)
        x = flat - self.solved @ self.core.solve(self.V @ flat)
        return as_array(x.reshape(b.shape))

    def slogdet(self) -> tuple[float, float]:
        sign, logarithm = np.linalg.slogdet(self.core.matrix)
        other, rest = self.base.slogdet()
        return float(sign) * other, float(logarithm) + rest

    def eigenvalues(self) -> Array:
        return Dense(self.tensor).eigenvalues()


class KroneckerSum:
    """``A ⊗ I + I ⊗ B``, which maps X to ``A X + X B'``."""

    route = "a Kronecker sum, as a Sylvester equation"

    def __init__(self, tensor: FactoredTensor, A: Array, B: Array) -> None:
        self.tensor, self.A, self.B = tensor, A, B

    @staticmethod
    def find(tensor: FactoredTensor) -> KroneckerSum | None:
        if len(tensor.rows) != 2 or len(tensor.terms) != 2:
            return None
        sides: dict[int, Array] = {}
        for term in tensor.terms:
            i, j, k, m = term.output
            if len(term.cores) != 1:
                return None
            (core,), (row,) = term.cores, term.subscripts
            axis = next((p for p, ends in ((0, (i, k)), (1, (j, m))) if set(row) == {*ends}), -1)
            linked = (j == m and i != k) if axis == 0 else (i == k and j != m)
            if axis < 0 or not linked or len(row) != 2:
                return None
            ends = (i, k) if axis == 0 else (j, m)
            sides[axis] = term.coefficient * (core if row == ends else core.T)
        return KroneckerSum(tensor, sides[0], sides[1]) if len(sides) == 2 else None

    def details(self) -> list[str]:
        return [f"A is {self.A.shape[0]} × {self.A.shape[0]}, B {self.B.shape[0]} × {len(self.B)}"]

    def solve(self, b: Array) -> Array:
        self._require_regular()
        flat = b.reshape(*b.shape[:2], -1)
        A, B = on_host(self.A), on_host(self.B.T)
        columns = np.moveaxis(on_host(flat), -1, 0)
        solved = [linalg.solve_sylvester(A, B, c) for c in columns]
        return as_array(where(np.stack(solved, axis=-1).reshape(b.shape), b))

    def _sums(self) -> Array:
        """The sums of eigenvalues, on the host."""
        A, B = on_host(self.A), on_host(self.B)
        return as_array(np.linalg.eigvals(A)[:, None] + np.linalg.eigvals(B))

    def _require_regular(self) -> None:
        sums = np.abs(self._sums())
        if not sums.min(initial=np.inf) > np.finfo(self.A.dtype).eps * sums.max(initial=0.0):
            raise np.linalg.LinAlgError(
                "an eigenvalue of A and one of B add up to zero, so that A ⊗ I + I ⊗ B is singular"
            )

    def slogdet(self) -> tuple[float, float]:
        sums = self._sums()
        if (sums == 0).any():
            return 0.0, -np.inf
        sign = float(np.sign(np.prod(sums / np.abs(sums)).real))
        return sign, float(np.sum(np.log(np.abs(sums))))

    def eigenvalues(self) -> Array:
        sums = symmetric_eigenvalues(self.A)[:, None] + symmetric_eigenvalues(self.B)
        return as_array(sums.reshape(-1))


def _symmetric(a: Array) -> bool:
    """Whether matrices are symmetric up to rounding; where NaN is, that is what comes out."""
    scale = largest(np.abs(a))
    difference = largest(np.abs(a - a.swapaxes(-1, -2)))
    return not difference > 64 * np.finfo(a.dtype).eps * scale


def symmetric_eigenvalues(a: Array) -> Array:
    """The eigenvalues of the symmetric parts of matrices, ascending."""
    return as_array(np.linalg.eigvalsh((a + a.swapaxes(-1, -2)) / 2))


def _parity(permutation: Array) -> float:
    """The sign of a permutation, by its cycles."""
    seen = np.zeros(len(permutation), dtype=bool)
    odd = 0
    for start in range(len(permutation)):
        k, length = start, 0
        while not seen[k]:
            seen[k] = True
            k, length = int(permutation[k]), length + 1
        odd += max(length - 1, 0)
    return -1.0 if odd % 2 else 1.0
