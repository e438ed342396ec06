"""Element-wise functions that a user defines as SymPy expressions.

>>> import sympy
>>> x = sympy.Symbol("x")
>>> pieces = (x**2 / 2, abs(x) < 1), (abs(x) - sympy.Rational(1, 2), True)
>>> huber = elementwise("huber", sympy.Piecewise(*pieces), x)
>>> huber.text
'huber(x) = Piecewise((x**2/2, Abs(x) < 1), (Abs(x) - 1/2, True))'
>>> huber.partial(0).text
"huber'(x) = Piecewise((x, Abs(x) < 1), (sign(x), True))"

SymPy differentiates and prints them; derivatives are functions of the same class, so that they
exist to every order.  At the joints of a piecewise function the derivative is that of the piece
that holds there.  Only SymPy objects are taken, never text: nothing is parsed here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

from tcalc.errors import ArgumentError
from tcalc.expr import build
from tcalc.expr.nodes import Apply, Node
from tcalc.primitives.arrays import np
from tcalc.primitives.elementwise import About, Elementwise, Traits
from tcalc.primitives.routines import Routine, Template

_CANDIDATES = tuple(map(Fraction, ("1", "1/2", "0", "-1", "2", "-1/2", "3/2", "-2", "3", "10")))
_ELEMENTARY = {
    f"sympy.functions.elementary.{part}" for part in ("exponential", "trigonometric", "hyperbolic")
}
_FOREIGN = ("scipy", "functools", "builtins", "math.", "lambertw", "#")
_UNKNOWN = re.compile(r"(?<![\w.])(?!abs\()[a-z]\w*\(")
"""A call of what is in none of the modules that generated code knows."""


_CODE = """tcalc.function("f", "x -> y", code, pushforward="...*dx") brings code"""


def elementwise(name: str, expression: Any, *symbols: Any) -> Symbolic:
    """An element-wise function from a SymPy expression in the given symbols, its arguments.

    Raises `ArgumentError` for anything but SymPy objects, for other symbols in the expression,
    and for functions that SymPy cannot print as NumPy code.
    """
    import sympy

    if not name.isidentifier():
        raise ArgumentError(f"{name!r} is not a name for a function")
    if not isinstance(expression, sympy.Expr):
        hint = "build it from sympy.Symbol objects; text is not parsed"
        raise ArgumentError(
            f"{name}: the function must be a SymPy expression, not {type(expression).__name__}",
            hint=_CODE if callable(expression) else hint,
        )
    if not symbols or not all(isinstance(symbol, sympy.Symbol) for symbol in symbols):
        raise ArgumentError(f"{name}: the arguments must be SymPy symbols, such as Symbol('x')")
    unknown = sorted(map(str, expression.free_symbols - set(symbols)))
    if unknown or len(set(symbols)) < len(symbols):
        raise ArgumentError(f"{name}: {', '.join(unknown) or 'an argument'} is not an argument")
    shown = tuple(map(str, symbols))
    real = [sympy.Symbol(f"x{k}", real=True) for k in range(len(symbols))]
    return _function(name, expression.xreplace(dict(zip(symbols, real, strict=True))), shown)


@cache
def _function(name: str, expression: Any, shown: tuple[str, ...]) -> Symbolic:
    return Symbolic(name, expression, shown)


class Symbolic(Elementwise):
    """A user's function: a SymPy expression in the symbols x0, x1, …, which are real."""

    def __init__(self, name: str, expression: Any, shown: tuple[str, ...]) -> None:
        import sympy

        self.name = name
        self.symbols = tuple(sympy.Symbol(f"x{k}", real=True) for k in range(len(shown)))
        self.expression = _checked(name, expression)
        self.shown = shown
        self._key = f"{name}: {sympy.srepr(self.expression)}"
        super().__init__(
            name,
            Template(_code(name, self.expression, self.symbols)),
            *(self._slope(position) for position in range(len(shown))),
            about=About(self.text, derivative="by SymPy"),
            traits=Traits(
                regular_point=self._regular_point(), analytic=_elementary(self.expression)
            ),
        )

    @property
    def key(self) -> str:
        return self._key

    def __reduce__(self) -> tuple[Any, ...]:
        return (_function, (self.name, self.expression, self.shown))

    @property
    def text(self) -> str:
        """The definition, as SymPy prints it."""
        return f"{self._head()} = {self._named()}"

    @property
    def latex(self) -> str:
        """The definition in LaTeX, as SymPy prints it."""
        import sympy

        arguments = ", ".join(sympy.latex(sympy.Symbol(name)) for name in self.shown)
        return rf"\operatorname{{{self.name}}}({arguments}) = {sympy.latex(self._named())}"

    def partial(self, position: int) -> Symbolic:
        """The derivative by one argument: ``f'``, or ``f'x`` where there are several."""
        import sympy

        slope = self.expression.diff(self.symbols[position])
        # The derivative of a jump is 0 here, as for `sign` and `step`.
        slope = slope.replace(sympy.DiracDelta, lambda *_: sympy.S.Zero)
        mark = self.shown[position] if len(self.shown) > 1 else ""
        return _function(f"{self.name}'{mark}", slope, self.shown)

    def evaluate(self, *arrays: Any) -> Any:
        import sympy

        function = sympy.lambdify(self.symbols, self.expression, modules=["scipy", "numpy"])
        return function(*arrays) + np.zeros_like(arrays[0])

    def routine(self, node: Apply) -> Routine:
        assert isinstance(self._code, Template)
        return self._code

    def _head(self) -> str:
        return f"{self.name}({', '.join(self.shown)})"

    def _named(self) -> Any:
        import sympy

        names = [sympy.Symbol(name, real=True) for name in self.shown]
        return self.expression.xreplace(dict(zip(self.symbols, names, strict=True)))

    def _slope(self, position: int) -> Callable[..., Node]:
        def slope(*nodes: Node) -> Node:
            partial = self.partial(position)
            value = partial.expression
            if not value.free_symbols and not value.is_Piecewise:
                number = Fraction(str(value)) if value.is_Rational else Fraction(repr(float(value)))
                return build.const(number, nodes[-1].dims)
            return build.apply(partial, *nodes[:-1])

        return slope

    def _regular_point(self) -> Fraction:
        for point in _CANDIDATES:
            numbers = dict.fromkeys(self.symbols, _rational(point))
            if self.expression.subs(numbers).is_finite:
                return point
        return Fraction(1)


