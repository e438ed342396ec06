"""Products of a program: which inverses are applied, and in what order the factors meet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from math import prod
from typing import assert_never

from tcalc.codegen.contract import Pairs
from tcalc.codegen.convolutions import Convolutions
from tcalc.codegen.factors import Factors, Surroundings, axes_of, group_of, inversion_of
from tcalc.codegen.gram import Gram, gram
from tcalc.codegen.indicators import Indicators
from tcalc.codegen.opening import Opened, OpenProduct
from tcalc.codegen.patches import Patches
from tcalc.codegen.program import Call, Product, Value, View
from tcalc.codegen.selection import (
    Indicator,
    Inverted,
    Operand,
    Part,
    Selected,
    Selection,
    triangle,
)
from tcalc.codegen.tensor import ONE, Axis, Builder, Tensor, arranged
from tcalc.expr.dims import Dim
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Add, Apply, Einsum, Node, Var
from tcalc.expr.primitive import Labels
from tcalc.planning import MOVED, Plan, Special, Triangle, plan
from tcalc.planning import Indicator as Indication
from tcalc.primitives.inverse import Inverse
from tcalc.primitives.power import Power
from tcalc.primitives.routines import Template
from tcalc.simplify.special import is_apart, special_among

_RECIPROCAL = Template("1.0 / {0}")
_ROOT = Template("np.sqrt({0})")

LARGE = 64
"""The order from which on a matrix is solved with rather than inverted for two square ones.

