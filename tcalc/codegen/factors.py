"""Inverses without inverting: each matrix is factorised once, for all that is made of it.

Solves with it, its inverse where that is needed as an array, the logarithm of its determinant and
its Cholesky factor share one Cholesky or LU factorisation.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
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
from tcalc.codegen.selection import Inverted, Operand
from tcalc.codegen.tensor import Builder, Tensor, arranged
from tcalc.expr.dims import Dim, Shape, product
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Apply, Node, Var
from tcalc.expr.primitive import Fact, Labels
from tcalc.expr.traverse import at_most
from tcalc.planning import Inversion
from tcalc.primitives.cholesky import Cholesky
from tcalc.primitives.inverse import Inverse, is_triangle, structure
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


NODES = 20
"""Of how many nodes a formula is at most that is written into a message."""
LETTERS = 40


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
        self.definite: set[Node] = set()
        self.factors: dict[Node, Value] = {}

    def prepare(self, order: Sequence[Node]) -> None:
        """Find the matrices that are factorised, for solves or else.

        A symmetric matrix that the program takes the Cholesky factor of is positive definite, or
        the program has no value.
        """
        made: set[Node] = set()
        for node in order:
            match node:
                case Apply(primitive=Inverse(axes=1) | LogDet(), args=(matrix,)):
                    made.add(matrix)
                case Apply(primitive=Cholesky(), args=(matrix,)):
                    # The factor of (A + A')/2 is that of A only where these are the same.
                    if matrix.order == 2 and symmetric_axes(matrix):
                        made.add(matrix)
                        self.definite.add(matrix)
        self.shared = {matrix for matrix in made if matrix.order == 2}

    def derived(self, node: Apply) -> Value | None:
        """An inverse, a log-determinant or a factor by the shared factorisation."""
        (matrix, *_) = node.args or (node,)
        match node:
            case Apply(primitive=Inverse(axes=1)) if matrix in self.shared:
                kind = Derived.INVERSE
                good: Collection[Solver] = (*_DENSE, Solver.LOWER, Solver.UPPER)
            case Apply(primitive=LogDet()) if matrix in self.shared:
                kind, good = Derived.LOGDET, _DENSE
            case Apply(primitive=Cholesky()) if matrix in self.shared:
                kind, good = Derived.CHOLESKY, (Solver.SPD,)
            case _:
                return None
        if self._solver(matrix, 1) not in good:
            return None
        factor, solver = self._factor(matrix, 1, node.primitive.name, 0)
        made = FromFactor(kind, factor, self.describe(node), solver)
        return self.builder.make(made, node.dims)

    def _solver(self, matrix: Node, axes: int) -> Solver:
        solver = _SOLVERS[structure(matrix)] if axes == 1 else Solver.GENERAL
        if matrix in self.definite and solver is Solver.GENERAL:
            return Solver.SPD
        return solver

    def _factor(self, matrix: Node, axes: int, name: str, lead: int) -> tuple[Value, Solver]:
        """The factorisation of a matrix, seen as one over groups of axes."""
        solver = self._solver(matrix, axes)
        if matrix in self.factors:
            return self.factors[matrix], solver
        view = self.lowering.dense(matrix)
        if axes > 1:
            dims = view.dims
            n = product(dims[lead : lead + axes])
            shape = (*dims[:lead], n, n)
            view = View.of(self.builder.make(Fold(view, shape), shape, view.value.memory))
        where = self._place(name, matrix)
        symmetric = axes == 1 and solver is Solver.GENERAL and symmetric_axes(matrix)
        operation = Factorise(view, solver, where, symmetric)
        self.factors[matrix] = self.builder.make(operation, ())
        return self.factors[matrix], solver

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
        symmetric = axes == 1 and symmetric_axes(inverse.node)
        transposed = group == 0 and solver not in _SYMMETRIC and not symmetric
        where = self._place("inv", inverse.node.args[0])
        solve = Solve(factor, right, solver, transposed, bool(columns), where)
        value = self.builder.make(solve, (*stack, *core))
        if folded:
            shape = (*stack, *(sizes[x] for x in opposite), *(dims[x] for x in columns))
            value = self.builder.make(Fold(View.of(value), shape), shape)
        return Operand(value, (*batch, *opposite, *columns))

    def describe(self, node: Apply) -> str:
        """An application as a short text, for messages: ``chol(K)``."""
        return f"{node.primitive.name}({', '.join(map(_named, node.args))})"

    def _place(self, name: str, matrix: Node) -> str:
        return f"{name}({_named(matrix)})"


@lru_cache(maxsize=256)  # code for other sizes has the same messages
def _named(matrix: Node) -> str:
    """A matrix for a message: its formula where that is short, else its dimensions."""
    from tcalc.printing import to_text

    if isinstance(matrix, Var):
        return matrix.name
    dims = f" of [{','.join(map(str, matrix.dims))}]"
    if at_most(NODES, matrix):
        text = to_text(matrix)
        axes, _, formula = text.rpartition(" = ")
        if len(formula) <= LETTERS and "\n" not in text:
            return formula + dims if axes else formula
    return f"…{dims}"


def inversion_of(node: Node) -> Inversion:
    """An inverse as planning sees it."""
    assert isinstance(node, Apply)
    return Inversion(axes_of(node), is_triangle(node.args[0]))


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
