"""Hyperbolic functions and their inverses; derivatives as in Abramowitz & Stegun, 4.5 and 4.6."""

from __future__ import annotations

from fractions import Fraction

from tcalc.expr import build
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.elementwise import About, Elementwise, Traits, Written, plus, same
from tcalc.primitives.exponential import log
from tcalc.primitives.power import one_minus_square, power, reciprocal, square
from tcalc.primitives.radius import inverse_radius
from tcalc.primitives.routines import Embedded, Template, per_element


def complement_of_square(y: Array, x: Array) -> Array:
    """1 - y² for y = tanh(x); near 1, where digits cancel, as 4e/(1 + e)² with e = exp(-2|x|)."""
    size = np.where(x.real < 0, -x, x) if np.iscomplexobj(x) else np.abs(x)
    e = np.exp(-2 * size)
    rest = 1 - y * y
    return np.where(rest.real < 0.01, 4 * e / ((1 + e) * (1 + e)), rest)


def logarithm_of_cosh(x: Array) -> Array:
    """log(cosh(x)) as |x| + log(1 + exp(-2|x|)) - log(2), near 0 as log(1 + 2 sinh(x/2)²)."""
    size = np.where(x.real < 0, -x, x) if np.iscomplexobj(x) else np.abs(x)
    half = np.sinh(0.5 * np.minimum(size, 1))
    far = size + np.log1p(np.exp(-2 * size)) - 0.6931471805599453
    return np.where(size.real < 1, np.log1p(2 * half * half), far)


log_cosh: Elementwise = Elementwise(
    "log_cosh",
    Embedded(logarithm_of_cosh, work=per_element(10)),
    lambda x, y: tanh(x),
    about=About("log(cosh(x)), without overflow"),
    written=Written(formula=lambda x: log(cosh(x))),
    traits=Traits(total=True, zero_at_zero=True, nonnegative=True),
)
tanh_slope = Elementwise(
    "tanh_slope",
    Embedded(complement_of_square, fresh=True, work=per_element(2)),
    # A function of y alone: x is told for the sake of digits.
    lambda y, x, z: build.scale(-2, y),
    lambda y, x, z: build.zeros(x.dims),
    about=About("1 - y^2 for y = tanh(x), with no digits lost"),
    written=Written(formula=lambda y, x: one_minus_square(y)),
    traits=Traits(regular_point=0, total=True, positive=True, bounded=True),
)
acosh_slope: Elementwise = Elementwise(
    "acosh_slope",
    Template("1.0 / (np.sqrt({0} - 1.0) * np.sqrt({0} + 1.0))", work=per_element(6)),
    # d (x^2 - 1)^(-1/2) = -x (x^2 - 1)^(-3/2) dx
    lambda x, y: build.scale(-1, build.hadamard(acosh_quotient(x), square(y))),
    value=lambda x: 1 / (np.sqrt(x - 1) * np.sqrt(x + 1)),
    about=About("1/sqrt(x^2 - 1), with no digits lost"),
    written=Written(formula=lambda x: power(plus(-1, square(x)), Fraction(-1, 2))),
    traits=Traits(regular_point=2, positive=True),
)
acosh_quotient: Elementwise = Elementwise(
    "acosh_quotient",
    Template("{0} / (np.sqrt({0} - 1.0) * np.sqrt({0} + 1.0))", work=per_element(6)),
    lambda x, y: build.scale(-1, power(acosh_slope(x), 3)),
    value=lambda x: x / (np.sqrt(x - 1) * np.sqrt(x + 1)),
    about=About("x/sqrt(x^2 - 1), with no digits lost"),
    written=Written(
        formula=lambda x: build.hadamard(x, power(plus(-1, square(x)), Fraction(-1, 2)))
    ),
    traits=Traits(regular_point=2),
)
atanh_slope: Elementwise = Elementwise(
    "atanh_slope",
    Template("1.0 / ((1.0 - {0}) * (1.0 + {0}))", work=per_element(4)),
    lambda x, y: build.scale(2, build.hadamard(x, square(y))),
    value=lambda x: 1 / ((1 - x) * (1 + x)),
    about=About("1/(1 - x^2), with no digits lost near 1"),
    written=Written(formula=lambda x: reciprocal(one_minus_square(x))),
    traits=Traits(regular_point=0),
)
sinh = Elementwise(
    "sinh",
    "np.sinh",
    lambda x, y: cosh(x),
    about=About("hyperbolic sine", derivative="cosh(x)"),
    written=Written(latex=r"\sinh"),
    traits=Traits(regular_point=0, zero_at_zero=True, odd=True),
)
cosh: Elementwise = Elementwise(
    "cosh",
    "np.cosh",
    lambda x, y: sinh(x),
    about=About("hyperbolic cosine", derivative="sinh(x)"),
    written=Written(latex=r"\cosh"),
    traits=Traits(regular_point=0, positive=True, even=True),
)
tanh: Elementwise = Elementwise(
    "tanh",
    "np.tanh",
    lambda x, y: tanh_slope(y, x),
    about=About("hyperbolic tangent", derivative="1 - tanh(x)^2"),
    written=Written(latex=r"\tanh", letter="h"),
    traits=Traits(total=True, zero_at_zero=True, bounded=True, odd=True),
)
asinh = Elementwise(
    "asinh",
    "np.arcsinh",
    lambda x, y: inverse_radius(x, same(1, x)),
    about=About("inverse hyperbolic sine", derivative="1/sqrt(1 + x^2)", aliases=("arcsinh",)),
    written=Written(latex=r"\operatorname{arsinh}"),
    traits=Traits(total=True, zero_at_zero=True, odd=True),
)
acosh = Elementwise(
    "acosh",
    "np.arccosh",
    lambda x, y: acosh_slope(x),
    about=About(
        "inverse hyperbolic cosine",
        derivative="1/sqrt(x^2 - 1)",
        domain="x > 1",
        aliases=("arccosh",),
    ),
    written=Written(latex=r"\operatorname{arcosh}"),
    traits=Traits(regular_point=2, nonnegative=True),
)
atanh = Elementwise(
    "atanh",
    "np.arctanh",
    lambda x, y: atanh_slope(x),
    about=About(
        "inverse hyperbolic tangent",
        derivative="1/(1 - x^2)",
        domain="-1 < x < 1",
        aliases=("arctanh",),
    ),
    written=Written(latex=r"\operatorname{artanh}"),
    traits=Traits(regular_point=0, zero_at_zero=True, odd=True),
)

FUNCTIONS = tuple(f.function for f in (sinh, cosh, tanh, asinh, acosh, atanh))
