"""The path of a product: exact where it has few factors, greedy and refined beyond.

Measured against opt_einsum (its `dp`, and `auto-hq` for long products) in the tests.  This one is
deterministic, knows inverses, needs no NumPy, and is near linear for thousands of factors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from math import inf
from typing import TypeAlias

from tcalc.expr.partition import connected
from tcalc.planning.exact import Mask, MaskedVolumes, Tree, cheapest
from tcalc.planning.flops import (
    ADDED_UP,
    MOVED,
    Indicator,
    Inversion,
    Label,
    Network,
    Pair,
    Triangle,
    Volumes,
    form_flops,
    reduction_flops,
    solve_columns,
    solve_flops,
)
from tcalc.planning.greedy import greedy_steps
from tcalc.records import dataclass

EXACT = 9
"""The most factors that dynamic programming orders as a whole."""
CHAIN = 48
"""The longest chain, as of matrices between vectors, that is ordered as a whole."""
WINDOW = 7
"""The factors in a part of a longer product that is ordered anew."""
REFINED = 80
"""The longest product whose greedy order is refined."""

Step: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """The order of a product.

    Factors are numbered from 0, and step `k` of the `path` contracts two operands to number
    ``len(factors) + k``.  `solved` gives, for each inverse that is applied, the columns it is
    applied to; `flops` is the cost of all steps and of the inverses that have to be formed.
    """

    path: tuple[Step, ...]
    flops: int
    solved: Mapping[int, int]


class Planner:
    """One product on its way to a path: operands by number, with the labels still open."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.sizes = network.sizes
        self.inverses = {k: x for k, x in network.special.items() if isinstance(x, Inversion)}
        self.indicators = {k: x for k, x in network.special.items() if isinstance(x, Indicator)}
        self.triangles = {k for k, x in network.special.items() if isinstance(x, Triangle)}
        self.volumes = Volumes(network.sizes)
        holders: dict[Label, list[int]] = {}
        for k, row in enumerate(network.factors):
            for label in dict.fromkeys(row):
                holders.setdefault(label, []).append(k)
        self.holders = holders
        out = set(network.output)
        self.labels: dict[int, frozenset[Label]] = {
            k: frozenset(x for x in row if x in out or len(holders[x]) > 1)
            for k, row in enumerate(network.factors)
        }
        self.fresh = count(len(network.factors))
        self.children: dict[int, Step] = {}

    def run(self) -> Plan:
        scalars = [k for k, labels in self.labels.items() if not labels]
        roots = [self._component(group) for group in self._components()]
        roots.sort(key=lambda k: (self.volumes[self.labels[k]], k))
        root = roots[0] if roots else None
        for other in roots[1:]:
            assert root is not None
            root = self._join(root, other, self.labels[root] | self.labels[other])
        scale = scalars[0] if scalars else None
        for other in scalars[1:]:
            assert scale is not None
            scale = self._join(scale, other, frozenset())
        if root is None:
            root = scale
        elif scale is not None:
            root = self._scaled(root, scale)
        return self._finish(root)

    def _components(self) -> list[tuple[int, ...]]:
        """The factors with labels, grouped by what joins them."""
        groups = connected(list(self.labels.values()), ())
        return [group for group in groups if self.labels[group[0]]]

    def _join(self, a: int, b: int, result: frozenset[Label]) -> int:
        made = next(self.fresh)
        self.children[made] = (a, b)
        self.labels[made] = result
        return made

    def pair(self, a: int, b: int, result: frozenset[Label]) -> Pair:
        """The cheapest way to contract two operands, an inverse being applied where it can."""
        x, y = self.labels[a], self.labels[b]
        flops = self._product(a, b, result)
        best: Pair | None = None
        for inverse, other, partner in ((a, y, b), (b, x, a)):
            if inverse not in self.inverses:
                continue
            formed = self._form_flops(inverse)
            columns = self._columns(inverse, other, result)
            if columns is None:
                flops += formed
                continue
            n = self._order_of(inverse)
            applied = solve_flops(columns, n, self.inverses[inverse])
            if partner in self.inverses:
                applied += self._form_flops(partner)
            elif partner in self.indicators:
                applied += self.volumes[y if partner == b else x]
            if best is None or applied < best.flops:
                best = Pair(result, applied, columns)
        return best or Pair(result, flops)

    def _product(self, a: int, b: int, result: frozenset[Label]) -> int:
        """What a product costs; with an indicator, elements are taken, or added up.

        With a triangle of ones each sum is the one before and an element.
        """
        x, y = self.labels[a], self.labels[b]
        for triangle, other in ((a, y), (b, x)):
            if triangle in self.triangles and self._adds_up(triangle, other, result):
                by_product = self.volumes.of_pair(x, y, result)
                return min(ADDED_UP * self.volumes[result], by_product)
        found = [k for k in (a, b) if k in self.indicators]
        if not found:
            return self.volumes.of_pair(x, y, result)
        long = {k: self._long(k) for k in found}
        made = self.volumes[result]
        if len(found) == 1:
            return MOVED * self.volumes[(x | y) - long[found[0]]] + made
        if x - long[a] == y - long[b] and not long[a] & long[b]:
            return MOVED * self.volumes[x - long[a]] + made  # places on both axes
        formed = ((a, y), (b, x))
        return (
            min(MOVED * self.volumes[(x | y) - long[k]] + self.volumes[z] for k, z in formed) + made
        )

    def _adds_up(self, triangle: int, other: frozenset[Label], result: frozenset[Label]) -> bool:
        """Whether a product with a triangle of ones is one of running sums along an axis."""
        row = set(self.network.factors[triangle])
        summed = row & other
        return len(row) == 2 and len(summed) == 1 and result == (row | other) - summed

    def _long(self, indicator: int) -> frozenset[Label]:
        row = self.network.factors[indicator]
        return frozenset(row[len(row) - self.indicators[indicator].axes :])

    def _columns(
        self, inverse: int, other: frozenset[Label], result: frozenset[Label]
    ) -> int | None:
        row, kind = self.network.factors[inverse], self.inverses[inverse]
        return solve_columns(row, kind.axes, other, result, self.sizes)

    def _form_flops(self, inverse: int) -> int:
        row, kind = self.network.factors[inverse], self.inverses[inverse]
        return form_flops(row, kind, self.sizes)

    def _order_of(self, inverse: int) -> int:
        row, kind = self.network.factors[inverse], self.inverses[inverse]
        return self.network.volume(row[len(row) - kind.axes :])

    def _component(self, group: Sequence[int]) -> int:
        if len(group) == 1:
            return group[0]
        output = frozenset().union(*(self.labels[k] for k in group)) & set(self.network.output)
        if len(group) <= EXACT:
            root = self._exact(group, output)
            assert root is not None
            return root
        if len(group) <= CHAIN and (line := self._line(group)):
            return self._chain(line, output)
        candidates: list[tuple[int, int, int]] = []
        for by_flops in (False, True):
            steps = greedy_steps([self.labels[k] for k in group], output, self.volumes, by_flops)
            ids = list(group)
            total = 0
            for a, b, result in steps:
                total += self.pair(ids[a], ids[b], result).flops
                ids.append(self._join(ids[a], ids[b], result))
            candidates.append((total, len(candidates), ids[-1]))
        root = min(candidates)[2]
        return self._refine(root) if len(group) <= REFINED else root

    def _line(self, group: Sequence[int]) -> list[int]:
        """The factors of a chain in order, each joined to the next; empty for other networks."""
        near: dict[int, list[int]] = {}
        for k in group:
            joined = {other for label in self.labels[k] for other in self.holders[label]}
            near[k] = sorted(joined - {k})
        ends = [k for k in group if len(near[k]) == 1]
        if len(ends) != 2 or any(len(near[k]) > 2 for k in group):
            return []
        line = [ends[0], near[ends[0]][0]]
        while line[-1] != ends[1]:
            a, b = near[line[-1]]
            line.append(a if b == line[-2] else b)
        return line

    def _chain(self, line: Sequence[int], output: frozenset[Label]) -> int:
        """The classical order of a chain of matrices, by intervals."""
        count = len(line)
        open_labels: dict[Step, frozenset[Label]] = {}
        for i in range(count):
            union: frozenset[Label] = frozenset()
            for j in range(i, count):
                union |= self.labels[line[j]]
                rest = [line[k] for k in (i - 1, j + 1) if 0 <= k < count]
                outside = output.union(*(self.labels[k] for k in rest))
                open_labels[i, j] = union & outside
        best = {(i, i): 0 for i in range(count)}
        split: dict[Step, int] = {}
        for width in range(1, count):
            for i in range(count - width):
                j = i + width
                best[i, j], split[i, j] = min(
                    (best[i, k] + best[k + 1, j] + self._between(line, open_labels, i, k, j), k)
                    for k in range(i, j)
                )
        made: dict[Step, int] = {(i, i): line[i] for i in range(count)}
        stack = [(0, count - 1)]
        while stack:
            i, j = stack[-1]
            k = split[i, j]
            missing = [part for part in ((i, k), (k + 1, j)) if part not in made]
            if missing:
                stack += missing
                continue
            stack.pop()
            made[i, j] = self._join(made[i, k], made[k + 1, j], open_labels[i, j])
        return made[0, count - 1]

    def _between(
        self,
        line: Sequence[int],
        open_labels: Mapping[Step, frozenset[Label]],
        i: int,
        k: int,
        j: int,
    ) -> int:
        x, y, z = open_labels[i, k], open_labels[k + 1, j], open_labels[i, j]
        ends = (line[i] if i == k else -1, line[j] if k + 1 == j else -2)
        if not any(end in self.network.special for end in ends):
            return self.volumes.of_pair(x, y, z)
        self.labels[-1], self.labels[-2] = x, y
        return self.pair(*ends, z).flops

    def _exact(
        self, leaves: Sequence[int], output: frozenset[Label], below: float = inf
    ) -> int | None:
        """The root of the cheapest order of some operands; None where its cost is not `below`."""
        order = sorted(frozenset().union(*(self.labels[k] for k in leaves)))
        bit = {label: 1 << place for place, label in enumerate(order)}
        rows = [sum(bit[label] for label in self.labels[k]) for k in leaves]
        volumes = MaskedVolumes(self.sizes[label] for label in order)
        single = {1 << place: k for place, k in enumerate(leaves)}
        special = {mask for mask, k in single.items() if k in self.network.special}

        def names(mask: Mask) -> frozenset[Label]:
            return frozenset(label for label in order if bit[label] & mask)

        def price(a: Mask, x: Mask, b: Mask, y: Mask, z: Mask) -> int:
            left, right = single.get(a, -1), single.get(b, -1)
            self.labels[-1] = names(x if left < 0 else y)
            return self.pair(left, right, names(z)).flops

        outside = sum(bit[label] for label in output)
        found = cheapest(rows, outside, volumes, special, price, below)
        self.labels.pop(-1, None)
        return None if found is None else self._plant(found[1], leaves, output)

    def _plant(self, tree: Tree, leaves: Sequence[int], output: frozenset[Label]) -> int:
        """Number the operands of a small tree, with their open labels."""
        outside = dict.fromkeys(output, 1)
        for k in leaves:
            for label in self.labels[k]:
                outside[label] = outside.get(label, 0) + 1

        def grow(part: Tree) -> int:
            if isinstance(part, int):
                return leaves[part]
            a, b = grow(part[0]), grow(part[1])
            for k in (a, b):
                for label in self.labels[k]:
                    outside[label] -= 1
            result = frozenset(x for x in self.labels[a] | self.labels[b] if outside[x] > 0)
            for label in result:
                outside[label] += 1
            return self._join(a, b, result)

        return grow(tree)

    def _refine(self, root: int) -> int:
        """Order parts of a tree anew, `WINDOW` operands at a time, while that pays."""
        for _ in range(3):
            improved = False
            for node in reversed(_reachable(root, self.children)):
                if node not in self.children:
                    continue
                leaves = [node]
                old = 0
                while len(leaves) < WINDOW:
                    inner = [k for k in leaves if k in self.children]
                    if not inner:
                        break
                    widest = max(inner, key=lambda k: (self.volumes[self.labels[k]], -k))
                    leaves.remove(widest)
                    a, b = self.children[widest]
                    leaves += [a, b]
                    old += self.pair(a, b, self.labels[widest]).flops
                if len(leaves) < 3:
                    continue
                made = self._exact(sorted(leaves), self.labels[node], old)
                if made is not None:
                    self.children[node] = self.children[made]
                    improved = True
            if not improved:
                break
        return root

    def _scaled(self, root: int, scale: int) -> int:
        """Multiply by a scalar where the operand is smallest, as late as possible."""
        order = [k for k in _reachable(root, self.children) if k not in self.network.special]
        order = order or [root]
        target = min(reversed(order), key=lambda k: self.volumes[self.labels[k]])
        made = self._join(target, scale, self.labels[target])
        if target == root:
            return made
        for parent in _reachable(root, self.children):
            if parent in self.children and target in self.children[parent]:
                a, b = self.children[parent]
                self.children[parent] = (made, b) if a == target else (a, made)
                break
        return root

    def _finish(self, root: int | None) -> Plan:
        """Number the steps in the order of a post-order walk, and count."""
        leaves = len(self.network.factors)
        number = {k: k for k in range(leaves)}
        path: list[Step] = []
        flops = reduction_flops(self.network.factors, self.network.output, self.sizes)
        solved: dict[int, int] = {}
        for node in _reachable(root, self.children) if root is not None else []:
            if node not in self.children:
                continue
            a, b = self.children[node]
            pair = self.pair(a, b, self.labels[node])
            flops += pair.flops
            if pair.columns:
                inverse = a if self._applies(a, b, node) else b
                solved[inverse] = pair.columns
            path.append((number[a], number[b]))
            number[node] = leaves + len(path) - 1
        return Plan(tuple(path), flops, solved)

    def _applies(self, inverse: int, other: int, node: int) -> bool:
        """Whether the first operand is an inverse, applied, and rather than the second."""
        if inverse not in self.inverses:
            return False
        mine = self._columns(inverse, self.labels[other], self.labels[node])
        if mine is None or other not in self.inverses:
            return mine is not None
        theirs = self._columns(other, self.labels[inverse], self.labels[node])
        return theirs is None or mine <= theirs


def _reachable(root: int, children: Mapping[int, Step]) -> list[int]:
    """The nodes of a tree, children before parents."""
    order: list[int] = []
    stack = [(root, False)]
    while stack:
        node, expanded = stack.pop()
        if expanded or node not in children:
            order.append(node)
            continue
        stack.append((node, True))
        a, b = children[node]
        stack += [(b, False), (a, False)]
    return order
