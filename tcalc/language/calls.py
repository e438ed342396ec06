"""Calls: which function is meant, and what is said of one that does not exist.

What a signature can say is applied by `tcalc.language.functions`; functions with rules of their
own have a task here, by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tcalc.errors import ParseError, UnknownNameError
from tcalc.language import derivatives, functions, joining, special
from tcalc.language.algebra import Value
from tcalc.language.einstein import Scope
from tcalc.language.habits import function_hint
from tcalc.language.syntax import Call, Name, Number
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
    task = (handler or _registered)(elaborator, call, scope)
    if not call.indices or stays(call.function):
        return task
    return elaborator.reduced(task, call, scope)


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
    quotient = re.search(r"[d∂]\s*/\s*[d∂]\w*\Z", call.name_span.up_to_end(40))
    raise UnknownNameError(
        f"there is no function `{name}`",
        span=call.name_span,
        hint=_LETTERS["d"] if quotient else function_hint(name, [*brought, *REGISTRY, *FORMS]),
    )


def _no_function_hint(name: str, call: Call) -> str:
    """What to write for a call of a variable, or of a letter."""
    arguments = call.arguments
    product = f"a product needs its operator: {name}*(...)"
    if len(arguments) == 1 and not isinstance(arguments[0], Number):
        argument = arguments[0]
        shown = argument.name if isinstance(argument, Name) else "(...)"
        if name in _LETTERS:
            return f"{_LETTERS[name].format(shown)}; {product}"
        if isinstance(argument, Name):
            return f"{product}; an element stands in brackets: {name}[{shown}]"
        return product
    if name in ("d", "D") and len(arguments) > 1 and isinstance(arguments[-1], Name):
        return _LETTERS[name]
    if name == "c" and len(arguments) > 1 and all(isinstance(x, Number) for x in arguments):
        return "vectors of numbers are data: write a name, and give it its value"
    return f"a product needs its operator, {name}*(...); an element stands in brackets, {name}[...]"


_LETTERS: Mapping[str, str] = {
    "d": "a derivative is gradient(f, x), or jacobian(F, x)",
    "t": "the transpose is {0}'",
    "D": "a derivative is gradient(f, x), or jacobian(F, x)",
    "E": "an expected value is that of data, mean(...)",
    "σ": "the sigmoid function is `sigmoid(...)`",
}
"""Functions of other languages that are one letter; `{0}` is the argument."""
