"""The tape: what the elaboration decides to build, before the sizes are known.

Nodes are interned with their final dimensions, and a dimension may become known in the last line
of a program.  So the elaboration writes down constructor calls with provisional dimensions, and
`Tape.replay` makes the nodes, each step once and only those that the results need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

from tcalc.calculus import derivative
from tcalc.errors import DimensionError, Span, TcalcError
from tcalc.expr import Apply, Dim, Node, Var, build
from tcalc.language.poles import without_pole
from tcalc.records import dataclass

Slot: TypeAlias = int
Construct: TypeAlias = Callable[[Sequence[Node], Sequence[Dim]], Node]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One constructor call: the steps and the dimensions it takes, and the call itself."""

    operands: tuple[Slot, ...]
    dims: tuple[Dim, ...]
    construct: Construct
    span: Span | None


class Tape:
    """Constructor calls in the order of their making; a slot is the number of a step."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._variables: dict[str, Slot] = {}
        #: The derivatives among the steps: of what, by what, and where.
        self.derivatives: list[tuple[Slot, tuple[Slot, ...], Span]] = []

    def _record(
        self,
        construct: Construct,
        operands: Iterable[Slot] = (),
        dims: Iterable[Dim] = (),
        span: Span | None = None,
    ) -> Slot:
        self._steps.append(Step(tuple(operands), tuple(dims), construct, span))
        return len(self._steps) - 1

    def variable(self, name: str, dims: Sequence[Dim], properties: Sequence[str]) -> Slot:
        """An input; the same step each time."""
        if name not in self._variables:
            self._variables[name] = self._record(
                lambda _, sizes: build.var(name, sizes, properties), dims=dims
            )
        return self._variables[name]

    def given(self, node: Node) -> Slot:
        """A tensor that is there already."""
        return self._record(lambda _nodes, _sizes: node)

    def constant(self, value: Fraction | int, dims: Sequence[Dim] = ()) -> Slot:
        """A number, at every place of a tensor."""
        return self._record(lambda _, sizes: build.const(value, sizes), dims=dims)

    def delta(self, dim: Dim) -> Slot:
        """The unit matrix."""
        return self._record(lambda _, sizes: build.delta(sizes[0]), dims=(dim,))

    def size(self, dim: Dim) -> Slot:
        """A dimension as a number."""
        return self._record(lambda _, sizes: build.size(sizes[0]), dims=(dim,))

    def einsum(
        self,
        factors: Sequence[tuple[Slot, Sequence[int]]],
        output: Sequence[int],
        broadcast: Mapping[int, Dim] | None = None,
        span: Span | None = None,
    ) -> Slot:
        """A product over labels; `broadcast` has the dimensions of labels that no factor has."""
        subscripts = [tuple(labels) for _, labels in factors]
        extra = dict(broadcast or {})

        def construct(nodes: Sequence[Node], sizes: Sequence[Dim]) -> Node:
            return build.einsum(nodes, subscripts, output, dict(zip(extra, sizes, strict=True)))

        return self._record(construct, (slot for slot, _ in factors), extra.values(), span)

    def add(self, terms: Sequence[tuple[Fraction, Slot]], span: Span | None = None) -> Slot:
        """A sum of terms of one shape."""
        coefficients = [coefficient for coefficient, _ in terms]

        def construct(nodes: Sequence[Node], _: Sequence[Dim]) -> Node:
            return build.add(zip(coefficients, nodes, strict=True))

        return self._record(construct, (slot for _, slot in terms), span=span)

    def call(
        self,
        function: Callable[..., Node | Sequence[Node]],
        operands: Iterable[Slot] = (),
        dims: Iterable[Dim] = (),
        output: int = 0,
        span: Span | None = None,
    ) -> Slot:
        """A function of nodes, then dimensions; `output` picks one of several results."""

        def construct(nodes: Sequence[Node], sizes: Sequence[Dim]) -> Node:
            result = function(*nodes, *sizes)
            return result[output] if isinstance(result, Sequence) else result

        return self._record(construct, operands, dims, span)

    def derivative(self, function: Slot, variables: Sequence[Slot], span: Span) -> Slot:
        """The derivative of a tensor by variables, one after the other."""
        self.derivatives.append((function, tuple(variables), span))

        def construct(nodes: Sequence[Node], _: Sequence[Dim]) -> Node:
            value, *by = nodes
            return derivative(value, [node for node in by if isinstance(node, Var)])

        return self._record(construct, (function, *variables), span=span)

    def needed(self, results: Iterable[Slot]) -> list[Slot]:
        """The steps that the results need, in order."""
        live = set(results)
        for slot in range(max(live, default=-1), -1, -1):
            if slot in live:
                live.update(self._steps[slot].operands)
        return sorted(live)

    def places(self, nodes: Mapping[Slot, Node]) -> dict[Node, Span]:
        """Where the text calls the functions among the nodes that `replay` made, the first time."""
        found: dict[Node, Span] = {}
        for slot, node in nodes.items():
            span = self._steps[slot].span
            if span is not None and isinstance(node, Apply):
                found.setdefault(node, span)
        return found

    def dims(self, slots: Iterable[Slot]) -> Iterable[Dim]:
        """The dimensions that these steps mention."""
        return (dim for slot in slots for dim in self._steps[slot].dims)

    def replay(self, slots: Iterable[Slot], resolve: Callable[[Dim], Dim]) -> dict[Slot, Node]:
        """The nodes of these steps (see `needed`), with the dimensions that `resolve` gives."""
        nodes: dict[Slot, Node] = {}
        for slot in slots:
            step = self._steps[slot]
            operands = [nodes[operand] for operand in step.operands]
            try:
                node = step.construct(operands, [resolve(dim) for dim in step.dims])
                nodes[slot] = without_pole(node)
            except TcalcError as error:
                if step.span is not None:
                    error.locate(step.span)
                raise
            except ValueError as error:
                raise DimensionError(
                    str(error),
                    span=step.span,
                    hint="`tcalc functions` says what each function takes",
                ) from error
        return nodes
