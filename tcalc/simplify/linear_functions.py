"""Rules for functions that are linear in an argument: derivatives of functions of matrices.

And solutions of Sylvester's equation, which are linear in its right-hand side.
"""

from __future__ import annotations

from collections.abc import Sequence

from tcalc.expr import build
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Add, Apply, Delta, Node
from tcalc.primitives.expm import Expm, expm
from tcalc.primitives.inverse import Inverse
from tcalc.primitives.scalar import ARGUMENT, scalar_derivative, split_arguments
from tcalc.primitives.spectral import Spectral, spectral
from tcalc.primitives.sylvester import Sylvester, sylvester
from tcalc.simplify.coefficients import product_of
from tcalc.simplify.collected import scalars_of
from tcalc.simplify.engine import of_functions
from tcalc.simplify.parts import Parts, parts_of, piece


@of_functions
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


@of_functions
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


RULES = (scalar_out_of_direction, commuting_direction)
