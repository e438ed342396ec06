"""What a contraction costs.

A flop is one multiplication or one addition.  A pair with a summed label takes a multiplication
for every point of the joint index space and an addition for every one that is summed away.  An
inverse is *applied* by solving with a factorisation that is there: two triangular solves, so
2·n² flops a column, against the same 2·n² for the product with a *formed* inverse, which costs
4/3·n³ before.  A triangular solve runs at half to three quarters of the rate of a matrix product,
so that forming pays from about 2·n columns on.  A triangular matrix takes one solve, n² a column,
and 1/3·n³ to invert.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from math import prod
from typing import NamedTuple, TypeAlias

from tcalc.records import dataclass

Label: TypeAlias = int
Labels: TypeAlias = tuple[Label, ...]


class Inversion(NamedTuple):
    """An inverse among the factors of a product.

    `axes` says over how many axes each of the matrix's two sides goes (mostly one), `triangular`
    whether it is one triangular matrix, which solves cost half for.
    """

    axes: int = 1
    triangular: bool = False


class Indicator(NamedTuple):
    """A tensor of zeros and ones that says where elements are, or go to: one for each row.

    `axes` counts its last axes, over which each row has a single one.
    """

    axes: int = 1


class Triangle(NamedTuple):
    """A square triangle of ones among the factors: products with it are running sums."""


Special: TypeAlias = Inversion | Indicator | Triangle
"""A factor with which a product takes another course than a product of arrays."""

MOVED = 8
"""What it costs to take an element from its place, or to add it up there, in operations."""

ADDED_UP = 128
"""What an element of running sums costs, in operations of a product of matrices.

That is what all of ``tril(Q K') V`` takes by running sums of the products of K's columns with V's,
for each element of these, on one core.
"""


@dataclass(frozen=True, slots=True)
class Network:
    """A product to be contracted: labels of the factors and of the output, sizes of the labels.

    `special` has, by their positions, the factors that are inverses of matrices, and may be applied
    instead of formed, those that only say where elements are, and triangles of ones.
    """

    factors: tuple[Labels, ...]
    output: Labels
    sizes: Mapping[Label, int]
    special: Mapping[int, Special] = field(default_factory=dict)

    def volume(self, labels: Collection[Label]) -> int:
        """The number of points of an index space."""
        return prod(self.sizes[label] for label in labels)


class Volumes(dict[frozenset[Label], int]):
    """The points of index spaces, each counted when it is first asked for."""

    def __init__(self, sizes: Mapping[Label, int]) -> None:
        super().__init__()
        self.sizes = sizes

    def __missing__(self, labels: frozenset[Label]) -> int:
        self[labels] = found = prod([self.sizes[label] for label in labels])
        return found

    def of_pair(
        self, left: frozenset[Label], right: frozenset[Label], result: frozenset[Label]
    ) -> int:
        """The flops of one pairwise contraction."""
        points, kept = self[left | right], self[result]
        return points if points == kept else max(2 * points - kept, 0)


@dataclass(frozen=True, slots=True)
class Pair:
    """One contraction of two operands: the labels of the result, the cost, the columns solved."""

    result: frozenset[Label]
    flops: int
    columns: int = 0


def pair_flops(
    left: frozenset[Label],
    right: frozenset[Label],
    result: frozenset[Label],
    sizes: Mapping[Label, int],
) -> int:
    """The flops of one pairwise contraction.

    >>> i, j, k = 0, 1, 2
    >>> pair_flops(frozenset({i, j}), frozenset({j, k}), frozenset({i, k}), {i: 2, j: 3, k: 4})
    40
    """
    return Volumes(sizes).of_pair(left, right, result)


def solve_columns(
    inverse: Labels,
    axes: int,
    other: frozenset[Label],
    result: frozenset[Label],
    sizes: Mapping[Label, int],
) -> int | None:
    """With how many columns an inverse is applied to the other operand, all batches counted.

    None where it cannot be applied: exactly one of its two groups of matrix axes has to be summed
    with the other operand, which must not have the other group; batch axes have to be in the
    result.
    """
    batch, rows, columns = split_inverse(inverse, axes)
    if len(rows | columns) < 2 * axes or not batch <= result or (rows | columns) & batch:
        return None
    summed = (rows | columns) & other
    if summed not in (rows, columns) or summed & result:
        return None
    return prod(sizes[label] for label in (other - summed) | batch)


def split_inverse(
    inverse: Labels, axes: int
) -> tuple[frozenset[Label], frozenset[Label], frozenset[Label]]:
    """The batch, row and column labels of an inverse over groups of `axes` axes."""
    lead = len(inverse) - 2 * axes
    parts = inverse[:lead], inverse[lead : lead + axes], inverse[lead + axes :]
    return frozenset(parts[0]), frozenset(parts[1]), frozenset(parts[2])


def factor_flops(order: int, kind: Inversion) -> int:
    """The cost of factorising a matrix of that order, which a triangle does not need: by LU."""
    return 0 if kind.triangular else 2 * order**3 // 3


def form_flops(inverse: Labels, kind: Inversion, sizes: Mapping[Label, int]) -> int:
    """The cost of forming an inverse from a factorisation that is there."""
    lead = len(inverse) - 2 * kind.axes
    n = prod(sizes[label] for label in inverse[lead : lead + kind.axes])
    return prod(sizes[label] for label in inverse[:lead]) * (
        (1 if kind.triangular else 4) * n**3 // 3
    )


def solve_flops(columns: int, order: int, kind: Inversion) -> int:
    """The cost of applying the inverse of a matrix of that order to that many columns."""
    return (1 if kind.triangular else 2) * columns * order**2


def reduction_flops(factors: Sequence[Labels], output: Labels, sizes: Mapping[Label, int]) -> int:
    """The additions that sum labels of one factor alone, before anything is multiplied."""
    count: dict[Label, int] = {}
    for row in factors:
        for label in set(row):
            count[label] = count.get(label, 0) + 1
    total = 0
    for row in factors:
        labels = set(row)
        kept = {label for label in labels if count[label] > 1 or label in output}
        if kept != labels:
            total += prod(sizes[x] for x in labels) - prod(sizes[x] for x in kept)
    return total
