"""The straight-line form of a computation: values, and the statements that make them.

A `Value` is made once and never changes.  Statements stand in the order in which they run; each
has one operation of the closed union `Operation` and names its results.  Operands are `View`s, a
value with its axes permuted and new axes of length one put in, since those cost nothing.  Sizes are
symbolic everywhere, so that a program is right for all sizes, whatever sizes it was planned for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field, replace
from enum import Enum
from fractions import Fraction
from functools import cache
from typing import Any, TypeAlias

from tcalc.expr.dims import Dim, Shape
from tcalc.primitives.routines import Routine
from tcalc.records import dataclass


class Memory(Enum):
    """Whose memory a value lies in."""

    FRESH = "fresh"  # its own, or a part of a temporary's
    INPUT = "input"  # an argument's, or a part of it: never to be written to or handed out
    REPEATED = "repeated"  # a broadcast, whose elements share their places
    NONE = "none"  # a plain Python number, which takes on the type of what it meets


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """The result of a statement: its number, its dimensions, and where it lies."""

    number: int
    dims: Shape
    memory: Memory = Memory.FRESH

    @property
    def weak(self) -> bool:
        """Whether it is a Python number, without a type of its own."""
        return self.memory is Memory.NONE


@cache
def first_axes(count: int) -> tuple[int, ...]:
    """The first axes, one tuple for each count of them."""
    return tuple(range(count))


@dataclass(frozen=True, slots=True)
class View:
    """A value as an operand: for each axis the axis of the value, or None for a new one."""

    value: Value
    axes: tuple[int | None, ...]

    @staticmethod
    def of(value: Value) -> View:
        return View(value, first_axes(len(value.dims)))

    @property
    def plain(self) -> bool:
        """Whether it is the value as it is."""
        return self.axes == first_axes(len(self.value.dims))

    @property
    def dims(self) -> Shape:
        return tuple(Dim.of(1) if axis is None else self.value.dims[axis] for axis in self.axes)


@dataclass(frozen=True, slots=True)
class Slice:
    """The places ``start + 1 .. start + length`` of an axis."""

    start: Dim
    length: Dim


Index: TypeAlias = "Dim | Slice | None"
"""Of one axis: one place, counted from 0; a stretch; or all of it."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An input of the program."""

    name: str


