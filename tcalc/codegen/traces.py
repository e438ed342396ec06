"""Traces of products with an inverse, taken of a product that is computed anyway.

    tr(inv(X) A),  inv(X) A inv(X)  ->  tr(P),  P inv(X)  with  P = inv(X) A

By itself the trace needs the elements of the inverse; of P, which is solved for, it takes n.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tcalc.expr import build
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Apply, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.expr.traverse import postorder, rebuild
from tcalc.primitives.inverse import Inverse


def with_shared_traces(roots: Sequence[Node]) -> list[Node]:
    """The roots with such traces taken of the products beside them.

    >>> from tcalc.expr import shape
    >>> from tcalc.primitives.inverse import inv
    >>> X, A = (build.var(name, shape("n", "n")) for name in "XA")
    >>> trace = build.einsum([inv(X), A], "ij,ji->")
    >>> other = build.einsum([inv(X), A, inv(X)], "ij,jk,kl->il")
    >>> [len(x.operands) for x in with_shared_traces([trace, other])]
    [1, 2]
    """
    order = postorder(roots)
    products = [x for x in order if isinstance(x, Einsum) and not x.is_view]
    by_factors: dict[frozenset[Node], list[Einsum]] = {}
    for product in products:
        if len(product.factors) == 3:
            by_factors.setdefault(frozenset(product.factors), []).append(product)
    found: dict[Node, Node] = {}
    for trace in products:
        if trace.output or len(trace.factors) != 2 or sum(map(_inverts, trace.factors)) != 1:
            continue
        for product in by_factors.get(frozenset(trace.factors), ()):
            if product not in found and (pair := _shared(trace, product)) is not None:
                found[trace], found[product] = pair
                break
    return rebuild(roots, replacements=found) if found else list(roots)


def _inverts(node: Node) -> bool:
    return isinstance(node, Apply) and isinstance(node.primitive, Inverse) and node.order == 2


def _shared(trace: Einsum, product: Einsum) -> tuple[Node, Node] | None:
    """Both by a product with an inverse that they share, if there is one."""
    inverse, a, row, entry = _parts(trace)
    if Counter(product.factors) != Counter((inverse, inverse, a)):
        return None
    if len(product.output) != 2 or sorted(row) != sorted(entry) or row[0] == row[1]:
        return None
    place = product.factors.index(a)
    p, q = product.subscripts[place]
    others = [x for k, x in enumerate(product.subscripts) if k != place]
    for label, end in ((p, 0), (q, 1)):
        beside = [x for x in others if label in x]
        if len(beside) != 1 or label in product.output or p == q:
            return None
        (mine,) = beside
        turned = mine.index(label) != row.index(entry[end])
        if turned and not symmetric_axes(inverse):
            continue
        (free,) = (x for x in mine if x != label)
        kept = (free, q) if end == 0 else (p, free)
        shared = build.einsum([inverse, a], [mine, (p, q)], kept)
        (rest,) = (x for x in others if x is not mine)
        return (
            build.einsum([shared], [(0, 0)], ()),
            build.einsum([shared, inverse], [kept, rest], product.output),
        )
    return None


def _parts(trace: Einsum) -> tuple[Node, Node, Labels, Labels]:
    """The inverse and the other factor, and their labels."""
    (x, y), (first, second) = trace.factors, trace.subscripts
    return (x, y, first, second) if _inverts(x) else (y, x, second, first)
