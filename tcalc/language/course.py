"""The loops that are kept: which ones of a program they are, and the courses of their counters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from tcalc.errors import ParseError, Span, UnsupportedError
from tcalc.expr import Dim
from tcalc.language.names import FIRST_STEP, INCREMENT, Names
from tcalc.language.syntax import Bound, Loop, Statement
from tcalc.records import dataclass

ORIGIN = 10**12
"""Multiples of it are the numbers of steps whose own are not known: no program has such.

They are the step that stands for all, the first and the last one of each loop.
"""
NEAR = 10**6
"""Numbers so near to one of these are of steps before it or behind it."""

Terms: TypeAlias = Mapping[tuple[str, ...], int]
"""A number as coefficients of products of names."""


@dataclass(frozen=True, slots=True)
class Course:
    """The course of a counter: from `start` to `stop`, `direction` being 1 or -1.

    `place` is that of its loop among those that are kept.  `step`, `first` and `last` are the
    numbers of the step that stands for all, of the first one, which may be its own, and of the last
    one.  "Before" and "behind" are in the order in which the steps are done.
    """

    loop: Loop
    start: Terms
    stop: Terms
    direction: int
    place: int
    step: int
    first: int
    last: int

    @property
    def counter(self) -> str:
        return self.loop.counter

    @property
    def lowest(self) -> Terms:
        """The lowest number of a step."""
        return self.start if self.direction > 0 else self.stop

    @property
    def highest(self) -> Terms:
        """The highest number of a step."""
        return self.stop if self.direction > 0 else self.start

    @property
    def names(self) -> set[str]:
        """The names on which the number of steps depends."""
        return {name for terms in (self.start, self.stop) for names in terms for name in names}

    def back(self, number: int, lag: int) -> int:
        """The number that the counter has some steps before it has a number."""
        return number - self.direction * lag

    def lag(self, number: int, before: int) -> int:
        """How many steps it takes from a number to another one."""
        return self.direction * (number - before)

    def assigns(self, number: int, offset: int) -> bool:
        """Whether a step of the loop may define what has a number, as counter + `offset`."""
        if abs(number - self.first) < NEAR:
            return self.lag(number, self.first + offset) >= 0
        return is_open(self.stop) or self.lag(self.stop.get((), 0) + offset, number) >= 0

    def from_first(self, terms: Terms) -> int | None:
        """How far a number is from the first one; None if that is another for other sizes."""
        return _distance(terms, self.start)

    def from_last(self, terms: Terms) -> int | None:
        """How far a number is from the last one; None if that is another for other sizes."""
        return _distance(terms, self.stop)

    def at_first(self, distance: int) -> str:
        """The number of the first step, plus a number, as the program would say it."""
        return _shown(self.loop.start, self.start, distance)

    def at_last(self, distance: int) -> str:
        """The number of the last step, plus a number, as the program would say it."""
        return _shown(self.loop.stop, self.stop, distance)

    def told(self, number: int) -> str | None:
        """A number as the program would say it; None if it is of another loop, or its own."""
        origins = [(self.last, self.at_last)]
        if is_open(self.start):
            origins.append((self.first, self.at_first))
        for origin, said in origins:
            if abs(number - origin) < NEAR:
                return said(number - origin)
        return shifted(self.counter, number - self.step) if near(number, self.step) else None


def told(number: int, courses: Iterable[Course]) -> str:
    """A number as the program would say it."""
    found = (course.told(number) for course in courses)
    return next((said for said in found if said is not None), str(number))


def near(number: int, origin: int) -> bool:
    """Whether a number is that of a step, or of one a few before it or behind it."""
    return abs(number - origin) < NEAR


def kept_loops(statements: Sequence[Statement], names: Names) -> list[int]:
    """The places of the loops that are kept.

    They are those with open bounds, or those whose bounds are numbers given by name, or the only
    one.
    """
    places = [k for k, statement in enumerate(statements) if isinstance(statement, Loop)]
    if not places:
        end = statements[-1].span if statements else Span(0, 0, 1, 1)
        raise ParseError(
            "there is no loop to keep",
            span=end,
            hint="`for t = 1:T`, statements, `end`; a program without one is for tcalc.parse",
        )
    loops = [(k, x) for k, x in enumerate(statements) if isinstance(x, Loop)]
    open_ = [k for k, loop in loops if any(is_open(linear(x, names)) for x in _bounds(loop))]
    named = [k for k, loop in loops if any(x for bound in _bounds(loop) for _, x in bound.terms)]
    found = open_ or named or places
    if not named and len(found) > 1:
        first, second, *_ = (loop for _, loop in loops)
        error = UnsupportedError("which of several loops is to be kept?", span=second.span)
        error.mention("another one", first.span)
        raise error.advise(
            "let those that are kept go to a dimension, `for t = 1:T`; others are unrolled"
        )
    return found


def _bounds(loop: Loop) -> tuple[Bound, Bound]:
    return loop.start, loop.stop


def course_of(loop: Loop, names: Names, earlier: Sequence[Course]) -> Course:
    """The course of a loop behind others that are kept.

    Raises `UnsupportedError` unless it counts by 1 or -1.  Upwards, the first step is a number;
    downwards, it may depend on the sizes, as in ``for t = T:-1:1``.
    """
    direction = 1 if loop.step is None else names.integer(loop.step, {}, INCREMENT)
    if abs(direction) != 1:
        assert loop.step is not None
        raise UnsupportedError(
            "a loop that is kept counts up or down by 1",
            span=loop.step.span,
            hint="number the steps one by one; tcalc.parse unrolls loops with other increments",
        )
    start = linear(loop.start, names)
    if direction > 0:
        names.integer(loop.start, {}, FIRST_STEP)
    step, first, last = (ORIGIN * (3 * len(earlier) + k) for k in (1, 2, 3))
    if not is_open(start):
        first = start.get((), 0)
    else:
        # What is defined before two loops has one number.
        for course in earlier:
            distance = course.from_first(start)
            if distance is not None:
                first = course.first + distance
    stop = linear(loop.stop, names)
    return Course(loop, start, stop, direction, len(earlier), step, first, last)


def linear(bound: Bound, names: Names) -> dict[tuple[str, ...], int]:
    """A bound as coefficients of products of names, the numbers that are given put in."""
    found: dict[tuple[str, ...], int] = {}
    for coefficient, factors in bound.terms:
        known = [name for name in factors if name in names.parameters]
        for name in known:
            coefficient *= names.integer(replace(bound, terms=((1, (name,)),)), {}, "a bound")
        rest = tuple(sorted(name for name in factors if name not in known))
        found[rest] = found.get(rest, 0) + coefficient
    return {factors: coefficient for factors, coefficient in found.items() if coefficient}


def is_open(terms: Terms) -> bool:
    """Whether a number depends on sizes."""
    return any(terms.keys() - {()})


def size_of(terms: Terms) -> Dim:
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


def shifted(counter: str, offset: int) -> str:
    """The counter plus a number, as a text.

    >>> shifted("t", -1), shifted("t", 0)
    ('t-1', 't')
    """
    return counter + (f"{offset:+d}" if offset else "")


def _distance(terms: Terms, origin: Terms) -> int | None:
    found = {**terms}
    for factors, coefficient in origin.items():
        found[factors] = found.get(factors, 0) - coefficient
    distance = found.pop((), 0)
    return None if any(found.values()) else distance


def _shown(bound: Bound, terms: Terms, distance: int) -> str:
    return f"{size_of(terms) + distance}".replace(" ", "") if distance else bound.span.text
