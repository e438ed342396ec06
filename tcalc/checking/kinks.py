"""Where a function has no derivative: kinks, jumps, eigenvalues that meet.

They are found by numbers.  Along its tangent a smooth function has second differences
``f(t) - 2 f(0) + f(-t)`` that shrink with t², and differences that shrink with t; at a kink the
former shrink with t only, at a jump the latter not at all.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tcalc.checking.duals import Duals, moved, value_at
from tcalc.checking.magnitudes import magnitude
from tcalc.expr.nodes import Apply, Node
from tcalc.primitives.arrays import NumPyArray as Array
from tcalc.primitives.norms import Direction, Norm2
from tcalc.primitives.piecewise import Where

STEP = 1e-5
SHRUNK = 8.0
TINY = 1e-3
"""Over this part of the shorter step, second differences are rounding, at kinks and bends too."""
VISIBLE = 1e-4
"""A kink whose two slopes differ by less, relative to the largest slope, is none."""
LEAST = 1e-9
"""A jump that is lower, relative to the arguments, is the rounding of a value that may be zero."""


def kinks(order: Iterable[Node], found: Duals) -> list[Apply]:
    """The functions among the nodes that are not differentiable at their values."""
    return [
        node for node in order if isinstance(node, Apply) and _may_have(node) and _has(node, found)
    ]


def _may_have(node: Apply) -> bool:
    return not node.primitive.analytic or isinstance(node.primitive, Where | Norm2 | Direction)


def _has(node: Apply, found: Duals) -> bool:
    if not any(x in found.tangents for x in node.args):
        return False
    at, along = found.around(node)
    size, speed = max(map(magnitude, at)), max(map(magnitude, along))
    if speed == 0 or not np.isfinite(speed):
        return False

    def value(t: float) -> Array:
        return value_at(node, moved(at, along, t))

    step = STEP * max(size, 1.0) / speed
    try:
        with np.errstate(all="ignore"):
            here = value(0.0)
            near = [(t, value(t), value(-t)) for t in (step, step / SHRUNK)]
            least = TINY * step / SHRUNK
            rounding = magnitude(value(least) - 2 * here + value(-least))
    except (np.linalg.LinAlgError, ValueError):
        return False  # not a question of kinks
    (t, a, b), (s, c, d) = near
    wide, close = np.abs(a - 2 * here + b) / t, np.abs(c - 2 * here + d) / s
    slope, scale = magnitude(c - d) / (2 * s), magnitude(here)
    visible = VISIBLE * slope + 1e-6 * scale + 10 * rounding / s
    kinked = (close > wide / 2) & (close > visible)
    jump = np.abs(c - d)
    jumped = (jump > np.abs(a - b) / 2) & (jump > 1e-3 * scale + LEAST * max(size, 1.0))
    return bool(np.any(kinked | jumped))
