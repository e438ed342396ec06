"""Compiled functions of arrays that are known to fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from tcalc import runtime
from tcalc.expr.nodes import Node, Var
from tcalc.runtime.compiled import retyped

Arrays: TypeAlias = Mapping[str, Any]


class Stepper:
    """A compiled function that is called once a step.

    It takes states, then what else is another in each step, then what is the same in all.
    """

    def __init__(
        self,
        roots: Sequence[Node],
        states: Sequence[Var],
        given: Sequence[Var],
        fixed: Iterable[Var],
    ) -> None:
        self._function = runtime.compile([*roots], variables=(*states, *given, *fixed))
        names = self._function.signature.names
        self._states = [k for k, x in enumerate(states) if x.name in names]
        self._takes_all = len(self._states) == len(states)
        self.given = [k for k, x in enumerate(given) if x.name in names]
        """The places of what it takes of what is given."""
        moving = [states[k].name for k in self._states] + [given[k].name for k in self.given]
        self._fixed = [name for name in names if name not in moving]
        places = [*moving, *self._fixed]
        # An argument that is taken for its shape alone stands last.
        self._order = [places.index(name) for name in names]

    def ready(
        self, states: Sequence[Any], row: Sequence[Any], fixed: Arrays
    ) -> Callable[[Sequence[Any], Sequence[Any]], Any]:
        """The function of states and of a row of what is given, for arrays like these."""
        function, used = self._function, self._states
        rest = [fixed[name] for name in self._fixed]
        order, names = self._order, function.signature.names
        first = [*(states[k] for k in used), *row, *rest]
        compute = _computing(
            function, {x: first[k] for x, k in zip(names, order, strict=True)}, fixed
        )
        if order != sorted(order):
            compute = _rearranged(compute, order)

        def call(states: Sequence[Any], row: Sequence[Any]) -> Any:
            taken = states if self._takes_all else [states[k] for k in used]
            try:
                return compute(*taken, *row, *rest)
            except Exception as error:
                arrays = [*taken, *row, *rest]
                raise function.understood(error, [arrays[k] for k in order]) from error

        return call


def _rearranged(compute: Callable[..., Any], order: Sequence[int]) -> Callable[..., Any]:
    return lambda *arguments: compute(*(arguments[k] for k in order))


def _computing(
    function: runtime.CompiledFunction, arguments: Arrays, others: Arrays
) -> Callable[..., Any]:
    """What computes the results for arrays like some; they have the type of all arrays."""
    compute = function.unchecked(arguments)
    if arguments or not others:
        return compute
    # What takes no array knows no type.
    dtype = next(iter(others.values())).dtype
    return lambda: retyped(compute(), dtype)


def called(function: runtime.CompiledFunction, arrays: Arrays) -> Any:
    """The results of a function for arrays by name, among others, that need no checks."""
    arguments = {name: arrays[name] for name in function.signature.names}
    compute = _computing(function, arguments, arrays)
    try:
        return compute(*arguments.values())
    except Exception as error:
        raise function.understood(error, [*arguments.values()]) from error
