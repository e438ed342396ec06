"""Error, gamma and normal-distribution functions; formulas as in the NIST handbook, 5 and 7."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from tcalc.expr import build
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Notation
from tcalc.primitives.arrays import Array, np, special
from tcalc.primitives.constants import pi
from tcalc.primitives.elementwise import About, Elementwise, Traits, Written, plus
from tcalc.primitives.exponential import exp, log
from tcalc.primitives.function import Function, elementwise_form
from tcalc.primitives.power import power, quotient0, reciprocal, square
from tcalc.primitives.routines import Embedded, per_element


def log_gamma(x: Array) -> Array:
    """log|Γ(x)|, continued analytically where x is complex.

    Left of 0 by reflection, ``Γ(x) Γ(1 - x) = π/sin(πx)``: loggamma has imaginary parts there in
    which those of the complex step would vanish.
    """
    if not np.iscomplexobj(x):
        return special.gammaln(x)
    left = x.real < 0
    sine = np.where(left, np.sin(np.pi * x) / np.pi, 1)
    mirrored = special.loggamma(np.where(left, 1 - x, x))
    return np.where(left, -mirrored, mirrored) - np.log(np.where(sine.real < 0, -sine, sine))


def gamma_reflected(x: Array) -> Array:
    """Γ(x) for complex x, left of 0 by reflection, so that small imaginary parts are exact."""
    left = x.real < 0
    mirrored = special.gamma(np.where(left, 1 - x, x))
    return np.where(left, np.pi / (np.sin(np.pi * x) * mirrored), mirrored)


def polygamma_of_order(x: Array, order: int) -> Array:
    """The derivative of that order of digamma, ``(-1)^(k+1) k! ζ(k+1, x)``."""
    factorial = 1.0
    for k in range(2, order + 1):
        factorial *= k
    return (factorial if order % 2 else -factorial) * special.zeta(order + 1, x)


def normal_density(x: Array) -> Array:
    """exp(-x²/2)/sqrt(2π)."""
    return np.exp(-0.5 * x * x) * 0.3989422804014327


def _gauss(x: Node) -> Node:
    # 2/sqrt(π) exp(-x²)
    bell = exp(build.scale(-1, square(x)))
    return build.scale(2, build.hadamard(power(pi(), Fraction(-1, 2)), bell))


erf = Elementwise(
    "erf",
    "special.erf",
    lambda x, y: _gauss(x),
    about=About("error function", derivative="2 exp(-x^2)/sqrt(pi)"),
    traits=Traits(total=True, zero_at_zero=True, bounded=True),
)
erfc = Elementwise(
    "erfc",
    "special.erfc",
    lambda x, y: build.scale(-1, _gauss(x)),
    about=About("1 - erf(x), accurate for large x", derivative="-2 exp(-x^2)/sqrt(pi)"),
    traits=Traits(total=True, positive=True),
)
gamma = Elementwise(
    "gamma",
    "special.gamma",
    lambda x, y: build.hadamard(y, digamma(x)),
    value=lambda x: gamma_reflected(x) if np.iscomplexobj(x) else special.gamma(x),
    about=About("gamma function", derivative="gamma(x) digamma(x)", domain="x not 0, -1, -2, …"),
    written=Written(latex=r"\Gamma"),
)
lgamma = Elementwise(
    "lgamma",
    Embedded(log_gamma),
    lambda x, y: digamma(x),
    about=About("log|gamma(x)|", derivative="digamma(x)", domain="x not 0, -1, -2, …"),
    written=Written(latex=r"\log\Gamma"),
)
digamma: Elementwise = Elementwise(
    "digamma",
    "special.digamma",
    lambda x, y: polygamma(x, 1),
    about=About(
        "logarithmic derivative of the gamma function",
        derivative="polygamma(1, x)",
        domain="x not 0, -1, -2, …",
    ),
    written=Written(latex=r"\psi"),
)


class Polygamma(Elementwise):
    """The derivative of `digamma` of order k ≥ 1, a family closed under differentiation."""

    def __init__(self, k: int) -> None:
        super().__init__(
            "polygamma",
            Embedded(polygamma_of_order, (k,), work=per_element(2)),
            lambda x, y: polygamma(x, k + 1),
            value=lambda x: special.polygamma(k, x),
            about=About(domain="x not 0, -1, -2, …"),
            traits=Traits(analytic=False),
        )
        self.k = k

    def __reduce__(self) -> tuple[Any, ...]:
        return (Polygamma, (self.k,))

    @property
    def key(self) -> str:
        return f"polygamma({self.k})"

    def notation(self, node: Apply) -> Notation:
        return Notation(name="polygamma", latex=rf"\psi^{{({self.k})}}", parameters=(str(self.k),))


def polygamma(x: Node, k: int) -> Node:
    """The k-th derivative of digamma; for k = 0 digamma itself."""
    return build.apply(Polygamma(k), x) if k else digamma(x)


def _polygamma_of(k: Fraction, x: Node) -> Node:
    if k.denominator != 1 or not 0 <= k <= _HIGHEST_ORDER:
        raise ValueError(f"polygamma takes an order from 0 to {_HIGHEST_ORDER}, not {k}")
    return polygamma(x, int(k))


_HIGHEST_ORDER = 100

normpdf = Elementwise(
    "normpdf",
    Embedded(normal_density, work=per_element(4)),
    lambda x, y: build.scale(-1, build.hadamard(x, y)),
    value=lambda x: np.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    about=About("density of the standard normal distribution", derivative="-x normpdf(x)"),
    written=Written(latex=r"\phi"),
    traits=Traits(total=True, positive=True, bounded=True),
)
normcdf = Elementwise(
    "normcdf",
    "special.ndtr",
    lambda x, y: normpdf(x),
    about=About(
        "distribution function of the standard normal distribution", derivative="normpdf(x)"
    ),
    written=Written(latex=r"\Phi"),
    traits=Traits(total=True, positive=True, bounded=True),
)


def normal_hazard(x: Array) -> Array:
    """The density over the distribution function, by scaled error functions: no 0/0."""
    return 0.7978845608028654 / special.erfcx(-0.7071067811865476 * x)


def normal_hazard_slope(x: Array) -> Array:
    """φ/Φ (x + φ/Φ), far to the left by an asymptotic series in 1/x (NIST handbook, 7.12)."""
    ratio = 0.7978845608028654 / special.erfcx(-0.7071067811865476 * x)
    far = np.where(x < -28, x, -28)
    t = -1 / far
    s = t * t
    rest = 706 - s * (8162 - s * (110410 - s * 1708394))
    series = t * (1 - s * (2 - s * (10 - s * (74 - s * rest))))
    return ratio * np.where(x < -28, series, x + ratio)


def log_normcdf_derivative(x: Array, k: int) -> Array:
    """The k-th derivative of log(Φ(x)), k > 2.

    By the Taylor coefficients of h = φ/Φ, for which h' = -h (x + h); where x < -10, and they
    cancel, by the asymptotic series ``h = -x - Σ (-1)^j c[j] x^-(2j+1)``, term by term.
    """
    near = np.maximum(x, -10)
    h = [0.7978845608028654 / special.erfcx(-0.7071067811865476 * near)]
    h.append(-h[0] * (near + h[0]))
    factorial = 1
    for j in range(2, k):
        factorial *= j
        products = sum(h[i] * h[j - 1 - i] for i in range(j))
        h.append(-(near * h[j - 1] + h[j - 2] + products) / j)
    last = 24 if x.itemsize > 4 else 10
    c = [1]
    for j in range(1, last + 1):  # of 1/x^2, by the same equation
        c.append((2 * j - 1) * c[j - 1] + sum(c[i] * c[j - 1 - i] for i in range(j)))
    t = 1 / np.minimum(x, -10)
    series = 0 * t
    for j in range(last, -1, -1):
        rising = 1
        for i in range(2 * j + 1, 2 * j + k):
            rising *= i
        series = series * -(t * t) + float(c[j] * rising)
    far = (1 if k % 2 == 0 else -1) * series * t**k
    return np.where(x < -10, far, factorial * h[k - 1])


log_normcdf = Elementwise(
    "log_normcdf",
    "special.log_ndtr",
    lambda x, y: hazard(x),
    about=About("log(normcdf(x)), without underflow"),
    written=Written(formula=lambda x: log(normcdf(x))),
    traits=Traits(total=True, analytic=False),
)
hazard: Elementwise = Elementwise(
    "normal_hazard",
    Embedded(normal_hazard, work=per_element(3)),
    # d φ/Φ = -(x + φ/Φ) φ/Φ dx
    lambda x, y: build.scale(-1, hazard_slope(x)),
    about=About("normpdf(x)/normcdf(x), without underflow"),
    written=Written(formula=lambda x: build.hadamard(normpdf(x), reciprocal(normcdf(x)))),
    traits=Traits(total=True, analytic=False, positive=True),
)
hazard_slope: Elementwise = Elementwise(
    "normal_hazard_slope",
    Embedded(normal_hazard_slope, work=per_element(21)),
    lambda x, y: build.scale(-1, LogNormcdfDerivative(3)(x)),
    about=About("the derivative of -normpdf(x)/normcdf(x), with no digits lost far to the left"),
    written=Written(formula=lambda x: build.hadamard(hazard(x), build.sum_of(x, hazard(x)))),
    traits=Traits(total=True, analytic=False, positive=True),
)


class LogNormcdfDerivative(Elementwise):
    """The derivative of log(normcdf(x)) of order k > 2, a family closed under differentiation."""

    def __init__(self, k: int) -> None:
        super().__init__(
            "log_normcdf_derivative",
            Embedded(log_normcdf_derivative, (k,), work=per_element(60 + 4 * k * k)),
            lambda x, y: LogNormcdfDerivative(k + 1)(x),
            # d h^j = -j h^j (x + h) dx
            written=Written(formula=lambda x: _polynomial(_higher(k, (1, 1), -1), x, hazard(x))),
            traits=Traits(total=True, analytic=False),
        )
        self.k = k

    def __reduce__(self) -> tuple[Any, ...]:
        return (LogNormcdfDerivative, (self.k,))

    @property
    def key(self) -> str:
        return f"log_normcdf_derivative({self.k})"


def _higher(k: int, slope: tuple[int, int], sign: int) -> dict[tuple[int, int], int]:
    """``h^(k-1)`` as a polynomial in x and h, from ``h' = sign h (a x + b h)``, slope = (a, b)."""
    found = {(0, 1): 1}
    for _ in range(k - 1):
        before, found = found, {}
        for (i, j), c in before.items():
            for power_of, term in (
                ((i - 1, j), c * i),
                ((i + 1, j), sign * c * j * slope[0]),
                ((i, j + 1), sign * c * j * slope[1]),
            ):
                if term:
                    found[power_of] = found.get(power_of, 0) + term
    return found