@dataclass(frozen=True, slots=True)
class Number:
    """An exact number, written where it is used."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Extent:
    """A size as a number, written where it is used."""

    dim: Dim


@dataclass(frozen=True, slots=True)
class Pick:
    """Elements and slices of a value, one index for each axis."""

    source: Value
    index: tuple[Index, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """The parts of a value along its first axis, each a result."""

    source: Value


@dataclass(frozen=True, slots=True)
class Diagonal:
    """The elements with equal places on axes that share a label."""

    source: Value
    labels: tuple[int, ...]
    output: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Spread:
    """A value repeated along the axes where it has length one."""

    source: View
    dims: Shape


@dataclass(frozen=True, slots=True)
class Fold:
    """The same elements in another shape, in the order of a row-major walk."""

    source: View
    dims: Shape


@dataclass(frozen=True, slots=True)
class Total:
    """The sum over some axes."""

    source: Value
    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Triangle:
    """The elements of the last two axes with column <= row + offset, or >=; zeros elsewhere."""

    source: View
    offset: Dim
    lower: bool


@dataclass(frozen=True, slots=True)
class Product:
    """The element-wise product of operands that broadcast against each other, over divisors."""

    factors: tuple[View, ...]
    divisors: tuple[View, ...] = ()


@dataclass(frozen=True, slots=True)
class MatMul:
    """The matrix product over the last axis of one operand and the last but one of the other."""

    left: View
    right: View


@dataclass(frozen=True, slots=True)
class TensorDot:
    """The sum of products over pairs of axes."""

    left: Value
    right: Value
    axes: tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class EinSum:
    """The general contraction of two values, where nothing shorter says it."""

    operands: tuple[Value, ...]
    subscripts: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Addend:
    """A term of a sum."""

    coefficient: Fraction
    view: View


@dataclass(frozen=True, slots=True)
class Placed:
    """A term that lies on a part of the result only.

    `index` cuts the part out of the result; `labels` name the axes that remain, equal ones for a
    diagonal, and `view` has an axis for each label, in the order in which they first appear.
    """

    coefficient: Fraction
    view: View
    index: tuple[Index, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """Terms added up in a fresh buffer: whole ones first, then those on parts of it.

    Where the addends do not span all axes (`spans` is false), the buffer begins as zeros.
    """

    dims: Shape
    addends: tuple[Addend, ...]
    placed: tuple[Placed, ...] = ()
    spans: bool = True


def at_most(low: Dim, high: Dim) -> bool:
    """Whether ``low <= high`` holds for all sizes, as the coefficients tell."""
    below = dict(low.terms)
    # All coefficients of the difference, without making it: parts of a sum are compared often.
    enough = all(coefficient >= below.pop(name, 0) for name, coefficient in high.terms)
    return enough and all(coefficient <= 0 for coefficient in below.values())


@dataclass(frozen=True, slots=True)
class Call:
    """The routine of a primitive."""

    routine: Routine
    arguments: tuple[View, ...]
    where: str = ""


class Solver(Enum):
    """How a square system is solved."""

    GENERAL = "general"
    SPD = "spd"
    LOWER = "lower"
    UPPER = "upper"
    DIAGONAL = "diagonal"


@dataclass(frozen=True, slots=True)
class Factorise:
    """A matrix prepared for solving; the value is opaque, and only `Solve` reads it.

    A triangular matrix is its own factorisation.  A `symmetric` one whose solver is the general
    one is not known to be definite.
    """

    matrix: View
    solver: Solver
    where: str
    symmetric: bool = False


@dataclass(frozen=True, slots=True)
class Solve:
    """``inv(A) B``, or ``inv(A') B``, by a factorisation of A.

    B has the batch axes of A, then the rows, then columns if `columns`.
    """

    factor: Value
    right: View
    solver: Solver
    transposed: bool
    columns: bool
    where: str = ""


class Derived(Enum):
    """What else a factorisation gives."""

    INVERSE = "inverse"
    LOGDET = "logdet"
    CHOLESKY = "cholesky"


@dataclass(frozen=True, slots=True)
class FromFactor:
    """The inverse, the determinant's logarithm, or the Cholesky factor of a factorised matrix."""

    kind: Derived
    factor: Value
    where: str
    solver: Solver = Solver.GENERAL


@dataclass(frozen=True, slots=True)
class Typed:
    """A Python number given the type of the program's arrays."""

    source: Value


@dataclass(frozen=True, slots=True)
class Fused:
    """Element-wise statements as one, the last one's result being the only one seen outside.

    `axes` are then summed over, if there are any.  The numbers among the `steps` are literals.
    """

    steps: tuple[Statement, ...]
    axes: tuple[int, ...] | None = None


Operation: TypeAlias = (
    Argument
    | Number
    | Extent
    | Pick
    | Rows
    | Diagonal
    | Spread
    | Fold
    | Total
    | Triangle
    | Product
    | MatMul
    | TensorDot
    | EinSum
    | Sum
    | Call
    | Factorise
    | Solve
    | FromFactor
    | Typed
    | Fused
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One operation and the values it makes (several only for a `Call`); a remark for readers.

    `reads` are the operands of the operation.
    """

    results: tuple[Value, ...]
    operation: Operation
    remark: str = ""
    reads: tuple[Value, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reads", operands(self.operation))


@dataclass(frozen=True, slots=True)
class Output:
    """A result: a view, to be `copied` where it is not ours to give away.

    It may have to be `contiguous` besides, and many are so without a copy.
    """

    view: View
    copied: bool
    contiguous: bool = False


@dataclass(frozen=True, slots=True)
class Requirement:
    """What sizes must satisfy for a selection to exist: ``low <= high``."""

    low: Dim
    high: Dim


@dataclass(frozen=True, slots=True)
class Program:
    """A straight line: its statements in order, its results, and what it needs to hold.

    `tuned` tells whether the sizes that it was planned for made a difference.  `hints` has names
    for values that the user's program named.  The first `prepared` statements depend on bound
    arguments alone.  The values that are `sparse` matrices are known; results are
    written over what is no longer needed where `in_place`; on a `device` only where that saves a
    copy.
    """

    statements: tuple[Statement, ...]
    outputs: tuple[Output, ...]
    requirements: tuple[Requirement, ...] = ()
    hints: dict[Value, str] = field(default_factory=dict)
    tuned: bool = False
    prepared: int = 0
    sparse: frozenset[Value] = frozenset()
    in_place: bool = True
    device: bool = False
    #: What analyses have found; see `tcalc.codegen.memory`.
    found: dict[object, Any] = field(default_factory=dict, init=False, repr=False, compare=False)


def operands(operation: Operation) -> tuple[Value, ...]:
    """The values that an operation reads."""
    match operation:
        # The most frequent ones first: a program has thousands of statements.
        case MatMul(left=left, right=right):
            return (left.value, right.value)
        case Sum(addends=addends, placed=placed):
            return (*(x.view.value for x in addends), *(x.view.value for x in placed))
        case Product(factors=factors, divisors=divisors):
            return tuple([view.value for view in (*factors, *divisors)])
        case Call(arguments=arguments):
            return tuple([view.value for view in arguments])
        case Solve(factor=factor, right=right_side):
            return (factor, right_side.value)
        case Argument() | Number() | Extent():
            return ()
        case Pick(source=source) | Diagonal(source=source) | Total(source=source):
            return (source,)
        case Rows(source=source):
            return (source,)
        case Spread(source=view) | Fold(source=view) | Triangle(source=view):
            return (view.value,)
        case Typed(source=source):
            return (source,)
        case FromFactor(factor=factor):
            return (factor,)
        case TensorDot(left=first, right=second):
            return (first, second)
        case EinSum(operands=values):
            return values
        case Factorise(matrix=matrix):
            return (matrix.value,)
        case Fused(steps=steps):
            inside = {value for step in steps for value in step.results}
            read = (value for step in steps for value in operands(step.operation))
            return tuple(value for value in dict.fromkeys(read) if value not in inside)


def unused_number(program: Program) -> int:
    """The least number above those of all values."""
    return 1 + max((x.number for s in program.statements for x in s.results), default=0)


def rewritten(program: Program, parts: Iterable[Sequence[Statement]]) -> Program:
    """The program with, in the place of each of its statements, those of the next of the parts.

    What takes the place of statements that were prepared beforehand is prepared as well.
    """
    statements: list[Statement] = []
    prepared = 0
    for place, part in enumerate(parts, 1):
        statements += part
        if place == program.prepared:
            prepared = len(statements)
    return replace(program, statements=tuple(statements), prepared=prepared)


def without_unused(program: Program) -> Program:
    """The program without the statements whose results nobody reads."""
    needed = {output.view.value for output in program.outputs}
    kept: list[Statement] = []
    for statement in reversed(program.statements):
        if not needed.isdisjoint(statement.results):
            needed.update(statement.reads)
            kept.append(statement)
    return replace(program, statements=tuple(reversed(kept)))
