"""Functions of the user's: tensors in, one or several out, computed by a callable of theirs.

A `Custom` maps over leading batch axes as every primitive does, whether its callable does or not.
Its derivative comes from its definition's rule: a program of the language (`tcalc.custom`), or
callables in turn (`tcalc.primitives.callables`).  Generated code cannot hold a callable: it is
supplied to the module by name (`Supplied`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from tcalc.errors import ArgumentError
from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.facts import holds as known_to_hold
from tcalc.expr.nodes import Apply, Node, Var
from tcalc.expr.primitive import Fact, Holds, LinearMap, Notation, Operator
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.routines import Coded, Routine, Supplied
from tcalc.records import dataclass

OnArrays: TypeAlias = Callable[..., Any]
"""A callable of the user's that takes arrays, and gives one or several."""


class Rule(Protocol):
    """Where the local Jacobians of a user's function come from."""

    def jacobian(self, node: Apply, position: int) -> LinearMap | Operator:
        """The local Jacobian of an application by its argument at `position`."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What the user says of a function; dimensions of `values` occur in `arguments`.

    `batched` tells that the callables map over leading axes themselves.
    """

    name: str
    arguments: tuple[Var, ...]
    values: tuple[Var, ...]
    evaluate: OnArrays
    rule: Rule | None = None
    batched: bool = False
    analytic: bool = False

    def __str__(self) -> str:
        return _signature(self.arguments, self.values)


class Called(Coded):
    """What a callable of the user's computes: tensors of the dimensions of some variables."""

    def __init__(
        self, name: str, definition: Definition, inputs: Sequence[Var], results: Sequence[Var]
    ) -> None:
        self.name = name
        self.definition = definition
        self.inputs = tuple(inputs)
        self.results = tuple(results)
        self.outputs = len(self.results)
        self.output_names = tuple(x.name for x in self.results)

    def __eq__(self, other: object) -> bool:
        # Asked by the table of nodes at the very end too, when the names of modules are gone.
        if not isinstance(other, type(self)):
            return False
        return other.name == self.name and other.definition == self.definition

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    @property
    def key(self) -> str:
        return f"{self.name}: {self.definition}"

    @abstractmethod
    def compute(self, *arrays: Array) -> Any:
        """The callable on arrays."""

    def shapes(self, *arguments: Shape) -> tuple[Shape, ...]:
        lead, sizes = _fitted(self, arguments)
        return tuple((*lead, *(sizes[name] for name in x.dims)) for x in self.results)

    def evaluate(self, *arrays: Any) -> Any:
        shapes = [tuple(map(Dim.of, array.shape)) for array in arrays]
        lead = tuple(dim.evaluate({}) for dim in _fitted(self, shapes)[0])
        full = [tuple(dim.evaluate({}) for dim in dims) for dims in self.shapes(*shapes)]
        kind = np.result_type(*arrays)
        if self.definition.batched or not lead:
            found = self._checked(self._computed(arrays), full, kind)
        else:
            found = [np.empty(shape, kind) for shape in full]
            cores = [shape[len(lead) :] for shape in full]
            for cell in np.ndindex(lead):
                values = self._computed([array[cell] for array in arrays])
                for result, value in zip(found, self._checked(values, cores, kind), strict=True):
                    result[cell] = value
        return found[0] if self.outputs == 1 else tuple(found)

    def _computed(self, arrays: Sequence[Array]) -> Any:
        """What the callable gives; its complaint of a matrix names the function."""
        try:
            return self.compute(*map(_protected, arrays))
        except np.linalg.LinAlgError as error:
            raise np.linalg.LinAlgError(f"{self.name}: {error}") from error

    def _checked(self, given: Any, shapes: Sequence[tuple[int, ...]], kind: Any) -> list[Array]:
        """Copies of what the callable gave, in the type of its arguments."""
        values = [given] if self.outputs == 1 else given
        if not isinstance(values, tuple | list) or len(values) != self.outputs:
            raise ArgumentError(
                f"{self.name} returned an object of type {type(given).__name__}, and should "
                f"return a tuple of {self.outputs} arrays: {', '.join(map(repr, self.results))}"
            )
        return [
            self._array(value, result, shape, kind)
            for value, result, shape in zip(values, self.results, shapes, strict=True)
        ]

    def _array(self, value: Any, result: Var, shape: tuple[int, ...], kind: Any) -> Array:
        try:
            found = np.asarray(value)
        except ValueError:
            found = np.asarray(None)
        which = "" if self.outputs == 1 else f" as {result.name}"
        if found.dtype.kind not in "biufc" or not np.can_cast(found.dtype, kind, "same_kind"):
            raise ArgumentError(
                f"{self.name} returned an object of type {type(value).__name__}{which}"
                + (f" and numbers of type {found.dtype}" if found.dtype.kind in "biufc" else "")
                + f", and should return an array of {kind}"
            )
        if found.shape != shape:
            raise ArgumentError(
                f"{self.name} returned an array of the shape {found.shape}{which}, and should "
                f"return {result!r}, which is {shape} here",
                hint="with batched=True the callables map over leading axes"
                if self.definition.batched
                else f"the signature is {self.definition}",
            )
        return np.array(found, dtype=kind)[()]

    def routine(self, node: Apply) -> Routine:
        return Supplied(self.name, _signature(self.inputs, self.results), self)

    def __call__(self, *arrays: Any) -> Any:
        return self.evaluate(*arrays)

    def notation(self, node: Apply) -> Notation:
        word = self.name.replace("_", r"\_")
        return Notation(name=self.name, latex=rf"\operatorname{{{word}}}")


