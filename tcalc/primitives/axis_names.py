"""What the axes of operands say of the axes of a result, and the other way round.

The names of indices are known where a program has indices.  They are those of the same axes
before and after: a product keeps the labels of its factors, a sum its terms, what acts element by
element its arguments, and what acts on the last axes of a tensor leaves the others as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tcalc.expr.index_names import AxisNames, IndexNames, joined
from tcalc.expr.nodes import Add, Apply, Einsum, Node, Var
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.inverse import Inverse
from tcalc.primitives.reductions import Reduction


def inferred(nodes: Sequence[Node], known: IndexNames) -> dict[Node, AxisNames]:
    """The names of axes of all nodes, given with operands first, from those of their operands.

    >>> from tcalc.expr import build, shape
    >>> X, w = build.var("X", shape("m", "n")), build.var("w", shape("n"))
    >>> z = build.einsum([X, w], "ij,j->i")
    >>> inferred([X, w, z], {X: (("row",), ("column",))})[z]
    (('row',),)
    """
    found = dict(known)
    for node in nodes if known else ():
        if node.order and node not in found and any(x in found for x in node.operands):
            rows: list[list[tuple[str, ...]]] = [[] for _ in node.dims]
            for axis, operand, place in _links(node):
                if operand in found:
                    rows[axis].append(found[operand][place])
            if any(map(any, rows)):
                found[node] = tuple(map(joined, rows))
    return found


def handed_down(nodes: Sequence[Node], known: IndexNames) -> IndexNames:
    """The same names, and for inputs whose axes have none those of what is made of them.

    The nodes are given with operands first.

    >>> from tcalc.expr import build, shape
    >>> X, w = build.var("X", shape("m", "n")), build.var("w", shape("n"))
    >>> z = build.einsum([X, w], "ij,j->i")
    >>> handed_down([X, w, z], {z: (("row",),)})[X]
    (('row',), ())
    """
    found = dict(known)
    for node in reversed(nodes):
        if node not in found:
            continue
        for axis, operand, place in _links(node):
            names = found[node][axis]
            own = known.get(operand, ())
            if names and not (own and own[place]):
                rows = list(found.get(operand, ((),) * operand.order))
                rows[place] = joined([rows[place], names])
                found[operand] = tuple(rows)
    return {node: names for node, names in found.items() if node in known or isinstance(node, Var)}


def _links(node: Node) -> Iterator[tuple[int, Node, int]]:
    """Which axis of a node is which axis of which operand.

    Constants have a part in none: whatever has the shape of one shares it.
    """
    for axis, operand, place in _all_links(node):
        if operand.operands or isinstance(operand, Var):
            yield axis, operand, place


def _all_links(node: Node) -> Iterator[tuple[int, Node, int]]:
    match node:
        case Einsum(factors=factors, subscripts=subscripts, output=output):
            places = {label: axis for axis, label in enumerate(output)}
            for factor, row in zip(factors, subscripts, strict=True):
                for place, label in enumerate(row):
                    if label in places:
                        yield places[label], factor, place
        case Add(terms=terms):
            for _, term in terms:
                for axis in range(node.order):
                    yield axis, term, axis
        case Apply(primitive=Elementwise(), args=args):
            for argument in args:
                for axis in range(node.order):
                    yield axis, argument, axis
        case Apply(primitive=Inverse(axes=half), args=(matrix,)):
            # It maps the axes back: what were its columns are its rows.
            axes = range(node.order)
            batch, rows, columns = axes[: -2 * half], axes[-2 * half : -half], axes[-half:]
            for axis, place in enumerate((*batch, *columns, *rows)):
                yield axis, matrix, place
        case Apply(primitive=primitive, args=(argument, *_)):
            same = argument.dims == node.dims
            consumed = primitive.axes if isinstance(primitive, Reduction) else 2
            for axis in range(node.order if same else min(node.order, argument.order - consumed)):
                yield axis, argument, axis
