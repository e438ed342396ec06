"""What is known of a tensor: yes, no, or unknown; an unknown never counts as either.

Facts are inferred bottom-up from declared properties, from structure, and from what primitives
say of themselves; the last two axes are the matrix where a fact is about matrices.  Results are
kept on the node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction

from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.primitive import Fact, Labels
from tcalc.expr.properties import IMPLIED, OF_MATRICES
from tcalc.expr.symmetry import parity

_SYMMETRIC = Fact.SYMMETRIC

_MIRRORED = {Fact.LOWER: Fact.UPPER, Fact.UPPER: Fact.LOWER}
"""What a fact becomes under transposition, where it changes."""

_IDENTITY = frozenset(
    (
        Fact.SYMMETRIC,
        Fact.PSD,
        Fact.SPD,
        Fact.DIAGONAL,
        Fact.LOWER,
        Fact.UPPER,
        Fact.ORTHOGONAL,
        Fact.NONNEGATIVE,
        Fact.INTEGER,
        Fact.CONSTANT,
    )
)


def holds(node: Node, fact: Fact) -> bool | None:
    """Whether a fact holds of a node: True, False, or None where it is not known."""
    if fact in node.known:
        return node.known[fact]
    # Operands first, so that the rules below recurse one level only.  Nodes are shared between
    # threads, and calls are interrupted: what a node has is final.
    stack = [node]
    while stack:
        current = stack[-1]
        missing = [operand for operand in current.operands if fact not in operand.known]
        if missing:
            stack.extend(missing)
            continue
        stack.pop()
        if fact not in current.known:
            current.known[fact] = _infer(current, fact)
    return node.known[fact]


INHERITED = ("symmetric", "psd", "spd", "diagonal", "lower", "upper", "positive", "nonnegative")
"""The properties that an input has which stands for a tensor."""


def known_properties(node: Node) -> list[str]:
    """The properties that an input which stands for a tensor can be declared to have.

    >>> from tcalc.expr import build, shape
    >>> known_properties(build.einsum([build.var("X", shape("m", "n"))] * 2, "ij,ik->jk"))
    ['symmetric', 'psd']
    """
    words = [x for x in INHERITED if node.order > 1 or x not in OF_MATRICES]
    return [x for x in words if all(holds(node, fact) for fact in IMPLIED[x])]


def symmetric_axes(node: Node) -> bool:
    """Whether the last two axes of a tensor may be swapped."""
    dims = node.dims
    if len(dims) < 2 or dims[-1] is not dims[-2]:
        return False
    known = node.known
    return (known[_SYMMETRIC] if _SYMMETRIC in known else holds(node, _SYMMETRIC)) is True


def _infer(node: Node, fact: Fact) -> bool | None:
    match node:
        case Var(properties=properties):
            return True if any(fact in IMPLIED[p] for p in properties) else None
        case Const():
            return _of_constant(node, fact)
        case Delta():
            return True if fact in _IDENTITY else None
        case Add():
            return _of_sum(node, fact)
        case Einsum():
            return _of_product(node, fact)
        case Apply(primitive=primitive, args=args):
            if fact is Fact.CONSTANT:
                return _all(args, lambda x: holds(x, fact))
            known = primitive.facts(node, fact, holds)
            if known is None and fact is Fact.SYMMETRIC and primitive.even and node.order > 1:
                return True if parity(node, node.order - 2, node.order - 1) == 1 else None
            return known


def _all(nodes: Sequence[Node], ask: Callable[[Node], bool | None]) -> bool | None:
    return True if all(ask(node) is True for node in nodes) else None


def _of_constant(node: Const, fact: Fact) -> bool | None:
    match fact:
        case Fact.CONSTANT:
            return True
        case Fact.POSITIVE:
            return node.value > 0
        case Fact.NONNEGATIVE:
            return node.value >= 0
        case Fact.INTEGER:
            return node.value.denominator == 1
        case Fact.SYMMETRIC:
            return True if node.order >= 2 and node.dims[-1] == node.dims[-2] else None
        case Fact.PSD:
            square = node.order >= 2 and node.dims[-1] == node.dims[-2]
            return True if square and node.value >= 0 else None
        case Fact.DIAGONAL | Fact.LOWER | Fact.UPPER:
            return True if node.value == 0 else None
        case _:
            return None


def _of_sum(node: Add, fact: Fact) -> bool | None:
    terms = node.terms
    match fact:
        case Fact.CONSTANT | Fact.DIAGONAL | Fact.LOWER | Fact.UPPER:
            return _all(node.operands, lambda x: holds(x, fact))
        case Fact.SYMMETRIC:
            if _all(node.operands, lambda x: holds(x, fact)):
                return True
            return _symmetric_sum(node)
        case Fact.INTEGER:
            whole = all(c.denominator == 1 for c, _ in terms)
            return _all(node.operands, lambda x: holds(x, fact)) if whole else None
        case Fact.NONNEGATIVE | Fact.PSD:
            return _cone(node, fact)
        case Fact.POSITIVE:
            inside = any(c > 0 and holds(x, fact) is True for c, x in terms)
            return True if inside and _cone(node, Fact.NONNEGATIVE) else None
        case Fact.SPD:
            inside = any(c > 0 and holds(x, fact) is True for c, x in terms)
            return True if inside and _cone(node, Fact.PSD) else None
        case Fact.ORTHOGONAL | Fact.UNIT_VECTOR:
            return None


def _symmetric_sum(node: Add) -> bool | None:
    """Whether every term that is not symmetric stands beside its transpose, as in ``G + G'``."""
    if node.order < 2 or node.dims[-1] is not node.dims[-2]:
        return None
    if not any(map(_is_view, node.operands)):
        return None  # a transpose is a view
    swapped = [*range(node.order - 2), node.order - 1, node.order - 2]
    turned: dict[tuple[Node, tuple[int, ...]], Fraction] = {}
    terms: dict[tuple[Node, tuple[int, ...]], Fraction] = {}
    for coefficient, term in node.terms:
        if holds(term, Fact.SYMMETRIC) is True:
            continue
        core, axes = term, tuple(range(term.order))
        if isinstance(term, Einsum) and term.is_view:
            if len(term.factors) != 1:
                return None
            # Where in the term each axis of the tensor stands; along the others it is repeated.
            core, axes = term.factors[0], tuple(map(term.output.index, term.subscripts[0]))
        terms[core, axes] = coefficient
        turned[core, tuple(map(swapped.__getitem__, axes))] = coefficient
    return True if terms == turned else None


