"""How large numbers are, and how far two tensors are apart."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tcalc.primitives.arrays import NumPyArray as Array


def magnitude(x: Array) -> float:
    """The largest absolute value of the entries."""
    return float(np.max(np.abs(x), initial=0.0))


def distance(x: Array, y: Array | float) -> float:
    """The largest difference of two entries; infinite where it is no number."""
    found = magnitude(np.asarray(x - y))
    return found if np.isfinite(found) else np.inf


def relative_error(found: Array, expected: Array, floor: float) -> float:
    """The largest difference, relative to the largest entry; infinite where it is no number."""
    return distance(found, expected) / max(largest([expected]), floor)


def largest(arrays: Iterable[Array]) -> float:
    """The largest absolute value of the entries that are finite."""
    return max((magnitude(x[np.isfinite(x)]) for x in arrays), default=0.0)
