"""Functions in C beside those of NumPy's code: what both give, and what both raise."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

import tcalc
from tcalc.errors import TcalcError


@cache
def pair(text: str, declared: str, wrt: str = "", **options: Any) -> tuple[Any, Any]:
    """A function with its gradients, in C and in NumPy's code."""
    f = tcalc.parse(text, declared)
    roots = [f, *(tcalc.derivative(f, name) for name in wrt.split())]
    made = [tcalc.compile(roots, backend=x, **options) for x in ("c", "numpy")]
    return made[0], made[1]


def agree(found: Any, due: Any, tolerance: float = 1e-12) -> None:
    assert len(found) == len(due)
    for mine, other in zip(found, due, strict=True):
        assert type(mine) is type(other)
        assert np.shape(mine) == np.shape(other)
        assert mine.dtype == other.dtype
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance)


def outcome(function: Any, arguments: dict[str, Any]) -> Any:
    """The results of a call, or its error."""
    try:
        return function(**arguments)
    except TcalcError as error:
        return error


def same(found: Any, due: Any, about: str = "", tolerance: float = 1e-9) -> None:
    """Two outcomes agree: in type and words where they are errors."""
    if isinstance(due, Exception) or isinstance(found, Exception):
        assert (type(found), str(found)) == (type(due), str(due)), about
        return
    for mine, other in zip(found, due, strict=True):
        scale = max(1.0, float(np.abs(np.where(np.isfinite(other), other, 0)).max(initial=0)))
        np.testing.assert_allclose(
            mine, other, rtol=tolerance, atol=tolerance * scale, err_msg=about
        )
