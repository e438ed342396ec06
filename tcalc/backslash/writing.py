"""A linearised graph as text: its vertices, its blocks in operator notation, its matrices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tcalc import printing
from tcalc.backslash.blocks import Block
from tcalc.backslash.compositions import Sum
from tcalc.backslash.system import System, transposed
from tcalc.expr import build
from tcalc.expr.facts import holds
from tcalc.expr.index_names import AxisNames, IndexNames
from tcalc.expr.nodes import Einsum, Node, Var
from tcalc.expr.primitive import Fact
from tcalc.expr.traverse import postorder, rebuild, variables
from tcalc.primitives.axis_names import inferred

LONGEST = 48
"""The most characters of a tensor that is written inside a block; longer ones get a name."""

MOST_AVOIDED = 200
"""The most names that a formula is told to avoid."""

WIDEST = 116
"""The most characters of a line of a block matrix."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A block as it is written: its row, its column, its notation and that of its adjoint."""

    row: str
    column: str
    kind: str
    notation: str
    adjoint: str


class Writing:
    """The names and texts of one system.

    `names` are those of vertices that have one, `order` the inputs in the user's order,
    `index_names` names of indices on axes, and `taken` further names to avoid.
    """

    def __init__(
        self,
        system: System,
        names: Mapping[Node, str],
        order: Sequence[str],
        index_names: IndexNames,
        taken: Iterable[str] = (),
    ) -> None:
        self.system = system
        axis_names = inferred(postorder(system.vertices), index_names) if index_names else {}
        self._index_names = dict(axis_names)
        self._order = list(order)
        self._taken = {*order, *taken}
        self._variables: dict[Node, Var] = {x: x for x in system.inputs}
        self._aside: dict[Node, Var] = {}
        self._lines: list[str] = []
        for vertex in system.vertices:
            self._variables[vertex] = self._standing_for(vertex, names, axis_names.get(vertex))
        self._cores = self._transposes()
        self._rank = {name: k for k, name in enumerate(self._order)}
        self.values = [self._value(vertex) for vertex in system.vertices]
        self.entries = [
            Entry(
                self.name(vertex),
                self.name(node),
                block.kind,
                block.notation(self._text),
                block.adjoint.notation(self._text),
            )
            for vertex in system.vertices
            for node, block in system.rows[vertex]
        ]
        self._sums = {
            (self.name(vertex), self.name(node))
            for (vertex, node), block in system.blocks.items()
            if isinstance(block, Sum)
        }

    def _standing_for(
        self, vertex: Node, names: Mapping[Node, str], axis_names: AxisNames | None
    ) -> Var:
        """The variable that is written for a vertex."""
        facts = ["symmetric"] if holds(vertex, Fact.SYMMETRIC) else []
        made = build.var(self._name(vertex, names), vertex.dims, facts)
        self._order.append(made.name)
        if axis_names is not None:
            self._index_names[made] = axis_names
        return made

    def _transposes(self) -> dict[Node, tuple[Node, Node]]:
        """For what a vertex is a transpose of, that vertex and the product written by it."""
        found: dict[Node, tuple[Node, Node]] = {}
        for vertex in self.system.vertices:
            product = transposed(vertex)
            if isinstance(vertex, Einsum) and product is not None:
                known = self._variables[vertex]
                turned = build.einsum([known], [vertex.output], vertex.subscripts[0])
                found.setdefault(product, (vertex, turned))
        return found

    def name(self, node: Node) -> str:
        """The name of a vertex or an input."""
        return self._variables[node].name

    def block(self, block: Block) -> str:
        """An operator in operator notation."""
        return block.notation(self._text)

    @property
    def asides(self) -> list[str]:
        """What the names in the blocks stand for that are no vertices."""
        return self._lines

    def differentials(self) -> list[str]:
        """``dx = L dx + D dp``, a line for each vertex: forward substitution."""
        rows: dict[str, list[Entry]] = {}
        for entry in self.entries:
            rows.setdefault(entry.row, []).append(entry)
        lines = []
        for vertex in map(self.name, self.system.vertices):
            terms = [
                _applied(self._operand(entry, entry.notation), f"d{entry.column}")
                for entry in rows.get(vertex, ())
            ]
            lines.append(f"d{vertex} = {_summed(terms)}")
        return lines

    def cotangents(self) -> list[str]:
        """``x_bar = (I - L)' \\ g`` and ``p_bar = D' x_bar``, from the last row up."""
        outputs = {self.name(node) for node in self.system.outputs}
        columns: dict[str, list[Entry]] = {}
        for entry in self.entries:
            columns.setdefault(entry.column, []).append(entry)
        lines = []
        nodes = (*reversed(self.system.vertices), *self.system.inputs)
        for column in map(self.name, nodes):
            terms = [
                _applied(self._operand(entry, entry.adjoint), f"{entry.row}_bar")
                for entry in columns.get(column, ())
            ]
            given = not terms and column in outputs
            lines.append(f"{column}_bar, given" if given else f"{column}_bar = {_summed(terms)}")
        return lines

    def lower(self) -> str:
        """The matrix ``I - L``: unit blocks on the diagonal, zero above."""
        names = [self.name(vertex) for vertex in self.system.vertices]
        known = {(e.row, e.column): self._negative(e) for e in self.entries}
        known |= {
            (self.name(vertex), self.name(vertex)): "I" if vertex.order else "1"
            for vertex in self.system.vertices
        }
        return _grid(names, names, known)

    def right(self) -> str:
        """The matrix ``D``, from the inputs to the vertices."""
        names = [self.name(vertex) for vertex in self.system.vertices]
        columns = [self.name(variable) for variable in self.system.inputs]
        return _grid(names, columns, {(e.row, e.column): e.notation for e in self.entries})

    def _operand(self, entry: Entry, notation: str) -> str:
        return f"({notation})" if (entry.row, entry.column) in self._sums else notation

    def _negative(self, entry: Entry) -> str:
        text = self._operand(entry, entry.notation)
        return text[1:] if text.startswith("-") else f"-{text}"

    def _name(self, vertex: Node, names: Mapping[Node, str]) -> str:
        known = names.get(vertex)
        if known is not None:
            return known
        if vertex in self.system.outputs:
            return self._fresh("f" if not vertex.order else "F")
        return self._fresh("t", numbered=True)

    def _fresh(self, stem: str, numbered: bool = False) -> str:
        number = 1
        name = f"{stem}1" if numbered else stem
        while name in self._taken:
            number += 1
            name = f"{stem}{number}"
        self._taken.add(name)
        return name

    def _value(self, vertex: Node) -> str:
        (local,) = rebuild([vertex], replacements=self._below(vertex))
        name = self.name(vertex)
        text = self._written(local, name)
        return text if _is_definition(text, name) else f"{name} = {text}"

    def _text(self, node: Node) -> str:
        """A tensor in a block: as a formula, or by a name where it has no short one."""
        if node in self._variables:
            return self.name(node)
        (local,) = rebuild([node], replacements=self._below(node))
        if isinstance(local, Var):
            return local.name
        if local in self._aside:
            return self._aside[local].name
        text = self._written(local, "")
        if len(text) <= LONGEST and "=" not in text and "\n" not in text and node.order <= 2:
            return text
        name = self._fresh("H" if node.order else "c", numbered=True)
        self._aside[local] = build.var(name, local.dims)
        again = self._written(local, name)
        self._lines.append(again if _is_definition(again, name) else f"{name} = {again}")
        return name

    def _below(self, node: Node) -> dict[Node, Node]:
        """The vertices and inputs that a node is made of, with what stands for them."""
        found: dict[Node, Node] = {}
        seen = {node}
        pending = [node]
        while pending:
            for operand in pending.pop().operands:
                vertex, turned = self._cores.get(operand, (node, operand))
                if operand in self._variables:
                    found[operand] = self._variables[operand]
                elif vertex is not node:
                    found[operand] = turned
                elif operand not in seen:
                    seen.add(operand)
                    pending.append(operand)
        return found

    def _written(self, node: Node, called: str) -> str:
        inside = variables([node])
        known = self._index_names
        names: dict[Node, AxisNames] = {x: known[x] for x in inside if x in known}
        called_inside = (x.name for x in inside)
        order = sorted(called_inside, key=lambda name: self._rank.get(name, len(self._rank)))
        # Names are only made for parts of long formulas, so that a few to avoid will do.
        avoided = sorted(self._taken) if len(self._taken) <= MOST_AVOIDED else ()
        return printing.to_text(node, order=order, names=avoided, called=called, index_names=names)


