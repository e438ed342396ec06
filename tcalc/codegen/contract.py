"""Products as calls: two operands at a time, each in the shortest form that says it.

Broadcasting where nothing is summed, ``@`` where the labels make a matrix product (with a batch if
need be), `tensordot` where groups of axes are summed, einsum last.  A pair that was contracted
before, in whatever order of axes, is not contracted again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

from tcalc.codegen.program import (
    Call,
    EinSum,
    Fold,
    Index,
    MatMul,
    Memory,
    Pick,
    Product,
    TensorDot,
    Total,
    Value,
    View,
)
from tcalc.codegen.selection import Operand
from tcalc.codegen.tensor import Builder, arranged
from tcalc.expr.dims import Dim, product
from tcalc.expr.primitive import Labels
from tcalc.records import dataclass

LETTERS = "ijklmnopqrstuvwxyzabcdefghABCDEFGHIJKLMNOPQRSTUVWXYZ"

SHORT = 8
"""From how many places on a last axis is long enough for a loop of its own."""


class Pairs:
    """The pairwise contractions of a program.

    `symmetric` has arrays of which two axes may be exchanged, with these.
    """

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.symmetric: dict[Value, tuple[int, int]] = {}
        self.done: dict[tuple[object, ...], tuple[Operand, Labels]] = {}

    def reduce(self, operand: Operand, kept: Collection[int]) -> Operand:
        """Sum over the labels that nobody else has, those of symmetric matrices along rows."""
        operand = min(self._turned(operand), key=lambda way: _across(way, kept=kept))
        axes = tuple(k for k, label in enumerate(operand.labels) if label not in kept)
        if not axes:
            return operand
        labels = tuple(label for label in operand.labels if label in kept)
        dims = tuple(dim for k, dim in enumerate(operand.value.dims) if k not in axes)
        return Operand(self.builder.make(Total(operand.value, axes), dims), labels)

    def contract(
        self, a: Operand, b: Operand, kept: Collection[int], rank: Mapping[int, int]
    ) -> Operand:
        """The product of two operands, summed over what is not kept.

        `rank` is the order that the result's labels would best have.
        """
        if a.value.number > b.value.number:
            a, b = b, a
        ways = [(a, b)]
        if a.value in self.symmetric or b.value in self.symmetric:
            ways = [(first, second) for first in self._turned(a) for second in self._turned(b)]
            a, b = min(ways, key=lambda pair: _pattern(*pair)[:2])
        *rows, names = _pattern(a, b)
        key = (a.value, b.value, *rows, *[label in kept for label in names])
        if key in self.done:
            found, old = self.done[key]
            renamed = dict(zip(old, names, strict=True))
            return Operand(found.value, tuple(renamed[x] for x in found.labels))
        if len(ways) > 1:
            a, b = min(ways, key=lambda way: (_copies(*way, kept=kept), _across(*way, kept=kept)))
        made = self._pair(a, b, kept, rank)
        if a.value is b.value and a.divides == b.divides:
            self._told_symmetric(made, a.labels, b.labels)
        self.done[key] = made, names
        return made

    def in_turn(self, a: Operand, b: Operand, kept: Collection[int]) -> Operand:
        """The product in which the labels of the first operand stand before those of the other."""
        shared = tuple(label for label in a.labels if label in b.labels)
        if not shared or not set(kept).isdisjoint(shared):
            return self.contract(a, b, kept, {label: k for k, label in enumerate(kept)})
        left, right = (tuple(y for y in x.labels if y not in shared) for x in (a, b))
        return self._tensordot(Parts(a, b, (), left, shared, right))

    def _told_symmetric(self, made: Operand, left: Labels, right: Labels) -> None:
        """Note that ``B' B`` is symmetric: its factors differ in one label."""
        free = [pair for pair in zip(left, right, strict=True) if pair[0] != pair[1]]
        if len(free) == 1 and set(free[0]) <= set(made.labels):
            i, j = map(made.labels.index, free[0])
            self.symmetric[made.value] = i, j

    def _turned(self, operand: Operand) -> tuple[Operand, ...]:
        """The operand, and its transpose where that is the same: ``C U`` is then ``(U C')'``."""
        if operand.value not in self.symmetric:
            return (operand,)
        i, j = self.symmetric[operand.value]
        labels = list(operand.labels)
        labels[i], labels[j] = labels[j], labels[i]
        return operand, Operand(operand.value, tuple(labels), operand.divides)

    def _pair(
        self, a: Operand, b: Operand, kept: Collection[int], rank: Mapping[int, int]
    ) -> Operand:
        if all(label in kept for label in a.labels):
            return self._multiply(a, b, rank)
        if (a.mask or b.mask) and (sums := self._running_sums(a, b, kept)) is not None:
            return sums
        if max(len(a.labels), len(b.labels)) <= 2:
            last = len(rank)
            *rows, names = _pattern(a, b)
            left_over = tuple([rank.get(x, last) if x in kept else None for x in names])
            form = _matrix_product(*rows, left_over, last, _borrowed(a), _borrowed(b))
            if form is not None:
                return self._matrix(*((a, b) if form.in_turn else (b, a)), form)
        parts = _parts(a, b, kept, rank)
        if not parts.summed:
            return self._multiply(a, b, rank)
        if not parts.left and not parts.right and (parts.batch or len(parts.summed) > 1):
            return self._einsum(parts)
        if parts.batch:
            return self._batched(parts)
        if len(parts.summed) == 1:
            (summed,) = parts.summed
            a, b = parts.a, parts.b
            if not parts.right and a.labels[-1] == summed:
                return self._matmul(a, b, parts.left)
            if not parts.left and b.labels[-1] == summed:
                return self._matmul(b, a, parts.right)
        return self._tensordot(parts)

    def _running_sums(self, a: Operand, b: Operand, kept: Collection[int]) -> Operand | None:
        """The product of a triangle of ones and a tensor along one of its axes, if it is that."""
        for triangle, x in ((a, b), (b, a)):
            if triangle.mask is None or x.divides:
                continue
            for made, summed in (triangle.labels, triangle.labels[::-1]):
                if made in x.labels or summed in kept or summed not in x.labels:
                    continue
                if not all(label in kept for label in (made, *x.labels) if label != summed):
                    continue
                place = x.labels.index(summed)
                along = place - len(x.labels)
                routine = triangle.mask.sums(along, backwards=summed == triangle.labels[0])
                if routine is not None:
                    call = Call(routine, (View.of(x.value),))
                    value = self.builder.make(call, x.value.dims, Memory.FRESH)
                    return Operand(value, (*x.labels[:place], made, *x.labels[place + 1 :]))
        return None

    def _dims(self, *operands: Operand) -> dict[int, Dim]:
        return {
            label: dim
            for operand in operands
            for label, dim in zip(operand.labels, operand.value.dims, strict=True)
        }

    def _multiply(self, a: Operand, b: Operand, rank: Mapping[int, int]) -> Operand:
        """A product without a sum, laid out like the operand with more axes."""
        if not b.labels or 0 < len(a.labels) < len(b.labels):
            a, b = b, a
        memory = Memory.NONE if a.value.weak and b.value.weak else Memory.FRESH
        if a.labels == b.labels:
            both = Product((View.of(a.value), View.of(b.value)))
            return Operand(self.builder.make(both, a.value.dims, memory), a.labels)
        dims = self._dims(a, b)
        if set(b.labels) <= set(a.labels):
            order = a.labels
        elif set(a.labels) <= set(b.labels):
            order = b.labels
        else:
            order = _long_last(sorted(dims, key=lambda x: rank.get(x, len(rank))), dims)
            last = a.labels[-1]
            if last == b.labels[-1] and (dims[last].value or SHORT) >= SHORT:
                # Along this axis both operands are read, and the result written, as they lie.
                order = (*(x for x in order if x != last), last)
        views = (arranged(a.value, a.labels, order), arranged(b.value, b.labels, order))
        shape = tuple(dims[label] for label in order)
        return Operand(self.builder.make(Product(views), shape, memory), order)

    def _einsum(self, parts: Parts) -> Operand:
        a, b, output = parts.a, parts.b, parts.output
        dims = self._dims(a, b)
        number = {label: k for k, label in enumerate(dims)}
        rows = tuple(tuple(number[x] for x in operand.labels) for operand in (a, b))
        call = EinSum((a.value, b.value), rows, tuple(number[x] for x in output))
        return Operand(self.builder.make(call, tuple(dims[x] for x in output)), output)

    def _matmul(self, left: Operand, right: Operand, labels: Labels) -> Operand:
        """A product of two operands that lie as it takes them, with these labels."""
        dims = self._dims(left, right)
        operation = MatMul(View.of(left.value), View.of(right.value))
        return Operand(self.builder.make(operation, tuple(dims[x] for x in labels)), labels)

    def _matrix(self, a: Operand, b: Operand, form: MatrixProduct) -> Operand:
        """A product of matrices and vectors in the order of the form."""
        left, right = View(a.value, form.left), View(b.value, form.right)
        dims = (*(a.value.dims[k] for k in form.rows), *(b.value.dims[k] for k in form.columns))
        labels = (*(a.labels[k] for k in form.rows), *(b.labels[k] for k in form.columns))
        return Operand(self.builder.make(MatMul(left, right), dims), labels)

    def _tensordot(self, parts: Parts) -> Operand:
        a, b, output = parts.a, parts.b, parts.output
        axes = (
            tuple(a.labels.index(label) for label in parts.summed),
            tuple(b.labels.index(label) for label in parts.summed),
        )
        dims = self._dims(a, b)
        call = TensorDot(a.value, b.value, axes)
        made = self.builder.make(
            call,
            tuple(dims[label] for label in output),
            remark=lambda: subscripts((a.labels, b.labels), output),
        )
        return Operand(made, output)

    def _batched(self, parts: Parts) -> Operand:
        """A stack of matrix products; a single vector for each is a matrix of one column."""
        a, b, batch, summed = parts.a, parts.b, parts.batch, parts.summed
        left, right = parts.left, parts.right
        if len(summed) == 1 and min(len(left), len(right)) == 0 and len(left + right) == 1:
            return self._einsum(parts)
        dims = self._dims(a, b)
        first = self._folded(a, batch, (left, summed))
        second = self._folded(b, batch, (summed, right))
        lead = tuple(dims[label] for label in batch)
        sizes = tuple(product(dims[label] for label in group) for group in (left, right))
        made = self.builder.make(
            MatMul(first, second),
            (*lead, *sizes),
            remark=lambda: subscripts((a.labels, b.labels), parts.output),
        )
        if not left or not right:
            column: list[Index] = [None] * (len(batch) + 2)
            column[len(batch) + (1 if left else 0)] = Dim.of(0)
            shape = (*lead, sizes[0] if left else sizes[1])
            made = self.builder.make(Pick(made, tuple(column)), shape)
        if len(left) > 1 or len(right) > 1:
            shape = (*lead, *(dims[label] for label in left + right))
            made = self.builder.make(Fold(View.of(made), shape), shape)
        return Operand(made, parts.output)

    def _folded(self, operand: Operand, batch: Labels, groups: Sequence[Labels]) -> View:
        """The operand as a stack of matrices, each group of labels one axis."""
        order = (*batch, *(label for group in groups for label in group))
        places = {label: k for k, label in enumerate(operand.labels)}
        if all(len(group) <= 1 for group in groups):
            axes = [places[label] for label in batch]
            spread = [places[group[0]] if group else None for group in groups]
            return View(operand.value, (*axes, *spread))
        dims = self._dims(operand)
        shape = (
            *(dims[label] for label in batch),
            *(product(dims[label] for label in group) for group in groups),
        )
        view = arranged(operand.value, operand.labels, order)
        return View.of(self.builder.make(Fold(view, shape), shape, operand.value.memory))


