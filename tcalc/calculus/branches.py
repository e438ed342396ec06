"""Branches that are not taken do no harm: the rule ``regular_branches`` of `prepare`.

The derivative of ``where(c, f(x), b)`` is ``where(c, 1, 0) * f'(x)``.  Where the branch is not
taken, ``f'(x)`` may be infinite or NaN, and 0 times that is NaN.  So the arguments of functions
in a branch are chosen as well: ``f(where(c, x, s))`` with `s` a regular point of `f`.

A branch is made from functions element by element, through sums, products, permuted and repeated
axes, and further branches; each argument is chosen by the condition at its own indices.  What a
product sums over is no index of the condition: a function there is chosen only where it has all
the condition's indices beside.  (``where(a > 0, sum(log(x)), 0)`` is safe, the condition having
none.  In ``where(y > 0, A*log(x), 0)`` every element of y needs every ``log(x[j])``.)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import TypeAlias

from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.labels import relabelled
from tcalc.expr.nodes import Add, Apply, Const, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.piecewise import Where

Placed: TypeAlias = tuple[Node, Labels]
"""A node in a branch, with a label for each axis; those below the order of the branch are its."""

DEEPEST = 32
"""How far below a branch functions are looked for, so that long recurrences stay linear."""


def regular_branches(node: Apply) -> Node:
    """``where(c, f(x), g(y)) -> where(c, f(where(c, x, s)), g(where(c, t, y)))``."""
    left, right, _, _ = node.args
    yes, no = (_Branch(node, position).guarded() for position in (2, 3))
    return build.apply(node.primitive, left, right, yes, no)


class _Branch:
    """One branch of a choice: the argument of it at `position`, 2 or 3."""

    def __init__(self, choice: Apply, position: int) -> None:
        self.choice, self.position = choice, position
        self.own = tuple(range(choice.order))
        self.done: dict[Placed, Node | None] = {}

    def guarded(self) -> Node:
        """The branch with the arguments of its functions chosen."""
        branch = self.choice.args[self.position]
        root = branch, self.own
        stack = [root]
        while stack:
            placed = stack[-1]
            if placed in self.done:
                stack.pop()
                continue
            inner = self._below(*placed) if len(stack) <= DEEPEST else []
            missing = [other for other in inner if other not in self.done]
            if missing:
                stack.extend(missing[:1])
                continue
            stack.pop()
            self.done[placed] = self._changed(*placed, inner) if inner else None
        return self.done[root] or branch

    def _below(self, node: Node, row: Labels) -> list[Placed]:
        """The operands that a node is made from, element by element, as they are placed."""
        if self._space(row) is None:
            return []
        match node:
            case Apply(primitive=Where(), args=(_, _, yes, no)):
                return [(yes, row), (no, row)]
            case Apply(primitive=Elementwise()) | Add():
                return [(operand, row) for operand in node.operands]
            case Einsum():
                return list(zip(node.factors, _rows(node, row, len(self.own)), strict=True))
            case _:
                return []

    def _changed(self, node: Node, row: Labels, inner: Sequence[Placed]) -> Node | None:
        """The node over the axes of its space with guarded operands; None if it may stay."""
        found = [self.done[placed] for placed in inner]
        space = self._space(row)
        assert space is not None
        if isinstance(node, Einsum):
            return self._product(node, row, inner, space) if any(found) else None
        operands = [
            new or self._spread(operand, row, space)
            for (operand, _), new in zip(inner, found, strict=True)
        ]
        changed = any(found)
        match node:
            case Apply(primitive=Where(), args=(left, right, _, _)):
                sides = (self._spread(side, row, space) for side in (left, right))
                operands = [*sides, *operands]
            case Apply(primitive=Elementwise(total=False) as function):
                regular = build.const(function.regular_point, operands[0].dims)
                chosen = [self._chosen(operand, regular, space) for operand in operands]
                changed |= any(a is not b for a, b in zip(chosen, operands, strict=True))
                operands = chosen
        if not changed:
            return None
        if isinstance(node, Add):
            return build.add((c, x) for (c, _), x in zip(node.terms, operands, strict=True))
        assert isinstance(node, Apply)
        return build.apply(node.primitive, *operands)

    def _product(self, node: Einsum, row: Labels, inner: Sequence[Placed], space: Labels) -> Node:
        factors: list[Node] = []
        rows: list[Labels] = []
        for factor, labels in inner:
            new = self.done[factor, labels]
            factors.append(new or factor)
            rows.append(self._space(labels) or labels if new else labels)
        return build.einsum(factors, rows, space, self._dims(node, row))

    def _space(self, row: Labels) -> Labels | None:
        """The labels over which a node with these labels can be chosen by the condition."""
        distinct = tuple(dict.fromkeys(row))
        if set(self.own) <= set(distinct):
            return distinct
        return self.own if set(distinct) <= set(self.own) else None

    def _dims(self, node: Node, row: Labels) -> dict[int, Dim]:
        own = dict(zip(self.own, self.choice.dims, strict=True))
        return own | dict(zip(row, node.dims, strict=True))

    def _spread(self, node: Node, row: Labels, space: Labels) -> Node:
        return node if row == space else build.einsum([node], [row], space, self._dims(node, row))

    def _chosen(self, x: Node, regular: Const, space: Labels) -> Node:
        """``where(c, x, s)``, or x where it is a number or chosen so already."""
        left, right = (
            build.einsum([side], [self.own], space, dict(zip(space, x.dims, strict=True)))
            for side in self.choice.args[:2]
        )
        inner = x
        while isinstance(inner, Apply) and isinstance(inner.primitive, Where):
            kept = [k for k in (2, 3) if inner.args[k] is not regular]
            if len(kept) != 1:
                break
            same = inner.primitive == self.choice.primitive and inner.args[:2] == (left, right)
            if same and kept == [self.position]:
                return x
            inner = inner.args[kept[0]]
        if isinstance(x, Const):
            return x
        branches = (x, regular) if self.position == 2 else (regular, x)
        return build.apply(self.choice.primitive, left, right, *branches)


def _rows(node: Einsum, row: Labels, taken: int) -> list[Labels]:
    """The labels of the factors of a product whose axes have the labels `row`."""
    named = dict(zip(node.output, row, strict=True))
    return relabelled(node.subscripts, named, count(max((taken - 1, *row)) + 1))
