"""Tensors of all steps at once: an axis in front that counts the steps.

Primitives take axes in front of those that they act on; products have a label more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Add, Apply, Einsum, Node, Var
from tcalc.expr.traverse import postorder


def input_of_steps(variable: Var, name: str, steps: Dim) -> Var:
    """An input that has those of all steps, along an axis in front."""
    return build.var(name, (steps, *variable.dims), variable.properties)


class Lifted:
    """Tensors of one step as those of all steps.

    `inputs` are the inputs of a step that are others in each, and what has them all.
    """

    def __init__(self, inputs: Mapping[Node, Node], steps: Dim) -> None:
        self._steps = steps
        self._found: dict[Node, Node | None] = {**inputs}
        self._varies = {*inputs}

    def of(self, roots: Iterable[Node]) -> list[Node | None]:
        """The tensors of all steps; None for those that take more than one step at a time.

        What is the same in all steps stays as it is.
        """
        roots = [*roots]
        for node in postorder(roots):
            if node not in self._found:
                self._found[node] = self._lifted(node)
        return [self._found[root] for root in roots]

    def varies(self, node: Node) -> bool:
        """Whether a tensor that was lifted is another in each step."""
        return node in self._varies

    def summed(self, node: Node) -> Node | None:
        """The sum of a tensor over all steps, if it can be lifted."""
        (found,) = self.of([node])
        if found is None:
            return None
        labels = range(1, node.order + 1)
        if self.varies(node):
            return build.einsum([found], [(0, *labels)], labels)
        return build.einsum([build.size(self._steps), found], [(), tuple(labels)], labels)

    def _lifted(self, node: Node) -> Node | None:
        if not any(x in self._varies for x in node.operands):
            return node
        self._varies.add(node)  # also where it cannot be lifted: its users cannot either
        operands: list[Node] = []
        for x in node.operands:
            found = self._found[x]
            if found is None:
                return None
            operands.append(found)
        match node:
            case Einsum():
                return self._product(node, operands)
            case Add(terms=terms):
                wide = [self._wide(x) for x in node.operands]
                return build.add([(c, x) for (c, _), x in zip(terms, wide, strict=True)])
            case Apply(primitive=primitive, output=output):
                wide = [self._wide(x) for x in node.operands]
                try:
                    found = build.apply(primitive, *wide, output=output)
                except ValueError:  # it takes no axes in front of those that it has
                    return None
                return found if found.dims == (self._steps, *node.dims) else None
            case _:
                return None

    def _wide(self, node: Node) -> Node:
        """A tensor along all steps, repeated where it is the same in all."""
        found = self._found[node]
        assert found is not None
        return found if node in self._varies else build.broadcast(found, (self._steps, *node.dims))

    def _product(self, node: Einsum, operands: Sequence[Node]) -> Node:
        # Labels of a product are small numbers, -1 is none of them.
        rows = [
            (-1, *labels) if x in self._varies else labels
            for x, labels in zip(node.factors, node.subscripts, strict=True)
        ]
        dims = dict(zip(node.output, node.dims, strict=True))
        return build.einsum(operands, rows, (-1, *node.output), dims)
