"""Calls: which function is meant, and what is said of one that does not exist.

What a signature can say is applied by `tcalc.language.functions`; functions with rules of their
own have a task here, by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tcalc.errors import ParseError, UnknownNameError
from tcalc.language import derivatives, functions, joining, special
from tcalc.language.algebra import Value
from tcalc.language.einstein import Scope
from tcalc.language.habits import function_hint
from tcalc.language.syntax import Call, Number
from tcalc.language.tasks import run
from tcalc.primitives import REGISTRY, Function, Kind, lookup

if TYPE_CHECKING:
    from tcalc.language.elaborate import Elaborator
    from tcalc.language.tasks import Handler, Task

FORMS: Mapping[str, Handler] = {**special.FORMS, **joining.FORMS, **derivatives.FORMS}
"""The functions that the registry cannot describe."""


def stays(function: str) -> bool:
    """Whether the index in the brackets of a function is an axis of the result as well."""
    if function in joining.FORMS:
        return True
    entry = REGISTRY.get(function)
    return entry is not None and any(form.kind is Kind.NORMALISATION for form in entry.forms)


def call(elaborator: Elaborator, call: Call, scope: Scope) -> Task:
    """The task that elaborates a call."""
    handler = FORMS.get(call.function)
    return (handler or _registered)(elaborator, call, scope)


def outputs(elaborator: Elaborator, call: Call, scope: Scope) -> list[Value]:
    """The results of a function that has several: the right-hand side of ``Q, R = qr(A)``."""
    function = _entry(elaborator, call)
    values = [run(elaborator.content(argument, scope)) for argument in call.arguments]
    return functions.applied(elaborator.algebra, function, values, (), call)


def _registered(elaborator: Elaborator, call: Call, scope: Scope) -> Task:
    function = _entry(elaborator, call)
    names = (
        functions.bracket_names(elaborator.names, call, scope) if call.indices is not None else ()
    )
    values: list[Value] = []
    for argument in call.arguments:
        value = yield elaborator.content(argument, scope.keeping(names))
        values.append(value)
    results = functions.applied(elaborator.algebra, function, values, names, call)
    if len(results) > 1:
        raise ParseError(
            f"`{call.function}` has {len(results)} results",
            span=call.span,
            hint=f"unpack them: {', '.join(functions.result_names(function))} = "
            f"{call.function}(...)",
        )
    return results[0]


def _entry(elaborator: Elaborator, call: Call) -> Function:
    """The registered function that is called; refuses unknown ones."""
    name = call.function
    brought = elaborator.names.functions
    known = brought.get(name) or lookup(name)
    if known is not None:
        return known
    if elaborator.names.is_known(name) or len(name) == 1:
        raise UnknownNameError(
            f"`{name}` is no function", span=call.name_span, hint=_no_function_hint(name, call)
        )
    raise UnknownNameError(
        f"there is no function `{name}`",
        span=call.name_span,
        hint=function_hint(name, [*brought, *REGISTRY, *FORMS]),
    )


def _no_function_hint(name: str, call: Call) -> str:
    if len(call.arguments) == 1 and not isinstance(call.arguments[0], Number):
        sigmoid = ", or `sigmoid(...)`" if name == "σ" else ""
        return f"a product needs its operator: {name}*(...){sigmoid}"
    return f"a product needs its operator, {name}*(...); an element stands in brackets, {name}[...]"
