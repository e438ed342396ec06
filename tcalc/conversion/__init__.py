"""Expressions from and to SymPy: matrix expressions, and indexed ones with sums."""

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
    """An expression of SymPy's as one of tcalc's.

    Matrix expressions (`MatrixSymbol`, sums, products, `Inverse`, `Transpose`, `Trace`,
    `Determinant`, `HadamardProduct`, `DiagMatrix`, ``applyfunc``, ...), indexed ones
    (`IndexedBase`, `Idx`, `Sum` over the whole of an axis, `KroneckerDelta`), and functions of
    scalars.  A matrix with one column is a vector, symbols of dimensions are their sizes, and other
    symbols are scalars.  The axes of an indexed expression are its free `indices`, in the order of
    their names unless another is given; an `Idx` with a range among these that does not occur is an
    axis along which nothing varies, as `to_sympy` gives none for.  `declarations` may say more of
    the variables, as ``"K[n,n] spd"``.

    Raises `TcalcError` for what has no counterpart.

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
    """The expression for SymPy, in matrix form where it has one, else in indexed form.

    In matrix form a vector is a matrix with one column.  In indexed form the axes are the free
    indices i0, i1, ..., from 0 to the dimension less one, as is SymPy's custom.  Raises
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
