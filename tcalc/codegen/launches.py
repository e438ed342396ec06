"""Programs rearranged for devices, where each statement is a launch and a look at data is a wait.

- What sizes and numbers alone decide is computed on the host, by NumPy, and given to kernels.
- A sum that ends in parts of its result is split, so that its whole terms are one kernel; one of
  more terms than a kernel has room for is a chain of sums.
- A contraction that enlarges no operand is a product and a sum, which become one kernel.
- A triangular matrix is looked at once, however many systems are solved with it; a Cholesky factor
  is not, since its factorisation has told.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod

from tcalc.codegen.program import (
    Addend,
    Argument,
    Call,
    Derived,
    EinSum,
    Extent,
    Factorise,
    FromFactor,
    Fused,
    MatMul,
    Number,
    Operation,
    Product,
    Program,
    Solve,
    Solver,
    Spread,
    Statement,
    Sum,
    TensorDot,
    Total,
    Typed,
    Value,
    View,
    operands,
    rewritten,
    unused_number,
)
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.primitive import Labels
from tcalc.primitives.routines import Embedded, Template
from tcalc.records import dataclass


def arranged(program: Program, captured: bool = False) -> Program:
    """The program with the same results and fewer launches and waits.

    Where it is `captured`, no contraction is left to cuBLAS.
    """
    program = checked_once(chained_sums(split_sums(replace(program, device=True))))
    return on_host(spread_products(program, captured))


PARAMETERS = 4096
"""The bytes of a kernel's arguments that every CUDA device takes."""


def most_operands(order: int) -> int:
    """How many arrays of an order a kernel can have.

    CuPy passes two words for each and two more for each of its axes; the result and what walks over
    the indices of both take no more than five.
    """
    return PARAMETERS // (16 * (order + 1)) - 5


def arrays(program: Program) -> set[Value]:
    """The values that are arrays of the device: what plain numbers alone make is a number."""
    found: set[Value] = set()
    for statement in program.statements:
        match statement.operation:
            case Number() | Extent() | Typed():
                made = False
            case Argument() | Sum(spans=False) | Spread():
                made = True
            case Call(routine=Embedded(), arguments=()):
                made = True
            case operation:
                made = any(value in found for value in operands(operation))
        if made:
            found.update(statement.results)
    return found


def on_host(program: Program) -> Program:
    """The program with NumPy's functions where all arguments are numbers.

    A number that is spread becomes an array first, as CuPy repeats arrays of its own only, and so
    does one that is a result: what a function returns is on the device.
    """
    known = arrays(program)
    numbers = itertools.count(unused_number(program))

    def full(view: View) -> Statement:
        return Statement((Value(next(numbers), ()),), Call(Template("np.full((), {0})"), (view,)))

    def moved(statement: Statement) -> Sequence[Statement]:
        match statement.operation:
            case Spread(source=view) as spread if view.value not in known:
                whole = full(view)
                spread = replace(spread, source=replace(view, value=whole.results[0]))
                return whole, replace(statement, operation=spread)
            case Call(routine=Template(text=text) as template) as call:
                if known.intersection(statement.results):
                    return (statement,)
                text = re.sub(r"\bnp\.", "numpy.", text)
                routine = replace(template, text=text, ufunc=False)
                return (replace(statement, operation=replace(call, routine=routine)),)
            case _:
                return (statement,)

    program = rewritten(program, map(moved, program.statements))
    hosted = dict.fromkeys(x.view.value for x in program.outputs if x.view.value not in known)
    made = {value: full(View.of(value)) for value in hosted}
    outputs = (
        replace(x, view=View.of(made[x.view.value].results[0])) if x.view.value in made else x
        for x in program.outputs
    )
    statements = (*program.statements, *made.values())
    return replace(program, statements=statements, outputs=tuple(outputs))


