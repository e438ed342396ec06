"""One form for all tensors that are written alike: what notations cannot tell apart is settled.

A formula says nothing of the order of axes of what stands inside it, ``exp(A[i,j] + B[j,i])`` being
the same sum in either order, nor whether ``x./(y.*z)`` has one reciprocal or two, nor where the
parentheses of a product of products were.  Printing and parsing settle these each in its way, and
so do different routes to one derivative.  `normal` settles them once:

    products in products, and diagonals of products, are opened;  sums in sums too
    (x .* y)^-p      ->  x^-p .* y^-p     for whole p
    norm2(x)^2, Σ x x  ->  Σ x^2          and Σ A y A y for a product x = A*y; other powers too
    x (2 y - 2 z)    ->  2 x (y - z)
    an inner sum or element-wise function of order two and more has its axes in the order
    that gives the smallest digest; its users see it transposed

Nothing debatable is done, so that what is not written alike stays different.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import chain, permutations, product
from math import factorial, prod

from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.expr.traverse import with_operands
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.norms import Norm2
from tcalc.primitives.power import Power, power
from tcalc.primitives.reductions import Reduction
from tcalc.primitives.selection import UnitVector
from tcalc.simplify.coefficients import content, multiple, product_of
from tcalc.simplify.engine import (
    Trait,
    of_functions,
    of_products,
    of_products_having,
    of_sums,
    of_views,
    rewrite,
)
from tcalc.simplify.flatten import Inline, contraction_in, flatten
from tcalc.simplify.parts import Parts, base_and_exponent, parts_of
from tcalc.simplify.sums import number_out_of_factor, number_out_of_view

ONE = Fraction(1)

FEW_AXES = 4
"""Up to so many axes all orders are tried, 24; of more those that their ties leave open."""

MOST_ORDERS = 720
"""The most orders of axes that are tried for one tensor."""

MOST_TURNED = 64
"""The most ways to turn the symmetric factors of a product that are tried together."""

MOST_ROUNDS = 8
"""How often the clauses are applied to a whole; a bound, two rounds are usual."""


def normal(roots: Sequence[Node], *, inline: Inline = "all") -> list[Node]:
    """The tensors with everything settled that a formula does not say; values and shapes stay.

    >>> from tcalc.expr import shape
    >>> from tcalc.primitives.exponential import exp
    >>> A, B = (build.var(name, shape("n", "n")) for name in "AB")
    >>> one = exp(build.sum_of(A, build.transpose(B)))
    >>> other = build.transpose(exp(build.sum_of(build.transpose(A), B)))
    >>> one is other, normal([one]) == normal([other])
    (False, True)
    """
    settled = list(roots)
    for _ in range(MOST_ROUNDS):
        before = settled
        settled = rewrite(flatten(settled, inline=inline), CLAUSES)
        if all(a is b for a, b in zip(before, settled, strict=True)):
            break
    return settled


# Powers.


@of_functions
def power_of_power(node: Apply) -> Node | None:
    """``(x^q)^p -> x^(p q)`` for a whole p; ``norm2(x)^p -> (Σ x^2)^(p/2)``."""
    match node:
        case Apply(primitive=Power(exponent=p), args=(Apply() as base,)) if p.denominator == 1:
            match base.primitive:
                case Power(exponent=q):
                    return power(base.args[0], p * q)
                case Norm2(axes=axes):
                    (x,) = base.args
                    labels = tuple(range(x.order))
                    squares = build.einsum([power(x, 2)], [labels], labels[: x.order - axes])
                    return power(squares, p / 2)
    return None


@of_functions
def reciprocal_of_product(node: Apply) -> Node | None:
    """``(c x .* y)^-p -> c^-p x^-p .* y^-p`` for a whole p, where nothing is summed."""
    match node:
        case Apply(primitive=Power(exponent=p), args=(base,)) if p < 0 and p.denominator == 1:
            c, inner = product_of(base)
            if isinstance(inner, Add) and content(inner) != 1:
                c, inner = c * content(inner), multiple(1 / content(inner), inner)
            parts = parts_of(inner)
            if len(parts.factors) == 1 and c == parts.coefficient == 1:
                return None
            if any(label not in parts.output for row in parts.rows for label in row):
                return build.scale(c**p.numerator, power(inner, p)) if c != 1 else None
            factors = tuple(power(factor, p) for factor in parts.factors)
            opened = Parts(ONE, factors, parts.rows, parts.output, parts.dims)
            return build.scale((c * parts.coefficient) ** p.numerator, opened.build())
    return None


# Products.


@of_products_having(Trait.REPEATED)
def equal_factors(node: Einsum) -> Node | None:
    """``Σ x^p x^q -> Σ x^(p+q)``: of sums and functions, which so keep what is known of them."""
    seen: dict[tuple[Node, Labels], int] = {}
    for k, (factor, row) in enumerate(zip(node.factors, node.subscripts, strict=True)):
        base, exponent = base_and_exponent(factor)
        first = seen.setdefault((base, row), k)
        if first != k and contraction_in(base) is None:
            other = base_and_exponent(node.factors[first])[1]
            return _replaced(node, (first, k), [power(base, exponent + other)], [row])
    return None


@of_products
def square_of_product(node: Einsum) -> Node | None:
    """``Σ (A*x)^2 -> Σ A x A x`` where nothing else has an index of the square that is summed."""
    uses = Counter(label for row in node.subscripts for label in set(row))
    for k, (factor, row) in enumerate(zip(node.factors, node.subscripts, strict=True)):
        summed = [label for label in row if label not in node.output]
        if summed and all(uses[label] == 1 for label in summed):
            match factor:
                case Apply(primitive=Power(exponent=p), args=(base,)) if (
                    p == 2 and contraction_in(base) is not None
                ):
                    return _replaced(node, (k,), [base, base], [row, row])
    return None


@of_views
def diagonal_of_product(node: Einsum) -> Node | None:
    """``diag(A*B) -> Σ A[i,k] B[k,i]``, and any other view of a product."""
    return _diagonal(node)


@of_products
def product_of_diagonal(node: Einsum) -> Node | None:
    """``diag(exp(A)) .* y -> exp(diag(A)) .* y``, the same for sums, and inside products."""
    return _diagonal(node)


def _diagonal(node: Einsum) -> Node | None:
    for k, (factor, row) in enumerate(zip(node.factors, node.subscripts, strict=True)):
        if len(set(row)) == len(row):
            continue
        opened = contraction_in(factor)
        if opened is not None:
            coefficient, core, output = opened
            named = dict(zip(output, row, strict=True))
            rows = [[named.get(x, (k, x)) for x in labels] for labels in core.subscripts]
            return build.scale(coefficient, _replaced(node, (k,), core.factors, rows))
        axes = tuple(dict.fromkeys(row))

        def taken(x: Node, row: Labels = row, axes: Labels = axes) -> Node:
            return build.einsum([x], [row], axes)

        if _is_elementwise(factor) and factor.operands:
            inner = with_operands(factor, [taken(x) for x in factor.operands])
            return _replaced(node, (k,), [inner], [axes])
    return None


@of_products
def element_of_function(node: Einsum) -> Node | None:
    """``exp(x)[3] -> exp(x[3])``, and the same for sums; every factor gets its own element."""
    uses = Counter(label for row in node.subscripts for label in row)
    for factor, row in zip(node.factors, node.subscripts, strict=True):
        if not _is_unit(factor) or row[0] in node.output:
            continue
        (label,) = row
        for k, (other, labels) in enumerate(zip(node.factors, node.subscripts, strict=True)):
            if other is factor or label not in labels:
                continue
            rest = tuple(x for x in dict.fromkeys(labels) if x != label)

            def element(
                x: Node, labels: Labels = labels, rest: Labels = rest, e: Node = factor
            ) -> Node:
                return build.einsum([x, e], [labels, row], rest)  # noqa: B023 # row is that of e

            if _is_elementwise(other) and other.operands:
                inner = with_operands(other, [element(x) for x in other.operands])
                return _replaced(node, (k,), [inner], [rest])
            if uses[label] > 2:
                own = [("own", x) if x == label else x for x in labels]
                return _replaced(node, (k,), [other, factor], [own, [("own", label)]])
    return None


def _replaced(
    node: Einsum, gone: Sequence[int], factors: Sequence[Node], rows: Sequence[Sequence[Hashable]]
) -> Node:
    """The product with some factors, by position, replaced by others."""
    rest = [n for n in range(len(node.factors)) if n not in gone]
    dims: dict[Hashable, Dim] = dict(zip(node.output, node.dims, strict=True))
    new_rows = [*(node.subscripts[n] for n in rest), *rows]
    return build.einsum([*(node.factors[n] for n in rest), *factors], new_rows, node.output, dims)


def _is_elementwise(node: Node) -> bool:
    return isinstance(node, Add) or (
        isinstance(node, Apply) and isinstance(node.primitive, Elementwise)
    )


def _is_unit(node: Node) -> bool:
    return isinstance(node, Apply) and isinstance(node.primitive, UnitVector)


# Sums and axes.


@of_sums
def view_of_sum_in_sum(node: Add) -> Node | None:
    """``x + (y + z)' -> x + y' + z'``, and any other view."""
    found: list[tuple[Fraction, Node]] = []
    for c, term in node.terms:
        match term:
            case Einsum(factors=(Add() as inner,), subscripts=rows, output=output):
                dims = dict(zip(output, term.dims, strict=True))
                found += [(c * d, build.einsum([x], rows, output, dims)) for d, x in inner.terms]
            case _:
                found.append((c, term))
    return build.add(found) if len(found) > len(node.terms) > 1 else None


@of_sums
def axes_of_sum(node: Add) -> Node | None:
    """``A' + B -> (A + B')'`` where that is the order of smallest digest; idle axes go."""
    numbers = [c for c, _ in node.terms]
    if len(numbers) == 1:
        return None
    return _in_order(node, 0, lambda new: build.add(zip(numbers, new, strict=True)))


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
    if _is_elementwise(node):
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
                match _replaced(node, (k,), [factor], [[row[axis] for axis in order]]):
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


CLAUSES = (
    number_out_of_factor,
    number_out_of_view,
    power_of_power,
    reciprocal_of_product,
    equal_factors,
    square_of_product,
    diagonal_of_product,
    product_of_diagonal,
    element_of_function,
    view_of_sum_in_sum,
    symmetric_factor,
    view_of_symmetric,
    axes_of_sum,
    axes_of_function,
)
