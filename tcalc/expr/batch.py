"""A formula mapped over leading batch axes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.traverse import postorder


def over_batch(root: Node, values: Mapping[Node, Node], batch: Shape) -> Node:
    """The formula with its inputs replaced by tensors that have the axes `batch` in front.

    Inputs without a value, constants and what is made of them alone, are the same for all cells.

    >>> from tcalc.expr import shape
    >>> A, B = build.var("A", shape("n", "n")), build.var("B", shape("b", "n", "n"))
    >>> squares = over_batch(build.einsum([A, A], "ij,jk->ik"), {A: B}, shape("b"))
    >>> squares is build.einsum([B, B], "bij,bjk->bik")
    True
    """
    done: dict[Node, Node] = dict(values)
    moving = set(values)
    lead = [("batch", k) for k in range(len(batch))]

    def full(x: Node) -> Node:
        return done[x] if x in moving else build.broadcast(done[x], batch + done[x].dims)

    for node in postorder([root]):
        if node in done:
            continue
        if not any(operand in moving for operand in node.operands):
            done[node] = node
            continue
        moving.add(node)
        match node:
            case Add(terms=terms):
                done[node] = build.add((c, full(x)) for c, x in terms)
            case Einsum(factors=factors, subscripts=subscripts, output=output):
                rows = [
                    (*(lead if x in moving else ()), *row)
                    for x, row in zip(factors, subscripts, strict=True)
                ]
                dims: dict[Hashable, Dim] = dict(zip(lead, batch, strict=True))
                dims.update(zip(output, node.dims, strict=True))
                done[node] = build.einsum([done[x] for x in factors], rows, (*lead, *output), dims)
            case Apply(primitive=primitive, args=args, output=place):
                done[node] = build.apply(primitive, *map(full, args), output=place)
            case Var() | Const() | Delta():
                raise AssertionError("has no operands")
    return full(root)
