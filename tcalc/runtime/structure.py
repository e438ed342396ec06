"""Systems with factored tensors, solved part by part.

What is looked for, in this order:

- one term whose cores each map some axes of the columns to as many of the rows: a Kronecker
  product, block-diagonal in the labels that both ends share, diagonal where nothing else is left,
  with any permutation of axes (`Parts`);
- a diagonal plus terms of low rank: the identity of Woodbury and the determinant lemma
  (`LowRank`);
- ``A ⊗ I + I ⊗ B``: a Sylvester equation (`KroneckerSum`);
- else the dense matrix (`Dense`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from scipy import linalg

if TYPE_CHECKING:
    from tcalc.runtime.factored import FactoredTensor, FactoredTerm

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Labels: TypeAlias = tuple[int, ...]


class Solver(Protocol):
    """Solves with one map, having found its structure; `route` names it for the user."""

    route: str

    def solve(self, b: Array) -> Array: ...
    def slogdet(self) -> tuple[float, float]: ...
    def eigenvalues(self) -> Array: ...


def solver_for(tensor: FactoredTensor) -> Solver:
    """The solver for the structure of a square map; a dense one where there is none."""
    for kind in (Parts, LowRank, KroneckerSum):
        found = kind.find(tensor)
        if found is not None:
            return found
    return Dense(tensor)


def scattered(total: Array, labels: Labels, distinct: Labels, value: Array) -> None:
    """Add a value over distinct labels to a tensor whose axes repeat some of them."""
    number = {x: k for k, x in enumerate(distinct)}
    view = np.einsum(total, [number[x] for x in labels], [number[x] for x in distinct])
    view += value


class Dense:
    """The dense matrix, factorised once."""

    route = "dense: no structure was found"

    def __init__(self, tensor: FactoredTensor) -> None:
        self.tensor = tensor
        size = prod(tensor.rows)
        self.matrix = tensor.dense().reshape(size, size)

    def solve(self, b: Array) -> Array:
        count = len(self.tensor.rows)
        flat = b.reshape((len(self.matrix), *b.shape[count:]))
        x = np.linalg.solve(self.matrix, flat.reshape(len(self.matrix), -1))
        return np.asarray(x.reshape(self.tensor.columns + b.shape[count:]))

    def slogdet(self) -> tuple[float, float]:
        sign, logarithm = np.linalg.slogdet(self.matrix)
        return float(sign), float(logarithm)

    def eigenvalues(self) -> Array:
        return np.asarray(np.linalg.eigvalsh(self.matrix))


class Parts:
    """One term, whose cores act on axes of their own: each part is solved by itself."""

    def __init__(self, tensor: FactoredTensor, term: FactoredTerm, parts: list[_Part]) -> None:
        self.tensor, self.term, self.parts = tensor, term, parts
        count = len(tensor.rows)
        self.left, self.right = term.output[:count], term.output[count:]
        self.sizes = dict(zip(term.output, tensor.shape, strict=True))
        self.route = "part by part: " + (", ".join(p.name for p in parts) or "a multiple of a unit")

    @staticmethod
    def find(tensor: FactoredTensor) -> Parts | None:
        if len(tensor.terms) != 1:
            return None
        count = len(tensor.rows)
        term = _contracted(tensor.terms[0])
        left, right = term.output[:count], term.output[count:]
        if len(set(left)) < count or len(set(right)) < count:
            return None
        parts: list[_Part] = []
        owned: list[int] = []
        for core, row in zip(term.cores, term.subscripts, strict=True):
            if not set(row) <= set(term.output) or len(set(row)) < len(row):
                return None
            shared = tuple(x for x in row if x in left and x in right)
            rows = tuple(x for x in left if x in row and x not in shared)
            columns = tuple(x for x in right if x in row and x not in shared)
            matrix = np.einsum(core, list(row), [*shared, *rows, *columns])
            batch = matrix.shape[: len(shared)]
            size = prod(matrix.shape[len(shared) : len(shared) + len(rows)])
            if size * size * prod(batch) != matrix.size:
                return None
            owned += [*rows, *columns]
            wide = matrix.shape[len(shared) + len(rows) :]
            blocks = matrix.reshape(*batch, size, size)
            parts.append(_Part(shared, rows, columns, wide, blocks))
        unlinked = [x for x in term.output if not (x in left and x in right)]
        return Parts(tensor, term, parts) if sorted(owned) == sorted(unlinked) else None

    def solve(self, b: Array) -> Array:
        count = len(self.left)
        extra = tuple(range(-1, -1 - (b.ndim - count), -1))
        labels, value = self.left + extra, b / self.term.coefficient
        for part in self.parts:
            labels, value = part.solve(labels, value)
        return np.asarray(value.transpose([labels.index(x) for x in self.right + extra]))

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
        units += [(part.rows, part.columns) for part in self.parts if part.rows]
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
        straight = all(part.rows == () or self._in_place(part) for part in self.parts)
        linked = [x for x in self.left if x in self.right]
        if not straight or any(self.left.index(x) != self.right.index(x) for x in linked):
            return Dense(self.tensor).eigenvalues()
        operands: list[Any] = []
        output = [self.left.index(x) for x in linked]
        for k, part in enumerate(self.parts, len(self.left)):
            operands += [np.linalg.eigvalsh(part.matrix), [*map(self.left.index, part.shared), k]]
            output.append(k)
        for x in linked:
            operands += [np.ones(self.sizes[x]), [self.left.index(x)]]
        values = np.einsum(*operands, output) if operands else np.ones(())
        return np.asarray(self.term.coefficient * values.reshape(-1))

    def _in_place(self, part: _Part) -> bool:
        return [self.left.index(x) for x in part.rows] == [
            self.right.index(x) for x in part.columns
        ]


class _Part:
    """A core as a stack of square matrices: one for each place of its shared labels."""

    def __init__(
        self,
        shared: Labels,
        rows: Labels,
        columns: Labels,
        column_shape: tuple[int, ...],
        matrix: Array,
    ) -> None:
        self.shared, self.rows, self.columns, self.matrix = shared, rows, columns, matrix
        self.column_shape = column_shape
        size = matrix.shape[-1]
        if not rows:
            self.name = f"a diagonal of {matrix.size}"
        elif shared:
            self.name = f"{matrix.size // size**2} blocks of {size} × {size}"
        else:
            self.name = f"{size} × {size}"

    def solve(self, labels: Labels, value: Array) -> tuple[Labels, Array]:
        """The tensor over `labels` with this part undone, and its new labels."""
        rest = tuple(x for x in labels if x not in self.shared and x not in self.rows)
        sizes = dict(zip(labels, value.shape, strict=True))
        order = [labels.index(x) for x in (*self.shared, *self.rows, *rest)]
        turned = value.transpose(order)
        batch = turned.shape[: len(self.shared)]
        size = self.matrix.shape[-1]
        flat = turned.reshape(*batch, size, -1)
        if size == 1:
            if not np.all(self.matrix):
                raise np.linalg.LinAlgError(f"{self.name} has a zero")
            solved = flat / self.matrix
        else:
            try:
                solved = np.linalg.solve(self.matrix, flat)
            except np.linalg.LinAlgError:
                raise np.linalg.LinAlgError(f"the part {self.name} is singular") from None
        shape = (*batch, *self.column_shape, *(sizes[x] for x in rest))
        return (*self.shared, *self.columns, *rest), solved.reshape(shape)


class LowRank:
    """A diagonal plus products of low rank: ``D + U V``."""

    def __init__(self, tensor: FactoredTensor, diagonal: Array, U: Array, V: Array) -> None:
        self.tensor, self.diagonal, self.U, self.V = tensor, diagonal.reshape(-1), U, V
        self.route = f"a diagonal and rank {U.shape[1]}, by the identity of Woodbury"
        self.core = np.eye(U.shape[1]) + V @ (U / self.diagonal[:, None])

    @staticmethod
    def find(tensor: FactoredTensor) -> LowRank | None:
        count = len(tensor.rows)
        plain = [t for t in tensor.terms if t.output[:count] == t.output[count:]]
        others = [t for t in tensor.terms if t not in plain]
        if not plain or not others:
            return None
        from tcalc.runtime.factored import FactoredTensor

        part = FactoredTensor(plain, tensor.rows, tensor.columns, tensor.dtype)
        diagonal = part.diagonal()
        split = [_outer(term, count, tensor.shape) for term in others]
        if not np.all(diagonal) or any(pair is None for pair in split):
            return None
        U = np.concatenate([pair[0] for pair in split if pair is not None], axis=1)
        V = np.concatenate([pair[1] for pair in split if pair is not None], axis=0)
        return LowRank(tensor, diagonal, U, V) if 2 * U.shape[1] <= U.shape[0] else None

    def solve(self, b: Array) -> Array:
        flat = b.reshape(len(self.diagonal), -1) / self.diagonal[:, None]
        inner = np.linalg.solve(self.core, self.V @ flat)
        x = flat - (self.U / self.diagonal[:, None]) @ inner
        return np.asarray(x.reshape(b.shape))

    def slogdet(self) -> tuple[float, float]:
        sign, logarithm = np.linalg.slogdet(self.core)
        signs = float(np.prod(np.sign(self.diagonal)))
        return signs * float(sign), float(np.sum(np.log(np.abs(self.diagonal))) + logarithm)

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

    def solve(self, b: Array) -> Array:
        flat = b.reshape(*b.shape[:2], -1)
        solved = [linalg.solve_sylvester(self.A, self.B.T, c) for c in np.moveaxis(flat, -1, 0)]
        return np.asarray(np.stack(solved, axis=-1).reshape(b.shape))

    def slogdet(self) -> tuple[float, float]:
        sums = np.linalg.eigvals(self.A)[:, None] + np.linalg.eigvals(self.B)
        sign = float(np.sign(np.prod(sums / np.abs(sums)).real))
        return sign, float(np.sum(np.log(np.abs(sums))))

    def eigenvalues(self) -> Array:
        sums = np.linalg.eigvalsh(self.A)[:, None] + np.linalg.eigvalsh(self.B)
        return np.asarray(sums.reshape(-1))


def _contracted(term: FactoredTerm) -> FactoredTerm:
    """The term with the cores that summed labels join contracted into one."""
    free = set(term.output)
    cores = list(zip(term.cores, term.subscripts, strict=True))
    for label in sorted({x for _, row in cores for x in row} - free):
        joined = [(core, row) for core, row in cores if label in row]
        rest = [(core, row) for core, row in cores if label not in row]
        outside = free.union(*(row for _, row in rest))
        kept = tuple(sorted({x for _, row in joined for x in row if x in outside}))
        operands = [item for core, row in joined for item in (core, list(row))]
        merged = np.asarray(np.einsum(*operands, list(kept), optimize=True))
        cores = [*rest, (merged, kept)]
    return replace(
        term,
        cores=tuple(core for core, _ in cores),
        subscripts=tuple(row for _, row in cores),
    )


def _outer(term: FactoredTerm, count: int, shape: Sequence[int]) -> tuple[Array, Array] | None:
    """A term as ``U V`` with U of the rows and V of the columns, joined by its summed labels."""
    left, right = set(term.output[:count]), set(term.output[count:])
    if left & right or len(left) < count or len(right) < count:
        return None
    U: list[Any] = []
    V: list[Any] = []
    joined = sorted({x for row in term.subscripts for x in row} - left - right)
    for core, row in zip(term.cores, term.subscripts, strict=True):
        if left & set(row) and right & set(row):
            return None
        (V if right & set(row) else U).extend([core, list(row)])
    if not U or not V:
        return None
    rows, columns = prod(shape[:count]), prod(shape[count:])
    first = {x for row in U[1::2] for x in row}
    second = {x for row in V[1::2] for x in row}
    if not left | set(joined) <= first or not right | set(joined) <= second:
        return None
    up = np.einsum(*U, [*term.output[:count], *joined], optimize=True).reshape(rows, -1)
    down = np.einsum(*V, [*joined, *term.output[count:]], optimize=True).reshape(-1, columns)
    return term.coefficient * up, down


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
