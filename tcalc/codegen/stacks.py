"""Products with a stack of a few large matrices, some of them unit matrices, one by one.

    F[i,j,k] = e1[i] A[j,k] + e2[i] B[j,k] + e3[i] δ[j,k]
    Σ F[i,j,k] V[k,l] F[h,l,m] V[m,j]   ->   e1[i] e1[h] tr(A V A V) + e1[i] e2[h] tr(A V B V) + …
                                             + e1[i] e3[h] tr(A V V) + …

The derivatives of a matrix by a few parameters are such a stack: of a covariance, by length scale,
variance and noise.  As one array it is multiplied block by block, and the unit matrix takes as long
as the others.  The products are worth it where a matrix product is among them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import permutations, product
from math import prod
from typing import TypeAlias, TypeGuard

from tcalc.codegen.distribute import is_permuted
from tcalc.codegen.opening import spliced
from tcalc.expr import build
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Add, Apply, Delta, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.expr.traverse import postorder, rebuild
from tcalc.primitives.selection import UnitVector
from tcalc.records import dataclass

Row: TypeAlias = tuple[Hashable, ...]

LARGE = 1 << 14
"""The elements of a stack from which on it is worth looking at."""
BLOCKS = 6
"""The most matrices of a stack."""


@dataclass(frozen=True, slots=True)
class Block:
    """One matrix of a stack, as a product: its place along the stack and its factors."""

    coefficient: Fraction
    place: Node
    factors: tuple[Node, ...]
    rows: tuple[Labels, ...]
    output: Labels


@dataclass(frozen=True, slots=True)
class Stack:
    """A sum of matrices at different places along one axis."""

    axis: int
    blocks: tuple[Block, ...]


def unstacked(roots: Sequence[Node], sizes: Mapping[str, int]) -> tuple[list[Node], bool]:
    """The roots with such products taken apart, and whether the sizes were looked at."""
    sums = [x for x in postorder(roots) if isinstance(x, Add) and len(x.terms) > 1]
    found = {node: stack for node in sums if (stack := _stack(node)) is not None}
    large: dict[Node, Stack] = {
        node: stack
        for node, stack in found.items()
        if prod(dim.evaluate(sizes) for dim in node.dims) >= LARGE
    }
    if not large:
        return list(roots), bool(found)

    def changed(node: Node) -> Node:
        if not isinstance(node, Einsum) or node.is_view:
            return node
        return _apart(node, large)

    return rebuild(roots, changed), True


def _stack(node: Add) -> Stack | None:
    """A sum as a stack, if it is one with a unit matrix in it."""
    if node.order != 3 or len(node.terms) > BLOCKS:
        return None
    opened = [(c, *_factors(term)) for c, term in node.terms]
    for axis in range(node.order):
        blocks = [_block(axis, *x) for x in opened]
        known = [block for block in blocks if block is not None]
        places = {block.place for block in known}
        if len(known) == len(node.terms) == len(places) and any(map(_is_unit, known)):
            return Stack(axis, tuple(known))
    return None


def _factors(term: Node) -> tuple[tuple[Node, ...], tuple[Labels, ...], Labels]:
    """A term as a product, with those of its factors opened that are scalars or vectors."""
    if isinstance(term, Einsum) and is_permuted(term):
        ((core,), (row,)) = term.factors, term.subscripts
        factors, rows, output = _factors(core)
        number = dict(zip(row, output, strict=True))
        return factors, rows, tuple(number[label] for label in term.output)
    if not isinstance(term, Einsum):
        labels = tuple(range(term.order))
        return (term,), (labels,), labels
    found, known = term, spliced(term, _opens)
    while any(map(_opens, known[0])):
        dims = dict(zip(found.output, found.dims, strict=True))
        whole = build.einsum(known[0], known[1], found.output, dims)
        if not isinstance(whole, Einsum) or whole == found:
            break
        found, known = whole, spliced(whole, _opens)
    return tuple(known[0]), tuple(known[1]), found.output


def _opens(factor: Node) -> TypeGuard[Einsum]:
    if not isinstance(factor, Einsum) or factor.is_view or factor.order > 1:
        return False
    return {label for row in factor.subscripts for label in row} == set(factor.output)


def _block(
    axis: int,
    coefficient: Fraction,
    factors: tuple[Node, ...],
    rows: tuple[Labels, ...],
    output: Labels,
) -> Block | None:
    label = output[axis]
    mine = [k for k, row in enumerate(rows) if label in row]
    if len(mine) != 1 or output.count(label) > 1:
        return None
    (k,) = mine
    place = factors[k]
    if not (isinstance(place, Apply) and isinstance(place.primitive, UnitVector)):
        return None
    rest = [j for j in range(len(factors)) if j != k]
    return Block(
        coefficient,
        place,
        tuple(factors[j] for j in rest),
        tuple(rows[j] for j in rest),
        output[:axis] + output[axis + 1 :],
    )


def _is_unit(block: Block) -> bool:
    """Whether a matrix is a multiple of the unit matrix."""
    return all(isinstance(x, Delta) or x.order == 0 for x in block.factors)


@dataclass(frozen=True, slots=True)
class _Use:
    """A stack among the factors of a product, by its place: the label along it, and the others.

    Each of its blocks is multiplied first by the factor at the place `partner`, if there is one.
    """

    place: int
    stack: Stack
    axis: int
    free: Labels
    partner: int | None = None


def _apart(node: Einsum, stacks: Mapping[Node, Stack]) -> Node:
    """A product with each stack among its factors taken apart."""
    uses = _with_partners(node, _uses(node, stacks))
    if not uses:
        return node
    kept = tuple(label for label in node.output if all(label != use.axis for use in uses))
    dims = dict(zip(node.output, node.dims, strict=True))
    taken = {place for use in uses for place in (use.place, use.partner)}
    others = [k for k in range(len(node.factors)) if k not in taken]
    terms: list[tuple[Fraction, Node]] = []
    for blocks in product(*(use.stack.blocks for use in uses)):
        factors = [node.factors[k] for k in others]
        rows: list[Row] = [node.subscripts[k] for k in others]
        for number, (use, block) in enumerate(zip(uses, blocks, strict=True)):
            more, labels = _with_block(node, use, block, number)
            factors += more
            rows += labels
        inner = build.einsum(factors, rows, kept, dims)
        places = [block.place for block in blocks]
        beside = [kept, *((use.axis,) for use in uses)]
        term = build.einsum([inner, *places], beside, node.output, dims)
        terms.append((prod((block.coefficient for block in blocks), start=Fraction(1)), term))
    return build.add(terms)


def _uses(node: Einsum, stacks: Mapping[Node, Stack]) -> list[_Use]:
    """The one or two stacks of a product whose axes are axes of the result, and nobody else's."""
    counts = Counter(label for row in node.subscripts for label in row)
    found: list[_Use] = []
    for place, (factor, row) in enumerate(zip(node.factors, node.subscripts, strict=True)):
        if factor not in stacks:
            continue
        axis = row[stacks[factor].axis]
        if counts[axis] > 1 or axis not in node.output:
            return []
        free = tuple(label for label in row if label != axis)
        found.append(_Use(place, stacks[factor], axis, free))
    return found if len(found) <= 2 else []


