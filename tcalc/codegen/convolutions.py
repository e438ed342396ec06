"""Products with windows of an array that are convolutions: the windows are not formed.

    Σ_jk S[i,k,j] X[j] W[k]   with a one in S where j = i + k - 1:  the sums of X[i+k-1] W[k]
    Σ_ik S[i,k,j] A[i] W[k]   what is added up at j = i + k - 1

Of the three axes of such an indicator each array has one, and the result the third.  One of the
arrays may have more axes, along which there are several convolutions, or both, over which these
are added up.  With channels, which give several results from the same windows, windows pay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import TypeGuard

from tcalc.codegen.contract import Pairs
from tcalc.codegen.memory import count as elements
from tcalc.codegen.program import Call, Fold, Memory, View
from tcalc.codegen.selection import Indicator, Operand, Part
from tcalc.codegen.tensor import Builder, arranged
from tcalc.expr.dims import Dim
from tcalc.expr.primitive import Labels
from tcalc.primitives.convolutions import Course, correlation, spreading
from tcalc.records import dataclass

ZERO, ONE = Dim.of(0), Dim.of(1)

WORTH_STEPS = 1000
"""How many elements a step has to take at least, where it is not saved that windows are copied."""

FEW_ROWS = 8
"""How many rows are convolved sooner than by a product of matrices.

