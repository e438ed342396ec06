"""Orders of elimination: how the local Jacobians are multiplied into a derivative.

The derivative of ``F`` by ``x`` is the sum over all paths from ``x`` to ``F`` of the products of
local Jacobians.  The linearised graph is the block-triangular system ``dx = L dx + D dp``; its
solution by forward substitution is the pushforward, by back substitution the pullback (Akyürek,
Edelman, Wang, *Backpropagation through Back Substitution with a Backslash*).  Both give the same
tensor by different routes.

A tangent of ``u`` has the axes of ``u`` and then those of the direction; a cotangent of ``u`` has
the axes of the output and then those of ``u``.  Unit tensors in either are views, so that products
open them and the constructors eliminate them.  All walks are iterative post-orders.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeAlias

from tcalc.calculus.linearize import edges
from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.nodes import Node
from tcalc.expr.primitive import LinearMap, LinearTerm, Operator
from tcalc.expr.traverse import dependents, postorder

Term: TypeAlias = tuple[build.Number, Node]


def pushforward(root: Node, tangents: Mapping[Node, Node], direction: Shape) -> Node:
    """The tangent of `root`, given those of the inputs; `direction` is the shape they share.

    The result has the axes of `root`, then those of the direction.
    """
    live = dependents([root], tangents)
    if root not in live:
        return build.zeros(root.dims + direction)
    found: dict[Node, Node] = dict(tangents)
    for node in postorder([root]):
        if node in live and node not in found:
            terms: list[Term] = []
            for operand, jacobian in edges(node, live):
                terms += pushed(jacobian, node, found[operand])
            found[node] = build.add(terms) if terms else build.zeros(node.dims + direction)
    return found[root]


def pullback(root: Node, targets: Sequence[Node], cotangent: Node, output: Shape) -> list[Node]:
    """The cotangents of the targets, given that of `root`; `output` is the shape it starts with.

    Each result has the axes `output`, then those of the target.  One sweep serves all targets.
    """
    live = dependents([root], targets)
    pending: dict[Node, list[Term]] = {root: [(1, cotangent)]}
    wanted = set(targets)
    found: dict[Node, Node] = {}
    for node in reversed(postorder([root])):
        terms = pending.pop(node, None)
        if node not in live or not terms:
            continue
        bar = build.add(terms)
        if node in wanted:
            found[node] = bar
        for operand, jacobian in edges(node, live):
            pending.setdefault(operand, []).extend(pulled(jacobian, operand, bar))
    return [found.get(target, build.zeros(output + target.dims)) for target in targets]


def pushed(jacobian: LinearMap | Operator, node: Node, tangent: Node) -> list[Term]:
    """``dv[out, t] = Σ c · factors · du[into, t]``, one summand per term of the Jacobian."""
    if isinstance(jacobian, Operator):
        return [(1, jacobian.push(tangent))]
    if _symmetrises(jacobian) and tangent.order == len(jacobian[0].into):
        # One product with the tangent and its transpose, instead of two.
        axes = tuple(range(tangent.order))
        turned = build.transpose(tangent, (*axes[:-2], axes[-1], axes[-2]))
        tangent, jacobian = build.sum_of(tangent, turned), jacobian[:1]
    terms: list[Term] = []
    for part in jacobian:
        t = tuple(("t", k) for k in range(tangent.order - len(part.into)))
        dims = dict(zip(part.out, node.dims, strict=True))
        terms.append(_times(part, tangent, (*part.into, *t), (*part.out, *t), dims))
    return terms


def _symmetrises(jacobian: LinearMap) -> bool:
    """Whether a local Jacobian is a term, and the same of the transposed argument."""
    if len(jacobian) != 2 or len(jacobian[0].into) < 2:
        return False
    one, other = jacobian
    *_, i, j = one.into
    swapped = {i: j, j: i}
    turned = tuple(tuple(swapped.get(x, x) for x in row) for row in other.subscripts)
    same = (one.coefficient, one.factors, one.out, one.into) == (
        other.coefficient,
        other.factors,
        other.out,
        other.into,
    )
    return same and turned == one.subscripts and bool(one.factors)


def pulled(jacobian: LinearMap | Operator, operand: Node, cotangent: Node) -> list[Term]:
    """``ū[s, into] = Σ c · factors · v̄[s, out]``, one summand per term of the Jacobian."""
    if isinstance(jacobian, Operator):
        return [(1, jacobian.pull(cotangent))]
    terms: list[Term] = []
    for part in jacobian:
        s = tuple(("s", k) for k in range(cotangent.order - len(part.out)))
        dims = dict(zip(part.into, operand.dims, strict=True))
        terms.append(_times(part, cotangent, (*s, *part.out), (*s, *part.into), dims))
    return terms


def _times(
    part: LinearTerm,
    x: Node,
    labels: tuple[Hashable, ...],
    output: tuple[Hashable, ...],
    dims: Mapping[int, Dim],
) -> Term:
    """``c · factors · x[labels]`` as a tensor over the labels of the output."""
    if not part.factors and labels == output:
        return part.coefficient, x
    product = build.einsum([*part.factors, x], [*part.subscripts, labels], output, dims)
    return part.coefficient, product
