"""Temporary matrices laid out for the products that they meet in.

    H = tanh(X W'),  Z = H V'   ->   H' = tanh(W X'),  Z = (H')' V'

Of ``A @ B``, BLAS reads the rows of A and the columns of B together.  Where A lies row by row and
B is the transpose of an array that does, its routines for small matrices (OpenBLAS has some, up to
about 100 × 100 × 100) take up to twice as long as in the three other cases; of large ones all four
take the same.  A matrix that the program makes may lie either way, and with it all that it is added
to or multiplied by element by element: they are turned together where fewer products are then of
the slow kind, and fewer steps read one array across another.  Where only arguments meet, a small
one is copied, see `tcalc.codegen.small_products.is_laid_out`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field, replace
from typing import TypeAlias

from tcalc.codegen.fusion import elementwise, views, with_views
from tcalc.codegen.program import (
    Call,
    MatMul,
    Product,
    Program,
    Statement,
    Sum,
    Total,
    Value,
    View,
)
from tcalc.codegen.small_products import is_sensitive
from tcalc.expr.partition import Partition
from tcalc.primitives.routines import Template
from tcalc.records import dataclass

ROUNDS = 3
"""How often all matrices are looked at, those with most to gain first: one depends on others."""


def with_layouts(program: Program, turned: Sequence[Value]) -> Program:
    """The program with some of its matrices, as `misplaced` finds them, lying the other way."""
    if not turned:
        return program
    new = {value: Value(value.number, value.dims[::-1], value.memory) for value in turned}
    grams = {new.get(x, x) for s in program.statements if _is_gram(s) for x in s.results}
    statements = tuple(_rewritten(statement, new, grams) for statement in program.statements)
    hints = {new.get(value, value): hint for value, hint in program.hints.items()}
    return replace(program, statements=statements, hints=hints)


@dataclass(frozen=True, slots=True)
class Factors:
    """Two matrices that are multiplied."""

    left: View
    right: View

    @property
    def values(self) -> tuple[Value, ...]:
        return self.left.value, self.right.value

    def cost(self, turned: Callable[[Value], bool]) -> int:
        """Whether both lie along what is summed."""
        along = self.left.axes[1] == (not turned(self.left.value))
        return along and self.right.axes[0] == (not turned(self.right.value))


@dataclass(frozen=True, slots=True)
class Step:
    """An operand of an element-wise step, and the result."""

    view: View
    result: Value

    @property
    def values(self) -> tuple[Value, ...]:
        return self.view.value, self.result

    def cost(self, turned: Callable[[Value], bool]) -> int:
        """Whether one lies across the other: slow beyond the caches, however large they are."""
        across = turned(self.view.value) != turned(self.result)
        return 2 * (across == self.view.plain)


Meeting: TypeAlias = Factors | Step


@dataclass(slots=True)
class _Groups:
    """Matrices that lie alike, each group by its number; `fixed` ones have to stay."""

    number: dict[Value, int] = field(default_factory=dict)
    alike: Partition = field(default_factory=Partition)
    fixed: set[Value] = field(default_factory=set)
    meetings: list[Meeting] = field(default_factory=list)

    def of(self, value: Value) -> int:
        return self.alike.find(self.number[value])

    def free(self, value: Value) -> None:
        self.number[value] = self.alike.add()

    def join(self, value: Value, other: Value) -> None:
        self.alike.join(self.number[value], self.number[other])

    def fix(self, *values: Value) -> None:
        self.fixed.update(value for value in values if value in self.number)


def misplaced(program: Program, sizes: Mapping[str, int]) -> tuple[Value, ...]:
    """The matrices that would better lie the other way."""
    if not any(isinstance(statement.operation, MatMul) for statement in program.statements):
        return ()
    groups = _grouped(program, sizes)
    stuck = {groups.of(value) for value in groups.fixed}
    place = {x: group for x in groups.number if (group := groups.of(x)) not in stuck}
    touching: dict[int, list[Meeting]] = defaultdict(list)
    for meeting in groups.meetings:
        met = (place[value] for value in meeting.values if value in place)
        for group in dict.fromkeys(met):
            touching[group].append(meeting)
    flipped: set[int] = set()

    def cost(group: int) -> int:
        return sum(x.cost(lambda value: place.get(value) in flipped) for x in touching[group])

    def gain(group: int) -> int:
        before = cost(group)
        flipped.symmetric_difference_update({group})
        after = cost(group)
        flipped.symmetric_difference_update({group})
        return before - after

    for _ in range(ROUNDS):
        changed = False
        for group in sorted(touching, key=gain, reverse=True):
            if gain(group) > 0:
                flipped.symmetric_difference_update({group})
                changed = True
        if not changed:
            break
    return tuple(value for value, group in place.items() if group in flipped)


def _grouped(program: Program, sizes: Mapping[str, int]) -> _Groups:
    """The matrices that the program makes, those that lie alike together."""
    groups = _Groups()
    for statement in program.statements:
        operation, (result, *_) = statement.operation, statement.results
        match operation:
            case MatMul(left=left, right=right) if _is_matrix(left) and _is_matrix(right):
                groups.free(result)
                if is_sensitive(*(x.evaluate(sizes) for x in (*left.dims, right.dims[1]))):
                    groups.meetings.append(Factors(left, right))
            case Total():
                pass
            case _ if len(result.dims) == 2 and elementwise(operation, _is_of_matrices):
                groups.free(result)
                for view in views(operation):
                    _tie(groups, result, view)
            case _:
                groups.fix(*statement.reads)
    groups.fix(*(output.view.value for output in program.outputs))
    return groups


def _tie(groups: _Groups, result: Value, view: View) -> None:
    """Have the operand of an element-wise step lie as its result does, if it is a matrix."""
    if _is_matrix(view):
        if view.plain and view.value in groups.number:
            groups.join(view.value, result)
        else:
            groups.meetings.append(Step(view, result))
    elif len(view.value.dims) > 1:
        groups.fix(view.value, result)


def _is_of_matrices(call: Call) -> bool:
    """Whether a function whose result is a matrix works element by element."""
    # Reductions have an argument with more axes than their result.
    flat = all(len(x.value.dims) <= 2 for x in call.arguments)
    return isinstance(call.routine, Template) and bool(call.arguments) and flat


def _is_matrix(view: View) -> bool:
    """Whether an operand is a matrix, as it is or transposed."""
    return view.axes in ((0, 1), (1, 0)) and len(view.value.dims) == 2


def _is_gram(statement: Statement) -> bool:
    """Whether a statement makes ``B' B``, which is its own transpose."""
    match statement.operation:
        case MatMul(left=left, right=right):
            return left.value == right.value and left.axes == right.axes[::-1] and _is_matrix(left)
        case _:
            return False