def _polynomial(terms: dict[tuple[int, int], int], x: Node, h: Node) -> Node:
    return build.add(
        (c, build.hadamard(power(x, i), power(h, j)) if i else power(h, j))
        for (i, j), c in sorted(terms.items())
        if c
    )


def logarithm_of_erfc(x: Array) -> Array:
    """log(erfc(x)): right of 1/2 by the scaled function, which does not underflow."""
    right = np.maximum(x, 0.5)
    scaled = np.log(special.erfcx(right)) - right * right
    return np.where(x > 0.5, scaled, np.log1p(-special.erf(np.minimum(x, 0.5))))


def erfc_hazard_ratio(x: Array) -> Array:
    """2/sqrt(π) exp(-x²)/erfc(x) by the scaled function: no 0/0."""
    return 1.1283791670955126 / special.erfcx(x)


def erfc_hazard_slope_of(x: Array) -> Array:
    """The derivative of h = 2/sqrt(π) exp(-x²)/erfc(x), h (h - 2x), as `normal_hazard_slope`."""
    ratio = 1.1283791670955126 / special.erfcx(x)
    far = np.where(x > 20, x, 20)
    t = 1 / far
    s = 0.5 * t * t
    rest = 706 - s * (8162 - s * (110410 - s * 1708394))
    series = t * (1 - s * (2 - s * (10 - s * (74 - s * rest))))
    return ratio * np.where(x > 20, series, ratio - 2 * x)


