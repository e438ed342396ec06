"""What is carried from step to step of a loop that is kept, from loop to loop, or is another in
each step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from tcalc.errors import Span
from tcalc.language.course import Course, near, shifted, told
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

    The tensor has `order` positions in the text.  `loop` is the place of the loop that takes it.
    """

    base: str
    axis: int
    offset: int
    order: int
    loop: int


@dataclass(frozen=True, slots=True)
class Row:
    """What the step of an earlier loop has made whose number is counter + `offset`.

    `loop` is the place of the loop that takes it.
    """

    stem: Stem
    offset: int
    loop: int


@dataclass(frozen=True, slots=True)
class Count:
    """The counter of a loop as a number."""

    counter: str
    loop: int


Carried: TypeAlias = Before | Last | Slice | Row | Count
"""What a step has from outside of it, or leaves."""


@dataclass(frozen=True, slots=True)
class Defined:
    """What a loop that is kept defines: counter + `offsets` are the numbers of its names."""

    course: Course
    offsets: Mapping[Stem, int]

    def back(self, stem: Stem, lag: int) -> int:
        """What is added to the counter where a name is that of some steps before."""
        return self.course.back(self.offsets[stem], lag)

    def name(self, stem: Stem, lag: int = 0) -> str:
        """The name of what a step defines, or of what it takes from some steps before it."""
        return stem.shown(str(self.course.step + self.back(stem, lag)))

    def early(self, stem: Stem, lag: int) -> str:
        """The name of what the first step takes, or of what is defined some steps before that."""
        return stem.shown(str(self.course.first + self.back(stem, lag)))

    def shown(self, stem: Stem, lag: int = 0) -> str:
        """How what a step defines is written, or what one some steps before it does."""
        return stem.shown(shifted(self.course.counter, self.back(stem, lag)))

    def lowest(self, stem: Stem, early: int) -> int:
        """The lowest number of the steps of a name, some values before the first one among them."""
        course, offset = self.course, self.offsets[stem]
        start = course.lowest.get((), 0) + offset
        return start - early if course.direction > 0 else start


@dataclass(frozen=True, slots=True)
class Kept:
    """The statements of one step of each loop, and which of them stand for what is carried.

    `rows` has the names that later loops take row by row, with the number of values before the
    first step that are among these.
    """

    statements: tuple[Statement, ...]
    carried: Mapping[Definition, Carried]
    loops: tuple[Defined, ...]
    rows: Mapping[Stem, int]

    def of(self, stem: Stem) -> Defined:
        """The loop that defines a name."""
        return next(x for x in self.loops if stem in x.offsets)

    def told(self, text: str) -> str:
        """A text with the numbers that stand for steps as the program would say them."""
        courses = [x.course for x in self.loops]
        text = re.sub(r"\d{12,}", lambda found: told(int(found.group()), courses), text)
        return text.replace(MARK, "")


MARK = "\N{PRIME}"
"""What sets apart the names that several loops have for slices, and for their counters."""


def parted(name: str, origin: int) -> tuple[Stem, int] | None:
    """A name with a step near to `origin` as its stem and the distance; None for any other.

    >>> parted(f"h{{{10**12 - 1},2}}", 10**12)
    (Stem(name='h', steps=(None, 2)), -1)
    >>> parted("h{3,2}", 10**12)
    """
    stem, brace, rest = name.partition("{")
    numbers = [int(number) for number in rest.rstrip("}").split(",")] if brace else []
    for k, number in enumerate(numbers):
        if near(number, origin):
            return Stem(stem, (*numbers[:k], None, *numbers[k + 1 :])), number - origin
    return None
