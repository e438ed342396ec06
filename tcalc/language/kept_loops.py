"""A program with loops that are kept, as a program without them that does one step of each.

The loop's statements stand once, for a step that has a number of its own; so has the last step.
What a step takes from the ones before it, the slices of tensors at its counter, what it takes of
an earlier loop, and what is used after the loop become names that statements of their own define
(see `Carried`):

    m{0} = zeros(n)                     m{0} = zeros(n)
    for t = 1:T                         m{step-1} = m{0}       carried from step to step
        m{t} = A*m{t-1} + B*u[t,:]  ->  u[t,:] = u             a slice
    end                                 m{step} = A*m{step-1} + B*u[t,:]
    norm2(m{T})^2                       m{last} = m{step}      carried out of the loop
                                        norm2(m{last})^2
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import pairwise

from tcalc.errors import ParseError, Span, UnknownNameError
from tcalc.language.carried import (
    Before,
    Carried,
    Count,
    Kept,
    Last,
    Row,
    Stem,
)
from tcalc.language.course import (
    Course,
    course_of,
    is_open,
    kept_loops,
    linear,
)
from tcalc.language.lags import KeptLoop, Needs, check_assigned_once, find_offsets
from tcalc.language.loops import Unrolled, another_meaning, unroll
from tcalc.language.names import Names
from tcalc.language.one_step import OneStep
from tcalc.language.rows import Taken, early_rows
from tcalc.language.syntax import (
    Bound,
    Declaration,
    Definition,
    Expression,
    Loop,
    Name,
    Number,
    Result,
    Statement,
    Target,
    changed,
    rewritten,
)


def kept(statements: Sequence[Statement], names: Names) -> Kept:
    """One step of each loop whose bounds are no numbers, or of the only loop."""
    places = kept_loops(statements, names)
    loop = statements[places[-1]]
    assert isinstance(loop, Loop)
    if not any(isinstance(x, Definition | Result) for x in statements[places[-1] + 1 :]):
        raise ParseError(
            "nothing stands after the loop that is kept",
            span=loop.span,
            hint=f"the value is said there: s{{{loop.stop.span.text}}} for what its last step has",
        )
    return _Keeping(statements, places, names).run()


class _Keeping:
    """Loops on their way to single steps."""

    def __init__(self, statements: Sequence[Statement], places: Sequence[int], names: Names):
        self._names = names
        self._around = [
            tuple(statements[start + 1 : end])
            for start, end in pairwise([-1, *places, len(statements)])
        ]
        self._loops: list[KeptLoop] = []
        for k, place in enumerate(places):
            loop = statements[place]
            assert isinstance(loop, Loop)
            course = course_of(loop, names, [x.course for x in self._loops])
            settled = partial(self._settled, self._loops[:k])
            self._loops.append(KeptLoop(course, OneStep(course, names, settled)))
        #: What is defined so far, and where.
        self._known: dict[str, Span] = {}
        self._carried: dict[Definition, Carried] = {}

    def run(self) -> Kept:
        self._check_counters()
        for k, loop in enumerate(self._loops):
            self._around[k] = changed(self._around[k], partial(self._outside, self._loops[:k]))
            self._define(self._around[k])
            loop.known = {*self._known}
            loop.body = loop.step.body()
            find_offsets(loop, self._loops, self._define(loop.body))
        self._around[-1] = changed(self._around[-1], partial(self._outside, self._loops))
        self._define(self._around[-1])
        for loop in self._loops:
            check_assigned_once(loop, self._known)
        Needs(self._loops, self._names).find(
            [unroll(x.body, self._names) for x in self._loops],
            [unroll([*_sliced(x)], self._names) for x in self._loops],
            [unroll(x, self._names) for x in self._around[1:]],
        )
        statements: list[Statement] = [*self._around[0]]
        rows = early_rows(self._taken())
        for loop, behind in zip(self._loops, self._around[1:], strict=True):
            statements += self._entering(loop)
            statements += loop.body
            statements += self._leaving(loop)
            statements += behind
        loops = tuple(x.defined for x in self._loops)
        return Kept(tuple(statements), self._carried, loops, rows)

    def _check_counters(self) -> None:
        names = self._names
        for loop in self._loops:
            counter = loop.course.counter
            if counter in (*names.variables, *names.parameters, *names.dimensions.declared):
                raise another_meaning(loop.loop)
            for statement in (x for around in self._around for x in around):
                for target in statement.targets if isinstance(statement, Definition) else ():
                    if target.name.name == counter and not target.name.steps:
                        error = another_meaning(loop.loop)
                        raise error.mention("defined here", target.span)

    def _define(self, statements: Sequence[Statement]) -> list[Unrolled]:
        """Note what statements define, and give them unrolled."""
        steps = unroll(statements, self._names)
        for step in steps:
            for name in step.targets:
                self._known.setdefault(name, step.statement.span)
        return steps

    # What enters a step, and leaves the last one

    def _entering(self, loop: KeptLoop) -> Iterator[Definition]:
        span = loop.loop.counter_span
        zero = Number(Fraction(0), span)
        count = Count(loop.course.counter, loop.course.place)
        yield self._noted(_defined(loop.step.counter(span), zero), count)
        for found, name, base in loop.step.slices():
            yield self._noted(_defined(name, base), found)
        for (stem, distance), span in loop.rows.items():
            maker = next(x for x in self._loops if stem in x.offsets)
            made = stem.at(maker.course.step + maker.offsets[stem], span)
            taken = stem.at(loop.course.step + distance, span)
            yield self._noted(_defined(taken, made), Row(stem, distance, loop.course.place))
        for stem, lags in loop.read.items():
            for lag in range(1, max(lags) + 1):
                yield self._before_step(loop, stem, lag, lags.get(lag, lags[max(lags)]))

    def _before_step(self, loop: KeptLoop, stem: Stem, lag: int, span: Span) -> Definition:
        course = loop.course
        offset = course.back(loop.offsets[stem], lag)
        if loop.defined.early(stem, lag) not in self._known:
            first = stem.shown(course.at_first(offset))
            raise UnknownNameError(
                f"nothing defines `{first}`",
                span=span,
                hint=f"the first step, {course.counter} = {course.at_first(0)}, needs it: "
                f"{first} = ... before the loop",
            )
        value = stem.at(course.first + offset, span)
        return self._noted(_defined(stem.at(course.step + offset, span), value), Before(stem, lag))

    def _leaving(self, loop: KeptLoop) -> Iterator[Definition]:
        course = loop.course
        for stem, lags in loop.left.items():
            for lag, span in lags.items():
                offset = course.back(loop.offsets[stem], lag - 1)
                value = stem.at(course.step + offset, span)
                target = stem.at(course.last + offset, span)
                yield self._noted(_defined(target, value), Last(stem, lag))

    def _noted(self, definition: Definition, carried: Carried) -> Definition:
        self._carried[definition] = carried
        return definition

    def _taken(self) -> Iterator[Taken]:
        """What loops take of earlier ones."""
        for loop in self._loops:
            for (stem, distance), span in loop.rows.items():
                maker = next(x for x in self._loops if stem in x.offsets)
                yield Taken(maker.defined, maker.known, loop.course, stem, distance, span)

    # What stands outside of the loops

    def _outside(self, behind: Sequence[KeptLoop], statement: Statement) -> Statement:
        """A statement behind some of the loops, with steps by their distance from known ones."""
        match statement:
            case Definition(targets=targets):
                found = [replace(x, name=self._from_first(x.name) or x.name) for x in targets]
                value = rewritten(statement.value, partial(self._settled_name, behind))
                return replace(statement, targets=tuple(found), value=value)
            case Result():
                value = rewritten(statement.value, partial(self._settled_name, behind))
                return replace(statement, value=value)
            case Loop() | Declaration():
                return statement

    def _settled_name(self, behind: Sequence[KeptLoop], part: Expression) -> Name | None:
        return self._settled(behind, part) if isinstance(part, Name) and part.steps else None

    def _settled(self, behind: Sequence[KeptLoop], part: Name) -> Name | None:
        """A name whose step is known, or the last one of a loop, or a number of steps from it."""
        first = self._from_first(part) or part
        is_known = not any(is_open(linear(step, self._names)) for step in first.steps)
        if is_known and self._names.stepped(first.name, first.steps, {}) in self._known:
            return first
        for loop in behind:
            for stem in loop.offsets:
                if (stem.name, len(stem.steps)) == (part.name, len(part.steps)):
                    k = stem.steps.index(None)
                    step = self._from_last(loop, part.steps[k], stem)
                    return replace(part, steps=(*part.steps[:k], step, *part.steps[k + 1 :]))
        is_last = len(behind) == len(self._loops)
        courses = [x.course for x in self._loops]
        for step in (x for x in (part if is_last else first).steps if _is_of(x, courses)):
            last = ", ".join(x.last_names for x in behind)
            raise UnknownNameError(
                f"nothing defines `{part.span.text}`" + ("" if is_last else " before this"),
                span=step.span,
                hint=f"the last step has {last}" if last else "a loop's steps are known behind it",
            )
        return first

    def _from_first(self, part: Name) -> Name | None:
        """A name with steps that depend on the sizes as the first one of a loop does."""
        steps = [self._numbered_from_first(step) for step in part.steps]
        return replace(part, steps=tuple(steps)) if steps else None

    def _numbered_from_first(self, step: Bound) -> Bound:
        terms = linear(step, self._names)
        if is_open(terms):
            for course in (x.course for x in self._loops):
                distance = course.from_first(terms)
                if distance is not None:
                    return _exactly(step, course.first + distance)
        return step

    def _from_last(self, loop: KeptLoop, step: Bound, stem: Stem) -> Bound:
        """A step by its distance from the last one."""
        distance = loop.course.from_last(linear(step, self._names))
        if distance is None:
            last = stem.shown(loop.course.at_last(loop.offsets[stem]))
            raise UnknownNameError(
                "behind a loop that is kept only its last steps are known",
                span=step.span,
                hint=f"{last}, and some steps before it; carry along what is wanted of others, or "
                "run through all of them in a later loop, by its counter",
            )
        return _exactly(step, loop.course.last + distance)


def _is_of(bound: Bound, courses: Iterable[Course]) -> bool:
    """Whether a bound has names in common with those of loops."""
    names = {name for course in courses for name in course.names}
    return any(name in names for _, factors in bound.terms for name in factors)


def _defined(target: Name, value: Expression) -> Definition:
    return Definition((Target(target, None, target.span),), value, value.span)


def _sliced(loop: KeptLoop) -> Iterator[Definition]:
    """What a step takes of tensors at the counter, as what defines it."""
    return (_defined(name, base) for _, name, base in loop.step.slices())


def _exactly(bound: Bound, number: int) -> Bound:
    return replace(bound, terms=((number, ()),))
