"""Rules for branches."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TypeAlias

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Const, Einsum, Node
from tcalc.expr.primitive import Labels, Primitive
from tcalc.expr.traverse import with_operands
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.piecewise import Where
from tcalc.primitives.power import power
from tcalc.simplify.coefficients import product_of
from tcalc.simplify.engine import length, of_functions_of, of_products_having, of_sums_having
from tcalc.simplify.parts import Parts, base_and_exponent, parts_of, piece, pieces


@of_functions_of(Where)
def branch_of_branch(node: Apply) -> Node | None:
    """``where(c, f(where(c, x, s)), b) -> where(c, f(x), b)``, and the same in the other branch."""
    if not isinstance(node.primitive, Where):
        return None
    left, right, yes, no = node.args
    new = build.apply(node.primitive, left, right, _taken(node, yes, 2), _taken(node, no, 3))
    return None if new is node else new


@of_functions_of(Where)
def equal_branches(node: Apply) -> Node | None:
    """``where(c, a, a) -> a``."""
    if isinstance(node.primitive, Where):
        _, _, yes, no = node.args
        return yes if yes is no else None
    return None


@of_products_having(Where)
def factor_into_branch(node: Einsum) -> Node | None:
    """``where(c, a, 0) .* f(where(c, x, s)) -> where(c, a .* f(x), 0)``."""
    parts = parts_of(node)
    for k, branch in enumerate(parts.factors):
        if not (isinstance(branch, Apply) and isinstance(branch.primitive, Where)):
            continue
        left, right, yes, no = branch.args
        zero = [isinstance(x, Const) and x.value == 0 for x in (yes, no)]
        if True not in zero:
            continue
        taken = 3 if zero[0] else 2
        for j, factor in enumerate(parts.factors):
            if j == k or parts.rows[j] != parts.rows[k]:
                continue
            plain = _taken(branch, factor, taken)
            if plain is not factor:
                new = [yes, no]
                new[taken - 2] = build.hadamard(new[taken - 2], plain)
                whole = build.apply(branch.primitive, left, right, *new)
                return parts.replaced((k, j), (whole,), (parts.rows[k],)).build()
    return None


@of_products_having(Where)
def factor_cancelled_in_branch(node: Einsum) -> Node | None:
    """``x .* where(c, a./x.^2, 0) -> where(c, a./x, 0)``, where that is shorter.

    Where the condition does not hold, the factor stood beside a zero.
    """
    parts = parts_of(node)
    for k, branch in enumerate(parts.factors):
        taken = _only_branch(branch)
        if taken is None:
            continue
        row, value = parts.rows[k], branch.operands[taken]
        for j, factor in enumerate(parts.factors):
            inside = None if j == k else _cancelled(value, row, factor, parts.rows[j])
            if inside is not None:
                whole = _with_branch(branch, taken, inside)
                return parts.replaced((k, j), (whole,), (row,)).build()
    return None


def _cancelled(value: Node, row: Labels, factor: Node, labels: Labels) -> Node | None:
    """A tensor times a power of one of its factors, if that is shorter than the two."""
    base, exponent = base_and_exponent(factor)
    number, core = product_of(value)
    parts = parts_of(core)
    named = dict(zip(parts.output, row, strict=True))
    for k, other in enumerate(parts.factors):
        same, power_there = base_and_exponent(other)
        if same is base and tuple(named.get(x) for x in parts.rows[k]) == labels:
            product = power(base, exponent + power_there)
            new = parts.replaced((k,), (product,), (parts.rows[k],)).build()
            whole = build.scale(number, new)
            return whole if length(whole) < length(value) + length(factor) else None
    return None


@of_sums_having(Where)
def number_cancelled_in_branch(node: Add) -> Node | None:
    """``2*x.*where(c, a/2, 0) -> x.*where(c, a, 0)``, where that is shorter."""
    for t, (c, term) in enumerate(node.terms):
        if c in (1, -1):
            continue
        parts = parts_of(term)
        for k, branch in enumerate(parts.factors):
            taken = _only_branch(branch)
            if taken is None:
                continue
            value = branch.operands[taken]
            sign = 1 if c > 0 else -1
            inside = build.scale(abs(c), value)
            if not isinstance(value, Const) and length(inside) < length(value) + 1:
                whole = _with_branch(branch, taken, inside)
                new = parts.replaced((k,), (whole,), (parts.rows[k],)).build()
                return build.add([*node.terms[:t], (sign, new), *node.terms[t + 1 :]])
    return None


@of_sums_having(Where)
def branches_joined(node: Add) -> Node | None:
    """``x.*where(c, a, b) + y.*where(c, d, e) -> where(c, a.*x + d.*y, b.*x + e.*y)``.

    Where that is shorter, and the same for sums of such products over all elements.
    Example: the gradient of Huber's function is ``where(abs(x) < d, x, d*sign(x))``.
    """
    groups: dict[_Condition, dict[int, tuple[Parts, int]]] = {}
    for t, (_, term) in enumerate(node.terms):
        parts = parts_of(term)
        for k, factor in enumerate(parts.factors):
            row = parts.rows[k]
            if not (isinstance(factor, Apply) and isinstance(factor.primitive, Where)):
                continue
            if len({*row}) == len(row) and {*parts.output} <= {*row}:
                at = tuple(row.index(label) for label in parts.output)
                key = (factor.primitive, factor.args[:2], at)
                groups.setdefault(key, {}).setdefault(t, (parts, k))
    for (primitive, condition, at), group in groups.items():
        if len(group) < 2:
            continue
        whole = build.apply(
            primitive, *condition, *(_sum_of_branches(node, group, j) for j in (2, 3))
        )
        axes = tuple(range(whole.order))
        joined = build.einsum([whole], [axes], at)
        if length(joined) < length(build.add(node.terms[t] for t in group)):
            rest = [term for t, term in enumerate(node.terms) if t not in group]
            return build.add([*rest, (1, joined)])
    return None


_Condition: TypeAlias = tuple[Primitive, tuple[Node, ...], tuple[int, ...]]
"""A branching without its branches, and which of its axes a term has."""


def _sum_of_branches(node: Add, group: dict[int, tuple[Parts, int]], taken: int) -> Node:
    """One branch of a sum of products with branchings on the same condition."""
    found: list[tuple[Fraction, Node]] = []
    for t, (parts, k) in group.items():
        row, value = parts.rows[k], parts.factors[k].operands[taken]
        rest = parts.replaced((k,), (), ())
        beside = [piece(rest, places, row) for places in pieces(rest, row)]
        c = node.terms[t][0] * parts.coefficient
        found.append((c, _product_over(row, (value, row), *beside)))
    return build.add(found)


def _product_over(row: Labels, *factors: tuple[Node, Labels]) -> Node:
    """A product of tensors with some of the labels, each repeated along the others."""
    return build.einsum([x for x, _ in factors], [labels for _, labels in factors], row)


def _with_branch(branching: Node, taken: int, value: Node) -> Node:
    """A branching with another branch."""
    return with_operands(
        branching, [value if k == taken else x for k, x in enumerate(branching.operands)]
    )


def _only_branch(node: Node) -> int | None:
    """Which argument of a branching is its only branch that is not zero."""
    if not (isinstance(node, Apply) and isinstance(node.primitive, Where)):
        return None
    zero = [isinstance(x, Const) and x.value == 0 for x in node.args[2:]]
    return 2 + zero.index(False) if sum(zero) == 1 else None


def _taken(condition: Apply, branch: Node, position: int) -> Node:
    """A branch with all branchings on the same condition in it resolved, element by element."""
    done: dict[Node, Node] = {}
    stack = [branch]
    while stack:
        node = stack[-1]
        if node in done:
            stack.pop()
            continue
        same = _same_condition(node, condition)
        inner = [node.operands[position]] if same else [node.operands[k] for k in _aligned(node)]
        missing = [operand for operand in inner if operand not in done]
        if missing:
            stack.extend(missing)
            continue
        stack.pop()
        if same:
            done[node] = done[inner[0]]
        elif inner:
            operands = list(node.operands)
            for k in _aligned(node):
                operands[k] = done[operands[k]]
            done[node] = with_operands(node, operands)
        else:
            done[node] = node
    return done[branch]


def _same_condition(node: Node, condition: Apply) -> bool:
    return (
        isinstance(node, Apply)
        and node.primitive == condition.primitive
        and node.args[:2] == condition.args[:2]
    )


def _aligned(node: Node) -> Sequence[int]:
    """Which operands of a tensor tell of its elements by their own at the same place."""
    match node:
        case Add() | Apply(primitive=Elementwise()):
            return range(len(node.operands))
        case Einsum(subscripts=subscripts, output=output):
            return [k for k, row in enumerate(subscripts) if row == output]
    return ()


RULES = (
    equal_branches,
    branch_of_branch,
    factor_into_branch,
    factor_cancelled_in_branch,
    number_cancelled_in_branch,
    branches_joined,
)
