"""Functions that act on each number by itself.

The four theorems of the chain rule for element-wise functions are one local Jacobian here, the
derivative times unit tensors: ``dy[i] = f'(x[i]) dx[i]``.  Derivatives are functions of the
argument nodes and the value node, so that ``exp' = value`` costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from importlib import import_module
from typing import Any, TypeAlias

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Apply, Const, Node
from tcalc.expr.primitive import Fact, Holds, LinearMap, LinearTerm, Notation, Style
from tcalc.primitives.arrays import linalg, np, special
from tcalc.primitives.function import Function, elementwise_form
from tcalc.primitives.routines import Coded, Embedded, Routine, Template
from tcalc.records import dataclass

Derivative: TypeAlias = Callable[..., Node]

BY_NAME: dict[str, Elementwise] = {}
"""The functions that are one object each, not of a family with parameters."""

_KEPT_BY_ZERO = (Fact.DIAGONAL, Fact.LOWER, Fact.UPPER)


@dataclass(frozen=True, slots=True)
class About:
    """What users are told of a function; `kink` is its convention where it has no derivative."""

    summary: str = ""
    derivative: str = ""
    domain: str = "all numbers"
    kink: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """How a function is written.

    Attributes: `latex`, its operator in LaTeX; `letter`, the usual one for its value; `formula`, an
    equal one on nodes, which is printed where the function stands for one that loses digits.
    """

    latex: str = ""
    letter: str = ""
    style: Style = Style.CALL
    formula: Callable[..., Node] | None = None


@dataclass(frozen=True, slots=True)
class Traits:
    """What is so for all numbers.

    Attributes: `regular_point`, a number at which all derivatives are finite (where all arguments
    take it); `total`, whether value and derivatives are finite, without overflow, everywhere;
    `analytic`, whether its code is right for the complex step; `zero_at_zero`; `positive`,
    `nonnegative` and `integer` if the values always are; `bounded` if they lie between -1 and 1;
    `even` if it is the same for -x, `odd` if it is the negative.
    """

    regular_point: Fraction | int = 1
    total: bool = False
    analytic: bool = True
    zero_at_zero: bool = False
    positive: bool = False
    nonnegative: bool = False
    integer: bool = False
    bounded: bool = False
    even: bool = False
    odd: bool = False


class Elementwise(Coded):
    """An element-wise function of one or more tensors of one shape.

    `derivatives` has for each argument a function ``(*arguments, value) -> Node``.  `code` is the
    dotted name of a NumPy or SciPy ufunc (``"np.exp"``), or a routine with `value`, the function
    on arrays that the interpreter uses.  `branchwise`, where `value` is not analytic, is the
    function on complex numbers that takes the branch of their real parts.
    """

    def __init__(
        self,
        name: str,
        code: str | Template | Embedded,
        *derivatives: Derivative,
        value: Callable[..., Any] | None = None,
        branchwise: Callable[..., Any] | None = None,
        about: About = About(),
        written: Written = Written(),
        traits: Traits = Traits(),
    ) -> None:
        self.name = name
        self.derivatives = derivatives
        self.arity = len(derivatives)
        self.branchwise = branchwise
        self.letter = written.letter
        self.regular_point = Fraction(traits.regular_point)
        self.total = traits.total
        self.analytic = traits.analytic
        self.zero_at_zero = traits.zero_at_zero
        self.bounded = traits.bounded
        self.even = traits.even
        self.odd = traits.odd
        self._code = replace(code, elementwise=True) if isinstance(code, Embedded) else code
        self._value = value
        self.about = about
        self._written = written
        self._always = {
            Fact.POSITIVE: traits.positive,
            Fact.NONNEGATIVE: traits.positive or traits.nonnegative,
            Fact.INTEGER: traits.integer,
        }
        if type(self) is Elementwise:
            if value is None and isinstance(code, Template):
                raise TypeError(f"{name}: a template needs a value on arrays beside it")
            BY_NAME[name] = self

    def __reduce__(self) -> tuple[Any, ...]:
        return (named, (self.name,))

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        if len(arguments) != self.arity:
            raise ValueError(f"{self.name} takes {self.arity} arguments, not {len(arguments)}")
        for other in arguments[1:]:
            if other != arguments[0]:
                raise ValueError(
                    f"{self.name}: arguments of shapes {_text(arguments[0])} and {_text(other)}"
                )
        return (arguments[0],)

    def slope(self, node: Apply, position: int) -> Node:
        """The derivative by one argument, of the shape of the node."""
        return self.derivatives[position](*node.args, node)

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        slope = self.slope(node, position)
        if isinstance(slope, Const) and slope.value == 0:
            return ()
        axes = tuple(range(node.order))
        # dy[i] = f'(x[i]) dx[i]
        return (LinearTerm(Fraction(1), (slope,), (axes,), axes, axes),)

    def evaluate(self, *arrays: Any) -> Any:
        if self._value is not None:
            return self._value(*arrays)
        if isinstance(self._code, Embedded):
            return self._code.function(*arrays, *self._code.parameters)
        assert isinstance(self._code, str)  # a template has a value beside it
        module, _, function = self._code.partition(".")
        modules = {"np": np, "linalg": linalg, "special": special}
        return getattr(modules[module], function)(*arrays)

    def routine(self, node: Apply) -> Routine:
        if isinstance(self._code, str):
            places = ", ".join(f"{{{k}}}" for k in range(self.arity))
            return Template(f"{self._code}({places})", ufunc=True)
        return self._code

    def written(self, node: Apply) -> Node | None:
        formula = self._written.formula
        return None if formula is None else formula(*node.args)

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        if self._always.get(fact):
            return True
        kept = fact is Fact.SYMMETRIC or (self.zero_at_zero and fact in _KEPT_BY_ZERO)
        if kept and all(holds(argument, fact) is True for argument in node.args):
            return True
        return None

    def notation(self, node: Apply) -> Notation:
        return Notation(self._written.style, self.name, self._written.latex)

    def __call__(self, *args: Node) -> Node:
        """The function applied to nodes of one shape."""
        return build.apply(self, *args)

    @property
    def function(self) -> Function:
        """Its entry in the language."""
        return Function(
            self.name,
            (elementwise_form(self, self.arity),),
            self.about.summary,
            self.about.domain,
            self.about.derivative,
            self.about.kink,
            self.about.aliases,
        )


def named(name: str) -> Elementwise:
    """The element-wise function of that name: what unpickling one gives."""
    import_module("tcalc.primitives")
    return BY_NAME[name]


def same(number: Fraction | int, like: Node) -> Node:
    """A number in every place of a tensor of the shape of another."""
    return build.const(number, like.dims)


def plus(number: Fraction | int, x: Node) -> Node:
    """``number + x``."""
    return build.sum_of(same(number, x), x)


def _text(shape: Shape) -> str:
    return "[" + ",".join(map(str, shape)) + "]"