By LAPACK's rates: solving with 2 n columns takes 1.1 times what forming the inverse and multiplying
by it takes for n = 40, and 0.85 times for n = 200; with n columns, 0.7 times for both.
"""

_ALONE, _PAIR = Plan((), 0, {}), Plan(((0, 1),), 0, {})
"""The plans of one and of two factors, where nothing is to be chosen and no cost is asked for."""


class Products:
    """The contractions of one program."""

    def __init__(
        self,
        lowering: Surroundings,
        opened: Opened,
        sizes: Mapping[str, int],
    ) -> None:
        self.lowering = lowering
        self.opened = opened
        self.builder = lowering.builder
        self.sizes = sizes
        self.pairs = Pairs(self.builder)
        self.indicators = Indicators(self.builder, self.pairs)
        self.convolutions = Convolutions(self.builder, self.pairs, sizes)
        self.patches = Patches(self.builder, self.pairs, sizes)
        self.factors = Factors(lowering)
        self.lengths: dict[Dim, int] = {}
        self.applied: set[Node] = set()
        self.divisors: set[Node] = set()

    def prepare(self, order: Sequence[Node]) -> None:
        """Decide which inverses are applied and which reciprocals divide."""
        uses: dict[Node, int] = {}
        for node in order:
            match node:
                case Apply(primitive=Inverse()):
                    uses[node] = self.opened.uses[node]
                case Apply(primitive=Power(exponent=exponent)) if exponent == -1:
                    if self.opened.uses[node] == 1:
                        self.divisors.add(node)
                case Einsum(factors=factors) if uses and not node.is_view:
                    for factor in factors:
                        if factor in uses:
                            uses[factor] -= 1
        if uses:
            self._decide(uses.keys(), {node for node, left in uses.items() if left})
        self.factors.prepare(order)

    def _decide(self, inverses: Collection[Node], formed: set[Node]) -> None:
        """Decide which inverses are applied; some are formed for other uses than in products.

        Those that are formed anyway multiply what they meet, unless that has few columns.
        """
        columns: Counter[Node] = Counter()
        for opened in self.opened.products.values():
            met = [factor for factor in opened.factors if factor in inverses]
            if met:
                solved = self._columns(opened, inverses)
                for node, count in solved:
                    columns[node] += count
                formed.update(Counter(met) - Counter(node for node, _ in solved))
        for node, count in columns.items():
            assert isinstance(node, Apply)
            shape = [dim.evaluate(self.sizes) for dim in node.dims]
            axes = axes_of(node)
            n, batch = prod(shape[len(shape) - axes :]), prod(shape[: len(shape) - 2 * axes])
            most = n if n < LARGE else 2 * n
            if node in formed:
                most = max(1, n // 2)
            # Solving with a triangle takes half of a product with its inverse, however often.
            if count <= batch * most or inversion_of(node).triangular:
                self.applied.add(node)

    def _columns(self, opened: OpenProduct, found: Collection[Node]) -> list[tuple[Node, int]]:
        """The inverses that a product would apply, and to how many columns each time."""
        selection = Selection(opened, Builder(), found)
        rows, kept = selection.rows()
        # A part of an array, or its diagonal, has a name of its own.
        names = [
            factor if row == whole else (factor, whole)
            for (factor, whole), row in zip(selection.parts, rows, strict=True)
        ]
        first = len(rows) - len(selection.inverses)
        rows += self._alone(rows, range(first, len(rows)), kept)
        special = special_among([factor for factor, _ in selection.parts])
        special |= {
            first + k: inversion_of(inverse) for k, (inverse, _) in enumerate(selection.inverses)
        }
        solved = self._plan(rows, kept, selection.dims, special, names).solved
        return [(selection.inverses[k - first][0], count) for k, count in solved.items()]

    def _alone(self, rows: Sequence[Labels], inverses: Sequence[int], kept: Labels) -> list[Labels]:
        """Summed labels that an inverse has alone: it is applied to a vector of ones."""
        if not inverses:
            return []
        count = Counter(label for row in rows for label in row)
        return [
            (label,)
            for k in inverses
            for label in rows[k]
            if count[label] == 1 and label not in kept
        ]

    def _plan(
        self,
        rows: Sequence[Labels],
        kept: Labels,
        dims: Mapping[int, Dim],
        special: Mapping[int, Special],
        names: Sequence[Hashable],
    ) -> Plan:
        """The order of a product; rows of factors with one name are of the same array."""
        if len(rows) < 3 and not special:
            return _PAIR if len(rows) == 2 else _ALONE
        number: dict[Hashable, int] = {}
        alike = [number.setdefault(name, len(number)) for name in names]
        alike += range(len(number), len(number) + len(rows) - len(alike))
        sizes = {label: self._length(dims[label]) for row in rows for label in row}
        self.builder.tuned = True
        swaps = {k: axes for name, k in number.items() if (axes := self._exchangeable(name))}
        if len(rows) == 3 and alike[1] == alike[2] and not special:
            # Of two orders that cost the same the planner takes x(xw), and w(xx) nobody shares.
            turned = plan((*rows[1:], rows[0]), kept, sizes, special)
            number = {0: 1, 1: 2, 2: 0}
            path = tuple((number.get(a, a), number.get(b, b)) for a, b in turned.path)
            return replace(turned, path=path)
        return plan(rows, kept, sizes, special, alike, swaps)

    def _length(self, dim: Dim) -> int:
        """The number for a dimension, of which there are few in a program."""
        if dim not in self.lengths:
            self.lengths[dim] = dim.evaluate(self.sizes)
        return self.lengths[dim]

    def _exchangeable(self, name: Hashable) -> tuple[int, int] | None:
        """Two axes that may be exchanged, of a node, or of the array of an operand."""
        match name:
            case (Value() as value, False):
                return self.pairs.symmetric.get(value)
            case Var() | Einsum() | Add() | Apply() if symmetric_axes(name):
                return name.order - 2, name.order - 1
            case _:
                return None

    def lower(self, node: Einsum) -> Tensor:
        """A contraction: selections put into effect, the rest pair by pair."""
        opened = self.opened.products[node]
        if (found := gram(opened)) is not None and found.outer not in self.applied:
            outer = self.builder.plain(self.lowering.tensors[found.outer], found.outer.dims)
            labels = tuple(found.left[place] for place in outer.places)
            # What is the same along the summed label is multiplied by the size, not summed.
            if not {*labels} <= {opened.output[0]}:
                return self._gram(found, opened, Operand(outer.value, labels))
        selected = self._selected(opened)
        order = self.opened.structure.axes(node)
        kept = dict.fromkeys(selected.output[axis].label for axis in order)
        value, labels = self._result(selected, tuple(x for x in kept if x is not None))
        if all(axis.start is None for axis in selected.output):
            output = [axis.label for axis in selected.output if axis.label is not None]
            return Tensor.over(value, labels, output)
        return Tensor(value, labels, selected.output)

    def _selected(self, opened: OpenProduct) -> Selected:
        selection = Selection(opened, self.builder, self.applied, self.divisors)
        return selection.run(self.lowering.tensors)

    def _result(self, selected: Selected, kept: Labels) -> tuple[Value, Labels]:
        """The contraction of what is left when selections are in effect.

        The axes of the result are best in the order in which its labels are `kept`.
        """
        rank = {label: k for k, label in enumerate(kept)}
        result = self._contract(selected, kept, rank)
        for mask, (i, j) in selected.masks:
            if {i, j} <= set(result.labels):
                result = triangle(self.builder, result, mask, i, j)
            else:
                other = Operand(self.lowering.dense(mask).value, (i, j))
                result = self.pairs.contract(result, other, kept, rank)
        return result.value, result.labels

    def _gram(self, found: Gram, opened: OpenProduct, outer: Operand) -> Tensor:
        """``B' B`` with ``B = diag(√d) P``."""
        i, j = opened.output
        (summed,) = set(found.left) - {i}
        factors, rows = zip(*found.weights, strict=True)
        dims = {
            label: dim for f, row in found.weights for label, dim in zip(row, f.dims, strict=True)
        }
        shared = tuple(dims)
        inner = OpenProduct(factors, rows, shared, tuple(dims.values()))
        weight, along = self._result(self._selected(inner), shared)
        root = self.builder.make(Call(_ROOT, (View.of(self.builder.typed(weight)),)), weight.dims)
        scaled = self.pairs.contract(outer, Operand(root, along), (i, summed), {})
        other = Operand(scaled.value, tuple(j if x == i else x for x in scaled.labels))
        result = self.pairs.contract(scaled, other, (i, j), {i: 0, j: 1})
        return Tensor(result.value, result.labels, (Axis(i), Axis(j)))

    def _contract(self, selected: Selected, kept: Labels, rank: Mapping[int, int]) -> Operand:
        """The product of the operands in the order that is planned for them."""
        operands = selected.operands
        if any(isinstance(operand, Indicator) for operand in operands):
            operands = self._with_indicators_prepared(operands, kept)
            operands = self.convolutions.met(operands, kept)
            operands = self.patches.met(operands, kept)
            operands = self._with_indicators_joined(operands, kept, selected.dims)
        if 0 < len(operands) < 3:
            few = [operand for operand in operands if isinstance(operand, Operand)]
            if len(few) == len(operands):
                return self._contract_few(few, rank)
        rows = [operand.labels for operand in operands]
        inverses = [k for k, operand in enumerate(operands) if isinstance(operand, Inverted)]
        for row in self._alone(rows, inverses, kept):
            operands.append(self._ones(row, selected.dims))
            rows.append(row)
        if not operands:
            return Operand(self.builder.number(ONE), ())
        found = self._planned(operands, kept, selected.dims)
        count = _occurrences(rows)
        items: list[Part] = []
        for k, operand in enumerate(operands):
            if isinstance(operand, Inverted):
                items.append(operand if k in found.solved else self._formed(operand))
            elif isinstance(operand, Indicator):
                items.append(operand)
            else:
                shared = {x for x in operand.labels if count[x] > 1 or x in rank}
                items.append(self._reduced(operand, shared))
        return self._contract_along(found.path, items, rank)

    def _planned(self, operands: Sequence[Part], kept: Labels, dims: Mapping[int, Dim]) -> Plan:
        """The order of a product of such operands."""
        special: dict[int, Special] = {}
        names: list[Hashable] = []
        for k, operand in enumerate(operands):
            match operand:
                case Inverted():
                    special[k] = inversion_of(operand.node)
                    names.append(operand.node)
                case Indicator():
                    special[k] = Indication(len(operand.long))
                    names.append((operand.places, operand.dims))
                case Operand():
                    if operand.mask is not None and operand.mask.adds_up:
                        special[k] = Triangle()
                    names.append((operand.value, operand.divides))
        return self._plan([x.labels for x in operands], kept, dims, special, names)

    def _contract_along(
        self,
        path: Sequence[tuple[int, int]],
        items: list[Part],
        rank: Mapping[int, int],
    ) -> Operand:
        """Operands contracted by pairs; the result of each pair is the last of them then."""
        count = _occurrences(item.labels for item in items)
        for a, b in path:
            left, right = items[a], items[b]
            labels = (*left.labels, *right.labels)
            for label in labels:
                count[label] -= 1
            open_labels = {x for x in labels if count[x] > 0 or x in rank}
            made = self._meet(left, right, open_labels, rank)
            for label in made.labels:
                count[label] += 1
            items.append(made)
        last = items[-1]
        if isinstance(last, Indicator):
            return self.indicators.summed(last, rank)
        return self._multiplied(self._array(last))

    def _with_indicators_prepared(self, operands: Sequence[Part], kept: Labels) -> list[Part]:
        """The operands of a product with indicators of their rows, and places, joined.

        One over which the rest is constant is 1, or counts its rows at each place.
        """
        count = Counter(label for operand in operands for label in operand.labels)
        count.update(kept)
        found: list[Part] = []
        free: dict[frozenset[int], int] = {}
        for operand in operands:
            if not isinstance(operand, Indicator):
                found.append(operand)
                continue
            if count[operand.long[0]] == 1:
                # The sum of each row is 1, and of rows alone their number.
                sizes = zip(operand.rows, operand.places.dims, strict=True)
                alone = [dim for label, dim in sizes if count[label] == 1]
                found += [Operand(self.builder.extent(dim), ()) for dim in alone]
                continue
            if operand.rows and all(count[label] == 1 for label in operand.rows):
                found.append(self.indicators.summed(operand, operand.long))
                continue
            rows = frozenset(operand.rows)
            others = [x.labels for x in operands if x is not operand]
            apart = is_apart(operand.long[0], others, kept)
            if apart and rows in free:
                place = free[rows]
                first = found[place]
                assert isinstance(first, Indicator)
                found[place] = self.indicators.joined(first, operand)
                continue
            if apart and rows:
                free[rows] = len(found)
            found.append(operand)
        return found

    def _with_indicators_joined(
        self, operands: Sequence[Part], kept: Labels, dims: Mapping[int, Dim]
    ) -> list[Part]:
        """The operands with two indicators of the same rows as one for two axes, if that pays."""
        found = list(operands)
        for left, right in combinations(operands, 2):
            if not (isinstance(left, Indicator) and isinstance(right, Indicator)):
                continue
            alike = left.rows and set(left.rows) == set(right.rows)
            if not alike or set(left.long) & set(right.long) or not {left, right} <= {*found}:
                continue
            rest = [x for x in found if x is not left and x is not right]
            both = replace(left, long=left.long + right.long, dims=left.dims + right.dims)
            trial, plain = (self._planned(x, kept, dims) for x in ([*rest, both], found))
            positions = MOVED * prod(map(self._length, left.places.dims))
            if trial.flops + positions < plain.flops:
                found = [*rest, self.indicators.joined(left, right)]
        return found

    def _contract_few(self, operands: Sequence[Operand], rank: Mapping[int, int]) -> Operand:
        """One operand or two, where there is no order to be planned."""
        first, last = operands[0], operands[-1]
        if first is not last:
            first = self._reduced(first, {*last.labels, *rank})
            last = self._reduced(last, {*first.labels, *rank})
            kept = {x for x in (*first.labels, *last.labels) if x in rank}
            first = self._meet(first, last, kept, rank)
        return self._multiplied(self._reduced(first, rank))

    def _reduced(self, operand: Operand, shared: Collection[int]) -> Operand:
        """The operand summed over the labels that nobody shares."""
        if all(label in shared for label in operand.labels):
            return operand
        return self.pairs.reduce(self._multiplied(operand), shared)

    def _meet(
        self,
        left: Part,
        right: Part,
        kept: set[int],
        rank: Mapping[int, int],
    ) -> Operand:
        """Two operands contracted: a solve, a quotient, or a product."""
        if isinstance(left, Inverted) and isinstance(right, Inverted):
            if group_of(left, right.labels) is None:
                left = self._formed(left)
            else:
                right = self._formed(right)
        if isinstance(left, Inverted):
            return self.factors.solve(left, self._multiplied(self._array(right)))
        if isinstance(right, Inverted):
            return self.factors.solve(right, self._multiplied(self._array(left)))
        if isinstance(left, Indicator) or isinstance(right, Indicator):
            return self._meet_indicator(left, right, kept)
        if left.divides != right.divides and kept.issuperset((*left.labels, *right.labels)):
            return self._divide(*((right, left) if left.divides else (left, right)), rank)
        return self.pairs.contract(self._multiplied(left), self._multiplied(right), kept, rank)

    def _meet_indicator(
        self, left: Operand | Indicator, right: Operand | Indicator, kept: set[int]
    ) -> Operand:
        """A product with an indicator; of two with different rows the smaller is formed."""
        if isinstance(left, Indicator) and isinstance(right, Indicator):
            if set(left.rows) == set(right.rows) and not set(left.long) & set(right.long):
                return self.indicators.summed(self.indicators.joined(left, right), kept)
            sizes = [self._elements(x) for x in (left, right)]
            if sizes[0] < sizes[1]:
                left, right = right, left
        elif isinstance(right, Indicator):
            left, right = right, left
        assert isinstance(left, Indicator)
        return self.indicators.meet(left, self._multiplied(self._array(right)), kept)

    def _elements(self, indicator: Indicator) -> int:
        return prod(map(self._length, (*indicator.places.dims, *indicator.dims)))

    def _array(self, part: Part) -> Operand:
        """An operand as an array."""
        match part:
            case Inverted():
                return self._formed(part)
            case Indicator():
                return self.indicators.formed(part)
            case Operand():
                return part
            case _:
                assert_never(part)

    def _multiplied(self, operand: Operand) -> Operand:
        """The operand as one to multiply by."""
        if not operand.divides:
            return operand
        value = self.builder.typed(operand.value)
        call = Call(_RECIPROCAL, (View.of(value),))
        return Operand(self.builder.make(call, value.dims), operand.labels)

    def _divide(self, a: Operand, b: Operand, rank: Mapping[int, int]) -> Operand:
        dims = dict(zip(a.labels + b.labels, a.value.dims + b.value.dims, strict=True))
        if set(b.labels) <= set(a.labels):
            order = a.labels
        elif set(a.labels) <= set(b.labels):
            order = b.labels
        else:
            order = tuple(sorted(dims, key=lambda x: rank.get(x, len(rank))))
        first, second = (arranged(x.value, x.labels, order) for x in (a, b))
        if a.value.weak and b.value.weak:
            first = View.of(self.builder.typed(a.value))
        shape = tuple(dims[label] for label in order)
        return Operand(self.builder.make(Product((first,), (second,)), shape), order)

    def _ones(self, row: Labels, dims: Mapping[int, Dim]) -> Operand:
        return Operand(self.builder.filled(ONE, tuple(dims[label] for label in row)), row)

    def _formed(self, inverse: Inverted) -> Operand:
        view = self.lowering.dense(inverse.node)
        order = dict(zip(view.axes, inverse.labels, strict=True))
        return Operand(view.value, tuple(order[axis] for axis in range(len(order))))


def _occurrences(rows: Iterable[Labels]) -> dict[int, int]:
    """How often each label occurs; a `Counter` takes four times as long for a few."""
    count: dict[int, int] = {}
    for row in rows:
        for label in row:
            count[label] = count.get(label, 0) + 1
    return count
