"""A function as SciPy's optimisers want it: of one vector, with gradient, Hessian and products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import prod
from typing import Any, TypeAlias

import numpy as np

from tcalc import calculus, runtime
from tcalc.errors import ArgumentError
from tcalc.expr import build
from tcalc.expr.nodes import Node, Var

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


class Problem:
    """A scalar function of some of its variables, the others being given.

    `fun`, `jac`, `hess` and `hessp` take and give vectors: all variables, flattened and put one
    after the other in the order of `wrt`; `pack` and `unpack` go between the two.  `x0` packs the
    values given for the variables, zeros where there are none.
    """

    def __init__(
        self, function: Node, wrt: Sequence[Var], inputs: Sequence[Var], data: Mapping[str, Any]
    ) -> None:
        self._function = function
        self._wrt = tuple(wrt)
        self._inputs = tuple(inputs)
        names = {variable.name for variable in wrt}
        self._given = {name: data[name] for name in data if name not in names}
        sizes: dict[str, int] = {}
        for node in inputs:
            if node.name in data:
                for dim, size in zip(node.dims, np.shape(data[node.name]), strict=False):
                    if dim.is_name:
                        sizes.setdefault(str(dim), size)
        self.shapes: dict[str, tuple[int, ...]] = {}
        for variable in wrt:
            unknown = {n for dim in variable.dims for n in dim.names()} - set(sizes)
            if unknown:
                raise ArgumentError(
                    f"the size {min(unknown)} of {variable.name} is not known from the data",
                    hint=f"give a first value of {variable.name} among the data",
                )
            self.shapes[variable.name] = tuple(dim.evaluate(sizes) for dim in variable.dims)
        start = {name: data.get(name, np.zeros(shape)) for name, shape in self.shapes.items()}
        self.x0 = self.pack(start)

    def pack(self, values: Mapping[str, Any]) -> Array:
        """The variables as one vector; raises `ArgumentError` for wrong shapes."""
        parts: list[Array] = []
        for name, shape in self.shapes.items():
            array = np.asarray(values[name], dtype=float) if name in values else None
            if array is None or array.shape != shape:
                found = "missing" if array is None else f"of shape {array.shape}"
                raise ArgumentError(f"{name} is {found}, and should have the shape {shape}")
            parts.append(array.reshape(-1))
        return np.concatenate(parts)

    def unpack(self, x: Any) -> dict[str, Array]:
        """The vector as the variables."""
        vector = np.asarray(x)
        size = sum(map(prod, self.shapes.values()))
        if vector.shape != (size,):
            raise ArgumentError(
                f"the vector has the shape {vector.shape}, and should have ({size},)"
            )
        values: dict[str, Array] = {}
        place = 0
        for name, shape in self.shapes.items():
            values[name] = vector[place : place + prod(shape)].reshape(shape)
            place += prod(shape)
        return values

    def fun(self, x: Any) -> float:
        """The value."""
        return float(self._value(**self._given, **self.unpack(x)))

    def jac(self, x: Any) -> Array:
        """The gradient, as a vector."""
        return self._flat(self._gradient(**self._given, **self.unpack(x)))

    def hess(self, x: Any) -> Array:
        """The Hessian, as a matrix."""
        blocks = iter(self._hessian(**self._given, **self.unpack(x)))
        sizes = [prod(shape) for shape in self.shapes.values()]
        return np.block([[np.reshape(next(blocks), (m, n)) for n in sizes] for m in sizes])

    def hessp(self, x: Any, p: Any) -> Array:
        """The Hessian times a vector, without forming the Hessian."""
        moves = {self._direction[name].name: d for name, d in self.unpack(p).items()}
        return self._flat(self._product(**self._given, **self.unpack(x), **moves))

    def _flat(self, parts: Sequence[Any]) -> Array:
        return np.concatenate([np.reshape(part, -1) for part in parts])

    def _compiled(self, nodes: Node | Sequence[Node], *extra: Var) -> runtime.CompiledFunction:
        return runtime.compile(nodes, variables=(*self._inputs, *extra))

    @cached_property
    def _first(self) -> list[Node]:
        return calculus.derivatives(self._function, self._wrt)

    @cached_property
    def _value(self) -> runtime.CompiledFunction:
        return self._compiled(calculus.prepare([self._function])[0])

    @cached_property
    def _gradient(self) -> runtime.CompiledFunction:
        return self._compiled(self._first)

    @cached_property
    def _hessian(self) -> runtime.CompiledFunction:
        pairs = [(a, b) for a in self._wrt for b in self._wrt]
        return self._compiled([calculus.derivative(self._function, pair) for pair in pairs])

    @cached_property
    def _direction(self) -> dict[str, Var]:
        taken = {node.name for node in self._inputs}
        found: dict[str, Var] = {}
        for variable in self._wrt:
            name = f"d{variable.name}"
            while name in taken:
                name += "_"
            taken.add(name)
            found[variable.name] = build.var(name, variable.dims)
        return found

    @cached_property
    def _product(self) -> runtime.CompiledFunction:
        moves: dict[Var, Node] = {x: self._direction[x.name] for x in self._wrt}
        nodes = [calculus.jvp(gradient, moves) for gradient in self._first]
        return self._compiled(nodes, *self._direction.values())
