"""Functions with kinks, and the subgradient that each takes there.

At a kink the derivative is a fixed element of the subdifferential: 0 for `abs` and `relu`, equal
shares for `max` and `min`.  The derivatives of `sign` and `step` are 0 everywhere.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from tcalc.expr import build
from tcalc.expr.facts import holds as known
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Fact, Holds, Notation, Style
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.elementwise import About, Derivative, Elementwise, Traits, Written, plus, same
from tcalc.primitives.routines import Routine, Template, no_work

HALF = Fraction(1, 2)


def _share(x: Node, y: Node) -> Node:
    # (1 + sign(x - y))/2: one where x is the larger, a half at a tie
    return build.scale(HALF, plus(1, sign(build.subtract(x, y))))


def _zero(x: Node, y: Node) -> Node:
    return build.zeros(x.dims)


def _size(x: Array) -> Array:
    """The branch on which the real part lies, as generated code has it, and no modulus."""
    return np.where(x.real < 0, -x, x) if np.iscomplexobj(x) else np.abs(x)


sign = Elementwise(
    "sign",
    "np.sign",
    _zero,
    value=lambda x: np.sign(x.real) + 0j if np.iscomplexobj(x) else np.sign(x),
    branchwise=lambda x: 0 * x,
    about=About("-1, 0 or 1", derivative="0", kink="sign(0) = 0, derivative 0 at 0"),
    traits=Traits(
        total=True, analytic=False, zero_at_zero=True, integer=True, bounded=True, odd=True
    ),
)
step = Elementwise(
    "step",
    Template("np.heaviside({0}, 0.0)", ufunc=True),
    _zero,
    value=lambda x: np.heaviside(x, 0.0),
    branchwise=lambda x: 0 * x,
    about=About("1 where x > 0, else 0", derivative="0", kink="step(0) = 0, derivative 0 at 0"),
    written=Written(letter="h"),
    traits=Traits(
        total=True, analytic=False, zero_at_zero=True, nonnegative=True, integer=True, bounded=True
    ),
)
abs_ = Elementwise(
    "abs",
    "np.abs",
    lambda x, y: sign(x),
    value=_size,
    branchwise=lambda x: np.where(x.real < 0, -x, x),
    about=About("absolute value", derivative="sign(x)", kink="0 at x = 0"),
    written=Written(style=Style.ABSOLUTE),
    traits=Traits(total=True, analytic=False, zero_at_zero=True, nonnegative=True, even=True),
)
RECTIFIER = Template("np.maximum({0}, 0.0)", ufunc=True)
relu = Elementwise(
    "relu",
    RECTIFIER,
    lambda x, y: step(x),
    value=lambda x: np.maximum(x, 0.0),
    branchwise=lambda x: np.where(x.real > 0, x, 0),
    about=About("max(x, 0)", derivative="step(x)", kink="0 at x = 0 (max(x, 0) has 1/2 there)"),
    written=Written(letter="h"),
    traits=Traits(total=True, analytic=False, zero_at_zero=True, nonnegative=True),
)
maximum = Elementwise(
    "max",
    "np.maximum",
    lambda x, y, z: _share(x, y),
    lambda x, y, z: _share(y, x),
    branchwise=lambda x, y: np.where(x.real > y.real, x, y),
    about=About(
        "the larger of two numbers",
        derivative="1 for the larger, 0 for the other",
        kink="1/2 for each where x = y",
    ),
    written=Written(latex=r"\max"),
    traits=Traits(total=True, analytic=False, zero_at_zero=True),
)
minimum = Elementwise(
    "min",
    "np.minimum",
    lambda x, y, z: _share(y, x),
    lambda x, y, z: _share(x, y),
    branchwise=lambda x, y: np.where(x.real < y.real, x, y),
    about=About(
        "the smaller of two numbers",
        derivative="1 for the smaller, 0 for the other",
        kink="1/2 for each where x = y",
    ),
    written=Written(latex=r"\min"),
    traits=Traits(total=True, analytic=False, zero_at_zero=True),
)

_PASSED_ON = (
    Fact.POSITIVE,
    Fact.NONNEGATIVE,
    Fact.INTEGER,
    Fact.DIAGONAL,
    Fact.LOWER,
    Fact.UPPER,
)

COMPARISONS = ("<", "<=", ">", ">=", "==")


class Where(Elementwise):
    """``where(l < r, a, b)``: one of two branches, number by number.

    It is constant in what it compares.  A branch that is not taken does no harm by being NaN or
    infinite: `tcalc.calculus.branches` sees to it in derivatives.
    """

    def __init__(self, comparison: str) -> None:
        if comparison not in COMPARISONS:
            raise ValueError(f"{comparison!r} is not one of {' '.join(COMPARISONS)}")

        def branch(yes: int, no: int) -> Derivative:
            def slope(left: Node, right: Node, a: Node, b: Node, y: Node) -> Node:
                return self(left, right, same(yes, a), same(no, b))

            return slope

        super().__init__(
            "where",
            Template(f"np.where({{0}} {comparison} {{1}}, {{2}}, {{3}})"),
            lambda left, right, a, b, y: build.zeros(y.dims),
            lambda left, right, a, b, y: build.zeros(y.dims),
            branch(1, 0),
            branch(0, 1),
            value=lambda left, right, a, b: np.where(_COMPARE[comparison](left, right), a, b),
            written=Written(style=Style.BRANCH),
            traits=Traits(total=True),
        )
        self.comparison = comparison

    def __reduce__(self) -> tuple[Any, ...]:
        return (Where, (self.comparison,))

    @property
    def key(self) -> str:
        return f"where({self.comparison})"

    def routine(self, node: Apply) -> Routine:
        if all(known(x, Fact.CONSTANT) is True for x in node.args[2:]):
            # Numbers and sizes alone would give the array another type than that of the arguments.
            chosen = f"np.where({{0}} {self.comparison} {{1}}, {{2}}, {{3}})"
            return Template(f"{chosen}.astype(np.result_type({{0}}, {{1}}, 0.0))", work=no_work)
        return super().routine(node)

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        # Each number comes from one branch or the other, so what both obey number by number stays.
        if fact in _PASSED_ON:
            return True if all(holds(branch, fact) for branch in node.args[2:]) else None
        return super().facts(node, fact, holds)

    def notation(self, node: Apply) -> Notation:
        return Notation(Style.BRANCH, "where", mark=self.comparison)


_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}

FUNCTIONS = tuple(f.function for f in (sign, step, abs_, relu))
