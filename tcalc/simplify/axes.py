"""The order of axes of what stands inside a tensor: the clauses of `normal` that settle it.

A formula says nothing of it: ``exp(A[i,j] + B[j,i])`` is the same sum in either order.  An inner
sum or element-wise function has its axes in the order that gives the smallest digest, and its
users see it transposed; of the axes of a symmetric factor likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from itertools import chain, permutations, product
from math import factorial, prod

from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.expr.traverse import with_operands
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.reductions import Reduction
from tcalc.simplify.coefficients import content, multiple
from tcalc.simplify.engine import of_functions, of_products, of_sums, of_views

FEW_AXES = 4
"""Up to this many axes all 24 orders are tried; beyond it, only those that ties leave open."""

MOST_ORDERS = 720
"""The most orders of axes that are tried for one tensor."""

MOST_TURNED = 64
"""The most ways to turn the symmetric factors of a product that are tried together."""


@of_sums
def axes_of_sum(node: Add) -> Node | None:
    """``A' + B -> (A + B')'`` where that is the order of smallest digest; idle axes go."""
    if len(node.terms) == 1:
        return None
    # A number that the terms share is taken out of what is seen transposed: it decides nothing.
    shared = content(node)
    numbers = [c / shared for c, _ in node.terms]
    plain = multiple(1 / shared, node)
    found = _in_order(plain, 0, lambda new: build.add(zip(numbers, new, strict=True)))
    return None if found is None else build.scale(shared, found)


@of_functions
def axes_of_function(node: Apply) -> Node | None:
    """The same for functions element by element, and for reductions and the axes before them."""
    match node.primitive:
        case Elementwise():
            return _in_order(node, 0, lambda new: build.apply(node.primitive, *new))
        case Reduction(axes=taken):
            return _in_order(node, taken, lambda new: build.apply(node.primitive, *new))
    return None


def _in_order(node: Node, taken: int, made: Callable[[Sequence[Node]], Node]) -> Node | None:
    """A sum or function without the axes along which nothing varies, the others in order.

    `made` builds the node from operands; the last `taken` axes of these belong together.
    """
    operands = node.operands
    order = max((operand.order for operand in operands), default=0)
    lead = order - taken
    idle = [k for k in range(lead) if all(k in _repeated(operand) for operand in operands)]
    kept = [k for k in range(lead) if k not in idle]
    last = list(range(lead, order))
    orders = _orders(kept, [_ties(operand) for operand in operands])
    if not order or orders is None:
        return None
    options: list[tuple[tuple[int, bytes], Node, tuple[int, ...]]] = []
    for front in orders:
        for back in permutations(last):
            new = made([_settled(_only(operand, (*front, *back))) for operand in operands])
            options.append((_key(new), new, (*front, *back)))
    least, best, axes = min(options, key=lambda option: option[0])
    # Of many axes the order of the node itself may not be among those tried, and does not count.
    if best is node or (not idle and len(kept) <= FEW_AXES and least >= _key(node)):
        return None
    out = axes[: best.order]
    return build.einsum([best], [out], range(node.order), dict(enumerate(node.dims)))


def _settled(node: Node) -> Node:
    """A view as `view_of_symmetric` has it, so that no order of axes is undone by that clause."""
    return view_of_symmetric(node) or node


def _key(node: Node) -> tuple[int, bytes]:
    """The fewest views as operands, then the smallest digest."""
    return sum(isinstance(x, Einsum) and x.is_view for x in node.operands), node.digest


@of_products
def symmetric_factor(node: Einsum) -> Node | None:
    """``Σ F[j,i] x[i,j] -> Σ F[i,j] x[i,j]`` where F is the same in that order of its axes.

    Of the products that are equal thus, the one with the smallest digest.
    """
    return _of_symmetric_factors(node)


@of_views
def view_of_symmetric(node: Einsum) -> Node | None:
    """``F' -> F`` where F is the same in that order of its axes."""
    return _of_symmetric_factors(node)


def _of_symmetric_factors(node: Einsum) -> Node | None:
    turns = [
        [row, *([row[axis] for axis in axes] for axes in _symmetries(factor))]
        for factor, row in zip(node.factors, node.subscripts, strict=True)
    ]
    if prod(map(len, turns)) == 1:
        return None
    if prod(map(len, turns)) <= MOST_TURNED:
        options = list(product(*turns))[1:]
    else:  # one factor at a time
        rows = list(node.subscripts)
        options = [
            (*rows[:k], turned, *rows[k + 1 :])
            for k, (_, *others) in enumerate(turns)
            for turned in others
        ]
    dims = dict(zip(node.output, node.dims, strict=True))
    found = [build.einsum(node.factors, option, node.output, dims) for option in options]
    best = min(found, key=_of_digest)
    return best if _of_digest(best) < _of_digest(node) else None


def _of_digest(node: Node) -> tuple[bytes, bool, bytes]:
    """By the digest of what a view is of, since a tensor and its transpose are seen alike."""
    if not (isinstance(node, Einsum) and node.is_view):
        return node.digest, False, node.digest
    core = next((x for x in node.factors if not _is_delta(x)), node)
    return core.digest, True, node.digest


