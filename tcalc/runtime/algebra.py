"""Sums, multiples and products of factored tensors, as lists of terms again.

Terms that are alike become one, so that the structure that solves use is still there: ``H + H`` has
the terms of ``H``, and the sum of two Kronecker sums is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tcalc.errors import ArgumentError
from tcalc.expr.partition import Partition
from tcalc.expr.primitive import Labels
from tcalc.primitives.arrays import NumPyArray as Array
from tcalc.records import dataclass
from tcalc.runtime.restricted import Ends

if TYPE_CHECKING:
    from tcalc.runtime.factored import FactoredTensor, FactoredTerm

_Pattern: TypeAlias = tuple[tuple[Labels, ...], Labels]


@dataclass(frozen=True, slots=True)
class _Counted:
    """A term, and how often it is taken for the half of a symmetric map; see `Ends`."""

    term: FactoredTerm
    times: int


def real_number(value: Any) -> float | None:
    """A real number, of Python or NumPy, or an array of order 0, as a float; None for all else."""
    if isinstance(value, Real):
        return float(value)
    if getattr(value, "ndim", None) == 0 and value.dtype.kind in "fiu":
        return float(value)
    return None


def multiplied(terms: Sequence[FactoredTerm], factor: float) -> tuple[FactoredTerm, ...]:
    """The terms of a multiple."""
    return tuple([replace(term, coefficient=factor * term.coefficient) for term in terms])


def divided(terms: Sequence[FactoredTerm], divisor: float) -> tuple[FactoredTerm, ...]:
    """The terms of a quotient by a number; raises `ArgumentError` for zero."""
    if divisor == 0:
        raise ArgumentError("a factored tensor is divided by zero")
    return tuple([replace(term, coefficient=term.coefficient / divisor) for term in terms])


def added(
    one: FactoredTensor, other: FactoredTensor
) -> tuple[tuple[FactoredTerm, ...], Ends | None]:
    """The terms of a sum, and the structure that both ends of it have.

    Raises `ArgumentError` for maps between other shapes.
    """
    if (one.rows, one.columns) != (other.rows, other.columns):
        raise ArgumentError(
            f"factored tensors {one.rows} × {one.columns} and {other.rows} × {other.columns} "
            "have no sum"
        )
    ends = _common(one.ends, other.ends)
    counted = [*_counted(one, ends), *_counted(other, ends)]
    collected = _of_one_core(_of_the_same_cores(counted))
    if ends is not None and ends.half is not None:
        half = tuple((place, x.times) for place, x in enumerate(collected) if x.times)
        ends = replace(ends, half=half)
    return tuple([x.term for x in collected]), ends


def composed(
    one: FactoredTensor, other: FactoredTensor
) -> tuple[tuple[FactoredTerm, ...], Ends | None]:
    """The terms of a product, the map of `other` and then that of `one`, and its structure.

    Raises `ArgumentError` where the one does not take what the other gives.
    """
    if one.columns != other.rows:
        raise ArgumentError(
            f"a factored tensor {one.rows} × {one.columns} does not apply to one "
            f"{other.rows} × {other.columns}"
        )
    products = [_composed(a, b, one.columns) for a in one.terms for b in other.terms]
    ends = _common(one.ends, other.ends)
    collected = _of_one_core(_of_the_same_cores([_Counted(term, 0) for term in products]))
    return tuple([x.term for x in collected]), ends and replace(ends, half=None)


def _composed(a: FactoredTerm, b: FactoredTerm, between: Sequence[int]) -> FactoredTerm:
    """The product of two terms, that of the tensors between which has some shape."""
    apart = 1 + max(chain(a.output, *a.subscripts), default=0)
    left, right = a.output[: -len(between) or None], a.output[len(a.output) - len(between) :]
    output = tuple([apart + x for x in b.output])
    met, rest = output[: len(between)], output[len(between) :]
    same = joined([*zip(right, met, strict=True)])

    def renamed(labels: Labels, offset: int) -> Labels:
        return tuple([same.get(offset + x, offset + x) for x in labels])

    made = [*((core, renamed(row, 0)) for core, row in zip(a.cores, a.subscripts, strict=True))]
    made += [(core, renamed(row, apart)) for core, row in zip(b.cores, b.subscripts, strict=True)]
    free = renamed(left + rest, 0)
    coefficient = a.coefficient * b.coefficient
    # What is summed over and is in no core is as many times the same.
    held = set(chain(free, *(row for _, row in made)))
    sums = {same[x]: size for x, size in zip(right, between, strict=True)}
    for label, size in sums.items():
        coefficient *= 1 if label in held else size
    cores = [diagonal_of(core, row) for core, row in made]
    return replace(
        a,
        coefficient=coefficient,
        cores=tuple([core for core, _ in cores]),
        subscripts=tuple([row for _, row in cores]),
        output=free,
    )


def diagonal_of(core: Array, row: Labels) -> tuple[Array, Labels]:
    """A core none of whose labels is repeated: the diagonal over those that are."""
    distinct = tuple(dict.fromkeys(row))
    if len(distinct) == len(row):
        return core, row
    number = {x: k for k, x in enumerate(distinct)}
    return np.einsum(core, [number[x] for x in row], [*range(len(distinct))]), distinct


def joined(pairs: Sequence[tuple[int, int]]) -> dict[int, int]:
    """For each label the one that stands for it when the labels of each pair are made equal."""
    labels = dict.fromkeys(chain.from_iterable(pairs))
    parts = Partition(1 + max(labels, default=0))
    for a, b in pairs:
        parts.join(a, b)
    return {x: parts.find(x) for x in labels}


def _common(one: Ends | None, other: Ends | None) -> Ends | None:
    """The structure of a sum: that of both maps, or none."""
    if one is None or other is None or one.kind != other.kind:
        return None
    return one if one.half is not None and other.half is not None else replace(one, half=None)


def _counted(tensor: FactoredTensor, ends: Ends | None) -> list[_Counted]:
    half: dict[int, int] = {}
    if ends is not None and ends.half is not None and tensor.ends is not None:
        half = dict(tensor.ends.half or ())
    return [_Counted(term, half.get(place, 0)) for place, term in enumerate(tensor.terms)]


def _of_the_same_cores(counted: Sequence[_Counted]) -> list[_Counted]:
    """Terms that differ in their coefficients alone as one."""
    found: dict[Any, _Counted] = {}
    for x in counted:
        key = (tuple(map(id, x.term.cores)), _pattern(x.term), x.times)
        before = found.get(key)
        if before is not None:
            total = before.term.coefficient + x.term.coefficient
            x = replace(before, term=replace(before.term, coefficient=total))
        found[key] = x
    return list(found.values())


def _of_one_core(counted: Sequence[_Counted]) -> list[_Counted]:
    """Terms of one core each, whose labels are the same, as one."""
    found: dict[Any, _Counted] = {}
    for place, x in enumerate(counted):
        single = len(x.term.cores) == 1
        key = (_pattern(x.term), x.times, x.term.cores[0].shape) if single else place
        before = found.get(key)
        if before is not None:
            one, other = before.term, x.term
            core = one.coefficient * one.cores[0] + other.coefficient * other.cores[0]
            x = replace(before, term=replace(one, coefficient=1.0, cores=(core,)))
        found[key] = x
    return list(found.values())


def _pattern(term: FactoredTerm) -> _Pattern:
    """The labels of a term, counted in order of appearance: terms choose them by themselves."""
    number: dict[int, int] = {}
    for label in chain(term.output, *term.subscripts):
        number.setdefault(label, len(number))
    subscripts = tuple([tuple([number[x] for x in row]) for row in term.subscripts])
    return subscripts, tuple([number[x] for x in term.output])
