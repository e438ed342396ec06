"""Rules for branches."""

from __future__ import annotations

from tcalc.expr import build
from tcalc.expr.nodes import Add, Apply, Const, Einsum, Node
from tcalc.expr.primitive import Primitive
from tcalc.expr.traverse import with_operands
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.piecewise import Where
from tcalc.simplify.engine import of_functions_of, of_products_having, of_sums_having
from tcalc.simplify.parts import parts_of


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


@of_sums_having(Where)
def branches_joined(node: Add) -> Node | None:
    """``a .* where(c, 1, 0) + b .* where(c, 0, 1) -> where(c, a, b)``.

    Example: the gradient of Huber's function is ``where(abs(x) < d, x, d*sign(x))``.
    """
    seen: dict[tuple[Primitive, tuple[Node, ...], int], tuple[int, Node]] = {}
    for t, (c, term) in enumerate(node.terms):
        parts = parts_of(term)
        for k, factor in enumerate(parts.factors):
            taken = _only_branch(factor) if parts.rows[k] == parts.output else None
            if taken is None or not isinstance(factor, Apply):
                continue
            (left, right), rows = factor.args[:2], (parts.rows[k],)
            value = build.scale(c, parts.replaced((k,), (factor.args[taken],), rows).build())
            other = seen.get((factor.primitive, (left, right), 5 - taken))
            if other is not None:
                place, first = other
                branches = (value, first) if taken == 2 else (first, value)
                whole = build.apply(factor.primitive, left, right, *branches)
                rest = [x for p, x in enumerate(node.terms) if p not in (t, place)]
                return build.add([*rest, (1, whole)])
            seen[factor.primitive, (left, right), taken] = (t, value)
            break
    return None


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
        if _same_condition(node, condition):
            inner: tuple[Node, ...] = (node.operands[position],)
        else:
            inner = node.operands if _is_elementwise(node) else ()
        missing = [operand for operand in inner if operand not in done]
        if missing:
            stack.extend(missing)
            continue
        stack.pop()
        if _same_condition(node, condition):
            done[node] = done[inner[0]]
        elif inner:
            done[node] = with_operands(node, [done[operand] for operand in inner])
        else:
            done[node] = node
    return done[branch]


def _same_condition(node: Node, condition: Apply) -> bool:
    return (
        isinstance(node, Apply)
        and node.primitive == condition.primitive
        and node.args[:2] == condition.args[:2]
    )


def _is_elementwise(node: Node) -> bool:
    match node:
        case Add():
            return True
        case Apply(primitive=Elementwise()):
            return True
        case Einsum(subscripts=subscripts, output=output):
            return all(row == output for row in subscripts)
    return False


RULES = (equal_branches, branch_of_branch, factor_into_branch, branches_joined)
