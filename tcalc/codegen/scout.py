"""A writer that writes nothing, for a look at what statements need before they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tcalc.codegen.program import Value
from tcalc.expr.dims import Dim, Shape
from tcalc.primitives.routines import Supplied


class Scout:
    """A writer that only notes which functions are called."""

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
