"""The derivatives of a function by several variables, each compiled when it is first asked for."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from tcalc import calculus, runtime
from tcalc.codegen.options import DEFAULTS, Options
from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.names import free_name, free_names
from tcalc.expr.nodes import Node, Var
from tcalc.optimisation.packing import pairs


class _ProductAt:
    """A product with the Hessian at a point, a function of the directions.

    What depends on the point alone is kept from the second product on: of a single one, as many a
    step of an optimiser takes, it would be work to keep it.
    """

    def __init__(self, product: runtime.CompiledFunction, at: Mapping[str, Any]) -> None:
        self._product = product
        self._at = dict(at)
        self._calls = itertools.count()
        self._bound: Callable[..., Any] | None = None

    def __call__(self, **directions: Any) -> Any:
        if self._bound is None:
            if next(self._calls) == 0:
                return self._product(**self._at, **directions)
            self._bound = self._product.bind(**self._at)
        return self._bound(**directions)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_calls": itertools.count(), "_bound": None}


class Derivatives:
    """A tensor and its derivatives by some of its inputs, the other inputs being given.

    `curvature` is the Hessian of a scalar; of any other tensor that of its product with an input
    named by `weight`, which has its shape: the Hessian of a Lagrangian.
    """

    def __init__(
        self,
        function: Node,
        wrt: Sequence[Var],
        inputs: Sequence[Var],
        data: Mapping[str, Any],
        options: Options = DEFAULTS,
    ) -> None:
        self.function = function
        self.wrt = tuple(wrt)
        self.inputs = tuple(inputs)
        self.data = dict(data)
        self.options = options
        wishes = [*(f"d{variable.name}" for variable in wrt), "multiplier"]
        *names, weight = free_names(wishes, (node.name for node in inputs))
        self.directions = {x.name: build.var(d, x.dims) for d, x in zip(names, wrt, strict=True)}
        self.weight = build.var(weight, function.dims)

    @property
    def dims(self) -> Shape:
        """The shape of the function's value."""
        return self.function.dims

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The function, for those who look for what is not finite in it."""
        return (self.function,)

    @property
    def direction_names(self) -> dict[str, str]:
        """The arguments of `product` for the directions of the variables."""
        return {name: direction.name for name, direction in self.directions.items()}

    def _bound(self, nodes: Node | Sequence[Node], *extra: Var) -> runtime.CompiledFunction:
        compiled = runtime.compile(nodes, self.options, variables=(*self.inputs, *extra))
        known = {node.name for node in self.inputs}
        return compiled.bind(**{name: x for name, x in self.data.items() if name in known})

    @cached_property
    def _prepared(self) -> Node:
        return calculus.prepare([self.function])[0]

    @cached_property
    def _first(self) -> list[Node]:
        return calculus.derivatives(self.function, self.wrt)

    @cached_property
    def value(self) -> Callable[..., Any]:
        """The value alone."""
        return self._bound(self._prepared)

    @cached_property
    def first(self) -> Callable[..., Any]:
        """The derivatives by the variables, in their order."""
        return self._bound(self._first)

    @cached_property
    def both(self) -> Callable[..., Any]:
        """The value, then the derivatives, sharing their work."""
        return self._bound([self._prepared, *self._first])

    @cached_property
    def curvature(self) -> Callable[..., Any]:
        """The second derivatives by the `pairs` of variables."""
        scalar = self.function
        extra: tuple[Var, ...] = ()
        if scalar.order:
            scalar, extra = build.sum_all(build.hadamard(self.weight, scalar)), (self.weight,)
        wrt = self.wrt
        blocks = [calculus.derivative(scalar, (wrt[i], wrt[j])) for i, j in pairs(len(wrt))]
        return self._bound(blocks, *extra)

    @cached_property
    def factored(self) -> runtime.FactoredFunction:
        """The Hessian by the only variable, in the form that keeps its structure."""
        (variable,) = self.wrt
        (node,) = calculus.prepare([calculus.derivative(self.function, [variable] * 2)])
        terms = tuple(calculus.factored_terms(node))
        layout = runtime.Layout(node.dims, terms, variable.order)
        compiled = runtime.compile(runtime.needed([layout]), self.options, variables=self.inputs)
        limit = runtime.MEMORY_LIMIT
        return runtime.FactoredFunction(compiled, [layout], self.inputs, 0, limit)

    @cached_property
    def product(self) -> runtime.CompiledFunction:
        """The Hessian times the `directions`, part by part."""
        moves: dict[Var, Node] = {x: self.directions[x.name] for x in self.wrt}
        nodes = calculus.hvps(self.function, moves)
        return self._bound(nodes, *self.directions.values())

    def product_at(self, at: Mapping[str, Any]) -> Callable[..., Any]:
        """The Hessian at a point times the directions."""
        return _ProductAt(self.product, at)

    def products(self, at: Mapping[str, Any]) -> Callable[..., Any]:
        """The Hessian at a point times several directions at once, along a last axis."""
        taken = {str(name) for x in self.inputs for dim in x.dims for name in dim.names()}
        moves: dict[Var, Node] = {}
        for x in self.wrt:
            several = (*x.dims, Dim.of(free_name("k", taken)))
            moves[x] = build.var(self.directions[x.name].name, several)
        nodes = calculus.hvps(self.function, moves)
        directions = [x for x in moves.values() if isinstance(x, Var)]
        known = {x.name for x in self.inputs}
        compiled = runtime.compile(nodes, self.options, variables=(*self.inputs, *directions))
        given = {**self.data, **at}
        return compiled.bind(**{name: x for name, x in given.items() if name in known})
