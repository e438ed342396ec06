"""Local Jacobians that are applied: rules for one tensor, mapped over many directions.

A rule is written for one tangent, or one cotangent, of a primitive that maps over leading batch
axes.  Several directions at once are then a batch: their axes are put in front, the other tensors
of the rule are repeated along them, and one batched call serves all.  A direction that is tied to
a batch axis by a unit tensor, as in the derivative of a batch by itself, is taken on the diagonal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeAlias

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node
from tcalc.expr.primitive import Operator

Rule: TypeAlias = Callable[..., Node]


def operator(
    node: Apply, position: int, context: Sequence[Node], push: Rule, pull: Rule, core: int = 2
) -> Operator:
    """The operator with the rules ``push(tangent, *context)`` and ``pull(cotangent, *context)``.

    The rules get all tensors with the same batch axes and give the tangent of `node`, or the
    cotangent of its argument at `position`, with these axes too.  `core` is the number of axes of
    `node` that are no batch axes.
    """
    argument = node.args[position]
    batch = node.order - core

    def pushed(tangent: Node) -> Node:
        extra = tangent.order - argument.order
        if is_zero(tangent):
            return build.zeros(node.dims + tangent.dims[argument.order :])
        turned = build.transpose(tangent, rotation(tangent.order, argument.order))
        found = _mapped(push, turned, extra, batch, context)
        return build.transpose(found, rotation(found.order, extra))

    def pulled(cotangent: Node) -> Node:
        extra = cotangent.order - node.order
        if is_zero(cotangent):
            return build.zeros(cotangent.dims[:extra] + argument.dims)
        return _mapped(pull, cotangent, extra, batch, context)

    return Operator(pushed, pulled)


def _mapped(rule: Rule, x: Node, extra: int, batch: int, context: Sequence[Node]) -> Node:
    """The rule over the first `extra` axes, those tied to one of the next `batch` axes left out."""
    tied = _tied_axes(x, extra, extra + batch)
    free = [axis for axis in range(extra) if axis not in tied]
    row = [tied.get(axis, axis) for axis in range(x.order)]
    d = build.einsum([x], [row], [*free, *range(extra, x.order)])
    found = rule(d, *(repeated(y, d, len(free)) for y in context))
    axes = list(range(extra, extra + found.order - len(free)))
    units = [build.delta(x.dims[axis]) for axis in tied]
    return build.einsum([found, *units], [[*free, *axes], *tied.items()], [*range(extra), *axes])


def _tied_axes(x: Node, first: int, last: int) -> dict[int, int]:
    """The axes before `first` that unit tensors tie to one from there and before `last`."""
    match x:
        case Add(terms=((_, Einsum() as view),)) | (Einsum() as view) if view.is_view:
            place = {label: axis for axis, label in enumerate(view.output)}
        case _:
            return {}
    tied: dict[int, int] = {}
    for factor, labels in zip(view.factors, view.subscripts, strict=True):
        if isinstance(factor, Delta):
            i, j = sorted(place[label] for label in labels)
            if i < first <= j < last:
                tied.setdefault(i, j)
    return tied


def rotation(order: int, shift: int) -> tuple[int, ...]:
    """The permutation that moves the first `shift` axes behind the others."""
    axes = tuple(range(order))
    return axes[shift:] + axes[:shift]


def repeated(x: Node, like: Node, extra: int) -> Node:
    """A tensor repeated along the first `extra` axes of another."""
    return build.broadcast(x, like.dims[:extra] + x.dims)


def repeats(x: Node, core: int = 0) -> int:
    """The number of leading axes, before the last `core`, along which a tensor is repeated.

    >>> from tcalc.expr import shape
    >>> x = build.var("x", shape("n"))
    >>> repeats(build.broadcast(x, shape("a", "b", "n")))
    2
    """
    if not (isinstance(x, Einsum) and x.is_view):
        return 0
    carried = {label for row in x.subscripts for label in row}
    lead = x.output[: x.order - core]
    return next((k for k, label in enumerate(lead) if label in carried), len(lead))


def unrepeated(x: Node, count: int) -> Node:
    """A tensor without its first axes, along which it is repeated."""
    if not (count and isinstance(x, Einsum)):
        return x
    dims = dict(zip(x.output, x.dims, strict=True))
    return build.einsum(x.factors, x.subscripts, x.output[count:], dims)


def taken_once(matrix: Node, *numbers: Node) -> tuple[Shape, list[Node]]:
    """The batch axes along which all of them are repeated, and the tensors without these.

    What is computed from these alone serves all directions of a whole Jacobian.
    """
    count = min([repeats(matrix, 2), *map(repeats, numbers)])
    return matrix.dims[:count], [unrepeated(x, count) for x in (matrix, *numbers)]


def unit_multiple(x: Node) -> Fraction | None:
    """The number c where a node is c times the unit matrix, else None.

    >>> from tcalc.expr import shape
    >>> unit_multiple(build.scale(3, build.delta(shape("n")[0])))
    Fraction(3, 1)
    """
    match x:
        case Delta():
            return Fraction(1)
        case Add(terms=((coefficient, Delta()),)):
            return coefficient
        case _:
            return None


def is_zero(x: Node) -> bool:
    """Whether a node is the zero tensor."""
    return isinstance(x, Const) and x.value == 0
