"""Rules for functions that are linear in an argument: derivatives of functions of matrices.

And solutions of Sylvester's equation, which are linear in its right-hand side.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from tcalc.expr import build
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Add, Apply, Delta, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.expr.traverse import postorder
from tcalc.primitives.expm import Expm, expm
from tcalc.primitives.inverse import Inverse
from tcalc.primitives.matrices import transpose
from tcalc.primitives.scalar import ARGUMENT, scalar_derivative, split_arguments
from tcalc.primitives.spectral import Spectral, spectral
from tcalc.primitives.sylvester import Sylvester, sylvester
from tcalc.records import dataclass
from tcalc.simplify.coefficients import product_of
from tcalc.simplify.collected import scalars_of
from tcalc.simplify.engine import of_functions_of, of_products_having, rewrite
from tcalc.simplify.parts import Parts, parts_of, piece, pieces
from tcalc.simplify.products import multiplied_out


@of_functions_of(Expm, Spectral, Sylvester)
def scalar_out_of_direction(node: Apply) -> Node | None:
    """``expm(A, a*E) -> a*expm(A, E)``, the same for ``logm`` and its like, and for ``sylvester``.

    The number of scalars in such arguments falls.
    Example: ``expm(A, eye(n)/tr(A)) -> expm(A)/tr(A)``.
    """
    if node.order != 2:
        return None
    for place in _linear_in(node):
        c, core = product_of(node.args[place])
        parts = parts_of(core)
        scalars = scalars_of(parts)
        if not scalars:
            continue
        number, _ = piece(parts, scalars, ())
        rest = parts.replaced(scalars, (), ())
        tensor = build.einsum(rest.factors, rest.rows, rest.output, rest.dims)
        args = [*node.args[:place], tensor, *node.args[place + 1 :]]
        whole = build.einsum([_applied(node, args), number], ["ij", ""], "ij")
        return build.scale(c * parts.coefficient, whole)
    return None


def _linear_in(node: Apply) -> Sequence[int]:
    """The places of the arguments that a function of matrices is linear in."""
    match node.primitive:
        case Expm(k=k):
            return range(1, k + 1)
        case Spectral(parameters=parameters):
            return range(1 + parameters, len(node.args))
        case Sylvester():
            return (2,)
    return ()


def _applied(node: Apply, args: Sequence[Node]) -> Node:
    match node.primitive:
        case Expm():
            return expm(*args)
        case Spectral(scalar=scalar, parameters=count):
            a, parameters, directions = split_arguments(args, count)
            return spectral(scalar, a, parameters, directions)
        case _:
            return sylvester(*args)


@of_functions_of(Spectral)
def commuting_direction(node: Apply) -> Node | None:
    """``logm(A, f(A)) -> inv(A)*f(A)`` for a symmetric A, and other functions of A likewise.

    The direction commutes with A: a function of it, a product or a sum of such.  The number of
    directions falls.  Example: the gradient of ``norm2(logm(K))^2`` is ``2*inv(K)*logm(K)``.
    """
    match node.primitive:
        case Spectral(k=1, scalar=scalar, parameters=count) if node.order == 2:
            a, parameters, (direction,) = split_arguments(node.args, count)
            if not symmetric_axes(a) or not _commutes(direction, a):
                return None
            slope = spectral(scalar_derivative(scalar, ARGUMENT), a, parameters)
            return build.einsum([slope, direction], ["ij", "jk"], "ik")
    return None


@of_functions_of(Expm)
def direction_along_matrix(node: Apply) -> Node | None:
    """``expm(a*A, b*A) -> b*A*expm(a*A)``: a multiple of the matrix commutes with it.

    Where all directions are multiples of the matrix; none is left.
    Example: the derivative of ``expm(t*A)`` by t is ``A*expm(t*A)``.
    """
    match node:
        case Apply(primitive=Expm(k=k), args=(a, *directions)) if k:
            found = [_as_multiple(direction) for direction in directions]
            product = _times_exponential(a, found)
            if product is None:
                return None
            factors, rows = product
            lead = tuple(range(node.order - 2))
            dims = dict(zip(lead, node.dims, strict=False))
            return build.einsum(factors, rows, (*lead, START, END), dims)
    return None


@of_products_having(Expm)
def direction_out_of_trace(node: Einsum) -> Node | None:
    """``tr(A*expm(a*A, B)) -> tr(B*A*expm(a*A))``, and where further directions are multiples of A.

    The derivative is its own adjoint, but for transposes; no direction is left.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        if not (isinstance(factor, Apply) and isinstance(factor.primitive, Expm)):
            continue
        *lead, i, j = row = parts.rows[k]
        (together,) = (places for places in pieces(parts, lead) if k in places)
        beside = [place for place in together if place != k]
        labels = {label for place in together for label in parts.rows[place]}
        kept = {i, j}.intersection(lead) or labels.difference(lead).intersection(parts.output)
        if not factor.primitive.k or len(set(row)) < len(row) or kept:
            continue
        rows = [parts.rows[place] for place in beside]
        factors = [parts.factors[place] for place in beside]
        matrix = build.einsum(factors, rows, (*lead, j, i), parts.dims)
        a, *directions = factor.args
        for m, other in enumerate(directions):
            along = [*directions[:m], *directions[m + 1 :], matrix]
            product = _times_exponential(a, [_as_multiple(x) for x in along])
            if product is not None:
                own = tuple(range(len(lead)))
                trace = build.einsum([other, *product[0]], [(*own, END, START), *product[1]], own)
                return parts.replaced(together, (trace,), (tuple(lead),)).build()
    return None


MOST_TERMS = 64
"""The most terms that come of sums with directions, which second derivatives have two of."""


