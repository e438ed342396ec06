"""Thin factors that only meet vectors, applied as LAPACK leaves them rather than formed.

    L, Q = lq(A)    Q*z, Q'*v    by the reflections that Q is a product of

To form Q takes as long as the factorisation.  What a factor meets is made a vector first where the
laws of `tcalc.simplify.thin_blocks` allow it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tcalc.expr import build
from tcalc.expr.nodes import Apply, Einsum, Node
from tcalc.expr.traverse import postorder, users, variables, with_operands
from tcalc.primitives.qr import Lq, Qr
from tcalc.primitives.reflectors import Reflected, reflectors_of
from tcalc.simplify.blocks import thin_factors
from tcalc.simplify.expand import expand
from tcalc.simplify.thin_elimination import without_thin_factors

SMALLEST = 10_000
"""The rows times the squared columns of a factor that takes longer to form than to apply."""


def with_reflections(
    roots: Sequence[Node], sizes: Mapping[str, int], given: Collection[str] = ()
) -> tuple[list[Node], bool]:
    """The roots with such factors applied; also whether the sizes were asked.

    Those of `given` inputs alone are formed, since that is done once.

    >>> from tcalc.expr import shape
    >>> from tcalc.primitives.qr import qr
    >>> A, z = build.var("A", shape("m", "n")), build.var("z", shape("m"))
    >>> Q, R = qr(A)
    >>> seen = build.einsum([Q, z], "ij,i->j")
    >>> (found,), _ = with_reflections([seen], {"m": 100, "n": 10})
    >>> found.primitive.name
    'reflected'
    >>> with_reflections([seen, Q], {"m": 100, "n": 10})[0] == [seen, Q]
    True
    """
    if all(_is_given(q, given) for q in thin_factors(roots)):
        return list(roots), False
    found = without_thin_factors(expand(roots))
    known = users(found)
    applied = {
        q
        for q in thin_factors(found)
        if q not in found and not _is_given(q, given) and _is_applied(q, known[q], sizes)
    }
    return (_applied(found, applied) if applied else list(roots)), True


def _is_given(q: Node, given: Collection[str]) -> bool:
    return bool(given) and all(x.name in given for x in variables([q]))


def _is_applied(q: Apply, used: Sequence[Node], sizes: Mapping[str, int]) -> bool:
    """Whether all that a factor meets are vectors, too few for it to be worth forming."""
    columns, rows = sorted(dim.evaluate(sizes) for dim in q.dims)
    few = 2 * len(used) <= columns and rows * columns**2 >= SMALLEST
    return few and all(_vector(node, q) is not None for node in used)


def _vector(node: Node, q: Node) -> tuple[int, int] | None:
    """The positions, in a product, of a factor and of a vector that only it meets."""
    if not isinstance(node, Einsum) or node.is_view or node.factors.count(q) != 1:
        return None
    place = node.factors.index(q)
    row = node.subscripts[place]
    for k, other in enumerate(node.subscripts):
        if len(other) == 1 and other[0] in row and row[0] != row[1] and k != place:
            rest = [x for j, x in enumerate(node.subscripts) if j not in (k, place)]
            if other[0] not in node.output and not any(other[0] in x for x in rest):
                return place, k
    return None


def _applied(roots: Sequence[Node], applied: Collection[Apply]) -> list[Node]:
    """The roots with these factors as reflections, their triangles from the same routine."""
    done: dict[Node, Node] = {}
    parts: dict[Node, tuple[Node, ...]] = {}
    triangles = {build.apply(q.primitive, *q.args, output=1 - q.output) for q in applied}
    for node in postorder(roots):
        operands = [done[x] for x in node.operands]
        done[node] = with_operands(node, operands)
        match node:
            case Apply(primitive=Lq() | Qr()) if node in applied or node in triangles:
                values = reflectors_of(operands[0], isinstance(node.primitive, Lq))
                if node in applied:
                    parts[node] = values
                else:
                    done[node] = values[0]
            case Einsum():
                q = next((x for x in node.factors if x in applied), None)
                if q is not None:
                    done[node] = _product(node, q, operands, parts[q])
    return [done[root] for root in roots]


def _product(node: Einsum, q: Node, operands: Sequence[Node], parts: Sequence[Node]) -> Node:
    """A product with a factor applied to the vector that it meets."""
    found = _vector(node, q)
    assert found is not None
    assert isinstance(q, Apply)
    place, k = found
    (summed,) = node.subscripts[k]
    row = node.subscripts[place]
    (free,) = (x for x in row if x != summed)
    long = 1 if isinstance(q.primitive, Lq) else 0
    _, *factors = parts
    vector = build.apply(Reflected(row.index(summed) == long), *factors, operands[k])
    kept = [j for j in range(len(operands)) if j not in found]
    rows = [*(node.subscripts[j] for j in kept), (free,)]
    dims = dict(zip(node.output, node.dims, strict=True))
    return build.einsum([*(operands[j] for j in kept), vector], rows, node.output, dims)
