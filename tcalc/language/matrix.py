"""Matrix notation: products, solves and powers of scalars, columns, rows and matrices."""

from __future__ import annotations

import math
from fractions import Fraction

from tcalc.calculus.solves import solve_by_parts
from tcalc.errors import DimensionError, DomainError, LimitError, OrientationError, Span
from tcalc.expr import Node, Var
from tcalc.language.algebra import Algebra, Value
from tcalc.language.dimensions import Side
from tcalc.language.einstein import multiplied
from tcalc.primitives import REGISTRY
from tcalc.primitives.inverse import inv
from tcalc.primitives.power import exact_power
from tcalc.primitives.power import power as power_node
from tcalc.primitives.power import reciprocal as reciprocal_node

LARGEST_POWER = 2**20
"""The largest exponent of a matrix power."""


def transposed(value: Value, span: Span, algebra: Algebra) -> Value:
    """``x'``: a row for a column, the transpose of a matrix."""
    value = algebra.concrete(value)
    if value.names:
        raise OrientationError(
            "a transpose among indices", span=span, hint="write the indices in the other order"
        )
    match value.order:
        case 0:
            return value
        case 1:
            return value._replace(row=not value.row, span=span, variable_axes=0)
        case 2:
            return algebra.arranged(value, (1, 0))._replace(span=span, variable_axes=0)
    raise _too_high(value, "the transpose", span)


def times(left: Value, right: Value, span: Span, algebra: Algebra) -> Value:
    """``left * right``: the product of linear algebra, or of indexed values."""
    if left.names or right.names:
        return multiplied(left, right, span, algebra)
    for number, elastic in ((left, right), (right, left)):
        if number.number is not None and elastic.elastic:
            return elastic._replace(coefficient=number.coefficient * elastic.coefficient, span=span)
    left, right = algebra.concrete(left), algebra.concrete(right)
    if not left.order or not right.order:
        product = algebra.fuse(left, right, (), "", span)
        return product._replace(row=left.row or right.row)
    for value in (left, right):
        if value.order > 2:
            raise _too_high(value, "`*`", span)
    match _face(left), _face(right):
        case ("column", "row"):
            return algebra.fuse(left, right, (), "", span)
        case ("matrix", "matrix" | "column") | ("row", "matrix" | "column"):
            return _contracted(left, right, span, algebra)
    raise _misfit(left, right, span)


def _contracted(left: Value, right: Value, span: Span, algebra: Algebra) -> Value:
    """The sum over the last axis of the left and the first of the right."""
    last = left.order - 1
    message = f"`*` sums {_columns(left)} with {_rows(right)}"
    product = algebra.fuse(left, right, [(last, 0)], message, span)
    return algebra.without(product, [last])._replace(row=left.row and right.order == 2)


def hadamard(left: Value, right: Value, span: Span, algebra: Algebra) -> Value:
    """``left .* right``: element by element, scalars broadcast."""
    if left.names or right.names:
        return multiplied(left, right, span, algebra)
    if not left.order and not right.order:
        left = algebra.concrete(left)
        right = right if left.order else algebra.concrete(right)
    if not left.order or not right.order:
        product = algebra.fuse(left, right, (), "", span)
        return product._replace(row=left.row or right.row)
    shape = algebra.common_shape([left, right], span)
    pairs = [(k, k) for k in range(shape.order)]
    return algebra.fuse(left, right, pairs, "`.*`", span)._replace(row=shape.row)


def reciprocal(value: Value, span: Span, algebra: Algebra) -> Value:
    """One over the value, element by element."""
    if value.number is not None:
        if value.number == 0:
            raise _division_by_zero(span)
        return algebra.number(1 / value.number, span)
    return algebra.mapped(reciprocal_node, [value], value.span)


def divided(left: Value, right: Value, span: Span, algebra: Algebra) -> Value:
    """``left / right``: by a scalar, or ``left * inv(right)``."""
    if left.names or right.names or not right.order:
        return times(left, reciprocal(right, span, algebra), span, algebra)
    if right.order == 1:
        error = OrientationError(f"division by {right.kind}", span=span)
        error.mention(f"this is {right.kind}", right.span)
        if right.row:
            error.advise(
                "a product in a denominator stands in parentheses: x'*A*x/(x'*x); "
                "`./` divides element by element"
            )
        raise error.advise("`./` divides element by element")
    for value in (left, right):
        if value.order > 2:
            raise _too_high(value, "`/`", span)
    return times(left, inverted(right, algebra), span, algebra)


