"""Terms of factored tensors: their cores multiplied, added up to one term, and split in two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from tcalc.calculus.terms import tied_axes
from tcalc.expr.primitive import Labels
from tcalc.primitives.arrays import NumPyArray as Array
from tcalc.runtime.modules import as_array, module_of

if TYPE_CHECKING:
    from tcalc.runtime.factored import FactoredTensor, FactoredTerm


def product_of(
    arrays: Sequence[Array],
    subscripts: Sequence[Labels],
    output: Labels,
    sizes: Mapping[int, int],
    dtype: Any,
) -> Array:
    """A product over labels; output labels that no array has are repeated."""
    number: dict[int, int] = {}
    operands: list[Any] = []
    for array, row in zip(arrays, subscripts, strict=True):
        operands += [array, [number.setdefault(x, len(number)) for x in row]]
    missing = [x for x in output if x not in number]
    for x in missing:
        ones = module_of(arrays).ones(sizes[x], dtype)
        operands += [ones, [number.setdefault(x, len(number))]]
    if not operands:
        return np.ones((), dtype)
    return as_array(np.einsum(*operands, [number[x] for x in output], optimize=True))


def scattered(total: Array, labels: Labels, distinct: Labels, value: Array) -> None:
    """Add a value over distinct labels to a tensor whose axes repeat some of them."""
    number = {x: k for k, x in enumerate(distinct)}
    view = np.einsum(total, [number[x] for x in labels], [number[x] for x in distinct])
    view += value


def added_up(tensor: FactoredTensor) -> FactoredTerm | None:
    """Several terms as one, if all of them are diagonal in some axes; else None."""
    count = len(tensor.rows)
    terms = tensor.terms
    tied = tied_axes([term.output for term in terms], count)
    first, second = {a for a, _ in tied}, {b for _, b in tied}
    if not tied or not len(first) == len(second) == len(tied):
        return None
    places = [place for place in range(2 * count) if place not in second]
    core = tensor.module.zeros([tensor.shape[place] for place in places], tensor.dtype)
    if core.nbytes > tensor.memory_limit:
        return None
    for term in terms:
        output = tuple(term.output[place] for place in places)
        distinct = tuple(dict.fromkeys(output))
        sizes = dict(zip(term.output, tensor.shape, strict=True))
        value = product_of(term.cores, term.subscripts, distinct, sizes, tensor.dtype)
        scattered(core, output, distinct, term.coefficient * value)
    same = {b: a for a, b in tied}
    return replace(
        terms[0],
        coefficient=1.0,
        cores=(core,),
        subscripts=(tuple(places),),
        output=tuple(same.get(place, place) for place in range(2 * count)),
    )


def contracted(term: FactoredTerm) -> FactoredTerm:
    """The term with the cores that summed labels join contracted into one."""
    free = set(term.output)
    cores = list(zip(term.cores, term.subscripts, strict=True))
    for label in sorted({x for _, row in cores for x in row} - free):
        joined = [(core, row) for core, row in cores if label in row]
        if not joined:  # summed over with another one, which the same cores share
            continue
        rest = [(core, row) for core, row in cores if label not in row]
        outside = free.union(*(row for _, row in rest))
        kept = tuple(sorted({x for _, row in joined for x in row if x in outside}))
        inside, rows = zip(*joined, strict=True)
        merged = product_of(inside, rows, kept, {}, inside[0].dtype)
        cores = [*rest, (merged, kept)]
    return replace(
        term,
        cores=tuple(core for core, _ in cores),
        subscripts=tuple(row for _, row in cores),
    )


def split_in_two(
    term: FactoredTerm, count: int, shape: Sequence[int], dtype: Any
) -> tuple[Array, Array] | None:
    """A term as ``U V`` with U of the rows and V of the columns, joined by its summed labels.

    None where it is no such product, or where its rank is too high for `LowRank`.
    """
    left, right = term.output[:count], term.output[count:]
    ends = {*left, *right}
    if len(ends) < len(term.output):
        return None
    sides: tuple[list[int], list[int]] = ([], [])
    for k, row in enumerate(term.subscripts):
        if set(left) & set(row) and set(right) & set(row):
            return None
        sides[bool(set(right) & set(row))].append(k)
    labels = [{x for k in side for x in term.subscripts[k]} for side in sides]
    joined = tuple(sorted((labels[0] & labels[1]) - ends))
    sizes = dict(zip(term.output, shape, strict=True))
    for core, row in zip(term.cores, term.subscripts, strict=True):
        sizes.update(zip(row, core.shape, strict=True))
    rows, columns = prod(shape[:count]), prod(shape[count:])
    if 2 * prod(sizes[x] for x in joined) > rows:
        return None
    outputs = (*left, *joined), (*joined, *right)
    made = [
        product_of(
            [term.cores[k] for k in side], [term.subscripts[k] for k in side], output, sizes, dtype
        )
        for side, output in zip(sides, outputs, strict=True)
    ]
    return term.coefficient * made[0].reshape(rows, -1), made[1].reshape(-1, columns)
