"""What is carried from step to step of a loop that is kept, or is another in each step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from tcalc.errors import Span
from tcalc.language.course import NEAR, Course
from tcalc.language.syntax import Bound, Definition, Name, Statement
from tcalc.records import dataclass


class Stem(NamedTuple):
    """The name of something that each step has, the number of the step left open (None)."""

    name: str
    steps: tuple[int | None, ...]

    @property
    def plain(self) -> str:
        """It as a name without braces."""
        numbers = (str(number) for number in self.steps if number is not None)
        return "_".join((self.name, *numbers)).replace("-", "m")

    def at(self, step: int, span: Span) -> Name:
        """The name for a step."""
        numbers = (step if number is None else number for number in self.steps)
        return Name(self.name, tuple(Bound(((x, ()),), span) for x in numbers), span)

    def number(self, name: str) -> int | None:
        """The step of a name that is one of these; None for any other.

        >>> Stem("h", (None, 2)).number("h{5,2}")
        5
        >>> Stem("h", (None, 2)).number("h{5,1}")
        """
        k = self.steps.index(None)
        base, brace, rest = name.partition("{")
        numbers = [int(number) for number in rest.rstrip("}").split(",")] if brace else []
        if len(numbers) != len(self.steps):
            return None
        alike = self == Stem(base, (*numbers[:k], None, *numbers[k + 1 :]))
        return numbers[k] if alike else None

    def shown(self, step: str) -> str:
        """The name for a step that is a text."""
        numbers = (step if number is None else str(number) for number in self.steps)
        return f"{self.name}{{{','.join(numbers)}}}"


@dataclass(frozen=True, slots=True)
class Before:
    """What a step takes from the step `lag` before it; the first takes what is defined before."""

    stem: Stem
    lag: int


@dataclass(frozen=True, slots=True)
class Last:
    """What the last step has left, or the step `lag` - 1 before it."""

    stem: Stem
    lag: int


@dataclass(frozen=True, slots=True)
class Slice:
    """What stands in a tensor where an axis has the position counter + `offset`, from 1 on.

    The tensor has `order` positions in the text.
    """

    base: str
    axis: int
    offset: int
    order: int


@dataclass(frozen=True, slots=True)
class Count:
    """The counter as a number."""

    counter: str


Carried: TypeAlias = Before | Last | Slice | Count
"""What a step has from outside of it, or leaves."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The statements of one step, and which of them stand for what is carried.

    `offsets` has the names that the loop defines, and which step of theirs a step defines: t +
    offset.
    """

    statements: tuple[Statement, ...]
    carried: Mapping[Definition, Carried]
    course: Course
    offsets: Mapping[Stem, int]


def parted(name: str, origin: int) -> tuple[Stem, int] | None:
    """A name with a step near to `origin` as its stem and the distance; None for any other.

    >>> from tcalc.language.course import STEP
    >>> parted(f"h{{{STEP - 1},2}}", STEP)
    (Stem(name='h', steps=(None, 2)), -1)
    >>> parted("h{3,2}", STEP)
    """
    stem, brace, rest = name.partition("{")
    numbers = [int(number) for number in rest.rstrip("}").split(",")] if brace else []
    for k, number in enumerate(numbers):
        if abs(number - origin) < NEAR:
            return Stem(stem, (*numbers[:k], None, *numbers[k + 1 :])), number - origin
    return None
