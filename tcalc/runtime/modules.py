"""NumPy's arrays and CuPy's, in code that is written for both.

NumPy's functions hand CuPy's arrays on to CuPy; what remains is what makes arrays, and what CuPy's
arrays refuse, to become NumPy's unasked.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from tcalc.primitives.arrays import NumPyArray as Array


def is_on_device(array: Any) -> bool:
    """Whether an array is CuPy's."""
    return type(array).__module__.partition(".")[0] == "cupy"


def module_of(arrays: Any) -> Any:
    """CuPy where one of the arrays is its, else NumPy."""
    return sys.modules["cupy"] if any(map(is_on_device, arrays)) else np


def as_array(value: Any) -> Array:
    """An array of either kind as it is, a number as an array."""
    array: Array = value if is_on_device(value) else np.asarray(value)
    return array


def on_host(array: Any) -> Any:
    """A copy that is NumPy's, of an array of either kind."""
    return sys.modules["cupy"].asnumpy(array) if is_on_device(array) else array


def where(array: Any, other: Any) -> Any:
    """A NumPy array moved to where another one is."""
    return sys.modules["cupy"].asarray(array) if is_on_device(other) else array


def largest(array: Any) -> float:
    """The largest element; 0 of none."""
    return float(array.max()) if array.size else 0.0
