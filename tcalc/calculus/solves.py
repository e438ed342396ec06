"""Inverses of structured tensors, part by part: ``hessian(f, U) \\ gradient(f, U)`` made cheap.

A tensor of order 2k is seen as a square matrix over k axes each.  Where it is one factored term
whose parts each map some axes of the columns to as many of the rows, its inverse is the product of
the inverses of the parts:

    H[i,j,k,l] = c δ[i,k] M[j,l]     ->  H^-1[k,l,i,j] = 1/c δ[k,i] inv(M)[l,j]
    H[i,j,k,l] = δ[i,k] S[i,j,l]     ->  a stack of inverses, one for each i
    H[i,j,k,l] = A[i,k] B[j,l]       ->  inv(A)[k,i] inv(B)[l,j]
    H[i,j,k,l] = δ[i,k] δ[j,l] D[i,j] -> 1/D, element by element

    H[i,j,k,l] = A[i,k] δ[j,l] + δ[i,k] B[j,l] -> the solution of A X + X B' = G

A sum of terms that are all diagonal in some axes is block-diagonal in these: one stack of inverses.
All of this is exact: the whole is singular where one of its parts is.

The Hessian by a symmetric matrix takes skew matrices to zero.  A system with it is one over the
symmetric matrices, which are what the solution is looked for in.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations

from tcalc.calculus.factored import factored_terms
from tcalc.calculus.terms import components
from tcalc.expr import build
from tcalc.expr.build import OpenProduct
from tcalc.expr.nodes import Node
from tcalc.expr.primitive import Labels
from tcalc.primitives.inverse import inv
from tcalc.primitives.power import inverse_entries
from tcalc.primitives.sylvester import sylvester


def inverse_by_parts(h: Node, axes: int) -> Node:
    """The inverse of a tensor over groups of `axes` axes, along its structure where it has one.

    The result has the axes of the columns of `h`, then those of its rows.

    >>> from tcalc.expr import shape
    >>> V, (m,) = build.var("V", shape("n", "k")), shape("m")
    >>> H = build.einsum([V, V, build.delta(m)], "aj,al,ik->ijkl")
    >>> M = build.einsum([V, V], "aj,al->jl")
    >>> inverse_by_parts(H, 2) is build.einsum([inv(M), build.delta(m)], "lj,ki->klij")
    True
    """
    if h.order != 2 * axes or axes == 1:
        return inv(h, axes)
    terms = factored_terms(h)
    found = _inverted(terms[0], axes) if len(terms) == 1 else None
    if found is None:
        found = _inverted_blocks(terms, axes)
    return inv(h, axes) if found is None else found


def solve_by_parts(h: Node, g: Node, axes: int, *, symmetric: bool = False) -> Node:
    """``H \\ G`` over the first `axes` axes of `g`, along the structure of `h` where it has one.

    With `symmetric` the solution is a symmetric matrix, and `h` a derivative by one.

    >>> from tcalc.expr import shape
    >>> m, n = shape("m", "n")
    >>> S, R, G = build.var("S", (m, m)), build.var("R", (n, n)), build.var("G", (m, n))
    >>> left = build.einsum([S, build.delta(n)], "ik,jl->ijkl")
    >>> right = build.einsum([R, build.delta(m)], "jl,ik->ijkl")
    >>> solve_by_parts(build.sum_of(left, right), G, 2) is sylvester(S, build.transpose(R), G)
    True
    """
    if symmetric:
        x = solve_by_parts(_without_kernel(h), g, axes)
        half = Fraction(1, 2)
        return build.add([(half, x), (half, build.transpose(x, (1, 0, *range(2, x.order))))])
    sides = _kronecker_sum(h) if h.order == 4 and axes == g.order == 2 else None
    if sides is not None:
        return sylvester(sides[0], build.transpose(sides[1]), g)
    rows = [("r", k) for k in range(axes)]
    columns = [("c", k) for k in range(axes)]
    rest = [("g", k) for k in range(g.order - axes)]
    inverse = inverse_by_parts(h, axes)
    return build.einsum([inverse, g], [[*columns, *rows], [*rows, *rest]], [*columns, *rest])


def _without_kernel(h: Node) -> Node:
    """A map that agrees with `h` on symmetric matrices, where `h` takes skew ones to zero.

    ``(A ⊗ A)(I + T)/2 -> A ⊗ A``; else the skew part of its argument is added to its value.
    """
    terms = factored_terms(h)
    if len(terms) == 2:
        first, second = (build.scale(2, term.close()) for term in terms)
        turned = build.transpose(first, (0, 1, 3, 2))
        if turned is second and build.transpose(first, (1, 0, 3, 2)) is first:
            return first
    i, j = h.dims[:2]
    same = build.einsum([build.delta(i), build.delta(j)], ["ik", "jl"], "ijkl")
    half = Fraction(1, 2)
    return build.add([(1, h), (half, same), (-half, build.transpose(same, (0, 1, 3, 2)))])


def _kronecker_sum(h: Node) -> tuple[Node, Node] | None:
    """The matrices A and B of ``A[i,k] δ[j,l] + δ[i,k] B[j,l]``; None where there is another term.

    A single Kronecker product, or blocks, are no such sum: they have better ways.
    """
    sides: tuple[list[tuple[Fraction, Node]], list[tuple[Fraction, Node]]] = ([], [])
    for term in factored_terms(h):
        i, j, k, m = term.output
        touched = {x for row in term.subscripts for x in row}
        if j == m and i != k and j not in touched:
            side, ends = 0, (i, k)
        elif i == k and j != m and i not in touched:
            side, ends = 1, (j, m)
        else:
            return None
        matrix = build.einsum(term.factors, term.subscripts, ends, term.dims)
        sides[side].append((term.coefficient, matrix))
    return (build.add(sides[0]), build.add(sides[1])) if all(sides) else None


def _inverted(term: OpenProduct, axes: int) -> Node | None:
    """The inverse of one term, or None where its factors couple what they should not."""
    left, right = term.output[:axes], term.output[axes:]
    if term.coefficient == 0 or len(set(left)) < axes or len(set(right)) < axes:
        return None
    inverses: list[Node] = []
    rows: list[Labels] = []
    owned: list[int] = []
    for group in components(term):
        found = {x for k in group for x in term.subscripts[k]} & set(term.output)
        shared = tuple(x for x in left if x in found and x in right)
        own_left = tuple(x for x in left if x in found and x not in right)
        own_right = _matching(term, own_left, [x for x in right if x in found and x not in left])
        if own_right is None:
            return None
        core = build.einsum(
            [term.factors[k] for k in group],
            [term.subscripts[k] for k in group],
            (*shared, *own_left, *own_right),
        )
        inverses.append(inv(core, len(own_left)) if own_left else inverse_entries(core))
        rows.append((*shared, *own_right, *own_left))
        owned += [*own_left, *own_right]
    if sorted(owned) != sorted(x for x in term.output if not (x in left and x in right)):
        return None
    product = build.einsum(inverses, rows, (*right, *left), dict(term.dims))
    return build.scale(1 / term.coefficient, product)


def _inverted_blocks(terms: Sequence[OpenProduct], axes: int) -> Node | None:
    """The inverse of a sum of terms, all of them diagonal in some axes; else None."""
    tied = [
        (a, b)
        for a in range(axes)
        for b in range(axes)
        if terms and all(t.output[a] == t.output[axes + b] for t in terms)
    ]
    left = [a for a in range(axes) if a not in {pair[0] for pair in tied}]
    right = [axes + b for b in range(axes) if b not in {pair[1] for pair in tied}]
    if not tied or len(tied) + len(left) > axes:
        return None
    blocks: list[tuple[Fraction, Node]] = []
    for term in terms:
        places = [*(a for a, _ in tied), *left, *right]
        output = [term.output[place] for place in places]
        blocks.append(
            (term.coefficient, build.einsum(term.factors, term.subscripts, output, term.dims))
        )
    core = build.add(blocks)
    whole = OpenProduct(
        Fraction(1),
        (core,),
        ((*(a for a, _ in tied), *left, *right),),
        tuple(next((a for a, b in tied if axes + b == k), k) for k in range(2 * axes)),
        dict(zip((*(a for a, _ in tied), *left, *right), core.dims, strict=True)),
    )
    return _inverted(whole, axes)


def _matching(term: OpenProduct, left: Sequence[int], right: Sequence[int]) -> Labels | None:
    """The columns of a part in an order in which their dimensions are those of the rows."""
    if len(left) != len(right):
        return None
    wanted = [term.dims[x] for x in left]
    for order in permutations(right):
        if [term.dims[x] for x in order] == wanted:
            return order
    return None