def log_erfc_derivative(x: Array, k: int) -> Array:
    """The k-th derivative of log(erfc(x)), k > 2: erfc(x) is 2 Φ(-sqrt(2) x)."""
    return (-1.4142135623730951) ** k * log_normcdf_derivative(-1.4142135623730951 * x, k)


log_erfc = Elementwise(
    "log_erfc",
    Embedded(logarithm_of_erfc, work=per_element(8)),
    lambda x, y: build.scale(-1, erfc_hazard(x)),
    about=About("log(erfc(x)), without underflow"),
    written=Written(formula=lambda x: log(erfc(x))),
    traits=Traits(total=True, analytic=False),
)
erfc_hazard: Elementwise = Elementwise(
    "erfc_hazard",
    Embedded(erfc_hazard_ratio, work=per_element(2)),
    lambda x, y: erfc_hazard_slope(x),
    about=About("2/sqrt(pi) exp(-x^2)/erfc(x), without underflow"),
    written=Written(formula=lambda x: build.hadamard(_gauss(x), reciprocal(erfc(x)))),
    traits=Traits(total=True, analytic=False, positive=True),
)
erfc_hazard_slope: Elementwise = Elementwise(
    "erfc_hazard_slope",
    Embedded(erfc_hazard_slope_of, work=per_element(21)),
    lambda x, y: build.scale(-1, LogErfcDerivative(3)(x)),
    about=About(
        "the derivative of 2/sqrt(pi) exp(-x^2)/erfc(x), with no digits lost far to the right"
    ),
    written=Written(
        formula=lambda x: build.hadamard(
            erfc_hazard(x), build.subtract(erfc_hazard(x), build.scale(2, x))
        )
    ),
    traits=Traits(total=True, analytic=False, positive=True),
)


