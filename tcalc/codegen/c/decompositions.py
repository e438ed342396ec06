"""Orthogonal and spectral decompositions in C: each matrix is copied, and handed to a helper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from tcalc.codegen.c.code import Code
from tcalc.codegen.c.lapack import BLOCK
from tcalc.codegen.c.loops import within
from tcalc.codegen.c.places import ONE, Place, number
from tcalc.codegen.program import Call, Statement
from tcalc.primitives.qr import thin_qr
from tcalc.primitives.routines import Embedded


def orthogonal(code: Code, statement: Statement, operation: Call) -> None:
    """Q and R, or L and Q, the triangle with a positive diagonal."""
    routine = operation.routine
    assert isinstance(routine, Embedded)
    m, n = map(code.length, operation.arguments[0].dims[-2:])
    name, fits = ("qr", m >= n) if routine.function is thin_qr else ("lq", m <= n)
    matrix = _Matrix(code, statement, operation)
    if not fits:
        code.fail("1")  # NumPy's code says which of the two to use
    matrix.call(f"decompose_{name}", [*matrix.sizes], matrix.results, (BLOCK + 1) * max(m, n))


def reflections(code: Code, statement: Statement, operation: Call) -> None:
    """R, or L, and the reflections that make up Q: V, whose columns lie one after the other."""
    assert isinstance(operation.routine, Embedded)
    (wide,) = operation.routine.parameters
    source = code.place(operation.arguments[0])
    if not wide:
        source = replace(source, dims=source.dims[::-1], strides=source.strides[::-1])
    short, long = source.dims
    if code.length(long) < code.length(short):
        code.fail("1")  # NumPy's code says which of the two to use
    triangle, value, factors, signs = statement.results
    columns = code.make(value, (short, long))
    code.copy(source, columns)
    code.places[value] = replace(columns, dims=(long, short), strides=(ONE, long))
    made = [columns, *map(code.make, (factors, signs, triangle))]
    room = code.scratch(BLOCK * code.length(short))
    arguments = [str(int(wide)), code.size(long), code.size(short), *map(code.pointer, made), room]
    code.fail(f"{code.helper('reflectors')}({', '.join(arguments)})")


def reflected_vector(code: Code, statement: Statement, operation: Call) -> None:
    """A vector multiplied by Q, or by its transpose."""
    assert isinstance(operation.routine, Embedded)
    (transposed,) = operation.routine.parameters
    vectors, factors, signs, x = map(code.place, operation.arguments)
    (value,) = statement.results
    target = code.make(value)
    long, short = vectors.dims
    (index,) = code.indices(value.dims)
    sign, given = code.element(signs, [index]), code.element(x, [index])
    if transposed:
        vector = Place(f"({code.scratch(code.length(long))})", (long,), (ONE,))
        code.copy(x, vector)
    else:
        vector = target
        code.assign(target, f"{index or 0} < {code.size(short)} ? {sign} * {given} : 0")
    pointers = map(code.pointer, (vectors, factors, vector))
    arguments = [str(int(transposed)), code.size(long), code.size(short), *pointers]
    code.lines.append(f"{code.helper('reflect')}({', '.join(arguments)});")
    if transposed:
        code.assign(target, f"{sign} * {code.element(vector, [index])}")


def symmetric(code: Code, statement: Statement, operation: Call) -> None:
    """The eigenvalues of symmetric matrices, and the eigenvectors where they are asked for."""
    matrix = _Matrix(code, statement, operation)
    matrix.element = code.symmetric_part(matrix.source, matrix.indices)
    n = code.length(matrix.source.dims[-1])
    values, vectors = (*matrix.results, "0")[:2]
    results = [values, vectors]
    matrix.call("decompose_symmetric", [matrix.sizes[1]], results, room_for_spectral(n))


def room_for_spectral(n: int) -> int:
    """For syevd 2 n² + 6 n + 1 elements, and 5 n + 3 integers."""
    return 2 * n * n + 11 * n + 4


def singular(code: Code, statement: Statement, operation: Call) -> None:
    """The singular values, and the singular vectors where they are asked for."""
    matrix = _Matrix(code, statement, operation)
    m, n = map(code.length, matrix.source.dims[-2:])
    results = matrix.results if len(matrix.results) == 3 else ["0", *matrix.results, "0"]
    matrix.call("decompose_singular", [*matrix.sizes], results, _room_for_singular(m, n))


def _room_for_singular(m: int, n: int) -> int:
    """The right vectors turned; for gesdd 5 k² + 7 k and a side, with blocks, and 8 k integers."""
    k = min(m, n)
    return n * k + 5 * k * k + 15 * k + (BLOCK + 1) * (m + n)


def by_singular(name: str) -> Callable[[Code, Statement, Call], None]:
    """A helper of some name that decomposes each matrix, in room for the factors too."""

    def written(code: Code, statement: Statement, operation: Call) -> None:
        matrix = _Matrix(code, statement, operation)
        m, n = map(code.length, matrix.source.dims[-2:])
        room = (m + n + 1) * min(m, n) + _room_for_singular(m, n)
        matrix.call(name, [*matrix.sizes], matrix.results, room)

    return written


def determinants(code: Code, statement: Statement, operation: Call) -> None:
    """The determinants, by LU factors."""
    matrix = _Matrix(code, statement, operation)
    n = code.length(matrix.source.dims[-1])
    matrix.call("determinant", [matrix.sizes[1]], matrix.results, n)


def minors(code: Code, statement: Statement, operation: Call) -> None:
    """The derivatives of determinants, by the determinants of parts of the matrices."""
    routine = operation.routine
    assert isinstance(routine, Embedded)
    matrix = _Matrix(code, statement, operation)
    n = code.length(matrix.source.dims[-1])
    sizes = [matrix.sizes[1], str(routine.parameters[0])]
    matrix.call("cofactors", sizes, matrix.results, n * n + n)


def logarithms(code: Code, statement: Statement, operation: Call) -> None:
    """The logarithms of the sizes of determinants, and their signs where these are asked for."""
    matrix = _Matrix(code, statement, operation)
    n = code.length(matrix.source.dims[-1])
    sign, logarithm = ["0", *matrix.results][-2:]
    matrix.call("signed_logarithm", [matrix.sizes[1]], [sign, logarithm], n)


def roots(code: Code, statement: Statement, operation: Call) -> None:
    """The square roots of matrices."""
    routine = operation.routine
    assert isinstance(routine, Embedded)
    matrix = _Matrix(code, statement, operation)
    n = code.length(matrix.source.dims[-1])
    # Vectors and values beside it; or two matrices, pivots, and blocks of columns.
    room = max(n * n + n + room_for_spectral(n), 2 * n * n + (BLOCK + 1) * n)
    matrix.call(routine.function.__name__, [matrix.sizes[1]], matrix.results, room)


class _Matrix:
    """A matrix, or a stack of them, of which a helper destroys a copy.

    `element` is the expression of what is copied, `results` are pointers to what is made.
    """

    def __init__(self, code: Code, statement: Statement, operation: Call) -> None:
        self.code = code
        self.source = source = code.place(operation.arguments[0])
        self.indices = code.indices(source.dims)
        self.element = code.element(source, self.indices)
        self.sizes = tuple(map(code.size, source.dims[-2:]))
        order = len(source.dims) - 2
        self.outer = self.indices[:order]
        self.results: list[str] = []
        for value in statement.results:
            if value.dims:
                self.results.append(code.pointer(code.make(value), self.outer))
            else:
                name = code.name(value)
                code.lines.append(f"real {name};")
                code.places[value] = number(name)
                self.results.append(f"&{name}")

    def call(self, name: str, sizes: Sequence[str], results: Sequence[str], room: int) -> None:
        """For each matrix of the stack a copy, and a call that takes sizes, it, results, room."""
        code = self.code
        *stack, m, n = self.source.dims
        start = code.scratch(code.length(m) * code.length(n) + room)
        behind = f"{start} + {code.size(m * n)}"
        call = f"{code.helper(name)}({', '.join([*sizes, start, *results, behind])})"
        body = [*code.copied(self.source, 2, start, self.element), f"if ({call}) return 1;"]
        code.lines += within(code.loops(stack, self.outer), body)


def gaps(code: Code, statement: Statement, operation: Call) -> None:
    """The reciprocals of differences of eigenvalues, 0 where these agree to rounding."""
    assert isinstance(operation.routine, Embedded)
    p, apart, _ = operation.routine.parameters
    _of_values(code, statement, operation, "reciprocal_gaps", [str(p), str(int(apart))])


def reciprocals(code: Code, statement: Statement, operation: Call) -> None:
    """The reciprocals of the singular values of matrices of full rank."""
    _of_values(code, statement, operation, "reciprocals", [])


def positive(code: Code, statement: Statement, operation: Call) -> None:
    """Eigenvalues as they are, which have to be positive."""
    _of_values(code, statement, operation, "positive_values", [])


def _of_values(
    code: Code, statement: Statement, operation: Call, name: str, further: Sequence[str]
) -> None:
    """A call of a helper for each vector of values."""
    source = code.place(operation.arguments[0])
    (value,) = statement.results
    *stack, n = source.dims
    target = code.make(value)
    start = code.scratch(code.length(n))
    outer = code.indices(stack)
    arguments = [code.size(n), *further, start, code.pointer(target, outer)]
    call = f"if ({code.helper(name)}({', '.join(arguments)})) return 1;"
    body = [*code.copied(source, 1, start), call]
    code.lines += within(code.loops(stack, outer), body)
