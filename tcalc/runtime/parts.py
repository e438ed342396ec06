"""The parts of a structure: square matrices, one or a stack, each factorised once.

What is singular is said by name, and what is indefinite when it is asked.
"""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from typing import Any

import numpy as np

from tcalc.codegen.solvers import scaled_condition
from tcalc.expr.primitive import Labels
from tcalc.primitives.arrays import NumPyArray as Array
from tcalc.primitives.arrays import linalg
from tcalc.runtime.modules import as_array, is_on_device, largest


class Factored:
    """One square matrix, factorised once: by Cholesky where it is symmetric and definite."""

    def __init__(self, matrix: Array, name: str) -> None:
        self.matrix, self.name = matrix, name

    @cached_property
    def _parts(self) -> tuple[str, Any, float]:
        """How it was factorised, the factors, and the reciprocal condition number."""
        a = self.matrix
        if is_on_device(a):
            return _on_device(a)
        names = ("potrf", "pocon", "getrf", "gecon")
        functions: Any = linalg.get_lapack_funcs(names, (a,))
        potrf, pocon, getrf, gecon = functions
        norm = np.abs(a).sum(axis=0).max(initial=0.0)
        if not np.isfinite(norm):
            return "not finite", None, np.nan
        symmetric = bool(np.allclose(a, a.T, rtol=1e-10, atol=1e-14 * norm))
        if symmetric:
            factor, info = potrf(a, lower=True)
            if info == 0:
                return (
                    "symmetric positive definite",
                    factor,
                    float(pocon(factor, norm, uplo="L")[0]),
                )
        lu, pivots, info = getrf(a)
        condition = 0.0 if info > 0 else float(gecon(lu, norm)[0])
        return "symmetric indefinite" if symmetric else "general", (lu, pivots), condition

    @cached_property
    def _scaled_condition(self) -> float:
        """The same with rows and columns scaled, as generated code judges it."""
        kind, factors, condition = self._parts
        if not condition or is_on_device(self.matrix):
            return condition
        definite = kind == "symmetric positive definite"
        return scaled_condition(*((factors.T, None) if definite else factors))

    def solve(self, b: Array) -> Array:
        kind, factors, condition = self._parts
        if factors is None:
            return np.full_like(b, np.nan)
        if self._scaled_condition < _least_condition(self.matrix):
            raise np.linalg.LinAlgError(
                f"{self.name} is singular: its reciprocal condition number is {condition:.1e}"
            )
        if is_on_device(self.matrix):
            lu_solve = import_module("cupyx.scipy.linalg").lu_solve
            return as_array(lu_solve(factors, b, check_finite=False))
        if kind == "symmetric positive definite":
            return as_array(linalg.cho_solve((factors, True), b, check_finite=False))
        return as_array(linalg.lu_solve(factors, b, check_finite=False))

    def describe(self) -> str:
        """What the matrix is like: its definiteness and its condition."""
        kind, _, condition = self._parts
        return f"{self.name}: {kind}, reciprocal condition {condition:.1e}"


def _on_device(a: Array) -> tuple[str, Any, float]:
    """The same by what CuPy has: LU factors, and the condition from the inverse."""
    norm = largest(np.abs(a).sum(axis=0))
    if not np.isfinite(norm):
        return "not finite", None, np.nan
    kind = "general"
    if bool(np.allclose(a, a.T, rtol=1e-10, atol=1e-14 * norm)):
        # Signs of eigenvalues tell, where a factorisation that fails leaves anything.
        definite = bool((np.linalg.eigvalsh(a) > 0).all())
        kind = "symmetric positive definite" if definite else "symmetric indefinite"
    try:
        inverse = largest(np.abs(np.linalg.inv(a)).sum(axis=0)) if norm else np.inf
    except np.linalg.LinAlgError:
        inverse = np.inf
    condition = 1 / (norm * inverse) if np.isfinite(inverse) and inverse else 0.0
    if not condition:
        return kind, (), condition
    return kind, import_module("cupyx.scipy.linalg").lu_factor(a, check_finite=False), condition


class Part:
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
        solved = self._solved(flat)
        shape = (*batch, *self.column_shape, *(sizes[x] for x in rest))
        return (*self.shared, *self.columns, *rest), solved.reshape(shape)

    def _solved(self, flat: Array) -> Array:
        if self.matrix.shape[-1] == 1:
            zeros = np.argwhere(self.matrix[..., 0, 0] == 0)
            if len(zeros):
                raise np.linalg.LinAlgError(f"{self.name} has a zero{_at(zeros[0])}")
            return as_array(flat / self.matrix)
        if self.matrix.ndim == 2:
            return self.factored.solve(flat)
        self._require_regular()
        return as_array(np.linalg.solve(self.matrix, flat))

    @cached_property
    def factored(self) -> Factored:
        return Factored(self.matrix, f"the part {self.name}")

    @cached_property
    def _conditions(self) -> Array:
        """The reciprocal condition numbers of a stack of blocks, in the norm of column sums."""
        blocks = self.matrix
        try:
            inverses = np.linalg.inv(blocks)
        except np.linalg.LinAlgError:
            ranks = np.linalg.matrix_rank(blocks)
            return np.where(ranks < blocks.shape[-1], 0.0, 1.0)
        norms = np.abs(blocks).sum(axis=-2).max(axis=-1) * np.abs(inverses).sum(axis=-2).max(
            axis=-1
        )
        return as_array(1 / norms)

    def _require_regular(self) -> None:
        bad = np.argwhere(~(self._conditions >= _least_condition(self.matrix)))
        if len(bad):
            raise np.linalg.LinAlgError(
                f"{len(bad)} of the {self.name} {'is' if len(bad) == 1 else 'are'} singular"
                + _at(bad[0])
            )

    def describe(self) -> str:
        """What the part is like: its size, its definiteness, its condition."""
        if self.matrix.shape[-1] == 1:
            negative = int((self.matrix < 0).sum())
            zero = int((self.matrix == 0).sum())
            return f"{self.name}: {negative} negative, {zero} zero"
        if self.matrix.ndim == 2:
            return self.factored.describe()
        symmetric = bool(np.allclose(self.matrix, self.matrix.swapaxes(-1, -2)))
        text = f"{self.name}: reciprocal condition {self._conditions.min():.1e} or more"
        if symmetric:
            lowest = np.linalg.eigvalsh(self.matrix)[..., 0]
            indefinite = int((lowest <= 0).sum())
            return f"{text}, {indefinite or 'none'} not positive definite"
        return text


def _at(place: Array) -> str:
    return f", that at {', '.join(str(k + 1) for k in place)} for one" if len(place) else ""


def _least_condition(matrix: Array) -> float:
    """The reciprocal condition number below which a matrix counts as singular."""
    return float(max(matrix.shape[-1], 4) ** 0.5 * np.finfo(matrix.dtype).eps)
