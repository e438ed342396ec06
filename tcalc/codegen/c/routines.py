"""The routines of primitives that are more than one expression for each element.

What is not here has no code in C: it is rarely needed of small arrays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, assert_never

from tcalc.codegen.c import convolutions, indicators, shifts
from tcalc.codegen.c.code import Code
from tcalc.codegen.c.decompositions import (
    by_singular,
    determinants,
    gaps,
    logarithms,
    minors,
    orthogonal,
    positive,
    reciprocals,
    reflected_vector,
    reflections,
    roots,
    singular,
    symmetric,
)
from tcalc.codegen.c.differences import differences, points
from tcalc.codegen.c.distances import are_abreast, distance
from tcalc.codegen.c.elementwise import accumulated, number_of, repeated
from tcalc.codegen.c.loops import indented, nested
from tcalc.codegen.c.matrix_functions import exponential, sylvester
from tcalc.codegen.c.places import Place, is_row_major, row_major
from tcalc.codegen.c.systems import (
    factorised,
    inverted,
    inverted_triangle,
    logarithm,
    require_diagonal,
)
from tcalc.codegen.program import Call, Solver, Statement
from tcalc.codegen.targets.kernels import FUNCTIONS
from tcalc.errors import UnsupportedError
from tcalc.expr.dims import Dim, product
from tcalc.primitives.cholesky import cholesky
from tcalc.primitives.determinant import cofactors, determinant
from tcalc.primitives.distances import squared_distances
from tcalc.primitives.divided_differences import divided_differences, simplex_points
from tcalc.primitives.eigh import reciprocal_gaps, symmetric_eigen, symmetric_eigenvalues
from tcalc.primitives.expm import exponential_derivative, matrix_exponential
from tcalc.primitives.inverse import inverse, inverse_diagonal, inverse_spd, inverse_triangular
from tcalc.primitives.kron import kronecker, merge_axes, split_axes, stacked_columns
from tcalc.primitives.logdet import log_determinant, log_determinant_spd
from tcalc.primitives.norms import euclidean_norm
from tcalc.primitives.pinv import pseudo_inverse
from tcalc.primitives.polar import nuclear_norm, polar_factor
from tcalc.primitives.qr import thin_lq, thin_qr
from tcalc.primitives.reductions import products_of_others, share_of_extremum
from tcalc.primitives.reflectors import reflected, reflectors
from tcalc.primitives.routines import Embedded, Routine, Supplied, Template
from tcalc.primitives.selection import lower_mask, running_sums, unit_vector, window_matrix
from tcalc.primitives.slogdet import log_absolute_determinant, sign_and_logarithm
from tcalc.primitives.softmax import log_sum_exp, soft_max
from tcalc.primitives.spectral import positive_eigenvalues
from tcalc.primitives.sqrtm import square_root, square_root_symmetric
from tcalc.primitives.svd import singular_decomposition, singular_reciprocals, singular_values
from tcalc.primitives.sylvester import sylvester_solve, sylvester_symmetric

Written: TypeAlias = Callable[[Code, Statement, Call], None]


def call(code: Code, statement: Statement, operation: Call) -> None:
    """The lines of a routine.

    Raises `UnsupportedError` for one that has none in C.
    """
    match operation.routine:
        case Template(text=text) if text.startswith(tuple(REDUCTIONS)):
            name = text.partition("(")[0]
            _reduced(code, statement, operation, name)
        case Embedded(function=function) if has_code(operation.routine):
            ROUTINES[function](code, statement, operation)
        case Embedded(function=function):
            named = operation.where.partition("(")[0] or function.__name__.replace("_", " ")
            raise refused(named)
        case Template(text=text):
            called = re.findall(r"(?:np|special)\.\w+", text)
            raise refused(next((x for x in called if x not in KNOWN), "a function"))
        case Supplied(name=name):
            raise refused(f"the function {name}, which comes from outside")
        case _:
            assert_never(operation.routine)


KNOWN = {"np.asarray", "np.result_type", *FUNCTIONS}
"""The functions of NumPy and SciPy that C has too: the first beyond them is what is missing."""


def refused(what: str) -> UnsupportedError:
    """The error for what C has no code for."""
    return UnsupportedError(f"there is no C code for {what}", hint='compile with backend="numpy"')


REDUCTIONS = {
    "np.prod": ("1", "{0} *= {1};"),
    "np.max": ("-INFINITY", "{0} = {1} > {0} || {1} != {1} ? {1} : {0};"),
    "np.min": ("INFINITY", "{0} = {1} < {0} || {1} != {1} ? {1} : {0};"),
}
"""What a reduction begins with, and how it takes one element more."""


def has_code(routine: Routine) -> bool:
    """Whether a routine that is not one expression for each element has code in C."""
    match routine:
        case Template(text=text):
            return text.startswith(tuple(REDUCTIONS))
        case Embedded(function=function):
            return function in ROUTINES
        case _:
            return False


def _over(operation: Call, order: int) -> tuple[int, ...]:
    """The axes that a reduction goes over."""
    match operation.routine:
        case Template(text=text):
            given = text.rpartition("axis=")[2].strip(" ()").rstrip(",")
            axes = tuple(int(x) for x in given.split(","))
        case Embedded(parameters=(tuple() as axes, *_)):
            pass
        case Embedded(parameters=(int(count),)):
            axes = tuple(range(-count, 0))
        case _:
            raise AssertionError("a reduction")
    return tuple(axis % order for axis in axes)


class _Reduction:
    """A function over the last axes of an array, for each index of the others."""

    def __init__(self, code: Code, statement: Statement, operation: Call) -> None:
        self.code = code
        (self.value,) = statement.results
        self.source = code.place(operation.arguments[0])
        dims = self.source.dims
        axes = _over(operation, len(dims))
        self.indices = code.indices(dims)
        self.element = code.element(self.source, self.indices)
        kept = [k for k in range(len(dims)) if k not in axes]
        self.outer = code.loops([dims[k] for k in kept], [self.indices[k] for k in kept])
        self.inner = code.loops([dims[k] for k in axes], [self.indices[k] for k in axes])
        self.kept = [self.indices[k] for k in kept]

    def extremum(self, name: str, kind: str) -> list[str]:
        """Lines that find the largest element, or the smallest."""
        start, step = REDUCTIONS[kind]
        return [
            f"real {name} = {start};",
            *nested(self.inner, [step.format(name, self.element)]),
        ]

    def write(self, lines: Sequence[str], text: str) -> None:
        """For each index of the other axes some lines, and the value of an expression."""
        if not self.value.dims:
            number_of(self.code, self.value, lines, text)
            return
        place = self.code.element(self.code.make(self.value), self.kept)
        self.code.lines += nested(self.outer, [*lines, f"{place} = {text};"])


def _reduced(code: Code, statement: Statement, operation: Call, kind: str) -> None:
    reduction = _Reduction(code, statement, operation)
    reduction.write(reduction.extremum("found", kind), "found")


def _norm(code: Code, statement: Statement, operation: Call) -> None:
    """A norm, of numbers divided by a power of two where their squares leave the range."""
    reduction = _Reduction(code, statement, operation)
    x, inner = reduction.element, reduction.inner
    squares = accumulated("sum", inner, [], f"{x} * {x}")
    divided = accumulated("sum", inner, [f"const real part = {x} / scale;"], "part * part")
    again = ["scale = ldexp(1, ilogb(top));", "sum = 0;", *divided]
    lines = [
        "real sum = 0, scale = 1;",
        *squares,
        f"if (!{code.helper('in_range')}(sum)) {{",
        *indented(["real top = 0;", *nested(inner, [f"top = fabs({x}) > top ? fabs({x}) : top;"])]),
        *indented(["if (top > 0 && isfinite(top)) {", *indented(again), "}"]),
        "}",
    ]
    reduction.write(lines, "sqrt(sum) * scale")


def _log_sum_exp(code: Code, statement: Statement, operation: Call) -> None:
    reduction = _Reduction(code, statement, operation)
    terms = accumulated("sum", reduction.inner, [], f"exp({reduction.element} - top)")
    lines = [
        *reduction.extremum("top", "np.max"),
        "if (!isfinite(top)) top = 0;",
        "real sum = 0;",
        *terms,
    ]
    reduction.write(lines, "log(sum) + top")


def _soft_max(code: Code, statement: Statement, operation: Call) -> None:
    reduction = _Reduction(code, statement, operation)
    target = code.make(reduction.value)
    made = code.element(target, reduction.indices)
    lines = [
        *reduction.extremum("top", "np.max"),
        "double sum = 0;",  # one after the other, of which floats would lose digits
        *nested(reduction.inner, [f"{made} = exp({reduction.element} - top);", f"sum += {made};"]),
        "const real whole = sum;",
        *nested(reduction.inner, [f"{made} /= whole;"]),
    ]
    code.lines += nested(reduction.outer, lines)


def _share(code: Code, statement: Statement, operation: Call) -> None:
    assert isinstance(operation.routine, Embedded)
    _, largest = operation.routine.parameters
    reduction = _Reduction(code, statement, operation)
    target = code.make(reduction.value)
    made = code.element(target, reduction.indices)
    at_top = f"{reduction.element} == top"
    lines = [
        *reduction.extremum("top", "np.max" if largest else "np.min"),
        "real count = 0;",
        *nested(reduction.inner, [f"count += {at_top};"]),
        *nested(reduction.inner, [f"{made} = count > 0 ? ({at_top}) / count : NAN;"]),
    ]
    code.lines += nested(reduction.outer, lines)


def _others(code: Code, statement: Statement, operation: Call) -> None:
    """For each element the product of all before it, and then of all behind it."""
    reduction = _Reduction(code, statement, operation)
    target = code.make(reduction.value)
    made = code.element(target, reduction.indices)
    behind = {x: f"({end} - 1 - {x})" for x, end, *_ in reduction.inner}
    mirrored = [behind.get(x or "", x) for x in reduction.indices]
    last, other = (code.element(place, mirrored) for place in (target, reduction.source))
    lines = [
        "real product = 1;",
        *nested(reduction.inner, [f"{made} = product;", f"product *= {reduction.element};"]),
        "product = 1;",
        *nested(reduction.inner, [f"{last} *= product;", f"product *= {other};"]),
    ]
    code.lines += nested(reduction.outer, lines)


def _distances(code: Code, statement: Statement, operation: Call) -> None:
    target = code.make(statement.results[0])
    indices = code.indices(target.dims)
    lines, text = distance(code, operation, indices)
    body = [*lines, f"{code.element(target, indices)} = {text};"]
    loops = code.loops(target.dims, indices)
    abreast = are_abreast(operation, code.known)
    code.lines += repeated(loops, body, []) if abreast else nested(loops, body)


def _cholesky(code: Code, statement: Statement, operation: Call) -> None:
    (value,) = statement.results
    source = code.place(operation.arguments[0])
    text = code.symmetric_part(source, code.indices(source.dims))
    factorised(code, value, source.dims, Solver.SPD, text)


def _inverse(code: Code, statement: Statement, operation: Call) -> None:
    routine = operation.routine
    assert isinstance(routine, Embedded)
    (value,) = statement.results
    source = code.place(operation.arguments[0])
    if routine.function is inverse_triangular:
        inverted_triangle(
            code, value, source, Solver.LOWER if routine.parameters[0] else Solver.UPPER
        )
        return
    solver = Solver.SPD if routine.function is inverse_spd else Solver.GENERAL
    if routine.function is inverse and routine.parameters[0] > 1:
        source = _as_matrices(code, source, routine.parameters[0])
    element = code.element(source, code.indices(source.dims))
    factor = _aside(code, source.dims, solver, element)
    inverted(code, value, factor, solver)


def _as_matrices(code: Code, source: Place, axes: int) -> Place:
    """Tensors whose last axes are those of matrices, several for rows and as many for columns."""
    n = product(source.dims[-axes:])
    dims = (*source.dims[: -2 * axes], n, n)
    if not is_row_major(source, code.known):
        copy = code.make(code.aside(source.dims))
        code.copy(source, copy)
        source = copy
    return replace(source, dims=dims, strides=row_major("", dims).strides)


def _aside(code: Code, dims: Sequence[Dim], solver: Solver, element: str) -> Place:
    """The factors of matrices, for the statement that is being written alone."""
    return factorised(code, code.aside(dims), tuple(dims), solver, element)


def _logdet(code: Code, statement: Statement, operation: Call) -> None:
    assert isinstance(operation.routine, Embedded)
    (value,) = statement.results
    source = code.place(operation.arguments[0])
    element = code.element(source, code.indices(source.dims))
    definite = operation.routine.function is log_determinant_spd
    solver = Solver.SPD if definite else Solver.GENERAL
    factor = _aside(code, source.dims, solver, element)
    logarithm(code, value, factor, solver)


def _inverse_of_diagonal(code: Code, statement: Statement, operation: Call) -> None:
    (value,) = statement.results
    source = code.place(operation.arguments[0])
    require_diagonal(code, source)
    target = code.make(value)
    code.assign(target, "0")
    *outer, row, _ = code.indices(source.dims)
    at = [*outer, row, row]
    line = f"{code.element(target, at)} = 1 / {code.element(source, at)};"
    code.lines += nested(code.loops(source.dims[:-1], [*outer, row]), [line])


def _reshaped(code: Code, statement: Statement, operation: Call) -> None:
    """The elements of an array in the order of its rows, as an array of other axes."""
    routine = operation.routine
    assert isinstance(routine, Embedded)
    (value,) = statement.results
    source = code.place(operation.arguments[0])
    if routine.function is stacked_columns:
        order = len(source.dims)
        turned = (*range(order - 2), order - 1, order - 2)
        source = replace(
            source,
            dims=tuple(source.dims[k] for k in turned),
            strides=tuple(source.strides[k] for k in turned),
        )
    target = code.make(value)
    code.copy(source, row_major(target.name, source.dims))


def _kronecker(code: Code, statement: Statement, operation: Call) -> None:
    routine = operation.routine
    assert isinstance(routine, Embedded)
    (core,) = routine.parameters
    (value,) = statement.results
    first, second = map(code.place, operation.arguments)
    lead = len(first.dims) - core
    target = code.make(value)
    outer = first.dims[:lead]
    dims = (
        *outer,
        *(x for pair in zip(first.dims[lead:], second.dims[lead:], strict=True) for x in pair),
    )
    indices = code.indices(dims)
    a = [*indices[:lead], *indices[lead::2]]
    b = [*indices[:lead], *indices[lead + 1 :: 2]]
    text = f"{code.element(first, a)} * {code.element(second, b)}"
    whole = row_major(target.name, dims)
    line = f"{code.element(whole, indices)} = {text};"
    code.lines += nested(code.loops(dims, indices), [line])


def _mask(code: Code, statement: Statement, operation: Call) -> None:
    """Arrays of ones and zeros that the sizes decide."""
    routine = operation.routine
    assert isinstance(routine, Embedded)
    (value,) = statement.results
    target = code.make(value)
    indices = code.indices(value.dims)
    names = [x or "0" for x in indices]
    if routine.function is lower_mask:
        *_, shift = routine.sizes
        code.assign(target, f"{names[1]} <= {names[0]} + {code.size(shift)}")
    elif routine.function is unit_vector:
        code.assign(target, f"{names[0]} + 1 == {code.size(routine.sizes[0])}")
    else:
        code.assign(target, f"{names[1]} + 1 == {names[0]} + {code.size(routine.sizes[0])}")


def _running_sums(code: Code, statement: Statement, operation: Call) -> None:
    """Sums along an axis up to each place, or from each on, in double precision."""
    routine = operation.routine
    assert isinstance(routine, Embedded)
    axis, backwards, strict = routine.parameters
    (value,) = statement.results
    source = code.place(operation.arguments[0])
    target = code.make(value)
    indices = code.indices(source.dims)
    axis += len(indices)
    along, outer = indices[axis], [*indices]
    del outer[axis]
    dims = (*source.dims[:axis], *source.dims[axis + 1 :])
    if along is not None and backwards:
        indices[axis] = "place"
    place = [f"const int place = {code.size(source.dims[axis])} - 1 - {along};"]
    steps = [
        f"sum += {code.element(source, indices)};",
        f"{code.element(target, indices)} = (real)sum;",
    ]
    body = [*(place if indices[axis] == "place" else []), *(steps[::-1] if strict else steps)]
    inner = code.loops([source.dims[axis]], [along])
    code.lines += nested(code.loops(dims, outer), ["double sum = 0;", *nested(inner, body)])


ROUTINES: Mapping[Callable[..., Any], Written] = {
    cholesky: _cholesky,
    cofactors: minors,
    determinant: determinants,
    divided_differences: differences,
    euclidean_norm: _norm,
    exponential_derivative: exponential,
    inverse: _inverse,
    inverse_diagonal: _inverse_of_diagonal,
    inverse_spd: _inverse,
    inverse_triangular: _inverse,
    kronecker: _kronecker,
    log_absolute_determinant: logarithms,
    log_determinant: _logdet,
    log_determinant_spd: _logdet,
    log_sum_exp: _log_sum_exp,
    lower_mask: _mask,
    matrix_exponential: exponential,
    merge_axes: _reshaped,
    nuclear_norm: by_singular("nuclear_norm"),
    polar_factor: by_singular("polar_factor"),
    positive_eigenvalues: positive,
    products_of_others: _others,
    pseudo_inverse: by_singular("pseudo_inverse"),
    reciprocal_gaps: gaps,
    reflected: reflected_vector,
    reflectors: reflections,
    running_sums: _running_sums,
    share_of_extremum: _share,
    sign_and_logarithm: logarithms,
    simplex_points: points,
    singular_decomposition: singular,
    singular_reciprocals: reciprocals,
    singular_values: singular,
    soft_max: _soft_max,
    split_axes: _reshaped,
    square_root: roots,
    square_root_symmetric: roots,
    squared_distances: _distances,
    stacked_columns: _reshaped,
    sylvester_solve: sylvester,
    sylvester_symmetric: sylvester,
    symmetric_eigen: symmetric,
    symmetric_eigenvalues: symmetric,
    thin_lq: orthogonal,
    thin_qr: orthogonal,
    unit_vector: _mask,
    window_matrix: _mask,
    **indicators.ROUTINES,
    **shifts.ROUTINES,
    **convolutions.ROUTINES,
}
"""How the functions of the primitives' files are written in C."""