def inverted(value: Value, algebra: Algebra) -> Value:
    """The inverse over the last two axes, which must be square."""
    left, right = Side(value.dims[-2], value.span), Side(value.dims[-1], value.span)
    algebra.dimensions.equate(left, right, "only a square matrix has an inverse", value.span)
    slot = algebra.tape.call(inv, [algebra.slot(value)], span=value.span)
    return algebra.atom(slot, value.dims, value.span)


def solved(left: Value, right: Value, span: Span, algebra: Algebra) -> Value:
    """``left \\ right``: the solution of linear equations; maps over leading axes of the left."""
    if left.names or right.names:
        raise OrientationError(
            "`\\` is matrix notation, and there are indices here",
            span=span,
            hint="solve without indices, and index the result: (A \\ b)[i]",
        )
    left, right = algebra.concrete(left), algebra.concrete(right)
    if not left.order:
        return times(reciprocal(left, span, algebra), right, span, algebra)
    if left.variable_axes > 1:
        return _solved_over_axes(left, right, span, algebra)
    if left.order == 1:
        error = OrientationError(f"`\\` needs a matrix on its left, not {left.kind}", span=span)
        raise error.advise("`x ./ y` divides element by element")
    if left.order > 2:
        return _solved_in_batch(left, right, span, algebra)
    return times(inverted(left, algebra), right, span, algebra)


def _solved_over_axes(left: Value, right: Value, span: Span, algebra: Algebra) -> Value:
    """The tensor solve over the axes of the variable of a derivative."""
    axes = left.variable_axes
    if left.order != 2 * axes:
        raise DimensionError(
            f"a solve over the {axes} axes of the variable, and the derivative has {left.order}",
            span=left.span,
            hint="only the derivative of a tensor with as many axes as the variable is square",
        )
    if right.order < axes:
        raise DimensionError(
            f"`\\` over {axes} axes needs as many on its right, not {right.kind}",
            span=span,
            hint="for example hessian(f, X) \\ gradient(f, X)",
        )
    message = "a solve over the axes of the variable"
    for k in range(axes):
        row, column = Side(left.dims[k], left.span), Side(left.dims[axes + k], left.span)
        algebra.dimensions.equate(row, column, "only a square tensor can be solved with", span)
        algebra.dimensions.equate(row, Side(right.dims[k], right.span), message, span)

    def solution(h: Node, g: Node, *by: Node) -> Node:
        variable = by[0] if by and isinstance(by[0], Var) else None
        return solve_by_parts(h, g, axes, within=variable)

    slots = [algebra.slot(left), algebra.slot(right)]
    slots += [] if left.within is None else [left.within]
    slot = algebra.tape.call(solution, slots, span=span)
    return algebra.atom(slot, (*left.dims[axes:], *right.dims[axes:]), span)


def _solved_in_batch(left: Value, right: Value, span: Span, algebra: Algebra) -> Value:
    """One solve for each of the leading axes; the right has as many axes or one less."""
    batch = left.order - 2
    if right.order not in (left.order, left.order - 1):
        raise DimensionError(
            f"a batch of matrices of order {left.order} against {right.kind}",
            span=span,
            hint=f"the right has {left.order - 1} or {left.order} axes, the same leading ones",
        )
    inverse = inverted(left, algebra)
    pairs = [*((k, k) for k in range(batch)), (left.order - 1, batch)]
    message = "`\\` of batches"
    product = algebra.fuse(inverse._replace(span=left.span), right, pairs, message, span)
    return algebra.without(product, [left.order - 1])


def power(base: Value, exponent: Value, elementwise: bool, span: Span, algebra: Algebra) -> Value:
    """``base ^ exponent``, or ``base .^ exponent`` element by element."""
    if base.number is not None and exponent.number is not None:
        folded = _folded(base.number, exponent.number, span)
        if folded is not None:
            return algebra.number(folded, span)
    scalars = not base.order and not exponent.order
    if elementwise or scalars or base.names or exponent.names:
        if exponent.number is not None:
            p = exponent.number
            return algebra.mapped(lambda x: power_node(x, p), [base], span)
        return algebra.mapped(REGISTRY["pow"].forms[0].build, [base, exponent], span)
    if exponent.order:
        raise OrientationError(
            f"an exponent that is {exponent.kind}",
            span=span,
            hint=_exponent_hint(base, exponent),
        )
    if base.order == 1:
        name = base.span.text
        scalar = f"; if {name} is a number: tensor {name}" if name.isidentifier() else ""
        raise OrientationError(
            f"a power of {base.kind}",
            span=span,
            hint=f"`.^` takes powers element by element; the scalar product is x'*x{scalar}",
        )
    if base.order > 2:
        raise _too_high(base, "`^`", span)
    if exponent.number is None or exponent.number.denominator != 1:
        raise DimensionError(
            "the exponent of a matrix is an integer, written as a number",
            span=span,
            hint=_exponent_hint(base, exponent),
        )
    return _matrix_power(base, int(exponent.number), span, algebra)


