"""What is carried from step to step of a loop that is kept, or is another in each step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from tcalc.errors import Span
from tcalc.expr import Dim
from tcalc.language.syntax import Bound, Definition, Loop, Name, Statement
from tcalc.records import dataclass

STEP, LAST = 10**12, 7 * 10**13
"""The numbers of the step that stands for all, and of the last one: no program has such."""
NEAR = 10**6
"""Numbers so near to one of the two are of steps before it or behind it."""


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

    The first step is `start`, the last one `stop`, as coefficients of products of names.
    `offsets` has the names that the loop defines, and which step of theirs a step defines: t +
    offset.
    """

    statements: tuple[Statement, ...]
    carried: Mapping[Definition, Carried]
    loop: Loop
    start: int
    stop: Mapping[tuple[str, ...], int]
    offsets: Mapping[Stem, int]

    def last(self, offset: int) -> str:
        """The last step, or a number of steps from it, as the program would say it."""
        return shown_last(self.loop, self.stop, offset)


def shifted(counter: str, offset: int) -> str:
    """The counter plus a number, as a text.

    >>> shifted("t", -1), shifted("t", 0)
    ('t-1', 't')
    """
    return counter + (f"{offset:+d}" if offset else "")


def size_of(terms: Mapping[tuple[str, ...], int]) -> Dim:
    """The size that is a sum of products of names, given by their coefficients.

    >>> size_of({("T",): 1, (): -2}) + 1
    Dim(T - 1)
    """
    total = Dim.of(0)
    for names, coefficient in terms.items():
        product = Dim.of(coefficient)
        for name in names:
            product = product * Dim.of(name)
        total = total + product
    return total


def shown_last(loop: Loop, stop: Mapping[tuple[str, ...], int], offset: int) -> str:
    """The last step of a loop, or a number of steps from it, as the program would say it."""
    return f"{size_of(stop) + offset}".replace(" ", "") if offset else loop.stop.span.text


def parted(name: str, origin: int) -> tuple[Stem, int] | None:
    """A name with a step near to `origin` as its stem and the distance; None for any other.

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
