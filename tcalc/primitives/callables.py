"""Derivatives that the user gives as callables on arrays.

They are primitives in turn, linear in a direction or a cotangent.  With y_o = f_o(x_1, x_2, ...),

    Push    P_ko(x, y; e)      the direction of y_o for the direction e of x_k,
    Pull    Q_ko(x, y; g)      the cotangent of x_k for the cotangent g of y_o,
    Second  W_jko(x, y; g, e)  the change of Q_jo(x, y; g) in the direction e of x_k, g being fixed.

P_ko is the adjoint of Q_ko, and W_jko that of W_kjo, since W is the Hessian of <g, f_o>.  The
second derivative as a direction, D²f_o(d_j, e_k), is W over all unit cotangents, which only forward
mode asks for.  The values y are handed on so that they need not be computed again: derivatives by
them are zero, and those by x are total ones.  Third derivatives are refused.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NoReturn

from tcalc.errors import ArgumentError
from tcalc.expr import build
from tcalc.expr.nodes import Apply, Node
from tcalc.expr.primitive import LinearMap, Operator
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.custom import (
    Called,
    Definition,
    OnArrays,
    cotangent_of,
    definition_of,
    direction_of,
    outputs_of,
)
from tcalc.primitives.operators import Rule, operator
from tcalc.records import dataclass


@dataclass(frozen=True, slots=True)
class Callables:
    """A derivative given as callables on arrays.

    ``pushforward(*x, *y, *dx)`` is the direction of the value, ``pullback(*x, *y, *g)`` the
    cotangent of the argument, and ``second(*x, *y, *g, *dx)`` the change of that in a direction, g
    being fixed; each is a tuple where there are several.
    """

    pushforward: OnArrays
    pullback: OnArrays
    second: OnArrays | None = None

    def jacobian(self, node: Apply, position: int) -> Operator:
        """The local Jacobian of an application by its argument at `position`."""
        definition, o = definition_of(node), node.output

        def push(e: Node, *xy: Node) -> Node:
            return build.apply(Push(definition, position, o), *xy, e)

        def pull(g: Node, *xy: Node) -> Node:
            return build.apply(Pull(definition, position, o), *xy, g)

        context = (*node.args, *outputs_of(node))
        return operator(node, position, context, push, pull, definition.values[o].order)


def derived(definition: Definition) -> list[Called]:
    """The primitives of all derivatives that the callables of a definition give."""
    rule = definition.rule
    if not isinstance(rule, Callables):
        return []
    places, outputs = range(len(definition.arguments)), range(len(definition.values))
    found: list[Called] = [Push(definition, k, o) for o in outputs for k in places]
    found += [Pull(definition, k, o) for o in outputs for k in places]
    if rule.second is not None:
        found += [Second(definition, j, k, o) for o in outputs for j in places for k in places]
    return found


class _Derivative(Called):
    """A callable of a derivative: of the arguments, the values, and what it is linear in."""

    def __init__(
        self, word: str, definition: Definition, places: Sequence[int], o: int, linear: str
    ) -> None:
        arguments, values = definition.arguments, definition.values
        marks = [arguments[k].name for k in places] if len(arguments) > 1 else []
        marks += [values[o].name] if len(values) > 1 else []
        moves, result = values[o] if word == "pushforward" else None, arguments[places[0]]
        given = {"g": cotangent_of(values[o]), "e": direction_of(arguments[places[-1]])}
        super().__init__(
            "_".join([definition.name, word, *marks]),
            definition,
            [
                *(build.var(x.name, x.dims) for x in (*arguments, *values)),
                *(given[letter] for letter in linear),
            ],
            [direction_of(moves) if moves else cotangent_of(result)],
        )
        rule = definition.rule
        assert isinstance(rule, Callables)
        self.rule = rule
        self.count = len(arguments)
        self.given = self.count + len(values)
        self.place = places[0]
        self.o = o

    def jacobian(self, node: Apply, position: int) -> LinearMap | Operator:
        if self.count <= position < self.given:
            return ()
        linear = position - self.given
        push, pull = self.moved(position) if linear < 0 else self.linear(linear)
        return operator(node, position, node.args, push, pull, self.results[0].order)

    @abstractmethod
    def moved(self, position: int) -> tuple[Rule, Rule]:
        """The rules for a direction of an argument, and for a cotangent of the result."""

    @abstractmethod
    def linear(self, place: int) -> tuple[Rule, Rule]:
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

    def _cotangents(self, arrays: Sequence[Array]) -> list[Array]:
        """The cotangents of all values: the array after them for one, and zeros."""
        values = arrays[self.count : self.given]
        return [
            arrays[self.given] if k == self.o else np.zeros_like(y) for k, y in enumerate(values)
        ]

    def _own(self, found: Any, count: int, place: int, each: str) -> Any:
        """Of the tensors that a callable gives for all arguments, or all values, that of one."""
        if count == 1 and not isinstance(found, tuple):
            return found
        if not isinstance(found, tuple | list) or len(found) != count:
            raise ArgumentError(
                f"{self.name} returned an object of type {type(found).__name__}, and should "
                f"return a tuple of {count} arrays, one for each {each}"
            )
        return found[place]


class Push(_Derivative):
    """P_ko(x, y; e)."""

    def __init__(self, definition: Definition, k: int, o: int) -> None:
        super().__init__("pushforward", definition, [k], o, "e")

    def compute(self, *arrays: Array) -> Any:
        xy = arrays[: self.given]
        found = self.rule.pushforward(*xy, *self._directions(arrays, self.place))
        return self._own(found, self.given - self.count, self.o, "value")

    def moved(self, position: int) -> tuple[Rule, Rule]:
        self.require_second()
        second = Second(self.definition, position, self.place, self.o)

        def push(d: Node, *args: Node) -> Node:
            *xy, e = args
            return _over_cotangents(second, d, xy, e)

        def pull(bar: Node, *args: Node) -> Node:
            *xy, e = args
            return build.apply(second, *xy, bar, e)

        return push, pull

    def linear(self, place: int) -> tuple[Rule, Rule]:
        def push(de: Node, *args: Node) -> Node:
            return build.apply(self, *args[:-1], de)

        def pull(bar: Node, *args: Node) -> Node:
            return build.apply(Pull(self.definition, self.place, self.o), *args[:-1], bar)

        return push, pull


class Pull(_Derivative):
    """Q_ko(x, y; g)."""

    def __init__(self, definition: Definition, k: int, o: int) -> None:
        super().__init__("pullback", definition, [k], o, "g")

    def compute(self, *arrays: Array) -> Any:
        found = self.rule.pullback(*arrays[: self.given], *self._cotangents(arrays))
        return self._own(found, self.count, self.place, "argument")

    def moved(self, position: int) -> tuple[Rule, Rule]:
        self.require_second()

        def push(d: Node, *args: Node) -> Node:
            return build.apply(Second(self.definition, self.place, position, self.o), *args, d)

        def pull(bar: Node, *args: Node) -> Node:
            return build.apply(Second(self.definition, position, self.place, self.o), *args, bar)

        return push, pull

    def linear(self, place: int) -> tuple[Rule, Rule]:
        def push(dg: Node, *args: Node) -> Node:
            return build.apply(self, *args[:-1], dg)

        def pull(bar: Node, *args: Node) -> Node:
            return build.apply(Push(self.definition, self.place, self.o), *args[:-1], bar)

        return push, pull


class Second(_Derivative):
    """W_jko(x, y; g, e)."""

    def __init__(self, definition: Definition, j: int, k: int, o: int) -> None:
        super().__init__("second", definition, [j, k], o, "ge")
        self.by = k

    def compute(self, *arrays: Array) -> Any:
        assert self.rule.second is not None
        linear = (*self._cotangents(arrays), *self._directions(arrays, self.by))
        found = self.rule.second(*arrays[: self.given], *linear)
        return self._own(found, self.count, self.place, "argument")

    def moved(self, position: int) -> tuple[Rule, Rule]:
        self.refuse("third", "the pushforward as a program, which has all derivatives")

    def linear(self, place: int) -> tuple[Rule, Rule]:
        def by_cotangent(dg: Node, *args: Node) -> Node:
            *xy, _, e = args
            return build.apply(self, *xy, dg, e)

        def to_cotangent(bar: Node, *args: Node) -> Node:
            *xy, _, e = args
            return _over_cotangents(self, bar, xy, e)

        def by_direction(de: Node, *args: Node) -> Node:
            return build.apply(self, *args[:-1], de)

        def to_direction(bar: Node, *args: Node) -> Node:
            second = Second(self.definition, self.by, self.place, self.o)
            return build.apply(second, *args[:-1], bar)

        return (by_cotangent, to_cotangent) if place == 0 else (by_direction, to_direction)


def _over_cotangents(second: Second, d: Node, xy: Sequence[Node], e: Node) -> Node:
    """``D²f(d_j, e_k)[i] = Σ W_jk(x, y; unit_i, e)·d``, for tensors with the same batch axes."""
    lead = d.order - second.results[0].order
    dims = xy[second.count + second.o].dims[lead:]
    axes = len(dims)
    new = {("i", k): dim for k, dim in enumerate(dims)}
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