def _is_definition(text: str, name: str) -> bool:
    last = text.splitlines()[-1]
    return last.startswith((f"{name} =", f"{name}["))


def _applied(operator: str, x: str) -> str:
    sign = "-" if operator.startswith("-") else ""
    return f"{sign}{x}" if operator in ("I", "-I", "1", "-1") else f"{operator} {x}"


def _summed(terms: Sequence[str]) -> str:
    text = " + ".join(terms) or "0"
    return text.replace(" + -", " - ")


def _grid(rows: Sequence[str], columns: Sequence[str], known: Mapping[tuple[str, str], str]) -> str:
    """A block matrix as text; one that is too wide shows where its blocks are.

    >>> print(_grid(["x", "y"], ["x", "y"], {("x", "x"): "I", ("y", "x"): "-A", ("y", "y"): "I"}))
       x   y
    x  I   .
    y  -A  I
    """
    if not rows:
        return ""
    cells = [[known.get((row, column), ".") for column in columns] for row in rows]

    def width(table: Sequence[Sequence[str]]) -> int:
        widest = [max(map(len, column)) for column in zip(columns, *table, strict=True)]
        return max(map(len, rows)) + sum(2 + size for size in widest)

    if width(cells) > WIDEST:
        cells = [[x if x in (".", "I", "1") else "#" for x in line] for line in cells]
    if width(cells) > WIDEST:
        return f"(too wide to show: {len(rows)} × {len(columns)} blocks)"
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    stub = max(map(len, rows))
    lines = []
    for label, line in zip(["", *rows], [list(columns), *cells], strict=True):
        padded = (text.ljust(size) for text, size in zip(line, widths, strict=True))
        lines.append("  ".join([label.ljust(stub), *padded]).rstrip())
    return "\n".join(lines)
