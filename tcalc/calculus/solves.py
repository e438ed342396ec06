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

The Hessian by a symmetric matrix takes skew matrices to zero, that by a triangular one what is
beyond the triangle.  A system with it is one within the structure, and so is its solution.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations

from tcalc.calculus.derivative import project, unit
from tcalc.calculus.factored import factored_terms
from tcalc.calculus.terms import components, tied_axes
from tcalc.expr import build
from tcalc.expr.build import OpenProduct
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Node, Var
from tcalc.expr.primitive import Fact, Labels
from tcalc.primitives.inverse import inv
from tcalc.primitives.power import inverse_entries
from tcalc.primitives.sylvester import sylvester


def _inverse_by_structure(h: Node, axes: int) -> Node | None:
    """The inverse of a tensor over groups of `axes` axes, where it has one by its structure.

    The result has the axes of the columns of `h`, then those of its rows.

    >>> from tcalc.expr import shape
    >>> V, (m,) = build.var("V", shape("n", "k")), shape("m")
    >>> H = build.einsum([V, V, build.delta(m)], "aj,al,ik->ijkl")
    >>> M = build.einsum([V, V], "aj,al->jl")
    >>> _inverse_by_structure(H, 2) is build.einsum([inv(M), build.delta(m)], "lj,ki->klij")
    True
    """
    if h.order != 2 * axes or axes == 1:
        return None
    terms = factored_terms(h)
    found = _inverted(terms[0], axes) if len(terms) == 1 else None
    return _inverted_blocks(terms, axes) if found is None else found


def solve_by_parts(h: Node, g: Node, axes: int, *, within: Var | None = None) -> Node:
    """``H \\ G`` over the first `axes` axes of `g`, along the structure of `h` where it has one.

    `h` may be the Hessian by a variable that was declared symmetric, diagonal or triangular: then
    the solution is looked for `within` such matrices.

    >>> from tcalc.expr import shape
    >>> m, n = shape("m", "n")
    >>> S, R, G = build.var("S", (m, m)), build.var("R", (n, n)), build.var("G", (m, n))
    >>> left = build.einsum([S, build.delta(n)], "ik,jl->ijkl")
    >>> right = build.einsum([R, build.delta(m)], "jl,ik->ijkl")
    >>> solve_by_parts(build.sum_of(left, right), G, 2) is sylvester(S, build.transpose(R), G)
    True
    """
    if within is not None:
        rest = tuple(range(axes, g.order))
        x = build.transpose(_solved_within(h, g, within), (*rest, *range(axes)))
        return build.transpose(project(x, within), (*range(len(rest), g.order), *range(len(rest))))
    found = _solved_by_structure(h, g, axes)
    return _applied(inv(h, axes), g, axes) if found is None else found


def _solved_by_structure(h: Node, g: Node, axes: int) -> Node | None:
    sides = _kronecker_sum(h) if h.order == 4 and axes == g.order == 2 else None
    if sides is not None:
        return sylvester(sides[0], build.transpose(sides[1]), g)
    inverse = _inverse_by_structure(h, axes)
    return None if inverse is None else _applied(inverse, g, axes)


def _applied(inverse: Node, g: Node, axes: int) -> Node:
    rows = [("r", k) for k in range(axes)]
    columns = [("c", k) for k in range(axes)]
    rest = [("g", k) for k in range(g.order - axes)]
    return build.einsum([inverse, g], [[*columns, *rows], [*rows, *rest]], [*columns, *rest])


def _solved_within(h: Node, g: Node, variable: Var) -> Node:
    """A solution whose part within the structure is the one that is looked for.

    Where nothing better is known, what its argument has beside the structure is added to the value
    of `h`, which takes that to zero.
    """
    axes = variable.order
    terms = factored_terms(h)
    half = half_of(terms) if holds(variable, Fact.SYMMETRIC) is True else None
    if half is not None:
        whole = build.add((Fraction(times), terms[k].close()) for k, times in half)
        found = _solved_by_structure(whole, g, axes)
        if found is not None:
            return found
    same = unit(variable.dims)
    beside = build.subtract(same, project(same, variable))
    return _applied(inv(build.sum_of(h, beside), axes), g, axes)


def half_of(terms: Sequence[OpenProduct]) -> tuple[tuple[int, int], ...] | None:
    """Some of the terms, and how often each, that make a map which agrees on symmetric matrices.

    With each of its terms the Hessian by a symmetric matrix has the one with its columns turned,
    ``(A ⊗ A)(I + T)/2``; on symmetric matrices these are the same, and twice the one is left, or
    once where it is both.  The map that is made takes the transpose of a matrix to that of its
    value.  None where the terms are not such.
    """
    if any(len(term.output) != 4 for term in terms):
        return None
    nodes = [term.close() for term in terms]
    place = {node: k for k, node in enumerate(nodes)}
    kept: dict[int, int] = {}
    left: set[int] = set()
    for k, node in enumerate(nodes):
        if k in kept or k in left:
            continue
        both = place.get(build.transpose(node, (1, 0, 3, 2)))
        for each in (k, both):
            turned = None if each is None else place.get(build.transpose(nodes[each], (0, 1, 3, 2)))
            if each is None or turned is None or each in left or turned in kept.keys() - {each}:
                return None
            kept[each] = 1 if turned == each else 2
            left |= {turned} - {each}
    return tuple(sorted(kept.items()))


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
    tied = tied_axes([term.output for term in terms], axes)
    first, same = {a for a, _ in tied}, {b: a for a, b in reversed(tied)}
    left = [a for a in range(axes) if a not in first]
    right = [b for b in range(axes, 2 * axes) if b not in same]
    if not tied or len(tied) + len(left) > axes:
        return None
    places = (*(a for a, _ in tied), *left, *right)
    blocks: list[tuple[Fraction, Node]] = []
    for term in terms:
        row = [term.output[place] for place in places]
        block = build.einsum(term.factors, term.subscripts, row, term.dims)
        blocks.append((term.coefficient, block))
    core = build.add(blocks)
    output = tuple(same.get(place, place) for place in range(2 * axes))
    dims = dict(zip(places, core.dims, strict=True))
    return _inverted(OpenProduct(Fraction(1), (core,), (places,), output, dims), axes)


def _matching(term: OpenProduct, left: Sequence[int], right: Sequence[int]) -> Labels | None:
    """The columns of a part in an order in which their dimensions are those of the rows."""
    if len(left) != len(right):
        return None
    wanted = [term.dims[x] for x in left]
    for order in permutations(right):
        if [term.dims[x] for x in order] == wanted:
            return order
    return None
