"""Factored results of a compiled function: which cores go where.

The generated module returns the cores of all factored results, each once, and the dense results;
a `FactoredFunction` puts them together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tcalc.codegen.signature import Signature
from tcalc.errors import ArgumentError
from tcalc.expr import build
from tcalc.expr.build import OpenProduct
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Node, Var
from tcalc.runtime.compiled import CompiledFunction
from tcalc.runtime.factored import FactoredTensor, FactoredTerm


@dataclass(frozen=True, slots=True)
class Layout:
    """One result: a node that is computed as it is, or terms whose factors are computed.

    `lead` counts the axes of the rows, `text` is what the factored tensor prints.
    """

    shape: Shape
    parts: Node | tuple[OpenProduct, ...]
    lead: int = 0
    text: str = ""

    @property
    def roots(self) -> tuple[Node, ...]:
        """The nodes that have to be computed for it."""
        if isinstance(self.parts, tuple):
            return tuple(factor for term in self.parts for factor in term.factors)
        return (self.parts,)


def needed(layouts: Sequence[Layout]) -> list[Node]:
    """The nodes that all results need, each once; a number where they need none."""
    found = list(dict.fromkeys(root for layout in layouts for root in layout.roots))
    return found or [build.const(1)]


class FactoredFunction:
    """A compiled function some of whose results are factored tensors.

    It is called, bound and inspected as a `CompiledFunction` is.
    """

    def __init__(
        self,
        function: CompiledFunction,
        layouts: Sequence[Layout],
        variables: Sequence[Var],
        single: bool,
        limit: float,
    ) -> None:
        self.function = function
        self._variables = tuple(variables)
        self._layouts = tuple(layouts)
        self._single = single
        self._limit = limit
        self.given: dict[str, Any] = {}
        self._place = {node: k for k, node in enumerate(needed(layouts))}

    def __call__(self, /, **arguments: Any) -> Any:
        computed = self.function(**arguments)
        sizes = self._sizes({**self.given, **arguments})
        results = tuple(self._result(layout, computed, sizes) for layout in self._layouts)
        return results[0] if self._single else results

    def _sizes(self, arguments: Mapping[str, Any]) -> dict[str, int]:
        """The sizes of the results, from all arguments: the cores may not depend on some."""
        sizes: dict[str, int] = {}
        for variable in self._variables:
            if variable.name in arguments:
                shape = np.shape(arguments[variable.name])
                for dim, size in zip(variable.dims, shape, strict=False):
                    if dim.is_name:
                        sizes.setdefault(str(dim), size)
        for layout in self._layouts:
            for name in sorted({name for dim in layout.shape for name in dim.names()}):
                if name not in sizes:
                    having = [v.name for v in self._variables if name in map(str, v.dims)]
                    raise ArgumentError(
                        f"the size {name} of a result is not known",
                        hint=f"give one of: {', '.join(having)}",
                    )
        return sizes

    def _result(self, layout: Layout, computed: Sequence[Any], sizes: dict[str, int]) -> Any:
        if not isinstance(layout.parts, tuple):
            return computed[self._place[layout.parts]]
        terms = [
            FactoredTerm(
                float(term.coefficient),
                tuple(np.asarray(computed[self._place[factor]]) for factor in term.factors),
                term.subscripts,
                term.output,
            )
            for term in layout.parts
        ]
        dtype = np.result_type(*(core for term in terms for core in term.cores), np.float32)
        if not any(term.cores for term in terms):
            dtype = np.dtype(float)
        shape = tuple(dim.evaluate(sizes) for dim in layout.shape)
        rows, columns = shape[: layout.lead], shape[layout.lead :]
        return FactoredTensor(terms, rows, columns, dtype, layout.text, self._limit)

    @property
    def signature(self) -> Signature:
        """The names and dimensions of the arguments."""
        return self.function.signature

    @property
    def source(self) -> str:
        """The module of the last call; it returns the cores."""
        return self.function.source

    def source_for(self, **sizes: int) -> str:
        """The module for given sizes."""
        return self.function.source_for(**sizes)

    def bind(self, /, **arguments: Any) -> FactoredFunction:
        """A function of the remaining arguments, these being given."""
        bound = FactoredFunction(
            self.function.bind(**arguments),
            self._layouts,
            self._variables,
            self._single,
            self._limit,
        )
        bound.given = {**self.given, **arguments}
        return bound

    def __repr__(self) -> str:
        return f"<FactoredFunction({self.signature})>"