@dataclass(frozen=True, slots=True)
class Parts:
    """Two operands, the one to stand on the left first, and their labels by what becomes of them.

    Those of a `batch` and those that are `summed` belong to both, `left` and `right` to one alone.
    """

    a: Operand
    b: Operand
    batch: Labels
    left: Labels
    summed: Labels
    right: Labels

    @property
    def output(self) -> Labels:
        """The labels of the product."""
        return self.batch + self.left + self.right


def _parts(a: Operand, b: Operand, kept: Collection[int], rank: Mapping[int, int]) -> Parts:
    """Two operands in the order in which their own labels should stand in the result."""
    shared = [label for label in a.labels if label in b.labels]
    batch = tuple([label for label in shared if label in kept])
    summed = tuple([label for label in shared if label not in kept])
    last = len(rank)
    sides: list[tuple[Operand, Labels]] = []
    keys: list[tuple[bool, bool, int]] = []
    for operand in (a, b):
        free = tuple([label for label in operand.labels if label not in shared])
        place = min((rank.get(label, last) for label in free), default=last)
        sides.append((operand, free))
        keys.append(_precedence(operand.labels, _borrowed(operand), free, place))
    if keys[1] < keys[0]:
        sides.reverse()
    (first, left), (second, right) = sides
    return Parts(first, second, batch, left, summed, right)


