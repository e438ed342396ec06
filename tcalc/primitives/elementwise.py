"""Functions that act on each number by itself.

The four theorems of the chain rule for element-wise functions are one local Jacobian here, the
derivative times unit tensors: ``dy[i] = f'(x[i]) dx[i]``.  Derivatives are functions of the
argument nodes and the value node, so that ``exp' = value`` costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
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

Derivative: TypeAlias = Callable[..., Node]

_by_name: dict[str, Elementwise] = {}

_KEPT_BY_ZERO = (Fact.DIAGONAL, Fact.LOWER, Fact.UPPER)


class Elementwise(Coded):
    """An element-wise function of one or more tensors of one shape.

    `derivatives` has for each argument a function ``(*arguments, value) -> Node``.  `code` is the
    dotted name of a NumPy or SciPy ufunc (``"np.exp"``), or a routine with `value`, the function
    on arrays that the interpreter uses.  `written` is the formula on nodes that is printed for it.

    Attributes: `regular_point`, a number at which all derivatives are finite (where all arguments
    take it); `total`, whether value and derivatives are finite, without overflow, everywhere;
    `analytic`, whether its code is right for the complex step; `branchwise`, where it is not, the
    function on complex numbers that takes the branch of their real parts; `zero_at_zero`;
    `positive` and `nonnegative` if the values always are; `bounded` if they lie between -1 and 1;
    `domain`, `derivative` and `kink`, texts for the user.
    """

    def __init__(
        self,
        name: str,
        code: str | Template | Embedded,
        *derivatives: Derivative,
        summary: str = "",
        value: Callable[..., Any] | None = None,
        branchwise: Callable[..., Any] | None = None,
        written: Callable[..., Node] | None = None,
        aliases: tuple[str, ...] = (),
        domain: str = "all numbers",
        derivative: str = "",
        kink: str = "",
        latex: str = "",
        letter: str = "",
        style: Style = Style.CALL,
        regular_point: Fraction | int = 1,
        total: bool = False,
        analytic: bool = True,
        zero_at_zero: bool = False,
        positive: bool = False,
        nonnegative: bool = False,
        integer: bool = False,
        bounded: bool = False,
    ) -> None:
        self.name = name
        self.bounded = bounded
        self.derivatives = derivatives
        self.arity = len(derivatives)
        self.aliases = aliases
        self.summary = summary
        self.domain = domain
        self.derivative = derivative
        self.kink = kink
        self.regular_point = Fraction(regular_point)
        self.total = total
        self.analytic = analytic
        self.zero_at_zero = zero_at_zero
        self.letter = letter
        self._latex = latex
        self._style = style
        self._always = {
            Fact.POSITIVE: positive,
            Fact.NONNEGATIVE: positive or nonnegative,
            Fact.INTEGER: integer,
        }
        self._code = code
        self._written = written
        self._value = value
        self.branchwise = branchwise
        if type(self) is Elementwise:
            if value is None and isinstance(code, Template):
                raise TypeError(f"{name}: a template needs a value on arrays beside it")
            _by_name[name] = self

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
        return None if self._written is None else self._written(*node.args)

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        if self._always.get(fact):
            return True
        kept = fact is Fact.SYMMETRIC or (self.zero_at_zero and fact in _KEPT_BY_ZERO)
        if kept and all(holds(argument, fact) is True for argument in node.args):
            return True
        return None

    def notation(self, node: Apply) -> Notation:
        return Notation(self._style, self.name, self._latex)

    def __call__(self, *args: Node) -> Node:
        """The function applied to nodes of one shape."""
        return build.apply(self, *args)

    @property
    def function(self) -> Function:
        """Its entry in the language."""
        return Function(
            self.name,
            (elementwise_form(self, self.arity),),
            self.summary,
            self.domain,
            self.derivative,
            self.kink,
            self.aliases,
        )


def named(name: str) -> Elementwise:
    """The element-wise function of that name: what unpickling one gives."""
    import_module("tcalc.primitives")
    return _by_name[name]


def same(number: Fraction | int, like: Node) -> Node:
    """A number in every place of a tensor of the shape of another."""
    return build.const(number, like.dims)


def plus(number: Fraction | int, x: Node) -> Node:
    """``number + x``."""
    return build.sum_of(same(number, x), x)


def _text(shape: Shape) -> str:
    return "[" + ",".join(map(str, shape)) + "]"
