"""Expressions from SymPy.

A scalar expression is read as a tensor over the indices in it: ``A[i, j]*x[j]`` has the axes i and
j, and `Sum` takes one away.  A matrix expression is read as a tensor and which of its two axes it
has: those of length one are left out, so that a matrix with one column is a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.matexpr import MatrixElement

from tcalc import language
from tcalc.conversion.names import FUNCTIONS
from tcalc.errors import ArgumentError, DimensionError
from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Node, Var
from tcalc.expression import Context, Expression
from tcalc.primitives import REGISTRY
from tcalc.primitives.constants import CONSTANTS
from tcalc.primitives.determinant import det
from tcalc.primitives.inverse import Inverse
from tcalc.primitives.logdet import LogDet
from tcalc.primitives.piecewise import Where
from tcalc.primitives.power import power
from tcalc.primitives.reductions import Prod
from tcalc.primitives.selection import LowerMask, UnitVector, Window

NAMES = {kind: name for name, kind in FUNCTIONS.items()}


@dataclass(frozen=True, slots=True)
class Entries:
    """A scalar expression: a tensor whose axes are indices of SymPy's."""

    node: Node
    indices: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix expression: a tensor, and whether it has the axis of rows and that of columns."""

    node: Node
    rows: bool
    columns: bool

    @property
    def labels(self) -> tuple[str, ...]:
        """The axes that it has, as labels."""
        return ("r",) * self.rows + ("c",) * self.columns


class Reader:
    """Reads one expression; variables are those declared, or made as they are met."""

    def __init__(self, declarations: str, expression: Any) -> None:
        if not isinstance(expression, sympy.Expr | sympy.MatrixExpr):
            raise ArgumentError(
                f"an expression of SymPy's was expected, not {type(expression).__name__}",
                hint="text is not parsed here: tcalc.parse does that",
            )
        self.expression = expression
        self.declared = language.parse_declarations(declarations) if declarations else {}
        self.found: dict[str, Var] = {}
        self.sizes = _symbols_of_sizes(expression)
        self.ranges: dict[Any, Dim] = {}
        self._measure()

    def read(self, indices: Sequence[Any] | None) -> Expression:
        """The whole of it."""
        if isinstance(self.expression, sympy.MatrixExpr):
            if indices is not None:
                raise ArgumentError("a matrix expression has no indices to order")
            node = self.matrix(self.expression).node
        else:
            value = self.scalar(self.expression)
            order = sorted(value.indices, key=str) if indices is None else list(indices)
            if set(order) != set(value.indices) or len(order) != len(value.indices):
                names = ", ".join(map(str, sorted(value.indices, key=str)))
                raise ArgumentError(f"the free indices are {names or 'none'}")
            node = build.einsum([value.node], [value.indices], order)
        return Expression(node, Context(dict(self.found)))

    def _measure(self) -> None:
        """The dimension that each index runs over."""
        for part in sympy.preorder_traversal(self.expression):
            if isinstance(part, sympy.Indexed):
                if part.base.shape is None:
                    raise ArgumentError(f"{part.base} needs a shape: IndexedBase(name, shape=…)")
                for index, size in zip(part.indices, part.shape, strict=True):
                    self._ranged(index, self.dim(size))
            elif isinstance(part, MatrixElement):
                for index, size in zip(part.args[1:], part.parent.shape, strict=True):
                    self._ranged(index, self.dim(size))
            elif isinstance(part, sympy.Idx) and part.upper is not None:
                self._ranged(part, self.dim(part.upper - part.lower + 1))
            elif isinstance(part, sympy.Sum | sympy.Product):
                for index, low, high in part.limits:
                    self._ranged(index, self.dim(high - low + 1))

    def _ranged(self, index: Any, dim: Dim) -> None:
        if index.is_Integer:
            return
        if not index.is_Symbol and not isinstance(index, sympy.Idx):
            raise ArgumentError(f"{index} is no index: it is a symbol, an Idx or a number")
        if self.ranges.setdefault(index, dim) != dim:
            raise DimensionError(
                f"the index {index} runs over {self.ranges[index]} and over {dim}",
                hint="sums are over the whole of an axis",
            )

    def dim(self, size: Any) -> Dim:
        """A dimension, from an integer, a symbol, or sums and products of such."""
        if size.is_Integer:
            return Dim.of(int(size))
        if size.is_Symbol:
            return Dim.of(str(size))
        if size.is_Add or size.is_Mul:
            parts = [self.dim(part) for part in size.args]
            total = parts[0]
            for part in parts[1:]:
                total = total + part if size.is_Add else total * part
            return total
        raise ArgumentError(f"{size} is no dimension: it is an integer, a name, or made of such")

    def variable(self, name: str, dims: Sequence[Dim]) -> Var:
        """The input of a name, as it was declared, or as it is met first."""
        if not name.isidentifier():
            raise ArgumentError(f"{name!r} is no name for a variable of the language")
        known = self.declared.get(name) or self.found.get(name) or build.var(name, tuple(dims))
        if known.dims != tuple(dims):
            raise DimensionError(
                f"{name} is {known!r}, and stands here with the dimensions "
                f"[{', '.join(map(str, dims))}]"
            )
        self.found[name] = known
        return known

    # Scalars

    def scalar(self, e: Any, given: Mapping[Any, Node] | None = None) -> Entries:
        """A scalar expression; `given` are the tensors that symbols stand for, of one shape."""

        def read(part: Any) -> Entries:
            return self.scalar(part, given)

        if given and e in given:
            node = given[e]
            return Entries(node, tuple(f"axis {k}" for k in range(node.order)))
        if e.is_Rational:
            return Entries(build.const(Fraction(int(e.p), int(e.q))))
        if e.is_Float:
            return Entries(build.const(Fraction(repr(float(e)))))
        if e is sympy.pi:
            return Entries(CONSTANTS["pi"]())
        if e.is_Symbol:
            return self._symbol(e)
        if e.is_Add:
            return self._sum([read(part) for part in e.args])
        if e.is_Mul:
            return _multiplied([read(part) for part in e.args])
        if e.is_Pow:
            return self._power(read(e.base), e.exp, read)
        match e:
            case sympy.Indexed():
                base = self.variable(str(e.base), [self.dim(size) for size in e.shape])
                return _selected(base, e.indices)
            case MatrixElement():
                inner, axes = self.matrix(e.parent), e.args[1:]
                kept = [i for i, has in zip(axes, (inner.rows, inner.columns), strict=True) if has]
                return _selected(inner.node, kept)
            case sympy.Sum() | sympy.Product():
                return self._total(e, read(e.function))
            case sympy.Trace():
                inner = self.matrix(e.arg)
                labels = ("r",) * inner.node.order
                return Entries(build.einsum([inner.node], [labels], ()))
            case sympy.Determinant():
                return Entries(det(self._square(e.arg)))
            case sympy.KroneckerDelta():
                return self._delta(e)
            case sympy.Piecewise():
                return self._piecewise(e, read)
        if e == sympy.S.Exp1:
            return Entries(_function("exp")(build.const(1)))
        if type(e) is sympy.log and isinstance(e.args[0], sympy.Determinant):
            return Entries(build.apply(LogDet(), self._square(e.args[0].arg)))
        if type(e) in NAMES:
            return self._function(NAMES[type(e)], [read(part) for part in e.args])
        if isinstance(e, sympy.Heaviside):
            return self._function("step", [read(e.args[0])])
        raise ArgumentError(f"tcalc has no counterpart of {type(e).__name__}: {e}")

    def _symbol(self, e: Any) -> Entries:
        name = str(e)
        if e in self.ranges:
            raise ArgumentError(f"the index {name} stands alone, as a number")
        if e in self.sizes:
            return Entries(build.size(Dim.of(name)))
        return Entries(self.variable(name, ()))

    def _sum(self, terms: Sequence[Entries]) -> Entries:
        indices = tuple(dict.fromkeys(i for term in terms for i in term.indices))
        return Entries(
            build.sum_of(*(self._spread(term, indices, terms) for term in terms)), indices
        )

    def _spread(self, value: Entries, indices: tuple[Any, ...], beside: Sequence[Entries]) -> Node:
        """The tensor over given indices, repeated along those that it has not."""
        if value.indices == indices:
            return value.node
        dims = {
            index: dim
            for other in beside
            for index, dim in zip(other.indices, other.node.dims, strict=True)
        }
        return build.einsum([value.node], [value.indices], indices, dims)

    def _power(self, base: Entries, exponent: Any, read: Callable[[Any], Entries]) -> Entries:
        if exponent.is_Rational:
            p = Fraction(int(exponent.p), int(exponent.q))
            return Entries(power(base.node, p), base.indices)
        return self._function("pow", [base, read(exponent)])

    def _function(self, name: str, values: Sequence[Entries]) -> Entries:
        indices = tuple(dict.fromkeys(i for value in values for i in value.indices))
        nodes = [self._spread(value, indices, values) for value in values]
        apply = _function(name, min(len(nodes), 2))
        found = apply(*nodes[:2])
        for node in nodes[2:]:  # Max and Min of more than two
            found = apply(found, node)
        return Entries(found, indices)

    def _total(self, e: Any, inside: Entries) -> Entries:
        node, indices = inside.node, inside.indices
        for index, low, _ in e.limits:
            if low not in (0, 1):
                raise ArgumentError(f"the sum over {index} starts at {low}, and should at 0 or 1")
            left = tuple(i for i in indices if i != index)
            if isinstance(e, sympy.Product):
                if index not in indices:
                    raise ArgumentError(
                        f"the product over {index} is of what does not depend on it"
                    )
                node = build.apply(Prod(1), build.einsum([node], [indices], (*left, index)))
            elif index in indices:
                node = build.einsum([node], [indices], left)
            else:
                node = build.hadamard(
                    node, build.broadcast(build.size(self.ranges[index]), node.dims)
                )
            indices = left
        return Entries(node, indices)

    def _delta(self, e: Any) -> Entries:
        (one, low), (other, high) = (self._shifted(part) for part in e.args)
        if one.is_Integer or other.is_Integer:
            place, index = (one, other) if one.is_Integer else (other, one)
            dim = self.ranges[index]
            return Entries(build.apply(UnitVector(Dim.of(int(place) + 1), dim)), (index,))
        dims = [self.ranges.get(index) for index in (one, other)]
        known = [dim for dim in dims if dim is not None]
        if not known:
            raise DimensionError(f"the range of {e} is not known")
        if low == high and len(set(known)) == 1:
            return Entries(build.delta(known[0]), (one, other))
        if len(known) < 2:
            raise DimensionError(f"the range of an index of {e} is not known")
        # Rows low + 1, low + 2, … of the unit matrix: a part of the axis.
        if low < high or (low == high and known[1].value is not None):
            one, other, low, high, known = other, one, high, low, known[::-1]
        start = Dim.of(low - high + 1)
        window = build.apply(Window(start, known[0] + Dim.of(low - high), known[1]))
        return Entries(window, (one, other))

    def _shifted(self, e: Any) -> tuple[Any, int]:
        """An index and what is added to it."""
        if e.is_Add and len(e.args) == 2 and e.args[0].is_Integer:
            return e.args[1], int(e.args[0])
        return e, 0

    def _piecewise(self, e: Any, read: Callable[[Any], Entries]) -> Entries:
        found: Entries | None = None
        for value, condition in reversed(e.args):
            if found is None:
                if condition != sympy.true:
                    raise ArgumentError("a piecewise function needs a last piece that holds else")
                found = read(value)
                continue
            mask = self._mask(condition)
            if mask is not None:
                other = self._sum(
                    [Entries(build.const(1)), Entries(build.scale(-1, mask.node), mask.indices)]
                )
                found = self._sum([_multiplied([mask, read(value)]), _multiplied([other, found])])
                continue
            comparison = _COMPARISONS.get(type(condition))
            if comparison is None:
                raise ArgumentError(f"tcalc has no counterpart of the condition {condition}")
            parts = [read(condition.lhs), read(condition.rhs), read(value), found]
            indices = tuple(dict.fromkeys(i for part in parts for i in part.indices))
            nodes = [self._spread(part, indices, parts) for part in parts]
            found = Entries(build.apply(Where(comparison), *nodes), indices)
        assert found is not None
        return found

    def _mask(self, condition: Any) -> Entries | None:
        """Ones where one index is at most another: a triangle."""
        if not isinstance(condition, sympy.LessThan | sympy.GreaterThan):
            return None
        sides = [self._shifted(side) for side in (condition.lhs, condition.rhs)]
        (column, left), (row, right) = (
            sides if isinstance(condition, sympy.LessThan) else sides[::-1]
        )
        if column not in self.ranges or row not in self.ranges:
            return None
        mask = LowerMask(self.ranges[row], self.ranges[column], right - left)
        return Entries(build.apply(mask), (row, column))

    # Matrices

    def matrix(self, e: Any) -> Matrix:
        """A matrix expression."""
        has = tuple(size != 1 for size in e.shape)
        match e:
            case sympy.MatrixSymbol():
                dims = [self.dim(size) for size, kept in zip(e.shape, has, strict=True) if kept]
                return Matrix(self.variable(str(e.name), dims), *has)
            case sympy.Identity():
                if not has[0]:
                    return Matrix(build.const(1), False, False)
                return Matrix(build.delta(self.dim(e.shape[0])), *has)
            case sympy.ZeroMatrix() | sympy.OneMatrix():
                dims = [self.dim(size) for size, kept in zip(e.shape, has, strict=True) if kept]
                return Matrix(build.const(int(isinstance(e, sympy.OneMatrix)), tuple(dims)), *has)
            case sympy.MatAdd():
                return Matrix(build.sum_of(*(self.matrix(x).node for x in e.args)), *has)
            case sympy.MatMul():
                return self._chain(e)
            case sympy.Transpose():
                inner = self.matrix(e.arg)
                turned = build.einsum([inner.node], [inner.labels], inner.labels[::-1])
                return Matrix(turned, *has)
            case sympy.Inverse():
                return Matrix(build.apply(Inverse(), self._square(e.arg)), *has)
            case sympy.MatPow():
                return self._matrix_power(e)
            case sympy.HadamardProduct():
                return Matrix(build.hadamard(*(self.matrix(x).node for x in e.args)), *has)
            case sympy.HadamardPower():
                base = self.matrix(e.base)
                if not e.exp.is_Rational:
                    raise ArgumentError(f"the exponent of {e} is no number")
                return Matrix(power(base.node, Fraction(int(e.exp.p), int(e.exp.q))), *has)
            case ElementwiseApplyFunction():
                return self._applied(e)
            case sympy.DiagMatrix():
                vector = self.matrix(e.args[0]).node
                unit = build.delta(vector.dims[0])
                return Matrix(build.einsum([vector, unit], ["i", "ij"], "ij"), True, True)
            case sympy.DiagonalOf():
                inner = self.matrix(e.args[0])
                return Matrix(build.einsum([inner.node], ["ii"], "i"), True, False)
        raise ArgumentError(f"tcalc has no counterpart of {type(e).__name__}: {e}")

    def _square(self, e: Any) -> Node:
        inner = self.matrix(e)
        if inner.node.order != 2:
            raise ArgumentError(f"{e} is a matrix with one row and one column: write a scalar")
        return inner.node

    def _chain(self, e: Any) -> Matrix:
        factors: list[Node] = []
        rows: list[tuple[str, ...]] = []
        place = 0
        first = last = ""
        for part in e.args:
            if not getattr(part, "is_Matrix", False):
                factors.append(self.scalar(part).node)
                rows.append(())
                continue
            inner = self.matrix(part)
            left, right = f"k{place}", f"k{place + 1}"
            first, last = first or left, right
            factors.append(inner.node)
            rows.append((left,) * inner.rows + (right,) * inner.columns)
            place += 1
        has = tuple(size != 1 for size in e.shape)
        output = (first,) * has[0] + (last,) * has[1]
        return Matrix(build.einsum(factors, rows, output), *has)

    def _matrix_power(self, e: Any) -> Matrix:
        if not e.exp.is_Integer or abs(int(e.exp)) > 64:
            raise ArgumentError(f"the exponent of {e} is no integer of moderate size")
        base = self._square(e.base)
        if e.exp < 0:
            base = build.apply(Inverse(), base)
        found: Node = build.delta(base.dims[0])
        for _ in range(abs(int(e.exp))):
            found = build.einsum([found, base], ["ij", "jk"], "ik")
        return Matrix(found, True, True)

    def _applied(self, e: Any) -> Matrix:
        inner = self.matrix(e.expr)
        (bound,) = e.function.variables
        body = self.scalar(e.function.expr, {bound: inner.node})
        node = body.node if body.indices else build.broadcast(body.node, inner.node.dims)
        return Matrix(node, inner.rows, inner.columns)


_COMPARISONS: dict[Any, str] = {
    sympy.StrictLessThan: "<",
    sympy.LessThan: "<=",
    sympy.StrictGreaterThan: ">",
    sympy.GreaterThan: ">=",
    sympy.Equality: "==",
}


def _function(name: str, arity: int = 1) -> Callable[..., Node]:
    """The element-wise function of a name, on nodes of one shape."""
    form = REGISTRY[name].form((1,) * arity)
    for candidate in REGISTRY[name].forms:
        if candidate.arity == arity and candidate.kind.value == "element-wise":
            form = candidate
    assert form is not None
    made: Callable[..., Node] = form.build
    return made


def _multiplied(values: Sequence[Entries]) -> Entries:
    indices = tuple(dict.fromkeys(i for value in values for i in value.indices))
    node = build.einsum([v.node for v in values], [v.indices for v in values], indices)
    return Entries(node, indices)


def _selected(node: Node, indices: Sequence[Any]) -> Entries:
    """A tensor at indices; an integer counts from 0, as in SymPy, and an index may recur."""
    factors, rows = [node], [tuple(range(len(indices)))]
    labels: list[Any] = []
    for k, (index, dim) in enumerate(zip(indices, node.dims, strict=True)):
        if index.is_Integer:
            place = Dim.of(int(index) + 1) if index >= 0 else dim + Dim.of(int(index) + 1)
            factors.append(build.apply(UnitVector(place, dim)))
            rows.append((k,))
        else:
            labels.append((k, index))
    output = tuple(dict.fromkeys(index for _, index in labels))
    named = dict(labels)
    renamed = [tuple(named.get(k, ("place", k)) for k in row) for row in rows]
    return Entries(build.einsum(factors, renamed, output), output)


def _symbols_of_sizes(expression: Any) -> set[Any]:
    """The symbols in shapes and ranges, which are sizes wherever they stand."""
    found: set[Any] = set()
    for part in sympy.preorder_traversal(expression):
        if isinstance(part, sympy.MatrixExpr):
            sizes = list(part.shape)
        elif isinstance(part, sympy.Indexed):
            sizes = list(part.base.shape or ())
        elif isinstance(part, sympy.Sum | sympy.Product):
            sizes = [bound for limit in part.limits for bound in limit[1:]]
        elif isinstance(part, sympy.Idx) and part.upper is not None:
            sizes = [part.upper]
        else:
            continue
        for size in sizes:
            found |= size.free_symbols
    return found
