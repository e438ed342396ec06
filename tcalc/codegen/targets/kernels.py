"""Element-wise code as CUDA C, derived from the Python that stands in the primitives' files.

A routine is translated by its syntax tree: a `Template`, or an `Embedded` function that is a few
assignments and a ``return``.  What a tree holds beyond arithmetic, comparisons and the functions of
`FUNCTIONS` has no translation, and such a routine is not fused: that is how element-wise routines
are told from others, and no primitive has a second text to be kept in step.

All quantities have the kernel's one type, ``T``.  Kernels see real numbers only.
"""

from __future__ import annotations

import ast
import math
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from fractions import Fraction
from functools import cache

from tcalc.codegen.program import Addend, Call, Fused, Number, Product, Sum, Value, View
from tcalc.codegen.targets.porting import asks_for_complex
from tcalc.codegen.targets.target import source_of
from tcalc.primitives.gamma import polygamma_of_order
from tcalc.primitives.routines import Embedded, Routine, Supplied, Template
from tcalc.records import dataclass

FUNCTIONS = {
    "abs": "fabs({0})",
    "np.abs": "fabs({0})",
    "np.arccos": "acos({0})",
    "np.arccosh": "acosh({0})",
    "np.arcsin": "asin({0})",
    "np.arcsinh": "asinh({0})",
    "np.arctan": "atan({0})",
    "np.arctan2": "atan2({0}, {1})",
    "np.arctanh": "atanh({0})",
    "np.ceil": "ceil({0})",
    "np.cos": "cos({0})",
    "np.cosh": "cosh({0})",
    "np.equal": "({0} == {1})",
    "np.exp": "exp({0})",
    "np.expm1": "expm1({0})",
    "np.floor": "floor({0})",
    "np.greater": "({0} > {1})",
    "np.greater_equal": "({0} >= {1})",
    # NaN stays NaN, which a comparison alone would turn into 1
    "np.heaviside": "({0} != {0} ? {0} : {0} < 0 ? T(0) : {0} > 0 ? T(1) : {1})",
    "np.hypot": "hypot({0}, {1})",
    "np.isfinite": "isfinite({0})",
    "np.isinf": "isinf({0})",
    "np.isnan": "isnan({0})",
    "np.isposinf": "(isinf({0}) && {0} > 0)",
    "np.less": "({0} < {1})",
    "np.less_equal": "({0} <= {1})",
    "np.log": "log({0})",
    "np.log10": "log10({0})",
    "np.log1p": "log1p({0})",
    "np.log2": "log2({0})",
    "np.logical_and": "({0} && {1})",
    "np.logical_or": "({0} || {1})",
    # C's fmax and fmin drop a NaN, NumPy's keep it
    "np.maximum": "({0} > {1} || {0} != {0} ? {0} : {1})",
    "np.minimum": "({0} < {1} || {0} != {0} ? {0} : {1})",
    "np.not_equal": "({0} != {1})",
    "np.power": "pow({0}, {1})",
    "np.real": "{0}",
    "np.sign": "({0} != {0} ? {0} : T(({0} > 0) - ({0} < 0)))",
    "np.sin": "sin({0})",
    "np.sinh": "sinh({0})",
    "np.sqrt": "sqrt({0})",
    "np.square": "({0} * {0})",
    "np.tan": "tan({0})",
    "np.tanh": "tanh({0})",
    "np.where": "({0} ? {1} : {2})",
    "np.zeros_like": "T(0)",
    "special.digamma": "digamma({0})",
    "special.erf": "erf({0})",
    "special.erfc": "erfc({0})",
    "special.erfcx": "erfcx({0})",
    "special.gamma": "tgamma({0})",
    "special.gammaln": "(isinf({0}) ? {0} : lgamma({0}))",
    "special.log_ndtr": (
        "({0} < T(-1) ? log(T(0.5) * erfcx({0} * T(-0.70710678118654752440))) - T(0.5) * {0} * {0}"
        " : log1p(T(-0.5) * erfc({0} * T(0.70710678118654752440))))"
    ),
    "special.ndtr": "(T(0.5) * erfc(-{0} * T(0.70710678118654752440)))",
    "special.xlogy": "({0} == 0 ? T(0) : {0} * log({1}))",
    "math.sqrt": "sqrt({0})",
}
"""What NumPy and SciPy call a function, and how C says it."""

