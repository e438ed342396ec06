"""A formula put to use: for other tensors than it was written for, and over batch axes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import assert_never

from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.traverse import postorder
from tcalc.primitives.kron import Split
from tcalc.primitives.selection import GivenBySizes


def over_batch(
    root: Node, values: Mapping[Node, Node], batch: Shape, sizes: Mapping[str, Dim]
) -> Node:
    """The formula with its inputs replaced by tensors that have the axes `batch` in front.

    `sizes` are the dimensions for the names of those in the formula.  Constants, and what is made
    of them alone, are the same for all cells.

    >>> from tcalc.expr import shape
    >>> A, B = build.var("A", shape("n", "n")), build.var("B", shape("b", "m", "m"))
    >>> formula = build.einsum([A, A], "ij,jk->ik")
    >>> squares = over_batch(formula, {A: B}, shape("b"), {"n": Dim.of("m")})
    >>> squares is build.einsum([B, B], "bij,bjk->bik")
    True
    """
    done: dict[Node, Node] = dict(values)
    moving = set(values)

    def full(x: Node, lead: Shape) -> Node:
        return done[x] if x in moving else build.broadcast(done[x], lead + done[x].dims)

    for node in postorder([root]):
        if node in done:
            continue
        dims = tuple(dim.substitute(sizes) for dim in node.dims)
        if any(operand in moving for operand in node.operands):
            moving.add(node)
        lead = batch if node in moving else ()
        match node:
            case Var():
                done[node] = node
            case Const(value=value):
                done[node] = build.const(value, dims)
            case Delta():
                done[node] = build.delta(dims[0])
            case Add(terms=terms):
                done[node] = build.add((c, full(x, lead)) for c, x in terms)
            case Einsum(factors=factors, subscripts=subscripts, output=output):
                axes = [("batch", k) for k in range(len(lead))]
                rows = [
                    (*(axes if x in moving else ()), *row)
                    for x, row in zip(factors, subscripts, strict=True)
                ]
                known: dict[Hashable, Dim] = dict(zip(axes, lead, strict=True))
                known.update(zip(output, dims, strict=True))
                done[node] = build.einsum([done[x] for x in factors], rows, (*axes, *output), known)
            case Apply(primitive=GivenBySizes() as selection):
                done[node] = build.apply(selection.substitute(sizes))
            case Apply(primitive=Split() as split, args=(x, like)):
                done[node] = build.apply(split, full(x, lead), done[like])
            case Apply(primitive=primitive, args=args, output=place):
                operands = (full(x, lead) for x in args)
                done[node] = build.apply(primitive, *operands, output=place)
            case _:
                assert_never(node)
    return full(root, batch)
