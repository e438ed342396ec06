"""Expressions to SymPy in indexed form: `Indexed`, `Sum`, `KroneckerDelta`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

import sympy

from tcalc.conversion.names import RELATIONS, dimension, scalar_function
from tcalc.errors import ArgumentError, LimitError
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.traverse import postorder, rebuild
from tcalc.primitives.constants import Pi
from tcalc.primitives.determinant import Cofactors
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.gamma import Polygamma
from tcalc.primitives.inverse import Inverse
from tcalc.primitives.logdet import LogDet
from tcalc.primitives.norms import Norm2
from tcalc.primitives.piecewise import Where
from tcalc.primitives.power import Power
from tcalc.primitives.reductions import Prod, ProdOthers, written_out
from tcalc.primitives.selection import LowerMask, UnitVector, Window
from tcalc.primitives.softmax import LogSumExp, Softmax
from tcalc.primitives.symbolic import Symbolic

LARGEST = 3000
"""The most nodes: SymPy takes seconds for more."""

COMPARING = ("relu", "max", "min")
"""Functions whose arguments SymPy compares whenever it makes them anew."""
DEEPEST = 2
"""The most of these within one another: SymPy takes a second for three, and ten times as long for
each one more."""


def indexed(root: Node) -> Any:
    """The entry of a tensor at the indices i0, i1, …, as an expression of SymPy's."""
    (root,) = rebuild([root], _as_written)
    order = postorder([root])
    if len(order) > LARGEST:
        raise LimitError(f"{len(order)} operations are too many for SymPy, above {LARGEST}")
    if _nesting(order) > DEEPEST:
        raise LimitError(
            f"more than {DEEPEST} of {', '.join(COMPARING)} within one another take SymPy too long"
        )
    writer = _Writer(order)
    value = writer.entry(root, [_index("i", k, dim) for k, dim in enumerate(root.dims)])
    if value.free_symbols & writer.bound:
        # Its folding of `Piecewise` does not mind that an inner sum binds what a case speaks of.
        raise ArgumentError("SymPy would take cases out of the sums that their conditions need")
    return value


def _as_written(node: Node) -> Node:
    """What stands for a formula that loses digits, or for products of others, as that formula."""
    if not isinstance(node, Apply):
        return node
    if isinstance(node.primitive, ProdOthers):
        return written_out(node)
    return node.primitive.written(node) or node


def _nesting(order: Sequence[Node]) -> int:
    """How many functions that compare lie within one another."""
    depth: dict[Node, int] = {}
    for node in order:
        own = isinstance(node, Apply) and node.primitive.name in COMPARING
        depth[node] = max((depth[x] for x in node.operands), default=0) + own
    return depth[order[-1]]


def _index(letter: str, k: int, dim: Any) -> Any:
    return sympy.Idx(f"{letter}{k}", dimension(dim))


