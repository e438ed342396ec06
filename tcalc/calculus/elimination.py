"""Elimination of the vertices of the linearised graph, one of least degree at a time.

The edge from ``u`` to ``v`` carries the local Jacobian ``J[v,u]``.  A vertex is eliminated by
joining each edge into it with each edge out of it,

    J[w,u] += J[w,v] · J[v,u]

and when only the variable and the function are left, the edge between them is the derivative
(Griewank and Walther, Evaluating Derivatives, 2nd edition, chapter 9).  The order is Markowitz's:
next comes the vertex with the least product of the numbers of edges in and out.  Sizes play no part
in it, which is why it is an order to compare with and not the default.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, TypeAlias

from tcalc.calculus.crosscountry import Terms, joined, settle, total, unit_term
from tcalc.calculus.linearize import edges
from tcalc.calculus.terms import as_term, dense, times
from tcalc.expr import build
from tcalc.expr.nodes import Node
from tcalc.expr.primitive import LinearMap, Operator
from tcalc.expr.traverse import dependents, postorder

if TYPE_CHECKING:
    from networkx import DiGraph

Edge: TypeAlias = "Terms | Operator"


def least_degree_jacobian(root: Node, variable: Node) -> Node:
    """The derivative of a tensor by a variable, vertices being eliminated by least degree."""
    live = dependents([root], [variable])
    if root not in live:
        return build.zeros(root.dims + variable.dims)
    if root is variable:
        return total([unit_term(root)], root, variable)
    order = [node for node in postorder([root]) if node in live]
    graph = _linearised(order)
    for vertex in _by_degree(graph, order, (root, variable)):
        _eliminate(graph, vertex)
    return total(_terms(graph.edges[variable, root]["edge"], root), root, variable)


def _linearised(order: Sequence[Node]) -> DiGraph[Node]:
    """The graph whose edges carry local Jacobians, from operand to user."""
    from networkx import DiGraph  # slow to import, and needed for this order alone

    graph: DiGraph[Node] = DiGraph()
    graph.add_nodes_from(order)
    live = set(order)
    for node in order:
        for operand, jacobian in edges(node, live):
            _add(graph, operand, node, _edge(jacobian, node, operand))
    return graph


def _edge(jacobian: LinearMap | Operator, node: Node, operand: Node) -> Edge:
    if isinstance(jacobian, Operator):
        return jacobian
    terms: Terms = []
    for part in jacobian:
        dims = {
            **dict(zip(part.into, operand.dims, strict=True)),
            **dict(zip(part.out, node.dims, strict=True)),
        }
        output = (*part.out, *part.into)
        term = build.open_product(part.factors, part.subscripts, output, dims)
        terms.append(times(part.coefficient, term))
    return terms


def _by_degree(graph: DiGraph[Node], order: Sequence[Node], kept: Sequence[Node]) -> Iterator[Node]:
    """The vertices in the order in which they go; degrees change while they do."""
    place = {node: k for k, node in enumerate(order)}

    def entry(node: Node) -> tuple[int, int]:
        # Of equal ones the last comes first, as in reverse mode.
        return graph.in_degree(node) * graph.out_degree(node), -place[node]

    heap = [entry(node) for node in order if node not in kept]
    heapify(heap)
    while heap:
        degree, last = heappop(heap)
        node = order[-last]
        if node not in graph or (degree, last) != entry(node):
            continue
        near = [x for x in (*graph.predecessors(node), *graph.successors(node)) if x not in kept]
        yield node
        for other in near:
            heappush(heap, entry(other))


def _eliminate(graph: DiGraph[Node], vertex: Node) -> None:
    before, after = list(graph.predecessors(vertex)), list(graph.successors(vertex))
    for user in after:
        out = graph.edges[vertex, user]["edge"]
        for operand in before:
            into = graph.edges[operand, vertex]["edge"]
            _add(graph, operand, user, _product(out, into, user, operand))
    graph.remove_node(vertex)


def _add(graph: DiGraph[Node], operand: Node, user: Node, edge: Edge) -> None:
    """One more edge; two between the same vertices become their sum."""
    if graph.has_edge(operand, user):
        both = [
            *_terms(graph.edges[operand, user]["edge"], user),
            *_terms(edge, user),
        ]
        edge = settle(both, user.order, len(both) > 1, operand)
    graph.add_edge(operand, user, edge=edge)


def _terms(edge: Edge, user: Node) -> Terms:
    """An edge as a sum of products: an operator is applied to the unit tensor."""
    if isinstance(edge, Operator):
        return [as_term(edge.pull(unit_term(user).close()))]
    return edge


def _product(out: Edge, into: Edge, user: Node, operand: Node) -> Edge:
    """``J[w,v] · J[v,u]``; an operator is applied to the other edge, and only one need be."""
    if isinstance(into, Operator):
        terms = _terms(out, user)
        return [as_term(into.pull(dense(terms)))] if terms else []
    if isinstance(out, Operator):
        return [as_term(out.push(dense(into)))] if into else []
    found = [joined(left, right, user.order, operand) for left in out for right in into]
    return settle(found, user.order, len(found) > 1, operand)
