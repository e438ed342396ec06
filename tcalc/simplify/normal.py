"""One form for all tensors that are written alike: what notations cannot tell apart is settled.

A formula says nothing of the order of axes of what stands inside it, ``exp(A[i,j] + B[j,i])`` being
the same sum in either order, nor whether ``x./(y.*z)`` has one reciprocal or two, nor where the
parentheses of a product of products were.  Printing and parsing settle these each in its way, and
so do different routes to one derivative.  `normal` settles them once:

    products in products, and diagonals of products, are opened;  sums in sums too
    (x .* y)^-p      ->  x^-p .* y^-p     for whole p
    norm2(x)^2, Σ x x  ->  Σ x^2          and Σ A y A y for a product x = A*y; other powers too
    x (2 y - 2 z)    ->  2 x (y - z)
    sizes are polynomials in those that have names, and n .* n^-1 is 1
    an inner sum or element-wise function of order two and more has its axes in the order
    that gives the smallest digest; its users see it transposed

In the end products of sums are multiplied out, as far as they stay short: whether
``B (x y' + y x') C`` is one product or a sum of two is settled so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from math import prod

from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Add, Apply, Const, Einsum, Node
from tcalc.expr.primitive import Labels
from tcalc.expr.traverse import with_operands
from tcalc.primitives.norms import Norm2
from tcalc.primitives.power import Power, power
from tcalc.primitives.selection import is_unit_vector
from tcalc.simplify.axes import (
    axes_of_function,
    axes_of_sum,
    is_elementwise,
    replaced,
    symmetric_factor,
    view_of_symmetric,
)
from tcalc.simplify.coefficients import content, multiple, product_of
from tcalc.simplify.engine import (
    Rule,
    Trait,
    length,
    of_functions_of,
    of_products,
    of_products_having,
    of_sums,
    of_views,
    rewrite,
)
from tcalc.simplify.flatten import Inline, contraction_in, flatten
from tcalc.simplify.parts import Parts, base_and_exponent, parts_of, piece, pieces
from tcalc.simplify.products import multiplied_out, strict_triangle
from tcalc.simplify.sums import number_out_of_factor, number_out_of_view

ONE = Fraction(1)

FACTORS = 96
"""The most factors of a product that arises by opening others; at a bound, nesting would show."""

TERMS = 64
"""The most terms of a product that is multiplied out."""

LONGEST_MULTIPLIED_OUT = 300.0
"""The longest formula that is: in a recurrence every step would multiply the terms."""

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
    # What is equal before products are multiplied out is so after it too, wherever that stops.
    settled = _settled(roots, inline, CLAUSES)
    short = sum(map(length, settled)) <= LONGEST_MULTIPLIED_OUT
    return _settled(settled, inline, (*CLAUSES, product_of_sums)) if short else settled


def _settled(roots: Sequence[Node], inline: Inline, clauses: Sequence[Rule]) -> list[Node]:
    settled = list(roots)
    for _ in range(MOST_ROUNDS):
        before = settled
        settled = rewrite(flatten(settled, inline=inline, factors=FACTORS), clauses)
        if all(a is b for a, b in zip(before, settled, strict=True)):
            break
    return settled


# Powers.


@of_functions_of(Power)
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


@of_functions_of(Power)
def reciprocal_of_product(node: Apply) -> Node | None:
    """``(c x .* y)^-p -> c^-p x^-p .* y^-p`` for a whole p and factors that no sum joins."""
    match node:
        case Apply(primitive=Power(exponent=p), args=(base,)) if p < 0 and p.denominator == 1:
            c, inner = product_of(base)
            if isinstance(inner, Add) and content(inner) != 1:
                c, inner = c * content(inner), multiple(1 / content(inner), inner)
            parts = parts_of(inner)
            ends = set(parts.output)
            groups = pieces(parts, ends) if len(ends) == len(parts.output) else []
            if len(groups) < 2:
                if c == parts.coefficient == 1 or len(parts.factors) > 1:
                    return build.scale(c**p.numerator, power(inner, p)) if c != 1 else None
                groups = [(0,)]
            found = [piece(parts, places, ends) for places in groups]
            factors = tuple(power(x, p) for x, _ in found)
            rows = tuple(labels for _, labels in found)
            opened = Parts(ONE, factors, rows, parts.output, parts.dims)
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
        if first != k and (contraction_in(base) is None or _is_size(base)):
            other = base_and_exponent(node.factors[first])[1]
            return replaced(node, (first, k), [power(base, exponent + other)], [row])
    return None


@of_products
def size_of_product(node: Einsum) -> Node | None:
    """The number of elements of an axis that is a polynomial in others: ``size(m*n) -> m n``."""
    match node:
        case Einsum(factors=(Const(value=value, dims=dims),), output=()) if value == 1:
            sizes = [_size(dim) for dim in dims]
            return None if sizes == [node] else build.hadamard(build.const(1), *sizes)
        case _:
            return None


def _size(dim: Dim) -> Node:
    if dim.is_name or any("(" in name for monomial, _ in dim.terms for name in monomial):
        return build.size(dim)
    return build.add(
        (count, build.hadamard(build.const(1), *(build.size(Dim.of(x)) for x in monomial)))
        for monomial, count in dim.terms
    )


def _is_size(node: Node) -> bool:
    """Whether a scalar is the number of elements along one axis."""
    match node:
        case Einsum(factors=(Const(value=value, dims=(_,)),), output=()):
            return value == 1
        case _:
            return False


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
                    return replaced(node, (k,), [base, base], [row, row])
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
            return build.scale(coefficient, replaced(node, (k,), core.factors, rows))
        axes = tuple(dict.fromkeys(row))

        def taken(x: Node, row: Labels = row, axes: Labels = axes) -> Node:
            return build.einsum([x], [row], axes)

        if is_elementwise(factor) and factor.operands:
            inner = with_operands(factor, [taken(x) for x in factor.operands])
            return replaced(node, (k,), [inner], [axes])
    return None


@of_products
def element_of_function(node: Einsum) -> Node | None:
    """``exp(x)[3] -> exp(x[3])``, and the same for sums; every factor gets its own element."""
    holders = Counter(label for row in node.subscripts for label in set(row))
    for factor, row in zip(node.factors, node.subscripts, strict=True):
        if not is_unit_vector(factor) or row[0] in node.output:
            continue
        (label,) = row
        for k, (other, labels) in enumerate(zip(node.factors, node.subscripts, strict=True)):
            if other is factor or label not in labels:
                continue
            rest = tuple(x for x in dict.fromkeys(labels) if x != label)

            def element(
                x: Node,
                labels: Labels = labels,
                rest: Labels = rest,
                e: Node = factor,
                at: Labels = row,
            ) -> Node:
                return build.einsum([x, e], [labels, at], rest)

            if is_elementwise(other) and other.operands:
                inner = with_operands(other, [element(x) for x in other.operands])
                return replaced(node, (k,), [inner], [rest])
            if holders[label] > 2:
                own = [("own", x) if x == label else x for x in labels]
                return replaced(node, (k,), [other, factor], [own, [("own", label)]])
    return None


# Sums.


@of_products_having(Add)
def product_of_sums(node: Einsum) -> Node | None:
    """``a (b + c) -> a b + a c``, where that gives no more than `TERMS` terms."""
    parts = parts_of(node)
    sums = [k for k, factor in enumerate(parts.factors) if isinstance(factor, Add)]
    if not sums or prod(len(parts.factors[k].operands) for k in sums) > TERMS:
        return None
    return multiplied_out(parts, sums[0])


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
def sign_into_view(node: Add) -> Node | None:
    """``-(x - y)' -> (y - x)'``, and any other view, where neither sign is that of most terms."""
    match node.terms:
        case ((c, Einsum(factors=(Add() as inner,), is_view=True) as view),) if c < 0:
            turned = multiple(-ONE, inner)
            if not isinstance(turned, Add) or content(turned) < 0:
                return None
            dims = dict(zip(view.output, view.dims, strict=True))
            return build.scale(-c, build.einsum([turned], view.subscripts, view.output, dims))
    return None


CLAUSES = (
    number_out_of_factor,
    number_out_of_view,
    power_of_power,
    reciprocal_of_product,
    equal_factors,
    size_of_product,
    square_of_product,
    diagonal_of_product,
    product_of_diagonal,
    element_of_function,
    strict_triangle,
    view_of_sum_in_sum,
    sign_into_view,
    symmetric_factor,
    view_of_symmetric,
    axes_of_sum,
    axes_of_function,
)
