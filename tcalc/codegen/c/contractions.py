"""Contractions of two operands: BLAS where they are matrix products of some size, else loops.

Where its axes lie in another order than BLAS takes, it is given a copy of an operand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import compress
from typing import TypeAlias, assert_never

from tcalc.codegen.c.code import Code
from tcalc.codegen.c.elementwise import accumulated
from tcalc.codegen.c.loops import Loop, nested
from tcalc.codegen.c.places import ONE, ZERO, Place, number, row_major
from tcalc.codegen.fusion import inputs, views
from tcalc.codegen.memory import remembered
from tcalc.codegen.program import (
    EinSum,
    Fused,
    MatMul,
    Product,
    Program,
    Statement,
    Sum,
    TensorDot,
    Value,
    View,
)
from tcalc.expr.dims import Dim
from tcalc.records import dataclass

BY_BLAS = 64
"""The multiplications from which on BLAS takes a product of matrices, one call being 0.1 us."""
SYMMETRIC = 1 << 16
"""Those from which on a matrix times its own transpose is made by half."""
WITH_VECTOR = 200
"""Those from which on it takes a product of a matrix and a vector."""

WORTH_COPIES = 1 << 13
"""Those from which on operands are copied for BLAS, where their axes stand in another order."""
EACH_COPIED = 8
"""How many there are of them, at least, for each element that is copied."""

Contraction: TypeAlias = MatMul | TensorDot | EinSum
Labels: TypeAlias = tuple[int, ...]
Labelled: TypeAlias = tuple[View, Labels]


@dataclass(frozen=True, slots=True)
class Axis:
    """Axes of a contraction as one: its length, and its strides in both operands and the result."""

    length: Dim
    left: Dim
    right: Dim
    out: Dim

    @property
    def strides(self) -> tuple[Dim, Dim, Dim]:
        return self.left, self.right, self.out


@dataclass(frozen=True, slots=True)
class Groups:
    """The labels of a product of matrices: of a stack, of rows, of columns, and those summed."""

    outer: list[int]
    rows: list[int]
    columns: list[int]
    summed: list[int]


@dataclass(frozen=True, slots=True)
class Operand:
    """A place with the labels of its axes."""

    place: Place
    labels: Labels

    def stride(self, label: int) -> Dim:
        total = ZERO
        for mine, stride in zip(self.labels, self.place.strides, strict=True):
            if mine == label:
                total = total + stride
        return total


def contract(code: Code, statement: Statement, operation: Contraction) -> None:
    """The sum of products of two operands over the labels that the result does not have."""
    operands, output = labelled(operation)
    left, right = (Operand(code.place(view), row) for view, row in operands)
    (value,) = statement.results
    lengths = {
        label: dim
        for operand in (left, right)
        for label, dim in zip(operand.labels, operand.place.dims, strict=True)
        if code.length(dim) != 1
    }
    left, right = _long(code, left), _long(code, right)
    target = Operand(number(""), ())
    if value.dims:
        target = _long(code, _made(code, value, output))
    if value.dims and any(
        by(code, left, right, target, lengths) for by in (_by_blas, _applied, _rearranged)
    ):
        return
    summed = [x for x in lengths if x not in target.labels]
    kept = list(target.labels)
    every = [*kept, *summed]
    names = dict(zip(every, code.indices([lengths[x] for x in every]), strict=True))

    def element(operand: Operand) -> str:
        return code.element(operand.place, [names[x] for x in operand.labels])

    def loops(labels: Sequence[int]) -> list[Loop]:
        return code.loops([lengths[x] for x in labels], [names[x] for x in labels])

    text = f"{element(left)} * {element(right)}"
    if not value.dims:
        name = code.name(value)
        order = _inner_last(summed, left, right)
        code.lines += [f"real {name} = 0;", *accumulated(name, loops(order), [], text)]
        code.places[value] = number(name)
        return
    place = element(target)
    if not summed:
        code.lines += nested(loops(kept), [f"{place} = {text};"])
    elif kept and _runs_along(kept[-1], left, right) and not _runs_along(summed[-1], left, right):
        code.assign(target.place, "0")
        order = [*kept[:-1], *summed, kept[-1]]
        code.lines += nested(loops(order), [f"{place} += {text};"])
    else:
        order = _inner_last(summed, left, right)
        body = ["real sum = 0;", *accumulated("sum", loops(order), [], text), f"{place} = sum;"]
        code.lines += nested(loops(kept), body)


def _made(code: Code, value: Value, output: Labels) -> Operand:
    """The array of the result: in rows, or in columns where it is read so."""
    if value not in read_by_columns(code.program):
        return Operand(code.make(value), output)
    made = code.make(value, value.dims[::-1])
    code.places[value] = replace(made, dims=value.dims, strides=made.strides[::-1])
    return Operand(made, output[::-1])


@remembered
def read_by_columns(program: Program) -> frozenset[Value]:
    """The products of matrices of which steps by elements read the transposes only.

    To further products it is the same.
    """
    products: set[Value] = set()
    turned: set[Value] = set()
    plain = {output.view.value for output in program.outputs}
    for statement in program.statements:
        match statement.operation:
            case MatMul():
                products.update(statement.results)
                continue
            case Fused(axes=None) as operation:
                read = [*inputs(operation)]
            case Product() | Sum(placed=()) as operation:
                read = [*views(operation)]
            case _:
                plain.update(statement.reads)
                continue
        for view in read:
            (turned if view.axes == (1, 0) else plain).add(view.value)
    return frozenset(products & turned - plain)


def _inner_last(labels: Sequence[int], left: Operand, right: Operand) -> list[int]:
    """Labels with one last along which both operands lie one after the other."""
    return sorted(labels, key=lambda x: _runs_along(x, left, right))


def _runs_along(label: int, left: Operand, right: Operand) -> bool:
    return all(x.stride(label).value in (0, 1) for x in (left, right))


def _long(code: Code, operand: Operand) -> Operand:
    """An operand without its axes of length 1, each label standing once."""
    place = operand.place
    axes = zip(operand.labels, place.dims, place.strides, strict=True)
    dims: dict[int, Dim] = {}
    strides: dict[int, Dim] = {}
    for label, dim, stride in axes:
        if code.length(dim) != 1:
            dims[label] = dim
            strides[label] = strides.get(label, ZERO) + stride
    if place.is_number:
        return operand
    long = Place(place.name, tuple(dims.values()), tuple(strides.values()), place.start)
    return Operand(long, tuple(dims))


def labelled(operation: Contraction) -> tuple[tuple[Labelled, Labelled], Labels]:
    """Both operands with labels for their axes, and the labels of the result."""
    match operation:
        case EinSum(operands=operands, subscripts=subscripts, output=output):
            (first, second), (row, other) = operands, subscripts
            return ((View.of(first), row), (View.of(second), other)), output
        case TensorDot(left=first, right=second, axes=(a, b)):
            row = tuple(range(len(first.dims)))
            pairs = dict(zip(b, a, strict=True))
            other = tuple(pairs.get(k, len(row) + k) for k in range(len(second.dims)))
            output = tuple(x for x in row if x not in a) + tuple(x for x in other if x not in row)
            return ((View.of(first), row), (View.of(second), other)), output
        case MatMul(left=left, right=right):
            n, m = len(left.axes), len(right.axes)
            batch = tuple(range(max(n, m, 2) - 2))
            i, j, k = -1, -2, -3
            row = (i, k) if n > 1 else (k,)
            other = (k, j) if m > 1 else (k,)
            output = (*((i,) if n > 1 else ()), *((j,) if m > 1 else ()))
            first_batch = batch[len(batch) - max(n - 2, 0) :]
            second_batch = batch[len(batch) - max(m - 2, 0) :]
            whole = (left, (*first_batch, *row)), (right, (*second_batch, *other))
            return whole, (*batch, *output)
        case _:
            assert_never(operation)


def _by_blas(
    code: Code, left: Operand, right: Operand, target: Operand, lengths: Mapping[int, Dim]
) -> bool:
    """Write a call of BLAS, in loops over what is no axis of matrices; False where none fits."""
    groups = _groups(left, right, target, lengths)
    call = _product(code, (left, right, target), groups, lengths) if groups else None
    code.lines += call or ()
    return call is not None


def _groups(
    left: Operand, right: Operand, target: Operand, lengths: Iterable[int]
) -> Groups | None:
    """The labels of a product of matrices; None where it is none."""
    groups: dict[tuple[bool, bool, bool], list[int]] = {}
    for label in lengths:
        where = label in left.labels, label in right.labels, label in target.labels
        groups.setdefault(where, []).append(label)
    if any(sum(where) < 2 for where in groups):
        return None
    order = {x: k for k, x in enumerate((*target.labels, *left.labels))}
    outer, rows, columns, summed = (
        sorted(groups.get(where, ()), key=order.__getitem__)
        for where in (
            (True, True, True),
            (True, False, True),
            (False, True, True),
            (True, True, False),
        )
    )
    return Groups(outer, rows, columns, summed) if rows and columns and summed else None


def _product(
    code: Code,
    operands: tuple[Operand, Operand, Operand],
    groups: Groups,
    lengths: Mapping[int, Dim],
) -> list[str] | None:
    """The lines of a product of matrices; None where it is small, or BLAS does not take it."""
    axes = {x: Axis(dim, *(y.stride(x) for y in operands)) for x, dim in lengths.items()}
    m, above = _merged(code, groups.rows, axes)
    n, beside = _merged(code, groups.columns, axes)
    k, apart = _merged(code, groups.summed, axes)
    if apart or code.count((m.length, n.length, k.length)) < BY_BLAS:
        return None
    around = {x: lengths[x] for x in (*groups.outer, *above, *beside)}
    return _gemm(code, operands, m, n, k, around)


def _rearranged(
    code: Code, left: Operand, right: Operand, target: Operand, lengths: Mapping[int, Dim]
) -> bool:
    """Write a call of BLAS for copies of operands, with their axes in the order that it needs.

    False where there is too little to do with the copies, or none helps.
    """
    groups = _groups(left, right, target, lengths)
    points = code.count(tuple(lengths.values()))
    if groups is None or points < WORTH_COPIES:
        return False
    sources = (
        _turned_to(left, [*groups.outer, *groups.rows, *groups.summed]),
        _turned_to(right, [*groups.outer, *groups.columns, *groups.summed]),
    )
    made: dict[Place, Value] = {}

    def copy(source: Operand) -> Operand:
        if source.place not in made:
            value = made[source.place] = code.aside(source.place.dims)
            code.copy(source.place, code.make(value))
        return Operand(code.places[made[source.place]], source.labels)

    def lines(copied: tuple[bool, bool], by: Callable[[Operand], Operand]) -> list[str] | None:
        chosen = zip(copied, sources, (left, right), strict=True)
        first, second = (by(source) if is_copied else given for is_copied, source, given in chosen)
        return _product(code, (first, second, target), groups, lengths)

    for copied in ((False, True), (True, False), (True, True)):
        elements = sum(code.count(source.place.dims) for source in compress(sources, copied))
        if points >= EACH_COPIED * elements and lines(copied, _planned):
            code.lines += lines(copied, copy) or ()
            for value in made.values():
                code.release(value)
            return True
    return False


def _planned(source: Operand) -> Operand:
    """An operand as its copy will lie in memory."""
    return Operand(row_major("", source.place.dims), source.labels)


def _turned_to(operand: Operand, labels: Sequence[int]) -> Operand:
    """An operand with its axes in the order of some labels."""
    axes = [operand.place.axis(operand.labels.index(x)) for x in labels]
    dims, strides = zip(*axes, strict=True)
    return Operand(replace(operand.place, dims=dims, strides=strides), tuple(labels))


def _applied(
    code: Code, left: Operand, right: Operand, target: Operand, lengths: Mapping[int, Dim]
) -> bool:
    """Write a product of a matrix and a vector by BLAS; False where it is none, or small.

    Rows of a matrix are all rows of a stack too, where these lie one after the other.
    """
    matrix, vector = (left, right) if len(right.labels) == 1 else (right, left)
    if len(vector.labels) != 1 or not target.labels or vector.labels[0] in target.labels:
        return False
    (summed,) = vector.labels
    if {*matrix.labels} != {summed, *target.labels}:
        return False
    axes = {x: Axis(lengths[x], matrix.stride(x), ZERO, target.stride(x)) for x in target.labels}
    kept, rest = _merged(code, target.labels, axes)
    down, across = kept.left, matrix.stride(summed)
    m, n, apart = kept.length, lengths[summed], vector.stride(summed)
    form = "N"
    if across != ONE:
        form, m, n, down, across = "T", n, m, across, down
    in_rows = across == ONE and code.length(down) >= code.length(n)
    if rest or not in_rows or min(code.length(apart), code.length(kept.out)) < 1:
        return False
    if code.length(m) * code.length(n) < WITH_VECTOR:
        return False
    sizes = code.size(m), code.size(n)
    first, second, made = (code.pointer(x.place) for x in (matrix, vector, target))
    call = applied(code, form, sizes, (first, down), (second, apart), (made, kept.out))
    code.lines.append(call)
    return True


def applied(
    code: Code,
    form: str,
    sizes: tuple[str, str],
    matrix: tuple[str, Dim],
    vector: tuple[str, Dim],
    target: tuple[str, Dim],
    adds: bool = False,
) -> str:
    """A call that makes, or `adds`, a product of the rows 'N' or the columns 'T' with a vector.

    Arrays are pointers, and how far apart rows or elements are.
    """
    arrays = (f"{pointer}, {code.size(stride)}" for pointer, stride in (matrix, vector))
    made = f"{target[0]}, {code.size(target[1])}"
    given = ", ".join([f"'{form}'", *sizes, *arrays, str(int(adds)), made])
    return f"{code.helper('apply')}({given});"


def _merged(code: Code, labels: Sequence[int], axes: Mapping[int, Axis]) -> tuple[Axis, list[int]]:
    """The last axes as one, as many as lie one after the other; and the labels of the others."""
    whole = axes[labels[-1]]
    for place in range(len(labels) - 2, -1, -1):
        outer = axes[labels[place]]
        length = code.length(whole.length)
        fits = all(
            code.length(a) == length * code.length(b)
            for a, b in zip(outer.strides, whole.strides, strict=True)
        )
        if not fits:
            return whole, [*labels[: place + 1]]
        whole = Axis(outer.length * whole.length, whole.left, whole.right, whole.out)
    return whole, []


def _gemm(
    code: Code,
    operands: tuple[Operand, Operand, Operand],
    m: Axis,
    n: Axis,
    k: Axis,
    around: Mapping[int, Dim],
) -> list[str] | None:
    """The lines of a product of matrices, in loops over the axes around it; None if none fits."""
    dims = list(around.values())
    names = dict(zip(around, code.indices(dims), strict=True))
    first, second, made = (
        code.pointer(x.place, [names.get(label) for label in x.labels]) for x in operands
    )
    if n.out.value != 1:
        if m.out.value != 1:
            return None
        # The transpose of the result is what lies in rows.
        first, second = second, first
        m, n = (
            Axis(n.length, n.right, n.left, n.out),
            Axis(m.length, m.right, m.left, m.out),
        )
        k = Axis(k.length, k.right, k.left, k.out)
    one, two = _turned(code, m, k, "left"), _turned(code, k, n, "right")
    if one is None or two is None:
        return None
    sizes = ", ".join(code.size(x.length) for x in (m, n, k))
    alike = first == second and one[1] == two[1] and one[0] != two[0]
    rows, columns, terms = (code.length(x.length) for x in (m, n, k))
    if alike and rows == columns and rows * columns * terms >= SYMMETRIC:
        call = (
            f"{code.helper('gram')}('{one[0]}', {code.size(m.length)}, {code.size(k.length)}, "
            f"{first}, {code.size(one[1])}, {made}, {code.size(m.out)});"
        )
        return nested(code.loops(dims, list(names.values())), [call])
    call = (
        f"{code.helper('multiply')}('{one[0]}', '{two[0]}', {sizes}, {first}, {code.size(one[1])}, "
        f"{second}, {code.size(two[1])}, {made}, {code.size(m.out)});"
    )
    return nested(code.loops(dims, list(names.values())), [call])


def _turned(code: Code, row: Axis, column: Axis, side: str) -> tuple[str, Dim] | None:
    """Whether a matrix lies in rows ('N') or in columns ('T'), and how far apart these are."""
    down, across = (x.left if side == "left" else x.right for x in (row, column))
    if across == ONE and code.length(down) >= code.length(column.length):
        return "N", down
    if down == ONE and code.length(across) >= code.length(row.length):
        return "T", across
    return None
