"""The system of a graph: which nodes are its vertices, and the blocks between them.

A node that is no vertex is eliminated: its local Jacobian is multiplied into those of its user.
That costs nothing where it is used once, so that only such nodes are ever eliminated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, TypeAlias

from tcalc.backslash.blocks import Applied, Block, Projection
from tcalc.backslash.compositions import chain, total
from tcalc.backslash.recognition import composed, recognised
from tcalc.calculus.linearize import edges
from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Add, Apply, Einsum, Node, Var
from tcalc.expr.primitive import Fact, LinearMap, LinearTerm, Operator
from tcalc.expr.traverse import dependents, postorder

Steps: TypeAlias = Literal["auto", "definitions", "functions", "operations"]

STRUCTURES = (Fact.DIAGONAL, Fact.SYMMETRIC, Fact.LOWER, Fact.UPPER)

MOST_FACTORS = 6
"""A product of local Jacobians with more factors is not read as one operator."""


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """``dx = L dx + D dp``: vertices and inputs in order, and the blocks that are not zero.

    `rows` has for each vertex the inputs and then the vertices that its differential depends on,
    with their operators: those of the inputs are the blocks of D, the others of L, which is
    strictly lower block-triangular.  The outputs are vertices, or inputs themselves.
    """

    outputs: tuple[Node, ...]
    inputs: tuple[Var, ...]
    vertices: tuple[Node, ...]
    rows: Mapping[Node, tuple[tuple[Node, Block], ...]]

    @property
    def blocks(self) -> dict[tuple[Node, Node], Block]:
        """The operators by row and column."""
        return {(v, u): block for v in self.vertices for u, block in self.rows[v]}

    def forward(self, tangents: Mapping[Node, Node], direction: Shape = ()) -> dict[Node, Node]:
        """The tangents of all vertices, given those of inputs: forward substitution.

        All tangents share the last axes `direction`; those that are not given are zero.
        """
        found = self._restricted(tangents)
        for vertex in self.vertices:
            terms = [(1, block.apply(found[x])) for x, block in self.rows[vertex] if x in found]
            found[vertex] = build.add(terms) if terms else build.zeros(vertex.dims + direction)
        return found

    def reverse(self, cotangents: Mapping[Node, Node], direction: Shape = ()) -> dict[Node, Node]:
        """The cotangents of all vertices and inputs, given those of outputs: back substitution.

        All cotangents share the last axes `direction`; those that are not given are zero.
        """
        pending: dict[Node, list[tuple[int, Node]]] = {
            node: [(1, bar)] for node, bar in self._restricted(cotangents).items()
        }
        found: dict[Node, Node] = {}
        for vertex in (*reversed(self.vertices), *self.inputs):
            terms = pending.pop(vertex, None)
            if not terms:
                found[vertex] = build.zeros(vertex.dims + direction)
                continue
            found[vertex] = build.add(terms)
            for node, block in self.rows.get(vertex, ()):
                pending.setdefault(node, []).append((1, block.adjoint.apply(found[vertex])))
        return found

    def _restricted(self, moves: Mapping[Node, Node]) -> dict[Node, Node]:
        """What is given, projected at outputs that are themselves inputs with a structure.

        Between other outputs and such inputs there are blocks, which project.
        """
        return {
            node: Projection(node, node.dims, node.dims).apply(move)
            if isinstance(node, Var) and node in self.outputs and is_structured(node)
            else move
            for node, move in moves.items()
        }


def linearised(
    roots: Sequence[Node],
    inputs: Sequence[Var],
    named: Collection[Node] = (),
    steps: Steps = "auto",
) -> System:
    """The system of a graph with the given outputs and inputs.

    `steps` says what is a vertex besides the outputs and the nodes that are used more than once:
    the nodes in `named` (``"definitions"``), every function (``"functions"``), or every operation
    (``"operations"``); ``"auto"`` is the first where anything is named, else the second.

    >>> from tcalc.expr import shape
    >>> from tcalc.primitives.hyperbolic import tanh
    >>> W, x = build.var("W", shape("m", "n")), build.var("x", shape("n"))
    >>> y = tanh(build.einsum([W, x], "ij,j->i"))
    >>> system = linearised([y], [W, x])
    >>> [block.notation(lambda node: "...") for _, block in system.rows[y]]
    ["diag(...) (...' ⊗ I)", 'diag(...) ...']
    """
    live = dependents(roots, inputs)
    order = [node for node in postorder(roots) if node in live]
    sources: set[Node] = set(inputs)
    chosen = sources.union(roots, _marked(order, sources, set(named), steps))
    views = _views(order, live, chosen)
    order = [x for node in order if node not in views.values() for x in _with_view(node, views)]
    chosen |= _knots(order, live, sources) - views.keys()
    grown = _Growth(order, live, chosen, views)
    constant = [root for root in dict.fromkeys(roots) if root not in live and root not in sources]
    grown.rows.update((root, []) for root in constant)
    vertices = [*constant, *grown.vertices(sources)]
    place = {node: k for k, node in enumerate((*inputs, *vertices))}
    rows = {
        vertex: tuple(sorted(grown.rows[vertex], key=lambda entry: place[entry[0]]))
        for vertex in vertices
    }
    return System(tuple(roots), tuple(inputs), tuple(vertices), rows)


def _marked(
    order: Sequence[Node], sources: set[Node], named: set[Node], steps: Steps
) -> Iterator[Node]:
    inner = [node for node in order if node not in sources]
    if steps == "auto":
        steps = "definitions" if any(node in named for node in inner[:-1]) else "functions"
    for node in inner:
        if (
            steps == "operations"
            or (steps == "definitions" and node in named)
            or (steps == "functions" and isinstance(node, Apply))
        ):
            yield node


def transposed(node: Node) -> Einsum | None:
    """The product that a node is a transpose of, if it is one."""
    match node:
        case Einsum(factors=(Einsum() as product,), subscripts=(row,), output=output):
            return product if sorted(row) == sorted(output) else None
    return None


def _views(order: Sequence[Node], live: Collection[Node], chosen: set[Node]) -> dict[Node, Einsum]:
    """For products the vertex that is their transpose and stands for them.

    The normal form has ``Y = A*X*B`` as a transpose of the product that others, too, are made of;
    they are told to depend on Y, which the user knows.
    """
    found: dict[Node, Einsum] = {}
    for node in order:
        product = transposed(node) if node in chosen else None
        if isinstance(node, Einsum) and product is not None and product not in chosen:
            found.setdefault(product, node)
    for node in order:
        for operand, jacobian in edges(node, live):
            if isinstance(jacobian, Operator):
                found.pop(operand, None)
    return found


def _with_view(node: Node, views: Mapping[Node, Einsum]) -> tuple[Node, ...]:
    return (node, views[node]) if node in views else (node,)


def _knots(order: Sequence[Node], live: Collection[Node], sources: set[Node]) -> set[Node]:
    """The nodes at which paths meet or part, or that are passed by an operator."""
    uses: Counter[Node] = Counter()
    knots: set[Node] = set()
    for node in order:
        if node in sources:
            continue
        for operand, jacobian in edges(node, live):
            uses[operand] += 1
            if isinstance(jacobian, Operator):
                knots |= {node, operand}
            elif len(jacobian) > 1:
                knots.add(node)
    return knots | {node for node, count in uses.items() if count > 1 and not _is_plain(node)}


def _is_plain(node: Node) -> bool:
    """Whether a node only looks at another, or is a multiple of it: no work, and one operand."""
    match node:
        case Einsum():
            return node.is_view
        case Add(terms=terms):
            return len(terms) == 1
    return False


class _Growth:
    """The blocks of the chosen vertices, found from each vertex down to the next ones."""

    def __init__(
        self,
        order: Sequence[Node],
        live: Collection[Node],
        chosen: set[Node],
        views: Mapping[Node, Einsum],
    ) -> None:
        self.order, self.live, self.chosen, self.views = order, live, chosen, views
        self.rows: dict[Node, list[tuple[Node, Block]]] = {}
        self.inner = {node for node in order if node not in chosen}
        for node in reversed(order):
            if node not in self.inner:
                self._grow(node)

    def vertices(self, sources: set[Node]) -> list[Node]:
        return [node for node in self.order if node not in self.inner and node not in sources]

    def _grow(self, vertex: Node) -> None:
        applied: dict[Node, list[Block]] = {}
        terms: dict[Node, dict[Node, LinearTerm]] = {}
        axes = tuple(range(vertex.order))
        pending = [(vertex, LinearTerm(Fraction(1), (), (), axes, axes))]
        while pending:
            node, path = pending.pop()
            for operand, jacobian, block in self._edges(node):
                if block is not None:
                    applied.setdefault(operand, []).append(block)
                    continue
                view = self.views.get(operand)
                for term in jacobian:
                    ends = vertex.dims + operand.dims
                    longer = composed(path, term, node.dims, ends)
                    if view is not None and view is not vertex:
                        ends = vertex.dims + view.dims
                        back = LinearTerm(Fraction(1), (), (), view.subscripts[0], view.output)
                        longer = composed(longer, back, operand.dims, ends)
                        _collect(terms.setdefault(view, {}), longer, ends)
                        continue
                    if operand in self.inner and len(longer.factors) <= MOST_FACTORS:
                        pending.append((operand, longer))
                    else:
                        self.inner.discard(operand)
                        _collect(terms.setdefault(operand, {}), longer, ends)
        row = self.rows[vertex] = []
        for operand in dict.fromkeys([*applied, *terms]):
            parts = applied.get(operand, [])
            for term in terms.get(operand, {}).values():
                parts.append(recognised(term, vertex.dims, operand.dims))
            whole = total(parts)
            if isinstance(operand, Var) and is_structured(operand):
                whole = chain([whole, Projection(operand, operand.dims, operand.dims)])
            row.append((operand, whole))

    def _edges(self, node: Node) -> Iterator[tuple[Node, LinearMap, Block | None]]:
        """The live operands of a node with a linear map, or with a block that is no such map."""
        found = edges(node, self.live)
        if not isinstance(node, Apply):
            yield from ((operand, _map(jacobian), None) for operand, jacobian in found)
            return
        positions = [k for k, argument in enumerate(node.args) if argument in self.live]
        for k, (operand, jacobian) in zip(positions, found, strict=True):
            if isinstance(jacobian, Operator):
                yield operand, (), Applied(jacobian, node, k, node.dims, operand.dims)
            else:
                yield operand, jacobian, None


def is_structured(variable: Var) -> bool:
    """Whether a variable moves in a subspace only: a symmetric, diagonal or triangular matrix."""
    return variable.order > 1 and any(holds(variable, fact) for fact in STRUCTURES)


def _map(jacobian: LinearMap | Operator) -> LinearMap:
    if isinstance(jacobian, Operator):
        raise TypeError("only primitives have operators")
    return jacobian


def _collect(terms: dict[Node, LinearTerm], term: LinearTerm, ends: Shape) -> None:
    """Add a term to others; those that differ by a number become one."""
    axes = (*term.out, *term.into)
    dims = dict(zip(axes, ends, strict=True))
    tensor = build.einsum(term.factors, term.subscripts, axes, dims)
    known = terms.get(tensor)
    coefficient = term.coefficient + (known.coefficient if known else 0)
    terms[tensor] = replace(known or term, coefficient=coefficient)
