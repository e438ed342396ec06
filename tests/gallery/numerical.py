"""Derivatives of a hand-written function along directions, by nothing but its values.

- The first by the complex step, ``Im f(x + i h u) / h`` with h = 1e-20, exact to rounding.
- The second of an analytic function by Cauchy's integral formula over a small circle, which is
  exact to rounding over the square of the radius (Lyness, Moler 1967).
- The second of a function with kinks by five-point differences of the complex step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

COMPLEX_STEP = 1e-20
REAL_STEP = 1e-3
RADIUS = 0.1
POINTS = 32

Function = Callable[[Any], Any]
"""A function of one complex number: the position along a line, or the offset on two."""


def first(f: Function) -> Any:
    """The derivative of ``f(t)`` at 0."""
    return np.imag(f(1j * COMPLEX_STEP)) / COMPLEX_STEP


def second(f: Callable[[Any, Any], Any]) -> Any:
    """The derivative of an analytic ``f(s, t)`` at 0 by both its arguments."""
    # f(t, t) and f(t, -t) differ in the mixed term only, by polarisation.
    return (_curvature(lambda t: f(t, t)) - _curvature(lambda t: f(t, -t))) / 4


def second_with_kinks(f: Callable[[Any, Any], Any]) -> Any:
    """The derivative of ``f(s, t)`` at 0 by both its arguments, off the kinks."""
    at = {k: first(lambda s, k=k: f(s, k * REAL_STEP)) for k in (-2, -1, 1, 2)}
    return (at[-2] - 8 * at[-1] + 8 * at[1] - at[2]) / (12 * REAL_STEP)


def _curvature(f: Function) -> Any:
    """The second derivative at 0, as the integral of ``f(z) / z^3`` around the circle."""
    angles = (np.arange(POINTS) + 0.5) * (2 * np.pi / POINTS)
    return 2 * np.mean([np.real(f(z) / z**2) for z in RADIUS * np.exp(1j * angles)], axis=0)
