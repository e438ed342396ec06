"""Recursion without the stack: elaboration steps are generators that ask for each other.

A step yields the step whose result it needs, and is resumed with that result; so text nested
50,000 deep costs list entries, not stack frames.  A step that asks for nothing has a ``yield`` that
is never reached, which makes a generator of it all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, TypeAlias

from tcalc.language.algebra import Value

if TYPE_CHECKING:
    from tcalc.language.einstein import Scope
    from tcalc.language.elaborate import Elaborator
    from tcalc.language.syntax import Call

Task: TypeAlias = "Generator[Task, Value, Value]"
Handler: TypeAlias = "Callable[[Elaborator, Call, Scope], Task]"


def run(task: Task) -> Value:
    """The result of a step, all steps that it asks for included."""
    stack = [task]
    result: Value | None = None
    while stack:
        try:
            request = stack[-1].send(result)  # type: ignore[arg-type] # the first must be None
        except StopIteration as done:
            stack.pop()
            result = done.value
        else:
            stack.append(request)
            result = None
    assert result is not None
    return result
