"""The value of a recurrence together with its gradient, loop by loop, the last one first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Never

from tcalc import printing
from tcalc.codegen.options import Backend
from tcalc.codegen.signature import Signature, describe
from tcalc.expr.nodes import Var
from tcalc.recurrences.earlier import Earlier, part_of
from tcalc.recurrences.formulas import adjoint_formulas
from tcalc.recurrences.loop_gradient import LoopGradient
from tcalc.recurrences.seeds import Seeded, active_outputs
from tcalc.recurrences.step import Step
from tcalc.recurrences.stepper import Arrays
from tcalc.runtime.arguments import CallSignature, refuse_positions


class RecurrenceGradient:
    """A function of arrays: the value of a recurrence, and its gradient by some inputs.

    The gradient is an array for one input, a dictionary of arrays for several.  A call runs the
    loops forward, storing what the backward pass needs of each step, and then backward.  `loops`
    are the steps of the loops of the program, in their order.
    """

    __signature__ = CallSignature()
    bound: tuple[str, ...] = ()

    def __init__(
        self, loops: Sequence[Step], wrt: Sequence[Var], single: bool, backend: Backend = "numpy"
    ) -> None:
        *before, last = loops
        self._loops = loops
        self._wrt = [*wrt]
        self._single = single
        handed: list[list[Var]] = []  # what loops hand on that depends on the inputs
        for step in before:
            handed.append(active_outputs(step, [*wrt, *(x for some in handed for x in some)]))
        inside = last.needed([last.value], [x for some in handed for x in some])
        #: The inputs of the last loop whose cotangents are wanted.
        self._by = [*wrt, *inside]
        self._last = LoopGradient(last, self._by, backend)
        #: The gradients of earlier loops by their places, backwards.
        self._seeded: dict[int, Seeded] = {}
        reached = {*inside}
        for k in reversed(range(len(before))):
            wanted = [x for x in handed[k] if x in reached]
            if wanted:
                by = [*wrt, *(x for some in handed[:k] for x in some)]
                self._seeded[k] = Seeded(before[k], wanted, by, backend)
                reached.update(self._seeded[k].by)
        slopes = {k: x.gradient for k, x in self._seeded.items()}
        takers = [self._last.signature, *(x.signature for x in slopes.values())]
        kept = {k: x.kept for k, x in slopes.items()}
        self._earlier = Earlier(before, takers, wrt, backend, kept)

    @property
    def signature(self) -> Signature:
        """The names and dimensions of the arguments."""
        return self._earlier.signature

    def __call__(self, /, *positional: Never, **arguments: Any) -> Any:
        if positional:
            refuse_positions(positional, self.signature.names)
        if self._seeded:
            value, gradient = self._backward(arguments)
        else:
            value, *gradient = self._last(self._earlier(arguments, self._last.signature))
        if self._single:
            return value, gradient[0]
        return value, dict(zip((x.name for x in self._wrt), gradient, strict=True))

    def _backward(self, arguments: Arrays) -> tuple[Any, list[Any]]:
        """The value, and the cotangents of the inputs, which all loops add to."""
        arrays, handed = self._earlier.run(arguments)
        value, *parts = self._last(part_of(arrays, self._last.signature))
        cotangents = dict(zip(self._by, parts, strict=True))
        for k, loop in self._seeded.items():
            for x, part in loop(arrays, cotangents, handed[k]).items():
                cotangents[x] = cotangents[x] + part if x in cotangents else part
        return value, [cotangents[x] for x in self._wrt]

    def formulas(
        self, notation: printing.Notation = "auto", medium: printing.Medium = "text"
    ) -> str:
        """The adjoint recurrence: the statements of one backward step, one per line.

        Those of several loops stand one below the other, the last loop first.  ``m_bar{t}`` is the
        derivative of the value by ``m{t}``; the derivatives by inputs are accumulated from step to
        step, and contributions from outside the loops are left out.  The `medium` is ``"text"``,
        ``"latex"`` or ``"mathml"``.

        >>> import tcalc
        >>> walk = tcalc.recurrence('''
        ... x{0} = b
        ... f{0} = 0
        ... for t = 1:T
        ...     x{t} = tanh(A*x{t-1} + u[t,1:end])
        ...     f{t} = f{t-1} + norm2(x{t})^2
        ... end
        ... f{T}''', "A[n,n], b[n], u[T,n]")
        >>> print(walk.value_and_gradient("A").formulas())
        x_bar{t-1} = A'*((1 - x{t}.^2).*(x_bar{t} + 2*x{t}))
        A_bar += ((1 - x{t}.^2).*(x_bar{t} + 2*x{t}))*x{t-1}'
        """
        return adjoint_formulas(
            self._loops[-1], self._by, [*self._seeded.values()], notation, medium
        )

    def __repr__(self) -> str:
        arguments = ", ".join(map(describe, self.signature.arguments))
        return f"<RecurrenceGradient({arguments}) by {', '.join(x.name for x in self._wrt)}>"


class RecurrenceProduct:
    """A function of arrays: the Hessian of a recurrence by some inputs, times a direction.

    `directions` maps the inputs to the arguments that are their directions.
    """

    __signature__ = CallSignature()
    bound: tuple[str, ...] = ()

    def __init__(self, slope: RecurrenceGradient, directions: Mapping[str, str]) -> None:
        self._slope = slope
        self.directions = dict(directions)

    @property
    def signature(self) -> Signature:
        """The names and dimensions of the arguments."""
        return self._slope.signature

    def __call__(self, /, *positional: Never, **arguments: Any) -> Any:
        _, product = self._slope(*positional, **arguments)
        return product

    def __repr__(self) -> str:
        return f"<RecurrenceProduct({', '.join(map(describe, self.signature.arguments))})>"
