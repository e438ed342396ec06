"""Systems with maps that are too large to form and have no structure: products only.

Both methods make the residual as small as it can be with so many products: MINRES (Paige and
Saunders, 1975) for symmetric maps, which may be indefinite, GMRES (Saad and Schultz, 1986) for the
others.  They are SciPy's.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from tcalc.errors import UnsupportedError
from tcalc.primitives.arrays import NumPyArray as Array
from tcalc.runtime.structure import Dense

if TYPE_CHECKING:
    from tcalc.runtime.factored import FactoredTensor

TOLERANCE = 1e-10
"""The residual that is asked for, relative to the right-hand side."""

ACCEPTED = 1e-6
"""The residual beyond which the result is no solution."""

PROBES = 3


class Iterative:
    """Solves by MINRES, or by GMRES where the map is not symmetric.

    Raises `UnsupportedError` for a map on a device, where SciPy is not.
    """

    def __init__(self, tensor: FactoredTensor) -> None:
        if tensor.module is not np:
            raise UnsupportedError(
                "there is no iteration on a device for what has no structure and no room",
                hint="raise memory_limit, or use to_linear_operator() with "
                "cupyx.scipy.sparse.linalg",
            )
        self.tensor = tensor
        self.symmetric = _is_symmetric(tensor)
        name = "MINRES" if self.symmetric else "GMRES, as the map is not symmetric"
        size = prod(tensor.rows) ** 2 * tensor.dtype.itemsize / 2**30
        self.route = f"an iteration ({name}); the dense matrix would take {size:.3g} GiB"

    def details(self) -> list[str]:
        return [f"to a relative residual of {TOLERANCE:g}, one product a step"]

    def solve(self, b: Array) -> Array:
        from scipy.sparse.linalg import gmres, minres

        operator = self.tensor.to_linear_operator()
        count = len(self.tensor.rows)
        flat = b.reshape(operator.shape[0], -1)
        columns = []
        for column in flat.T:
            if self.symmetric:
                x, _ = minres(operator, column, rtol=TOLERANCE)
            else:
                x, _ = gmres(operator, column, rtol=TOLERANCE, restart=50)
            residual = np.linalg.norm(operator @ x - column)
            if not residual <= ACCEPTED * np.linalg.norm(column):
                raise np.linalg.LinAlgError(
                    f"no solution was found: the residual stays at {residual:.1e}; the map is "
                    "singular or too ill-conditioned"
                )
            columns.append(x)
        found = np.stack(columns, axis=-1)
        return np.asarray(found.reshape(self.tensor.columns + b.shape[count:]))

    def slogdet(self) -> tuple[float, float]:
        return Dense(self.tensor).slogdet()

    def eigenvalues(self) -> Array:
        return Dense(self.tensor).eigenvalues()


def _is_symmetric(tensor: FactoredTensor) -> bool:
    """Whether ``x'Hy = y'Hx`` for random directions: no other maps than symmetric ones have it."""
    if tensor.rows != tensor.columns:
        return False
    random = np.random.default_rng(0)
    for _ in range(PROBES):
        x, y = random.standard_normal((2, *tensor.rows))
        left, right = np.vdot(x, tensor @ y), np.vdot(y, tensor @ x)
        scale = np.linalg.norm(tensor @ x) * np.linalg.norm(y)
        if abs(left - right) > 1e-9 * scale:
            return False
    return True