def _division_by_zero(span: Span) -> DomainError:
    return DomainError("division by zero", span=span, hint="a formula has no infinite numbers")


def _exponent_hint(base: Value, exponent: Value) -> str:
    """What was meant by an exponent that is none: a transpose, or Euler's number to a power."""
    if exponent.span.text in ("T", "H", "top") and base.order:
        return f"the transpose is `{_text(base, '(...)')}'`"
    if exponent.span.text in ("-T", "(-T)"):
        return f"the transpose of the inverse is `inv({_text(base, '...')})'`"
    if base.span.text in ("e", "E"):
        return "the exponential function is `exp(...)`"
    if base.order == 2 and exponent.number == Fraction(1, 2):
        return "the square root of a matrix is `sqrtm(A)`; `.^` takes powers element by element"
    return "`.^` takes powers element by element"


def _matrix_power(base: Value, exponent: int, span: Span, algebra: Algebra) -> Value:
    """By repeated squaring; negative powers are those of the inverse."""
    if abs(exponent) > LARGEST_POWER:
        raise LimitError(
            f"the largest power of a matrix is {LARGEST_POWER:,}",
            span=span,
            hint="a loop makes higher ones: `for t = 1:T`",
        )
    rows, columns = (Side(dim, base.span) for dim in base.dims)
    algebra.dimensions.equate(rows, columns, "only a square matrix has powers", span)
    if exponent == 0:
        return algebra.atom(algebra.tape.delta(base.dims[0]), base.dims, span)
    square = algebra.solid(inverted(base, algebra) if exponent < 0 else base)
    result: Value | None = None
    remaining = abs(exponent)
    while True:
        if remaining & 1:
            factor = algebra.again(square, span)
            result = factor if result is None else times(result, factor, span, algebra)
        remaining >>= 1
        if not remaining:
            assert result is not None
            return result
        other = algebra.again(square, span)
        square = algebra.solid(times(square, other, span, algebra))


def _folded(base: Fraction, exponent: Fraction, span: Span) -> Fraction | None:
    """The exact power of numbers, None where it has none; refuses absurdly large ones."""
    if base == 0 and exponent < 0:
        raise _division_by_zero(span)
    if base < 0 and exponent.denominator != 1:
        raise DomainError(
            "a negative number has no power that is not an integer",
            span=span,
            hint="a number under `^` is real here",
        )
    if base == 0:
        return Fraction(0 if exponent else 1)
    exact = exact_power(base, exponent)
    if exact is not None or exponent.denominator != 1:
        return exact
    if base == -1:
        return base if exponent.numerator % 2 else Fraction(1)
    size = abs(base.numerator / base.denominator)
    if abs(math.log2(size)) * float(min(abs(exponent), Fraction(10**9))) > 1023:
        raise LimitError(
            "the power of two numbers is beyond the range of doubles",
            span=span,
            hint="`^` groups from the right: a^b^c is a^(b^c)",
        )
    return None


def _face(value: Value) -> str:
    return "matrix" if value.order == 2 else "row" if value.row else "column"


def _columns(value: Value) -> str:
    return "the entries of the row" if value.row else "the columns of the left"


def _rows(value: Value) -> str:
    return "the entries of the column" if value.order == 1 else "the rows of the right"


def _text(value: Value, fallback: str) -> str:
    text = value.span.text
    return text if text.isidentifier() else fallback


def _misfit(left: Value, right: Value, span: Span) -> OrientationError:
    x, y = _text(left, "x"), _text(right, "y")
    match _face(left), _face(right):
        case ("column", "column"):
            hint = f"{x}'*{y} is the scalar product, {x}.*{y} element-wise, {x}*{y}' the outer one"
        case ("row", "row"):
            hint = "transpose one of them: row*column is a scalar, column*row a matrix"
        case ("column", "matrix"):
            hint = f"{x}'*{y} is a row; diag({x})*{y} scales the rows of {y}"
        case _:
            hint = f"{x}*{y}' is a column; transpose the row with `'`"
    error = OrientationError(f"`*` of {left.kind} and {right.kind}", span=span)
    error.mention(f"this is {left.kind}", left.span)
    error.mention(f"this is {right.kind}", right.span)
    return error.advise(hint)


def _too_high(value: Value, operator: str, span: Span) -> DimensionError:
    return DimensionError(
        f"{operator} is matrix notation, and this is {value.kind}",
        span=span,
        hint="write it with indices: A[i,j,k]*B[k,l]",
    )
