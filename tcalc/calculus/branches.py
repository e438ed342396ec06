"""Branches that are not taken do no harm: the rule ``regular_branches`` of `prepare`.

The derivative of ``where(c, f(x), b)`` is ``where(c, 1, 0) * f'(x)``.  Where the branch is not
taken, ``f'(x)`` may be infinite or NaN, and 0 times that is NaN.  So the arguments of functions
in a branch are chosen as well: ``f(where(c, x, s))`` with `s` a regular point of `f`.

A branch is made from functions element by element, through sums, products, permuted and repeated
axes, and further branches; each argument is chosen by the condition at its own indices.  What a
product sums over is no index of the condition: a function there is chosen only where it has all
the condition's indices beside.  (``where(a > 0, sum(log(x)), 0)`` is safe, the condition having
none.  In ``where(y > 0, A*log(x), 0)`` every element of y needs every ``log(x[j])``.)

A function whose argument is chosen is a copy.  If each step of a recurrence copied the steps
before it, which its branches are made from, graphs would grow.  So these stay as they are:

- What is needed whichever branch is taken: what both branches have, as `z` in
  ``where(c, f(z), g(z))``, and what has branches in it and is needed beside, as `z` in
  ``z + where(c, f(z), 0)``.  That loses nothing: where dz is infinite the derivative takes it, so
  that it is not finite by right.
- A choice that several choices have in their branches, as ``d = where(b, g(x), 0)`` in
  ``where(c, f(d), 0) + where(e, d, 0)``, where there are more choices in it, one in the other.
  That loses nothing where one of them takes it.  Where none does and b holds, a ``g'(x)`` that is
  infinite makes NaN: the price of graphs that do not grow.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Container, Iterable, Mapping, Sequence, Set
from functools import cached_property
from itertools import count
from typing import TypeAlias

from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.labels import relabelled
from tcalc.expr.nodes import Add, Apply, Const, Einsum, Node
from tcalc.expr.primitive import Labels, Primitive
from tcalc.expr.traverse import postorder, with_operands
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.piecewise import Where

Placed: TypeAlias = tuple[Node, Labels]
"""A node in a branch, with a label for each axis; those below the order of the branch are its."""

Taken: TypeAlias = tuple[Primitive, tuple[Node, ...], int, Labels]
"""That a branch is taken: the comparison, what it compares, the position of the branch among the
arguments, and the labels of the choice: transposed, it tells of other elements."""
Needs: TypeAlias = Mapping[Node, frozenset[Taken]]
"""Nodes that are needed, element by element, where all of some branches are taken."""

MOST = 64
"""How many nodes of a branch are looked at, the nearest first: so long recurrences stay linear."""
DEEP = 3
"""From how many choices on, one in the other, those that several choices need are left alone."""


def regular_branches(roots: Sequence[Node]) -> list[Node]:
    """``where(c, f(x), g(y)) -> where(c, f(where(c, x, s)), g(where(c, t, y)))`` in all tensors."""
    order = postorder(roots)
    if not any(map(_is_choice, order)):
        return list(roots)
    beside = _left_alone(roots, order)
    done: dict[Node, Node] = {}
    for node in order:
        new = with_operands(node, [done[operand] for operand in node.operands])
        if node in beside:
            beside.add(new)
        done[node] = _guarded(new, beside) if isinstance(new, Apply) and _is_choice(new) else new
        if node in beside:
            beside.add(done[node])
    return [done[root] for root in roots]


def _guarded(choice: Apply, beside: Container[Node]) -> Node:
    left, right, _, _ = choice.args
    first, second = (_Branch(choice, position, beside.__contains__) for position in (2, 3))
    # What a branch needs only where it makes a choice of its own is another node there by now, a
    # function with its argument chosen.
    both = first.below.keys() & second.below.keys()
    return build.apply(choice.primitive, left, right, *(x.guarded(both) for x in (first, second)))


def _is_choice(node: Node) -> bool:
    return isinstance(node, Apply) and isinstance(node.primitive, Where)


def _left_alone(roots: Sequence[Node], order: Sequence[Node]) -> set[Node]:
    """Nodes with branches in them that stay as they are in the branches of choices.

    They are those that every root needs, whatever is chosen, and choices that several choices need.
    Nothing without branches leads from a step of a recurrence to those before it.
    """
    in_both: dict[Node, Needs] = {}
    choices: Counter[Node] = Counter()
    depth: dict[Node, int] = {}
    for node in order:
        depth[node] = max((depth[x] for x in node.operands), default=0)
        if isinstance(node, Apply) and _is_choice(node):
            first, second = (_Needed(node, position) for position in (2, 3))
            choices.update(first.near | second.near)
            in_both[node] = _in_both(first, second, in_both)
            depth[node] += 1
    needed = {node for node in order if depth[node]}
    for root in dict.fromkeys(roots):
        reached = {root}
        for node in reversed(order):
            if node in reached:
                needs = in_both.get(node)
                if needs is None:
                    reached.update(node.operands)
                else:
                    reached.update(x for x, taken in needs.items() if not taken)
        needed = needed & reached
    # Each of several choices would have a copy of its own, of which each has several again.
    several = (node for node, count in choices.items() if count > 1 and _is_choice(node))
    return needed | {node for node in several if depth[node] >= DEEP}


def _in_both(first: _Needed, second: _Needed, known: Mapping[Node, Needs]) -> Needs:
    """What a choice needs whichever branch is taken, where certain branches of others are taken.

    It is what both branches need, and there are needed by other branches that both say.  What only
    that needs may be left out: it is found from there.
    """
    both = first.found.keys() & second.found.keys()
    for branch in (first, second):
        branch.look_into([x for x in branch.choices if x not in both], known)
    return {x: first.found[x] | second.found[x] for x in first.found if x in second.found}


class _Needed:
    """What a branch needs, element by element, as far as it is looked at.

    Attributes:
        own: that the branch is taken, as it is wherever what it needs is.
        found: what it needs, and the branches of other choices that must be taken for that.  It is
            found in one branch where the other is a number, which needs nothing.
        choices: those without such a branch, which need what both branches do: see `look_into`.
        near: those of `found` that are in no branch of another choice.
    """

    def __init__(self, choice: Apply, position: int) -> None:
        branch = _Branch(choice, position, _is_choice)
        whole = branch.own
        self.own: Taken = choice.primitive, choice.args[:2], position, whole
        self.found: dict[Node, frozenset[Taken]] = {}
        self.choices: list[Node] = []
        self.near: set[Node] = set()
        pending: deque[tuple[Placed, frozenset[Taken], bool]] = deque()
        pending.append((branch.root, frozenset(), True))
        seen: set[Placed] = set()
        while pending and len(seen) < MOST:
            placed, taken, near = pending.popleft()
            if placed in seen:
                continue
            seen.add(placed)
            node, row = placed
            if row == whole:
                self.found[node] = taken
                self.near |= {node} if near else set()
            near = near and not _is_choice(node)
            if isinstance(node, Apply) and _is_choice(node) and not branch.repeats(node, row):
                sides = [k for k in (2, 3) if not isinstance(node.args[k], Const)]
                if len(sides) == 1:
                    other = node.primitive, node.args[:2], sides[0], row
                    placed = node.args[sides[0]], row
                    pending.append((placed, taken | ({other} - {self.own}), near))
                elif row == whole:
                    self.choices.append(node)
            else:
                pending.extend((inner, taken, near) for inner in branch.inner(node, row))

    def look_into(self, choices: Iterable[Node], known: Mapping[Node, Needs]) -> None:
        """Add what some choices in the branch need in any case."""
        for choice in choices:
            for node, taken in known[choice].items():
                self.found.setdefault(node, self.found[choice] | (taken - {self.own}))


class _Branch:
    """One branch of a choice: the argument of it at `position`, 2 or 3."""

    def __init__(self, choice: Apply, position: int, ends: Callable[[Node], bool]) -> None:
        self.choice, self.position = choice, position
        self.own = tuple(range(choice.order))
        self.root: Placed = choice.args[position], self.own
        self._ends = ends
        self.done: dict[Placed, Node | None] = {}

    @cached_property
    def below(self) -> dict[Placed, list[Placed]]:
        """What the branch is made from, element by element, and what that is made from.

        It goes no further where a node `ends` it.
        """
        found: dict[Placed, list[Placed]] = {}
        pending, looked_at = deque([self.root]), 0
        while pending and looked_at < MOST and len(found) < 4 * MOST:
            placed = pending.popleft()
            if placed in found:
                continue
            node, row = placed
            found[placed] = inner = self.inner(node, row)
            pending.extend(inner)
            looked_at += not (_is_choice(node) or isinstance(node, Const))
        return found

    def guarded(self, needed: Set[Placed]) -> Node:
        """The branch with the arguments of its functions chosen, save what is needed anyway."""
        stack = [self.root]
        while stack:
            placed = stack[-1]
            if placed in self.done:
                stack.pop()
                continue
            inner = [] if placed in needed else self.below.get(placed, [])
            missing = [other for other in inner if other not in self.done]
            if missing:
                stack.extend(missing[:1])
                continue
            stack.pop()
            self.done[placed] = self._changed(*placed, inner) if inner else None
        return self.done[self.root] or self.root[0]

    def inner(self, node: Node, row: Labels) -> list[Placed]:
        if self.repeats(node, row):
            return [(node.operands[self.position], row)]
        return [] if self._ends(node) else self._below(node, row)

    def repeats(self, node: Node, row: Labels) -> bool:
        """Whether a node in the branch makes the same choice once more."""
        choice = self.choice
        return (
            isinstance(node, Apply)
            and node.primitive == choice.primitive
            and node.args[:2] == choice.args[:2]
            and row == self.own
        )

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
        if self.repeats(node, row):
            return found[0]
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
