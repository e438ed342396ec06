"""A greedy order for long products, near linear in the number of factors.

The next pair is the one that shrinks memory most, ties by flops; or, as a second opinion, the
one with the fewest flops, which walks a chain of matrices from its vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import TypeAlias

from tcalc.planning.flops import Label, Volumes

Labels: TypeAlias = frozenset[Label]
NEIGHBOURS = 8
"""How many operands that share a label are looked at, where thousands do."""


def greedy_steps(
    factors: Sequence[Labels], output: Labels, volumes: Volumes, by_flops: bool
) -> list[tuple[int, int, Labels]]:
    """Steps ``(a, b, labels of the result)``; step `k` makes operand ``len(factors) + k``."""
    return _Greedy(factors, output, volumes, by_flops).run()


class _Greedy:
    def __init__(
        self,
        factors: Sequence[Labels],
        output: Labels,
        volumes: Volumes,
        by_flops: bool,
    ) -> None:
        self.volumes = volumes
        self.output = output
        self.by_flops = by_flops
        self.operands: list[Labels] = list(factors)
        self.alive: dict[int, None] = dict.fromkeys(range(len(factors)))
        self.holders: dict[Label, dict[int, None]] = {}
        for k, labels in enumerate(factors):
            for label in sorted(labels):
                self.holders.setdefault(label, {})[k] = None
        self.steps: list[tuple[int, int, Labels]] = []

    def run(self) -> list[tuple[int, int, Labels]]:
        self._merge_alike()
        heap = [
            self._entry(a, b)
            for label in sorted(self.holders)
            for a, b in pairwise(self.holders[label])
        ]
        for label in sorted(self.holders):
            members = list(self.holders[label])
            for gap in range(2, min(NEIGHBOURS, len(members))):
                heap += [self._entry(a, b) for a, b in zip(members, members[gap:], strict=False)]
        heapify(heap)
        while len(self.alive) > 1:
            while heap and not (heap[0][2] in self.alive and heap[0][3] in self.alive):
                heappop(heap)
            if heap:
                _, _, a, b = heappop(heap)
            else:
                a, b = sorted(self.alive, key=lambda k: (self.volumes[self.operands[k]], k))[:2]
            made = self._contract(a, b)
            for other in self._near(made):
                heappush(heap, self._entry(other, made))
        return self.steps

    def _merge_alike(self) -> None:
        """Operands with the same labels are multiplied first: that never costs more."""
        groups: dict[Labels, int] = {}
        for k in list(self.alive):
            labels = self.operands[k]
            while labels in groups:
                k = self._contract(groups.pop(labels), k)
                labels = self.operands[k]
            groups[labels] = k

    def _near(self, operand: int) -> list[int]:
        """The operands that share a label, at most `NEIGHBOURS` for each label."""
        found: dict[int, None] = {}
        for label in sorted(self.operands[operand]):
            members = self.holders[label]
            taken = 0
            for other in reversed(members):
                if other != operand:
                    found[other] = None
                    taken += 1
                if taken == NEIGHBOURS:
                    break
        return list(found)

    def _entry(self, a: int, b: int) -> tuple[int, int, int, int]:
        x, y = self.operands[a], self.operands[b]
        result = self._result(a, b)
        flops = self.volumes.of_pair(x, y, result)
        change = self.volumes[result] - self.volumes[x] - self.volumes[y]
        return (flops, change, a, b) if self.by_flops else (change, flops, a, b)

    def _result(self, a: int, b: int) -> Labels:
        x, y = self.operands[a], self.operands[b]
        return frozenset(
            label
            for label in x | y
            if label in self.output or len(self.holders[label]) > (label in x) + (label in y)
        )

    def _contract(self, a: int, b: int) -> int:
        result = self._result(a, b)
        made = len(self.operands)
        for k in (a, b):
            del self.alive[k]
            for label in self.operands[k]:
                del self.holders[label][k]
        for label in result:
            self.holders[label][made] = None
        self.operands.append(result)
        self.alive[made] = None
        self.steps.append((a, b, result))
        return made
