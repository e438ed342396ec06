"""How messages name an application: ``chol(K)``."""

from __future__ import annotations

from collections.abc import Sequence

from tcalc.expr.nodes import Apply, Einsum, Node, Var
from tcalc.primitives.operators import repeats


def described(node: Apply) -> str:
    """An application as a short text.

    What takes the eigenvalues or singular values of a matrix is named as the decomposition is.

    >>> from tcalc.expr import build, shape
    >>> from tcalc.primitives.eigh import eigh, gap
    >>> w, V = eigh(build.var("A", shape("n", "n")))
    >>> described(w), described(gap(w))
    ('eigh(A)', 'eigh(A)')
    """
    primitive, arguments = node.primitive, node.args
    name = primitive.blamed
    if primitive.of_values and isinstance(inner := arguments[0], Apply):
        name, arguments = name or inner.primitive.name, inner.args
    elif name:
        arguments = arguments[:1]
    return _call(name or primitive.name, arguments, depth=1)


def _call(name: str, arguments: Sequence[Node], depth: int) -> str:
    return f"{name}({', '.join(_short(x, depth) for x in arguments)})"


def _short(node: Node, depth: int) -> str:
    match node:
        case Var(name=name):
            return name
        case Apply(primitive=primitive, args=args) if depth:
            return _call(primitive.name, args, depth - 1)
        case Einsum(factors=(Var(name=name),)) if repeats(node):
            return name
        case _:
            return "…"
