"""Derivatives inside the language: ``gradient(f, w)``, ``hessian(f, w)``, and their like.

Their shapes are known at once: the axes of the function, then those of each variable.  The
derivative itself is made when the tape is replayed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from tcalc.errors import DimensionError, IndexNotationError, ParseError, UnknownNameError
from tcalc.expr.properties import SYMMETRIC
from tcalc.language.algebra import Value
from tcalc.language.einstein import Scope
from tcalc.language.names import Variable
from tcalc.language.syntax import Call, Expression, Name, Number, Text, unwrap

if TYPE_CHECKING:
    from tcalc.language.elaborate import Elaborator
    from tcalc.language.tasks import Handler, Task


def _derivative(
    elaborator: Elaborator, call: Call, scope: Scope, *, scalar: bool, most: int, twice: bool
) -> Task:
    """The derivative of the first argument by the variables that follow."""
    if call.indices is not None:
        raise IndexNotationError(
            f"`{call.function}` takes no index in brackets",
            span=call.span,
            hint=f"index the result: {call.function}(f, x)[i]",
        )
    if not 2 <= len(call.arguments) <= 1 + most:
        raise ParseError(
            f"`{call.function}` takes a function and "
            + ("a variable" if most == 1 else "variables"),
            span=call.span,
            hint=f"{call.function}(f, x); by one variable after the other derivative(f, x, y)",
        )
    variables = [_variable(elaborator, argument, call) for argument in call.arguments[1:]]
    if twice and len(variables) == 1:
        variables *= 2
    value = yield elaborator.region(call.arguments[0], None, scope.counters)
    value = elaborator.algebra.concrete(value)
    if scalar and value.order:
        raise DimensionError(
            f"`{call.function}` of {value.kind}",
            span=call.span,
            hint="it takes a scalar; the derivative of a tensor is jacobian(F, x)",
        )
    return _differentiated(elaborator, value, variables, call)


def _differentiated(
    elaborator: Elaborator, value: Value, variables: Sequence[Variable], call: Call
) -> Value:
    algebra = elaborator.algebra
    slots = [algebra.tape.variable(v.name, v.dims, v.properties) for v in variables]
    slot = algebra.tape.derivative(algebra.slot(value), slots, call.span)
    dims = (*value.dims, *(dim for variable in variables for dim in variable.dims))
    made = algebra.atom(slot, dims, call.span)
    by = [(variable, len(v.dims)) for variable, v in zip(slots, variables, strict=True)]
    elaborator.axes.derivative(slot, value, by)
    if call.function not in ("jacobian", "hessian"):
        return made
    structures = set(map(_structure, variables))
    structured = call.function == "hessian" and len(structures) == 1 and "" not in structures
    return made._replace(
        variable_axes=len(variables[-1].dims),
        within=slots[-1] if structured else None,
    )


def _structure(variable: Variable) -> str:
    """What derivatives by a variable are projected on; empty where they are any tensor."""
    if len(variable.dims) < 2:
        return ""
    known = {"symmetric" if x in SYMMETRIC else x for x in variable.properties}
    return next((x for x in ("diagonal", "symmetric", "lower", "upper") if x in known), "")


def _variable(elaborator: Elaborator, expression: Expression, call: Call) -> Variable:
    """The variable by which to differentiate, which the program must use or declare."""
    expression = unwrap(expression)
    if not isinstance(expression, Name):
        raise ParseError(
            f"`{call.function}` differentiates by variables, given by name",
            span=expression.span,
            hint=_HINTS.get(
                type(expression), "give it a name, as a variable of its own: tensor z[n]"
            ),
        )
    names, name = elaborator.names, expression.name
    if expression.steps or name in names.defined:
        raise UnknownNameError(
            f"`{expression.span.text}` is a definition, and derivatives are by variables",
            span=expression.span,
            hint="declare it as a variable, or differentiate by what it is made of",
        )
    if name not in names.variables and name not in names.used:
        raise UnknownNameError(
            f"the program has no variable `{name}`",
            span=expression.span,
            hint="declare it, or differentiate by a variable that the program uses",
        )
    return names.variable(name, expression.span)


_HINTS = {
    Number: "of order two it is derivative(f, x, x), of order three derivative(f, x, x, x)",
    Text: "names stand without quotes: gradient(f, x)",
}
"""What to write for what is no name."""

FORMS: Mapping[str, Handler] = {
    "gradient": partial(_derivative, scalar=True, most=1, twice=False),
    "jacobian": partial(_derivative, scalar=False, most=1, twice=False),
    "hessian": partial(_derivative, scalar=True, most=2, twice=True),
    "derivative": partial(_derivative, scalar=False, most=100, twice=False),
}
