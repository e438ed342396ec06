"""Which steps of names loops define, and how far back steps and statements behind them take these.

A step that defines ``m{t}`` and takes ``m{t-2}`` takes `m` from two steps back; a statement behind
the loop that takes ``m{T}`` takes it from the last step.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tcalc.errors import ParseError, Span, UnknownNameError
from tcalc.language.carried import Defined, Stem, parted
from tcalc.language.course import NEAR, ORIGIN, Course, shifted, told
from tcalc.language.loops import Unrolled
from tcalc.language.names import Names
from tcalc.language.one_step import OneStep, unsupported
from tcalc.language.syntax import Definition, Loop, Name, Statement, walk

MOST_STEPS_BACK = 16
"""How far back a step may look: each step back is an array more that is handed on."""

Lags = dict[Stem, dict[int, Span]]
"""How far back names are taken from, and where in the text."""


@dataclass(slots=True)
class KeptLoop:
    """A loop on its way to a single step.

    Attributes:
        course: the course of its counter.
        step: what makes one step of its statements.
        known: the names that are defined before it.
        body: its statements, for the step that stands for all.
        offsets: for each name that it defines, which step it defines: t + offset.
        read: how far back a step takes names from.
        rows: what a step takes of earlier loops, by its distance from the counter.
        left: which of the last steps are used behind it, the last one being 1.
    """

    course: Course
    step: OneStep
    known: Collection[str] = ()
    body: tuple[Statement, ...] = ()
    offsets: dict[Stem, int] = field(default_factory=dict)
    read: Lags = field(default_factory=dict)
    rows: dict[tuple[Stem, int], Span] = field(default_factory=dict)
    left: Lags = field(default_factory=dict)

    @property
    def defined(self) -> Defined:
        return Defined(self.course, self.offsets)

    @property
    def loop(self) -> Loop:
        return self.course.loop

    @property
    def last_names(self) -> str:
        """What the last step has."""
        return ", ".join(x.shown(self.course.at_last(n)) for x, n in self.offsets.items())


def find_offsets(loop: KeptLoop, loops: Iterable[KeptLoop], steps: Iterable[Unrolled]) -> None:
    """For each name that one of some loops defines, which step it defines: t + offset."""
    for step in steps:
        assert isinstance(step.statement, Definition)
        for name, target in zip(step.targets, step.statement.targets, strict=True):
            here = _parted(name, loop.course.step, target.span)
            assert here is not None
            stem, offset = here
            others = (x for x in loops if x is not loop and stem in x.offsets)
            if loop.offsets.setdefault(stem, offset) != offset:
                raise UnknownNameError(
                    f"`{target.name.name}` is assigned twice",
                    span=target.span,
                    hint="a step assigns each name once",
                )
            for other in others:
                error = UnknownNameError(f"two loops assign `{target.span.text}`", span=target.span)
                error.mention("the other one", other.loop.span)
                raise error.advise("choose another name in one of them")


def check_assigned_once(loop: KeptLoop, known: Mapping[str, Span]) -> None:
    """Refuse steps that a loop defines, and a statement outside of it; `known` are all names."""
    course = loop.course
    for stem, offset in loop.offsets.items():
        for name, span in known.items():
            number = stem.number(name)
            if number is None or abs(number - course.step) < NEAR:
                continue
            if course.assigns(number, offset):
                named = stem.shown(told(number, [course]))
                step = f"{course.counter} = {told(number - offset, [course])}"
                error = UnknownNameError(f"`{named}` is assigned twice", span=span)
                raise error.advise(f"the loop assigns it in step {step}")


class Needs:
    """What the loops of a program need of each other's steps, and of their own."""

    def __init__(self, loops: Sequence[KeptLoop], names: Names) -> None:
        self._loops = loops
        self._names = names

    def find(
        self,
        bodies: Sequence[Sequence[Unrolled]],
        slices: Sequence[Sequence[Unrolled]],
        behind: Sequence[Sequence[Unrolled]],
    ) -> None:
        """How far back the steps of each loop take names from, and what is behind it.

        For each loop, `bodies` are its statements, `slices` what defines its slices of tensors, and
        `behind` the statements up to the next loop.
        """
        for k, loop in enumerate(self._loops):
            later = [*behind[k]]
            for n in range(k + 1, len(self._loops)):
                later += [*slices[n], *bodies[n], *behind[n]]
            self._find_lags(loop, bodies[k], loop.course.step, loop.read)
            self._find_lags(loop, later, loop.course.last, loop.left)
        if not any(loop.left for loop in self._loops):
            last = self._loops[-1]
            raise ParseError(
                "the value has nothing of the loop that is kept",
                span=last.loop.span,
                hint=f"its last step has {last.last_names}",
            )
        for loop in self._loops:
            for stem, lags in loop.left.items():
                further = max(lags) - 1  # what the last step takes from the ones before it
                if further:
                    loop.read.setdefault(stem, {}).setdefault(further, lags[further + 1])

    def _find_lags(
        self, loop: KeptLoop, steps: Iterable[Unrolled], origin: int, found: Lags
    ) -> None:
        """How far back names are taken from.

        From a step, the one before it is 1, and what it defines itself 0; from behind the loop,
        the last step is 1.
        """
        for step in steps:
            for part in walk(step.statement.value):
                if not isinstance(part, Name) or not part.steps:
                    continue
                name = self._names.stepped(part.name, part.steps, step.counters)
                here = _parted(name, origin, part.span)
                if here is None:
                    continue
                stem, distance = here
                if stem not in loop.offsets and self._is_of_earlier(stem, loop, origin):
                    loop.rows.setdefault(here, part.span)
                    continue
                lag = self._lag(loop, stem, distance, part.span, origin == loop.course.last)
                if lag:
                    found.setdefault(stem, {}).setdefault(lag, part.span)

    def _is_of_earlier(self, stem: Stem, loop: KeptLoop, origin: int) -> bool:
        """Whether a name of a step is one that an earlier loop defines."""
        earlier = self._loops[: loop.course.place]
        return origin == loop.course.step and any(stem in x.offsets for x in earlier)

    def _lag(self, loop: KeptLoop, stem: Stem, distance: int, span: Span, behind: bool) -> int:
        course, counter = loop.course, loop.course.counter
        if stem not in loop.offsets:
            raise self._undefined(loop, stem, distance, span, behind)
        offset = loop.offsets[stem]
        back = course.lag(offset, distance)
        if back < 0:
            here, before = (stem.shown(shifted(counter, course.back(offset, k))) for k in (0, 1))
            last = stem.shown(course.at_last(offset))
            raise UnknownNameError(
                "the loop ends before this" if behind else "this step is not there yet",
                span=span,
                hint=f"its last step has `{last}`"
                if behind
                else f"a step defines `{here}`, and knows `{before}`",
            )
        if back > MOST_STEPS_BACK:
            raise unsupported(
                f"a step hands on at most {MOST_STEPS_BACK} others, and this is {back} back", span
            )
        return back + behind

    def _undefined(
        self, loop: KeptLoop, stem: Stem, distance: int, span: Span, behind: bool
    ) -> UnknownNameError:
        """The error about a name with the number of a step that the loop does not define."""
        course, counter = loop.course, loop.course.counter
        defined = (x.shown(shifted(counter, n)) for x, n in loop.offsets.items())
        hint = "it defines " + ", ".join(defined)
        if not any(stem.name == other.name for other in loop.offsets):
            hint += f"; data of a step are {stem.name}[{counter},:]"
        if any(stem in later.offsets for later in self._loops[course.place + 1 :]):
            hint = "a later loop defines it, and a loop takes only what earlier ones have made"
        if stem.name in self._names.variables:
            hint = f"a slice of a tensor stands in brackets, {stem.name}[{counter}]"
        shown = stem.shown(course.at_last(distance) if behind else shifted(counter, distance))
        return UnknownNameError(f"the loop defines no `{shown}`", span=span, hint=hint)


def _parted(name: str, origin: int, span: Span) -> tuple[Stem, int] | None:
    """A name by its distance from a step; raises for numbers that no loop reaches."""
    _, _, rest = name.partition("{")
    for number in map(int, filter(None, rest.rstrip("}").split(","))):
        if min(number % ORIGIN, -number % ORIGIN) >= NEAR:
            raise unsupported(f"the numbers of steps are below {NEAR:,}", span)
    return parted(name, origin)
