"""Which statements share one nest of loops.

A statement joins the nest of earlier ones where it runs over the same axes and reads what they
make only at the very element that is being made; sums of all elements or of rows may end there, and
so may products with matrices of few columns, see `tcalc.codegen.c.narrow`.  What stands between
them is moved: numbers and transposes that need nothing of the nest to before it, the rest behind.
Over other statements a nest is joined only for an array that both have, so that it is read once.

A function such as `exp` does not join the one that makes its argument: processors work on several
elements at a time, which they cannot where the one function waits for the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace

from tcalc.codegen.binding import crossing
from tcalc.codegen.c.contractions import Contraction, labelled
from tcalc.codegen.c.distances import are_abreast
from tcalc.codegen.c.elementwise import takes_long, writable
from tcalc.codegen.c.narrow import narrow
from tcalc.codegen.fusion import elementwise, inputs, views
from tcalc.codegen.memory import count
from tcalc.codegen.program import (
    Addend,
    Argument,
    Call,
    Diagonal,
    EinSum,
    Extent,
    Fold,
    Fused,
    MatMul,
    Number,
    Pick,
    Program,
    Rows,
    Spread,
    Statement,
    Sum,
    TensorDot,
    Total,
    Triangle,
    Typed,
    Value,
    View,
)
from tcalc.expr.dims import Shape
from tcalc.records import dataclass

MOST = 24
"""The most statements of a nest: registers are few, and so are the streams that processors follow.
"""
AHEAD = 16
"""The most statements that are moved behind a nest for others to join it."""


@dataclass(frozen=True, slots=True)
class Nest:
    """Statements that are written as one nest of loops over some axes; or a single one of any kind.

    What is `inner` is read in the nest alone, and needs no memory.
    """

    statements: tuple[Statement, ...]
    dims: Shape = ()
    inner: frozenset[Value] = frozenset()


@dataclass(frozen=True, slots=True)
class Run:
    """The axes that a statement runs over; and the values that it reads at the element it makes.

    What is not `whole` gets more terms behind the nest.  One that is `long` calls functions, which
    leave no registers to the sums of one that is `narrow`.
    """

    dims: Shape
    here: frozenset[Value]
    whole: bool = True
    long: bool = False
    narrow: bool = False


def merged(program: Program, sizes: Mapping[str, int]) -> tuple[list[Nest], list[Nest]]:
    """The nests of the first part of a program, and the others, in the order in which they run."""
    runs = [(statement, run_of(statement, sizes)) for statement in program.statements]
    readers: dict[Value, set[int]] = {}
    for statement in program.statements:
        for value in statement.reads:
            readers.setdefault(value, set()).add(id(statement))
    kept = {*crossing(program), *(output.view.value for output in program.outputs)}
    first, rest = (
        [*_nests(_with_products_late(part, readers, kept, sizes))]
        for part in (runs[: program.prepared], runs[program.prepared :])
    )

    def closed(nest: Nest) -> Nest:
        if len(nest.statements) == 1:
            return nest
        here = set(map(id, nest.statements))
        made = (value for statement in nest.statements for value in statement.results)
        inner = (x for x in made if x.dims and x not in kept and readers.get(x, {0}) <= here)
        return replace(nest, inner=frozenset(inner))

    return [*map(closed, first)], [*map(closed, rest)]


def _with_products_late(
    runs: Sequence[tuple[Statement, Run | None]],
    readers: Mapping[Value, Set[int]],
    kept: Container[Value],
    sizes: Mapping[str, int],
) -> list[tuple[Statement, Run | None]]:
    """The statements, those that make large arrays of smaller ones right before their one reader.

    Such a product need not lie in memory for long, and not at all where it joins the reader.
    """
    places = {id(statement): k for k, (statement, _) in enumerate(runs)}
    before: dict[int, list[int]] = {}
    moved: set[int] = set()
    for k, (statement, run) in enumerate(runs):
        if run is None or not run.whole or run.long or len(statement.results) > 1:
            continue
        (value,) = statement.results
        if value in kept or len(readers.get(value, ())) != 1:
            continue
        reader = places.get(*readers[value])
        if reader is None or not _reads_here(runs[reader][1], run, value):
            continue
        read = sum(count(x.dims, sizes) for x in {*statement.reads})
        if 2 * read <= count(value.dims, sizes):
            before.setdefault(reader, []).append(k)
            moved.add(k)
    found: list[int] = []
    pending = [k for k in range(len(runs)) if k not in moved]
    while pending:  # from the last statement to the first
        k = pending.pop()
        found.append(k)
        pending += before.get(k, ())
    return [runs[k] for k in reversed(found)]


def _reads_here(reader: Run | None, run: Run, value: Value) -> bool:
    return reader is not None and reader.dims == run.dims and value in reader.here


def _nests(statements: Iterable[tuple[Statement, Run | None]]) -> Iterator[Nest]:
    """The nests of some statements, in an order in which they can run."""
    waiting = deque(statements)
    while waiting:
        statement, run = waiting.popleft()
        if run is None:
            yield Nest((statement,))
            continue
        nest = _Open(statement, run)
        behind: list[tuple[Statement, Run | None]] = []
        while waiting and len(nest.statements) < MOST and len(behind) < AHEAD:
            statement, run = waiting.popleft()
            if run is not None and nest.takes(statement, run, adjacent=not behind):
                continue
            if _is_light(statement) and nest.is_free(statement):
                yield Nest((statement,))
            else:
                nest.late.update(statement.results)
                behind.append((statement, run))
        yield Nest(tuple(nest.statements), nest.dims)
        waiting.extendleft(reversed(behind))


class _Open:
    """A nest that statements may join.

    `made` is what it makes, `long` what of that waits for functions, `late` what is there behind it
    only, and `known` the arrays that it has.
    """

    def __init__(self, first: Statement, run: Run) -> None:
        self.statements: list[Statement] = []
        self.dims = run.dims
        self.made: set[Value] = set()
        self.long: set[Value] = set()
        self.late: set[Value] = set()
        self.known: set[Value] = set()
        self.narrow = False
        self._add(first, run)

    def _add(self, statement: Statement, run: Run) -> None:
        self.statements.append(statement)
        (self.made if run.whole else self.late).update(statement.results)
        self.known.update(run.here, statement.results)
        self.narrow = self.narrow or run.narrow
        if run.long or not self.long.isdisjoint(statement.reads):
            self.long.update(statement.results)

    def is_free(self, statement: Statement) -> bool:
        """Whether a statement needs neither what the nest makes nor what is made behind it."""
        return self.made.isdisjoint(statement.reads) and self.late.isdisjoint(statement.reads)

    def takes(self, statement: Statement, run: Run, adjacent: bool) -> bool:
        """Let a statement join, if it can and may."""
        if run.dims != self.dims or not self.late.isdisjoint(statement.reads):
            return False
        if any(x in self.made and x not in run.here for x in statement.reads):
            return False
        if run.long and (self.narrow or not self.long.isdisjoint(statement.reads)):
            return False
        if run.narrow and self.long:
            return False
        if not adjacent and self.known.isdisjoint(run.here):
            return False
        self._add(statement, run)
        return True


def _is_light(statement: Statement) -> bool:
    """Whether a statement makes numbers of numbers, or a transpose, or names a part of an array."""
    match statement.operation:
        case Argument() | Number() | Extent() | Typed():
            return True
        case Pick() | Rows() | Diagonal() | Spread() | Fold():
            return True
        case Sum(addends=(Addend(coefficient=1, view=view),), placed=()) if not view.plain:
            return True
        case Fused(axes=axes):
            return axes is None and not statement.results[0].dims
        case operation:
            return not statement.results[0].dims and elementwise(operation, writable)


def run_of(statement: Statement, sizes: Mapping[str, int]) -> Run | None:
    """What a statement runs over, if it is one expression for each element or the sum of these."""
    if are_abreast(statement.operation, sizes):
        return Run(statement.results[0].dims, frozenset())
    run = _run_over_any(statement, sizes)
    if run is None or count(run.dims, sizes) == 1:
        return None
    operation = statement.operation
    steps = operation.steps if isinstance(operation, Fused) else (statement,)
    calls = [step.operation for step in steps if isinstance(step.operation, Call)]
    return replace(run, long=any(map(takes_long, calls)))


def _run_over_any(statement: Statement, sizes: Mapping[str, int]) -> Run | None:
    operation = statement.operation
    dims = statement.results[0].dims
    match operation:
        case Fused(steps=steps, axes=axes):
            dims = next(reversed(steps)).results[0].dims
            return _run(dims, inputs(operation)) if _ends(axes, dims, sizes) else None
        case Total(source=source, axes=axes):
            dims = source.dims
            return _run(dims, [View.of(source)]) if _ends(axes, dims, sizes) else None
        case Triangle(source=source):
            return _run(dims, [source])
        case Sum(addends=addends, placed=placed) if addends:
            run = _run(dims, (x.view for x in addends))
            on_parts = {x.view.value for x in placed}
            return replace(run, here=run.here - on_parts, whole=not placed)
        case MatMul() | TensorDot() | EinSum():
            product = narrow(operation, dims, sizes)
            if product is None:
                return _run_of_product(operation, dims)
            large = product.large
            here = frozenset([large] if large else ())
            return Run(product.dims, here, whole=large is None, narrow=True)
        case _ if elementwise(operation, writable):
            return _run(dims, views(operation))
        case _:
            return None


def _ends(axes: Sequence[int] | None, dims: Shape, sizes: Mapping[str, int]) -> bool:
    """Whether sums over axes, if there are any, are those of all elements, or of rows."""
    if axes is None or len(axes) == len(dims):
        return True
    rows, columns = (count(part, sizes) for part in (dims[:-1], dims[-1:]))
    return tuple(axes) == (len(dims) - 1,) and min(rows, columns) > 1


def _run(dims: Shape, read: Iterable[View]) -> Run:
    return _where(dims, ((view.value, view.plain) for view in read))


def _where(dims: Shape, read: Iterable[tuple[Value, bool]]) -> Run:
    found = list(read)
    moved = {value for value, plain in found if not plain or value.dims != dims}
    return Run(dims, frozenset(value for value, _ in found if value not in moved))


def _run_of_product(operation: Contraction, dims: Shape) -> Run | None:
    """That of a product without a sum, or with one over all axes of its operands."""
    operands, output = labelled(operation)
    over = output or operands[0][1]
    lengths = dict(zip(over, dims or operands[0][0].dims, strict=True))
    fits = len(lengths) == len(over) and all(
        lengths.get(label) == dim
        for view, row in operands
        for label, dim in zip(row, view.dims, strict=True)
    )
    if not fits:
        return None
    read = ((view.value, view.plain and row == over) for view, row in operands)
    return _where(tuple(lengths.values()), read)
