"""Error functions and the normal distribution, with logarithms of their tails.

Formulas are those of the NIST handbook, 7.  ``log Φ``, ``log erfc`` and all their derivatives keep
their digits far out, where Φ and erfc underflow: they are made of the quotients ``φ/Φ`` and
``exp(-x²)/erfc(x)``, which scaled error functions and asymptotic series give.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from tcalc.expr import build
from tcalc.expr.nodes import Node
from tcalc.primitives.arrays import Array, np, special
from tcalc.primitives.constants import pi
from tcalc.primitives.elementwise import About, Elementwise, Traits, Written
from tcalc.primitives.exponential import exp, log
from tcalc.primitives.power import power, reciprocal, square
from tcalc.primitives.routines import Embedded, per_element


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
    traits=Traits(total=True, zero_at_zero=True, bounded=True, odd=True),
)
erfc = Elementwise(
    "erfc",
    "special.erfc",
    lambda x, y: build.scale(-1, _gauss(x)),
    about=About("1 - erf(x), accurate for large x", derivative="-2 exp(-x^2)/sqrt(pi)"),
    traits=Traits(total=True, positive=True),
)
normpdf = Elementwise(
    "normpdf",
    Embedded(normal_density, work=per_element(4)),
    lambda x, y: build.scale(-1, build.hadamard(x, y)),
    value=lambda x: np.exp(-x * x / 2) / math.sqrt(2 * math.pi),
    about=About("density of the standard normal distribution", derivative="-x normpdf(x)"),
    written=Written(latex=r"\phi"),
    traits=Traits(total=True, positive=True, bounded=True, even=True),
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


FUNCTIONS = tuple(f.function for f in (erf, erfc, normpdf, normcdf))
