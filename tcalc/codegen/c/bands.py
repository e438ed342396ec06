"""Large matrices that are read once for two products with vectors.

    z = X v,   p = f(z),   g = X' p

Each product takes as long as it takes to read X from memory.  Here the rows of X are taken in
bands that fit into a cache: a band is multiplied with v, the steps over its elements of z are done,
and it is multiplied with these elements of p before the next band comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from tcalc.codegen.c.code import Code
from tcalc.codegen.c.contractions import applied, labelled
from tcalc.codegen.c.elementwise import accumulated
from tcalc.codegen.c.loops import indented, nested
from tcalc.codegen.c.merging import Nest, run_of
from tcalc.codegen.c.nests import nest_lines
from tcalc.codegen.c.places import ONE
from tcalc.codegen.memory import count
from tcalc.codegen.program import EinSum, MatMul, Statement, TensorDot, Value, View
from tcalc.expr.dims import Dim
from tcalc.records import dataclass

LARGE = 1 << 19
"""The elements of a matrix from which on it is not expected in a cache for a second time."""
BAND = 1 << 15
"""About how many elements of it are read at once."""
AHEAD = 24
"""The most nests that are looked at for a band."""


@dataclass(frozen=True, slots=True)
class Pass:
    """A product of a matrix and a vector that reads the matrix row by row.

    Its sums are over the columns, or over the rows if it `adds` up multiples of these.
    """

    statement: Statement
    matrix: Value
    vector: View
    adds: bool

    @property
    def rows(self) -> Dim:
        return self.matrix.dims[0]

    @property
    def columns(self) -> Dim:
        return self.matrix.dims[1]


@dataclass(frozen=True, slots=True)
class Band:
    """What is done for some rows of a matrix at a time: products with it, and steps by elements."""

    members: tuple[Nest | Pass, ...]
    rows: Dim
    columns: Dim

    @property
    def statements(self) -> tuple[Statement, ...]:
        parts = ((x.statement,) if isinstance(x, Pass) else x.statements for x in self.members)
        return tuple(statement for part in parts for statement in part)


def with_bands(nests: Sequence[Nest], sizes: Mapping[str, int]) -> list[Nest | Band]:
    """The nests, those that read one large matrix several times joined."""
    return [*_joined(nests, sizes)]


def _joined(nests: Sequence[Nest], sizes: Mapping[str, int]) -> Iterator[Nest | Band]:
    waiting = list(reversed(nests))
    while waiting:
        nest = waiting.pop()
        first = _pass_of(nest, sizes)
        if first is None or first.adds:
            yield nest
            continue
        found = _Open(first, sizes)
        ahead = [waiting.pop() for _ in range(min(AHEAD, len(waiting)))]
        before, behind = found.take(ahead)
        if found.is_complete:
            yield from before
            yield Band(tuple(found.members), first.rows, first.columns)
            waiting += reversed(behind)
        else:
            yield nest
            waiting += reversed(ahead)


class _Open:
    """A band that nests may join."""

    def __init__(self, first: Pass, sizes: Mapping[str, int]) -> None:
        self.members: list[Nest | Pass] = [first]
        self._first, self._sizes = first, sizes
        #: What it makes of its rows, and what is known behind it alone.
        self._made: set[Value] = {*first.statement.results}
        self._late: set[Value] = set()

    @property
    def is_complete(self) -> bool:
        """Whether a matrix is read more than once in it."""
        return sum(isinstance(x, Pass) for x in self.members) > 1

    def take(self, nests: Sequence[Nest]) -> tuple[list[Nest], list[Nest]]:
        """Let nests join; those that have to stand before it, and those behind."""
        before: list[Nest] = []
        behind: list[Nest] = []
        for nest in nests:
            reads = {value for statement in nest.statements for value in statement.reads}
            results = {value for statement in nest.statements for value in statement.results}
            if self._joins(nest, reads):
                continue
            if reads.isdisjoint(self._made | self._late):
                before.append(nest)
            else:
                behind.append(nest)
                self._late |= results
        return before, behind

    def _joins(self, nest: Nest, reads: Set[Value]) -> bool:
        if not reads.isdisjoint(self._late):
            return False
        found = _pass_of(nest, self._sizes)
        if found is not None and found.rows == self._first.rows:
            if found.matrix in self._made or (not found.adds and found.vector.value in self._made):
                return False
            self.members.append(found)
            (self._late if found.adds else self._made).update(found.statement.results)
            return True
        if not self._is_over_rows(nest):
            return False
        self.members.append(nest)
        for statement in nest.statements:
            (value,) = statement.results
            (self._made if value.dims else self._late).add(value)
        return True

    def _is_over_rows(self, nest: Nest) -> bool:
        """Whether each element that it makes needs elements of the same row alone."""
        made = {value for statement in nest.statements for value in statement.results}
        for statement in nest.statements:
            run = run_of(statement, self._sizes)
            if run is None or run.dims != (self._first.rows,) or not run.whole:
                return False
            if any(x in self._made and x not in run.here for x in {*statement.reads} - made):
                return False
        return True


def _pass_of(nest: Nest, sizes: Mapping[str, int]) -> Pass | None:
    """A nest as a product of a large matrix and a vector, if it is one."""
    if len(nest.statements) > 1:
        return None
    (statement,) = nest.statements
    operation = statement.operation
    if not isinstance(operation, MatMul | TensorDot | EinSum):
        return None
    operands, output = labelled(operation)
    for (matrix, row), (vector, other) in (operands, operands[::-1]):
        if sorted(x for x in matrix.axes if x is not None) != [0, 1] or len(matrix.axes) != 2:
            continue
        if not vector.plain or len(vector.axes) != 1 or count(matrix.dims, sizes) < LARGE:
            continue
        down, across = (row[matrix.axes.index(axis)] for axis in (0, 1))
        if down != across and (other, output) in (((across,), (down,)), ((down,), (across,))):
            return Pass(statement, matrix.value, vector, adds=other == (down,))
    return None


def write_band(code: Code, band: Band) -> None:
    """The lines of a band: what is made before it, and the loop over all bands."""
    step = min(code.length(band.rows), max(1, BAND // code.length(band.columns)))
    rows = code.size(band.rows)
    start, stop = code.names.give("start"), code.names.give("stop")
    body: list[str] = []
    for member in band.members:
        if isinstance(member, Pass):
            body += _pass(code, member, (start, stop))
        else:
            body += nest_lines(code, member, (start, stop))
    end = f"const int {stop} = {start} + {step} < {rows} ? {start} + {step} : {rows};"
    head = f"for (int {start} = 0; {start} < {rows}; {start} += {step}) {{"
    code.lines += [head, *indented([end, *body]), "}"]


def _pass(code: Code, member: Pass, part: tuple[str, str]) -> list[str]:
    """The lines of a product for a part of the rows; what it makes begins before them."""
    (value,) = member.statement.results
    start, stop = part
    target = code.make(value)
    if member.adds:
        code.assign(target, "0")
    matrix, vector = code.places[member.matrix], code.place(member.vector)
    if matrix.strides[1] == ONE and code.length(vector.strides[0]) > 0:
        x = code.pointer(vector, [start] if member.adds else [])
        y = code.pointer(target, [] if member.adds else [start])
        call = applied(
            code,
            "T" if member.adds else "N",
            (f"{stop} - {start}", code.size(member.columns)),
            (code.pointer(matrix, [start]), matrix.strides[0]),
            (x, vector.strides[0]),
            (y, target.strides[0]),
            member.adds,
        )
        return [call]
    row, column = code.indices([member.rows, member.columns])
    factors = (
        code.element(matrix, [row, column]),
        code.element(vector, [row if member.adds else column]),
    )
    product = " * ".join(factors)
    rows = [(row or "", stop, start)]
    columns = code.loops([member.columns], [column])
    if member.adds:
        line = f"{code.element(target, [column])} += {product};"
        return nested(rows, ["#pragma omp simd", *nested(columns, [line])])
    sums = accumulated("sum", columns, [], product)
    return nested(rows, ["real sum = 0;", *sums, f"{code.element(target, [row])} = sum;"])
