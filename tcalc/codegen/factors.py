"""Inverses without inverting: each matrix is factorised once, for all that is made of it.

Solves with it, its inverse where that is needed as an array, and the logarithm of its determinant
share one Cholesky or LU factorisation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from tcalc.codegen.program import (
    Derived,
    Factorise,
    Fold,
    FromFactor,
    Solve,
    Solver,
    Value,
    View,
)
from tcalc.codegen.selection import Inverted, Labels, Operand
from tcalc.codegen.tensor import Builder, Tensor, arranged
from tcalc.expr.dims import Dim, Shape, product
from tcalc.expr.nodes import Apply, Node, Var
from tcalc.expr.primitive import Fact
from tcalc.primitives.inverse import Inverse, structure
from tcalc.primitives.logdet import LogDet

_SOLVERS = {
    None: Solver.GENERAL,
    Fact.DIAGONAL: Solver.DIAGONAL,
    Fact.LOWER: Solver.LOWER,
    Fact.UPPER: Solver.UPPER,
    Fact.SPD: Solver.SPD,
}
_SYMMETRIC = (Solver.SPD, Solver.DIAGONAL)
_DENSE = (Solver.SPD, Solver.GENERAL)


class Surroundings(Protocol):
    """What products and factorisations need of the rest of a program."""

    builder: Builder

    @property
    def tensors(self) -> Mapping[Node, Tensor]: ...

    def dense(self, node: Node) -> View: ...


class Factors:
    """The factorisations of one program."""

    def __init__(self, lowering: Surroundings) -> None:
        self.lowering = lowering
        self.builder = lowering.builder
        self.shared: set[Node] = set()

    def prepare(self, order: Sequence[Node], applied: Collection[Node]) -> None:
        """Find the matrices of whose factorisation more than one thing is made."""
        inverted: set[Node] = set()
        further: set[Node] = {node.args[0] for node in applied if isinstance(node, Apply)}
        for node in order:
            match node:
                case Apply(primitive=Inverse(axes=1), args=(matrix,)):
                    inverted.add(matrix)
                case Apply(primitive=LogDet(), args=(matrix,)):
                    further.add(matrix)
        self.shared = {
            matrix for matrix in inverted & further if _SOLVERS[structure(matrix)] in _DENSE
        }

    def derived(self, node: Apply) -> Value | None:
        """An inverse or a log-determinant by the shared factorisation, if there is one."""
        (matrix, *_) = node.args or (node,)
        match node:
            case Apply(primitive=Inverse(axes=1)) if matrix in self.shared:
                kind = Derived.INVERSE
            case Apply(primitive=LogDet()) if matrix in self.shared:
                kind = Derived.LOGDET
            case _:
                return None
        factor = self._factor(matrix, 1, "inv", node.order)[0]
        return self.builder.make(FromFactor(kind, factor, describe(node)), node.dims)

    def _factor(self, matrix: Node, axes: int, name: str, lead: int) -> tuple[Value, Solver]:
        """The factorisation of a matrix, seen as one over groups of axes."""
        solver = _SOLVERS[structure(matrix)] if axes == 1 else Solver.GENERAL
        view = self.lowering.dense(matrix)
        if axes > 1:
            dims = view.dims
            n = product(dims[lead : lead + axes])
            shape = (*dims[:lead], n, n)
            view = View.of(self.builder.make(Fold(view, shape), shape, view.value.memory))
        where = f"{name}({matrix.name if isinstance(matrix, Var) else '…'})"
        return self.builder.make(Factorise(view, solver, where), ()), solver

    def solve(self, inverse: Inverted, other: Operand) -> Operand:
        """An inverse applied to an operand."""
        axes = axes_of(inverse.node)
        group = group_of(inverse, other.labels)
        assert group is not None
        lead = len(inverse.labels) - 2 * axes
        batch = inverse.labels[:lead]
        sides = inverse.labels[lead : lead + axes], inverse.labels[lead + axes :]
        summed, opposite = sides[group], sides[1 - group]
        factor, solver = self._factor(inverse.node.args[0], axes, "inv", lead)
        columns = tuple(x for x in other.labels if x not in batch and x not in summed)
        dims = dict(zip(other.labels, other.value.dims, strict=True))
        sizes = dict(zip(inverse.labels, inverse.node.dims, strict=True))
        right = arranged(other.value, other.labels, (*batch, *summed, *columns))
        stack = tuple(sizes[x] for x in batch)
        core: Shape = (product(sizes[x] for x in summed),)
        if columns:
            core = (*core, product(dims[x] for x in columns))
        folded = axes > 1 or len(columns) > 1
        if folded:
            shape = (*(dims.get(x, Dim.of(1)) for x in batch), *core)
            right = View.of(self.builder.make(Fold(right, shape), shape, other.value.memory))
        transposed = group == 0 and solver not in _SYMMETRIC
        solve = Solve(factor, right, solver, transposed, bool(columns))
        value = self.builder.make(solve, (*stack, *core))
        if folded:
            shape = (*stack, *(sizes[x] for x in opposite), *(dims[x] for x in columns))
            value = self.builder.make(Fold(View.of(value), shape), shape)
        return Operand(value, (*batch, *opposite, *columns))


def axes_of(node: Node) -> int:
    """Over how many axes each side of an inverse goes."""
    assert isinstance(node, Apply)
    assert isinstance(node.primitive, Inverse)
    return node.primitive.axes


def group_of(inverse: Inverted, labels: Labels) -> int | None:
    """Which side of an inverse an operand is summed with: 0 its rows, 1 its columns."""
    axes = axes_of(inverse.node)
    lead = len(inverse.labels) - 2 * axes
    rows, columns = inverse.labels[lead : lead + axes], inverse.labels[lead + axes :]
    if set(columns) <= set(labels):
        return 1
    return 0 if set(rows) <= set(labels) else None


def describe(node: Apply) -> str:
    """An application as a short text, for messages: ``chol(K)``."""
    names = [x.name if isinstance(x, Var) else "…" for x in node.args]
    return f"{node.primitive.name}({', '.join(names)})"
