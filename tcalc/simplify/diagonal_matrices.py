"""Rules for functions of diagonal matrices, and for their derivatives at multiples of the unit."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise, permutations
from math import factorial

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node
from tcalc.expr.primitive import Fact
from tcalc.primitives.cholesky import Cholesky
from tcalc.primitives.determinant import Cofactors
from tcalc.primitives.expm import Expm
from tcalc.primitives.exponential import exp, log, pow_
from tcalc.primitives.inverse import Inverse
from tcalc.primitives.logdet import LogDet
from tcalc.primitives.piecewise import abs_
from tcalc.primitives.pinv import PseudoInverse
from tcalc.primitives.power import power, reciprocal0, sqrt
from tcalc.primitives.reductions import prod, prod_others
from tcalc.primitives.scalar import ARGUMENT, applied_to, scalar_derivative, split_arguments
from tcalc.primitives.slogdet import LogAbsDet
from tcalc.primitives.spectral import Spectral, symmetrised
from tcalc.primitives.sqrtm import SquareRoot
from tcalc.primitives.sylvester import Sylvester
from tcalc.simplify.coefficients import ONE
from tcalc.simplify.engine import of_functions_of
from tcalc.simplify.parts import parts_of


@of_functions_of(Inverse, PseudoInverse, Expm, Cholesky, SquareRoot, Spectral)
def function_of_diagonal(node: Apply) -> Node | None:
    """``f(diag(x)) -> diag(f(x))`` and ``f(a*I) -> f(a)*I``, with f one of numbers.

    Of inverses, exponentials, logarithms, powers, roots and Cholesky factors; of pseudo-inverses
    for the latter only.
    Example: ``expm(a*eye(n)) -> exp(a)*eye(n)``, ``inv(diag(x)) -> diag(1./x)``.
    """
    match node.primitive:
        case Inverse(axes=1):
            scalar = power(ARGUMENT, -1)
        case PseudoInverse():
            scalar = reciprocal0(ARGUMENT)
        case Expm(k=0):
            scalar = exp(ARGUMENT)
        case Cholesky() | SquareRoot():
            scalar = sqrt(ARGUMENT)
        case Spectral(k=0, scalar=scalar):
            pass
        case _:
            return None
    matrix, *parameters = node.args
    entries = entries_of_diagonal(matrix)
    if entries is None:
        return None
    if isinstance(node.primitive, PseudoInverse) and entries.order == node.order - 1:
        return None
    return _diagonal(applied_to(scalar, entries, parameters), node)


@of_functions_of(LogDet, LogAbsDet, Cofactors)
def determinant_of_diagonal(node: Apply) -> Node | None:
    """``det(diag(x)) -> prod(x)`` and ``det(a*I) -> a^n``; of logarithms, the sum.

    Example: ``logdet(a*eye(n)) -> n*log(a)`` for a positive a, else ``n*log(abs(a))``.
    """
    if not isinstance(node.primitive, LogDet | LogAbsDet) and not _is_cofactors(node, 0):
        return None
    (matrix,) = node.args
    entries = entries_of_diagonal(matrix)
    if entries is None:
        return None
    repeated = entries.order < matrix.order - 1
    size = build.size(matrix.dims[-1])
    if _is_cofactors(node, 0):
        return _raised(entries, size) if repeated else prod(entries, 1)
    positive = holds(entries, Fact.POSITIVE) is True
    logarithms = log(entries if positive else abs_(entries))
    if repeated:
        return build.hadamard(logarithms, size)
    axes = tuple(range(entries.order))
    return build.einsum([logarithms], [axes], axes[:-1])


@of_functions_of(Cofactors)
def cofactors_of_diagonal(node: Apply) -> Node | None:
    """``adj(a*I) -> a^(n-1)*I`` and ``adj(diag(x)) -> diag(prodothers(x))``.

    And of the former the derivatives, ``a^(n-2) (δ[i,j]*δ[k,l] - δ[i,l]*δ[k,j])``.
    """
    if not (_is_cofactors(node, 1) or _is_cofactors(node, 2)):
        return None
    (matrix,) = node.args
    entries = entries_of_diagonal(matrix)
    if entries is None:
        return None
    if entries.order == matrix.order - 1:
        return _diagonal(prod_others(entries, 1), node) if _is_cofactors(node, 1) else None
    unit, size = build.delta(matrix.dims[-1]), build.size(matrix.dims[-1])
    lead = tuple(range(entries.order))
    if _is_cofactors(node, 1):
        return _diagonal(_raised(entries, build.subtract(size, build.ones())), node)
    number = _raised(entries, build.subtract(size, build.const(2)))
    i, j, k, l = range(entries.order, entries.order + 4)  # noqa: E741
    one, other = (
        build.einsum([number, unit, unit], [lead, *pairs], (*lead, i, j, k, l))
        for pairs in (((i, j), (k, l)), ((i, l), (k, j)))
    )
    return build.subtract(one, other)


@of_functions_of(Expm, Spectral)
def direction_at_multiple_of_unit(node: Apply) -> Node | None:
    """``expm(a*I, E) -> exp(a)*E``, for `logm` and its like too: the unit commutes with all.

    The second derivative is ``f''(a)*(E*F + F*E)/2``.  The number of directions falls.
    """
    match node.primitive:
        case Expm(k=k) if 0 < k <= MOST_DIRECTIONS:
            scalar, count = exp(ARGUMENT), 0
        case Spectral(k=k, scalar=scalar, parameters=count) if 0 < k <= MOST_DIRECTIONS:
            pass
        case _:
            return None
    a, parameters, directions = split_arguments(node.args, count)
    number = entries_of_diagonal(a)
    if number is None or number.order == a.order - 1:
        return None
    if isinstance(node.primitive, Spectral):
        directions = tuple(map(symmetrised, directions))
    for _ in directions:
        scalar = scalar_derivative(scalar, ARGUMENT)
    slope = applied_to(scalar, number, parameters)
    lead = tuple(range(number.order))
    ends = range(number.order, number.order + k + 1)
    rows = [(*lead, *pair) for pair in pairwise(ends)]
    return build.add(
        (Fraction(1, factorial(k)), build.einsum([slope, *order], [lead, *rows], whole))
        for order in permutations(directions)
        for whole in [(*lead, ends[0], ends[-1])]
    )


MOST_DIRECTIONS = 2
"""The most directions that are multiplied, in any order."""


@of_functions_of(Sylvester)
def sylvester_with_units(node: Apply) -> Node | None:
    """``sylvester(a*I, b*I, C) -> C/(a + b)``.

    Example: the derivative of ``sqrtm(a*eye(n))`` by a is ``eye(n)/(2*sqrt(a))``.
    """
    if not isinstance(node.primitive, Sylvester):
        return None
    *matrices, c = node.args
    numbers = [entries_of_diagonal(x) for x in matrices]
    found = [x for x in numbers if x is not None and x.order == c.order - 2]
    if len(found) < 2:
        return None
    axes = tuple(range(c.order))
    return build.einsum([power(build.sum_of(*found), -1), c], [axes[:-2], axes], axes)


def entries_of_diagonal(matrix: Node) -> Node | None:
    """The x of ``diag(x)``, or the number a of ``a*I``; either has the axes before the matrix's."""
    terms = matrix.terms if isinstance(matrix, Add) else ((ONE, matrix),)
    found: list[tuple[Fraction, Node]] = []
    for c, term in terms:
        entries = _entries(term)
        if entries is None:
            return None
        found.append((c, entries))
    order = max(x.order for _, x in found)
    dims = matrix.dims[:order]
    return build.add((c, _repeated(x, dims)) for c, x in found)


