"""The loop that is kept: which one of a program it is, and the course of its counter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from tcalc.errors import ParseError, Span, UnsupportedError
from tcalc.expr import Dim
from tcalc.language.names import FIRST_STEP, INCREMENT, Names
from tcalc.language.syntax import Bound, Loop, Statement
from tcalc.records import dataclass

STEP, FIRST, LAST = 10**12, 3 * 10**13, 7 * 10**13
"""The numbers of the step that stands for all, of the first, and of the last: no program has such.

The first step has `FIRST` only where its own number depends on the sizes.
"""
NEAR = 10**6
"""Numbers so near to one of the three are of steps before it or behind it."""

Terms: TypeAlias = Mapping[tuple[str, ...], int]
"""A number as coefficients of products of names."""


@dataclass(frozen=True, slots=True)
class Course:
    """The course of a counter: from `start` to `stop`, `direction` being 1 or -1.

    "Before" and "behind" are in the order in which the steps are done.
    """

    loop: Loop
    start: Terms
    stop: Terms
    direction: int

    @property
    def counter(self) -> str:
        return self.loop.counter

    @property
    def first(self) -> int:
        """The number of the first step, or `FIRST` for it."""
        return FIRST if is_open(self.start) else self.start.get((), 0)

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
        if abs(number - FIRST) < NEAR:
            return self.lag(number, FIRST + offset) >= 0
        if not is_open(self.start):
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

    def told(self, number: int) -> str:
        """A number as the program would say it."""
        for origin, said in ((FIRST, self.at_first), (LAST, self.at_last)):
            if abs(number - origin) < NEAR:
                return said(number - origin)
        return shifted(self.counter, number - STEP) if abs(number - STEP) < NEAR else str(number)


def kept_loop(statements: Sequence[Statement], names: Names) -> int:
    """The place of the loop that is kept: the only one with open bounds, or the only one."""
    places = [k for k, statement in enumerate(statements) if isinstance(statement, Loop)]
    if not places:
        end = statements[-1].span if statements else Span(0, 0, 1, 1)
        raise ParseError(
            "there is no loop to keep",
            span=end,
            hint="`for t = 1:T`, statements, `end`; a program without one is for tcalc.parse",
        )
    open_ = [k for k in places if not _is_number(statements[k], names)]
    if len(open_) > 1 or (not open_ and len(places) > 1):
        first, second, *_ = (statements[k] for k in open_ or places)
        error = UnsupportedError("only one loop can be kept", span=second.span)
        error.mention("another one", first.span)
        raise error.advise(
            "give numbers for the bounds of the others, which are then unrolled"
            if open_
            else "let the one that is kept go to a dimension, `for t = 1:T`; others are unrolled"
        )
    return (open_ or places)[0]


def _is_number(loop: Statement, names: Names) -> bool:
    assert isinstance(loop, Loop)
    return not any(is_open(linear(bound, names)) for bound in (loop.start, loop.stop))


def course_of(loop: Loop, names: Names) -> Course:
    """The course of a loop; raises `UnsupportedError` unless it counts by 1 or -1.

    Upwards, the first step is a number; downwards, it may depend on the sizes, as in
    ``for t = T:-1:1``.
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
    return Course(loop, start, linear(loop.stop, names), direction)


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