def _checked(name: str, expression: Any) -> Any:
    """The expression, if it has nothing but numbers, symbols and SymPy's own functions."""
    import sympy
    from sympy.core.function import AppliedUndef
    from sympy.functions.elementary.piecewise import ExprCondPair
    from sympy.logic.boolalg import Boolean

    plain = (sympy.Number, sympy.NumberSymbol, sympy.Symbol, sympy.Add, sympy.Mul, sympy.Pow)
    for part in sympy.preorder_traversal(expression):
        own = isinstance(part, sympy.Function | sympy.Max | sympy.Min)
        own = own and not isinstance(part, AppliedUndef)
        known = own or isinstance(part, (*plain, ExprCondPair, Boolean, sympy.Tuple))
        if not known or part in (sympy.oo, -sympy.oo, sympy.nan):
            raise ArgumentError(f"{name}: {part} has no value as an element-wise function")
    return expression


def _code(name: str, expression: Any, symbols: Sequence[Any]) -> str:
    """NumPy code over places ``{0}``, ``{1}``, …, printed by SymPy, of the shape of them all."""
    import sympy
    from sympy.printing.codeprinter import PrintMethodNotImplementedError
    from sympy.printing.numpy import SciPyPrinter

    class Printer(SciPyPrinter):  # type: ignore[misc]  # SymPy has no annotations
        def _print_Symbol(self, symbol: Any) -> str:  # noqa: N802 - SymPy names it
            return f"{{{str(symbol)[1:]}}}"

        def _print_Max(self, expr: Any) -> str:  # noqa: N802 - SymPy names it
            return self._nested("numpy.maximum", expr.args)

        def _print_Min(self, expr: Any) -> str:  # noqa: N802 - SymPy names it
            return self._nested("numpy.minimum", expr.args)

        # NumPy's `select` and its reductions of conditions take scalars, those of CuPy do not.
        def _print_And(self, expr: Any) -> str:  # noqa: N802 - SymPy names it
            return self._nested("numpy.logical_and", expr.args)

        def _print_Or(self, expr: Any) -> str:  # noqa: N802 - SymPy names it
            return self._nested("numpy.logical_or", expr.args)

        def _print_Piecewise(self, expr: Any) -> str:  # noqa: N802 - SymPy names it
            text = "numpy.nan"
            for value, condition in reversed(expr.args):
                text = (
                    str(self._print(value))
                    if condition is sympy.true
                    else f"numpy.where({self._print(condition)}, {self._print(value)}, {text})"
                )
            return text

        def _nested(self, function: str, arguments: Any) -> str:
            text = str(self._print(arguments[0]))
            for argument in arguments[1:]:
                text = f"{function}({text}, {self._print(argument)})"
            return text

    # Irrational numbers as literals: a NumPy scalar would raise float32 to float64.
    irrational = {
        part: part.evalf(17)
        for part in sympy.preorder_traversal(expression)
        if part.is_number and isinstance(part, sympy.Expr) and not part.is_Rational
    }
    printer = Printer({"fully_qualified_modules": True, "precision": 17})
    try:
        text = printer.doprint(expression.xreplace(irrational))
    except PrintMethodNotImplementedError:
        text = "#"
    text = text.replace("scipy.special.", "special.").replace("numpy.", "np.")
    if any(foreign in text for foreign in _FOREIGN) or _UNKNOWN.search(text):
        raise ArgumentError(f"{name}: SymPy has no NumPy code for {expression}", hint=_CODE)
    if not _elementary(expression):
        text = f"np.asarray({text}, np.result_type({{0}}, np.float32))"
    for k, symbol in enumerate(symbols):
        if symbol not in expression.free_symbols:
            text += f" + np.zeros_like({{{k}}})"
    return f"({text})"


def _elementary(expression: Any) -> bool:
    """Whether all functions in it are analytic, and map each type of number to itself."""
    import sympy

    modules = {type(function).__module__ for function in expression.atoms(sympy.Function)}
    return modules <= _ELEMENTARY


def _rational(value: Fraction) -> Any:
    import sympy

    return sympy.Rational(value.numerator, value.denominator)
