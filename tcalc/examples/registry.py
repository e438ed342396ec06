"""Where examples enrol themselves."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field

from tcalc.examples import Outcome


@dataclass(frozen=True, slots=True)
class Example:
    """An example: its title, what it shows, where its known values come from, and how it runs."""

    name: str
    title: str
    about: str
    program: str
    source: str
    solve: Callable[[], Outcome] = field(repr=False)


EXAMPLES: dict[str, Example] = {}


def example(program: str, source: str) -> Callable[[Callable[[], Outcome]], Callable[[], Outcome]]:
    """Enrol a function as the example of its name; its docstring is title and text."""

    def enrol(solve: Callable[[], Outcome]) -> Callable[[], Outcome]:
        title, _, about = (inspect.getdoc(solve) or "").partition("\n")
        name = solve.__name__
        words = " ".join(about.split())
        EXAMPLES[name] = Example(name, title.rstrip("."), words, program.strip(), source, solve)
        return solve

    return enrol
