"""Derivatives that the user gives as callables on arrays.

They are primitives in turn, linear in a direction or a cotangent.  With y = f(x_1, x_2, ...),

    Push    P_k(x, y; e)      the direction of y for the direction e of x_k,
    Pull    Q_k(x, y; g)      the cotangent of x_k for the cotangent g of y,
    Second  W_jk(x, y; g, e)  the change of Q_j(x, y; g) in the direction e of x_k, g being fixed.

P_k is the adjoint of Q_k, and W_jk that of W_kj, since W is the Hessian of <g, f>.  The second
derivative as a direction, D²f(d_j, e_k), is W over all unit cotangents, which only forward mode
asks for.  The value y is handed on so that it need not be computed again: derivatives by it are
zero, and those by x are total ones.  Third derivatives are refused.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from tcalc.errors import ArgumentError
from tcalc.expr import build
from tcalc.expr.nodes import Apply, Node, Var
from tcalc.expr.primitive import LinearMap, Operator
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.custom import Arrays, Called, Definition
from tcalc.primitives.operators import operator


@dataclass(frozen=True, slots=True)
class Callables:
    """A derivative given as callables on arrays.

    ``pushforward(*x, y, *dx)`` is the direction of y, ``pullback(*x, y, g)`` the cotangent of the
    argument, or a tuple of those of several, and ``second(*x, y, g, *dx)`` the change of that in
    a direction, g being fixed.
    """

    pushforward: Arrays
    pullback: Arrays
    second: Arrays | None = None

    def jacobian(self, node: Apply, position: int) -> Operator:
        """The local Jacobian of an application by its argument at `position`."""
        definition = _definition(node)

        def push(e: Node, *xy: Node) -> Node:
            return build.apply(Push(definition, position), *xy, e)

        def pull(g: Node, *xy: Node) -> Node:
            return build.apply(Pull(definition, position), *xy, g)

        return operator(node, position, (*node.args, node), push, pull, definition.value.order)


def derived(definition: Definition) -> list[Called]:
    """The primitives of all derivatives that the callables of a definition give."""
    rule = definition.rule
    if not isinstance(rule, Callables):
        return []
    places = range(len(definition.arguments))
    found: list[Called] = [Push(definition, k) for k in places]
    found += [Pull(definition, k) for k in places]
    if rule.second is not None:
        found += [Second(definition, j, k) for j in places for k in places]
    return found


class _Derivative(Called):
    """A callable of a derivative: of the arguments, the value, and what it is linear in."""

    def __init__(
        self, word: str, definition: Definition, places: Sequence[int], linear: Sequence[Var]
    ) -> None:
        arguments, value = definition.arguments, definition.value
        marks = [arguments[k].name for k in places] if len(arguments) > 1 else []
        output = value if word == "pushforward" else arguments[places[0]]
        super().__init__(
            "_".join([definition.name, word, *marks]),
            definition,
            *(build.var(x.name, x.dims) for x in (*arguments, value)),
            *linear,
            output=build.var(f"d{output.name}" if output is value else _bar(output), output.dims),
        )
        rule = definition.rule
        assert isinstance(rule, Callables)
        self.rule = rule
        self.count = len(arguments)
        self.place = places[0]

    def jacobian(self, node: Apply, position: int) -> LinearMap | Operator:
        if position == self.count:
            return ()
        linear = position - self.count - 1
        push, pull = self.moved(position) if linear < 0 else self.linear(linear)
        return operator(node, position, node.args, push, pull, self.output.order)

    @abstractmethod
    def moved(self, position: int) -> tuple[Arrays, Arrays]:
        """The rules for a direction of an argument, and for a cotangent of the result."""

    @abstractmethod
    def linear(self, place: int) -> tuple[Arrays, Arrays]:
        """The same for one of the tensors that it is linear in."""

    def refuse(self, order: str, hint: str) -> NoReturn:
        """Say that the derivative of an order is not known."""
        raise ArgumentError(
            f"the {order} derivative of {self.definition.name} is not known: "
            "its derivatives are callables",
            hint=f"give tcalc.function {hint}",
        )

    def require_second(self) -> None:
        """Refuse to go on where there is no second derivative."""
        if self.rule.second is None:
            self.refuse("second", "second= as well, or the pushforward as a program")

    def _directions(self, arrays: Sequence[Array], place: int) -> list[Array]:
        """The directions of all arguments: the last array for one, and zeros."""
        return [arrays[-1] if k == place else np.zeros_like(arrays[k]) for k in range(self.count)]

    def _own(self, cotangents: Any) -> Any:
        """Of the cotangents of all arguments that of one."""
        if self.count == 1 and not isinstance(cotangents, tuple):
            return cotangents
        if not isinstance(cotangents, tuple | list) or len(cotangents) != self.count:
            raise ArgumentError(
                f"{self.name} returned an object of type {type(cotangents).__name__}, and should "
                f"return a tuple of {self.count} arrays, one for each argument"
            )
        return cotangents[self.place]


class Push(_Derivative):
    """P_k(x, y; e)."""

    def __init__(self, definition: Definition, k: int) -> None:
        super().__init__("pushforward", definition, [k], [_direction(definition.arguments[k])])

    def compute(self, *arrays: Array) -> Any:
        xy = arrays[: self.count + 1]
        return self.rule.pushforward(*xy, *self._directions(arrays, self.place))

    def moved(self, position: int) -> tuple[Arrays, Arrays]:
        self.require_second()
        definition, second = self.definition, Second(self.definition, position, self.place)

        def push(d: Node, *args: Node) -> Node:
            *xy, e = args
            return _over_cotangents(definition, second, d, xy, e)

        def pull(bar: Node, *args: Node) -> Node:
            *xy, e = args
            return build.apply(second, *xy, bar, e)

        return push, pull

    def linear(self, place: int) -> tuple[Arrays, Arrays]:
        def push(de: Node, *args: Node) -> Node:
            return build.apply(self, *args[:-1], de)

        def pull(bar: Node, *args: Node) -> Node:
            return build.apply(Pull(self.definition, self.place), *args[:-1], bar)

        return push, pull


class Pull(_Derivative):
    """Q_k(x, y; g)."""

    def __init__(self, definition: Definition, k: int) -> None:
        super().__init__("pullback", definition, [k], [_cotangent(definition)])

    def compute(self, *arrays: Array) -> Any:
        return self._own(self.rule.pullback(*arrays))

    def moved(self, position: int) -> tuple[Arrays, Arrays]:
        self.require_second()

        def push(d: Node, *args: Node) -> Node:
            return build.apply(Second(self.definition, self.place, position), *args, d)

        def pull(bar: Node, *args: Node) -> Node:
            return build.apply(Second(self.definition, position, self.place), *args, bar)

        return push, pull

    def linear(self, place: int) -> tuple[Arrays, Arrays]:
        def push(dg: Node, *args: Node) -> Node:
            return build.apply(self, *args[:-1], dg)

        def pull(bar: Node, *args: Node) -> Node:
            return build.apply(Push(self.definition, self.place), *args[:-1], bar)

        return push, pull


class Second(_Derivative):
    """W_jk(x, y; g, e)."""

    def __init__(self, definition: Definition, j: int, k: int) -> None:
        linear = [_cotangent(definition), _direction(definition.arguments[k])]
        super().__init__("second", definition, [j, k], linear)
        self.by = k

    def compute(self, *arrays: Array) -> Any:
        assert self.rule.second is not None
        given = arrays[: self.count + 2]
        return self._own(self.rule.second(*given, *self._directions(arrays, self.by)))

    def moved(self, position: int) -> tuple[Arrays, Arrays]:
        self.refuse("third", "the pushforward as a program, which has all derivatives")

    def linear(self, place: int) -> tuple[Arrays, Arrays]:
        def by_cotangent(dg: Node, *args: Node) -> Node:
            *xy, _, e = args
            return build.apply(self, *xy, dg, e)

        def to_cotangent(bar: Node, *args: Node) -> Node:
            *xy, _, e = args
            return _over_cotangents(self.definition, self, bar, xy, e)

        def by_direction(de: Node, *args: Node) -> Node:
            return build.apply(self, *args[:-1], de)

        def to_direction(bar: Node, *args: Node) -> Node:
            return build.apply(Second(self.definition, self.by, self.place), *args[:-1], bar)

        return (by_cotangent, to_cotangent) if place == 0 else (by_direction, to_direction)


def _over_cotangents(
    definition: Definition, second: Second, d: Node, xy: Sequence[Node], e: Node
) -> Node:
    """``D²f(d_j, e_k)[o] = Σ W_jk(x, y; unit_o, e)·d``, for tensors with the same batch axes."""
    lead = d.order - definition.arguments[second.place].order
    axes = definition.value.order
    dims = xy[-1].dims[lead:]
    new = {("o", k): dim for k, dim in enumerate(dims)}
    batch = tuple(range(lead))

    def spread(x: Node) -> Node:
        core = tuple(range(lead, x.order))
        return build.einsum([x], [(*batch, *core)], (*batch, *new, *core), new)

    unit = build.einsum([], [], (*new, *new), new)
    units = build.broadcast(unit, (*d.dims[:lead], *dims, *dims))
    found = build.apply(second, *map(spread, xy), units, spread(e))
    core = tuple(range(lead, d.order))
    assert found.order == lead + axes + len(core)
    return build.einsum([found, d], [(*batch, *new, *core), (*batch, *core)], (*batch, *new))


def _definition(node: Apply) -> Definition:
    assert isinstance(node.primitive, Called)
    return node.primitive.definition


def _direction(argument: Var) -> Var:
    return build.var(f"d{argument.name}", argument.dims)


def _cotangent(definition: Definition) -> Var:
    return build.var(_bar(definition.value), definition.value.dims)


def _bar(variable: Var) -> str:
    return f"{variable.name}_bar"
