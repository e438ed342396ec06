"""What a program costs: floating-point operations and memory, as polynomials in its sizes.

A flop is one multiplication or one addition.  So is a division, a maximum, a change of sign, and
an element-wise function of the array library such as ``exp`` (a function that is written in
several steps counts them all).  Comparing, choosing, copying, and moving elements count nothing,
nor does arithmetic on plain numbers.  A sum of n elements takes n - 1 additions; a product
``B' B`` of one array with itself is symmetric and takes half (BLAS's syrk, which NumPy calls for
it).  Factorisations and solves count by the leading terms of the textbook: Cholesky n³/3, LU
2n³/3, a triangular solve n² for each column.

Counts are those of the statements as they are written, so that they are right for all sizes once
the order of the products is chosen.  The tests run modules on arrays that count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import assert_never

from tcalc.codegen.memory import held_at_peak, owned
from tcalc.codegen.placement import written
from tcalc.codegen.program import (
    Addend,
    Argument,
    Call,
    Derived,
    Diagonal,
    EinSum,
    Extent,
    Factorise,
    Fold,
    FromFactor,
    Fused,
    MatMul,
    Number,
    Pick,
    Placed,
    Product,
    Program,
    Rows,
    Solve,
    Solver,
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
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.polynomial import Polynomial
from tcalc.primitives.routines import elements, work_of

ONE = Dim.of(1)
NOTHING = Polynomial.of(0)


def flops(program: Program) -> Polynomial:
    """The operations of all statements of a program."""
    made = {value: x.operation for x in program.statements for value in x.results}
    counts = Counter(
        polynomial
        for statement in program.statements
        if (polynomial := _Work(statement, made).count()) != NOTHING
    )
    return Polynomial.total((times, polynomial) for polynomial, times in counts.items())


def peak_elements(program: Program, sizes: Mapping[str, int]) -> Polynomial:
    """The most elements that temporaries and results take at one time, arguments not counted.

    The place of the peak is the one for the given sizes.  A temporary is taken to be dropped with
    its last use, as a module does with those that are large (`tcalc.codegen.memory.LARGE`).
    """
    shape = owned(program)
    held = held_at_peak(program, sizes, least=0)
    counts = Counter(dims for value in held if (dims := shape(value)) is not None)
    return Polynomial.total((times, elements(dims)) for dims, times in counts.items())


class _Work:
    """The operations of one statement; `made` has the operations that the values come from."""

    def __init__(self, statement: Statement, made: Mapping[Value, object]) -> None:
        self.statement = statement
        self.made = made

    def count(self) -> Polynomial:
        operation = self.statement.operation
        (result, *_) = self.statement.results
        match operation:
            case Argument() | Number() | Extent() | Typed():
                return NOTHING
            case Pick() | Rows() | Diagonal() | Spread() | Fold() | Triangle():
                return NOTHING
            case Total(source=source):
                return elements(source.dims) - elements(result.dims)
            case Product(factors=factors, divisors=divisors):
                return _pointwise((*factors, *divisors))
            case MatMul(left=left, right=right):
                each = 2 * Polynomial.of(left.dims[-1]) - 1
                whole = elements(result.dims) * each
                if not _is_gram(left, right):
                    return whole
                # One triangle, (n² + n)/2 of n² elements.
                return (whole + elements(result.dims[:-1]) * each) / 2
            case TensorDot(left=left_value, axes=(axes, _)):
                summed = elements(tuple(left_value.dims[k] for k in axes))
                return _contraction(elements(result.dims) * summed, result.dims)
            case EinSum(operands=values, subscripts=rows):
                dims = {
                    label: dim
                    for value, row in zip(values, rows, strict=True)
                    for label, dim in zip(row, value.dims, strict=True)
                }
                return _contraction(elements(tuple(dims.values())), result.dims)
            case Sum():
                return _of_sum(operation)
            case Call(routine=routine, arguments=arguments):
                given = [view.dims for view in arguments]
                return work_of(routine, given, [x.dims for x in self.statement.results])
            case Factorise(matrix=matrix):
                return _factorisation(matrix.dims, _expected(operation))
            case Solve():
                return self._solve(operation, result)
            case FromFactor(kind=kind, factor=factor):
                return self._derived(kind, factor)
            case Fused(steps=steps, axes=axes):
                last = steps[-1].results[0].dims
                summed = NOTHING if axes is None else elements(last) - elements(result.dims)
                return Polynomial.total(
                    (1, work) for work in (*(_Work(x, self.made).count() for x in steps), summed)
                )
            case _:
                assert_never(operation)

    def _factorised(self, factor: Value) -> tuple[Shape, Solver]:
        """The matrix of a factorisation."""
        operation = self.made[factor]
        assert isinstance(operation, Factorise)
        return operation.matrix.dims, _expected(operation)

    def _solve(self, operation: Solve, result: Value) -> Polynomial:
        """Two triangular solves for each column, one where the matrix is a triangle."""
        dims, solver = self._factorised(operation.factor)
        size = elements(result.dims)
        match solver:
            case Solver.DIAGONAL:
                return size
            case Solver.LOWER | Solver.UPPER if len(dims) == 2:
                return size * dims[-1]
            case Solver.GENERAL | Solver.SPD if len(dims) == 2:
                return 2 * size * dims[-1]
            case _:
                # A stack is factorised where it is solved with.
                return 2 * size * dims[-1] + elements(dims) * dims[-1] * Fraction(2, 3)

    def _derived(self, kind: Derived, factor: Value) -> Polynomial:
        dims, solver = self._factorised(factor)
        size = elements(dims)
        cube = size * dims[-1]
        match kind:
            case Derived.CHOLESKY:
                return NOTHING  # it is the factorisation
            case Derived.LOGDET if len(dims) == 2:
                return 2 * Polynomial.of(dims[-1])
            case Derived.LOGDET:
                return cube * Fraction(2, 3)
            case Derived.INVERSE if len(dims) > 2:
                return 2 * cube
            case Derived.INVERSE:
                return cube * _INVERTED[solver] + (size if solver is Solver.SPD else 0)
            case _:
                assert_never(kind)


def _expected(operation: Factorise) -> Solver:
    """How a matrix is factorised: a symmetric one is taken to prove definite, as most do."""
    general = operation.solver is Solver.GENERAL and len(operation.matrix.dims) == 2
    return Solver.SPD if general and operation.symmetric else operation.solver


_INVERTED = {
    Solver.GENERAL: Fraction(4, 3),  # getri
    Solver.SPD: Fraction(2, 3),  # potri, which leaves one triangle to be mirrored
    Solver.LOWER: Fraction(1, 3),  # trtri
    Solver.UPPER: Fraction(1, 3),
    Solver.DIAGONAL: Fraction(0),
}
"""The cubes that an inverse takes once the matrix is factorised."""


def _factorisation(dims: Shape, solver: Solver) -> Polynomial:
    if len(dims) > 2:
        return NOTHING
    cube = elements(dims) * dims[-1]
    match solver:
        case Solver.GENERAL:
            return cube * Fraction(2, 3)
        case Solver.SPD:
            return cube * Fraction(1, 3)
        case Solver.LOWER | Solver.UPPER | Solver.DIAGONAL:
            return NOTHING
        case _:
            assert_never(solver)


def _contraction(points: Polynomial, result: Shape) -> Polynomial:
    """A multiplication for each point, an addition for each that is summed away."""
    return 2 * points - elements(result)


def _is_gram(left: View, right: View) -> bool:
    """Whether the operands are one array and its transpose."""
    *lead, i, j = left.axes if len(left.axes) > 1 else (0, 0)
    return (
        left.value is right.value and len(left.axes) > 1 and i != j and right.axes == (*lead, j, i)
    )


def _broadcast(first: Shape, second: Shape) -> Shape:
    """The shape of two operands together, axes counted from the end."""
    short, long = sorted((first, second), key=len)
    lead = len(long) - len(short)
    joined = (b if a == ONE else a for a, b in zip(short, long[lead:], strict=True))
    return (*long[:lead], *joined)


def _pointwise(views: Sequence[View]) -> Polynomial:
    """A product from left to right: each factor multiplies what is there so far."""
    total = NOTHING
    dims, weak = views[0].dims, views[0].value.weak
    for view in views[1:]:
        dims, weak = _broadcast(dims, view.dims), weak and view.value.weak
        total = total if weak else total + elements(dims)
    return total


def _of_sum(total: Sum) -> Polynomial:
    """Coefficients, signs, and additions, as the NumPy target writes them."""
    addends = list(total.addends)
    count = NOTHING
    if not total.spans:
        whole = elements(total.dims)
        if len(addends) == 1 and addends[0].view.value.weak:
            addends = []  # the buffer is filled with the number
        count += sum((_scaling(x) + whole for x in addends), NOTHING)
    else:
        sizes = {abs(addend.coefficient) for addend in addends}
        if len(addends) > 1 and len(sizes) == 1 and sizes != {1}:
            # The coefficient is applied to the sum, its sign with it where all have one.
            count += elements(total.dims)
            alike = len({addend.coefficient for addend in addends}) == 1
            addends = [
                Addend(Fraction(1) if alike else x.coefficient / abs(x.coefficient), x.view)
                for x in addends
            ]
        count += sum(map(_scaling, addends), NOTHING)
        count += _pointwise([addend.view for addend in addends])
        if addends[0].coefficient == -1:
            count += _signs(addends[:1])
    for part, alone in zip(total.placed, written(total), strict=True):
        count += _scaling(part)
        if not alone:
            count += elements(_part(part, total.dims))
        elif part.coefficient == -1:
            count += _signs([part])
    return count


def _signs(terms: Iterable[Addend | Placed]) -> Polynomial:
    return sum((elements(x.view.dims) for x in terms if not x.view.value.weak), NOTHING)


def _scaling(term: Addend | Placed) -> Polynomial:
    """The multiplications by a coefficient."""
    return NOTHING if abs(term.coefficient) == 1 else _signs([term])


def _part(part: Placed, dims: Shape) -> Shape:
    """The shape of the part of a buffer that a term lies on."""
    remaining = [
        dim if index is None else index.length
        for dim, index in zip(dims, part.index, strict=True)
        if not isinstance(index, Dim)
    ]
    return tuple(dict(zip(part.labels, remaining, strict=True)).values())
