"""Powers with constant exponents: squares, roots, reciprocals.

``Power(p)`` is one family for all rational p, closed under differentiation:
``d x^p = p x^(p-1) dx``.  `power` is the way to build one; it folds what is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from tcalc.expr import build
from tcalc.expr.nodes import Apply, Const, Node
from tcalc.expr.primitive import Fact, Holds, Notation, Style
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.elementwise import About, Elementwise, Traits, Written, plus, same
from tcalc.primitives.function import Function, elementwise_form
from tcalc.primitives.routines import Embedded, Routine, Template, per_element

_FOLDED_BITS = 2048
"""The most bits of a power of two exact numbers."""

_BY_PRODUCTS: dict[Fraction, str] = {
    Fraction(1): "{0}",
    Fraction(2): "np.square({0})",
    Fraction(3): "{0} * {0} * {0}",
    Fraction(4): "np.square(np.square({0}))",
    Fraction(5): "np.square(np.square({0})) * {0}",
    Fraction(6): "np.square({0} * {0} * {0})",
    Fraction(7): "np.square({0} * {0} * {0}) * {0}",
    Fraction(8): "np.square(np.square(np.square({0})))",
    Fraction(1, 2): "np.sqrt({0})",
    Fraction(3, 2): "{0} * np.sqrt({0})",
    Fraction(5, 2): "np.square({0}) * np.sqrt({0})",
    Fraction(7, 2): "{0} * {0} * {0} * np.sqrt({0})",
}
"""Powers by products and a root, which take a fifth to a tenth of the time of a general one."""


class Power(Elementwise):
    """The element-wise power x^p with a constant rational exponent p."""

    def __init__(self, exponent: Fraction | int) -> None:
        p = Fraction(exponent)
        whole = p.denominator == 1
        super().__init__(
            "power",
            Template("{0} ** " + _literal(p)),
            lambda x, y: build.scale(p, power(x, p - 1)),
            value=lambda x: np.power(x, int(p) if whole and p > 0 else float(p)),
            traits=Traits(
                total=whole and p > 0,
                zero_at_zero=p > 0,
                positive=whole and p < 0 and p.numerator % 2 == 0,
                nonnegative=p.numerator % 2 == 0 or not whole,
                even=whole and p.numerator % 2 == 0,
                odd=whole and p.numerator % 2 == 1,
            ),
        )
        self.exponent = p

    def __reduce__(self) -> tuple[Any, ...]:
        return (Power, (self.exponent,))

    @property
    def key(self) -> str:
        return f"power({self.exponent})"

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        (x,) = node.args
        if fact in (Fact.POSITIVE, Fact.NONNEGATIVE) and holds(x, Fact.POSITIVE):
            return True
        if fact is Fact.NONNEGATIVE and self.exponent > 0 and holds(x, Fact.NONNEGATIVE):
            return True
        if fact is Fact.INTEGER and self.exponent.denominator == 1 and self.exponent > 0:
            return holds(x, Fact.INTEGER)
        return super().facts(node, fact, holds)

    def routine(self, node: Apply) -> Routine:
        text = _BY_PRODUCTS.get(abs(self.exponent))
        if text is None:
            return self._template
        if self.exponent > 0:
            return Template(text, ufunc=self.exponent in (2, Fraction(1, 2)))
        return Template(f"1.0 / ({text})" if " * " in text else f"1.0 / {text}")

    @property
    def _template(self) -> Template:
        return Template("{0} ** " + _literal(self.exponent))

    def notation(self, node: Apply) -> Notation:
        if self.exponent == Fraction(1, 2):
            return Notation(Style.ROOT, "sqrt", r"\sqrt")
        return Notation(Style.POWER, "power", exponent=self.exponent)


def power(x: Node, exponent: Fraction | int) -> Node:
    """``x^p`` element by element; exact numbers fold.

    >>> power(build.const(4), -1) is build.const(Fraction(1, 4))
    True
    """
    p = Fraction(exponent)
    if p == 0:
        return build.ones(x.dims)
    if p == 1:
        return x
    if isinstance(x, Const) and (folded := exact_power(x.value, p)) is not None:
        return build.const(folded, x.dims)
    return build.apply(Power(p), x)


def exact_power(base: Fraction, p: Fraction) -> Fraction | None:
    """``base^p`` where that is a fraction of moderate length, else None.

    >>> exact_power(Fraction(2, 3), Fraction(-2)), exact_power(Fraction(2), Fraction(1, 2))
    (Fraction(9, 4), None)
    """
    if base == 1:
        return base
    if p.denominator != 1 or (base == 0 and p < 0):
        return None
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    return base**p.numerator if bits * abs(p.numerator) <= _FOLDED_BITS else None


def _literal(p: Fraction) -> str:
    if p.denominator == 1 and p > 0:
        return str(p)
    return repr(float(p)) if p > 0 else f"({float(p)!r})"


def sqrt(x: Node) -> Node:
    """The square root."""
    return power(x, Fraction(1, 2))


def square(x: Node) -> Node:
    """The square."""
    return power(x, 2)


def one_minus_square(x: Node) -> Node:
    """``1 - x^2``."""
    return plus(1, build.scale(-1, square(x)))


def reciprocal(x: Node) -> Node:
    """One over x."""
    return power(x, -1)


def divide(x: Node, y: Node) -> Node:
    """``x ./ y`` for tensors of one shape, or a scalar in either place."""
    return build.hadamard(x, reciprocal(y))


def reciprocal_or_zero(x: Array) -> Array:
    """1/x, and 0 where x = 0."""
    return np.where(x == 0, 0, 1.0 / np.where(x == 0, 1, x))


reciprocal0 = Elementwise(
    "reciprocal0",
    Embedded(reciprocal_or_zero, work=per_element(1)),
    # d(1/x) = -dx/x^2, and 0 at 0 like the function itself
    lambda x, y: build.scale(-1, square(y)),
    about=About(
        "1/x, and 0 at x = 0: what makes the derivatives of norm2 vanish at 0",
        derivative="-reciprocal0(x)^2",
        kink="0 at x = 0, at every order",
    ),
    traits=Traits(zero_at_zero=True),
)


sqrt0 = Elementwise(
    "sqrt0",
    "np.sqrt",
    # d sqrt(x) = dx/(2 sqrt(x)), and 0 at 0, where x is least
    lambda x, y: build.scale(Fraction(1, 2), reciprocal0(y)),
    about=About(
        "the square root of what is 0 only where it is smooth and least, as sums of squares are",
        derivative="1/(2 sqrt(x))",
        domain="x ≥ 0",
        kink="0 at x = 0, at every order",
    ),
    written=Written(formula=lambda x: sqrt(x)),
    traits=Traits(nonnegative=True, zero_at_zero=True),
)


quotient = Elementwise(
    "quotient",
    Template("{0} / {1}"),
    lambda x, y, z: reciprocal(y),
    lambda x, y, z: build.scale(-1, build.hadamard(z, reciprocal(y))),
    value=lambda x, y: x / y,
    about=About(
        "x/y as one division, where x * (1/y) may leave the range of numbers on the way",
        derivative="1/y and -x/y^2",
        domain="y ≠ 0",
    ),
)


def quotient_or_zero(x: Array, y: Array) -> Array:
    """x/y, and 0 where x = 0."""
    return np.where(x == 0, 0, x / np.where(x == 0, 1, y))


quotient0: Elementwise = Elementwise(
    "quotient0",
    Embedded(quotient_or_zero, work=per_element(1)),
    lambda x, y, z: reciprocal(y),
    lambda x, y, z: build.scale(-1, quotient0(z, y)),
    about=About("x/y, and 0 where x = 0", domain="y ≠ 0, or x = 0"),
    written=Written(formula=lambda x, y: build.hadamard(x, reciprocal(y))),
)
one_for_zero = Elementwise(
    "one_for_zero",
    Template("np.where({0} == 0, 1, {0})"),
    lambda x, y: same(1, x),
    value=lambda x: np.where(x == 0, 1, x),
    about=About("x, and 1 at x = 0: a denominator", derivative="1"),
)


def reciprocal_of_entries(x: Array) -> Array:
    """1/x; an error that tells the place where x = 0."""
    if (x == 0).any():
        places = ", ".join(str(int(k) + 1) for k in np.argwhere(x == 0)[0])
        raise np.linalg.LinAlgError(f"inv: the matrix is singular, its diagonal is 0 at [{places}]")
    return 1.0 / x


class InverseEntries(Elementwise):
    """1/x for the diagonal of a matrix that is inverted, which is singular where x = 0."""

    blamed = "inv"

    def __init__(self) -> None:
        super().__init__(
            "inverse_entries",
            Embedded(reciprocal_of_entries, work=per_element(1)),
            lambda x, y: build.scale(-1, square(y)),
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return (InverseEntries, ())

    def notation(self, node: Apply) -> Notation:
        return Notation(Style.POWER, "power", exponent=Fraction(-1))


inverse_entries = InverseEntries()


def _entry(
    name: str,
    built: Callable[[Node], Node],
    summary: str,
    domain: str,
    derivative: str,
    kink: str = "",
) -> Function:
    return Function(name, (elementwise_form(built),), summary, domain, derivative, kink)


FUNCTIONS = (
    _entry("sqrt", sqrt, "square root", "x ≥ 0", "1/(2 sqrt(x))", "infinite at x = 0"),
    _entry("square", square, "square", "all numbers", "2 x"),
    _entry("reciprocal", reciprocal, "1/x", "x ≠ 0", "-1/x^2"),
    reciprocal0.function,
)