class Custom(Called):
    """A user's function."""

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition.name, definition, definition.arguments, definition.values)
        self.analytic = definition.analytic

    def compute(self, *arrays: Array) -> Any:
        return self.definition.evaluate(*arrays)

    def jacobian(self, node: Apply, position: int) -> LinearMap | Operator:
        rule = self.definition.rule
        if rule is None:
            raise ArgumentError(
                f"the derivative of {self.name} is not known",
                hint="give it to tcalc.function, as pushforward=",
            )
        return rule.jacobian(node, position)

    def facts(self, node: Apply, fact: Fact, holds: Holds) -> bool | None:
        return known_to_hold(self.results[node.output], fact) or None


def definition_of(node: Apply) -> Definition:
    """What the user says of the function that a node applies."""
    assert isinstance(node.primitive, Called)
    return node.primitive.definition


def direction_of(variable: Var) -> Var:
    """The direction of an argument or a value: ``dx`` for ``x``."""
    return build.var(f"d{variable.name}", variable.dims)


def cotangent_of(variable: Var) -> Var:
    """The cotangent of an argument or a value: ``x_bar`` for ``x``."""
    return build.var(f"{variable.name}_bar", variable.dims)


def outputs_of(node: Apply) -> tuple[Node, ...]:
    """All outputs of the function that a node is one of."""
    primitive = node.primitive
    return tuple(build.apply(primitive, *node.args, output=k) for k in range(primitive.outputs))


def _signature(inputs: Sequence[Var], results: Sequence[Var]) -> str:
    left, right = (", ".join(map(repr, side)) for side in (inputs, results))
    return f"{left} -> {right}"


def _fitted(primitive: Called, arguments: Sequence[Shape]) -> tuple[Shape, Mapping[Dim, Dim]]:
    """The batch axes and the sizes by name; raises `ValueError` for arguments that do not fit."""
    sizes: dict[Dim, Dim] = {}
    leads: set[Shape] = set()
    for variable, dims in zip(primitive.inputs, arguments, strict=True):
        count = len(dims) - variable.order
        fits = count >= 0 and all(
            sizes.setdefault(name, dim) == dim
            for name, dim in zip(variable.dims, dims[count:], strict=True)
        )
        leads.add(dims[:count])
        if not fits or len(leads) > 1:
            given = " and ".join(f"[{','.join(map(str, dims))}]" for dims in arguments)
            wanted = ", ".join(map(repr, primitive.inputs))
            raise ValueError(f"{primitive.name} takes {wanted}, not {given}")
    return leads.pop(), sizes


def _protected(array: Array) -> Array:
    """The array, not to be written to."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view
