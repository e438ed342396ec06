"""Hyperbolic functions and their inverses; derivatives as in Abramowitz & Stegun, 4.5 and 4.6."""

from __future__ import annotations

from fractions import Fraction

from tcalc.expr import build
from tcalc.primitives.elementwise import Elementwise, plus
from tcalc.primitives.power import power, reciprocal, square

HALF = Fraction(1, 2)

sinh = Elementwise(
    "sinh",
    "np.sinh",
    lambda x, y: cosh(x),
    summary="hyperbolic sine",
    derivative="cosh(x)",
    latex=r"\sinh",
    zero_at_zero=True,
    regular_point=0,
)
cosh: Elementwise = Elementwise(
    "cosh",
    "np.cosh",
    lambda x, y: sinh(x),
    summary="hyperbolic cosine",
    derivative="sinh(x)",
    latex=r"\cosh",
    positive=True,
    regular_point=0,
)
tanh = Elementwise(
    "tanh",
    "np.tanh",
    lambda x, y: plus(1, build.scale(-1, square(y))),
    summary="hyperbolic tangent",
    derivative="1 - tanh(x)^2",
    latex=r"\tanh",
    letter="h",
    zero_at_zero=True,
    total=True,
    bounded=True,
)
asinh = Elementwise(
    "asinh",
    "np.arcsinh",
    lambda x, y: power(plus(1, square(x)), -HALF),
    summary="inverse hyperbolic sine",
    aliases=("arcsinh",),
    derivative="1/sqrt(1 + x^2)",
    latex=r"\operatorname{arsinh}",
    zero_at_zero=True,
    total=True,
)
acosh = Elementwise(
    "acosh",
    "np.arccosh",
    lambda x, y: power(plus(-1, square(x)), -HALF),
    summary="inverse hyperbolic cosine",
    aliases=("arccosh",),
    domain="x > 1",
    derivative="1/sqrt(x^2 - 1)",
    latex=r"\operatorname{arcosh}",
    nonnegative=True,
    regular_point=2,
)
atanh = Elementwise(
    "atanh",
    "np.arctanh",
    lambda x, y: reciprocal(plus(1, build.scale(-1, square(x)))),
    summary="inverse hyperbolic tangent",
    aliases=("arctanh",),
    domain="-1 < x < 1",
    derivative="1/(1 - x^2)",
    latex=r"\operatorname{artanh}",
    zero_at_zero=True,
    regular_point=0,
)

FUNCTIONS = tuple(f.function for f in (sinh, cosh, tanh, asinh, acosh, atanh))
