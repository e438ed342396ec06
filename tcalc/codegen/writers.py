"""What targets write their statements into: a module, or nothing at all in a dry run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from tcalc.codegen.memory import count
from tcalc.codegen.program import Program, Value
from tcalc.codegen.signature import Names, Signature
from tcalc.codegen.targets.target import quoted
from tcalc.codegen.texts import size_text
from tcalc.codegen.workspace import Workspace
from tcalc.errors import ArgumentError
from tcalc.expr.dims import Dim, Shape
from tcalc.primitives.routines import Supplied


class ModuleWriter:
    """The `Writer` of one module: its names, and what its lines turn out to need.

    `texts` are the expressions of the values so far, `parameters` the names of the arguments,
    `sizes` those of their dimensions, and `buffers` those of the arrays of the workspace.  What has
    been asked for is told by `embedded`, `supplied` and `globals` for the whole module, and for the
    function that is being written by `used_sizes` and `typed`.
    """

    def __init__(
        self,
        program: Program,
        signature: Signature,
        planned: Mapping[str, int],
        space: Workspace,
        taken: Collection[str],
    ) -> None:
        self.program = program
        self.planned = planned
        self.space = space
        self.names = Names(taken)
        self.parameters = self.names.parameters(signature.arguments)
        self.sizes = {name: self.names.give(name) for name in signature.sizes}
        self.buffers = [self.names.give(f"b{k + 1}") for k in range(len(space.shapes))]
        self.texts: dict[Value, str] = {}
        self.embedded: dict[str, Callable[..., Any]] = {}
        self.supplied: dict[str, Supplied] = {}
        self.globals: dict[str, str] = {}
        self.used_sizes: set[str] = set()
        self.typed = False
        self.free: list[str] = []
        self._temporaries = 0

    def name(self, value: Value) -> str:
        return self.texts[value]

    def size(self, dim: Dim) -> str:
        self.used_sizes |= dim.names()
        return size_text(dim, self.sizes)

    def embed(self, function: Callable[..., Any]) -> str:
        self.embedded[function.__name__] = function
        return function.__name__

    def supply(self, function: Supplied) -> str:
        known = self.supplied.setdefault(function.name, function)
        if known != function:
            raise ArgumentError(
                f"two different functions have the name {function.name}", hint="rename one"
            )
        return f"supplied[{quoted(function.name)}]"

    def dtype(self) -> str:
        self.typed = True
        return "dtype"

    def define(self, stem: str, text: str) -> str:
        if text not in self.globals:
            self.globals[text] = self.names.give(f"{stem}{len(self.globals) + 1}")
        return self.globals[text]

    def is_sparse(self, value: Value) -> bool:
        return value in self.program.sparse

    def count(self, dims: Shape) -> int:
        return count(dims, self.planned)

    def buffer(self, value: Value) -> tuple[str, bool] | None:
        place = self.space.place.get(value)
        return None if place is None else (self.buffers[place], place in self.space.zeroed)

    def fresh(self, value: Value) -> str:
        """A name for what is made: that of the user's program, one given up, or a new one."""
        hint = self.program.hints.get(value)
        if hint is not None:
            return self.names.give(hint)
        if self.free:
            return self.free.pop()
        self._temporaries += 1
        while f"t{self._temporaries}" in self.names.taken:
            self._temporaries += 1
        return f"t{self._temporaries}"

    def give_up(self, value: Value) -> None:
        """Let the name of a temporary that nobody reads any more be that of another."""
        if value not in self.program.hints and value not in self.space.place:
            self.free.append(self.texts[value])

    def begin(self) -> None:
        """Forget what the function before this one needs."""
        self.used_sizes, self.typed = set(), False


class DryRun:
    """A `Writer` that only notes which functions are called."""

    def __init__(self) -> None:
        self.functions: set[str] = set()

    def name(self, value: Value) -> str:
        return "_"

    def size(self, dim: Dim) -> str:
        return "_"

    def embed(self, function: Callable[..., Any]) -> str:
        self.functions.add(function.__name__)
        return function.__name__

    def supply(self, function: Supplied) -> str:
        return "_"

    def dtype(self) -> str:
        return "_"

    def is_sparse(self, value: Value) -> bool:
        return False

    def buffer(self, value: Value) -> tuple[str, bool] | None:
        return None

    def define(self, stem: str, text: str) -> str:
        return "_"

    def count(self, dims: Shape) -> int:
        return 0