With n positions and m elements of a short filter each, channels make n m products of matrix
elements, and a filter for several rows makes a matrix.  Either takes few more multiplications than
the convolutions do, at the rate of matrices, and no more memory than the rows if these are m.
"""


@dataclass(frozen=True, slots=True)
class _Move:
    """How one array moves over another: an indicator, and its labels by what becomes of them.

    The result has `made`; of the others the first array has `first`, the second one `second`.
    """

    indicator: Indicator
    made: int
    first: int
    second: int

    @property
    def spreads(self) -> bool:
        """Whether products are added up at their positions."""
        return self.made == self.indicator.long[0]

    @property
    def course(self) -> Course:
        """How positions run."""
        rows, shifts = self.indicator.rows, self.indicator.shifts
        assert shifts is not None
        outer = rows.index(self.first if self.spreads else self.made)
        inner = rows.index(self.second)
        steps = shifts.coefficients[outer], shifts.coefficients[inner]
        return Course(shifts.start, *steps, shifts.dims[outer], shifts.dims[inner], shifts.size)


class Convolutions:
    """The convolutions of one program."""

    def __init__(self, builder: Builder, pairs: Pairs, sizes: Mapping[str, int]) -> None:
        self.builder = builder
        self.pairs = pairs
        self.sizes = sizes

    def met(self, operands: Sequence[Part], kept: Labels) -> list[Part]:
        """The operands of a product, with those that are convolved replaced by what this gives."""
        found = list(operands)
        while any(map(is_moving, found)):
            shorter = self._met(found, kept)
            if shorter is None:
                shorter = self._met(gathered(found, self.pairs, self.sizes), kept)
            if shorter is None:
                break
            found = shorter
        return found

    def _met(self, operands: Sequence[Part], kept: Labels) -> list[Part] | None:
        """The operands with two arrays, and what lets one move over the other, as one."""
        moving = list(filter(is_moving, operands))
        arrays = list(filter(is_array, operands))
        count = Counter(label for x in operands for label in x.labels)
        count.update(set(kept))
        for first, second in permutations(arrays, 2):
            found = [_moved_over(x, first, second, count) for x in moving]
            moves = [move for move in found if move is not None]
            # Of results that two moves share one axis only a diagonal is wanted.
            apart = len({move.made for move in moves}) == len(moves)
            if apart and len({move.spreads for move in moves}) == 1:
                made = self._convolved(first, second, moves, count)
                if made is not None:
                    done = (first, second, *(move.indicator for move in moves))
                    return [*(x for x in operands if all(x is not y for y in done)), made]
        return None

    def _convolved(
        self, first: Operand, second: Operand, moves: Sequence[_Move], count: Mapping[int, int]
    ) -> Operand | None:
        """The product of two arrays and the indicators; None where it is more than convolutions."""
        taken = {label for move in moves for label in (move.first, move.second)}
        beside = [label for label in first.labels if label not in taken]
        summed = [label for label in second.labels if label not in taken]
        several = [label for label in beside if label not in summed]
        if not set(summed) <= set(beside) or any(count[label] != 2 for label in summed):
            return None
        if any(count[label] < 2 for label in several) or (moves[0].spreads and summed):
            return None
        dims = dict(zip(first.labels, first.value.dims, strict=True))
        moving = [move.course for move in moves]
        courses = [Course(ZERO, 1, 1, dims[x], ONE, dims[x]) for x in several]
        courses += [Course(ZERO, 1, 1, ONE, dims[x], dims[x]) for x in summed]
        courses += moving
        self.builder.tuned = True
        rows = elements(tuple(dims[x] for x in beside), self.sizes)
        few, many = sorted(self._elements_of(courses))
        if summed and many < WORTH_STEPS:
            return None
        places, shorter = self._elements_of(moving)
        inner, outer = (shorter, places) if summed else (places, shorter)
        if rows > FEW_ROWS and inner <= min(outer, rows):
            return None
        routine = (spreading if moves[0].spreads else correlation)(courses, few)
        order = (*several, *summed, *(move.first for move in moves))
        across = (*several, *summed, *(move.second for move in moves))
        axes = dict(zip(second.labels, range(len(second.labels)), strict=True))
        views = (
            arranged(self.builder.typed(first.value), first.labels, order),
            View(self.builder.typed(second.value), tuple(map(axes.get, across))),
        )
        made = tuple(x.size if moves[0].spreads else x.counts for x in courses)
        value = self.builder.make(Call(routine, views), made, Memory.FRESH)
        if summed:
            made = (*made[: len(several)], *made[len(several) + len(summed) :])
            value = self.builder.make(Fold(View.of(value), made), made, Memory.FRESH)
        return Operand(value, (*several, *(move.made for move in moves)))

    def _elements_of(self, courses: Sequence[Course]) -> tuple[int, int]:
        """How many positions there are of both arrays."""
        found = (x.counts for x in courses), (x.others for x in courses)
        first, second = (elements(tuple(dims), self.sizes) for dims in found)
        return first, second


def is_moving(part: Part) -> TypeGuard[Indicator]:
    """Whether a factor has its ones at sums of multiples of two indices."""
    return isinstance(part, Indicator) and part.shifts is not None and len(set(part.rows)) == 2


def is_array(part: Part) -> TypeGuard[Operand]:
    """Whether a factor is an array with axes to be multiplied as it is."""
    return isinstance(part, Operand) and bool(part.labels) and not part.divides and not part.mask


def gathered(operands: Sequence[Part], pairs: Pairs, sizes: Mapping[str, int]) -> list[Part]:
    """The operands, each whose labels another one has multiplied into the smallest such."""
    rest = [x for x in operands if not is_array(x)]
    arrays = list(filter(is_array, operands))
    arrays.sort(key=lambda x: elements(x.value.dims, sizes))
    for k, small in enumerate(arrays):
        for place in range(k + 1, len(arrays)):
            if set(small.labels) <= set(arrays[place].labels):
                both = pairs.contract(small, arrays[place], arrays[place].labels, {})
                arrays[place] = both
                break
        else:
            rest.append(small)
    return rest


def _moved_over(
    indicator: Indicator, first: Operand, second: Operand, count: Mapping[int, int]
) -> _Move | None:
    """The move of one array over another, by an indicator with whose labels nothing else meets."""
    (i, k), (long,) = indicator.rows, indicator.long
    # An array with windows comes before the other one.
    for made, one, other in ((i, long, k), (k, long, i), (long, i, k), (long, k, i)):
        alone = count[one] == count[other] == 2 and made not in first.labels + second.labels
        if alone and one in first.labels and other in second.labels and count[made] > 1:
            return _Move(indicator, made, one, other)
    return None
