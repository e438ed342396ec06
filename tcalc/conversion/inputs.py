"""What an expression of SymPy's is about: its variables, its indices, and their dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import sympy
from sympy.matrices.expressions.matexpr import MatrixElement

from tcalc import language
from tcalc.errors import ArgumentError, DimensionError
from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.index_names import AxisNames, IndexNames, merged
from tcalc.expr.nodes import Node, Var
from tcalc.language.parser import is_name
from tcalc.language.special import MOST_FACTORS


class Inputs:
    """The inputs of one expression: variables as they are declared, or made as they are met.

    `found` are those met so far, `sizes` the symbols that stand for dimensions, `ranges` the
    dimension that each index runs over, and `index_names` the indices of axes.  Raises
    `DimensionError` for an index that runs over two.
    """

    def __init__(self, declarations: str, expression: Any) -> None:
        self.declared = language.parse_declarations(declarations) if declarations else {}
        self.found: dict[str, Var] = {}
        self.sizes = _symbols_of_sizes(expression)
        self.ranges: dict[Any, Dim] = {}
        self.index_names: IndexNames = {}
        self._measure(expression)

    def _measure(self, expression: Any) -> None:
        """The dimension that each index runs over."""
        for part in sympy.preorder_traversal(expression):
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
            elif isinstance(part, sympy.KroneckerDelta) and part.delta_range is not None:
                low, high = part.delta_range
                for index in part.args[:2]:
                    if index.is_Symbol or isinstance(index, sympy.Idx):
                        self._ranged(index, self.dim(high - low + 1))

    def place(self, index: Any, dim: Dim) -> Dim | None:
        """The position, from 0, that an index is which holds numbers and sizes alone, as n - 1."""
        if index.is_Integer:
            return Dim.of(int(index)) if index >= 0 else dim + Dim.of(int(index))
        if index.is_Symbol or isinstance(index, sympy.Idx) or not index.free_symbols <= self.sizes:
            return None
        return self.dim(index)

    def _ranged(self, index: Any, dim: Dim) -> None:
        if self.place(index, dim) is not None:
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
        if size.is_Pow and size.exp.is_Integer and 0 < size.exp <= MOST_FACTORS:
            base = self.dim(size.base)
            return prod([base] * int(size.exp), start=Dim.of(1))
        raise ArgumentError(f"{size} is no dimension: it is an integer, a name, or made of such")

    def indexed(self, node: Node, indices: Sequence[Any]) -> None:
        """Note the names of the indices of a tensor, where they are names in the language."""
        texts = (str(index) for index in indices)
        names: AxisNames = tuple((text,) if is_name(text) else () for text in texts)
        self.index_names = merged(self.index_names, {node: names})

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
            found |= getattr(size, "free_symbols", set())  # which a plain integer has not
    return found
