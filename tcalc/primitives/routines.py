"""How a primitive is computed in generated code: the piece of Python that its own file holds.

A routine is a `Template`, an expression over its arguments, or an `Embedded` function, whose
source is copied into the module.  Both are written against the names `np`, `linalg`
(scipy.linalg) and `special` (scipy.special) alone, run in float32, float64 and complex128, and
conjugate nothing.  An embedded function annotates with `Array` and builtin types only.  A function
of the user's is `Supplied` to the module when it runs.

A routine states its `Work`, the floating-point operations that it takes, where these are not one
for each of its elements: arithmetic on arrays exactly, LAPACK by the leading terms of the textbook
(Golub and Van Loan, Matrix Computations, 3rd edition; LAPACK Working Note 41).
"""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import field
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias, assert_never

from tcalc.expr.dims import Dim, Shape, product
from tcalc.expr.nodes import Apply
from tcalc.expr.polynomial import Polynomial
from tcalc.expr.primitive import Primitive
from tcalc.records import dataclass

Work: TypeAlias = Callable[[Sequence[Shape], Sequence[Shape]], Polynomial]
"""The operations that a routine takes, from the shapes of its arguments and of its results."""


def elements(shape: Shape) -> Polynomial:
    """The number of elements of an array."""
    return Polynomial.of(product(shape))


def no_work(given: Sequence[Shape], made: Sequence[Shape]) -> Polynomial:
    """None: elements are moved, or taken from elsewhere."""
    return Polynomial.of(0)


def per_element(count: int, result: int = 0) -> Work:
    """So many operations for each element of the first argument, and of the first result."""
    return lambda given, made: count * elements(given[0]) + result * elements(made[0])


def of_square(cubic: Fraction | int, square: int = 0) -> Work:
    """``cubic·n³ + square·n²`` for each n × n matrix of the first argument."""

    def work(given: Sequence[Shape], made: Sequence[Shape]) -> Polynomial:
        size = elements(given[0])
        return size * given[0][-1] * Fraction(cubic) + square * size

    return work


def of_thin(long: Fraction | int, short: Fraction | int, square: int = 0) -> Work:
    """``long·m·n·p + short·p³ + square·m·n``, p = min(m, n), for each m × n matrix."""

    def work(given: Sequence[Shape], made: Sequence[Shape]) -> Polynomial:
        *batch, m, n = given[0]
        p = Polynomial.of(Dim.minimum(m, n))
        size = elements((m, n))
        one = size * p * Fraction(long) + p**3 * Fraction(short) + square * size
        return elements(tuple(batch)) * one

    return work


@dataclass(frozen=True, slots=True)
class Template:
    """An expression over positional arguments, which are put in as names: ``"np.exp({0})"``.

    `ufunc` tells that it is one call that takes ``out=``.  Without `work` each operator and each
    call in it is one operation for each element of the result.
    """

    text: str
    ufunc: bool = False
    work: Work | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Embedded:
    """A function whose source is copied into the generated module.

    It is called with the arrays, then `sizes` (dimensions, as integers), then `parameters`
    (literals).  `named` functions take a keyword ``where``, a text such as ``"chol(K)"`` with
    which their messages begin; `typed` ones, which have no array to take it from, a keyword
    ``dtype``.  `requires` are the functions that must be copied with it.  Results that are
    `fresh` are arrays of their own, which others may be written over.  One that is `elementwise`
    works element by element.  Without `work` it takes one operation for each element of its
    results.
    """

    function: Callable[..., Any]
    parameters: tuple[Any, ...] = ()
    named: bool = False
    requires: tuple[Callable[..., Any], ...] = ()
    sizes: tuple[Dim, ...] = ()
    typed: bool = False
    fresh: bool = False
    elementwise: bool = False
    work: Work | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Supplied:
    """A callable of the user's, which no module can contain: it must be given to it, by name.

    `signature` describes it in the module's docstring; two of one name must be equal.
    """

    name: str
    signature: str
    function: Callable[..., Any]


Routine: TypeAlias = Template | Embedded | Supplied


class Coded(Primitive):
    """A primitive that generated code can call.

    The others have an `expansion`, by which they are written out before code is made.
    """

    @abstractmethod
    def routine(self, node: Apply) -> Routine:
        """The code that computes `node`, chosen by what is known of its arguments."""


def routine_of(node: Apply) -> Routine:
    """The code for a node; `TypeError` for a primitive that has none."""
    if isinstance(node.primitive, Coded):
        return node.primitive.routine(node)
    raise TypeError(f"{node.primitive.name} has no code for arrays")


def work_of(routine: Routine, given: Sequence[Shape], made: Sequence[Shape]) -> Polynomial:
    """The operations of a call, from the shapes of its arguments and results.

    A function of the user's, of which nothing is known, counts one for each element it makes.

    >>> n = Dim.of("n")
    >>> print(work_of(Template("1.0 / np.sqrt({0})"), [(n, n)], [(n, n)]))
    2*n^2
    """
    match routine:
        case Template(work=None, text=text):
            return _steps(text) * elements(made[0])
        case Supplied() | Embedded(work=None):
            return sum(map(elements, made), Polynomial.of(0))
        case Template(work=work) | Embedded(work=work):
            assert work is not None
            return work(given, made)
        case _:
            assert_never(routine)


_MOVES = ("where", "broadcast_to")


@lru_cache(maxsize=512)
def _steps(text: str) -> int:
    """The operators and functions in an expression over arrays ``{0}``, ``{1}``, …."""
    tree = ast.parse(text.format(*(f"array{k}" for k in range(9))), mode="eval")
    return sum(map(_is_step, ast.walk(tree)))


def _is_step(node: ast.AST) -> bool:
    match node:
        case ast.BinOp() | ast.UnaryOp(op=ast.USub()):
            return any(isinstance(x, ast.Name) for x in ast.walk(node))
        case ast.Call(func=ast.Attribute(attr=name)):
            return name not in _MOVES
        case _:
            return False
