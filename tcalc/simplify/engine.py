"""The engine: rules applied bottom-up until none applies, without recursion.

A rule is made by a decorator that says which kind of node it looks at: at others the engine does
not even ask.  It takes a node whose operands are simplified and returns a better one, or None.
It must lower `length`, or another measure that the rule states, so that rewriting ends.  Results
may contain new nodes, which are simplified in turn.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, wraps
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.traverse import with_operands

Rule: TypeAlias = Callable[[Node], Node | None]


class Kind(enum.Enum):
    """What rules tell nodes apart by."""

    PRODUCT = "product"
    VIEW = "view"
    SUM = "sum"
    FUNCTION = "function"
    LEAF = "leaf"


_looks_at: dict[Rule, tuple[Kind, Callable[[Any], Node | None]]] = {}


def of_products(rule: Callable[[Einsum], Node | None]) -> Rule:
    """A rule that looks at products and sums over indices, views excepted."""
    return _made(Kind.PRODUCT, rule)


def of_views(rule: Callable[[Einsum], Node | None]) -> Rule:
    """A rule that looks at transposes, broadcasts and diagonals."""
    return _made(Kind.VIEW, rule)


def of_sums(rule: Callable[[Add], Node | None]) -> Rule:
    """A rule that looks at sums and multiples."""
    return _made(Kind.SUM, rule)


def of_functions(rule: Callable[[Apply], Node | None]) -> Rule:
    """A rule that looks at applications of primitives."""
    return _made(Kind.FUNCTION, rule)


def _made(kind: Kind, rule: Callable[[Any], Node | None]) -> Rule:
    @wraps(rule)
    def asked(node: Node) -> Node | None:
        return rule(node) if _kind_of(node) is kind else None

    _looks_at[asked] = kind, rule
    return asked


def _kind_of(node: Node) -> Kind:
    match node:
        case Einsum():
            return Kind.VIEW if node.is_view else Kind.PRODUCT
        case Add():
            return Kind.SUM
        case Apply():
            return Kind.FUNCTION
        case _:
            return Kind.LEAF


@lru_cache
def _by_kind(rules: tuple[Rule, ...]) -> dict[Kind, list[Callable[[Any], Node | None]]]:
    found: dict[Kind, list[Callable[[Any], Node | None]]] = {kind: [] for kind in Kind}
    for rule in rules:
        kind, asked = _looks_at[rule]
        found[kind].append(asked)
    return found


STEPS_PER_NODE = 40
"""Rules fire at most so often for each node met: a bound, never reached by rules that obey."""

_lengths: WeakKeyDictionary[Node, float] = WeakKeyDictionary()


def rewrite(roots: Sequence[Node], rules: Sequence[Rule]) -> list[Node]:
    """The roots with every node simplified by the rules, each node once."""
    done: dict[Node, Node] = {}
    became: dict[Node, Node] = {}
    active: set[Node] = set()
    fired = 0
    of_kind = _by_kind(tuple(rules))
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
                new = _step(node, of_kind)
                fired += new is not node
            if new is node or (new in active and new not in done):
                done[node] = new
            else:
                became[node] = new
    return [done[root] for root in roots]


def _step(node: Node, rules: Mapping[Kind, Sequence[Callable[[Any], Node | None]]]) -> Node:
    for rule in rules[_kind_of(node)]:
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
        case Einsum() if node.is_view:
            units = sum(isinstance(factor, Delta) for factor in node.factors)
            # a transpose or diag(x), but not eye(n)
            return inner if units == len(node.factors) else inner - units + 0.25
        case Einsum():
            return inner
        case Apply():
            return inner + 1
