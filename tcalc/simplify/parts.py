"""A product taken apart: factors with their labels, for rules that match and put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Apply, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.primitives.power import Power
from tcalc.simplify.flatten import contraction_in


@dataclass(frozen=True, slots=True)
class Parts:
    """``coefficient * Σ Π factors[k][rows[k]]`` with the labels of the result in `output`."""

    coefficient: Fraction
    factors: tuple[Node, ...]
    rows: tuple[Labels, ...]
    output: Labels
    dims: dict[int, Dim]

    def build(self) -> Node:
        product = build.einsum(self.factors, self.rows, self.output, self.dims)
        return build.scale(self.coefficient, product)

    def replaced(
        self, gone: Sequence[int], factors: Sequence[Node], rows: Sequence[Labels]
    ) -> Parts:
        """The product with some factors, by position, replaced by others."""
        kept = [k for k in range(len(self.factors)) if k not in gone]
        return Parts(
            self.coefficient,
            (*(self.factors[k] for k in kept), *factors),
            (*(self.rows[k] for k in kept), *rows),
            self.output,
            self.dims,
        )

    def uses(self, label: int) -> int:
        """How many factors carry a label."""
        return sum(label in row for row in self.rows)


@lru_cache(maxsize=4096)
def parts_of(node: Node) -> Parts:
    """Any tensor as a product, if only of itself; views of products are opened."""
    opened = contraction_in(node)
    if opened is not None:
        coefficient, core, output = opened
        return _parts(coefficient, core.factors, core.subscripts, output)
    if isinstance(node, Einsum) and node.is_view:
        dims = dict(zip(node.output, node.dims, strict=True))
        return Parts(Fraction(1), node.factors, node.subscripts, node.output, dims)
    axes = tuple(range(node.order))
    return _parts(Fraction(1), (node,), (axes,), axes)


def _parts(
    coefficient: Fraction, factors: tuple[Node, ...], rows: tuple[Labels, ...], output: Labels
) -> Parts:
    dims = {
        label: dim
        for factor, row in zip(factors, rows, strict=True)
        for label, dim in zip(row, factor.dims, strict=True)
    }
    return Parts(coefficient, factors, rows, output, dims)


def base_and_exponent(node: Node) -> tuple[Node, Fraction]:
    """A node as a power; every node is its own first."""
    if isinstance(node, Apply) and isinstance(node.primitive, Power):
        return node.args[0], node.primitive.exponent
    return node, Fraction(1)
