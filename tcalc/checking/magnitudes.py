"""How large numbers are, and how far two tensors are apart."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tcalc.primitives.arrays import NumPyArray as Array


def relative_error(found: Array, expected: Array, floor: float) -> float:
    """The largest difference, relative to the largest entry; infinite where it is no number."""
    scale = max(largest([expected]), floor)
    error = float(np.max(np.abs(found - expected), initial=0.0)) / scale
    return error if np.isfinite(error) else np.inf


def largest(arrays: Iterable[Array]) -> float:
    """The largest absolute value of the entries that are finite."""
    return max((float(np.max(np.abs(x[np.isfinite(x)]), initial=0.0)) for x in arrays), default=0.0)
