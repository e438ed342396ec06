"""Where the elements of a value are in the memory of a C function, and how they are named there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tcalc.codegen.program import Index, Slice, View
from tcalc.expr.dims import Dim, Shape
from tcalc.records import dataclass

ZERO, ONE = Dim.of(0), Dim.of(1)


@dataclass(frozen=True, slots=True)
class Place:
    """A number, by its expression; or an array: a pointer, where it begins, and its strides.

    An axis with the stride 0 is repeated; those of a number, if it has any, all are.  Strides and
    the `start` count elements.
    """

    name: str
    dims: Shape = ()
    strides: tuple[Dim, ...] = ()
    start: Dim = ZERO
    is_number: bool = False

    def axis(self, place: int) -> tuple[Dim, Dim]:
        """The length and the stride of an axis."""
        return self.dims[place], self.strides[place]


def number(text: str) -> Place:
    """The place of a number that has a name or is written as it is."""
    return Place(text, is_number=True)


def row_major(name: str, dims: Shape) -> Place:
    """An array in the order in which C has it."""
    strides: list[Dim] = []
    step = ONE
    for dim in reversed(dims):
        strides.append(step)
        step = step * dim
    return Place(name, dims, tuple(reversed(strides)))


def viewed(place: Place, view: View) -> Place:
    """A place with the axes of a view of its value."""
    if view.plain:
        return place
    kept = [(ONE, ZERO) if axis is None else place.axis(axis) for axis in view.axes]
    dims, strides = zip(*kept, strict=True) if kept else ((), ())
    return replace(place, dims=tuple(dims), strides=tuple(strides))


def picked(place: Place, index: Sequence[Index]) -> Place:
    """The part that an index of each axis cuts out."""
    start, dims, strides = place.start, [], []
    for part, dim, stride in zip(index, place.dims, place.strides, strict=True):
        match part:
            case None:
                dims.append(dim)
                strides.append(stride)
            case Slice(start=first, length=length):
                start = start + first * stride
                dims.append(length)
                strides.append(stride)
            case _:
                start = start + part * stride
    return replace(place, dims=tuple(dims), strides=tuple(strides), start=start)


def joined(place: Place, labels: Sequence[int], output: Sequence[int]) -> Place:
    """The elements with equal places on axes that share a label, an axis for each of `output`."""
    dims, strides = [], []
    for label in output:
        axes = [k for k, x in enumerate(labels) if x == label]
        dims.append(place.dims[axes[0]])
        total = ZERO
        for axis in axes:
            total = total + place.strides[axis]
        strides.append(total)
    return replace(place, dims=tuple(dims), strides=tuple(strides))


def spread(place: Place, dims: Shape, sizes: Mapping[str, int]) -> Place:
    """A place repeated along the axes where it has length one, and along new first ones."""
    missing = len(dims) - len(place.dims)
    strides = [ZERO] * missing
    for mine, stride, wanted in zip(place.dims, place.strides, dims[missing:], strict=True):
        repeated = mine.evaluate(sizes) == 1 != wanted.evaluate(sizes)
        strides.append(ZERO if repeated else stride)
    return replace(place, dims=dims, strides=tuple(strides))


def is_row_major(place: Place, sizes: Mapping[str, int]) -> bool:
    """Whether the elements lie one after the other as C has them, whatever the strides of one."""
    step = 1
    for dim, stride in zip(reversed(place.dims), reversed(place.strides), strict=True):
        length = dim.evaluate(sizes)
        if length != 1 and stride.evaluate(sizes) != step:
            return False
        step *= length
    return True
