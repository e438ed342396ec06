"""Scalar expressions from SymPy: tensors over the indices in them.

``A[i, j]*x[j]`` has the axes i and j, and `Sum` takes one away.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy
from sympy.matrices.expressions.matexpr import MatrixElement

from tcalc.conversion.entries import (
    Entries,
    added,
    elementwise,
    mapped,
    multiplied,
    selected,
    spread,
)
from tcalc.conversion.inputs import Inputs
from tcalc.conversion.names import FUNCTIONS, RELATIONS
from tcalc.errors import ArgumentError, DimensionError
from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Node
from tcalc.primitives.constants import CONSTANTS
from tcalc.primitives.determinant import det
from tcalc.primitives.gamma import polygamma
from tcalc.primitives.logdet import LogDet
from tcalc.primitives.piecewise import Where
from tcalc.primitives.power import power
from tcalc.primitives.reductions import Prod
from tcalc.primitives.selection import LowerMask, unit, window

_FUNCTIONS = {kind: name for name, kind in FUNCTIONS.items()}
_COMPARISONS = {kind: sign for sign, kind in RELATIONS.items()}

ZERO = Dim.of(0)
LARGE = 1000
"""A size that is larger than the numbers that programs shift indices by."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix expression: a tensor, and whether it has the axis of rows and that of columns."""

    node: Node
    rows: bool
    columns: bool

    @property
    def labels(self) -> tuple[str, ...]:
        """The axes that it has, as labels."""
        return ("r",) * self.rows + ("c",) * self.columns


