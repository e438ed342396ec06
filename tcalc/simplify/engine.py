"""The engine: rules applied bottom-up until none applies, without recursion.

A rule takes a node whose operands are simplified and returns a better one, or None.  It must
lower `length`, or leave it and lower another measure that the rule states; so rewriting ends.
Results may contain new nodes, which are simplified in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias
from weakref import WeakKeyDictionary

from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.traverse import with_operands

Rule: TypeAlias = Callable[[Node], Node | None]

STEPS_PER_NODE = 40
"""Rules fire at most so often for each node met: a bound, never reached by rules that obey."""

_lengths: WeakKeyDictionary[Node, float] = WeakKeyDictionary()


def rewrite(roots: Sequence[Node], rules: Sequence[Rule]) -> list[Node]:
    """The roots with every node simplified by the rules, each node once."""
    done: dict[Node, Node] = {}
    became: dict[Node, Node] = {}
    active: set[Node] = set()
    fired = 0
    for root in roots:
        stack = [root]
        while stack:
            node = stack[-1]
            active.add(node)
            if node in done:
                stack.pop()
                continue
            successor = became.get(node)
            if successor is not None:
                if successor in done:
                    done[node] = done[successor]
                    stack.pop()
                else:
                    stack.append(successor)
                continue
            missing = [operand for operand in node.operands if operand not in done]
            if missing:
                stack.extend(reversed(missing))
                continue
            new = with_operands(node, [done[operand] for operand in node.operands])
            if new is node and fired < STEPS_PER_NODE * (len(done) + 100):
                new = _step(node, rules)
                fired += new is not node
            if new is node or (new in active and new not in done):
                done[node] = new
            else:
                became[node] = new
    return [done[root] for root in roots]


def _step(node: Node, rules: Sequence[Rule]) -> Node:
    for rule in rules:
        new = rule(node)
        if new is not None and new is not node:
            return new
    return node


def length(root: Node) -> float:
    """How long a tensor is, written out: the measure that rules lower.

    >>> from tcalc.expr import build, shape
    >>> x = build.var("x", shape("n"))
    >>> length(x), length(build.scale(2, x))
    (1, 2)
    """
    stack = [root]
    while stack:
        node = stack[-1]
        if node in _lengths:
            stack.pop()
            continue
        missing = [operand for operand in node.operands if operand not in _lengths]
        if missing:
            stack.extend(missing)
            continue
        _lengths[node] = _length(node)
        stack.pop()
    return _lengths[root]


def _length(node: Node) -> float:
    inner = sum(_lengths[operand] for operand in node.operands)
    match node:
        case Var() | Const() | Delta():
            return 1
        case Add(terms=terms):
            return inner + sum(c != 1 and not isinstance(x, Const) for c, x in terms)
        case Einsum():
            return inner + (node.is_view and len(node.factors) == 1) * 0.25
        case Apply():
            return inner + 1
