"""Products with a derivative that never form it: by a direction, or by a cotangent.

All are symbolic: the direction is an input like any other, so that the product is compiled and
printed together with value and gradient (Pearlmutter, *Fast exact multiplication by the Hessian*,
for the product with a Hessian as the directional derivative of the gradient).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tcalc.calculus.accumulate import pullback, pushforward
from tcalc.calculus.cost import flops
from tcalc.calculus.derivative import derivatives, project, unit
from tcalc.calculus.prepare import differentiable, prepare
from tcalc.errors import DimensionError
from tcalc.expr import build
from tcalc.expr.nodes import Node, Var
from tcalc.expr.traverse import postorder
from tcalc.simplify import flatten

LARGEST_COMPARISON = 2_000
"""The most nodes of a product with a Hessian whose forms are compared by cost."""


def jvp(root: Node, directions: Mapping[Var, Node]) -> Node:
    """``Σ J_x · d_x``: the directional derivative, of the shape of `root`.

    Each direction has the shape of its variable, or further axes after it, the same for all: then
    it is several directions at once and the result has those axes last.
    """
    given = differentiable(root)
    extra = {direction.dims[variable.order :] for variable, direction in directions.items()}
    for variable, direction in directions.items():
        if direction.dims[: variable.order] != variable.dims or len(extra) != 1:
            raise DimensionError(
                f"the direction for {variable.name} has the wrong shape",
                hint=f"it must start with the axes of {variable.name}",
            )
    tangents: dict[Node, Node] = {x: project_direction(d, x) for x, d in directions.items()}
    (found,) = given.shared([pushforward(given.function, tangents, next(iter(extra)))])
    return found


def vjp(root: Node, variable: Var, cotangent: Node) -> Node:
    """``c' · J``: the cotangent pulled back, of the shape of the variable."""
    given = differentiable(root)
    lead = cotangent.order - root.order
    if cotangent.dims[lead:] != root.dims:
        raise DimensionError("the cotangent must have the shape of the function's value")
    pulled = pullback(given.function, [variable], cotangent, cotangent.dims[:lead])
    (found,) = given.shared(pulled)
    return project(found, variable)


def vjps(cotangents: Iterable[tuple[Node, Node]], targets: Sequence[Node]) -> list[Node]:
    """``Σ c · ∂f/∂x`` over pairs of a function f and its cotangent c, for several targets x.

    A cotangent has the shape of its function, and a result that of its target.  Targets are inputs,
    of which the declared structure is not applied: where the differential of one is symmetric, so
    may a cotangent of it be made (`project`).
    """
    products = [build.einsum([c, f], [range(f.order)] * 2, ()) for f, c in cotangents]
    given = differentiable(build.add([(1, product) for product in products]))
    return given.shared(pullback(given.function, targets, unit(()), ()))


def hvp(root: Node, variable: Var, direction: Node) -> Node:
    """``H · d`` for a scalar function, as the directional derivative of its gradient."""
    (found,) = hvps(root, {variable: direction})
    return found


def hvps(root: Node, directions: Mapping[Var, Node]) -> list[Node]:
    """``H · d`` for a Hessian by several variables, a part for each of them.

    Products that the parts share are opened where that costs less beside value and gradient: a
    chain of matrices that is used twice, each time with a vector, need not be multiplied out.
    """
    if root.order:
        raise DimensionError("a Hessian-vector product needs a scalar function")
    gradients = derivatives(root, list(directions))
    found = [jvp(gradient, directions) for gradient in gradients]
    beside = [*prepare([root]), *gradients]
    if len(postorder([*beside, *found])) > LARGEST_COMPARISON:
        return found
    opened = flatten(found, inline="all")
    return min((found, opened), key=lambda candidate: flops([*beside, *candidate]))


def project_direction(direction: Node, variable: Var) -> Node:
    """A direction as the variable can move: symmetric, diagonal or triangular as it is."""
    if variable.order < 2:
        return direction
    extra = direction.order - variable.order
    axes = tuple(range(direction.order))
    turned = build.transpose(direction, axes[variable.order :] + axes[: variable.order])
    projected = project(turned, variable)
    return build.transpose(projected, axes[extra:] + axes[:extra])
