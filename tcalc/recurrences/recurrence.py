"""Recurrences as functions of arrays."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Never

from tcalc import runtime
from tcalc.codegen.options import Backend
from tcalc.codegen.signature import Signature, describe
from tcalc.errors import ArgumentError, DimensionError, UnknownNameError, suggestion
from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.names import free_names
from tcalc.expr.nodes import Var
from tcalc.expression import Names, Variable, Variables, name_of
from tcalc.language.kept_program import RecurrenceProgram
from tcalc.language.parser import is_name
from tcalc.recurrences.each_step import RecurrenceSteps
from tcalc.recurrences.earlier import Earlier
from tcalc.recurrences.gradient import RecurrenceGradient, RecurrenceProduct
from tcalc.recurrences.one_call import OneCall
from tcalc.recurrences.running import Forward, Runner
from tcalc.recurrences.step import needed_loops, step_of
from tcalc.recurrences.stepper import Arrays, called
from tcalc.recurrences.tangent import tangent_of
from tcalc.requirements import each_once, names_of, require_name, variables_of
from tcalc.runtime.arguments import CallSignature, refuse_positions


class Recurrence:
    """A program with loops that are kept, as a function of arrays.

    One step is differentiated and compiled, and run as often as the arrays have steps: the time to
    compile does not grow with their number, and one function serves series of any length.  Pass
    NumPy arrays by keyword, as to `tcalc.runtime.CompiledFunction`; errors are the same, and say in
    which step they occurred.

    >>> import tcalc
    >>> smoothing = tcalc.recurrence('''
    ... s{1} = y[1]
    ... e{1} = 0
    ... for t = 2:T
    ...     s{t} = s{t-1} + a*(y[t] - s{t-1})
    ...     e{t} = e{t-1} + (y[t] - s{t-1})^2
    ... end
    ... e{T}''', "y[T], a")
    >>> float(smoothing(y=[1.0, 3.0, 2.0], a=0.5))
    4.0
    >>> smoothing.steps("s")(y=[1.0, 3.0, 2.0], a=0.5).tolist()
    [2.0, 2.0]
    >>> value, slope = smoothing.value_and_gradient("a")(y=[1.0, 3.0, 4.0], a=0.5)
    >>> float(value), float(slope)
    (8.0, -8.0)
    """

    __signature__ = CallSignature()
    bound: tuple[str, ...] = ()

    def __init__(self, program: RecurrenceProgram, backend: Backend = "numpy") -> None:
        self._program = program
        self._backend: Backend = backend
        #: The loops of the program, in their order.
        self._loops = [step_of(x) for x in (*program.earlier, program)]
        #: Those that the value needs, and others between them.
        self._needed = needed_loops(self._loops)
        *before, step = self._needed
        self._loop = Runner(step, [step.value], backend=backend)
        self._earlier = Earlier(before, [self._loop.signature], backend=backend)
        self._in_one_call = OneCall(self._loop, [step.value]) if backend == "c" else None

    @property
    def signature(self) -> Signature:
        """The names and dimensions of the arguments."""
        return self._earlier.signature

    @property
    def variables(self) -> dict[str, Var]:
        """The inputs of the program by name, in order of appearance."""
        return dict(self._program.program.variables)

    def variable(self, wanted: Variable) -> Var:
        """The input of that name; raises `UnknownNameError` where there is none."""
        name = name_of(wanted)
        known = self.variables
        if name not in known:
            hint = suggestion(name, known, f"its inputs: {', '.join(known)}")
            raise UnknownNameError(f"{name!r} is not an input of the program", hint=hint)
        return known[name]

    @property
    def dims(self) -> Shape:
        """The dimensions of the value."""
        return self._loop.step.value.dims

    @property
    def guesses(self) -> dict[str, str]:
        """What each undeclared name was taken for: scalar, vector, matrix, tensor3, …"""
        return dict(self._program.program.guesses)

    def __call__(self, /, *positional: Never, **arguments: Any) -> Any:
        if positional:
            refuse_positions(positional, self.signature.names)
        arrays = self._earlier(arguments, self._loop.signature)
        return self._loop.step.wording(self._run)(arrays)

    def _run(self, arguments: Arrays) -> Any:
        found = self._in_one_call(arguments) if self._in_one_call is not None else None
        if found is not None:
            return found[0]
        return called(self._value, self._forward(self._loop.run(arguments)).left)[0]

    @cached_property
    def _forward(self) -> Forward:
        return Forward(self._loop, [], [self._loop.step.value])

    @cached_property
    def _value(self) -> runtime.CompiledFunction:
        step = self._loop.step
        known = (*self._loop.inputs, *self._loop.last)
        return runtime.compile([step.value], variables=known)

    def steps(self, names: str | Names) -> RecurrenceSteps:
        """A function of arrays that gives the values of a name in all steps, one row per step.

        For a list of names it gives a dictionary.  A name may be written without braces, ``s`` for
        ``s{t}``, if it has no other counters.  Raises `UnknownNameError` for a name that no loop
        defines, and `ArgumentError` for names of several loops.
        """
        wanted = names_of(names)
        shown = {x: k for k, step in enumerate(self._loops) for x in step.defined}
        defined = {x.partition("{")[0]: x for x in shown if "," not in x} | {x: x for x in shown}
        for name in wanted:
            require_name(name)
            if name not in defined:
                hint = suggestion(name, defined, otherwise=f"it defines {', '.join(shown)}")
                raise UnknownNameError(f"no step defines {name!r}", hint=hint)
        places = {shown[defined[name]] for name in wanted}
        if len(places) > 1:
            apart = " and ".join(next(x for x in wanted if shown[defined[x]] == k) for k in places)
            raise ArgumentError(
                f"{apart} are defined by several loops, which may have other numbers of steps",
                hint="ask for the names of one loop at a time",
            )
        (place,) = places
        found = {name: self._loops[place].defined[defined[name]] for name in wanted}
        loops = self._loops[: place + 1]
        return RecurrenceSteps(loops, found, isinstance(names, str), self._backend)

    def value_and_gradient(self, wrt: Variable | Variables) -> RecurrenceGradient:
        """A function of arrays that gives the value and its gradient by one or several inputs.

        Raises `DimensionError` unless the value is a scalar, and `UnknownNameError` for an input
        that the program does not have.
        """
        found = self._inputs(wrt)
        if order := self._loop.step.value.order:
            raise DimensionError(
                f"the gradient is that of a scalar, and the value has {order} axes",
                hint="sum it up in the last line of the program",
            )
        return RecurrenceGradient(
            self._needed, found, not isinstance(wrt, list | tuple), self._backend
        )

    def _inputs(self, wrt: Variable | Variables) -> list[Var]:
        """The inputs of some names."""
        found = [self.variable(variable) for variable in variables_of(wrt)]
        each_once([x.name for x in found])
        if not found:
            raise ArgumentError("no input is given to differentiate by")
        return found

    def jvp(self, wrt: Variable | Variables, direction: str | Names | None = None) -> Recurrence:
        """The directional derivative by one or several inputs, which is a recurrence too.

        The direction of ``A`` is a further argument, ``dA`` unless `direction` names it.

        >>> import tcalc
        >>> text = "s{0} = 1; for t = 1:3; s{t} = a*s{t-1}; end; s{3}"
        >>> power = tcalc.recurrence(text, "a")
        >>> power.jvp("a")(a=2.0, da=0.5)  # 3 a^2 times 0.5
        np.float64(6.0)
        """
        directions = self._directions(wrt, direction)
        return Recurrence(tangent_of(self._program, self._loops, directions), self._backend)

    def _directions(self, wrt: Variable | Variables, given: str | Names | None) -> dict[Var, Var]:
        """Inputs for the directions, by those that they are for."""
        found = self._inputs(wrt)
        if given is None:
            names = free_names([f"d{x.name}" for x in found], self._names)
        else:
            names = names_of(given)
            each_once(names)
        if len(names) != len(found):
            raise ArgumentError(f"{len(names)} directions for {len(found)} inputs")
        for name in names:
            require_name(name)
            if not is_name(name) or name in self._names:
                raise ArgumentError(f"{name!r} is no name for a direction", hint="choose another")
        return {x: build.var(name, x.dims, ()) for x, name in zip(found, names, strict=True)}

    @property
    def _names(self) -> set[str]:
        """The names of all inputs of all steps."""
        return {name for step in self._loops for name in step.names}

    def hvp(
        self, wrt: Variable | Variables, direction: str | Names | None = None
    ) -> RecurrenceProduct:
        """A function of arrays: the Hessian by one or several inputs, times a direction.

        The direction of ``A`` is a further argument, ``dA`` unless `direction` names it; the
        Hessian is never formed.  For several inputs, the product is a dictionary.

        >>> import tcalc
        >>> text = "s{0} = 1; for t = 1:3; s{t} = a*s{t-1}; end; s{3}"
        >>> power = tcalc.recurrence(text, "a")
        >>> power.hvp("a")(a=2.0, da=0.5)  # 6 a times 0.5
        np.float64(6.0)
        """
        directions = {x.name: d.name for x, d in self._directions(wrt, direction).items()}
        return RecurrenceProduct(self.jvp(wrt, direction).value_and_gradient(wrt), directions)

    def __repr__(self) -> str:
        arguments = ", ".join(map(describe, self.signature.arguments))
        return f"<Recurrence({arguments})>"
