"""Products with Kronecker products, whose axes are taken apart, so that these are not formed.

    Σ_J (A ⊗ B)[I,J] x[J]  ->  Σ_jl A[i,j] B[k,l] X[j,l]  with  x[(j,l)] = X[j,l],  I = (i,k)

For A of m rows and columns and B of n, that is m n (m + n) operations in place of (m n)^2.
Inverses and determinants are those of A and B.  Derivatives by A have outer products whose axes are
split, ``split(r x')``: they are products of ``split(r)`` and ``split(x)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.expr.traverse import postorder, rebuild
from tcalc.primitives.inverse import Inverse
from tcalc.primitives.kron import Kron, Split, merge, split
from tcalc.simplify.coefficients import ONE
from tcalc.simplify.kronecker import (
    Pair,
    SplitFactor,
    determinant_of_kronecker_product,
    inverse_of_kronecker_product,
    pairs_of,
    taken_apart,
)
from tcalc.simplify.parts import Parts, parts_of


def with_kronecker_apart(roots: Sequence[Node]) -> list[Node]:
    """The roots with products that sum over an axis of a Kronecker product taken apart.

    >>> from tcalc.expr import shape
    >>> from tcalc.primitives.kron import kron
    >>> A, B = build.var("A", shape("m", "m")), build.var("B", shape("n", "n"))
    >>> x = build.var("x", (A.dims[0] * B.dims[0],))
    >>> product = build.einsum([kron(A, B), x], "ij,j->i")
    >>> [type(x.primitive).__name__ for x in with_kronecker_apart([product])]
    ['Merge']
    """
    if not any(_is_kron(x) or _is_split(x) for x in postorder(roots)):
        return list(roots)
    return rebuild(roots, _apart)


def _is_split(node: Node) -> bool:
    return isinstance(node, Apply) and isinstance(node.primitive, Split)


def _is_kron(node: Node) -> bool:
    return isinstance(node, Apply) and isinstance(node.primitive, Kron)


def _apart(node: Node) -> Node:
    match node:
        case Apply(primitive=Split(), args=(x, like)):
            terms = x.terms if isinstance(x, Add) else ((ONE, x),)
            split_terms = [(c, _split_apart(parts_of(term), like.dims)) for c, term in terms]
            whole = [(c, term) for c, term in split_terms if term is not None]
            return build.add(whole) if len(whole) == len(terms) else node
        case Apply():
            found = inverse_of_kronecker_product(node) or determinant_of_kronecker_product(node)
            return found or node
        case Einsum() if any(map(_is_kron, node.factors)):
            return _product_apart(parts_of(node)) or node
        case _:
            return node


def _product_apart(parts: Parts) -> Node | None:
    """A product with two labels in place of each of its Kronecker products' axes."""
    pairs = _pairs(parts, {})
    if pairs is None or pairs.keys() <= set(parts.output):
        return None
    plain = tuple(label for label in parts.output if label not in pairs)
    joined = tuple(label for label in parts.output if label in pairs)
    made = _opened(parts, pairs, (*plain, *joined))
    if made is None or not joined:
        return made
    return build.einsum([merge(made, len(joined))], [(*plain, *joined)], parts.output)


def _split_apart(parts: Parts, dims: Shape, within: bool = True) -> Node | None:
    """A product whose last axes are split, as one of split factors."""
    if len(parts.factors) < 2 and not any(map(pairs_of, parts.factors)):
        return None
    split_off = parts.output[len(parts.output) - len(dims) // 2 :]
    asked = {label: (dims[2 * k], dims[2 * k + 1]) for k, label in enumerate(split_off)}
    pairs = _pairs(parts, asked)
    if pairs is None or not set(parts.output).isdisjoint(pairs.keys() - asked.keys()):
        return None
    return _opened(parts, pairs, parts.output, within)


def _opened(
    parts: Parts, pairs: dict[int, Pair], output: Labels, within: bool = True
) -> Node | None:
    """The product with two labels in place of each that is a pair."""
    made = taken_apart(parts, pairs, output, partial(_split, pairs=pairs, within=within))
    return None if made is None else build.scale(parts.coefficient, made)


def _pairs(parts: Parts, asked: Mapping[int, Pair]) -> dict[int, Pair] | None:
    """The labels of Kronecker products, with the sizes that they are made of; None if they clash.

    The same for those that are `asked` for.  Unit matrices have them on both sides.
    """
    found = dict(asked)
    units = []
    for factor, row in zip(parts.factors, parts.rows, strict=True):
        if isinstance(factor, Delta):
            units.append(row)
        if not _is_kron(factor):
            continue
        own = pairs_of(factor)
        if own is None:
            return None
        for label, pair in zip(row, own, strict=True):
            if pair is None or found.setdefault(label, pair) != pair:
                return None
    for i, j in units:
        if (i in found) != (j in found) or found.get(i) != found.get(j):
            return None
    return found or None


def _split(
    factor: Node, row: Labels, second: dict[int, int], pairs: dict[int, Pair], within: bool
) -> SplitFactor | None:
    """A tensor of no pairs with its axes split, the others first."""
    if isinstance(factor, Apply) and isinstance(factor.primitive, Inverse):
        return None  # split, it would be formed
    paired = tuple(label for label in row if label in pairs)
    others = tuple(label for label in row if label not in pairs)
    at = (*others, *(x for label in paired for x in (label, second[label])))
    dims = tuple(dim for label in paired for dim in pairs[label])
    if isinstance(factor, Const):
        sizes = dict(zip(row, factor.dims, strict=True))
        whole = (*(sizes[label] for label in others), *dims)
        return build.scale(factor.value, build.ones(whole)), at
    places = sorted(range(len(row)), key=lambda k: row[k] in pairs)
    turned = build.einsum([factor], [tuple(range(len(row)))], places)
    # One product within another is looked into, not those within that.
    apart = _split_apart(parts_of(turned), dims, within=False) if within else None
    return apart or split(turned, dims), at