class _Writer:
    """Entries of all nodes at indices of their own, which their users rename."""

    def __init__(self, order: Sequence[Node]) -> None:
        self._summed = 0
        self.bound: set[Any] = set()
        self._entries: dict[Node, tuple[Any, list[Any]]] = {}
        for number, node in enumerate(order):
            own = [sympy.Idx(f"a{number}_{k}", dimension(dim)) for k, dim in enumerate(node.dims)]
            self._entries[node] = self._made(node, own), own

    def entry(self, node: Node, indices: Sequence[Any]) -> Any:
        """A node's entry at given indices."""
        value, own = self._entries[node]
        return value.xreplace(dict(zip(own, indices, strict=True)))

    def _fresh(self, dim: Any) -> Any:
        self._summed += 1
        return _index("j", self._summed - 1, dim)

    def _total(self, value: Any, dims: Sequence[Any], indices: Sequence[Any]) -> Any:
        """The sum over some indices."""
        for index, dim in zip(indices, dims, strict=True):
            # With plain limits: the sum of an `Idx` alone does not show them.
            bound = sympy.Symbol(str(index), integer=True)
            self.bound.add(bound)
            value = sympy.Sum(value.xreplace({index: bound}), (bound, 0, dimension(dim) - 1))
        return value

    def _made(self, node: Node, own: Sequence[Any]) -> Any:
        match node:
            case Var(name=name, dims=dims):
                if not dims:
                    return sympy.Symbol(name)
                shape = tuple(dimension(dim) for dim in dims)
                return sympy.IndexedBase(name, shape=shape)[tuple(own)]
            case Const(value=value):
                return sympy.Rational(value.numerator, value.denominator)
            case Delta():
                return sympy.KroneckerDelta(*own)
            case Add(terms=terms):
                return sympy.Add(
                    *(
                        sympy.Rational(c.numerator, c.denominator) * self.entry(x, own)
                        for c, x in terms
                    )
                )
            case Einsum():
                return self._product(node, own)
            case Apply():
                return self._applied(node, own)
            case _:
                assert_never(node)

    def _product(self, node: Einsum, own: Sequence[Any]) -> Any:
        index = dict(zip(node.output, own, strict=True))
        summed: list[Any] = []
        dims: list[Any] = []
        for factor, row in zip(node.factors, node.subscripts, strict=True):
            for label, dim in zip(row, factor.dims, strict=True):
                if label not in index:
                    index[label] = self._fresh(dim)
                    summed.append(index[label])
                    dims.append(dim)
        value = sympy.Mul(
            *(
                self.entry(factor, [index[label] for label in row])
                for factor, row in zip(node.factors, node.subscripts, strict=True)
            )
        )
        return self._total(value, dims, summed)

    def _applied(self, node: Apply, own: Sequence[Any]) -> Any:
        match node.primitive:
            case Pi():
                return sympy.pi
            case Power(exponent=p):
                return self.entry(node.args[0], own) ** sympy.Rational(p.numerator, p.denominator)
            case Symbolic() as user:
                values = [self.entry(x, own) for x in node.args]
                return user.expression.xreplace(dict(zip(user.symbols, values, strict=True)))
            case Where(comparison=comparison):
                left, right, yes, no = (self.entry(x, own) for x in node.args)
                return sympy.Piecewise((yes, RELATIONS[comparison](left, right)), (no, True))
            case Polygamma(k=k):
                return sympy.polygamma(k, self.entry(node.args[0], own))
            case Elementwise(name=name):
                return scalar_function(name)(*(self.entry(x, own) for x in node.args))
            case UnitVector(index=place):
                return sympy.KroneckerDelta(own[0], dimension(place) - 1)
            case Window(start=start):
                return sympy.KroneckerDelta(own[0] + dimension(start) - 1, own[1])
            case LowerMask(offset=offset):
                return sympy.Piecewise((1, own[1] <= own[0] + dimension(offset)), (0, True))
            case Norm2() | LogSumExp() | Softmax() | Prod():
                return self._reduced(node, own)
            case Inverse(axes=1) | Cofactors(k=0) | LogDet():
                return self._of_matrix(node, own)
        raise ArgumentError(f"SymPy has no counterpart of {node.primitive.name}")

    def _reduced(self, node: Apply, own: Sequence[Any]) -> Any:
        primitive = node.primitive
        assert isinstance(primitive, Norm2 | LogSumExp | Softmax | Prod)
        (x,) = node.args
        dims = x.dims[x.order - primitive.axes :]
        lead = list(own[: x.order - primitive.axes])
        summed = [self._fresh(dim) for dim in dims]
        inside = self.entry(x, [*lead, *summed])
        match primitive:
            case Norm2():
                return sympy.sqrt(self._total(inside**2, dims, summed))
            case LogSumExp():
                return sympy.log(self._total(sympy.exp(inside), dims, summed))
            case Softmax():
                return sympy.exp(self.entry(x, own)) / self._total(sympy.exp(inside), dims, summed)
            case Prod():
                for index, dim in zip(summed, dims, strict=True):
                    inside = sympy.Product(inside, (index, 0, dimension(dim) - 1))
                return inside

    def _of_matrix(self, node: Apply, own: Sequence[Any]) -> Any:
        """A function of a plain matrix, by SymPy's matrix expressions."""
        (a,) = node.args
        if not isinstance(a, Var) or a.order != 2:
            raise ArgumentError(
                f"SymPy has {node.primitive.name} of matrices, and no indexed form of it",
                hint="it takes what has a matrix form throughout",
            )
        A = sympy.MatrixSymbol(a.name, *(dimension(dim) for dim in a.dims))
        match node.primitive:
            case Inverse():
                return A.inverse()[tuple(own)]
            case LogDet():
                return sympy.log(sympy.Determinant(A))
        return sympy.Determinant(A)