@lru_cache(maxsize=4096)
def _symmetries(node: Node) -> tuple[Labels, ...]:
    """Orders of the axes of a sum, function or product in which it is the same.

    Asked bottom-up, so that those of the factors of a product are known.
    """
    if not 1 < node.order <= FEW_AXES:
        return ()
    axes = tuple(range(node.order))
    if is_elementwise(node):
        orders = [order for order in permutations(axes) if order != axes]
        return tuple(
            order
            for order in orders
            if with_operands(node, [_settled(_only(x, order)) for x in node.operands]) is node
        )
    found: dict[Labels, None] = {}
    if isinstance(node, Einsum) and not node.is_view:
        for k, (factor, row) in enumerate(zip(node.factors, node.subscripts, strict=True)):
            for order in _symmetries(factor):
                match replaced(node, (k,), [factor], [[row[axis] for axis in order]]):
                    case Einsum(factors=(same,), subscripts=(inner,), output=output) if (
                        same is node and sorted(inner) == sorted(output)
                    ):
                        found[tuple(map(output.index, inner))] = None
    return tuple(found)


def _orders(
    axes: Sequence[int], ties: Sequence[Sequence[tuple[object, ...]]]
) -> list[tuple[int, ...]] | None:
    """The orders of axes to be tried: all of few axes, of many those that their ties leave open."""
    groups = [list(axes)]
    if len(axes) > FEW_AXES:
        tied: dict[str, list[int]] = {}
        for k in axes:
            # Operands are in an order of digests, which depend on the order of axes.
            tied.setdefault(repr(sorted(tie[k] for tie in ties)), []).append(k)
        groups = [tied[key] for key in sorted(tied)]
    if prod(factorial(len(group)) for group in groups) > MOST_ORDERS:
        return None
    return [tuple(chain(*found)) for found in product(*map(permutations, groups))]


def _ties(node: Node) -> list[tuple[object, ...]]:
    """For each axis of a tensor, which axes of which factors it is.

    Of axes that a unit tensor links any may be the one that is its factor's.
    """
    if not (isinstance(node, Einsum) and node.is_view):
        return [((node.digest, place),) for place in _places(node)]
    links = [row for x, row in zip(node.factors, node.subscripts, strict=True) if _is_delta(x)]
    first = {label: label for label in node.output}
    first.update((second, here) for here, second in map(sorted, links))
    found: dict[int, list[tuple[bytes, int]]] = {label: [] for label in node.output}
    for factor, row in zip(node.factors, node.subscripts, strict=True):
        for label, place in zip(row, _places(factor), strict=True):
            found[first[label]].append((factor.digest, place))
    return [tuple(sorted(found[first[label]])) for label in node.output]


def _is_delta(node: Node) -> bool:
    return isinstance(node, Delta)


def _places(node: Node) -> list[int]:
    """The axes of a tensor, with one number for those that may be exchanged."""
    places = list(range(node.order))
    for k in places[1:]:
        same = (j for j in range(k) if places[j] == j and _may_be_exchanged(node, j, k))
        places[k] = next(same, k)
    return places


@lru_cache(maxsize=4096)
def _may_be_exchanged(node: Node, first: int, second: int) -> bool:
    """Whether a tensor is the same with two of its axes exchanged, where its form shows that."""
    if node.dims[first] != node.dims[second]:
        return False
    axes = list(range(node.order))
    axes[first], axes[second] = second, first
    return build.transpose(node, axes) is node


def _repeated(node: Node) -> set[int]:
    """The axes along which a tensor is the same, where its form shows that."""
    match node:
        case Const():
            return set(range(node.order))
        case Einsum(subscripts=rows, output=output) if node.is_view:
            carried = {label for row in rows for label in row}
            return {k for k, label in enumerate(output) if label not in carried}
    return set()


def _only(node: Node, axes: Sequence[int]) -> Node:
    """A tensor with these of its axes, in that order; it is the same along the others."""
    dims = dict(enumerate(node.dims))
    match node:
        case Const(value=value):
            return build.const(value, [node.dims[k] for k in axes])
        case Einsum(factors=factors, subscripts=rows, output=output) if node.is_view:
            dims = dict(zip(output, node.dims, strict=True))
            return build.einsum(factors, rows, [output[k] for k in axes], dims)
    return build.einsum([node], [range(node.order)], axes, dims)


def replaced(
    node: Einsum, gone: Sequence[int], factors: Sequence[Node], rows: Sequence[Sequence[Hashable]]
) -> Node:
    """The product with some factors, by position, replaced by others."""
    rest = [n for n in range(len(node.factors)) if n not in gone]
    dims: dict[Hashable, Dim] = dict(zip(node.output, node.dims, strict=True))
    new_rows = [*(node.subscripts[n] for n in rest), *rows]
    return build.einsum([*(node.factors[n] for n in rest), *factors], new_rows, node.output, dims)


def is_elementwise(node: Node) -> bool:
    """Whether a node is a sum or a function that acts on each element by itself."""
    return isinstance(node, Add) or (
        isinstance(node, Apply) and isinstance(node.primitive, Elementwise)
    )
