"""Functions of the user's: tensors in, a tensor out, computed by a callable of his.

A `Custom` maps over leading batch axes as every primitive does, whether its callable does or not.
Its derivative comes from its definition's rule: a program of the language (`tcalc.custom`), or
callables in turn (`tcalc.primitives.callables`).  Generated code cannot hold a callable: it is
supplied to the module by name (`Supplied`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from tcalc.errors import ArgumentError
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.facts import holds as known_to_hold
from tcalc.expr.nodes import Apply, Var
from tcalc.expr.primitive import Fact, Holds, LinearMap, Notation, Operator
from tcalc.primitives.arrays import Array, np
from tcalc.primitives.routines import Coded, Routine, Supplied

Arrays: TypeAlias = Callable[..., Any]


class Rule(Protocol):
    """Where the local Jacobians of a user's function come from."""

    def jacobian(self, node: Apply, position: int) -> LinearMap | Operator:
        """The local Jacobian of an application by its argument at `position`."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What the user says of a function; dimensions of `value` occur in `arguments`.

    `batched` tells that the callables map over leading axes themselves.
    """

    name: str
    arguments: tuple[Var, ...]
    value: Var
    evaluate: Arrays
    rule: Rule | None = None
    batched: bool = False
    analytic: bool = False

    def __str__(self) -> str:
        return f"{', '.join(map(repr, self.arguments))} -> {self.value!r}"


class Called(Coded):
    """What a callable of the user's computes: tensors of the dimensions of some variables."""

    def __init__(self, name: str, definition: Definition, *inputs: Var, output: Var) -> None:
        self.name = name
        self.definition = definition
        self.inputs = inputs
        self.output = output

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
        return (_fitted(self, arguments),)

    def evaluate(self, *arrays: Any) -> Any:
        sizes = tuple(tuple(map(Dim.of, array.shape)) for array in arrays)
        shape = tuple(dim.evaluate({}) for dim in _fitted(self, sizes))
        lead, core = (
            shape[: len(shape) - self.output.order],
            shape[len(shape) - self.output.order :],
        )
        kind = np.result_type(*arrays)
        if self.definition.batched or not lead:
            return self._checked(self._computed(arrays), shape, kind)
        result = np.empty(shape, kind)
        for cell in np.ndindex(lead):
            found = self._computed([array[cell] for array in arrays])
            result[cell] = self._checked(found, core, kind)
        return result

    def _computed(self, arrays: Sequence[Array]) -> Any:
        """What the callable gives; its complaint of a matrix names the function."""
        try:
            return self.compute(*map(_protected, arrays))
        except np.linalg.LinAlgError as error:
            raise np.linalg.LinAlgError(f"{self.name}: {error}") from error

    def _checked(self, value: Any, shape: tuple[int, ...], kind: Any) -> Array:
        """A copy of what the callable gave, in the type of its arguments."""
        try:
            found = np.asarray(value)
        except ValueError:
            found = np.asarray(None)
        if found.dtype.kind not in "biufc" or not np.can_cast(found.dtype, kind, "same_kind"):
            raise ArgumentError(
                f"{self.name} returned an object of type {type(value).__name__}"
                + (f" and numbers of type {found.dtype}" if found.dtype.kind in "biufc" else "")
                + f", and should return an array of {kind}"
            )
        if found.shape != shape:
            raise ArgumentError(
                f"{self.name} returned an array of the shape {found.shape}, and should return "
                f"{self.output!r}, which is {shape} here",
                hint="with batched=True the callables map over leading axes"
                if self.definition.batched
                else f"the signature is {self.definition}",
            )
        return np.array(found, dtype=kind)[()]

    def routine(self, node: Apply) -> Routine:
        described = f"{', '.join(map(repr, self.inputs))} -> {self.output!r}"
        return Supplied(self.name, described, self)

    def __call__(self, *arrays: Any) -> Any:
        return self.evaluate(*arrays)

    def notation(self, node: Apply) -> Notation:
        word = self.name.replace("_", r"\_")
        return Notation(name=self.name, latex=rf"\operatorname{{{word}}}")


class Custom(Called):
    """A user's function."""

    def __init__(self, definition: Definition) -> None:
        super().__init__(
            definition.name, definition, *definition.arguments, output=definition.value
        )
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
        return known_to_hold(self.output, fact) or None


def _fitted(primitive: Called, arguments: Sequence[Shape]) -> Shape:
    """The shape of the result; raises `ValueError` for arguments that do not fit the signature."""
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
    return (*leads.pop(), *(sizes[name] for name in primitive.output.dims))


def _protected(array: Array) -> Array:
    """The array, not to be written to."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view