def split_sums(program: Program) -> Program:
    """The program with sums that have whole terms and parts as two statements."""
    numbers = itertools.count(unused_number(program))

    def split(statement: Statement) -> Sequence[Statement]:
        match statement.operation:
            case Sum(dims=dims, addends=(_, _, *_) as addends, placed=(_, *_), spans=True) as total:
                whole = Value(next(numbers), dims)
                term = Addend(Fraction(1), View.of(whole))
                rest = replace(statement, operation=replace(total, addends=(term,)))
                return Statement((whole,), Sum(dims, addends)), rest
            case _:
                return (statement,)

    return rewritten(program, map(split, program.statements))


def chained_sums(program: Program) -> Program:
    """The program with long sums of whole terms as chains of sums that a kernel has room for.

    The first link has all axes, by the terms that are first to have them.
    """
    numbers = itertools.count(unused_number(program))

    def chained(statement: Statement) -> Sequence[Statement]:
        match statement.operation:
            case Sum(dims=dims, addends=addends, placed=(), spans=True) as total:
                most = most_operands(len(dims))
                if len(addends) <= most:
                    return (statement,)
                rest, links = _spanning_first(addends, len(dims)), []
                while len(rest) > most:
                    link = Value(next(numbers), dims)
                    links.append(Statement((link,), Sum(dims, tuple(rest[:most]))))
                    rest = [Addend(Fraction(1), View.of(link)), *rest[most:]]
                return *links, replace(statement, operation=replace(total, addends=tuple(rest)))
            case _:
                return (statement,)

    return rewritten(program, map(chained, program.statements))


def _spanning_first(addends: Sequence[Addend], order: int) -> list[Addend]:
    """The terms, beginning with some that have all axes together."""
    first: list[Addend] = []
    others: list[Addend] = []
    missing = set(range(order))
    for addend in addends:
        axes = addend.view.axes
        mine = {order - len(axes) + k for k, axis in enumerate(axes) if axis is not None}
        (first if missing & mine else others).append(addend)
        missing -= mine
    return first + others


def checked_once(program: Program) -> Program:
    """The program with one check of each triangular matrix that systems are solved with.

    An empty text for messages is a step that does not check.
    """
    source: dict[Value, Value] = {}
    regular: set[Value] = set()
    statements = []
    for statement in program.statements:
        match statement.operation:
            case Factorise(matrix=view, solver=Solver.LOWER | Solver.UPPER):
                source[statement.results[0]] = view.value
            case FromFactor(kind=Derived.CHOLESKY):
                regular.update(statement.results)
            case (
                Solve(factor=factor, solver=Solver.LOWER | Solver.UPPER)
                | FromFactor(
                    kind=Derived.INVERSE, factor=factor, solver=Solver.LOWER | Solver.UPPER
                )
            ) as operation:
                matrix = source.get(factor, factor)
                if matrix in regular:
                    statement = replace(statement, operation=replace(operation, where=""))
                regular.add(matrix)
            case _:
                pass
        statements.append(statement)
    return replace(program, statements=tuple(statements))


def spread_products(program: Program, any_size: bool = False) -> Program:
    """The program with contractions as element-wise products and sums, which become one kernel.

    That is done to what BLAS has not, where one operand has all labels, so that nothing is
    enlarged; with `any_size` to all contractions, matrix products too.
    """
    numbers = itertools.count(unused_number(program))
    steps = _steps(program)

    def spread(statement: Statement) -> Sequence[Statement]:
        found = _contraction(statement.operation)
        if found is None or not found.multiplies:
            return (statement,)
        mine = isinstance(statement.operation, EinSum) and _stays_small(found, steps)
        if not (any_size or mine):
            return (statement,)
        factors, dims, axes = _over_all_labels(found)
        if not axes:
            return (replace(statement, operation=Product(factors)),)
        whole = Value(next(numbers), dims)
        total = replace(statement, operation=Total(whole, axes))
        return Statement((whole,), Product(factors)), total

    return rewritten(program, map(spread, program.statements))


def _steps(program: Program) -> set[Value]:
    """The results of element-wise statements that one statement alone reads, and no caller."""
    users = Counter(x for s in program.statements for x in set(operands(s.operation)))
    users.update(output.view.value for output in program.outputs)
    return {
        statement.results[0]
        for statement in program.statements
        if users[statement.results[0]] == 1
        and (
            isinstance(statement.operation, Product)
            or (isinstance(statement.operation, Sum) and not statement.operation.placed)
            or (
                isinstance(statement.operation, Call)
                and isinstance(statement.operation.routine, Template)
            )
        )
    }