WHOLE = {polygamma_of_order: "polygamma"}
"""Functions of the primitives' files of which C has another version, and what it is called.

It takes their parameters first.
"""
ABSENT_FROM_CUDA = re.compile(r"\b(?:digamma|polygamma)\(")
"""What C files have a function for, and CUDA has none."""

REPEATED = frozenset(name for name, text in FUNCTIONS.items() if text.count("{0}") > 1)
"""The functions whose C text names an argument more than once: it must be a name there."""

CONSTANTS = {"np.pi": math.pi, "math.pi": math.pi, "np.e": math.e}
_BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARED = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


_ATOM = re.compile(r"\w+|-?T\([^()]*\)")


class UntranslatableError(Exception):
    """Python that has no element-wise counterpart in C."""


@dataclass(slots=True)
class Body:
    """The lines of a kernel as they are written; each defines one more temporary."""

    lines: list[str] = field(default_factory=list)
    count: int = 0

    def define(self, text: str, kind: str = "T") -> str:
        """A new temporary that holds an expression."""
        self.count += 1
        name = f"t{self.count}"
        self.lines.append(f"{kind} {name} = {bare(text)};")
        return name

    def routine(self, routine: Routine, arguments: Sequence[str]) -> str:
        """The value of an element-wise routine on names, as an expression.

        Raises `UntranslatableError` where it is not element-wise, or beyond this translation.
        """
        match routine:
            case Template(text=text):
                names = [f"_{k}" for k in range(len(arguments))]
                tree = ast.parse(text.format(*names), mode="eval").body
                return _Translation(self, dict(zip(names, arguments, strict=True))).value(tree)
            case Embedded(named=True) | Embedded(typed=True) | Supplied():
                raise UntranslatableError(type(routine).__name__)
            case Embedded(function=function, parameters=parameters) if function in WHOLE:
                return f"{WHOLE[function]}({', '.join(map(str, (*parameters, *arguments)))})"
            case Embedded(function=function, parameters=parameters, sizes=sizes):
                if sizes:
                    raise UntranslatableError("a function of sizes")
                given = [*arguments, *(literal(Fraction(p)) for p in parameters if _number(p))]
                definition = _definition(function)
                names = [argument.arg for argument in definition.args.args]
                if len(names) != len(given):
                    raise UntranslatableError(function.__name__)
                known = dict(zip(names, given, strict=True))
                return _Translation(self, known).function(definition)


def steps_text(
    operation: Fused, operands: Mapping[View, str], count: int = 0
) -> tuple[list[str], str]:
    """The lines of a group of steps, and the expression of its result.

    `operands` are the expressions of what it reads from outside, and `count` temporaries have names
    before it.
    """
    inside: dict[Value, str] = {}
    body = Body(count=count)

    def read(view: View) -> str:
        return inside.get(view.value) or operands[view]

    text = ""
    for step in operation.steps:
        match step.operation:
            case Number(value=number):
                inside[step.results[0]] = literal(number)
                continue
            case Product(factors=factors, divisors=divisors):
                text = " * ".join(map(read, factors)) + "".join(f" / {read(x)}" for x in divisors)
            case Sum(addends=addends):
                text = _sum(addends, read)
            case Call(routine=routine, arguments=arguments):
                text = body.routine(routine, [read(view) for view in arguments])
            case _:
                raise AssertionError("not element-wise")
        if step is not operation.steps[-1]:
            inside[step.results[0]] = body.define(text)
    return body.lines, text


def _sum(addends: Sequence[Addend], read: Callable[[View], str]) -> str:
    text = ""
    for addend in addends:
        c, name = addend.coefficient, read(addend.view)
        term = name if abs(c) == 1 else f"{literal(abs(c))} * {name}"
        sign = "-" if c < 0 else "+"
        text = f"{text} {sign} {term}" if text else (f"-{term}" if c < 0 else term)
    return text