def _rewritten(
    statement: Statement, new: Mapping[Value, Value], grams: Collection[Value]
) -> Statement:
    """A statement that reads and makes the matrices as they lie now."""
    results = tuple(new.get(value, value) for value in statement.results)
    operation = statement.operation
    if results == statement.results and new.keys().isdisjoint(statement.reads):
        return statement
    turned = results != statement.results

    def operand(view: View) -> View:
        """An operand with its own axes; of a step whose result is turned, with these turned."""
        axes = view.axes
        if view.value in new:
            axes = tuple(None if axis is None else 1 - axis for axis in axes)
        if turned and len(axes):
            axes = (*axes[::-1], *(None for _ in range(2 - len(axes))))
        value = new.get(view.value, view.value)
        return View.of(value) if value in grams and axes == (1, 0) else View(value, axes)

    match operation:
        case MatMul(left=left, right=right) if turned:
            operation = MatMul(operand(right), operand(left))
        case MatMul(left=left, right=right):
            operation = MatMul(operand(left), operand(right))
        case Total(source=source, axes=axes):
            operation = Total(new[source], tuple(sorted(1 - axis for axis in axes)))
        case Sum():
            operation = with_views(replace(operation, dims=results[0].dims), operand)
        case Product() | Call():
            operation = with_views(operation, operand)
        case _:
            raise AssertionError("fixed")
    return Statement(results, operation, statement.remark)
