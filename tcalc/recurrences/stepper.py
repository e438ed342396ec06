"""Compiled functions of arrays that are known to fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from tcalc import runtime
from tcalc.codegen.options import Backend
from tcalc.expr.nodes import Node, Var
from tcalc.runtime.compiled import retyped
from tcalc.runtime.native import NativeFunction
from tcalc.runtime.staged import run_steps

Arrays: TypeAlias = Mapping[str, Any]


class Stepper:
    """A compiled function that is called once a step.

    It takes states, a row of what else is another in each step, and what is the same in all.  Where
    the `backend` is "c", a C function runs through many steps in one call.
    """

    def __init__(
        self,
        roots: Sequence[Node],
        states: Sequence[Var],
        given: Sequence[Var],
        fixed: Iterable[Var],
        backend: Backend = "numpy",
    ) -> None:
        variables = (*states, *given, *fixed)
        self._function = runtime.compile([*roots], variables=variables)
        self._native = None
        if backend == "c":
            options = runtime.Options(backend="c")
            self._native = runtime.compile([*roots], options, variables=variables)
        names = self._function.signature.names
        self.given = [k for k, x in enumerate(given) if x.name in names]
        """The places of what it takes of what is given."""
        moving = [*(x.name for x in states), *(given[k].name for k in self.given)]
        self._fixed = [name for name in names if name not in moving]
        whole = [*moving, *self._fixed]
        # States that it does not take are left out; what tells only a size may stand last.
        self._places = [whole.index(name) for name in names]
        self._in_order = self._places == [*range(len(whole))]

    def rest(self, fixed: Arrays) -> list[Any]:
        """What it takes of what is the same in all steps."""
        return [fixed[name] for name in self._fixed]

    def ready(self, states: Sequence[Any], row: Sequence[Any], fixed: Arrays) -> Callable[..., Any]:
        """The function of states, a row of what is given, and the rest.

        It is for arrays of the types and shapes of these, and looks at none of them.
        """
        whole, places = [*states, *row, *self.rest(fixed)], self._places
        names = self._function.signature.names
        arguments = {name: whole[k] for name, k in zip(names, places, strict=True)}
        compute = _computing(self._function, arguments, fixed)
        return compute if self._in_order else _rearranged(compute, places)

    def in_c(
        self,
        states: Sequence[Any],
        given: Sequence[Any],
        fixed: Arrays,
        count: int,
        backwards: bool,
    ) -> tuple[list[Any], list[Any]] | None:
        """The states at the beginning and after each step, and what else each step has made.

        `given` are arrays with an axis in front that counts the steps.  It is None where no C
        function does it, as for complex numbers, or where it gives up.
        """
        if self._native is None:
            return None
        rest = self.rest(fixed)
        whole = [*states, *(x[0] for x in given), *rest]
        names = self._native.signature.names
        like = {name: whole[k] for name, k in zip(names, self._places, strict=True)}
        function = self._native.unchecked(like)
        dtype = next((x.dtype for x in fixed.values()), None)
        if not isinstance(function, NativeFunction) or function.dtype != dtype:
            return None  # what takes numbers alone has not the type of the arrays
        return run_steps(function, self._places, states, given, rest, count, backwards)

    def understood(self, error: Exception, arrays: Sequence[Any]) -> Exception:
        """What an error of the function for states, a row and the rest means for the caller."""
        return self._function.understood(error, [arrays[k] for k in self._places])


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
