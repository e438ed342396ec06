"""A product taken apart: factors with their labels, for rules that match and put together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import count, product

from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.labels import relabelled
from tcalc.expr.nodes import Apply, Einsum, Node
from tcalc.expr.partition import connected
from tcalc.expr.primitive import Labels
from tcalc.primitives.power import Power
from tcalc.records import dataclass
from tcalc.simplify.coefficients import ONE
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
        node = build.einsum(self.factors, self.rows, self.output, self.dims)
        return build.scale(self.coefficient, node)

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


@lru_cache(maxsize=512)  # the rules ask for a node one after the other; all would be kept alive
def parts_of(node: Node) -> Parts:
    """Any tensor as a product, if only of itself; views of products are opened."""
    opened = contraction_in(node)
    if opened is not None:
        coefficient, core, output = opened
        return _parts(coefficient, core.factors, core.subscripts, output)
    if isinstance(node, Einsum) and node.is_view:
        return _view_opened(node)
    axes = tuple(range(node.order))
    return _parts(ONE, (node,), (axes,), axes)


def _view_opened(node: Einsum) -> Parts:
    """A diagonal or a repetition, of a product as that product with unit tensors beside it."""
    factors: list[Node] = []
    rows: list[Labels] = []
    fresh = count(max(node.output, default=-1) + 1)
    coefficient = ONE
    for factor, row in zip(node.factors, node.subscripts, strict=True):
        opened = contraction_in(factor)
        if opened is None:
            factors.append(factor)
            rows.append(row)
            continue
        number, core, output = opened
        coefficient *= number
        factors += core.factors
        rows += relabelled(core.subscripts, dict(zip(output, row, strict=True)), fresh)
    dims = dict(zip(node.output, node.dims, strict=True))
    found = _parts(coefficient, tuple(factors), tuple(rows), node.output)
    return replace(found, dims=dims | found.dims)


def _parts(
    coefficient: Fraction, factors: tuple[Node, ...], rows: tuple[Labels, ...], output: Labels
) -> Parts:
    dims = {
        label: dim
        for factor, row in zip(factors, rows, strict=True)
        for label, dim in zip(row, factor.dims, strict=True)
    }
    return Parts(coefficient, factors, rows, output, dims)


def pieces(parts: Parts, ends: Collection[int]) -> list[tuple[int, ...]]:
    """The positions of factors that hang together by other labels than `ends`, in their order."""
    return connected(parts.rows, ends)


def piece(parts: Parts, places: Sequence[int], ends: Collection[int]) -> tuple[Node, Labels]:
    """Some factors as a tensor over those of the labels `ends` that they have, and these."""
    rows = [parts.rows[k] for k in places]
    labels = tuple(sorted({x for row in rows for x in row if x in ends}))
    return build.einsum([parts.factors[k] for k in places], rows, labels), labels


def bonds(parts: Parts, places: Sequence[int]) -> tuple[object, ...]:
    """Which factors a piece has, and at which axis of which other, or of the result, each ends.

    Equal pieces have equal ones.  Most that only share their factors, as ``A*B`` and ``A*B'``,
    have not, and need not be made to be told apart.
    """
    ends: dict[int, list[tuple[bytes, int]]] = {x: [(b"", k)] for k, x in enumerate(parts.output)}
    for k in places:
        factor, row = parts.factors[k], parts.rows[k]
        last = len(row) - 1
        for axis, label in enumerate(row):
            place = last if axis == last - 1 and symmetric_axes(factor) else axis
            ends.setdefault(label, []).append((factor.digest, place))
    found = [
        (parts.factors[k].digest, tuple(sorted([tuple(sorted(ends[x])) for x in parts.rows[k]])))
        for k in places
    ]
    return tuple(sorted(found))


def occurrences(parts: Parts, core: Einsum, but: int) -> Iterator[tuple[int, ...]]:
    """Positions of factors equal to those of a core, in its order, one position excepted."""
    candidates = [
        [j for j, factor in enumerate(parts.factors) if factor is wanted and j != but]
        for wanted in core.factors
    ]
    for places in product(*candidates):
        if len(set(places)) == len(places):
            yield places


def base_and_exponent(node: Node) -> tuple[Node, Fraction]:
    """A node as a power; every node is its own first."""
    if isinstance(node, Apply) and isinstance(node.primitive, Power):
        return node.args[0], node.primitive.exponent
    return node, ONE