@dataclass(frozen=True, slots=True)
class _Contraction:
    """The operands of a contraction, the labels of their axes, and those of the result."""

    operands: tuple[View, ...]
    rows: tuple[Labels, ...]
    output: Labels

    @property
    def multiplies(self) -> bool:
        """Whether it has several operands, none of which is taken along a diagonal."""
        return len(self.rows) > 1 and all(len({*row}) == len(row) for row in self.rows)

    @property
    def is_scalar_product(self) -> bool:
        """Whether BLAS has it: of two vectors, or of all elements in one order."""
        return not self.output and self.rows[1:] == self.rows[:-1]


def _contraction(operation: Operation) -> _Contraction | None:
    match operation:
        case EinSum(operands=values, subscripts=rows, output=output):
            return _Contraction(tuple(map(View.of, values)), rows, output)
        case TensorDot(left=left, right=right, axes=(first, second)):
            count = len(left.dims)
            joined = dict(zip(second, first, strict=True))
            row = tuple(joined.get(axis, count + axis) for axis in range(len(right.dims)))
            kept = [axis for axis in range(count) if axis not in first]
            output = (*kept, *(x for x in row if x >= count))
            return _Contraction((View.of(left), View.of(right)), (tuple(range(count)), row), output)
        case MatMul(left=left, right=right):
            return _of_matrix_product(left, right)
        case _:
            return None


def _of_matrix_product(left: View, right: View) -> _Contraction:
    rows, columns, summed = (-1,) * (len(left.axes) > 1), (-2,) * (len(right.axes) > 1), (-3,)
    lead = max(len(left.axes) - 2, len(right.axes) - 2, 0)
    batch = tuple(range(lead))
    first = (*batch[lead - max(len(left.axes) - 2, 0) :], *rows, *summed)
    second = (*batch[lead - max(len(right.axes) - 2, 0) :], *summed, *columns)
    return _Contraction((left, right), (first, second), (*batch, *rows, *columns))


def _stays_small(found: _Contraction, steps: Collection[Value]) -> bool:
    """Whether a contraction sums, enlarges no operand, and is better one kernel than BLAS's.

    A scalar product is BLAS's, unless what it reads is made for it alone, by one of the `steps`.
    """
    labels = {label for row in found.rows for label in row}
    if labels <= {*found.output} or labels not in map(set, found.rows):
        return False
    return not found.is_scalar_product or any(view.value in steps for view in found.operands)


def _over_all_labels(found: _Contraction) -> tuple[tuple[View, ...], Shape, tuple[int, ...]]:
    """The factors over all labels, those of the result first, their shape, and what is summed."""
    labels = {label for row in found.rows for label in row}
    order = (*found.output, *sorted(labels - {*found.output}))
    sizes: dict[int, Dim] = {}
    for view, row in zip(found.operands, found.rows, strict=True):
        for label, dim in zip(row, view.dims, strict=True):
            if dim != Dim.of(1) or label not in sizes:
                sizes[label] = dim
    pairs = zip(found.operands, found.rows, strict=True)
    factors = tuple(_over(view, row, order) for view, row in pairs)
    axes = tuple(range(len(found.output), len(order)))
    return factors, tuple(sizes[label] for label in order), axes


def _over(view: View, row: Labels, order: Labels) -> View:
    """A view with its axes where the labels of a product have them."""
    axes = [view.axes[row.index(label)] if label in row else None for label in order]
    while axes and axes[0] is None:
        axes.pop(0)
    return View(view.value, tuple(axes))


def largest_product(program: Program, sizes: Mapping[str, int]) -> int:
    """The multiplications of the largest contraction that is one kernel."""
    found = 0
    for statement in program.statements:
        if isinstance(statement.operation, Fused) and statement.operation.axes:
            dims = statement.operation.steps[-1].results[0].dims
            found = max(found, prod(dim.evaluate(sizes) for dim in dims))
    return found
