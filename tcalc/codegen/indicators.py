"""Products with tensors of zeros and ones that data give: elements taken, and added up at places.

``S[i,j]`` with a one where ``g[i] = j`` is not formed.  With an array along j, the elements at the
places g are taken; where the product keeps j, what belongs to each place is added up there:

    Σ_j S[i,j] X[j,k] -> X[g[i],k]
    Σ_i S[i,j] R[i,k] -> for each j the sum of R[i,k] over the i with g[i] = j
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import reduce

from tcalc.codegen.contract import Pairs
from tcalc.codegen.program import Call, Fold, View
from tcalc.codegen.selection import Indicator, Operand
from tcalc.codegen.tensor import ONE, Builder, arranged
from tcalc.expr.dims import Dim, Shape, product
from tcalc.expr.polynomial import Polynomial
from tcalc.primitives.onehot import joined, picked, placed, taken
from tcalc.primitives.routines import Embedded, elements, no_work
from tcalc.primitives.shifts import looked_at, windows, windows_added

ZERO = Dim.of(0)


class Indicators:
    """The products with indicators of one program."""

    def __init__(self, builder: Builder, pairs: Pairs) -> None:
        self.builder = builder
        self.pairs = pairs

    def meet(self, indicator: Indicator, other: Operand, kept: Collection[int]) -> Operand:
        """The product with an array, summed over what is not kept."""
        if shared := [label for label in indicator.long if label in other.labels]:
            other = self._taken(self._along(indicator, shared), other)
        if left := [label for label in indicator.long if label in kept]:
            return self._placed(self._along(indicator, left), other, kept)
        return self.pairs.reduce(other, kept)

    def formed(self, indicator: Indicator) -> Operand:
        """The tensor of zeros and ones as an array."""
        return self._placed(indicator, self._one(), indicator.labels)

    def summed(self, indicator: Indicator, kept: Collection[int]) -> Operand:
        """How many of the rows that are not kept have their one at each place."""
        return self._placed(indicator, self._one(), kept)

    def joined(self, left: Indicator, right: Indicator) -> Indicator:
        """The product of two that have their rows in common, for places on both axes."""
        views = tuple(View(x.places, tuple(map(x.rows.index, left.rows))) for x in (left, right))
        routine = Embedded(joined, sizes=(product(right.dims),), work=no_work)
        places = self.builder.make(Call(routine, views), left.places.dims)
        parts = (left.parts or (left,)) + (right.parts or (right,))
        return Indicator(places, left.rows, left.long + right.long, left.dims + right.dims, parts)

    def _along(self, indicator: Indicator, labels: Collection[int]) -> Indicator:
        """The indicator for some of the axes of one."""
        if set(indicator.long) <= set(labels):
            return indicator
        return reduce(self.joined, [x for x in indicator.parts if x.long[0] in labels])

    def _one(self) -> Operand:
        return Operand(self.builder.typed(self.builder.number(ONE)), ())

    def _taken(self, indicator: Indicator, other: Operand) -> Operand:
        """The elements at the places, whose axes stand in the place of the one that was."""
        if len(indicator.long) > 1:
            other = self._folded(other, indicator.long)
        label, rows, places = indicator.long[0], indicator.rows, indicator.places
        labels = other.labels
        at = labels.index(label)
        shared = tuple(x for x in rows if x in labels)
        if not shared:
            order = (*labels[:at], *rows, *labels[at + 1 :])
            call = self._whole_rows(indicator, other, at)
        else:
            own = tuple(x for x in rows if x not in shared)
            rest = tuple(x for x in labels if x != label and x not in shared)
            order = (*shared, *own, *rest)
            views = (
                arranged(other.value, labels, (*shared, label, *rest)),
                arranged(places, rows, (*shared, *own)),
            )
            call = Call(Embedded(picked, (len(shared),), work=no_work), views)
        sizes = _sizes(other, indicator)
        return Operand(self.builder.make(call, tuple(sizes[x] for x in order)), order)

    def _whole_rows(self, indicator: Indicator, other: Operand, at: int) -> Call:
        """The elements of an axis at the places of all rows."""
        shifts = indicator.shifts
        if shifts is None:
            routine = Embedded(taken, (at,), work=no_work)
            return Call(routine, (View.of(other.value), View.of(indicator.places)))
        rows = len(shifts.dims)
        dims = other.value.dims
        axes = (*range(at), *[at] * rows, *range(at + 1, len(dims)))
        steps = (*[1] * at, *shifts.coefficients, *[1] * (len(dims) - at - 1))
        starts = [shifts.start if axis == at else ZERO for axis in range(len(dims))]
        routine = Embedded(
            windows,
            (axes, steps),
            requires=(looked_at,),
            sizes=(*starts, *dims[:at], *shifts.dims, *dims[at + 1 :]),
            work=no_work,
        )
        return Call(routine, (View.of(other.value),))

    def _folded(self, operand: Operand, long: Sequence[int]) -> Operand:
        """An array with some axes, of which the last runs fastest, as one, the first."""
        rest = tuple(label for label in operand.labels if label not in long)
        sizes = dict(zip(operand.labels, operand.value.dims, strict=True))
        shape = product(sizes[x] for x in long), *(sizes[x] for x in rest)
        fold = Fold(arranged(operand.value, operand.labels, (*long, *rest)), shape)
        return Operand(self.builder.make(fold, shape, operand.value.memory), (long[0], *rest))

    def _placed(self, indicator: Indicator, other: Operand, kept: Collection[int]) -> Operand:
        """What belongs to each place, added up there."""
        rows = indicator.rows
        other = self.pairs.reduce(other, {*kept, *rows})
        lead = tuple(x for x in rows if x in kept)
        summed = tuple(x for x in rows if x not in kept)
        rest = tuple(x for x in other.labels if x not in rows)
        at = {label: axis for axis, label in enumerate(other.labels)}
        views = (
            View(self.builder.typed(other.value), tuple(map(at.get, (*lead, *summed, *rest)))),
            View(indicator.places, tuple(map(rows.index, (*lead, *summed)))),
        )
        sizes = _sizes(other, indicator)
        before, after = (tuple(sizes[x] for x in part) for part in (lead, rest))
        size = product(indicator.dims)
        shifts = indicator.shifts
        if shifts is not None and summed:
            order = [rows.index(x) for x in (*lead, *summed)]
            parameters = len(lead), tuple(shifts.coefficients[k] for k in order)
            counts = (size, shifts.offset, *(shifts.dims[k] for k in order))
            routine = Embedded(windows_added, parameters, sizes=counts, work=_shifted)
            call = Call(routine, views[:1])
        else:
            call = Call(Embedded(placed, (len(lead),), sizes=(size,), work=_additions), views)
        value = self.builder.make(call, (*before, size, *after))
        if len(indicator.dims) > 1:
            shape = (*before, *indicator.dims, *after)
            value = self.builder.make(Fold(View.of(value), shape), shape)
        return Operand(value, (*lead, *indicator.long, *rest))


def _additions(given: Sequence[Shape], made: Sequence[Shape]) -> Polynomial:
    values, places = given
    return elements((*places, *values[len(places) :]))


def _shifted(given: Sequence[Shape], made: Sequence[Shape]) -> Polynomial:
    (values,) = given
    return elements(values)


def _sizes(other: Operand, indicator: Indicator) -> dict[int, Dim]:
    """The sizes of the labels of an array and of the rows."""
    return dict(
        zip(
            (*other.labels, *indicator.rows),
            (*other.value.dims, *indicator.places.dims),
            strict=True,
        )
    )
