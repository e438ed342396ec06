"""Cross-country accumulation: derivatives as factored products, multiplied when it pays.

Laue, Mitterreiter, Giesen (arXiv 2010.03313) reorder the products of a chain of Jacobians; here a
derivative is carried past each vertex as a sum of open products (`tcalc.calculus.terms`), so that
the order inside a product is left to planning, and a factor that nothing is summed with never
enters a contraction.  A vertex where terms meet, or from which they part, contracts and merges
them, so that no work is done twice.

The Hessian of a scalar is a *cut* of the graph of its gradient: the nodes of the function on one
side, the adjoint nodes on the other,

    H = Σ over edges u -> v from function to adjoint:  adj(v) · J[v,u] · tan(u)

where ``adj(z̄) = tan(z)'``: the two chains of a Hessian are one set of nodes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import inf
from typing import TypeAlias

from tcalc.calculus.linearize import edges
from tcalc.calculus.terms import as_term, contract, dense, merge, storage, times, volume
from tcalc.expr import build
from tcalc.expr.build import OpenProduct
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import LinearMap, LinearTerm, Operator
from tcalc.expr.traverse import dependents, postorder
from tcalc.primitives.elementwise import Elementwise

MOST_FACTORS = 24
MOST_TERMS = 24
"""Beyond that many terms one dense node is carried: their number could double at every vertex."""

Terms: TypeAlias = list[OpenProduct]


class TooManyTermsError(Exception):
    """A derivative has more terms on the way than were allowed."""


class Allowance:
    """How many terms a derivative may have on its way, counted at every vertex."""

    def __init__(self, terms: float = inf) -> None:
        self.left = terms

    def spend(self, terms: Terms) -> Terms:
        """The terms themselves; raises `TooManyTermsError` once they have become too many."""
        self.left -= len(terms)
        if self.left < 0:
            raise TooManyTermsError
        return terms


UNLIMITED = Allowance()
"""One for all: what is spent of it does not tell."""


def factored_jacobian(root: Node, variable: Node, allowance: Allowance = UNLIMITED) -> Node:
    """The derivative of a tensor by a variable, from the end that has fewer elements."""
    if volume(variable.dims) < volume(root.dims):
        order = postorder([root])
        terms = factored_pushforward(variable, order, [root], allowance).get(root, [])
    else:
        terms = factored_pullback(root, [variable], allowance=allowance).get(variable, [])
    return total(terms, root, variable)


def factored_pullback(
    root: Node,
    targets: Collection[Node],
    through: Collection[Node] | None = None,
    allowance: Allowance = UNLIMITED,
) -> dict[Node, Terms]:
    """The derivatives of `root` by the targets, as terms over the axes of both.

    With `through`, paths run inside that set of nodes only; a target outside it gets what its
    users inside pass on.
    """
    live = dependents([root], targets)
    inside = live if through is None else live & set(through)
    order = [node for node in postorder([root]) if node in live]
    fans = {node: sum(1 for _ in _live_operands(node, live)) for node in inside}
    pending: dict[Node, Terms] = {root: [unit_term(root)]}
    found: dict[Node, Terms] = {}
    for node in reversed(order):
        terms = pending.pop(node, None)
        if not terms:
            continue
        shared = (
            len(terms) > 1 or fans.get(node, 0) > 1 or (through is not None and node in targets)
        )
        terms = settle(allowance.spend(terms), root.order, shared, node)
        if node in targets:
            found[node] = terms
        if node not in inside:
            continue
        for operand, jacobian in edges(node, live):
            pending.setdefault(operand, []).extend(_pull(terms, root, operand, jacobian))
    return found


def factored_pushforward(
    variable: Node,
    order: Sequence[Node],
    wanted: Collection[Node],
    allowance: Allowance = UNLIMITED,
) -> dict[Node, Terms]:
    """The derivatives of nodes by a variable, as terms over the axes of both.

    `order` is a post-order; `wanted` are the nodes whose terms are returned.
    """
    live = dependents(order, [variable])
    uses: dict[Node, int] = {}
    for node in order:
        if node in live:
            for operand in _live_operands(node, live):
                uses[operand] = uses.get(operand, 0) + 1
    carried: dict[Node, Terms] = {variable: [unit_term(variable)]}
    for node in order:
        if node in live and node not in carried:
            terms = [
                term
                for operand, jacobian in edges(node, live)
                for term in _push(carried[operand], variable, node, jacobian)
            ]
            shared = len(terms) > 1 or uses.get(node, 0) > 1 or node in wanted
            terms = allowance.spend(terms)
            carried[node] = settle(terms, variable.order, shared, node, vertex_first=True)
    return {node: carried[node] for node in wanted if node in carried}


def hessian_by_cut(
    gradient: Node, function: Node, variable: Node, allowance: Allowance = UNLIMITED
) -> Node:
    """The derivative of a gradient of `function` by a variable, across the cut between them."""
    primal = postorder([function])
    inside = set(primal)
    if gradient in inside:
        terms = factored_pushforward(variable, primal, [gradient], allowance)
        return total(terms.get(gradient, []), gradient, variable)
    live = dependents([gradient], [variable])
    adjoint = [node for node in postorder([gradient]) if node in live and node not in inside]
    crossing = [
        (node, operand)
        for node in adjoint
        for operand in dict.fromkeys(node.operands)
        if operand in inside and operand in live
    ]
    heads = {node for node, _ in crossing}
    tails = {operand for _, operand in crossing}
    tangents = factored_pushforward(variable, primal, tails, allowance)
    cotangents = factored_pullback(gradient, heads, adjoint, allowance)
    crossed: Terms = []
    for node in adjoint:
        for operand, jacobian in edges(node, tails) if node in heads else ():
            before = _pull(cotangents.get(node, []), gradient, operand, jacobian)
            if len(before) * len(tangents[operand]) > MOST_TERMS:
                # As from each step of a recurrence to each: they would be as many as its cube.
                tangents[operand] = [as_term(dense(tangents[operand]))]
            after = tangents[operand]
            pairs = [joined(a, b, gradient.order, variable) for a in before for b in after]
            crossed += allowance.spend(pairs)
    return total(crossed, gradient, variable)


def total(terms: Terms, root: Node, variable: Node) -> Node:
    """The terms of a derivative as one node: merged, contracted, and left factored."""
    merged = merge([contract(term, root.order, everything=False) for term in merge(terms)])
    # Terms may cancel, and leave none.
    return dense(merged) if merged else build.zeros(root.dims + variable.dims)


def settle(
    terms: Terms, lead: int, shared: bool, vertex: Node, *, vertex_first: bool = False
) -> Terms:
    """What is passed on from a vertex: contracted and merged where work would be done twice.

    `lead` is the number of axes of the fixed end.  One dense node takes the place of terms that
    are no smaller, or each of which would pass an expensive vertex.
    """
    if not terms:
        return terms
    scalar = lead == 0
    crowded = any(len(term.factors) > MOST_FACTORS for term in terms)
    if not (shared or scalar or crowded):
        return terms
    turned = [_turned(term, lead) for term in terms] if vertex_first else terms
    kept = merge([contract(term, lead, everything=scalar) for term in turned])
    if kept:
        whole = volume(kept[0].shape)
        parts = sum(len(term.factors) for term in kept)
        expensive = len(kept) > 1 and _is_expensive(vertex)
        many = len(kept) > MOST_TERMS
        if parts > 1 and (expensive or many or sum(map(storage, kept)) >= whole):
            kept = [as_term(dense(kept))]
    return [_turned(term, len(term.output) - lead) for term in kept] if vertex_first else kept


def _is_expensive(vertex: Node) -> bool:
    return isinstance(vertex, Apply) and not isinstance(vertex.primitive, Elementwise)


def _live_operands(node: Node, live: Collection[Node]) -> Sequence[Node]:
    return [operand for operand in node.operands if operand in live]


def unit_term(node: Node) -> OpenProduct:
    """The derivative of a node by itself."""
    axes = tuple(range(node.order))
    return build.open_product([], [], axes + axes, dict(enumerate(node.dims)))


def _turned(term: OpenProduct, lead: int) -> OpenProduct:
    """The term with the axes of its two ends exchanged, `lead` of which are in front then."""
    count = len(term.output) - lead
    return OpenProduct(
        term.coefficient,
        term.factors,
        term.subscripts,
        term.output[count:] + term.output[:count],
        term.dims,
    )


def _pull(terms: Terms, root: Node, operand: Node, jacobian: LinearMap | Operator) -> Terms:
    """The terms carried from a node to one of its operands; an operator takes their sum."""
    if isinstance(jacobian, Operator):
        return [as_term(jacobian.pull(dense(terms)))] if terms else []
    return [_pulled(term, root, operand, edge) for term in terms for edge in jacobian]


def _push(terms: Terms, variable: Node, node: Node, jacobian: LinearMap | Operator) -> Terms:
    """The terms carried from an operand to a node that uses it."""
    if isinstance(jacobian, Operator):
        return [as_term(jacobian.push(dense(terms)))] if terms else []
    return [_pushed(term, variable, node, edge) for term in terms for edge in jacobian]


def _pulled(term: OpenProduct, root: Node, operand: Node, edge: LinearTerm) -> OpenProduct:
    """``ū[s, into] = term[s, v] · factors · (v = out)``: a term carried over an edge."""
    lead, at = term.output[: root.order], term.output[root.order :]
    output = (*_named("t", lead), *_named("e", edge.into))
    return _linked(term, at, edge, edge.out, output, operand.dims)


def _pushed(term: OpenProduct, variable: Node, node: Node, edge: LinearTerm) -> OpenProduct:
    """``dv[out, t] = factors · term[u, t] · (u = into)``."""
    cut = len(term.output) - variable.order
    at, rest = term.output[:cut], term.output[cut:]
    output = (*_named("e", edge.out), *_named("t", rest))
    return _linked(term, at, edge, edge.into, output, node.dims + variable.dims)


Name: TypeAlias = tuple[str, int]


def _named(side: str, labels: Sequence[int]) -> list[Name]:
    return [(side, label) for label in labels]


def _linked(
    term: OpenProduct,
    at: Sequence[int],
    edge: LinearTerm,
    axes: Sequence[int],
    output: Sequence[Name],
    shape: Shape,
) -> OpenProduct:
    """A term and an edge, with the labels of the vertex between them joined.

    `shape` has the dimensions of the last labels of the output, or of all.
    """
    dims = {("t", label): dim for label, dim in term.dims.items()}
    dims.update(zip(output[len(output) - len(shape) :], shape, strict=True))
    rows = [_named("t", row) for row in term.subscripts]
    rows += [_named("e", row) for row in edge.subscripts]
    factors = [*term.factors, *edge.factors]
    if len(set(axes)) == len(axes):
        joint = {("e", b): ("t", a) for a, b in zip(at, axes, strict=True)}
        rows = [[joint.get(name, name) for name in row] for row in rows]
        output = [joint.get(name, name) for name in output]
        dims = {joint.get(name, name): dim for name, dim in dims.items()}
        carried = {name for row in (*rows, output) for name in row}
        for label in dict.fromkeys(at):
            if ("t", label) not in carried:  # what is constant along an axis is summed over it
                rows.append([("t", label)])
                factors.append(build.ones((term.dims[label],)))
    else:
        rows += [[("t", a), ("e", b)] for a, b in zip(at, axes, strict=True)]
        factors += [build.delta(term.dims[label]) for label in at]
    product = build.open_product(factors, rows, output, dims)
    return times(term.coefficient * edge.coefficient, product)


def joined(left: OpenProduct, right: OpenProduct, lead: int, variable: Node) -> OpenProduct:
    """``left[s, u] · right[u, t]``, with `lead` axes `s`; the axes `t` are those of `variable`."""
    cut = len(right.output) - variable.order
    into = right.output[cut:]
    edge = LinearTerm(right.coefficient, right.factors, right.subscripts, right.output[:cut], into)
    output = (*_named("t", left.output[:lead]), *_named("e", into))
    return _linked(left, left.output[lead:], edge, edge.out, output, variable.dims)