class LogErfcDerivative(Elementwise):
    """The derivative of log(erfc(x)) of order k > 2, a family closed under differentiation."""

    def __init__(self, k: int) -> None:
        super().__init__(
            "log_erfc_derivative",
            Embedded(
                log_erfc_derivative,
                (k,),
                requires=(log_normcdf_derivative,),
                work=per_element(62 + 4 * k * k),
            ),
            lambda x, y: LogErfcDerivative(k + 1)(x),
            # with h = -(log erfc)':  d h = h (h - 2x) dx
            written=Written(
                formula=lambda x: build.scale(
                    -1, _polynomial(_higher(k, (-2, 1), 1), x, erfc_hazard(x))
                )
            ),
            traits=Traits(total=True, analytic=False),
        )
        self.k = k

    def __reduce__(self) -> tuple[Any, ...]:
        return (LogErfcDerivative, (self.k,))

    @property
    def key(self) -> str:
        return f"log_erfc_derivative({self.k})"


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
        "x log(y), and 0 where x = 0, for y = 0 too: an entropy's term",
        derivative="log(y) and x/y",
        domain="y > 0, or x = 0",
        kink="-infinity by x at y = 0",
    ),
)

FUNCTIONS = (
    *(f.function for f in (erf, erfc, gamma, lgamma, digamma, normpdf, normcdf, xlogx, xlogy)),
    Function(
        "polygamma",
        (elementwise_form(_polygamma_of, 1, parameters=1),),
        "polygamma(k, x): the k-th derivative of digamma",
        "x not 0, -1, -2, …",
        "polygamma(k + 1, x)",
    ),
)
