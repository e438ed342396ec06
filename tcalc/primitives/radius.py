"""Quotients by ``r = √(x² + y²)``, with squares that neither overflow nor underflow.

They are the derivatives of `atan2`, and with 1 for y of `asinh` and `atan`:

    ∂/∂x x/r = (y/r)² /r,    ∂/∂y x/r = -(x/r)(y/r)/r,    ∂/∂x 1/r = -(x/r)/r².

Nothing is added up in these, so that all higher derivatives keep their digits.
"""

from __future__ import annotations

from fractions import Fraction

from tcalc.expr import build
from tcalc.expr.nodes import Const, Node
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.elementwise import Elementwise, Traits, Written
from tcalc.primitives.power import power, square
from tcalc.primitives.routines import Embedded, per_element


def reciprocal_of_radius(x: Array, y: Array) -> Array:
    """1/√(x² + y²); complex numbers are near the real line, in complex steps."""
    return 1.0 / (np.sqrt(x * x + y * y) if np.iscomplexobj(x + y) else np.hypot(x, y))


def quotient_by_radius(x: Array, y: Array) -> Array:
    """x/√(x² + y²)."""
    return x / (np.sqrt(x * x + y * y) if np.iscomplexobj(x + y) else np.hypot(x, y))


def _over(x: Node, y: Node) -> Node:
    return power(build.sum_of(square(x), square(y)), Fraction(-1, 2))


_inverse_radius: Elementwise = Elementwise(
    "inverse_radius",
    Embedded(reciprocal_of_radius, work=per_element(5)),
    lambda x, y, z: _falling(x, y),
    lambda x, y, z: _falling(y, x),
    written=Written(formula=_over),
    traits=Traits(positive=True),
)
_over_radius: Elementwise = Elementwise(
    "over_radius",
    Embedded(quotient_by_radius, work=per_element(5)),
    lambda x, y, z: build.hadamard(square(over_radius(y, x)), inverse_radius(x, y)),
    lambda x, y, z: build.scale(-1, build.hadamard(z, over_radius(y, x), inverse_radius(x, y))),
    written=Written(formula=lambda x, y: build.hadamard(x, _over(x, y))),
    traits=Traits(bounded=True),
)


def inverse_radius(x: Node, y: Node) -> Node:
    """``1/√(x² + y²)`` element by element, the same node for both orders."""
    return _inverse_radius(*sorted((x, y), key=lambda node: node.digest))


def over_radius(x: Node, y: Node) -> Node:
    """``x/√(x² + y²)`` element by element."""
    if isinstance(x, Const) and x.value == 1:
        return inverse_radius(x, y)
    return _over_radius(x, y)


def _falling(x: Node, y: Node) -> Node:
    return build.scale(-1, build.hadamard(over_radius(x, y), square(inverse_radius(x, y))))
