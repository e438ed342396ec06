"""Products of matrices that have one short axis, as steps of a nest over the two others.

    Z = U V',   R = f(Z),   G = R V,   H = R' U

for U and V of few columns: Z and R, which are large, are then numbers of the nest, where BLAS would
write and read each in memory.
"""

from __future__ import annotations

from collections.abc import Mapping

from tcalc.codegen.c.contractions import Contraction, Labelled, Labels, labelled
from tcalc.codegen.program import Value
from tcalc.expr.dims import Shape
from tcalc.records import dataclass

FEW = 12
"""The longest axis that is short: for each place on it there is a sum in a register."""
WIDE = 32
"""How long the two others are at least, for columns to be worth copying into rows."""
FOR_EACH = 8
"""How often they are as long as the short one at least: what is no whole vector takes as long."""
NEAR = 1 << 15
"""The elements beside each row of the large matrix: they are to stay in a cache."""


@dataclass(frozen=True, slots=True)
class Narrow:
    """A product of three matrices, the result among them, each of which has two of three axes.

    The labels `over` are those of the large one, in the order of its axes; the others are `beside`.
    """

    dims: Shape
    over: Labels
    short: int
    terms: int
    beside: tuple[Labelled, ...]
    output: Labels
    large: Value | None
    """The large operand, of which the product is sums; the result is large where there is none."""


def narrow(operation: Contraction, dims: Shape, sizes: Mapping[str, int]) -> Narrow | None:
    """A product as one whose result has some axes, if it is one."""
    operands, output = labelled(operation)
    rows = [*(row for _, row in operands), output]
    pairs = {frozenset(row) for row in rows}
    lengths = {x: dim for view, row in operands for x, dim in zip(row, view.dims, strict=True)}
    fits = all(
        lengths[x] == dim for view, row in operands for x, dim in zip(row, view.dims, strict=True)
    )
    if not fits or any(len(x) != 2 for x in (*rows, *pairs)) or len(pairs) != 3:
        return None
    counts = {x: dim.evaluate(sizes) for x, dim in lengths.items()}
    short, *long = sorted(counts, key=counts.__getitem__)
    terms = counts[short]
    if terms > FEW or counts[long[0]] < max(WIDE, FOR_EACH * terms):
        return None
    beside = tuple((view, row) for view, row in operands if short in row)
    value, over = None, output
    if short in output:
        ((large, row),) = ((view, row) for view, row in operands if short not in row)
        if sorted(x for x in large.axes if x is not None) != [0, 1]:
            return None
        value, dims = large.value, large.value.dims
        over = tuple(row[large.axes.index(axis)] for axis in (0, 1))
    if terms * counts[over[1]] > NEAR:
        return None
    return Narrow(dims, over, short, terms, beside, output, value)