@of_products_having(Add)
def directions_out_of_sum(node: Einsum) -> Node | None:
    """``tr(A*(expm(a*A, B) + C)) -> tr(A*expm(a*A, B)) + tr(A*C)``, for `direction_out_of_trace`.

    No longer in itself; but the directions in the traces may go.
    """
    parts = parts_of(node)
    sums = [
        (k, len(factor.terms))
        for k, factor in enumerate(parts.factors)
        if isinstance(factor, Add) and any(map(_has_direction, factor.operands))
    ]
    if not sums or prod(count for _, count in sums) > MOST_TERMS:
        return None
    return multiplied_out(parts, sums[0][0])


def _has_direction(term: Node) -> bool:
    """Whether a derivative of an exponential is a factor of a term, if only turned."""
    return any(map(_is_derivative, parts_of(term).factors))


START, END = -1, -2
"""The labels of a matrix that is a chain of factors."""


def _times_exponential(
    a: Node, directions: Sequence[_Multiple | None]
) -> tuple[list[Node], list[Labels]] | None:
    """``b A c A ... expm(a)`` as factors, where a and the directions are multiples of one A."""
    base = _as_multiple(a)
    if base is None:
        return None
    factors: list[Node] = []
    rows: list[Labels] = []
    at = START
    for k, direction in enumerate(directions):
        if direction is None or direction.matrix is not base.matrix or direction.own != base.own:
            return None
        factors += [base.matrix, direction.factor]
        rows += [(*base.own, at, END - 1 - k), direction.axes]
        at = END - 1 - k
    matrix, ends = base.matrix, (at, END)
    if isinstance(matrix, Einsum) and not isinstance(transpose(matrix), Einsum):
        matrix, ends = transpose(matrix), (END, at)
    lead = tuple(sorted({*base.axes, *base.own}))
    inside = [base.axes, (*base.own, START, END)]
    once = build.einsum([base.factor, matrix], inside, (*lead, START, END))
    return [*factors, expm(once)], [*rows, (*lead, *ends)]


@dataclass(frozen=True, slots=True)
class _Multiple:
    """A matrix times a factor; each may have some of the axes before those of the matrix."""

    matrix: Node
    own: Labels
    factor: Node
    axes: Labels


def _as_multiple(node: Node) -> _Multiple | None:
    """What a matrix is a multiple of, or matrices along the axes before their own."""
    number, core = product_of(node)
    parts = parts_of(core)
    *lead, i, j = parts.output
    inside = [
        k
        for places in pieces(parts, lead)
        for k in places
        if any({i, j}.intersection(parts.rows[place]) for place in places)
    ]
    rows = [parts.rows[k] for k in inside]
    labels = {label for row in rows for label in row}
    if not labels.issuperset((i, j)):
        return None
    own = tuple(axis for axis, label in enumerate(lead) if label in labels)
    factors = [parts.factors[k] for k in inside]
    matrix = build.einsum(factors, rows, (*(lead[axis] for axis in own), i, j))
    rest = parts.replaced(inside, (), ())
    axes = tuple(axis for axis, label in enumerate(lead) if rest.uses(label))
    factor = build.einsum(rest.factors, rest.rows, tuple(lead[axis] for axis in axes))
    return _Multiple(matrix, own, build.scale(number * parts.coefficient, factor), axes)


def _commutes(direction: Node, a: Node) -> bool:
    """Whether all terms of a matrix are products of functions of a symmetric one."""
    terms = direction.operands if isinstance(direction, Add) else (direction,)
    return all(_is_chain(parts_of(term), a) for term in terms)


def _is_chain(parts: Parts, a: Node) -> bool:
    """Whether a product is a chain of functions of a matrix, up to scalars."""
    scalars = scalars_of(parts)
    links = [k for k in range(len(parts.factors)) if k not in scalars]
    chained = all(len(parts.rows[k]) == 2 for k in links) and all(
        sum(parts.rows[k].count(x) for k in links) + parts.output.count(x) == 2
        for x in {*parts.output, *(x for k in links for x in parts.rows[k])}
    )
    return chained and all(_is_function_of(parts.factors[k], a) for k in links)


def _is_function_of(factor: Node, a: Node) -> bool:
    match factor:
        case Delta():
            return True
        case Apply(primitive=Inverse(axes=1) | Expm(k=0), args=(inner,)):
            return inner is a
        case Apply(primitive=Spectral(k=0, parameters=0), args=(inner,)):
            return inner is a
    return factor is a


def without_directions(roots: Sequence[Node]) -> list[Node]:
    """The roots with no directions where these rules spare them, for generated code.

    A derivative that is needed besides gives the traces for nothing: then they are left.

    >>> from tcalc.expr import shape
    >>> A, a = build.var("A", shape("n", "n")), build.var("a", ())
    >>> multiple = build.einsum([a, A], ",ij->ij")
    >>> without_directions([expm(multiple, A)]) == [build.einsum([A, expm(multiple)], "ij,jk->ik")]
    True
    """
    if not _derivatives(roots):
        return list(roots)
    along = rewrite(roots, (direction_along_matrix,))
    outside = rewrite(along, (directions_out_of_sum, direction_out_of_trace))
    return outside if _derivatives(outside) < _derivatives(along) else along


def _derivatives(roots: Sequence[Node]) -> int:
    """How many derivatives of exponentials there are."""
    return sum(map(_is_derivative, postorder(roots)))


def _is_derivative(node: Node) -> bool:
    return isinstance(node, Apply) and isinstance(node.primitive, Expm) and node.primitive.k > 0


RULES = (
    scalar_out_of_direction,
    commuting_direction,
    direction_along_matrix,
    direction_out_of_trace,
)