def _is_view(node: Node) -> bool:
    return isinstance(node, Einsum) and node.is_view


def _cone(node: Add, fact: Fact) -> bool | None:
    good = all(c >= 0 and holds(x, fact) is True for c, x in node.terms)
    return True if good else None


def _of_product(node: Einsum, fact: Fact) -> bool | None:
    match fact:
        case Fact.CONSTANT | Fact.NONNEGATIVE | Fact.INTEGER:
            return _all(node.factors, lambda x: holds(x, fact))
        case Fact.POSITIVE:
            return _positive_product(node)
        case Fact.SYMMETRIC:
            return _symmetric_product(node)
        case Fact.PSD:
            return True if _is_gram(node) else _of_view(node, fact)
        case Fact.DIAGONAL | Fact.LOWER | Fact.UPPER:
            if _links_last_two(node):
                return True
            return True if _is_masked(node, node.output, fact) else _of_view(node, fact)
        case Fact.SPD | Fact.ORTHOGONAL:
            return _of_view(node, fact)
        case Fact.UNIT_VECTOR:
            return None


def _positive_product(node: Einsum) -> bool | None:
    """Whether each element is made of positive ones: those that unit vectors select, or of all."""
    selected: list[int] = []
    for factor, labels in zip(node.factors, node.subscripts, strict=True):
        if holds(factor, Fact.POSITIVE) is True:
            continue
        if holds(factor, Fact.UNIT_VECTOR) is not True:
            return None
        selected += labels
    # Two unit vectors at one axis, or one at an axis that stays, leave zeros.
    once = len(set(selected)) == len(selected)
    return True if once and not set(selected) & set(node.output) else None


