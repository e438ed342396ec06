"""Sums of squares as scalar products, and their roots as norms.

``sum(x.^2)`` and ``norm2(x)^2`` are written ``x'*x``, ``sqrt(x'*x)`` is written ``norm2(x)``, and a
power of a norm takes up the scalar product beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

from tcalc.expr import build
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Add, Apply, Einsum, Node
from tcalc.expr.primitive import Fact, Labels
from tcalc.expr.traverse import postorder, rebuild
from tcalc.primitives.norms import Norm2, norm2
from tcalc.primitives.power import Power, power, sqrt0
from tcalc.simplify.engine import of_functions_of, of_products_having
from tcalc.simplify.parts import base_and_exponent, parts_of

HALF = Fraction(1, 2)


@of_products_having(Power)
def sum_of_squares(node: Einsum) -> Node | None:
    """``Σ x[i]^2 -> Σ x[i] x[i]``, which is written ``x'*x`` or ``norm2(x)^2``, in any product.

    Example: ``sum(x.^2)/c -> x'*x/c``.
    """
    parts = parts_of(node)
    for k, (factor, row) in enumerate(zip(parts.factors, parts.rows, strict=True)):
        base, exponent = base_and_exponent(factor)
        alone = row and all(parts.uses(x) == 1 and x not in parts.output for x in row)
        if exponent == 2 and alone and len(set(row)) == len(row):
            return parts.replaced((k,), (base, base), (row, row)).build()
    return None


@of_products_having(Norm2)
def squares_over_norm(node: Einsum) -> Node | None:
    """``x'*x norm2(x)^p -> norm2(x)^(p+2)``.

    Example: ``x'*x/norm2(x)^3 -> 1/norm2(x)``.
    """
    parts = parts_of(node)
    for k, factor in enumerate(parts.factors):
        norm, exponent = base_and_exponent(factor)
        if norm.order or not (isinstance(norm, Apply) and isinstance(norm.primitive, Norm2)):
            continue
        (x,) = norm.args
        places = [j for j, other in enumerate(parts.factors) if other is x]
        for a, b in combinations(places, 2):
            row = parts.rows[a]
            alone = all(parts.uses(label) == 2 and label not in parts.output for label in row)
            if row == parts.rows[b] and alone and len(set(row)) == len(row):
                return parts.replaced((k, a, b), (power(norm, exponent + 2),), ((),)).build()
    return None


@of_functions_of(Power)
def square_of_norm(node: Apply) -> Node | None:
    """``norm2(x)^2 -> x'*x`` over the last axes.

    Example: ``norm2(x)^2 -> x'*x``.
    """
    match node:
        case Apply(primitive=Power() as p, args=(Apply(primitive=Norm2() as n) as norm,)):
            if p.exponent != 2:
                return None
            (x,) = norm.args
            axes = tuple(range(x.order))
            return build.einsum([x, x], [axes, axes], axes[: x.order - n.axes])
    return None


@of_functions_of(Power)
def root_of_squares(node: Apply) -> Node | None:
    """``(x'*x)^(p/2) -> norm2(x)^p`` for odd p.

    Example: ``sqrt(x'*x) -> norm2(x)``, ``sqrt(sum(x.^2)) -> norm2(x)``.
    """
    match node:
        case Apply(primitive=Power() as p, args=(Einsum(output=()) as core,)):
            if p.exponent.denominator != 2:
                return None
            x = _squared(core)
            if x is not None:
                return power(norm2(x, x.order), 2 * p.exponent)
    return None


@of_functions_of(Power)
def root_at_zero(node: Apply) -> Node | None:
    """``sqrt(u)``, of which the derivatives are 0 at u = 0, for a sum u of squares.

    It is for what is differentiated; ``du/(2 sqrt(u))`` is 0/0 there.  What is positive, or may be
    0 where it has a slope, keeps its root.
    Example: ``sqrt(x^2 + y^2) -> sqrt0(x^2 + y^2)``.
    """
    match node:
        case Apply(primitive=Power(exponent=p), args=(u,)):
            return sqrt0(u) if p == HALF and is_least_where_zero(u) else None
    return None


def is_least_where_zero(root: Node) -> bool:
    """Whether a tensor is a sum of squares and quadratic forms, times what is positive."""
    stack = [root]
    while stack:
        node = stack.pop()
        match node:
            case Apply(primitive=Power(exponent=p)) if p > 0 and p.numerator % 2 == 0:
                if p.denominator != 1:
                    return False
            case Add(terms=terms) if all(c > 0 for c, _ in terms):
                stack += [x for _, x in terms]
            case Einsum(factors=factors, subscripts=rows):
                left = [(x, row) for x, row in zip(factors, rows, strict=True)]
                left = [(x, row) for x, row in left if holds(x, Fact.POSITIVE) is not True]
                if isinstance(node, Einsum) and not left:
                    return False
                rest = _without_squares(left)
                if rest is None:
                    return False
                stack += rest
            case _:
                return False
    return True


def _without_squares(placed: list[tuple[Node, Labels]]) -> list[Node] | None:
    """The factors that are in no square and no quadratic form; None if those left cannot be."""
    counts = Counter(placed)
    rest = []
    for (x, row), count in counts.items():
        if count % 2 == 0:
            continue
        rest.append((x, row))
    forms = [
        (x, row)
        for x, row in rest
        if x.order == 2 and row[0] != row[1] and holds(x, Fact.PSD) is True
    ]
    for form in forms:
        i, j = form[1]
        ends = [(x, row) for x, row in rest if row in ((i,), (j,))]
        if len(ends) == 2 and ends[0][0] is ends[1][0] and ends[0][1] != ends[1][1]:
            for used in (form, *ends):
                rest.remove(used)
    return [x for x, _ in rest]


def with_one_norm(roots: Sequence[Node]) -> list[Node]:
    """``1/norm2(x)^2`` and ``1/(x'*x)`` as powers of ``norm2(x)`` where that stands by itself too.

    >>> from tcalc.expr import shape
    >>> x = build.var("x", shape("n"))
    >>> length, squares = norm2(x), build.einsum([x, x], "i,i->")
    >>> new = with_one_norm([build.hadamard(power(squares, -1), length)])
    >>> new == [build.hadamard(power(length, -2), length)]
    True
    """
    order = postorder(roots)
    norms = {x.args[0]: x for x in order if _is_norm(x) and isinstance(x, Apply)}
    if not norms:
        return list(roots)
    squares = {x for x in order if _is_norm(base_and_exponent(x)[0]) and _is_even(x)}
    users = {y for x in order if x not in squares for y in x.operands}
    alone = {x for x, norm in norms.items() if norm in users or norm in roots}

    def with_norm(node: Node) -> Node:
        base, p = base_and_exponent(node)
        if p >= 0:
            return node
        inner, q = base_and_exponent(base)
        if isinstance(inner, Apply) and _is_norm(inner) and q == 2 and inner.args[0] in alone:
            return power(inner, 2 * p)
        x = _squared(base)
        return power(norms[x], 2 * p) if x is not None and x in alone else node

    return rebuild(roots, with_norm) if alone else list(roots)


def _squared(node: Node) -> Node | None:
    """The x of ``x'*x`` and of ``sum(x.^2)``."""
    match node:
        case Einsum(factors=(x, y), subscripts=(row, other), output=()) if x is y and row == other:
            return x if len(set(row)) == x.order else None
        case Einsum(factors=(square,), subscripts=(row,), output=()):
            x, exponent = base_and_exponent(square)
            return x if exponent == 2 and len(set(row)) == x.order > 0 else None
    return None


def _is_norm(node: Node) -> bool:
    return isinstance(node, Apply) and isinstance(node.primitive, Norm2) and not node.order


def _is_even(node: Node) -> bool:
    exponent = base_and_exponent(node)[1]
    return exponent.denominator == 1 and exponent.numerator % 2 == 0


RULES = (
    sum_of_squares,
    squares_over_norm,
    square_of_norm,
    root_of_squares,
)