def translatable(routine: Routine, arity: int) -> bool:
    """Whether a routine is element-wise in a way that CUDA C can say."""
    body = Body()
    try:
        text = body.routine(routine, [f"x{k}" for k in range(arity)])
    except UntranslatableError:
        return False
    return not any(map(ABSENT_FROM_CUDA.search, [*body.lines, text]))


def literal(number: Fraction) -> str:
    """A number of the kernel's type."""
    if number.denominator == 1:
        return f"T({number.numerator})" if abs(number) < 2**31 else f"T({float(number)!r})"
    return f"T({float(number)!r})"


def bare(text: str) -> str:
    """An expression without parentheses around all of it."""
    if not text.startswith("("):
        return text
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return text[1:-1] if place == len(text) - 1 else text
    return text


def _number(value: object) -> bool:
    return isinstance(value, (int, float, Fraction)) and not isinstance(value, bool)


@cache
def _definition(function: Callable[..., object]) -> ast.FunctionDef:
    tree = ast.parse(textwrap.dedent(source_of(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return tree


@dataclass(slots=True)
class _Translation:
    """One routine as it is translated: what its names are called in the kernel."""

    body: Body
    names: dict[str, str]

    def function(self, definition: ast.FunctionDef) -> str:
        for statement in definition.body:
            match statement:
                case ast.Expr(value=ast.Constant()):
                    continue  # the docstring
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self.names[name] = self.body.define(self.value(value))
                case ast.Return(value=ast.expr() as value):
                    return self.value(value)
                case ast.If(
                    test=ast.UnaryOp(op=ast.Not(), operand=test), body=[ast.Return() as only]
                ) if asks_for_complex(test):
                    assert only.value is not None
                    return self.value(only.value)  # the rest is for complex numbers
                case _:
                    raise UntranslatableError(definition.name)
        raise UntranslatableError(definition.name)

    def value(self, tree: ast.expr) -> str:
        match tree:
            case ast.Name(id=name) if name in self.names:
                return self.names[name]
            case ast.Constant(value=bool()):
                raise UntranslatableError("a truth value")
            case ast.Constant(value=int() | float() as number):
                return literal(Fraction(repr(number)))
            case ast.Attribute(value=inner, attr="real"):
                return self.value(inner)
            case ast.Attribute() if _dotted(tree) in CONSTANTS:
                return f"T({CONSTANTS[_dotted(tree)]!r})"
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return f"(-{self.value(operand)})"
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return f"pow({self.value(left)}, {self.value(right)})"
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _BINARY:
                sign = _BINARY[type(operator)]
                return f"({self.value(left)} {sign} {self.value(right)})"
            case ast.Compare(left=left, ops=[operator], comparators=[right]) if (
                type(operator) in _COMPARED
            ):
                sign = _COMPARED[type(operator)]
                return f"({self.value(left)} {sign} {self.value(right)})"
            case ast.IfExp(test=test, body=then, orelse=other):
                if asks_for_complex(test):
                    return self.value(other)  # kernels see real numbers only
                return f"({self.value(test)} ? {self.value(then)} : {self.value(other)})"
            case ast.Call(func=ast.Attribute(value=inner, attr="astype")):
                return self.value(inner)  # of the kernel's type, as all is
            case ast.Call(func=function, args=[inner, _]) if _dotted(function) == "np.asarray":
                return self.value(inner)  # the same
            case ast.Call(func=function, args=arguments, keywords=[]):
                return self._call(_dotted(function), arguments)
            case _:
                raise UntranslatableError(ast.unparse(tree))

    def _call(self, name: str, arguments: Sequence[ast.expr]) -> str:
        text = FUNCTIONS.get(name)
        if text is None or f"{{{len(arguments)}}}" in text:
            raise UntranslatableError(name)
        values = [self.value(argument) for argument in arguments]
        if name in REPEATED:
            values = [x if _ATOM.fullmatch(x) else self.body.define(x) for x in values]
        if name == "np.where":
            values[0] = bare(values[0])
        return text.format(*values)


def _dotted(tree: ast.expr) -> str:
    """A dotted name; empty for any other expression."""
    parts: list[str] = []
    while isinstance(tree, ast.Attribute):
        parts.append(tree.attr)
        tree = tree.value
    if not isinstance(tree, ast.Name):
        return ""
    return ".".join((tree.id, *reversed(parts)))
