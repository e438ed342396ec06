"""Sums of products at positions that are sums of indices, as generated code makes them.

    R[p] = Σ_q X[s + a p + b q] W[q]         the output of a filter, and its gradient by W
    R[s + a p + b q] += A[p] W[q]            its gradient by X

Each axis has its own s, a and b.  Neither the windows of X nor the products are formed: what moves
along one axis is NumPy's convolution, long filters go by Fourier transforms, and others element by
element of the smaller array.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tcalc.expr.dims import Dim, Shape, product
from tcalc.expr.polynomial import Polynomial
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.routines import Embedded, elements
from tcalc.primitives.shifts import looked_at
from tcalc.records import dataclass

LONG = 512
"""From how many elements of the shorter array on transforms convolve along one axis faster."""


@dataclass(frozen=True, slots=True)
class Course:
    """How positions run along an axis: ``start + outer*p + inner*q``, p and q counted from 0.

    There are `counts` of p, and `others` of q, on an axis of some `size`.
    """

    start: Dim
    outer: int
    inner: int
    counts: Dim
    others: Dim
    size: Dim

    @property
    def fills(self) -> bool:
        """Whether positions run in single steps over the whole axis."""
        before = min(self.outer, 0) * (self.counts - 1) + min(self.inner, 0) * (self.others - 1)
        whole = self.start + before == Dim.of(0) and self.counts + self.others - 1 == self.size
        return whole and abs(self.outer) == abs(self.inner) == 1


def correlation(courses: Sequence[Course], few: int) -> Embedded:
    """The routine that gives the sums over q for all p, of arrays with axes of these courses.

    `few` is about how many elements the smaller array has.
    """
    if len(courses) == 1 and courses[0].fills and few < LONG:
        steps = (courses[0].outer, courses[0].inner)
        return Embedded(filtered, steps, fresh=True, work=_summed)
    sizes = (*(x.start for x in courses), *(x.counts for x in courses))
    parts = (passed_over, stretches, is_convolution, convolution, by_transforms, looked_at)
    return Embedded(correlated, _steps(courses), requires=parts, sizes=sizes, work=_summed)


def spreading(courses: Sequence[Course], few: int) -> Embedded:
    """The routine that adds up all products at their positions."""
    if len(courses) == 1 and courses[0].fills and few < LONG:
        steps = (courses[0].outer, courses[0].inner)
        return Embedded(convolved, steps, fresh=True, work=_spread)
    sizes = (*(x.start for x in courses), *(x.size for x in courses))
    parts = (stretches, is_convolution, convolution, by_transforms, looked_at)
    return Embedded(spread, _steps(courses), requires=parts, sizes=sizes, fresh=True, work=_spread)


def _steps(courses: Sequence[Course]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return tuple(x.outer for x in courses), tuple(x.inner for x in courses)


def _summed(given: Sequence[Shape], made: Sequence[Shape]) -> Polynomial:
    return 2 * elements((product(made[0]), product(given[1])))


def _spread(given: Sequence[Shape], made: Sequence[Shape]) -> Polynomial:
    return 2 * elements((product(given[0]), product(given[1])))


def filtered(x: Array, w: Array, a: int, b: int) -> Array:
    """The sums ``x[s + a*p + b*q]*w[q]`` over q, for all p; a and b are 1 or -1."""
    return np.convolve(x, w[::-b], "valid")[::a]


def convolved(x: Array, w: Array, a: int, b: int) -> Array:
    """The products ``x[p]*w[q]`` added up at ``s + a*p + b*q``; a and b are 1 or -1."""
    return np.convolve(x[::a], w[::b])


def correlated(X: Array, W: Array, *rest: Any) -> Array:
    """The sums over q of ``X[s + a*p + b*q]*W[q]``, for s and counts of p along each axis."""
    *sizes, a, b = rest
    starts, counts = sizes[: X.ndim], sizes[X.ndim :]
    places = math.prod(counts)
    if places * W.size > 16384:
        return passed_over(X, W, starts, counts, a, b)
    # Few elements are copied, for each place those that it sees, sooner than passed over.
    axes = (*range(X.ndim), *range(X.ndim))
    seen = looked_at(X, starts, (*counts, *W.shape), axes, (*a, *b))
    return (seen.reshape(places, W.size) @ W.reshape(W.size)).reshape(counts)


def passed_over(X: Array, W: Array, starts: Any, counts: Any, a: Any, b: Any) -> Array:
    """The same by convolutions, or element by element of the smaller array."""
    if is_convolution(counts, W.shape, a, b):
        part = X[stretches(starts, counts, W.shape, a, b)]
        turned = [-1 if (y > 0) == (n > 1) else 1 for y, n in zip(b, counts, strict=True)]
        made = convolution(part, W[tuple(slice(None, None, y) for y in turned)], True)
        if made is not None:
            return made[tuple(slice(None, None, x) for x in a)]
    total = np.zeros(counts, X.dtype)
    axes = (*range(X.ndim), *range(X.ndim))
    seen = looked_at(X, starts, (*counts, *W.shape), axes, (*a, *b))
    if W.size <= total.size:
        for q in np.ndindex(*W.shape):
            total += seen[(..., *q)] * W[q]
    else:
        for p in np.ndindex(*counts):
            total[p] = (seen[p] * W).sum()
    return total


def spread(A: Array, W: Array, *rest: Any) -> Array:
    """The products ``A[p]*W[q]`` added up at ``s + a*p + b*q``, on axes of some sizes."""
    *sizes, a, b = rest
    starts, sizes = sizes[: A.ndim], sizes[A.ndim :]
    total = np.zeros(sizes, A.dtype)
    if is_convolution(A.shape, W.shape, a, b):
        moving = A[tuple(slice(None, None, x) for x in a)]
        made = convolution(moving, W[tuple(slice(None, None, y) for y in b)], False)
        if made is not None:
            total[stretches(starts, A.shape, W.shape, a, b)] = made
            return total
    axes = (*range(A.ndim), *range(A.ndim))
    seen = looked_at(total, starts, (*A.shape, *W.shape), axes, (*a, *b))
    if W.size <= A.size:
        for q in np.ndindex(*W.shape):
            seen[(..., *q)] += A * W[q]
    else:
        for p in np.ndindex(*A.shape):
            seen[p] += A[p] * W
    return total


def stretches(starts: Any, counts: Any, others: Any, a: Any, b: Any) -> tuple[slice, ...]:
    """The parts of axes over which positions run in single steps."""
    axes = zip(starts, counts, others, a, b, strict=True)
    firsts = [s + min(x, 0) * (n - 1) + min(y, 0) * (m - 1) for s, n, m, x, y in axes]
    ends = [n + m - 1 for n, m in zip(counts, others, strict=True)]
    return tuple(slice(s, s + n) for s, n in zip(firsts, ends, strict=True))


def is_convolution(counts: Any, others: Any, a: Any, b: Any) -> bool:
    """Whether `convolution` is the way: along one axis in single steps, or of large arrays."""
    both = list(zip(counts, others, a, b, strict=True))
    if any((n > 1 and abs(x) != 1) or (m > 1 and abs(y) != 1) for n, m, x, y in both):
        return False
    moving = [(n, m) for n, m, _, _ in both if min(n, m) > 1]
    few = min(math.prod(n for n, _ in moving), math.prod(m for _, m in moving))
    rows = math.prod(max(n, m) for n, m, _, _ in both if min(n, m) <= 1)
    return bool(few >= 64 if len(moving) > 1 else 0 < rows <= few)


def convolution(X: Array, W: Array, valid: bool) -> Array | None:
    """The convolution of two arrays, or its valid part; None if transforms give no numbers.

    Axes that are longer than 1 in one array alone are those of several convolutions.  So are axes
    of whose length the valid part is 1: elements are multiplied as they lie there, and added up.
    """
    lengths = zip(X.shape, W.shape, strict=True)
    kept = [n - m + 1 if valid else n + m - 1 for n, m in lengths]
    moving = [k for k, n in enumerate(kept) if min(n, X.shape[k], W.shape[k]) > 1]
    beside = [k for k in range(X.ndim) if k not in moving]
    summed = tuple(k for k in beside if kept[k] < X.shape[k])
    if not moving:
        return (X * W).sum(axis=summed, keepdims=True)
    few = math.prod(min(kept[k], X.shape[k], W.shape[k]) for k in moving)
    if len(moving) > 1 or few >= 512:
        made = by_transforms(X, W, [max(X.shape[k], kept[k]) for k in moving], moving, summed)
        first = [W.shape[k] - 1 if valid and k in moving else 0 for k in range(X.ndim)]
        made = made[tuple(slice(s, s + n) for s, n in zip(first, kept, strict=True))]
        return made if np.isfinite(made).all() else None
    total = np.zeros(kept, X.dtype)
    lead = [max(X.shape[k], W.shape[k]) for k in beside]
    rows = [np.moveaxis(x, beside, range(len(beside))) for x in (X, W, total)]
    last = [[x.shape[k] - 1 for k in beside] for x in (X, W, total)]
    for place in np.ndindex(*lead):
        x, w, row = (y[tuple(map(min, place, ends))] for y, ends in zip(rows, last, strict=True))
        row += np.convolve(x, w, "valid" if valid else "full")
    return total


def by_transforms(X: Array, W: Array, lengths: Any, axes: Any, summed: Any) -> Array:
    """A convolution along some axes, of which the result has at least some lengths."""
    # Lengths without large prime factors are transformed several times as fast.
    sizes = [min(x << (-(-n // x) - 1).bit_length() for x in (1, 3, 5, 9, 15)) for n in lengths]
    if np.iscomplexobj(X) or np.iscomplexobj(W):
        product = np.fft.fftn(X, sizes, axes) * np.fft.fftn(W, sizes, axes)
        return np.fft.ifftn(product.sum(axis=summed, keepdims=True), sizes, axes)
    product = np.fft.rfftn(X, sizes, axes) * np.fft.rfftn(W, sizes, axes)
    return np.fft.irfftn(product.sum(axis=summed, keepdims=True), sizes, axes)
