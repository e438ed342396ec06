"""Worked examples of optimisation, each with a known optimum or a published value.

An example is a function that solves a problem with the public API, with comments on each step, and
returns an `Outcome`: the result beside the known one.  To add one, write such a function, decorated
with `example`, in one of the files here.  ``tcalc examples solve NAME`` runs it.

>>> from tcalc import examples
>>> outcome = examples.load("misra1a").solve()
>>> outcome.agrees
True
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tcalc.errors import ArgumentError, suggestion

if TYPE_CHECKING:
    from tcalc.examples.registry import Example

FILES = ("regression", "processes", "factorisation", "portfolio", "scores")


@dataclass(frozen=True, slots=True)
class Finding:
    """A number or an array that was found, and what it is known to be."""

    what: str
    found: Any
    known: Any
    tolerance: float

    @property
    def error(self) -> float:
        """The largest difference, relative to the largest entry known."""
        import numpy as np

        known = np.asarray(self.known, dtype=float)
        scale = float(np.max(np.abs(known), initial=0.0)) or 1.0
        return float(np.max(np.abs(np.asarray(self.found) - known), initial=0.0)) / scale

    def __str__(self) -> str:
        import numpy as np

        def shown(value: Any) -> str:
            text = np.array2string(np.asarray(value), precision=10, separator=", ")
            return text.replace("\n", "\n    ")

        return (
            f"{self.what}\n  found {shown(self.found)}\n  known {shown(self.known)}\n"
            f"  relative difference {self.error:.1e} (at most {self.tolerance:.0e})"
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an example did, in lines of text, and what it found."""

    steps: Sequence[str]
    findings: Sequence[Finding] = field(default=())

    @property
    def agrees(self) -> bool:
        """Whether all that was found is what is known, within the tolerances."""
        return bool(self.findings) and all(f.error <= f.tolerance for f in self.findings)

    def __str__(self) -> str:
        return "\n".join([*self.steps, "", *map(str, self.findings)])


def all_examples() -> list[Example]:
    """All examples, in the order of their names."""
    from tcalc.examples.registry import EXAMPLES

    for name in FILES:
        import_module(f"tcalc.examples.{name}")
    return [EXAMPLES[name] for name in sorted(EXAMPLES)]


def load(name: str) -> Example:
    """The example of that name; an `ArgumentError` where there is none."""
    known = {example.name: example for example in all_examples()}
    if name not in known:
        hint = suggestion(name, known, otherwise="the examples are " + ", ".join(known))
        raise ArgumentError(f"there is no example named {name!r}", hint=hint)
    return known[name]