def _with_block(
    node: Einsum, use: _Use, block: Block, number: int
) -> tuple[Sequence[Node], Sequence[Row]]:
    """What stands for a stack where one of its blocks is taken: factors, and their labels.

    That is the block, or its product with its partner and the scalars that the block has.
    """
    outer = dict(zip(block.output, use.free, strict=True))
    rows = [tuple(outer.get(x, (number, x)) for x in row) for row in block.rows]
    if use.partner is None:
        return block.factors, rows
    partner, other = node.factors[use.partner], node.subscripts[use.partner]
    matrices = [k for k, x in enumerate(block.factors) if x.order > 0]
    scalars = [x for x in block.factors if x.order == 0]
    left = (*(x for x in use.free if x not in other), *(x for x in other if x not in use.free))
    made = build.einsum(
        [*(block.factors[k] for k in matrices), partner],
        [*(rows[k] for k in matrices), other],
        left,
    )
    return [made, *scalars], [left, *(() for _ in scalars)]


def _with_partners(node: Einsum, uses: list[_Use]) -> list[_Use]:
    """Two stacks, each with a matrix that it is multiplied by along the same of its axes.

    So each block is multiplied once, and the result shared by all products that it is in.  The
    axes of a stack of symmetric matrices may be exchanged for that.
    """
    if len(uses) != 2:
        return uses
    first, second = uses
    others = [k for k in range(len(node.factors)) if k not in (first.place, second.place)]
    for one, two in product(_orders(node, first), _orders(node, second)):
        for a, b in permutations(others, 2):
            if _meets(one, node.subscripts[a]) and _meets(two, node.subscripts[b]):
                return [replace(first, free=one, partner=a), replace(second, free=two, partner=b)]
    return uses


def _orders(node: Einsum, use: _Use) -> Sequence[Labels]:
    """The orders that the axes of the matrices of a stack may be taken to have."""
    symmetric = symmetric_axes(node.factors[use.place])
    return (use.free, use.free[::-1]) if symmetric else (use.free,)


def _meets(free: Labels, row: Labels) -> bool:
    """Whether a matrix is multiplied by another along its second axis, and that alone."""
    return len(row) == 2 and free[1] in row and free[0] not in row
