"""Trigonometric functions and their inverses (Abramowitz & Stegun, 4.3 and 4.4)."""

from __future__ import annotations

from fractions import Fraction

from tcalc.expr import build
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.elementwise import About, Elementwise, Traits, Written, plus, same
from tcalc.primitives.power import one_minus_square, power, square
from tcalc.primitives.radius import inverse_radius, over_radius
from tcalc.primitives.routines import Template, per_element


def _complex_angle(y: Array, x: Array) -> Array:
    """The angle of (x, y) up to a constant, from the quotient that is finite."""
    steep = np.abs(y.real) > np.abs(x.real)
    flat = np.arctan(y / np.where(steep, 1, x))
    return np.where(steep, -np.arctan(x / np.where(steep, y, 1)), flat)


asin_slope: Elementwise = Elementwise(
    "asin_slope",
    Template("1.0 / np.sqrt((1.0 - {0}) * (1.0 + {0}))", work=per_element(5)),
    # d (1 - x^2)^(-1/2) = x (1 - x^2)^(-3/2) dx
    lambda x, y: build.hadamard(x, power(y, 3)),
    value=lambda x: 1 / np.sqrt((1 - x) * (1 + x)),
    about=About("1/sqrt(1 - x^2), with no digits lost near 1"),
    written=Written(formula=lambda x: power(one_minus_square(x), Fraction(-1, 2))),
    traits=Traits(regular_point=0, positive=True),
)
sin = Elementwise(
    "sin",
    "np.sin",
    lambda x, y: cos(x),
    about=About("sine", derivative="cos(x)"),
    written=Written(latex=r"\sin"),
    traits=Traits(total=True, zero_at_zero=True, bounded=True, odd=True),
)
cos: Elementwise = Elementwise(
    "cos",
    "np.cos",
    lambda x, y: build.scale(-1, sin(x)),
    about=About("cosine", derivative="-sin(x)"),
    written=Written(latex=r"\cos"),
    traits=Traits(total=True, bounded=True, even=True),
)
tan = Elementwise(
    "tan",
    "np.tan",
    lambda x, y: plus(1, square(y)),
    about=About("tangent", derivative="1 + tan(x)^2", domain="x not an odd multiple of pi/2"),
    written=Written(latex=r"\tan"),
    traits=Traits(regular_point=0, zero_at_zero=True, odd=True),
)
asin = Elementwise(
    "asin",
    "np.arcsin",
    lambda x, y: asin_slope(x),
    about=About(
        "inverse sine", derivative="1/sqrt(1 - x^2)", domain="-1 < x < 1", aliases=("arcsin",)
    ),
    written=Written(latex=r"\arcsin"),
    traits=Traits(regular_point=0, zero_at_zero=True, odd=True),
)
acos = Elementwise(
    "acos",
    "np.arccos",
    lambda x, y: build.scale(-1, asin_slope(x)),
    about=About(
        "inverse cosine", derivative="-1/sqrt(1 - x^2)", domain="-1 < x < 1", aliases=("arccos",)
    ),
    written=Written(latex=r"\arccos"),
    traits=Traits(regular_point=0),
)
atan = Elementwise(
    "atan",
    "np.arctan",
    lambda x, y: square(inverse_radius(x, same(1, x))),
    about=About("inverse tangent", derivative="1/(1 + x^2)", aliases=("arctan",)),
    written=Written(latex=r"\arctan"),
    traits=Traits(total=True, zero_at_zero=True, odd=True),
)
atan2 = Elementwise(
    "atan2",
    "np.arctan2",
    # d atan2(y, x) = (x dy - y dx) / (x^2 + y^2)
    lambda y, x, z: build.hadamard(over_radius(x, y), inverse_radius(x, y)),
    lambda y, x, z: build.scale(-1, build.hadamard(over_radius(y, x), inverse_radius(x, y))),
    branchwise=_complex_angle,
    about=About(
        "the angle of the point (x, y), for arguments y, x",
        derivative="x/(x^2 + y^2) by y and -y/(x^2 + y^2) by x",
        domain="not both 0",
        aliases=("arctan2",),
    ),
    traits=Traits(analytic=False),
)

FUNCTIONS = tuple(f.function for f in (sin, cos, tan, asin, acos, atan, atan2))
