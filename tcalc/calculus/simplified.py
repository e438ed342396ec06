"""The element-wise parts of derivatives as one would write them: what is compiled.

The rules of differentiation leave ``2 ./ x - x ./ x.^2`` for the second derivative of
``x.*log(x)``.  So parts of a graph in which factors or terms may meet are cut out, with inputs in
place of what they are made from, and what cancels in them is cancelled (`tcalc.simplify`).  The
result is kept where it takes less work beside what the rest of the graph needs, and is as good
wherever the part had a value, which is tried with numbers of all magnitudes.

A part is a node with those it is made from by sums, products element by element and functions that
rules know, the nearest first.  A node at which it ends may be the top of another part.  All this
takes linear time: parts are of limited size and number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from fractions import Fraction

from tcalc.calculus.meetings import is_inner, meetings
from tcalc.calculus.terms import volume
from tcalc.calculus.trial import may_replace
from tcalc.expr import build
from tcalc.expr.facts import known_properties
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.traverse import orders_kept, postorder, rebuild, with_operands
from tcalc.primitives.power import Power
from tcalc.primitives.routines import Template, routine_of
from tcalc.records import dataclass
from tcalc.simplify.cancelling import cancelled

LARGEST = 40
"""The most nodes of a part; what is below ends it."""
MOST_PARTS = 32
"""In a graph with more of them nothing is done: they are the steps of a loop."""
FUNCTION_WORK = 8
"""The work of a function for each element, in multiplications."""


@orders_kept()
def simplified(roots: Sequence[Node]) -> list[Node]:
    """The same tensors with element-wise parts in which something cancels simplified.

    >>> from tcalc.expr import shape
    >>> from tcalc.primitives.power import power
    >>> x = build.var("x", shape("n"))
    >>> derived = build.add([(2, power(x, -1)), (-1, build.hadamard(x, power(x, -2)))])
    >>> simplified([derived]) == [power(x, -1)]
    True
    """
    added = rebuild(roots, _views_added)
    order = postorder(added)
    near = meetings(order)
    parts = _parts(order, added, near) if near else {}
    if not parts:
        return list(roots)
    done: dict[Node, Node] = {}
    for node in order:
        part = parts.get(node)
        new = None if part is None else part.result(done)
        if new is None:
            new = with_operands(node, [done.get(x, x) for x in node.operands])
        if new is not node:
            done[node] = new
    return [done.get(root, root) for root in added]


def _views_added(node: Node) -> Node:
    """``diag(x) + diag(y) -> diag(x + y)``, and what is repeated alike: so that x and y meet."""
    if not isinstance(node, Add) or len(node.terms) == 1:
        return node
    alike: dict[object, list[tuple[Fraction, Einsum, int]]] = {}
    rest: list[tuple[Fraction, Node]] = []
    for c, term in node.terms:
        place = _place_of_core(term)
        if place is None:
            rest.append((c, term))
        else:
            assert isinstance(term, Einsum)
            alike.setdefault((term.subscripts, term.output), []).append((c, term, place))
    if len(alike) + len(rest) == len(node.terms):
        return node
    for terms in alike.values():
        _, view, place = terms[0]
        factors = list(view.factors)
        factors[place] = build.add([(c, term.factors[place]) for c, term, _ in terms])
        dims = dict(zip(view.output, view.dims, strict=True))
        rest.append((Fraction(1), build.einsum(factors, view.subscripts, view.output, dims)))
    return build.add(rest)


def _place_of_core(term: Node) -> int | None:
    """Which factor of a view is repeated or put on a diagonal by it; None for other nodes."""
    if isinstance(term, Einsum) and term.is_view:
        for place, core in enumerate(term.factors):
            if not isinstance(core, Delta) and 0 < core.order < term.order:
                return place
    return None


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a graph: its nodes, the top the last, and those that others need as well."""

    nodes: Sequence[Node]
    kept: frozenset[Node]

    def result(self, done: Mapping[Node, Node]) -> Node | None:
        """The part simplified, of what its ends have become; None where it stays."""
        images: dict[Node, Node] = {}
        ends: dict[Node, Node] = {}
        for node in self.nodes:
            for x in node.operands:
                if x not in images and isinstance(x, Const):
                    images[x] = x
                elif x not in images:
                    images[x] = build.var(f"x{len(ends)}", x.dims, known_properties(x))
                    ends[images[x]] = done.get(x, x)
            images[node] = with_operands(node, [images[x] for x in node.operands])
        old = images[self.nodes[-1]]
        needed = {images[x] for x in self.kept}
        best: Node | None = None
        least = _work([images[x] for x in self.nodes if x not in self.kept])
        for new in cancelled(old):
            work = _work([x for x in postorder([new]) if x not in needed])
            if work < least and may_replace(old, new):
                best, least = new, work
        return None if best is None else rebuild([best], replacements=ends)[0]


def _work(nodes: Sequence[Node]) -> int:
    """The work of nodes, shared ones counted once."""
    return sum(map(_work_of, dict.fromkeys(nodes)))


def _work_of(node: Node) -> int:
    """The work of a node beside that of its operands, in multiplications at nominal sizes."""
    match node:
        case Var() | Const() | Delta():
            return 0
        case Add(terms=terms):
            count = len(terms) - 1 + sum(abs(c) != 1 for c, _ in terms)
        case Einsum(factors=factors):
            count = 0 if node.is_view else len(factors) - 1
        case Apply():
            count = _steps(node)
    return count * volume(node.dims)


def _steps(node: Apply) -> int:
    """The multiplications that a function of one number takes, roughly."""
    routine = routine_of(node)
    if isinstance(node.primitive, Power) and isinstance(routine, Template):
        text = routine.text
        if "**" not in text:
            return text.count("np.") + text.count(" * ") + text.count("/")
    return FUNCTION_WORK


def _parts(
    order: Sequence[Node], roots: Sequence[Node], near: Mapping[Node, int]
) -> dict[Node, _Part]:
    """The parts in which something may cancel, by their tops; none where there are too many."""
    rank = {node: place for place, node in enumerate(order)}
    inner = set(filter(is_inner, order))
    users: dict[Node, list[Node]] = {}
    for node in order:
        for x in node.operands:
            if x in inner:
                users.setdefault(x, []).append(node)
    outside = inner.intersection(roots)
    tops = outside | {x for x, above in users.items() if not inner.issuperset(above)}
    parts: dict[Node, _Part] = {}
    for node in reversed(order):
        if node not in tops or node not in near:
            continue
        if len(parts) == MOST_PARTS:
            return {}
        found, ends = _nearest(node, inner)
        tops |= ends
        kept: set[Node] = set()
        nodes = sorted(found, key=rank.__getitem__)
        for x in reversed(nodes[:-1]):
            if x in outside or any(y not in found or y in kept for y in users[x]):
                kept.add(x)
        parts[node] = _Part(nodes, frozenset(kept))
    return parts


def _nearest(top: Node, inner: set[Node]) -> tuple[set[Node], set[Node]]:
    """A node and those it is made from, the nearest first, up to `LARGEST`; and the next ones."""
    found, ends = {top}, set[Node]()
    pending = deque([top])
    while pending:
        for x in pending.popleft().operands:
            if x in inner and x not in found:
                if len(found) < LARGEST:
                    found.add(x)
                    pending.append(x)
                else:
                    ends.add(x)
    return found, ends
