"""A linearised graph at a point: its products with arrays, as operators of SciPy.

What the point alone decides, the factors of the blocks, is computed once; a product with one
direction or many is a substitution with these arrays.  Inverses in the blocks are formed then,
since a point is linearised at for many products.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from tcalc import calculus, runtime
from tcalc.backslash.system import System, linearised
from tcalc.errors import ArgumentError
from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.names import free_name, free_names
from tcalc.expr.nodes import Node, Var
from tcalc.expr.traverse import dependents, postorder, rebuild
from tcalc.primitives.arrays import NumPyArray as Array

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator

Way: TypeAlias = Literal["forward", "reverse"]


class Point:
    """The linear map that a function is near one point, applied from both sides.

    `outputs` names what the function gives, `inputs` what it is differentiated by, and `values`
    has the values of the outputs.

    >>> from tcalc import linearize, parse
    >>> f = parse("sum(exp(A*x))", "A[m,n], x[n]")
    >>> point = linearize(f, "x", at={"A": [[1.0, 2.0]], "x": [0.0, 0.0]})
    >>> point.reverse({"f": 1.0})["x"].tolist()
    [1.0, 2.0]
    >>> (point.hessian() @ [1.0, 0.0]).tolist()
    [1.0, 2.0]
    """

    def __init__(
        self,
        system: System,
        outputs: Mapping[str, Node],
        variables: Mapping[str, Var],
        data: Mapping[str, Any],
    ) -> None:
        self._system = system
        self._outputs = dict(outputs)
        self._inputs = {variable.name: variable for variable in system.inputs}
        self._variables = tuple(variables.values())
        self._data = dict(data)
        primal = runtime.compile(list(self._outputs.values()), variables=self._variables)
        computed = primal(**self._data)
        self.values: dict[str, Any] = dict(zip(self._outputs, computed, strict=True))
        self._shapes: dict[Node, tuple[int, ...]] = {
            node: np.shape(value) for node, value in zip(outputs.values(), computed, strict=True)
        }
        self._shapes |= {x: np.shape(self._data[x.name]) for x in system.inputs}
        self._dtype = np.result_type(*map(np.asarray, computed), np.float32)
        self._sweeps: dict[tuple[Way, tuple[Node, ...], tuple[Node, ...]], _Sweep] = {}

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the variables that the map takes directions of."""
        return tuple(self._inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what the map gives."""
        return tuple(self._outputs)

    def forward(self, directions: Mapping[str, Any]) -> dict[str, Array]:
        """The directional derivatives of the outputs; inputs without a direction stay fixed.

        Directions have the shapes of their variables, or all have the same further axis at the
        end; then the results have it too.
        """
        return self._swept("forward", directions, self._inputs, self._outputs, "input")

    def reverse(self, cotangents: Mapping[str, Any]) -> dict[str, Array]:
        """The gradients by all inputs of ``Σ sum(cotangent .* output)``.

        Cotangents have the shapes of their outputs, or all have the same further axis at the end;
        then the results have it too.
        """
        return self._swept("reverse", cotangents, self._outputs, self._inputs, "output")

    def jacobian(self, output: str | None = None, input: str | None = None) -> LinearOperator:
        """The derivative of one output by one input, on flattened arrays.

        Either name may be left out if there is only one.
        """
        return self._operator(
            _named(self._outputs, output, "output"), _named(self._inputs, input, "input")
        )

    def hessian(self, first: str | None = None, second: str | None = None) -> LinearOperator:
        """The second derivative of a scalar function by two inputs, on flattened arrays.

        A product with it costs as much as a few gradients; it is never formed.
        """
        if len(self._outputs) != 1 or self._system.outputs[0].order:
            raise ArgumentError("a Hessian is that of one scalar function")
        x = _named(self._inputs, first, "input")
        y = x if second is None else _named(self._inputs, second, "input")
        (gradient,) = calculus.linearisable(calculus.derivatives(self._system.outputs[0], [x]))
        system = linearised([gradient], [y])
        known = {v.name: v for v in self._variables}
        return Point(system, {"gradient": gradient}, known, self._data).jacobian()

    def _operator(self, output: Node, variable: Node) -> LinearOperator:
        from scipy.sparse.linalg import LinearOperator

        def product(way: Way, source: Node, target: Node, x: Array) -> Array:
            columns = x.reshape(*self._shapes[source], prod(x.shape[1:]))
            (found,) = self._sweep(way, (source,), (target,))(columns)
            return np.asarray(found.reshape(prod(self._shapes[target]), *x.shape[1:]))

        return LinearOperator(
            shape=(prod(self._shapes[output]), prod(self._shapes[variable])),
            dtype=self._dtype,
            matvec=lambda x: product("forward", variable, output, x.reshape(-1)),
            rmatvec=lambda x: product("reverse", output, variable, x.reshape(-1)),
            matmat=lambda x: product("forward", variable, output, x),
            rmatmat=lambda x: product("reverse", output, variable, x),
        )

    def _swept(
        self,
        way: Way,
        given: Mapping[str, Any],
        sources: Mapping[str, Node],
        targets: Mapping[str, Node],
        what: str,
    ) -> dict[str, Array]:
        if not given:
            raise ArgumentError(f"give an array for at least one {what}")
        nodes = tuple(_named(sources, name, what) for name in given)
        arrays = [np.asarray(array) for array in given.values()]
        extra: set[tuple[int, ...]] = set()
        for name, node, array in zip(given, nodes, arrays, strict=True):
            shape = self._shapes[node]
            if array.shape[: len(shape)] != shape or array.ndim > len(shape) + 1:
                raise ArgumentError(
                    f"the array for {name} has the shape {array.shape}, and should have {shape}",
                    hint="or that and one more axis, for several at once",
                )
            extra.add(array.shape[len(shape) :])
        if len(extra) > 1:
            raise ArgumentError("the arrays are for different numbers of directions")
        (tail,) = extra
        columns = [
            array.reshape(*self._shapes[node], prod(tail))
            for node, array in zip(nodes, arrays, strict=True)
        ]
        found = self._sweep(way, nodes, tuple(targets.values()))(*columns)
        return {
            name: np.asarray(value.reshape(self._shapes[node] + tail))
            for (name, node), value in zip(targets.items(), found, strict=True)
        }

    def _sweep(self, way: Way, sources: tuple[Node, ...], targets: tuple[Node, ...]) -> _Sweep:
        key = (way, sources, targets)
        if key not in self._sweeps:
            self._sweeps[key] = _Sweep(self._system, *key, self._variables, self._data)
        return self._sweeps[key]

    def __repr__(self) -> str:
        return f"<linear map from {', '.join(self._inputs)} to {', '.join(self._outputs)}>"


class _Sweep:
    """One substitution, compiled: the arrays that the point decides are found at once."""

    def __init__(
        self,
        system: System,
        way: Way,
        sources: Sequence[Node],
        targets: Sequence[Node],
        variables: Sequence[Var],
        data: Mapping[str, Any],
    ) -> None:
        taken = [variable.name for variable in variables]
        several = Dim.of(free_name("q", {str(d) for v in variables for d in v.dims}.union(taken)))
        names = free_names((f"d{k}" for k in range(len(sources))), taken)
        given = {
            node: build.var(name, (*node.dims, several))
            for node, name in zip(sources, names, strict=True)
        }
        walk = system.forward if way == "forward" else system.reverse
        swept = walk(given, (several,))
        # A target that no source reaches, as the gradient of a linear function, does not move.
        results = [
            swept[node] if node in swept else build.zeros((*node.dims, several)) for node in targets
        ]
        fixed = _fixed(results, set(given.values()), several)
        arrays = runtime.compile(fixed, variables=variables)(**data) if fixed else ()
        free = free_names((f"fixed{k}" for k in range(len(fixed))), [*taken, *names])
        known: dict[Node, Node] = {
            node: build.var(name, node.dims) for name, node in zip(free, fixed, strict=True)
        }
        # Their properties were verified with the data, and would be again at every product.
        plain = [build.var(x.name, x.dims) for x in variables]
        constants = [x for x in known.values() if isinstance(x, Var)]
        self._names = names
        self._function = runtime.compile(
            rebuild(results, replacements=known), variables=[*plain, *constants, *given.values()]
        ).bind(**data, **{x.name: a for x, a in zip(constants, arrays, strict=True)})

    def __call__(self, *columns: Array) -> Sequence[Any]:
        """The results for arrays with one more axis at their end."""
        found: Sequence[Any] = self._function(**dict(zip(self._names, columns, strict=True)))
        return found


def _fixed(results: Sequence[Node], moving: set[Node], several: Dim) -> list[Node]:
    """The data-dependent nodes next to those that depend on directions or on their number."""
    order = postorder(results)
    with_data = dependents(results, [node for node in order if isinstance(node, Var)])
    live = set(moving)
    found: dict[Node, None] = {}
    for node in order:
        if several in node.dims or any(operand in live for operand in node.operands):
            live.add(node)
    for node in order:
        if node in live:
            for operand in node.operands:
                if operand not in live and operand in with_data:
                    found[operand] = None
    return list(found)


def _named(known: Mapping[str, Any], name: str | None, what: str) -> Any:
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name is None or name not in known:
        wrong = f"say which {what}" if name is None else f"there is no {what} {name!r}"
        raise ArgumentError(wrong, hint=f"the {what}s: {', '.join(known)}")
    return known[name]