def _entries(term: Node) -> Node | None:
    if isinstance(term, Delta):
        return build.ones()
    if not (isinstance(term, Einsum) and term.order > 1):
        return None
    parts = parts_of(term)
    *lead, i, j = parts.output
    units = [
        k
        for k, (factor, row) in enumerate(zip(parts.factors, parts.rows, strict=True))
        if isinstance(factor, Delta) and set(row) == {i, j}
    ]
    if len(units) != 1:
        return None
    rest = parts.replaced(units, (), ())
    rows = [tuple(i if label == j else label for label in row) for row in rest.rows]
    output = (*lead, *[i] * any(i in row for row in rows))
    entries = build.einsum(rest.factors, rows, output, parts.dims)
    return build.scale(parts.coefficient, entries)


def _repeated(entries: Node, dims: Shape) -> Node:
    """Numbers beside a vector, or along axes before it."""
    axes = tuple(range(len(dims)))
    return build.einsum([entries], [axes[: entries.order]], axes, dict(enumerate(dims)))


def _diagonal(entries: Node, like: Node) -> Node:
    """``diag(x)`` or ``a*I``, with the shape of a matrix."""
    axes = tuple(range(like.order))
    unit = build.delta(like.dims[-1])
    return build.einsum([entries, unit], [axes[: entries.order], axes[-2:]], axes)


def _raised(number: Node, exponent: Node) -> Node:
    """A power; the exponent is a number where the size is given as one."""
    if isinstance(number, Const) and number.value == 1:
        return number
    if isinstance(exponent, Const):
        return power(number, exponent.value)
    return pow_(number, build.broadcast(exponent, number.dims))


def _is_cofactors(node: Apply, k: int) -> bool:
    return isinstance(node.primitive, Cofactors) and node.primitive.k == k


RULES = (
    function_of_diagonal,
    determinant_of_diagonal,
    cofactors_of_diagonal,
    direction_at_multiple_of_unit,
    sylvester_with_units,
)