def _copies(a: Operand, b: Operand, *, kept: Collection[int]) -> int:
    """How many operands have to be copied for the axes that are summed to be the last, or first."""
    summed = [label for label in a.labels if label in b.labels and label not in kept]
    count = len(summed)
    return sum(
        len(labels) > 2 and set(summed) not in (set(labels[:count]), set(labels[-count:]))
        for labels in (a.labels, b.labels)
        if count
    )


def _across(*operands: Operand, kept: Collection[int]) -> int:
    """How many operands that are summed over have another axis as the last."""
    rows = [[label in kept for label in operand.labels] for operand in operands]
    return sum(row[-1] and not all(row) for row in rows if row)


def _pattern(a: Operand, b: Operand) -> tuple[Labels, Labels, Labels]:
    """The labels of two operands numbered as they first appear, and all of them in that order."""
    number: dict[int, int] = {}
    rows = [[number.setdefault(x, len(number)) for x in row] for row in (a.labels, b.labels)]
    return tuple(rows[0]), tuple(rows[1]), tuple(number)


@dataclass(frozen=True, slots=True)
class MatrixProduct:
    """Two operands of one or two axes as factors of a matrix product.

    `left` and `right` are the axes of each in their order there, `rows` and `columns` those of
    them that the result has; not `in_turn`, the second operand stands on the left.
    """

    in_turn: bool
    left: tuple[int, ...]
    right: tuple[int, ...]

    @property
    def rows(self) -> tuple[int, ...]:
        return self.left[:-1]

    @property
    def columns(self) -> tuple[int, ...]:
        return self.right[1:]


