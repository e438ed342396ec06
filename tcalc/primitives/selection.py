"""Constant 0/1 tensors: elements, slices and triangles of a tensor are products with them.

``A[i,3]`` is ``A[i,j] e[j]`` with a unit vector ``e``; ``A[2:5,j]`` is ``W[i,k] A[k,j]`` with a
window ``W`` of the unit matrix; ``tril(A)`` is ``A .* mask``.  Generated code indexes and slices
instead of multiplying.  Positions are dimensions, so that ``end`` is one like any other.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Self

from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Fact, Holds, LinearMap, Notation
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.routines import Coded, Embedded, Routine, no_work, per_element

_ALWAYS = (Fact.NONNEGATIVE, Fact.INTEGER)


class GivenBySizes(Coded):
    """A constant tensor given by dimensions alone."""

    def __init__(self, *parameters: Dim) -> None:
        self.parameters = parameters

    @property
    def key(self) -> str:
        return f"{self.name}({', '.join(map(str, self.parameters))})"

    def substitute(self, values: Mapping[str, Dim]) -> Self:
        """The same with dimensions replaced by others."""
        return type(self)(*(parameter.substitute(values) for parameter in self.parameters))

    def check_numbers(self, *numbers: int) -> None:
        """Raise `ValueError` where these parameters make no such tensor."""

    @abstractmethod
    def code(self) -> Embedded:
        """The function that makes the array, of the parameters."""

    def jacobian(self, node: Apply, position: int) -> LinearMap:
        return ()

    def evaluate(self, *arrays: Any) -> Any:
        raise TypeError(f"{self.key} has no arguments: ask for its `constant`")

    def constant(self, dims: Shape, sizes: Mapping[str, int]) -> Any:
        """The array; raises `ValueError` where a position lies outside for these sizes."""
        numbers = [parameter.evaluate(sizes) for parameter in self.parameters]
        self.check_numbers(*numbers)
        return self.code().function(*numbers, dtype=float)

    def routine(self, node: Apply) -> Routine:
        return self.code()

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return True if fact in _ALWAYS else None

    def notation(self, node: Apply) -> Notation:
        return Notation(name=self.name, parameters=tuple(map(str, self.parameters)))


class Selection(GivenBySizes):
    """A constant 0/1 tensor given by dimensions alone."""


def unit_vector(index: int, size: int, *, dtype: Any) -> Array:
    """Zeros with a one at the 1-based index."""
    if not 1 <= index <= size:
        raise IndexError(f"the position {index} is not one of 1 to {size}")
    e = np.zeros(size, dtype)
    e[index - 1] = 1
    return e


class UnitVector(Selection):
    """``e[i]``, shape [dim]: a one at the 1-based index, else zeros."""

    name = "unitvector"

    def __init__(self, index: Dim, dim: Dim) -> None:
        super().__init__(index, dim)
        self.index, self.dim = index, dim
        _check_range(index, index, dim)

    def check_numbers(self, *numbers: int) -> None:
        index, size = numbers
        _check_numbers(index, index, size)

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        return ((self.dim,),)

    def code(self) -> Embedded:
        return Embedded(unit_vector, sizes=self.parameters, typed=True, work=no_work)

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return True if fact is Fact.UNIT_VECTOR else super().facts(node, fact, holds)


def window_matrix(start: int, stop: int, size: int, *, dtype: Any) -> Array:
    """The rows start..stop (1-based, inclusive) of the unit matrix."""
    if not 1 <= start <= stop + 1 <= size + 1:
        raise IndexError(f"the range {start}:{stop} is not within 1 to {size}")
    rows = np.arange(start - 1, stop)
    return (rows[:, None] == np.arange(size)).astype(dtype)


class Window(Selection):
    """Rows start..stop (1-based, inclusive) of the unit matrix, shape [stop - start + 1, dim]."""

    name = "window"

    def __init__(self, start: Dim, stop: Dim, dim: Dim) -> None:
        super().__init__(start, stop, dim)
        self.start, self.stop, self.dim = start, stop, dim
        _check_range(start, stop, dim)

    def check_numbers(self, *numbers: int) -> None:
        _check_numbers(*numbers)

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        return ((self.stop - self.start + 1, self.dim),)

    def code(self) -> Embedded:
        return Embedded(window_matrix, sizes=self.parameters, typed=True, work=no_work)


def lower_mask(rows: int, columns: int, offset: int, *, dtype: Any) -> Array:
    """Ones where column <= row + offset."""
    return np.tri(rows, columns, offset, dtype)


def running_sums(a: Array, axis: int, backwards: bool, strict: bool) -> Array:
    """Sums along an axis up to each place, or from each on; without the place itself if strict."""
    n = a.shape[axis]
    # One number after the other: in single precision a long sum would lose digits.
    wide = np.result_type(a, np.float64)
    if a.size >= 256 * n and a.strides[axis] >= 4 * a.itemsize:
        # `np.cumsum` goes along the axis for one place of the others at a time: row by row the
        # numbers that are added lie side by side.
        sums = np.empty(a.shape, a.dtype)
        rows, made = np.moveaxis(a, axis, 0), np.moveaxis(sums, axis, 0)
        total = np.zeros(rows.shape[1:], wide)
        for k in reversed(range(n)) if backwards else range(n):
            if strict:
                made[k] = total
            total += rows[k]
            if not strict:
                made[k] = total
        return sums
    sums = made = np.empty(a.shape, wide)
    rows = a
    if backwards:
        rows, made = np.flip(a, axis), np.flip(sums, axis)
    if strict:
        rows, made = np.moveaxis(rows, axis, 0)[:-1], np.moveaxis(made, axis, 0)
        made[:1] = 0
        axis, made = 0, made[1:]
    np.cumsum(rows, axis, dtype=wide, out=made)
    return sums.astype(a.dtype, copy=False)


class LowerMask(Selection):
    """Ones where column <= row + offset, else zeros; shape [rows, columns].

    A product with one that is square, and of no offset or of -1, is made by `running_sums`.
    """

    name = "lowermask"

    def __init__(self, rows: Dim, columns: Dim, offset: Dim | int = 0) -> None:
        self.rows, self.columns, self.offset = rows, columns, Dim.of(offset)
        super().__init__(rows, columns, self.offset)

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        return ((self.rows, self.columns),)

    def code(self) -> Embedded:
        return Embedded(lower_mask, sizes=self.parameters, typed=True, work=no_work)

    @property
    def adds_up(self) -> bool:
        """Whether products with it are running sums."""
        return self.rows == self.columns and self.offset.value in (0, -1)

    def sums(self, axis: int, backwards: bool) -> Embedded | None:
        """What makes products with it that are summed along an axis, over columns or over rows."""
        if not self.adds_up:
            return None
        parameters = (axis, backwards, self.offset.value == -1)
        return Embedded(running_sums, parameters, fresh=True, work=per_element(1))

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        if fact is Fact.LOWER and self.offset.value is not None:
            return self.offset.value <= 0 or None
        return super().facts(node, fact, holds)


def is_unit_vector(node: Node) -> bool:
    """Whether a node is a unit vector, with which a tensor has one element of an axis."""
    return isinstance(node, Apply) and isinstance(node.primitive, UnitVector)


def is_slice(node: Node) -> bool:
    """Whether a node is a unit vector or a window, with which a tensor has a part of an axis."""
    return isinstance(node, Apply) and isinstance(node.primitive, UnitVector | Window)


def unit(index: Dim | int, dim: Dim) -> Node:
    """The unit vector of a 1-based index."""
    return build.apply(UnitVector(Dim.of(index), dim))


def window(start: Dim | int, stop: Dim | int, dim: Dim) -> Node:
    """The rows start..stop of a unit matrix; the unit matrix itself where that is all."""
    first, last = Dim.of(start), Dim.of(stop)
    if first.value == 1 and last == dim:
        return build.delta(dim)
    return build.apply(Window(first, last, dim))


def lower(rows: Dim, columns: Dim, offset: int = 0) -> Node:
    """The mask of the lower triangle and of `offset` diagonals above the main one."""
    return build.apply(LowerMask(rows, columns, offset))


def _check_range(start: Dim, stop: Dim, dim: Dim) -> None:
    first, last, size = start.value, stop.value, dim.value
    length = (stop - start).value
    if first is not None and first < 1:
        raise ValueError(f"position {first} is below 1")
    if last is not None and size is not None and last > size:
        raise ValueError(f"position {last} is beyond the dimension {size}")
    if length is not None and length < 0:
        raise ValueError(f"the range {start}:{stop} is empty")


def _check_numbers(start: int, stop: int, size: int) -> None:
    """The same once sizes are known; then ``x[2:end]`` of a single element may be empty."""
    if start < 1:
        raise ValueError(f"position {start} is below 1")
    if stop > size:
        raise ValueError(f"position {stop} is beyond the dimension {size}")
    if stop < start - 1:
        raise ValueError(f"the range {start}:{stop} does not exist")
