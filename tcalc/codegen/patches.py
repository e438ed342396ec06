"""Products of two arrays of which one is seen through windows, as a layer of a convolutional net.

    Σ_ckl X[s,c,i+k-1,j+l-1] W[o,c,k,l]   ->   Σ_ckl V[c,k,l,s,i,j] W[o,c,k,l]

All windows are taken at once, in an order in which a product of matrices reads them as they lie and
rows of X stay rows: this one array serves the layer and its gradient by W.  The gradient by X is
added up from a product with the same axes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain

from tcalc.codegen.contract import Pairs
from tcalc.codegen.convolutions import gathered, is_array, is_moving
from tcalc.codegen.program import Call, View
from tcalc.codegen.selection import Indicator, Operand, Part
from tcalc.codegen.tensor import Builder, arranged
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.polynomial import Polynomial
from tcalc.expr.primitive import Labels
from tcalc.primitives.routines import Embedded, elements, no_work
from tcalc.primitives.shifts import looked_at, overlapped, windows

ZERO = Dim.of(0)


class Patches:
    """The windows along several axes of one program."""

    def __init__(self, builder: Builder, pairs: Pairs, sizes: Mapping[str, int]) -> None:
        self.builder = builder
        self.pairs = pairs
        self.sizes = sizes

    def met(self, operands: Sequence[Part], kept: Labels) -> list[Part]:
        """The operands of a product, with the windows of one of two arrays taken or overlapped."""
        if not any(map(is_moving, operands)):
            return list(operands)
        found = list(operands)
        if len(list(filter(is_array, found))) > 2:
            found = gathered(found, self.pairs, self.sizes)
        moving, arrays = list(filter(is_moving, found)), list(filter(is_array, found))
        numbers = [x for x in found if not x.labels]
        if len(arrays) != 2 or len(moving) + len(numbers) + 2 < len(found):
            return list(operands)
        made = self._of_two(moving, arrays, kept)
        return list(operands) if made is None else [*numbers, *made]

    def _of_two(
        self, moving: Sequence[Indicator], arrays: Sequence[Operand], kept: Labels
    ) -> list[Part] | None:
        """The same where there is nothing else; None if windows are not all of one array."""
        labels = [*(x.labels for x in moving), *(x.labels for x in arrays)]
        count = Counter(chain(kept, *labels))
        shared = {label for label, times in count.items() if times > 1}
        arrays = [self.pairs.reduce(x, shared) for x in arrays]
        long = {x.long[0] for x in moving}
        rows = list(chain.from_iterable(x.rows for x in moving))
        if any(count[label] != 2 for label in long) or len(set(rows)) < len(rows):
            return None
        for seen, other in (arrays, arrays[::-1]):
            # Where not several results are seen through the same windows, their copies cost more.
            several = set(other.labels) & set(kept)
            if several and long <= set(seen.labels) and not set(rows) & set(seen.labels):
                return [self._windows(seen, other, moving), other]
        inner = set(chain.from_iterable(x.labels for x in arrays)) - set(kept)
        if long <= set(kept) and set(rows) <= inner:
            return [self._overlapped(arrays, moving, kept)]
        return None

    def _windows(self, seen: Operand, other: Operand, moving: Sequence[Indicator]) -> Operand:
        """An array with the windows that it is seen through as axes."""
        beside = [x for x in seen.labels if all(x != move.long[0] for move in moving)]
        near, taps, far, runs = self._order(beside, moving, other.labels)
        order = (*near, *taps, *far, *runs)
        places = {label: axis for axis, label in enumerate(seen.labels)}
        axes, steps, dims = _courses(
            order, moving, places, dict(zip(seen.labels, seen.value.dims, strict=True))
        )
        begun = {move.long[0]: move.shifts.start for move in moving if move.shifts is not None}
        starts = [begun.get(label, ZERO) for label in seen.labels]
        routine = Embedded(
            windows,
            (axes, steps),
            requires=(looked_at,),
            sizes=(*starts, *dims),
            fresh=True,
            work=no_work,
        )
        call = Call(routine, (View.of(self.builder.typed(seen.value)),))
        return Operand(self.builder.make(call, dims), order)

    def _overlapped(
        self, arrays: Sequence[Operand], moving: Sequence[Indicator], kept: Labels
    ) -> Operand:
        """What belongs to each place, added up window by window."""
        first, second = arrays
        sizes = dict(
            zip(
                (*first.labels, *second.labels),
                (*first.value.dims, *second.value.dims),
                strict=True,
            )
        )
        rows = set(chain.from_iterable(x.rows for x in moving))
        beside = [x for x in sizes if x in kept and x not in rows]
        near, taps, far, runs = self._order(beside, moving, first.labels)
        order = (*near, *taps, *far, *runs)
        if taps[0] not in first.labels:
            first, second = second, first
        product = self.pairs.in_turn(first, second, order)
        output = (*near, *far, *(move.long[0] for move in moving))
        places = {label: axis for axis, label in enumerate(output)}
        axes, steps, _ = _courses(order, moving, places, sizes)
        ends = {move.long[0]: move.shifts for move in moving if move.shifts is not None}
        starts = [ends[x].start if x in ends else ZERO for x in output]
        made = tuple(ends[x].size if x in ends else sizes[x] for x in output)
        routine = Embedded(
            overlapped,
            (axes, steps, tuple(range(len(near), len(near) + len(taps)))),
            requires=(looked_at,),
            sizes=(*starts, *made),
            fresh=True,
            work=_added,
        )
        call = Call(routine, (arranged(self.builder.typed(product.value), product.labels, order),))
        return Operand(self.builder.make(call, made), output)

    def _order(
        self, beside: Sequence[int], moving: Sequence[Indicator], side: Labels
    ) -> tuple[Labels, Labels, Labels, Labels]:
        """The short indices of windows and the long ones, each with the labels on their `side`."""
        pairs = []
        for move in moving:
            lengths = zip(
                (x.evaluate(self.sizes) for x in move.places.dims), move.rows, strict=True
            )
            pairs.append([label for _, label in sorted(lengths, key=lambda x: x[0])])
        self.builder.tuned = True
        taps, runs = zip(*pairs, strict=True)
        near = tuple(x for x in beside if (x in side) == (taps[0] in side))
        return near, taps, tuple(x for x in beside if x not in near), runs


def _courses(
    order: Labels, moving: Sequence[Indicator], places: Mapping[int, int], sizes: Mapping[int, Dim]
) -> tuple[tuple[int, ...], tuple[int, ...], Shape]:
    """For each label the axis that it runs along, in which steps, and how far."""
    found = {label: (axis, 1, sizes[label]) for label, axis in places.items() if label in sizes}
    for move in moving:
        assert move.shifts is not None
        for label, step, dim in zip(
            move.rows, move.shifts.coefficients, move.shifts.dims, strict=True
        ):
            found[label] = places[move.long[0]], step, dim
    axes, steps, dims = zip(*(found[label] for label in order), strict=True)
    return axes, steps, dims


def _added(given: Sequence[Shape], made: Sequence[Shape]) -> Polynomial:
    return elements(given[0])
