"""Compiled functions of arrays that are known to fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from tcalc import runtime
from tcalc.expr.nodes import Node, Var

Arrays: TypeAlias = Mapping[str, Any]
Call: TypeAlias = Callable[[Sequence[Any]], Any]


class Stepper:
    """A compiled function that is called once a step, of whose arguments few change."""

    def __init__(self, roots: Sequence[Node], changing: Sequence[Var], fixed: Iterable[Var]):
        self._function = runtime.compile([*roots], variables=(*changing, *fixed))
        self._changing = [x.name for x in changing]

    def ready(self, fixed: Arrays, first: Sequence[Any]) -> Call:
        """The function of what changes, for arrays of the types and shapes of some."""
        function = self._function
        arrays = {**fixed, **dict(zip(self._changing, first, strict=True))}
        names = function.signature.names
        arguments = [arrays[name] for name in names]
        compute = function.unchecked(dict(zip(names, arguments, strict=True)))
        places = [(names.index(x), k) for k, x in enumerate(self._changing) if x in names]

        def call(values: Sequence[Any]) -> Any:
            for place, k in places:
                arguments[place] = values[k]
            try:
                return compute(*arguments)
            except Exception as error:
                raise function.understood(error, arguments) from error

        return call


def called(function: runtime.CompiledFunction, arrays: Arrays) -> Any:
    """The results of a function for arrays by name, among others, that need no checks."""
    arguments = {name: arrays[name] for name in function.signature.names}
    compute = function.unchecked(arguments)
    try:
        return compute(*arguments.values())
    except Exception as error:
        raise function.understood(error, [*arguments.values()]) from error
