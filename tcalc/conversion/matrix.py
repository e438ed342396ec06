"""Expressions to SymPy in matrix form, by the formula in matrix notation.

The printers know which expressions have a formula in matrix notation; its syntax tree is walked
here, so that SymPy has it as people do.
"""

from __future__ import annotations

from typing import Any

import sympy

from tcalc.conversion.names import dimension, scalar_function, symbol
from tcalc.errors import ArgumentError, Source, TcalcError
from tcalc.expression import Expression
from tcalc.language import syntax
from tcalc.language.parser import parse_statements


class NoMatrixFormError(Exception):
    """SymPy's matrix expressions do not have it."""


def matrix(expression: Expression) -> Any:
    """A matrix expression, or a scalar one, of SymPy's."""
    if expression.node.order > 2:
        raise NoMatrixFormError(f"a tensor of order {expression.node.order} is no matrix")
    try:
        text = expression.text("matrix", cse=False)
    except TcalcError as error:
        raise NoMatrixFormError(f"there is no matrix form: {error.message}") from None
    statement, *more = parse_statements(Source(text))
    if more or not isinstance(statement, syntax.Result):
        raise NoMatrixFormError("the formula has definitions")
    sizes = {name for x in expression.variables.values() for d in x.dims for name in d.names()}
    found = _Walker(expression, sizes).value(statement.value)
    return _scalar(found) if not expression.node.order else found


class _Walker:
    """From syntax to SymPy; vectors are matrices with one column."""

    def __init__(self, expression: Expression, sizes: set[str]) -> None:
        self.variables = expression.variables
        self.sizes = sizes

    def value(self, tree: syntax.Expression) -> Any:
        match tree:
            case syntax.Number(value=value):
                return sympy.Rational(value.numerator, value.denominator)
            case syntax.Paren(inner=inner):
                return self.value(inner)
            case syntax.Name(name=name, steps=()):
                return self._named(name)
            case syntax.Sign(sign=sign, operand=operand):
                return sign * self.value(operand)
            case syntax.Sum(terms=terms):
                return _sum([sign * self.value(term) for sign, term in terms])
            case syntax.Product(first=first, rest=rest):
                found = self.value(first)
                for operator, factor in rest:
                    found = _combined(operator, found, self.value(factor))
                return found
            case syntax.Power(base=base, exponent=exponent, elementwise=elementwise):
                return _power(self.value(base), self.value(exponent), elementwise)
            case syntax.Transpose(operand=operand):
                inner = self.value(operand)
                return inner.T if _is_matrix(inner) else inner
            case syntax.Call(function=name, indices=None, arguments=arguments):
                return self._called(name, [self.value(x) for x in arguments])
        raise NoMatrixFormError("SymPy's matrix expressions have no positions and no comparisons")

    def _named(self, name: str) -> Any:
        variable = self.variables.get(name)
        if variable is None:
            if name in self.sizes:
                return symbol(name)
            if name == "pi":
                return sympy.pi
            raise NoMatrixFormError(f"{name} is no variable")
        if variable.order > 2:
            raise NoMatrixFormError(f"{name} is a tensor of order {variable.order}")
        dims = [dimension(dim) for dim in variable.dims]
        if not dims:
            return sympy.Symbol(name)
        return sympy.MatrixSymbol(name, dims[0], dims[1] if len(dims) > 1 else 1)

    def _called(self, name: str, arguments: list[Any]) -> Any:
        (x, *others) = arguments
        match name, others:
            case "tr", []:
                return sympy.Trace(x)
            case "det", []:
                return sympy.Determinant(x)
            case "logdet", []:
                return sympy.log(sympy.Determinant(x))
            case "inv", []:
                return sympy.Inverse(x) if _is_matrix(x) else 1 / x
            case "diag", []:
                return sympy.DiagMatrix(x) if x.shape[1] == 1 else sympy.DiagonalOf(x)
            case "eye", []:
                return sympy.Identity(x)
            case "ones" | "vector" | "zeros", [*more] if not _is_matrix(x):
                kind = sympy.ZeroMatrix if name == "zeros" else sympy.OneMatrix
                return kind(x, more[0] if more else 1)
            case "sum", []:
                return _total(x) if _is_matrix(x) else x
            case "norm2", []:
                return sympy.sqrt(_total(sympy.HadamardProduct(x, x))) if _is_matrix(x) else abs(x)
            case "norm1", []:
                return _total(_elementwise("abs", x))
            case "max" | "min", [] if _is_matrix(x):
                raise NoMatrixFormError(f"SymPy has no {name} of all elements of a matrix")
        try:
            if not others:
                return _elementwise(name, x)
            if not any(map(_is_matrix, arguments)):
                return scalar_function(name)(*arguments)
        except ArgumentError as error:
            raise NoMatrixFormError(error.message) from None
        raise NoMatrixFormError(f"SymPy has no {name} of matrices")


def _is_matrix(value: Any) -> bool:
    return bool(getattr(value, "is_Matrix", False))


def _scalar(value: Any) -> Any:
    """A number; that in a matrix of one row and one column is its trace."""
    return sympy.Trace(value) if _is_matrix(value) else value


def _total(x: Any) -> Any:
    """``1' x 1``, of which the trace is the sum of all elements."""
    rows, columns = x.shape
    factors = [x]
    if rows != 1:
        factors.insert(0, sympy.OneMatrix(1, rows))
    if columns != 1:
        factors.append(sympy.OneMatrix(columns, 1))
    return sympy.Trace(sympy.MatMul(*factors)) if len(factors) > 1 else sympy.Trace(x)


def _elementwise(name: str, x: Any) -> Any:
    function = scalar_function(name)
    if not _is_matrix(x):
        return function(x)
    d = sympy.Dummy("d", real=True)
    return x.applyfunc(sympy.Lambda(d, function(d)))


def _sum(terms: list[Any]) -> Any:
    matrices = [x for x in terms if _is_matrix(x)]
    if not matrices:
        return sympy.Add(*terms)
    shape = matrices[0].shape
    if shape == (1, 1):
        return sympy.Add(*map(_scalar, terms))
    return sympy.MatAdd(*(x if _is_matrix(x) else x * sympy.OneMatrix(*shape) for x in terms))


def _combined(operator: str, left: Any, right: Any) -> Any:
    left, right = (_scalar(x) if getattr(x, "shape", None) == (1, 1) else x for x in (left, right))
    matrices = _is_matrix(left), _is_matrix(right)
    match operator:
        case "/" if not matrices[1]:
            return left / right
        case "/":
            return left * sympy.Inverse(right)
        case "\\":
            return sympy.Inverse(left) * right if matrices[0] else right / left
        case ".*" if all(matrices):
            return sympy.HadamardProduct(left, right)
        case "./" if matrices[1]:
            inverted = sympy.HadamardPower(right, -1)
            return sympy.HadamardProduct(left, inverted) if matrices[0] else left * inverted
        case "./":
            return left / right
    return left * right


def _power(base: Any, exponent: Any, elementwise: bool) -> Any:
    if not _is_matrix(base):
        return base**exponent
    if base.shape == (1, 1):
        return _scalar(base) ** exponent
    return sympy.HadamardPower(base, exponent) if elementwise else sympy.MatPow(base, exponent)
