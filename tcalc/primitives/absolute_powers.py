"""Powers of absolute values, and powers with variable exponents, differentiated at 0 too.

``|x|^p`` and ``sign(x) |x|^p`` are each other's derivatives,

    d |x|^p = p sign(x) |x|^(p-1) dx,    d sign(x) |x|^p = p |x|^(p-1) dx,

so that no product ``sign(x)^2 |x|^(p-2)`` arises, which is 0 times infinity at 0 (and 0 where the
second derivative of ``|x|^2`` is 2).  At 0 the odd ones are 0, the mean of both sides, as sign(0)
is; the even ones are infinite for p < 0.  So the second derivative of ``|x|^1.5`` is infinite at 0.

``a x^y`` is 0 where a is, whatever x is: the derivatives ``y x^(y-1)``, ``y (y-1) x^(y-2)``, … of
a whole power are so 0 from the one on that vanishes, at x = 0 too.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from tcalc.expr import build
from tcalc.expr.nodes import Apply, Node
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.elementwise import About, Elementwise, Traits, Written, plus, same
from tcalc.primitives.exponential import log0, pow_
from tcalc.primitives.piecewise import abs_, sign
from tcalc.primitives.power import one_for_zero, power
from tcalc.primitives.routines import Embedded, Template, per_element


class AbsolutePower(Elementwise):
    """``|x|^p``, or ``sign(x) |x|^p`` where it is `odd`, for a rational number p."""

    def __init__(self, exponent: Fraction, odd: bool) -> None:
        p, other = Fraction(exponent), not odd
        size = "np.where({0} == 0, 1.0, np.abs({0}))" if p < 0 and odd else "np.abs({0})"
        super().__init__(
            "absolute_power",
            Template(f"{'np.sign({0}) * ' if odd else ''}{size} ** {float(p)!r}"),
            lambda x, y: build.scale(p, absolute_power(x, p - 1, odd=other)),
            value=lambda x: _value(x, float(p), odd),
            traits=Traits(
                total=p > 0,
                analytic=False,
                zero_at_zero=odd or p > 0,
                nonnegative=not odd,
                even=not odd,
            ),
        )
        self.exponent, self.odd = p, odd

    def __reduce__(self) -> tuple[Any, ...]:
        return (AbsolutePower, (self.exponent, self.odd))

    @property
    def key(self) -> str:
        return f"absolute_power({self.exponent}, {'odd' if self.odd else 'even'})"

    def expansion(self, node: Apply) -> Node:
        (x,) = node.args
        if not self.odd:
            return power(abs_(x), self.exponent)
        size = abs_(x) if self.exponent > 0 else one_for_zero(abs_(x))
        return build.hadamard(sign(x), power(size, self.exponent))

    def written(self, node: Apply) -> Node:
        (x,) = node.args
        found = power(abs_(x), self.exponent)
        return build.hadamard(sign(x), found) if self.odd else found


def _value(x: Array, p: float, odd: bool) -> Array:
    if not odd:
        return np.abs(x) ** p
    return np.where(x == 0, 0, np.sign(x) * np.where(x == 0, 1, np.abs(x)) ** p)


def absolute_power(x: Node, exponent: Fraction, *, odd: bool = False) -> Node:
    """``|x|^p``, or ``sign(x) |x|^p``, element by element."""
    whole = exponent.denominator == 1
    if whole and exponent >= 0 and exponent.numerator % 2 == odd:
        return power(x, exponent)
    if exponent in (0, 1):
        return sign(x) if odd else abs_(x)
    return build.apply(AbsolutePower(exponent, odd), x)


def even_power(a: Array, x: Array, y: Array) -> Array:
    """a |x|^y, and 0 where a = 0."""
    return np.where(a == 0, 0, a * np.power(np.abs(x), np.where(a == 0, 1, y)))


def odd_power(a: Array, x: Array, y: Array) -> Array:
    """a sign(x) |x|^y, and 0 where a = 0 or x = 0."""
    size = np.where(x == 0, 1, np.abs(x))
    return np.where(a == 0, 0, a * np.sign(x) * np.power(size, np.where(a == 0, 1, y)))


scaled_even_power: Elementwise = Elementwise(
    "scaled_even_power",
    Embedded(even_power, work=per_element(3)),
    lambda a, x, y, z: scaled_even_power(same(1, a), x, y),
    lambda a, x, y, z: scaled_odd_power(build.hadamard(a, y), x, plus(-1, y)),
    lambda a, x, y, z: build.hadamard(z, log0(abs_(x))),
    about=About("a |x|^y, and 0 where a = 0"),
    written=Written(formula=lambda a, x, y: build.hadamard(a, pow_(abs_(x), y))),
    traits=Traits(analytic=False),
)
scaled_odd_power: Elementwise = Elementwise(
    "scaled_odd_power",
    Embedded(odd_power, work=per_element(4)),
    lambda a, x, y, z: scaled_odd_power(same(1, a), x, y),
    lambda a, x, y, z: scaled_even_power(build.hadamard(a, y), x, plus(-1, y)),
    lambda a, x, y, z: build.hadamard(z, log0(abs_(x))),
    about=About("a sign(x) |x|^y, and 0 where a = 0 or x = 0"),
    written=Written(formula=lambda a, x, y: build.hadamard(a, sign(x), pow_(abs_(x), y))),
    traits=Traits(analytic=False),
)
