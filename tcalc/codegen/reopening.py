"""Expensive products that several others share, opened in these where that saves work.

    G = V F V,  Σ F G,  y' G y  ->  Σ (V F) (V F)',  y' V F V y

Derivatives of two orders pass an inverse once for all that follows.  Where all that follows needs
is a few numbers, each is cheaper from the factors: a symmetric product from one half of it, a
form from its vectors.  Whether that is so is seen from the graph as a whole, at the sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import TypeGuard

from tcalc.calculus.cost import flops
from tcalc.codegen.distribute import is_permuted
from tcalc.codegen.opening import is_outer, spliced
from tcalc.expr import build
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Einsum, Node
from tcalc.expr.properties import IMPLIED
from tcalc.expr.traverse import postorder, rebuild
from tcalc.simplify import flatten

EXPENSIVE = 1 << 18
"""The operations from which on a product is worth looking at."""
SHARE = 4
"""The smallest part of all operations that is worth looking at: one in this many."""
GAIN = Fraction(21, 20)
"""How many times fewer the operations of the whole have to be."""


def reopened(
    roots: Sequence[Node],
    sizes: Mapping[str, int],
    finished: Callable[[Sequence[Node]], list[Node]],
    fixed: Callable[[Sequence[Node]], Collection[Node]] = lambda order: (),
) -> list[Node]:
    """The roots, `finished`, with shared products opened where that pays.

    Those of the nodes of a graph that are `fixed` are computed once: they cost nothing, and stay.

    >>> from tcalc.expr import shape
    >>> V, F, y = (build.var(x, shape(*dims)) for x, dims in (("V", "nn"), ("F", "nn"), ("y", "n")))
    >>> G = build.einsum([V, F, V], "ij,jk,kl->il")
    >>> trace, form = build.einsum([F, G], "ij,ji->"), build.einsum([y, G, y], "i,ij,j->")
    >>> [len(x.operands) for x in reopened([trace, form], {"n": 200}, list)]
    [4, 5]
    >>> reopened([trace, form], {"n": 10}, list) == [trace, form]
    True
    """
    best = finished(roots)
    if not _expensive(roots, sizes, fixed):
        return best
    least = flops(_open(best, fixed), sizes)
    # Factors that are equal once sums in them are opened have to be one node to be seen as such.
    roots = flatten(roots, inline="single")
    for node, cost in _expensive(roots, sizes, fixed):
        if SHARE * cost >= least:
            opened = _opened(roots, node)
            trial = finished(opened)
            count = flops(_open(trial, fixed), sizes)
            if GAIN * count <= least:
                roots, best, least = opened, trial, count
    return best


def _open(
    roots: Sequence[Node], fixed: Callable[[Sequence[Node]], Collection[Node]]
) -> Sequence[Node]:
    """The roots with inputs in the place of products that are fixed.

    Outer products stay: they are opened however often they are used.
    """
    inputs: dict[Node, Node] = {}
    for node in fixed(postorder(roots)):
        if isinstance(node, Einsum) and not node.is_view and not is_outer(node):
            # What is known of a matrix decides how equations with it are solved.
            known = [p for p in IMPLIED if all(holds(node, fact) for fact in IMPLIED[p])]
            inputs[node] = build.var(f"fixed{len(inputs)}", node.dims, known)
    return rebuild(roots, replacements=inputs) if inputs else roots


def _expensive(
    roots: Sequence[Node],
    sizes: Mapping[str, int],
    fixed: Callable[[Sequence[Node]], Collection[Node]],
) -> list[tuple[Einsum, int]]:
    """Products with several users and many operations, the last ones first."""
    order = postorder(roots)
    done = fixed(order)
    uses = dict.fromkeys(order, 0)
    for node in order:
        for operand in set(node.operands):
            uses[operand] += 1
    for node in order:
        # A transpose passes its own users on.
        if isinstance(node, Einsum) and is_permuted(node) and uses[node] > 1:
            uses[node.factors[0]] += uses[node] - 1
    given = set(roots)
    found: list[tuple[Einsum, int]] = []
    for node in reversed(order):
        if not isinstance(node, Einsum) or node.is_view or uses[node] < 2 or node in given:
            continue
        if node in done:
            continue
        points = prod(_extents(node, sizes).values())
        if points >= EXPENSIVE and (cost := flops([_alone(node)], sizes)) >= EXPENSIVE:
            found.append((node, cost))
    return found


def _extents(node: Einsum, sizes: Mapping[str, int]) -> dict[int, int]:
    return {
        label: dim.evaluate(sizes)
        for factor, row in zip(node.factors, node.subscripts, strict=True)
        for label, dim in zip(row, factor.dims, strict=True)
    }


def _alone(node: Einsum) -> Node:
    """The product of inputs in the place of its factors."""
    names = {factor: k for k, factor in enumerate(dict.fromkeys(node.factors))}
    inputs = [build.var(f"f{names[factor]}", factor.dims) for factor in node.factors]
    return build.einsum(inputs, node.subscripts, node.output)


def _opened(roots: Sequence[Node], shared: Einsum) -> list[Node]:
    """The roots with one product opened in all products that have it as a factor."""

    def is_shared(factor: Node) -> TypeGuard[Einsum]:
        return factor is shared

    def changed(node: Node) -> Node:
        if not isinstance(node, Einsum) or node.is_view or shared not in node.factors:
            return node
        factors, rows = spliced(node, is_shared)
        return build.einsum(
            factors, rows, node.output, dict(zip(node.output, node.dims, strict=True))
        )

    return rebuild(roots, changed)
