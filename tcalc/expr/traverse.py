"""The walkers of the DAG: iterative, memoised, and the only ones.

Graphs are deeper than Python's stack (an unrolled filter is a chain of 50,000 nodes), so nothing
here recurses, and nothing elsewhere walks operands by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var

_kept: ContextVar[dict[tuple[Node, ...], list[Node]] | None] = ContextVar("_kept", default=None)
KEPT = 3
"""How many orders are kept at most."""
LONG = 100
"""The nodes from which on an order is worth keeping."""


@contextmanager
def orders_kept() -> Iterator[None]:
    """Remember post-orders in a block, or in the calls of a decorated function.

    Passes that find nothing to do leave the graph as it is, and the next one walks it again.
    """
    if _kept.get() is not None:
        yield
        return
    token = _kept.set({})
    try:
        yield
    finally:
        _kept.reset(token)


def postorder(roots: Iterable[Node]) -> list[Node]:
    """All nodes that the roots need, each once, operands before users.

    The order depends on the roots and the canonical order of operands only.
    """
    kept = _kept.get()
    if kept is None:
        return _walked(roots)
    key = tuple(roots)
    order = kept.get(key)
    if order is None:
        order = _walked(key)
        if len(order) >= LONG:
            if len(kept) >= KEPT:
                del kept[next(iter(kept))]
            kept[key] = order
    return order.copy()


def _walked(roots: Iterable[Node], known: Iterable[Node] = ()) -> list[Node]:
    """The order without the nodes that are known, and what only they need."""
    order: list[Node] = []
    seen = set(known)
    for root in roots:
        if root in seen:
            continue
        seen.add(root)
        stack = [(root, iter(root.operands))]
        while stack:
            node, pending = stack[-1]
            for operand in pending:
                if operand not in seen:
                    seen.add(operand)
                    if operand.operands:
                        stack.append((operand, iter(operand.operands)))
                        break
                    order.append(operand)
            else:
                stack.pop()
                order.append(node)
    return order


def at_most(count: int, root: Node) -> bool:
    """Whether a node needs at most `count` nodes, itself included; it looks at no more of them.

    >>> x = build.var("x", ())
    >>> at_most(1, x), at_most(1, build.scale(2, x))
    (True, False)
    """
    seen = {root}
    stack = [root]
    while stack and len(seen) <= count:
        for operand in stack.pop().operands:
            if operand not in seen:
                seen.add(operand)
                stack.append(operand)
    return len(seen) <= count


def users(roots: Sequence[Node]) -> dict[Node, list[Node]]:
    """For each node below the roots the nodes that use it, once per occurrence, in post-order."""
    found: dict[Node, list[Node]] = {}
    for node in postorder(roots):
        found.setdefault(node, [])
        for operand in node.operands:
            found[operand].append(node)
    return found


def use_counts(order: Iterable[Node], roots: Iterable[Node] = ()) -> Counter[Node]:
    """How often each node of a post-order is an operand, or one of the roots."""
    count = dict.fromkeys(order, 0)
    for node in [*count]:
        for operand in node.operands:
            count[operand] += 1
    for root in roots:
        count[root] += 1
    return Counter(count)


def dependents(roots: Iterable[Node], sources: Iterable[Node]) -> set[Node]:
    """The nodes below the roots whose value depends on one of the sources."""
    live = set(sources)
    for node in postorder(roots):
        if any(operand in live for operand in node.operands):
            live.add(node)
    return live


def variables(roots: Iterable[Node]) -> list[Var]:
    """The inputs that the roots depend on, in order of first appearance."""
    return [node for node in postorder(roots) if isinstance(node, Var)]


def with_operands(node: Node, operands: Sequence[Node]) -> Node:
    """The node with other operands, in normal form; the node itself when they are the same."""
    if node.operands == tuple(operands):
        return node
    match node:
        case Var() | Const() | Delta():
            return node
        case Einsum():
            return build.with_factors(node, operands)
        case Add(terms=terms):
            return build.add([(c, new) for (c, _), new in zip(terms, operands, strict=True)])
        case Apply(primitive=primitive, output=output):
            return build.apply(primitive, *operands, output=output)


def _is_around_another(made: Node, node: Node) -> bool:
    """Whether a product of other operands came out as a multiple, or a view, of a new product."""
    if not isinstance(node, Einsum) or node.is_view:
        return False
    return isinstance(made, Add) or (isinstance(made, Einsum) and made.is_view)


def on_core(made: Node, change: Callable[[Node], Node]) -> Node:
    """A product, or a multiple or view of one, with `change` applied to the product."""
    match made:
        case Add(terms=((coefficient, core),)):
            return build.add([(coefficient, on_core(core, change))])
        case Einsum(factors=(Einsum() as core,)) if made.is_view and not core.is_view:
            new = change(core)
            return made if new is core else with_operands(made, [new])
        case Einsum() if not made.is_view:
            return change(made)
        case _:
            return made


def rebuild(
    roots: Sequence[Node],
    change: Callable[[Node], Node] = lambda node: node,
    replacements: Mapping[Node, Node] | None = None,
) -> list[Node]:
    """The roots with `change` applied to every node, bottom-up.

    `change` sees each node after its operands were replaced.  `replacements` are given results:
    the nodes below them are not visited on their account.  Untouched nodes come back as they are.
    Where a product of other operands is a multiple of one, or one with its axes in another order,
    `change` sees that first.
    """
    # Most passes change few nodes or none: those that stay themselves are not noted.
    done: dict[Node, Node] = dict(replacements or {})
    for node in _walked(roots, done) if done else postorder(roots):
        operands = node.operands
        if done and not done.keys().isdisjoint(operands):
            made = with_operands(node, [done.get(x, x) for x in operands])
            new = change(on_core(made, change) if _is_around_another(made, node) else made)
        else:
            new = change(node)
        if new is not node:
            done[node] = new
    return [done.get(root, root) for root in roots]
