"""Primitives without code of their own, written out: the last pass before code is made.

    V diag(g(w)) V'   for a spectral function, with w, V = eigh(A)
    Σ g(w)            for its trace, with w = eigvalsh(A)
    eigvalsh(A) -> w  where w, V = eigh(A) is computed anyway, and svdvals(A) -> s likewise
    Q'*(x - Q*Q'*x) -> 0
    expm(a*A, b*A) -> b*A*expm(a*A)
    tanh' -> 1 - tanh(x)^2    where it is a term of sums

What they are made from serves evaluation alone and is not differentiated, so that a function is
expanded after all its derivatives are taken.
"""

from __future__ import annotations

from collections.abc import Sequence

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Einsum, Node
from tcalc.expr.traverse import postorder, rebuild
from tcalc.primitives import lookup
from tcalc.primitives.eigh import Eigh, Eigvalsh
from tcalc.primitives.hyperbolic import tanh_slope
from tcalc.primitives.norms import Direction
from tcalc.primitives.operators import repeats
from tcalc.primitives.pinv import PseudoInverseProducts
from tcalc.primitives.polar import polar_equation
from tcalc.primitives.polar_solve import PolarSolve
from tcalc.primitives.singular import Singular, SingularSum, written_out
from tcalc.primitives.spectral import Spectral
from tcalc.primitives.svd import SingularValues, Svd
from tcalc.simplify.cross_products import without_permutations
from tcalc.simplify.engine import of_functions, rewrite
from tcalc.simplify.linear_functions import without_directions
from tcalc.simplify.projections import without_projections


def expand(roots: Sequence[Node]) -> list[Node]:
    """The roots with every primitive that has an expansion replaced by it."""
    roots = _plain_in_sums(rebuild(without_permutations(roots), _trace))
    roots = without_directions(_one_decomposition(rebuild(roots, _expanded)))
    return without_projections(roots)


def expand_unnamed(roots: Sequence[Node]) -> list[Node]:
    """The roots with what the language has no name for written out, or none that reads well.

    Those are functions of a matrix other than powers and the logarithm, and the derivatives of all
    in many directions at once.
    """
    if any(map(_is_unnamed, postorder(roots))):
        written = rebuild(roots, lambda node: _for_print(node) if _is_unnamed(node) else node)
        return _one_decomposition(written)
    return list(roots)


def in_language(roots: Sequence[Node]) -> list[Node]:
    """The roots as they are, but for what the language has no name for."""
    return rewrite(expand_unnamed(roots), [primitive_without_name])


@of_functions
def primitive_without_name(node: Apply) -> Node | None:
    """``sigmoid_slope(sigmoid(x), x) -> sigmoid(x) * (1 - sigmoid(x))``: what stands for a formula.

    The number of such primitives falls.
    """
    primitive = node.primitive
    of_parts = isinstance(primitive, Direction) and primitive.axes < node.order
    return None if lookup(primitive.name) and not of_parts else primitive.written(node)


def _for_print(node: Node) -> Node:
    match node:
        case Apply(primitive=Singular(is_polar=True)):
            return _for_print(written_out(node))
        case Apply(primitive=PolarSolve(), args=(a, right)):
            return polar_equation(a, right)
        case _:
            return _expanded(node)


def _is_unnamed(node: Node) -> bool:
    match node:
        case Apply(primitive=Spectral() as spectral, args=(a, *_)):
            return spectral.function == spectral.name or repeats(a, 2) > 0
        case Apply(primitive=Singular() | SingularSum() | PseudoInverseProducts() | PolarSolve()):
            return True
        case _:
            return False


def _plain_in_sums(roots: list[Node]) -> list[Node]:
    """The derivative of tanh as a difference wherever it is summed over, as in a net.

    Beside other terms of a sum the digits that it loses where it is small are none of the sum's,
    and a net takes a tenth longer with them.
    """
    order = postorder(roots)
    if not any(isinstance(node, Apply) and node.primitive is tanh_slope for node in order):
        return roots
    kept = set(roots)
    for node in reversed(order):
        match node:
            case Einsum(factors=factors, subscripts=rows, output=output):
                passed = [
                    x for x, row in zip(factors, rows, strict=True) if set(row) <= set(output)
                ]
                kept.update(passed if node in kept else ())
            case Add():
                kept.update(node.operands if node in kept else ())
            case _:
                kept.update(node.operands)

    def plain(node: Node) -> Node:
        match node:
            case Apply(primitive=primitive) if primitive is tanh_slope and node not in kept:
                return primitive.written(node) or node
            case _:
                return node

    return rebuild(roots, plain)


def _is_spectral(node: Node) -> bool:
    return isinstance(node, Apply) and isinstance(node.primitive, Spectral)


def _trace(node: Node) -> Node:
    """``Σ_i g(A)[i,i] -> Σ_i g(w[i])`` in a product."""
    if not isinstance(node, Einsum) or not any(map(_is_spectral, node.factors)):
        return node
    places = list(zip(node.factors, node.subscripts, strict=True))
    for k, (factor, row) in enumerate(places):
        match factor:
            case Apply(primitive=Spectral(k=0) as spectral) if row[-1] == row[-2]:
                alone = all(row[-1] not in other for j, (_, other) in enumerate(places) if j != k)
                if alone and row[-1] not in node.output and not repeats(factor.args[0], 2):
                    places[k] = spectral.of_eigenvalues(factor), row[:-1]
    factors, rows = zip(*places, strict=True) if places else ((), ())
    dims = dict(zip(node.output, node.dims, strict=True))
    return node if factors == node.factors else build.einsum(factors, rows, node.output, dims)


def _expanded(node: Node) -> Node:
    if isinstance(node, Apply):
        found = node.primitive.expansion(node)
        return node if found is None else found
    return node


def _one_decomposition(roots: list[Node]) -> list[Node]:
    """The values alone are taken from a decomposition of the same matrix, where there is one."""
    vectors = {
        (type(node.primitive), node.args[0])
        for node in postorder(roots)
        if isinstance(node, Apply) and isinstance(node.primitive, Eigh | Svd)
    }

    def rule(node: Node) -> Node:
        match node:
            case Apply(primitive=Eigvalsh(), args=(a,)) if (Eigh, a) in vectors:
                return build.apply(Eigh(), a)
            case Apply(primitive=SingularValues(), args=(a,)) if (Svd, a) in vectors:
                return build.apply(Svd(), a, output=1)
            case _:
                return node

    return rebuild(roots, rule) if vectors else roots
