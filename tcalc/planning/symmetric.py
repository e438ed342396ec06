"""Products that are symmetric: one half is computed once and met with itself.

    W6' D W7' E W7 D W6  ->  J' E J  with  J = W7 D W6

A product of equal factors may go over into itself when its labels are exchanged.  The factors then
fall into two halves that are one product up to the names of labels, and a centre that stays as it
is.  Whoever contracts the halves in the same order need compute one of them only.  The halves may
meet at both ends, as those of a trace do:

    tr(V F V F)  ->  P[i,j] P[j,i]  with  P = V F
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field
from itertools import combinations
from typing import TypeAlias

from tcalc.planning.flops import Labels
from tcalc.records import dataclass

SEEDS = 12
"""How many pairs of equal factors are tried as counterparts."""
LONGEST = 48
"""The most factors of a product that is looked at."""


@dataclass(frozen=True, slots=True)
class Halves:
    """The places of the factors of both halves, counterparts at the same position.

    `image` has the label of the second half for each label of the first.
    """

    first: tuple[int, ...]
    second: tuple[int, ...]
    image: Mapping[int, int] = field(repr=False, compare=False, default_factory=dict)


Exchangeable: TypeAlias = Mapping[int, tuple[int, int]]
"""For tensors, by their numbers in `alike`, two axes which may be exchanged."""


def halves(
    rows: Sequence[Labels],
    output: Labels,
    alike: Sequence[int],
    exchangeable: Exchangeable | None = None,
) -> Halves | None:
    """The largest halves of a product; `alike` has equal numbers for equal factors.

    Factors that are alike have a label for every axis, equal ones on a diagonal.

    >>> W, V, i, j, a, b, c = 0, 1, 0, 1, 2, 3, 4
    >>> halves([(c, a), (a, i), (c, b), (b, j)], (i, j), [W, V, W, V])
    Halves(first=(0, 1), second=(2, 3))
    """
    if len(rows) > LONGEST:
        return None
    count = Counter(alike)
    tried = sorted(
        (count[alike[k]], k, m)
        for k, m in combinations(range(len(rows)), 2)
        if alike[k] == alike[m] and rows[k] != rows[m]
    )
    best: Halves | None = None
    for _, k, m in tried[:SEEDS]:
        for turned in (False, True) if exchangeable and alike[k] in exchangeable else (False,):
            found = _Exchange(rows, output, alike, exchangeable or {}).run(k, m, turned)
            if found is not None and (best is None or len(found.first) > len(best.first)):
                best = found
    return best if best is not None and len(best.first) > 1 else None


class _Exchange:
    """An exchange of labels that maps the product to itself, as it is found out."""

    def __init__(
        self,
        rows: Sequence[Labels],
        output: Labels,
        alike: Sequence[int],
        exchangeable: Exchangeable,
    ) -> None:
        self.rows = rows
        self.output = set(output)
        self.alike = alike
        self.exchangeable = exchangeable
        self.image: dict[int, int] = {}
        self.pairs: list[tuple[int, int]] = []
        self.holders: dict[int, list[int]] = {}
        for k, row in enumerate(rows):
            for label in dict.fromkeys(row):
                self.holders.setdefault(label, []).append(k)

    def run(self, k: int, m: int, turned: bool) -> Halves | None:
        """The halves in which two given factors are counterparts, if there are any.

        They are so with two axes of the second exchanged if `turned`.
        """
        if not self._pair(k, m, turned):
            return None
        taken = {k, m}
        for first, _ in self.pairs:
            for label in self.rows[first]:
                if self.image[label] == label:
                    continue
                for other in self.holders[label]:
                    if other in taken:
                        continue
                    match = self._counterpart(other, taken)
                    if match is None:
                        return None
                    taken |= {other, match}
        rest = (label for k, row in enumerate(self.rows) if k not in taken for label in row)
        if any(self.image.get(label, label) != label for label in rest):
            return None
        if {self.image.get(label, label) for label in self.output} != self.output:
            return None
        firsts, seconds = zip(*self.pairs, strict=True)
        return Halves(firsts, seconds, self.image)

    def _counterpart(self, factor: int, taken: set[int]) -> int | None:
        for other, kind in enumerate(self.alike):
            fresh = other != factor and other not in taken and kind == self.alike[factor]
            turns = (False, True) if kind in self.exchangeable else (False,)
            if fresh and any(self._pair(factor, other, turned) for turned in turns):
                return other
        return None

    def _pair(self, first: int, second: int, turned: bool) -> bool:
        """Take two factors for counterparts, where that agrees with what is known."""
        row = list(self.rows[second])
        if turned:
            i, j = self.exchangeable[self.alike[second]]
            row[i], row[j] = row[j], row[i]
        image = dict(self.image)
        for x, y in zip(self.rows[first], row, strict=True):
            if image.setdefault(x, y) != y or image.setdefault(y, x) != x:
                return False
        self.image = image
        self.pairs.append((first, second))
        return True
