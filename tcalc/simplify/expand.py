"""Primitives without code of their own, written out: the last pass before code is made.

    V diag(g(w)) V'   for a spectral function, with w, V = eigh(A)
    eigvalsh(A) -> w  where w, V = eigh(A) is computed anyway, and svdvals(A) -> s likewise

What they are made from serves evaluation alone and is not differentiated, so that a function is
expanded after all its derivatives are taken.
"""

from __future__ import annotations

from collections.abc import Sequence

from tcalc.expr import build
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.traverse import postorder, rebuild
from tcalc.primitives.eigh import Eigh, Eigvalsh
from tcalc.primitives.operators import repeats
from tcalc.primitives.singular import Singular, SingularSum, written_out
from tcalc.primitives.spectral import Spectral
from tcalc.primitives.svd import SingularValues, Svd


def expand(roots: Sequence[Node]) -> list[Node]:
    """The roots with every primitive that has an expansion replaced by it."""
    return _one_decomposition(rebuild(roots, _expanded))


def expand_unnamed(roots: Sequence[Node]) -> list[Node]:
    """The roots with what the language has no name for written out, or none that reads well.

    Those are functions of a matrix other than powers and the logarithm, and the derivatives of all
    in many directions at once.
    """
    if any(map(_is_unnamed, postorder(roots))):
        written = rebuild(roots, lambda node: _for_print(node) if _is_unnamed(node) else node)
        return _one_decomposition(written)
    return list(roots)


def _for_print(node: Node) -> Node:
    match node:
        case Apply(primitive=Singular(is_polar=True)):
            return written_out(node)
        case _:
            return _expanded(node)


def _is_unnamed(node: Node) -> bool:
    match node:
        case Apply(primitive=Spectral() as spectral, args=(a, *_)):
            return spectral.function == spectral.name or repeats(a) > 0
        case Apply(primitive=Singular() | SingularSum()):
            return True
        case _:
            return False


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