class ScalarReader(Inputs, ABC):
    """Reads scalar expressions, and leaves the matrices in them to another."""

    @abstractmethod
    def matrix(self, e: Any) -> Matrix:
        """A matrix expression."""

    def square(self, e: Any) -> Node:
        """A matrix expression as a tensor of order 2; `ArgumentError` for one row and column."""
        inner = self.matrix(e)
        if inner.node.order != 2:
            raise ArgumentError(f"{e} is a matrix with one row and one column: write a scalar")
        return inner.node

    def scalar(self, e: Any, given: Mapping[Any, Node] | None = None) -> Entries:
        """A scalar expression; `given` are the tensors that symbols stand for, of one shape."""

        def read(part: Any) -> Entries:
            return self.scalar(part, given)

        if given and e in given:
            node = given[e]
            return Entries(node, tuple(f"axis {k}" for k in range(node.order)))
        number = _number(e)
        if number is not None:
            return Entries(number)
        if e.is_Symbol:
            return self._symbol(e)
        if e.is_Add:
            return added([read(part) for part in e.args])
        if e.is_Mul:
            return multiplied([read(part) for part in e.args])
        if e.is_Pow:
            return self._power(read(e.base), e.exp, read)
        match e:
            case sympy.Indexed():
                base = self.variable(str(e.base), [self.dim(size) for size in e.shape])
                self.indexed(base, e.indices)
                return self._selected(base, e.indices)
            case MatrixElement():
                inner, axes = self.matrix(e.parent), e.args[1:]
                kept = [i for i, has in zip(axes, (inner.rows, inner.columns), strict=True) if has]
                return self._selected(inner.node, kept)
            case sympy.Sum() | sympy.Product():
                return self._total(e, read(e.function))
            case sympy.Trace():
                inner = self.matrix(e.arg)
                labels = ("r",) * inner.node.order
                return Entries(build.einsum([inner.node], [labels], ()))
            case sympy.Determinant():
                return Entries(det(self.square(e.arg)))
            case sympy.KroneckerDelta():
                return self._delta(e)
            case sympy.Piecewise():
                return self._piecewise(e, read)
        if type(e) is sympy.log and isinstance(e.args[0], sympy.Determinant):
            return Entries(build.apply(LogDet(), self.square(e.args[0].arg)))
        if type(e) in _FUNCTIONS:
            return mapped(_FUNCTIONS[type(e)], [read(part) for part in e.args])
        if isinstance(e, sympy.polygamma) and e.args[0].is_Integer:
            value = read(e.args[1])
            return Entries(polygamma(value.node, int(e.args[0])), value.indices)
        if isinstance(e, sympy.Heaviside):
            return mapped("step", [read(e.args[0])])
        raise ArgumentError(f"tcalc has no counterpart of {type(e).__name__}: {e}")

    def _selected(self, node: Node, indices: Sequence[Any]) -> Entries:
        places = [self.place(i, dim) for i, dim in zip(indices, node.dims, strict=True)]
        return selected(node, indices, places)

    def _symbol(self, e: Any) -> Entries:
        name = str(e)
        if e in self.ranges:
            raise ArgumentError(f"the index {name} stands alone, as a number")
        if e in self.sizes:
            return Entries(build.size(Dim.of(name)))
        return Entries(self.variable(name, ()))

    def _power(self, base: Entries, exponent: Any, read: Callable[[Any], Entries]) -> Entries:
        if exponent.is_Rational:
            p = Fraction(int(exponent.p), int(exponent.q))
            return Entries(power(base.node, p), base.indices)
        return mapped("pow", [base, read(exponent)])

    def _total(self, e: Any, inside: Entries) -> Entries:
        node, indices = inside.node, inside.indices
        for index, low, _ in e.limits:
            if low not in (0, 1):
                raise ArgumentError(f"the sum over {index} starts at {low}, and should at 0 or 1")
            left = tuple(i for i in indices if i != index)
            if isinstance(e, sympy.Product):
                if index not in indices:
                    raise ArgumentError(
                        f"the product over {index} is of what does not depend on it"
                    )
                node = build.apply(Prod(1), build.einsum([node], [indices], (*left, index)))
            elif index in indices:
                node = build.einsum([node], [indices], left)
            else:
                node = build.hadamard(
                    node, build.broadcast(build.size(self.ranges[index]), node.dims)
                )
            indices = left
        return Entries(node, indices)

    def _delta(self, e: Any) -> Entries:
        sides = [self._shifted(part) for part in e.args[:2]]  # and then, perhaps, a range
        if None in sides:
            raise ArgumentError(f"{e} is of an index, and of an index or a place on its axis")
        (one, low), (other, high) = (side for side in sides if side is not None)
        if one is None or other is None:
            index, place = (other, low - high) if one is None else (one, high - low)
            if index is None or index not in self.ranges:
                raise DimensionError(f"the range of an index of {e} is not known")
            return Entries(_at(place + 1, self.ranges[index]), (index,))
        return self._shift(one, other, high - low, e)

    def _shift(self, one: Any, other: Any, shift: Dim, e: Any) -> Entries:
        """Ones where ``one = other + shift``, for indices from 0 on."""
        known = [self.ranges[index] for index in (one, other) if index in self.ranges]
        if not known:
            raise DimensionError(f"the range of {e} is not known")
        if shift == ZERO and len(set(known)) == 1:
            return Entries(build.delta(known[0]), (one, other))
        if len(known) < 2:
            raise DimensionError(f"the range of an index of {e} is not known")
        size, short = known
        room = (size - short).value
        smaller = size.value is not None if room is None else room < 0
        if _is_negative(shift) or (shift == ZERO and smaller):
            one, other, size, short, shift = other, one, short, size, ZERO - shift
        left = size - short - shift
        # Of sizes with different names the shift is taken to fit, as a slice does.
        if len(left.names()) > 1 or not _is_negative(left):
            return Entries(window(shift + 1, shift + short, size), (other, one))
        # The last rows are beyond the axis, and zero.
        inside = size - shift
        if _is_negative(inside - 1):
            return Entries(build.zeros((size, short)), (one, other))
        parts = window(shift + 1, size, size), window(1, inside, short)
        return Entries(build.einsum(parts, ["ki", "kj"], "ij"), (one, other))

    def _piecewise(self, e: Any, read: Callable[[Any], Entries]) -> Entries:
        found: Entries | None = None
        for value, condition in reversed(e.args):
            if found is None:
                if condition != sympy.true:
                    raise ArgumentError("a piecewise function needs a last piece that holds else")
                found = read(value)
            else:
                found = self._chosen(condition, read(value), found, read)
        assert found is not None
        return found

    def _chosen(
        self, condition: Any, yes: Entries, no: Entries, read: Callable[[Any], Entries]
    ) -> Entries:
        """One of two values, by a condition."""
        match condition:
            case sympy.And():
                for part in condition.args:
                    yes = self._chosen(part, yes, no, read)
                return yes
            case sympy.Or():
                for part in condition.args:
                    no = self._chosen(part, yes, no, read)
                return no
            case sympy.ITE():
                which, *two = condition.args
                first, second = (self._chosen(part, yes, no, read) for part in two)
                return self._chosen(which, first, second, read)
            case sympy.Not():
                return self._chosen(condition.args[0], no, yes, read)
            case sympy.Unequality():
                return self._chosen(sympy.Equality(*condition.args), no, yes, read)
        mask = self._mask(condition)
        if mask is not None and no.node is build.zeros(no.node.dims):
            return multiplied([mask, yes])
        if mask is not None:
            sign, sides = ">", [mask, Entries(build.const(0))]
        elif type(condition) in _COMPARISONS:
            sign, sides = _COMPARISONS[type(condition)], [read(part) for part in condition.args]
        else:
            raise ArgumentError(f"tcalc has no counterpart of the condition {condition}")
        parts = [*sides, yes, no]
        indices = tuple(dict.fromkeys(i for part in parts for i in part.indices))
        nodes = [spread(part, indices, parts) for part in parts]
        return Entries(build.apply(Where(sign), *nodes), indices)

    def _mask(self, condition: Any) -> Entries | None:
        """Ones where a comparison of indices holds: a triangle, or a diagonal."""
        if type(condition) not in _COMPARISONS:
            return None
        sides = [self._shifted(side) for side in condition.args]
        if None in sides:
            return None
        (column, left), (row, right) = (side for side in sides if side is not None)
        compared = [index for index in (column, row) if index is not None]
        if not compared or not self.ranges.keys() >= set(compared):
            return None
        if isinstance(condition, sympy.Equality):
            return self._delta(condition)
        if len(compared) < 2:
            return None
        if isinstance(condition, sympy.GreaterThan | sympy.StrictGreaterThan):
            column, left, row, right = row, right, column, left
        if isinstance(condition, sympy.StrictLessThan | sympy.StrictGreaterThan):
            right = right - 1
        mask = LowerMask(self.ranges[row], self.ranges[column], right - left)
        return Entries(build.apply(mask), (row, column))

    def _shifted(self, e: Any) -> tuple[Any, Dim] | None:
        """An index, or None, and a sum of sizes and integers beside it; None for all else."""
        parts = e.args if e.is_Add else (e,)
        indices = [
            x for x in parts if isinstance(x, sympy.Symbol | sympy.Idx) and x not in self.sizes
        ]
        rest = sympy.Add(*(x for x in parts if x not in indices))
        if len(indices) > 1 or not rest.free_symbols <= self.sizes:
            return None
        try:
            return (indices[0] if indices else None), self.dim(rest)
        except ArgumentError:
            return None


def _at(position: Dim, dim: Dim) -> Node:
    """A one at a 1-based position of an axis; zeros for one that is not on it."""
    try:
        return unit(position, dim)
    except ValueError:
        return build.zeros((dim,))


def _is_negative(shift: Dim) -> bool:
    """Whether a shift is below zero, in which the sizes are large."""
    return shift.evaluate(dict.fromkeys(map(str, shift.names()), LARGE)) < 0


def _number(e: Any) -> Node | None:
    """A number, exactly as it is written; None for what is none."""
    if e.is_Rational:
        return build.const(Fraction(int(e.p), int(e.q)))
    if e.is_Float:
        return build.const(Fraction(repr(float(e))))
    if e is sympy.pi:
        return CONSTANTS["pi"]()
    if e is sympy.E:
        return elementwise("exp")(build.const(1))
    return None
