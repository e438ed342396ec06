"""Products in which what is there beforehand stands together, to be multiplied beforehand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations

from tcalc.expr import build
from tcalc.expr.nodes import Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.expr.traverse import rebuild


def grouped(roots: Sequence[Node], late: Iterable[Node]) -> list[Node]:
    """The roots, in which factors that depend on none of some inputs are products of their own.

    In ``a[j] A[i,k] B[k,j]`` these are A and B, where ``a`` alone depends on the inputs: they are
    multiplied where an index ends with them.

    >>> from tcalc.expr import shape
    >>> a, A, B = (build.var(x, shape(*dims)) for x, dims in (("a", "n"), ("A", "mp"), ("B", "pn")))
    >>> (found,) = grouped([build.einsum([a, A, B], "j,ik,kj->ij")], [a])
    >>> sorted(len(x.operands) for x in found.operands)
    [0, 2]
    """
    known = {*late}

    def change(node: Node) -> Node:
        if isinstance(node, Einsum) and not node.is_view and len(node.factors) > 2:
            node = _grouped(node, [x in known for x in node.factors])
        if any(x in known for x in node.operands):
            known.add(node)
        return node

    return rebuild(roots, change)


def _grouped(node: Einsum, late: Sequence[bool]) -> Node:
    """A product with products among the factors that are not late."""
    rows = [*zip(node.factors, node.subscripts, strict=True)]
    apart = [row for row, is_late in zip(rows, late, strict=True) if not is_late]
    others = [row for row, is_late in zip(rows, late, strict=True) if is_late]
    while pair := _with_common_end(apart, [*others, *apart], node.output):
        (x, a), (y, b) = pair
        apart = [row for row in apart if row is not pair[0] and row is not pair[1]]
        beside = {label for _, row in (*others, *apart) for label in row} | {*node.output}
        left = tuple(label for label in dict.fromkeys((*a, *b)) if label in beside)
        apart.append((build.einsum([x, y], [a, b], left), left))
    if len(apart) + len(others) == len(rows):
        return node
    factors, subscripts = zip(*others, *apart, strict=True)
    return build.einsum(factors, subscripts, node.output)


def _with_common_end(
    apart: Sequence[tuple[Node, Labels]], rows: Sequence[tuple[Node, Labels]], output: Labels
) -> tuple[tuple[Node, Labels], tuple[Node, Labels]] | None:
    """Two factors with an index that nothing else has, if there are such."""
    uses = Counter(label for _, row in rows for label in {*row})
    for x, y in combinations(apart, 2):
        if any(uses[label] == 2 and label not in output for label in {*x[1]} & {*y[1]}):
            return x, y
    return None
