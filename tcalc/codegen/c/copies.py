"""Smaller arrays that loops would read across memory, copied with their axes in order.

    z[i,j] = f(A[i,j], B[j,i], x[j]),   D[i,j] = Σ_k (X[i,k] - Y[j,k])²

Loops over a larger array run along its last axis.  Where the elements of an operand lie far apart
along it, they are read one by one, and many times: those of a copy are read several at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from tcalc.codegen.c.contractions import labelled
from tcalc.codegen.c.distances import ABREAST, are_abreast
from tcalc.codegen.c.elementwise import writable
from tcalc.codegen.c.narrow import narrow
from tcalc.codegen.fusion import elementwise, with_views
from tcalc.codegen.memory import count
from tcalc.codegen.program import (
    Addend,
    MatMul,
    Program,
    Statement,
    Sum,
    Value,
    View,
    rewritten,
    unused_number,
)
from tcalc.expr.dims import Shape

TIMES = 4
"""How often each element of an array is read, at least, that is copied."""
LARGE = 1 << 8
"""The elements of a result from which on its operands are."""


def with_copies(program: Program, sizes: Mapping[str, int]) -> Program:
    """The program with copies of smaller arrays, right behind these, where loops need them."""
    copies = _Copies(sizes, unused_number(program))
    reading = [copies.read_by(statement) for statement in program.statements]
    behind: dict[Value, list[Statement]] = {}
    for source, copy in copies.made.items():
        term = Addend(Fraction(1), source)
        behind.setdefault(source.value, []).append(Statement((copy,), Sum(copy.dims, (term,))))
    parts = ([x, *(y for value in x.results for y in behind.get(value, ()))] for x in reading)
    return rewritten(program, parts)


class _Copies:
    """The copies that there are to be, by what they are made of."""

    def __init__(self, sizes: Mapping[str, int], unused: int) -> None:
        self._sizes, self._unused = sizes, unused
        self.made: dict[View, Value] = {}

    def read_by(self, statement: Statement) -> Statement:
        """A statement that reads copies where loops would read across memory."""
        operation = statement.operation
        size = count(statement.results[0].dims, self._sizes)
        if are_abreast(operation, self._sizes):
            first, second = operation.arguments
            distances = replace(operation, arguments=(first, self._read(second, 0, size)))
            return replace(statement, operation=distances)
        if elementwise(operation, writable):
            read = with_views(operation, lambda view: self._read(view, -1, size))
            return replace(statement, operation=read)
        if isinstance(operation, MatMul):
            return replace(statement, operation=self._product(operation, statement.results[0].dims))
        return statement

    def _product(self, operation: MatMul, dims: Shape) -> MatMul:
        """A product that reads copies in a nest over its large matrix, where it is narrow."""
        product = narrow(operation, dims, self._sizes)
        if product is None:
            return operation
        size = count(product.dims, self._sizes)
        along = product.over[1]
        left, right = (
            self._read(view, row.index(along), size) if along in row else view
            for view, row in labelled(operation)[0]
        )
        return MatMul(left, right)

    def _read(self, view: View, along: int, size: int) -> View:
        """An operand of a result of some size, or of its copy if loops along an axis need one."""
        dims, axes = view.value.dims, [axis for axis in view.axes if axis is not None]
        lead = view.axes[along] if axes else None
        if lead is None or lead == len(dims) - 1 or len(axes) < len(dims):
            return view
        few = dims[lead].evaluate(self._sizes) < ABREAST
        if few or size < max(LARGE, TIMES * count(dims, self._sizes)):
            return view
        order = (*(axis for axis in axes if axis != lead), lead)
        source = View(view.value, order)
        copy = self.made.setdefault(source, Value(self._unused + len(self.made), source.dims))
        return View(copy, tuple(None if x is None else order.index(x) for x in view.axes))
