"""The gamma function and its logarithmic derivatives (NIST handbook, 5)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tcalc.expr import build
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Notation
from tcalc.primitives.arrays import Array, np, special
from tcalc.primitives.elementwise import About, Elementwise, Traits, Written
from tcalc.primitives.function import Function, elementwise_form
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
    """The derivative of that order of digamma, ``(-1)^(k+1) k! ζ(k+1, x)``.

    Far left of 0, where the zeta function is a sum of as many terms as x is large, by reflection:
    ``(-1)^k ψ_k(1 - x) - ψ_k(x) = π^(k+1) P_k(cot πx)``, P_0 = c, P_(k+1) = -(1 + c^2) P_k'.
    """
    factorial = 1.0
    for k in range(2, order + 1):
        factorial *= k
    far = x < -100
    found = special.zeta(order + 1, np.where(far, 1 - x, x))
    found = (factorial if order % 2 else -factorial) * found
    if not np.any(far):
        return found
    coefficients = [0.0, 1.0]
    for _ in range(order):
        slope = [k * c for k, c in enumerate(coefficients)][1:]
        coefficients = [-c for c in slope] + [0.0, 0.0]
        for k, c in enumerate(slope):
            coefficients[k + 2] -= c
    r = np.clip(x, -(2.0**53), 0.0)  # beyond it all numbers are integers, and poles
    r = r - np.round(r)
    tangent = np.where(r == 0, 1, np.tan(np.pi * r))
    mirrored = np.tan(np.pi * (0.5 - np.abs(r)))
    mirrored = np.where(r < 0, -mirrored, mirrored)
    cotangent = np.where(np.abs(r) < 0.25, np.where(r == 0, np.inf, 1 / tangent), mirrored)
    total = coefficients.pop() + 0 * r
    for c in reversed(coefficients):
        total = total * cotangent + c
    sign = -1.0 if order % 2 else 1.0
    return np.where(far, sign * found, found) - np.pi ** (order + 1) * np.where(far, total, 0)


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
            value=lambda x: polygamma_of_order(np.asarray(x), k),
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


FUNCTIONS = (
    *(f.function for f in (gamma, lgamma, digamma)),
    Function(
        "polygamma",
        (elementwise_form(_polygamma_of, 1, parameters=1),),
        "polygamma(k, x): the k-th derivative of digamma",
        "x not 0, -1, -2, …",
        "polygamma(k + 1, x)",
    ),
)
