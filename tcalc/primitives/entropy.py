"""The terms of entropies, ``x log(x)`` and ``x log(y)``, which are 0 where x is."""

from __future__ import annotations

from tcalc.primitives.arrays import Array, special
from tcalc.primitives.elementwise import About, Elementwise, Traits, plus
from tcalc.primitives.exponential import log
from tcalc.primitives.power import quotient0
from tcalc.primitives.routines import Embedded, per_element


def x_log_x(x: Array) -> Array:
    """x log(x), and 0 at 0."""
    return special.xlogy(x, x)


xlogx = Elementwise(
    "xlogx",
    Embedded(x_log_x),
    lambda x, y: plus(1, log(x)),
    about=About(
        "x log(x), and 0 at x = 0",
        derivative="1 + log(x)",
        domain="x ≥ 0",
        kink="-infinity at x = 0",
    ),
    traits=Traits(zero_at_zero=True),
)


def x_log_y(x: Array, y: Array) -> Array:
    """x log(y), and 0 where x = 0."""
    return special.xlogy(x, y)


xlogy = Elementwise(
    "xlogy",
    Embedded(x_log_y, work=per_element(2)),
    lambda x, y, z: log(y),
    # x/y, and 0 where x = 0 like the function itself
    lambda x, y, z: quotient0(x, y),
    about=About(
        "x log(y), and 0 where x = 0, even if y = 0: the terms of an entropy",
        derivative="log(y) and x/y",
        domain="y > 0, or x = 0",
        kink="-infinity by x at y = 0",
    ),
)

FUNCTIONS = tuple(f.function for f in (xlogx, xlogy))
