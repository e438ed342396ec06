"""Positions that are sums of indices: ``x[i+k-1]``, as in convolutions.

``Σ_k x[i+k-1] w[k]`` is ``Σ_jk S[i,k,j] x[j] w[k]`` with ``S = onehot(P, n)`` and the positions
``P[i,k] = i + k - 1``, so that the calculus has no rule for it.  Generated code looks at x through
windows, whose axes are strides apart, and adds up what goes to one place window by window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import Fact, Holds
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.onehot import onehot
from tcalc.primitives.routines import Embedded, no_work
from tcalc.primitives.selection import GivenBySizes

_FACTS = (Fact.POSITIVE, Fact.NONNEGATIVE, Fact.INTEGER)


class Shifts(GivenBySizes):
    """``P[i,k] = offset + a*i + b*k``, positions from 1 to `size` for indices from 1 on.

    Its parameters are the offset, the size of the axis that the positions are on, and the sizes of
    the indices; `coefficients` are integers.
    """

    name = "shifts"

    def __init__(self, coefficients: Sequence[int], *parameters: Dim) -> None:
        super().__init__(*parameters)
        self.coefficients = tuple(coefficients)
        self.offset, self.size, *dims = parameters
        self.dims: Shape = tuple(dims)

    @property
    def key(self) -> str:
        return f"{super().key}*{self.coefficients}"

    @property
    def start(self) -> Dim:
        """The position of the first element for each index, counted from 0."""
        return self.offset + (sum(self.coefficients) - 1)

    def substitute(self, values: Mapping[str, Dim]) -> Self:
        return type(self)(self.coefficients, *(x.substitute(values) for x in self.parameters))

    def check_numbers(self, *numbers: int) -> None:
        offset, size, *counts = numbers
        if min(counts) < 1:
            shown = " and ".join(f"1 to {count}" for count in counts)
            raise ValueError(f"no positions on an axis of {size}: the indices go from {shown}")
        low, high = ends(self.coefficients, offset, counts)
        if not 1 <= low <= high <= size:
            raise ValueError(f"the positions {low} to {high} are not all among 1 to {size}")

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        return (self.dims,)

    def code(self) -> Embedded:
        parameters = (self.coefficients,)
        sizes = (self.offset, *self.dims)
        return Embedded(shifted_positions, parameters, sizes=sizes, typed=True, work=no_work)

    def constant(self, dims: Shape, sizes: Mapping[str, int]) -> Any:
        offset, size, *counts = (parameter.evaluate(sizes) for parameter in self.parameters)
        self.check_numbers(offset, size, *counts)
        return shifted_positions(offset, *counts, self.coefficients, dtype=float)

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return True if fact in _FACTS else None


def ends(coefficients: Sequence[int], offset: Any, counts: Sequence[Any]) -> tuple[Any, Any]:
    """The lowest position and the highest one, for indices that go from 1 to some numbers."""
    low = high = offset
    for coefficient, count in zip(coefficients, counts, strict=True):
        low = low + (coefficient if coefficient > 0 else count * coefficient)
        high = high + (count * coefficient if coefficient > 0 else coefficient)
    return low, high


def shifts_of(node: Node) -> Shifts | None:
    """The shifts that the positions of rows with a one are, if they are such."""
    if isinstance(node, Apply) and node.args:
        positions = node.args[0]
        if isinstance(positions, Apply) and isinstance(positions.primitive, Shifts):
            return positions.primitive
    return None


def shifted(coefficients: Sequence[int], *parameters: Dim) -> Node:
    """The rows with a one at the positions of `Shifts`."""
    positions = build.apply(Shifts(coefficients, *parameters))
    return onehot(positions, parameters[1])


def shifted_positions(offset: int, *rest: Any, dtype: Any) -> Array:
    """The sums of multiples of indices, which count from 1, and an offset."""
    *counts, coefficients = rest
    total = np.full([1] * len(counts), offset, dtype)
    for k, (coefficient, count) in enumerate(zip(coefficients, counts, strict=True)):
        along = np.arange(1, count + 1, dtype=dtype) * coefficient
        total = total + along.reshape(-1, *(1,) * (len(counts) - k - 1))
    return total


def windows(X: Array, *rest: Any) -> Array:
    """The elements of X with new axes, which run along its own in steps, copied in this order.

    `rest` has where X begins along each axis, then the length of each new axis; the axes along
    which these run, and their steps.
    """
    *sizes, axes, steps = rest
    seen = looked_at(X, sizes[: X.ndim], sizes[X.ndim :], axes, steps)
    return np.ascontiguousarray(seen)


def looked_at(X: Array, starts: Any, lengths: Any, axes: Any, steps: Any) -> Array:
    """The same, not copied."""
    begun = X[tuple(slice(max(s, 0), None) for s in starts)]
    strides = [X.strides[axis] * step for axis, step in zip(axes, steps, strict=True)]
    return np.lib.stride_tricks.as_strided(begun, lengths, strides)


def overlapped(D: Array, *rest: Any) -> Array:
    """The elements of D added up where its axes run along axes of the result in steps.

    `rest` has where they begin along each axis of the result, then its lengths; the axes and the
    steps; and those axes of D that are taken one element at a time, as others overlap by them.
    """
    *sizes, axes, steps, single = rest
    starts, lengths = sizes[: len(sizes) // 2], sizes[len(sizes) // 2 :]
    total = np.zeros(lengths, D.dtype)
    seen = np.moveaxis(looked_at(total, starts, D.shape, axes, steps), single, range(len(single)))
    added = np.moveaxis(D, single, range(len(single)))
    for place in np.ndindex(*added.shape[: len(single)]):
        seen[place] += added[place]
    return total


def windows_added(X: Array, size: int, offset: int, *rest: Any) -> Array:
    """The elements of X added up at sums of multiples of its first indices.

    Of these the first few are kept, and an axis of some size stands in the place of the others.
    """
    *counts, kept, coefficients = rest
    lead, beside = counts[:kept], X.shape[len(counts) :]
    total = np.zeros((*lead, size, *beside), X.dtype)
    if 0 in total.shape or 0 in counts:
        return total
    # Along the longest axis that is summed all elements at once.
    longest = counts.index(max(counts[kept:]), kept)
    step, count = coefficients[longest], counts[longest]
    starts = [offset + step - 1]
    for k, (other, n) in enumerate(zip(coefficients, counts, strict=True)):
        if k != longest:
            starts = [start + other * i for start in starts for i in range(1, n + 1)]
    values = np.broadcast_to(X, (*counts, *beside))
    values = np.moveaxis(values, longest, len(counts) - 1).reshape(len(starts), count, *beside)
    rows = total.reshape(-1, size, *beside)
    apart = len(starts) // len(rows)
    for k, (start, row) in enumerate(zip(starts, values, strict=True)):
        end = start + step * (count - 1)
        if step > 0:
            rows[k // apart, start : end + 1 : step] += row
        else:
            rows[k // apart, end : start + 1 : -step] += row[::-1]
    return total
