"""Conversion from and to SymPy: of matrix expressions, and of indexed expressions with sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from tcalc.errors import ArgumentError, LimitError
from tcalc.expression import Expression
from tcalc.requirements import require_expression

__all__ = ["from_sympy", "to_sympy"]


def from_sympy(
    expression: Any, declarations: str = "", *, indices: Sequence[Any] | None = None
) -> Expression:
    """Convert a SymPy expression to a tcalc expression.

    Accepted are matrix expressions (`MatrixSymbol`, sums, products, `Inverse`, `Transpose`,
    `Trace`, `Determinant`, `HadamardProduct`, `DiagMatrix`, ``applyfunc``, ..., and explicit
    matrices of scalars), indexed expressions (`IndexedBase`, `Idx`, `Sum` over a whole axis,
    `KroneckerDelta`), and functions of scalars.  A matrix with one column becomes a vector, symbols
    of dimensions become their sizes, and other symbols scalars.  The axes of an indexed expression
    are its free indices, in the order of `indices`, by default of their names; an `Idx` in
    `indices` that has a range and does not occur becomes an axis along which nothing varies
    (`to_sympy` drops such axes).  `declarations` may add properties of the variables, as in
    ``"K[n,n] spd"``.

    Raises `TcalcError` for anything that tcalc cannot express.

    >>> import sympy
    >>> m, n = sympy.symbols("m n")
    >>> X, w = sympy.MatrixSymbol("X", m, n), sympy.MatrixSymbol("w", n, 1)
    >>> print(from_sympy(sympy.Trace(w.T * X.T * X * w)))
    norm2(X*w)^2
    """
    from tcalc.conversion.reading import Reader

    try:
        return Reader(declarations, expression).read(indices)
    except RecursionError:
        raise LimitError("the expression is nested too deep") from None


def to_sympy(expression: Expression, form: Literal["auto", "matrix", "indexed"] = "auto") -> Any:
    """Convert an expression to SymPy, in matrix form if it has one, else in indexed form.

    In matrix form, a vector is a matrix with one column.  In indexed form, the axes are the free
    indices i0, i1, ..., which run from 0 to the dimension minus one, as usual in SymPy.  Raises
    `TcalcError` for a function that SymPy does not have.

    >>> import tcalc
    >>> to_sympy(tcalc.parse("tr(A*B)", "A[m,n], B[n,m]"))
    Trace(A*B)
    >>> to_sympy(tcalc.parse("x'*y"), "indexed")
    Sum(x[j0]*y[j0], (j0, 0, m - 1))
    """
    from tcalc.conversion.indexed import indexed
    from tcalc.conversion.matrix import NoMatrixFormError, matrix

    require_expression(expression)
    if form not in ("auto", "matrix", "indexed"):
        raise ArgumentError(f"there is no form {form!r}", hint="'auto', 'matrix' or 'indexed'")
    try:
        if form != "indexed":
            try:
                return matrix(expression)
            except NoMatrixFormError as error:
                if form == "matrix":
                    raise ArgumentError(str(error), hint="form='indexed'") from None
        return indexed(expression.node)
    except RecursionError:
        raise LimitError("the expression is nested too deep for SymPy, which recurses") from None
