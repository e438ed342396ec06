"""Which operator a term of a local Jacobian is, and a composition of which operators.

A term ``y[out] = c Σ factors · x[into]`` is taken apart: numbers in front, a Hadamard product over
all axes of one end, a diagonal, and between them a Kronecker product if the other factors part
into some over the rows and some over the columns.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

from tcalc.backslash.blocks import (
    Block,
    Contraction,
    Diagonal,
    Hadamard,
    Identity,
    InnerProduct,
    Kronecker,
    Permutation,
    Scalar,
    Slice,
    Times,
)
from tcalc.backslash.compositions import chain, total
from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.partition import connected
from tcalc.expr.primitive import Labels, LinearTerm
from tcalc.primitives.selection import UnitVector

ONE = Fraction(1)


def summed(terms: Iterable[LinearTerm], rows: Shape, columns: Shape) -> Block:
    """A sum of terms as an operator.

    >>> from tcalc.expr import shape
    >>> A, n = build.var("A", shape("m", "n")), shape("n")
    >>> left = LinearTerm(ONE, (A,), ((0, 1),), (0, 2), (1, 2))
    >>> summed([left], shape("m", "k"), shape("n", "k")).notation(repr)
    '(I ⊗ A[m,n])'
    """
    return total([recognised(term, rows, columns) for term in terms])


def recognised(term: LinearTerm, rows: Shape, columns: Shape) -> Block:
    """The operator that a term is."""
    if not rows and not columns:
        return Scalar(term, rows, columns)
    numbers, rest = _divided(term, {n for group, free in _groups(term) if not free for n in group})
    front = LinearTerm(term.coefficient, numbers.factors, numbers.subscripts, (), ())
    parts = _parts(rest, rows, columns)
    if front.coefficient != 1 or front.factors:
        parts = [Scalar(front, (), ()).over(rows), *_without_identity(parts)]
    return chain(parts)


def _parts(term: LinearTerm, rows: Shape, columns: Shape) -> list[Block]:
    """A term without numbers as a chain of operators."""
    if not rows and not columns:
        return [Scalar(term, rows, columns)] if term.factors else []
    sliced = _sliced(term, rows, columns)
    if sliced is not None:
        return sliced
    if not rows:
        return [InnerProduct(term, rows, columns)]
    if not columns:
        return [Times(term, rows, columns)]
    if len(set(term.out)) < len(term.out) or len(set(term.into)) < len(term.into):
        return _diagonal(term, rows, columns)
    if len(rows) + len(columns) > 2 and _is_rank_one(term):
        return _rank_one(term, rows, columns)
    before, term = _scaled_end(term, term.out, term.into)
    after, term = _scaled_end(term, term.into, term.out)
    parts: list[Block] = []
    if before.factors:
        parts.append(Hadamard(_square(before, before.out), rows, rows))
    middle = _core(term, rows, columns)
    if isinstance(middle, Contraction) and type(middle) is Contraction:
        parts += _without_ends(term, rows, columns)
    elif not isinstance(middle, Identity) or not (before.factors or after.factors):
        parts.append(middle)
    if after.factors:
        parts.append(Hadamard(_square(after, after.into), columns, columns))
    return parts


def _sliced(term: LinearTerm, rows: Shape, columns: Shape) -> list[Block] | None:
    """An element of one axis of either end, taken or put in place, and what is left."""
    labels = [x for row in (*term.subscripts, term.out, term.into) for x in row]
    for n, (factor, row) in enumerate(zip(term.factors, term.subscripts, strict=True)):
        match factor:
            case Apply(primitive=UnitVector(index=index)) if labels.count(row[0]) == 2:
                pass
            case _:
                continue
        unit = LinearTerm(ONE, (factor,), (row,), term.out, term.into)
        _, rest = _divided(term, {n})
        if row[0] in term.into:
            axis = term.into.index(row[0])
            kept, shape = _dropped(term.into, axis), _dropped(columns, axis)
            parts = _parts(replace(rest, into=kept), rows, shape)
            last = Slice(replace(unit, out=kept), shape, columns, axis, str(index))
            return [*_without_identity(parts), last]
        if row[0] in term.out:
            axis = term.out.index(row[0])
            kept, shape = _dropped(term.out, axis), _dropped(rows, axis)
            parts = _parts(replace(rest, out=kept), shape, columns)
            first = Slice(replace(unit, into=kept), rows, shape, axis, str(index))
            return [first, *_without_identity(parts)]
    return None


Item = TypeVar("Item")


def _dropped(items: tuple[Item, ...], place: int) -> tuple[Item, ...]:
    return items[:place] + items[place + 1 :]


def _without_identity(parts: list[Block]) -> list[Block]:
    return [part for part in parts if not isinstance(part, Identity)]


def _diagonal(term: LinearTerm, rows: Shape, columns: Shape) -> list[Block]:
    """An end whose axes are tied: a diagonal matrix made of a vector, or taken of a matrix."""
    embed, extract = _tied(term.out), _tied(term.into)
    if (embed or len(set(term.out)) == len(term.out)) and (
        extract or len(set(term.into)) == len(term.into)
    ):
        inner = LinearTerm(
            term.coefficient,
            term.factors,
            term.subscripts,
            term.out[:1] if embed else term.out,
            term.into[:1] if extract else term.into,
        )
        short_rows, short_columns = rows[: len(inner.out)], columns[: len(inner.into)]
        parts = _parts(inner, short_rows, short_columns)
        if len(parts) == 1 and isinstance(parts[0], Identity):
            parts = []
        if embed:
            parts.insert(0, Diagonal(LinearTerm(ONE, (), (), (0, 0), (0,)), rows, short_rows))
        if extract:
            parts.append(Diagonal(LinearTerm(ONE, (), (), (0,), (0, 0)), short_columns, columns))
        return parts or [Contraction(term, rows, columns)]
    return [Contraction(term, rows, columns)]


def _tied(axes: Labels) -> bool:
    return len(axes) == 2 and axes[0] == axes[1]


def _core(term: LinearTerm, rows: Shape, columns: Shape) -> Block:
    """What is left between the Hadamard products of both ends."""
    if not term.factors and sorted(term.out) == sorted(term.into):
        kind = Identity if term.out == term.into else Permutation
        return kind(term, rows, columns)
    if len(rows) <= 2 and len(columns) <= 2:
        for transposed in (False, True):
            found = _sides(term, rows, columns, transposed)
            if found is not None:
                return Kronecker(term, rows, columns, *found, transposed)
    return Contraction(term, rows, columns)


def _sides(
    term: LinearTerm, rows: Shape, columns: Shape, transposed: bool
) -> tuple[Node | None, Node | None] | None:
    """The factors over the rows and over the columns of a matrix; None where they are coupled.

    A vector is a matrix of one column, so that one side may have one axis or none.
    """
    i, *j = term.out
    k, *m = term.into
    ends = ((i, *m), (*j, k)) if transposed else ((i, k), (*j, *m))
    if len(rows) == len(columns) == 1 and transposed:
        return None
    if set(ends[0]) & set(ends[1]):
        return None
    dims: dict[Hashable, Dim] = dict(zip((*term.out, *term.into), rows + columns, strict=True))
    placed: tuple[list[int], list[int]] = ([], [])
    for group, free in _groups(term):
        place = next((p for p in (0, 1) if free <= set(ends[p])), None)
        if place is None:
            return None
        placed[place].extend(group)
    nodes: list[Node | None] = []
    for places, pair in zip(placed, ends, strict=True):
        if not places and (not pair or (len(pair) == 2 and pair[0] == pair[1])):
            nodes.append(None)
            continue
        factors = [term.factors[n] for n in places]
        subscripts = [term.subscripts[n] for n in places]
        nodes.append(build.einsum(factors, subscripts, pair, {x: dims[x] for x in pair}))
    return nodes[0], nodes[1]


def _is_rank_one(term: LinearTerm) -> bool:
    """Whether nothing connects the ends, so that the term is ``G1 ⟨G2, ·⟩``."""
    out, into = set(term.out), set(term.into)
    return not out & into and not any(free & out and free & into for _, free in _groups(term))


def _rank_one(term: LinearTerm, rows: Shape, columns: Shape) -> list[Block]:
    out = set(term.out)
    here, there = _divided(term, {n for group, free in _groups(term) if free & out for n in group})
    return [
        Times(replace(here, into=()), rows, ()),
        InnerProduct(replace(there, out=()), (), columns),
    ]


def _without_ends(term: LinearTerm, rows: Shape, columns: Shape) -> list[Block]:
    """A contraction with the matrices at its ends taken off, as far as there are such."""
    for end in (term.out, term.into):
        here = end is term.out
        for n, (factor, row) in enumerate(zip(term.factors, term.subscripts, strict=True)):
            place = _place_of_end(term, end, n)
            if place is None:
                continue
            outer, inner = row[place], row[1 - place]
            axis = end.index(outer)
            shape = rows if here else columns
            cut = (*shape[:axis], factor.dims[1 - place], *shape[axis + 1 :])
            moved = tuple(inner if x == outer else x for x in end)
            places = [k for k in range(len(term.factors)) if k != n]
            rest = LinearTerm(
                term.coefficient,
                tuple(term.factors[k] for k in places),
                tuple(term.subscripts[k] for k in places),
                moved if here else term.out,
                term.into if here else moved,
            )
            taken = (term.factors[n],), (row,)
            if here:
                matrix = _core(LinearTerm(ONE, *taken, end, moved), rows, cut)
                return [matrix, *_parts(rest, cut, columns)]
            matrix = _core(LinearTerm(ONE, *taken, moved, end), cut, columns)
            return [*_parts(rest, rows, cut), matrix]
    return [Contraction(term, rows, columns)]


def _place_of_end(term: LinearTerm, end: Labels, n: int) -> int | None:
    """Which axis of a factor, a matrix, is one of an end and of nothing else but that matrix."""
    row = term.subscripts[n]
    other = {x for k, labels in enumerate(term.subscripts) if k != n for x in labels}
    ends = {*term.out, *term.into}
    if len(end) > 2 or len(row) != 2 or row[0] == row[1]:
        return None
    for place in (0, 1):
        outer, inner = row[place], row[1 - place]
        alone = outer in end and outer not in other and (*term.out, *term.into).count(outer) == 1
        if alone and inner not in ends:
            return place
    return None


def _scaled_end(term: LinearTerm, end: Labels, other: Labels) -> tuple[LinearTerm, LinearTerm]:
    """The factors over all axes of an end, and the rest, which still has all these axes."""
    whole = set(end)
    taken: set[int] = set()
    groups = _groups(term)
    for group, free in groups:
        kept = set().union(
            other, *(f for g, f in groups if g is not group and not taken.issuperset(g))
        )
        if free == whole and (whole <= kept or (len(end) > 1 and whole & kept)):
            taken.update(group)
    return _divided(term, taken)


def _groups(term: LinearTerm) -> list[tuple[tuple[int, ...], set[int]]]:
    """The factors joined by summed labels, with the labels by which they meet either end."""
    ends = {*term.out, *term.into}
    return [
        (group, {x for n in group for x in term.subscripts[n]} & ends)
        for group in connected(term.subscripts, ends)
    ]


def _divided(term: LinearTerm, taken: set[int]) -> tuple[LinearTerm, LinearTerm]:
    def part(places: Sequence[int]) -> LinearTerm:
        return LinearTerm(
            ONE,
            tuple(term.factors[n] for n in places),
            tuple(term.subscripts[n] for n in places),
            term.out,
            term.into,
        )

    places = range(len(term.factors))
    return part([n for n in places if n in taken]), part([n for n in places if n not in taken])


def _square(term: LinearTerm, axes: Labels) -> LinearTerm:
    return LinearTerm(term.coefficient, term.factors, term.subscripts, axes, axes)


def composed(outer: LinearTerm, inner: LinearTerm, middle: Shape, ends: Shape) -> LinearTerm:
    """The term ``outer · inner``, the axes between them summed.

    `middle` are the dimensions of these axes, `ends` those of the result of `outer` and then of
    what `inner` is applied to.
    """
    left, right = _marked("outer", outer), _marked("inner", inner)
    between = [build.delta(dim) for dim in middle]
    output = (*left.out, *right.into)
    product = build.open_product(
        [*outer.factors, *inner.factors, *between],
        [*left.subscripts, *right.subscripts, *zip(left.into, right.out, strict=True)],
        output,
        dict(zip(output, ends, strict=True)),
    )
    cut = len(outer.out)
    return LinearTerm(
        outer.coefficient * inner.coefficient * product.coefficient,
        product.factors,
        product.subscripts,
        product.output[:cut],
        product.output[cut:],
    )


@dataclass(frozen=True, slots=True)
class _Marked:
    """The labels of a term, told apart from those of another."""

    subscripts: list[list[Hashable]]
    out: list[Hashable]
    into: list[Hashable]


def _marked(side: str, term: LinearTerm) -> _Marked:
    def marked(row: Labels) -> list[Hashable]:
        return [(side, x) for x in row]

    return _Marked([marked(row) for row in term.subscripts], marked(term.out), marked(term.into))
