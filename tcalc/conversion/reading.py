"""Expressions from SymPy.

A matrix expression is read as a tensor and which of its two axes it has: those of length one are
left out, so that a matrix with one column is a vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import sympy
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

from tcalc.context import Context
from tcalc.conversion.scalars import Matrix, ScalarReader
from tcalc.errors import ArgumentError
from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Node
from tcalc.expression import Expression
from tcalc.primitives.inverse import Inverse
from tcalc.primitives.power import power
from tcalc.primitives.selection import unit


class Reader(ScalarReader):
    """Reads one expression."""

    def __init__(self, declarations: str, expression: Any) -> None:
        if isinstance(expression, sympy.MatrixBase):
            expression = expression.as_immutable()
        if not isinstance(expression, sympy.Expr | sympy.MatrixExpr):
            text = "text is not parsed here: tcalc.parse does that"
            raise ArgumentError(
                f"an expression of SymPy's was expected, not {type(expression).__name__}",
                hint=text if isinstance(expression, str) else None,
            )
        super().__init__(declarations, expression)
        self.expression = expression

    def read(self, indices: Sequence[Any] | None) -> Expression:
        """The whole of it."""
        if isinstance(self.expression, sympy.MatrixExpr):
            if indices is not None:
                raise ArgumentError("a matrix expression has no indices to order")
            node = self.matrix(self.expression).node
        else:
            value = self.scalar(self.expression)
            order = sorted(value.indices, key=str) if indices is None else list(indices)
            dims = self._idle(order, value.indices)
            if set(order) != {*value.indices, *dims} or len(order) != len(set(order)):
                names = ", ".join(map(str, sorted(value.indices, key=str)))
                raise ArgumentError(
                    f"the free indices are {names or 'none'}",
                    hint="another, along which nothing varies, is an Idx with a range",
                )
            node = build.einsum([value.node], [value.indices], order, dims)
            self.indexed(node, order)
        return Expression(node, Context(dict(self.found), index_names=self.index_names))

    def _idle(self, order: Sequence[Any], free: Sequence[Any]) -> dict[Any, Dim]:
        """The dimensions of indices that are asked for, and along which nothing varies."""
        return {
            index: self.dim(index.upper - index.lower + 1)
            for index in order
            if index not in free and isinstance(index, sympy.Idx) and index.upper is not None
        }

    def matrix(self, e: Any) -> Matrix:
        """A matrix expression."""
        has = tuple(size != 1 for size in e.shape)
        match e:
            case sympy.MatrixSymbol():
                dims = [self.dim(size) for size, kept in zip(e.shape, has, strict=True) if kept]
                return Matrix(self.variable(str(e.name), dims), *has)
            case sympy.MatrixBase():
                return self._explicit(e, *has)
            case sympy.Identity():
                if not has[0]:
                    return Matrix(build.const(1), rows=False, columns=False)
                return Matrix(build.delta(self.dim(e.shape[0])), *has)
            case sympy.ZeroMatrix() | sympy.OneMatrix():
                dims = [self.dim(size) for size, kept in zip(e.shape, has, strict=True) if kept]
                return Matrix(build.const(int(isinstance(e, sympy.OneMatrix)), tuple(dims)), *has)
            case sympy.MatAdd():
                return Matrix(build.sum_of(*(self.matrix(x).node for x in e.args)), *has)
            case sympy.MatMul():
                return self._chain(e)
            case sympy.Transpose():
                inner = self.matrix(e.arg)
                turned = build.einsum([inner.node], [inner.labels], inner.labels[::-1])
                return Matrix(turned, *has)
            case sympy.Inverse():
                return Matrix(build.apply(Inverse(), self.square(e.arg)), *has)
            case sympy.MatPow():
                return self._matrix_power(e)
            case sympy.HadamardProduct():
                return Matrix(build.hadamard(*(self.matrix(x).node for x in e.args)), *has)
            case sympy.HadamardPower():
                base = self.matrix(e.base)
                if not e.exp.is_Rational:
                    raise ArgumentError(f"the exponent of {e} is no number")
                return Matrix(power(base.node, Fraction(int(e.exp.p), int(e.exp.q))), *has)
            case ElementwiseApplyFunction():
                return self._applied(e)
            case sympy.DiagMatrix():
                vector = self.matrix(e.args[0]).node
                unit = build.delta(vector.dims[0])
                return Matrix(
                    build.einsum([vector, unit], ["i", "ij"], "ij"), rows=True, columns=True
                )
            case sympy.DiagonalOf():
                inner = self.matrix(e.args[0])
                return Matrix(build.einsum([inner.node], ["ii"], "i"), rows=True, columns=False)
        raise ArgumentError(f"tcalc has no counterpart of {type(e).__name__}: {e}")

    def _explicit(self, e: Any, rows: bool, columns: bool) -> Matrix:
        """A matrix of entries, as the sum of each times unit vectors of its row and column."""
        terms: list[Node] = []
        for (i, j), entry in e.todok().items():
            value = self.scalar(entry)
            if value.indices:
                raise ArgumentError(f"an entry of a matrix is a number, and has no index: {entry}")
            units = [
                unit(place + 1, Dim.of(size))
                for place, size, kept in ((i, e.rows, rows), (j, e.cols, columns))
                if kept
            ]
            labels = "rc"[: len(units)]
            terms.append(build.einsum([value.node, *units], ["", *labels], labels))
        if not terms:
            dims = [Dim.of(n) for n, kept in ((e.rows, rows), (e.cols, columns)) if kept]
            return Matrix(build.zeros(tuple(dims)), rows, columns)
        return Matrix(build.sum_of(*terms), rows, columns)

    def _chain(self, e: Any) -> Matrix:
        factors: list[Node] = []
        rows: list[tuple[str, ...]] = []
        place = 0
        first = last = ""
        for part in e.args:
            if not getattr(part, "is_Matrix", False):
                factors.append(self.scalar(part).node)
                rows.append(())
                continue
            inner = self.matrix(part)
            left, right = f"k{place}", f"k{place + 1}"
            first, last = first or left, right
            factors.append(inner.node)
            rows.append((left,) * inner.rows + (right,) * inner.columns)
            place += 1
        has = tuple(size != 1 for size in e.shape)
        output = (first,) * has[0] + (last,) * has[1]
        return Matrix(build.einsum(factors, rows, output), *has)

    def _matrix_power(self, e: Any) -> Matrix:
        if not e.exp.is_Integer or abs(int(e.exp)) > 64:
            raise ArgumentError(f"the exponent of {e} is no integer of moderate size")
        base = self.square(e.base)
        if e.exp < 0:
            base = build.apply(Inverse(), base)
        found: Node = build.delta(base.dims[0])
        for _ in range(abs(int(e.exp))):
            found = build.einsum([found, base], ["ij", "jk"], "ik")
        return Matrix(found, rows=True, columns=True)

    def _applied(self, e: Any) -> Matrix:
        inner = self.matrix(e.expr)
        (bound,) = e.function.variables
        body = self.scalar(e.function.expr, {bound: inner.node})
        node = body.node if body.indices else build.broadcast(body.node, inner.node.dims)
        return Matrix(node, inner.rows, inner.columns)