@lru_cache(maxsize=4096)  # the steps of a loop have few kinds of products
def _matrix_product(
    a: Labels,
    b: Labels,
    ranks: tuple[int | None, ...],
    last: int,
    borrowed: bool,
    other_borrowed: bool,
) -> MatrixProduct | None:
    """How operands with these labels are multiplied as matrices; None if they are not.

    `ranks` has the place of each label in the result, None for a label that is summed over.  A
    matrix stands before a vector, transposed or not.
    """
    shared = [label for label in a if label in b]
    if len(shared) != 1 or ranks[shared[0]] is not None:
        return None
    (summed,) = shared
    sides = [
        (row, tuple(label for label in row if label != summed), mine)
        for row, mine in ((a, borrowed), (b, other_borrowed))
    ]
    if any(len(free) > 1 for _, free, _ in sides):
        return None
    keys = [
        _precedence(
            row, mine, free, min((r for x in free if (r := ranks[x]) is not None), default=last)
        )
        for row, free, mine in sides
    ]
    in_turn = keys[0] <= keys[1]
    if not in_turn:
        sides.reverse()
    (_, left, _), (_, right, _) = sides
    if not left and right:
        in_turn = not in_turn
        sides.reverse()
    (first, left, _), (second, right, _) = sides
    return MatrixProduct(
        in_turn,
        tuple(first.index(x) for x in (*left, summed)),
        tuple(second.index(x) for x in (summed, *right)),
    )


def _long_last(order: Sequence[int], dims: Mapping[int, Dim]) -> Labels:
    """The labels with those of a few given places before the others, if one of them was last.

    NumPy's innermost loop runs over the last axis: over three parameters it would not pay.
    """
    few = [label for label in order if (dims[label].value or SHORT) < SHORT]
    if not few or order[-1] not in few:
        return tuple(order)
    return (*few, *(label for label in order if label not in few))


def _borrowed(operand: Operand) -> bool:
    return operand.value.memory is Memory.INPUT


def _precedence(labels: Labels, borrowed: bool, free: Labels, rank: int) -> tuple[bool, bool, int]:
    """How early an operand's own labels should stand in a result, smaller being earlier.

    What begins an operand begins the result, that of a computed operand rather than of an input:
    so the rows of a data matrix stay rows through all layers, and element-wise steps meet arrays
    that lie alike.
    """
    return not (free and labels[0] == free[0]), borrowed, rank


def subscripts(rows: Sequence[Labels], output: Labels) -> str:
    """Labels as an einsum string, for a remark."""
    number: dict[int, int] = {}
    for label in (x for row in rows for x in row):
        number.setdefault(label, len(number))
    if len(number) > len(LETTERS):
        return ""

    def text(row: Labels) -> str:
        return "".join(LETTERS[number[label]] for label in row)

    return f"{','.join(map(text, rows))}->{text(output)}"