def _links_last_two(node: Einsum) -> bool:
    """Whether a unit tensor joins the last two axes: the matrix is diagonal."""
    if node.order < 2:
        return False
    last = set(node.output[-2:])
    return any(
        isinstance(factor, Delta) and set(labels) == last
        for factor, labels in zip(node.factors, node.subscripts, strict=True)
    )


def _of_view(node: Einsum, fact: Fact) -> bool | None:
    """Facts that a transpose keeps, and those that a diagonal matrix takes from its diagonal."""
    if not node.is_view or node.order < 2:
        return None
    if _links_last_two(node):
        diagonal = [factor for factor in node.factors if not isinstance(factor, Delta)]
        match fact:
            case Fact.PSD:
                return _all(diagonal, lambda x: holds(x, Fact.NONNEGATIVE))
            case Fact.SPD if len(node.factors) == len(diagonal) + 1:
                # Another unit tensor makes zero matrices of most.
                return _all(diagonal, lambda x: holds(x, Fact.POSITIVE))
            case _:
                return None
    if len(node.factors) != 1:
        return None
    core, row, out = node.factors[0], node.subscripts[0], node.output
    if set(row[:-2]) & set(row[-2:]):
        return None  # a diagonal that takes each row from another matrix
    if row[-2:] == out[-2:]:
        return holds(core, fact)
    if row[-2:] == out[-2:][::-1]:
        return holds(core, _MIRRORED.get(fact, fact))
    if isinstance(core, Einsum) and set(out[-2:]) <= set(row):
        # The axes of a contraction stand in canonical order: look through to its labels.
        inner = dict(zip(row, core.output, strict=True))
        last = tuple(inner[label] for label in out[-2:])
        if fact is Fact.SYMMETRIC and _mirrored(core, *last):
            return True
        return True if _is_masked(core, last, fact) else None
    return None


def _is_masked(node: Einsum, output: Labels, fact: Fact) -> bool:
    """Whether a factor over the last two of these labels is zero where `fact` says: so is all."""
    if len(output) < 2 or fact not in (Fact.DIAGONAL, Fact.LOWER, Fact.UPPER):
        return False
    last, mirrored = output[-2:], _MIRRORED.get(fact, fact)
    return any(
        (labels[-2:] == last and holds(factor, fact) is True)
        or (labels[-2:] == last[::-1] and holds(factor, mirrored) is True)
        for factor, labels in zip(node.factors, node.subscripts, strict=True)
    )


def _symmetric_product(node: Einsum) -> bool | None:
    if node.order < 2 or node.dims[-1] != node.dims[-2]:
        return None
    if _links_last_two(node):
        return True
    if node.is_view:
        return _of_view(node, Fact.SYMMETRIC)
    return True if _mirrored(node, *node.output[-2:]) else None


def _mirrored(node: Einsum, i: int, j: int) -> bool:
    """Whether swapping two output labels gives the same product.

    The factors that touch neither label stay; those that touch one must pair up with an equal
    node that touches the other, at the same axes and otherwise at the same labels, or through a
    symmetric factor between them.
    """
    if not _alike(node, i, j):
        return False
    if _exchanged(node, i, j):
        return True
    swap = {i: j, j: i}
    rows: dict[tuple[Node, tuple[int, ...]], int] = {}
    for factor, labels in zip(node.factors, node.subscripts, strict=True):
        rows[factor, labels] = rows.get((factor, labels), 0) + 1
    if _same_after(rows, swap):
        return True
    # X' S X: the summed labels swap as well, through the symmetric factor in the middle.
    for factor, labels in zip(node.factors, node.subscripts, strict=True):
        a, b = labels[-2:] if len(labels) >= 2 else (i, j)
        middle = symmetric_axes(factor) and not {a, b} & set(node.output)
        if middle and _same_after(rows, {**swap, a: b, b: a}):
            return True
    # (A x) (A x)': whatever hangs on one label hangs on the other.
    return _same_after(rows, _carried_over(node, swap))


