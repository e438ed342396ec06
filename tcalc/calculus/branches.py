"""Branches that are not taken do no harm: the rule ``regular_branches`` of `prepare`.

The derivative of ``where(c, f(x), b)`` is ``where(c, 1, 0) * f'(x)``.  Where the branch is not
taken, ``f'(x)`` may be infinite or NaN, and 0 times that is NaN.  So the arguments of functions
in a branch are chosen as well: ``f(where(c, x, s))`` with `s` a regular point of `f`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Const, Einsum, Node
from tcalc.expr.traverse import with_operands
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.piecewise import Where

Choose: TypeAlias = Callable[[Node, Node], Node]


def regular_branches(node: Apply) -> Node:
    """``where(c, f(x), g(y)) -> where(c, f(where(c, x, s)), g(where(c, t, y)))``."""
    left, right, yes, no = node.args

    def choose(*branches: Node) -> Node:
        return build.apply(node.primitive, left, right, *branches)

    return choose(
        _guarded(yes, lambda x, regular: choose(x, regular)),
        _guarded(no, lambda x, regular: choose(regular, x)),
    )


def _guarded(branch: Node, choose: Choose) -> Node:
    """The branch with the arguments of its element-wise functions chosen, all the way down."""
    done: dict[Node, Node] = {}
    stack = [branch]
    while stack:
        node = stack[-1]
        inner = _elementwise_operands(node)
        missing = [operand for operand in inner if operand not in done]
        if missing:
            stack.extend(missing)
            continue
        stack.pop()
        done[node] = _choose_arguments(node, [done[operand] for operand in inner], choose)
    return done[branch]


def _elementwise_operands(node: Node) -> tuple[Node, ...]:
    """The operands, where the node is made from them element by element; else none."""
    match node:
        case Apply(primitive=Where()):
            return ()
        case Apply(primitive=Elementwise()) | Add():
            return node.operands
        case Einsum(factors=factors, subscripts=subscripts, output=output) if factors and all(
            labels == output for labels in subscripts
        ):
            return factors
        case _:
            return ()


def _choose_arguments(node: Node, operands: list[Node], choose: Choose) -> Node:
    if not operands:
        return node
    if isinstance(node, Apply) and isinstance(node.primitive, Elementwise):
        function = node.primitive
        if not function.total:
            regular = build.const(function.regular_point, node.dims)
            operands = [_chosen(operand, regular, choose) for operand in operands]
    return with_operands(node, operands)


def _chosen(x: Node, regular: Const, choose: Choose) -> Node:
    """The chosen argument; one that is chosen already, or a number, stays."""
    if isinstance(x, Const):
        return x
    if isinstance(x, Apply) and isinstance(x.primitive, Where):
        kept = [argument for argument in x.args[2:] if argument is not regular]
        if len(kept) == 1 and choose(kept[0], regular) is x:
            return x
    return choose(x, regular)