def _alike(node: Einsum, i: int, j: int) -> bool:
    """Whether what has one of two labels alone is what has the other alone: else they differ."""
    one: list[Node] = []
    other: list[Node] = []
    for factor, row in zip(node.factors, node.subscripts, strict=True):
        if i in row:
            if j not in row:
                one.append(factor)
        elif j in row:
            other.append(factor)
    return one == other or (len(one) == len(other) > 1 and Counter(one) == Counter(other))


def _exchanged(node: Einsum, i: int, j: int) -> bool:
    """Whether both labels are axes of one factor alone, which may be exchanged in it."""
    holders = [
        (factor, row)
        for factor, row in zip(node.factors, node.subscripts, strict=True)
        if i in row or j in row
    ]
    if len(holders) != 1:
        return False
    ((factor, row),) = holders
    return row.count(i) == row.count(j) == 1 and parity(factor, row.index(i), row.index(j)) == 1


def _carried_over(node: Einsum, swap: dict[int, int]) -> dict[int, int]:
    """A swap of labels extended along equal factors, as far as it goes."""
    found = {**{label: label for label in node.output}, **swap}
    waiting = list(zip(node.factors, node.subscripts, strict=True))
    free = list(waiting)
    while True:
        reached = next((f for f in waiting if not found.keys().isdisjoint(f[1])), None)
        if reached is None:
            return found
        waiting.remove(reached)
        factor, row = reached
        for target in free:
            pairs = tuple(zip(row, target[1], strict=False))
            if target[0] is factor and all(found.get(a, b) == b for a, b in pairs):
                free.remove(target)
                found.update(pairs)
                break


def _same_after(rows: dict[tuple[Node, tuple[int, ...]], int], swap: dict[int, int]) -> bool:
    def moved(factor: Node, labels: tuple[int, ...]) -> tuple[int, ...]:
        new = tuple(swap.get(label, label) for label in labels)
        swapped = (*labels[:-2], *labels[-2:][::-1])
        return labels if new == swapped and symmetric_axes(factor) else new

    used = {label for _, labels in rows for label in labels}
    if len({swap.get(label, label) for label in used}) < len(used):
        return False  # no renaming: two labels would become one
    return all(rows.get((f, moved(f, labels)), 0) == n for (f, labels), n in rows.items())


def _is_gram(node: Einsum) -> bool:
    """``B'*D*B`` with D ≥ 0, or ``B'*S*B`` with S positive semidefinite, or ``x*x'``."""
    if node.order != 2 or node.is_view or node.dims[0] != node.dims[1]:
        return False
    i, j = node.output
    outer = [k for k, labels in enumerate(node.subscripts) if {i, j} & set(labels)]
    if len(outer) != 2 or any({i, j} <= set(node.subscripts[k]) for k in outer):
        return False
    left, right = outer
    if node.factors[left] is not node.factors[right]:
        return False
    a, b = node.subscripts[left], node.subscripts[right]
    rest = [k for k in range(len(node.factors)) if k not in outer]
    if b == tuple({i: j, j: i}.get(label, label) for label in a):
        return all(holds(node.factors[k], Fact.NONNEGATIVE) is True for k in rest)
    if len(rest) == 1 and len(a) == len(b) == 2:
        axis = next((k for k in range(2) if {a[k], b[k]} == {i, j}), None)
        middle = node.subscripts[rest[0]]
        if axis is not None and {a[1 - axis], b[1 - axis]} == set(middle) and len(middle) == 2:
            return holds(node.factors[rest[0]], Fact.PSD) is True
    return False
