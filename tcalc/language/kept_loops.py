"""A program with a loop that is kept, as a program without it that does one of its steps.

The loop's statements stand once, for a step that has a number of its own; so has the last step.
What a step takes from the ones before it, the slices of tensors at its counter, and what is used
after the loop become names that statements of their own define (see `Carried`):

    m{0} = zeros(n)                     m{0} = zeros(n)
    for t = 1:T                         m{step-1} = m{0}       carried from step to step
        m{t} = A*m{t-1} + B*u[t,:]  ->  u[t,:] = u             a slice
    end                                 m{step} = A*m{step-1} + B*u[t,:]
    norm2(m{T})^2                       m{last} = m{step}      carried out of the loop
                                        norm2(m{last})^2
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial

from tcalc.errors import ParseError, Span, UnknownNameError, UnsupportedError
from tcalc.language.carried import Before, Carried, Count, Kept, Last, Slice, Stem, parted
from tcalc.language.course import (
    FIRST,
    LAST,
    NEAR,
    STEP,
    course_of,
    is_open,
    kept_loop,
    linear,
    shifted,
)
from tcalc.language.loops import Unrolled, another_meaning, unroll
from tcalc.language.names import Names
from tcalc.language.syntax import (
    Bound,
    Call,
    Declaration,
    Definition,
    Expression,
    Gathered,
    Index,
    Loop,
    Name,
    Number,
    Position,
    Range,
    Result,
    Statement,
    Target,
    changed,
    rewritten,
    walk,
)

MOST_STEPS_BACK = 16
"""How far back a step may look: each step back is an array more that is handed on."""

UNROLL = "tcalc.parse unrolls a loop whose bounds are numbers, and can have it"
"""What to do about what only a loop that is unrolled can have."""


def kept(statements: Sequence[Statement], names: Names) -> Kept:
    """One step of the only loop whose bound is no number, or of the only loop."""
    at = kept_loop(statements, names)
    loop = statements[at]
    assert isinstance(loop, Loop)
    if not any(isinstance(x, Definition | Result) for x in statements[at + 1 :]):
        raise ParseError(
            "nothing stands after the loop that is kept",
            span=loop.span,
            hint=f"the value is said there: s{{{loop.stop.span.text}}} for what its last step has",
        )
    return _Keeping(loop, statements[:at], statements[at + 1 :], names).run()


class _Keeping:
    """One loop on its way to a single step."""

    def __init__(
        self, loop: Loop, before: Sequence[Statement], after: Sequence[Statement], names: Names
    ) -> None:
        self._loop = loop
        self._before = before
        self._after = after
        self._names = names
        self._course = course_of(loop, names)
        self._inner: set[str] = set()
        self._offsets: dict[Stem, int] = {}
        self._slices: dict[Slice, tuple[str, Name]] = {}
        self._carried: dict[Definition, Carried] = {}

    def run(self) -> Kept:
        self._check_bounds()
        names = self._names
        early: dict[str, Span] = {}
        before = changed(self._before, self._in_front)
        for step in unroll(before, names):
            early |= dict.fromkeys(step.targets, step.statement.span)
        body = changed(self._loop.body, self._in_body)
        steps = unroll(body, names)
        self._offsets = self._found_offsets(steps)
        self._check_early(early)
        after = changed(self._after, partial(self._behind, early))
        read = self._lags(steps, STEP)
        left = self._lags(unroll(after, names), LAST)
        if not left:
            raise ParseError(
                "the value has nothing of the loop that is kept",
                span=self._loop.span,
                hint=f"its last step has {self._last_names}",
            )
        for stem, lags in left.items():
            further = max(lags) - 1  # what the last step takes from the ones before it
            if further:
                read.setdefault(stem, {}).setdefault(further, lags[further + 1])
        entering = [self._count(), *self._taken_slices()]
        for stem, lags in read.items():
            back = range(1, max(lags) + 1)
            entering += [self._before_step(stem, lag, lags, early) for lag in back]
        leaving = [
            self._after_last(stem, lag, span)
            for stem, lags in left.items()
            for lag, span in lags.items()
        ]
        statements = (*before, *entering, *body, *leaving, *after)
        return Kept(statements, self._carried, self._course, self._offsets)

    def _check_bounds(self) -> None:
        names, counter = self._names, self._loop.counter
        if counter in (*names.variables, *names.parameters, *names.dimensions.declared):
            raise another_meaning(self._loop)
        for statement in (*self._before, *self._after):
            for target in statement.targets if isinstance(statement, Definition) else ():
                if target.name.name == counter and not target.name.steps:
                    raise another_meaning(self._loop).mention("defined here", target.span)

    def _count(self) -> Definition:
        span = self._loop.counter_span
        counter = self._counter(span)
        return self._noted(_defined(counter, Number(Fraction(0), span)), Count(self._loop.counter))

    def _counter(self, span: Span) -> Name:
        """The counter as a number, by a name that nothing outside of the loop can have."""
        return Name(f"[{self._loop.counter}]", (), span)

    def _taken_slices(self) -> Iterator[Definition]:
        for found, (name, base) in self._slices.items():
            yield self._noted(_defined(Name(name, (), base.span), base), found)

    def _before_step(
        self, stem: Stem, lag: int, lags: Mapping[int, Span], early: Mapping[str, Span]
    ) -> Definition:
        span = lags.get(lag, lags[max(lags)])
        course = self._course
        offset = course.back(self._offsets[stem], lag)
        if stem.shown(str(course.first + offset)) not in early:
            first = stem.shown(course.at_first(offset))
            raise UnknownNameError(
                f"nothing defines `{first}`",
                span=span,
                hint=f"the first step, {course.counter} = {course.at_first(0)}, needs it: "
                f"{first} = ... before the loop",
            )
        value = stem.at(course.first + offset, span)
        return self._noted(_defined(stem.at(STEP + offset, span), value), Before(stem, lag))

    def _after_last(self, stem: Stem, lag: int, span: Span) -> Definition:
        offset = self._course.back(self._offsets[stem], lag - 1)
        value = stem.at(STEP + offset, span)
        return self._noted(_defined(stem.at(LAST + offset, span), value), Last(stem, lag))

    def _noted(self, definition: Definition, carried: Carried) -> Definition:
        self._carried[definition] = carried
        return definition

    # What stands in the loop

    def _in_body(self, statement: Statement) -> Statement:
        match statement:
            case Definition(targets=targets):
                for target in targets:
                    if not any(map(self._counts, target.name.steps)):
                        raise UnknownNameError(
                            f"`{target.name.name}` is assigned in every step",
                            span=target.span,
                            hint="each name is assigned once: number the steps, "
                            f"{target.name.name}{{{self._loop.counter}}} = ...",
                        )
                numbered = [replace(x, name=self._numbered(x.name)) for x in targets]
                value = rewritten(statement.value, self._in_step)
                return replace(statement, targets=tuple(numbered), value=value)
            case Loop():
                self._check_within(statement)
                return statement
            case Result():
                raise ParseError(
                    "a formula without a name in a loop that is kept",
                    span=statement.span,
                    hint="the value stands after the loop",
                )
            case Declaration():
                raise ParseError(
                    "variables are declared outside of loops",
                    span=statement.span,
                    hint="move the declaration before the `for`",
                )

    def _check_within(self, loop: Loop) -> None:
        """Refuse a loop in a step that cannot be unrolled."""
        if loop.counter == self._loop.counter:
            raise another_meaning(loop)
        self._inner.add(loop.counter)
        for bound in (loop.start, loop.stop, *([loop.step] if loop.step else [])):
            if self._counts(bound):
                raise self._unsupported("each step has the same loops within it", bound.span)
            unknown = {x for factors in linear(bound, self._names) for x in factors} - self._inner
            if unknown:
                name = min(unknown)
                raise UnknownNameError(
                    f"`{name}` is not known: a loop within the one that is kept is unrolled",
                    span=bound.span,
                    hint=f"write a number, or give one: tcalc.recurrence(..., {name}=3)",
                )

    def _counts(self, bound: Position) -> bool:
        """Whether a bound depends on the counter."""
        if isinstance(bound, Gathered):
            return False
        bounds = (bound.start, bound.stop) if isinstance(bound, Range) else (bound,)
        return any(self._loop.counter in names for x in bounds for _, names in x.terms)

    def _offset(self, bound: Bound, what: str) -> Bound:
        """What a bound has beside the counter."""
        counter = self._loop.counter
        own = [c for c, names in bound.terms if counter in names]
        rest = tuple(term for term in bound.terms if counter not in term[1])
        ends = any("end" in names for _, names in rest)
        if own != [1] or (1, (counter,)) not in bound.terms or ends:
            raise self._unsupported(f"{what} is {counter} plus or minus a number", bound.span)
        return replace(bound, terms=rest)

    def _unsupported(self, message: str, span: Span, hint: str = "") -> UnsupportedError:
        """What only a loop that is unrolled can have."""
        return UnsupportedError(f"in a loop that is kept {message}", span=span, hint=hint or UNROLL)

    def _numbered(self, name: Name) -> Name:
        """A name whose counter is the step that stands for all."""
        if sum(map(self._counts, name.steps)) > 1:
            raise self._unsupported("one number of a name counts its steps", name.span)
        steps = [
            _plus(self._offset(step, "a step"), STEP) if self._counts(step) else step
            for step in name.steps
        ]
        return replace(name, steps=tuple(steps))

    def _in_step(self, part: Expression) -> Expression | None:
        match part:
            case Name(name=self._loop.counter, steps=()):
                return self._counter(part.span)
            case Name() if any(map(self._counts, part.steps)):
                return self._numbered(part)
            case Name() if part.steps:
                return self._from_first(part)
            case Index(positions=positions) if any(map(self._counts, positions)):
                return self._slice(part)
            case Call(indices=indices) if any(map(self._counts, indices or ())):
                raise self._unsupported("the counter is no index of a function", part.span)
            case Call(function="ones" | "zeros" | "eye", arguments=sizes):
                for size in (x for argument in sizes for x in walk(argument)):
                    if isinstance(size, Name) and size.name == self._loop.counter:
                        raise self._unsupported("sizes are the same in all steps", size.span)
        return None

    def _slice(self, part: Index) -> Expression:
        """``Y[t,i]`` as the slice of Y at the step, with its other indices."""
        counter = self._loop.counter
        base, positions = part.base, part.positions
        places = [k for k, position in enumerate(positions) if self._counts(position)]
        (axis, *others), position = places, positions[places[0]]
        plain = isinstance(base, Name) and not any(map(self._counts, base.steps))
        if others or not plain or not isinstance(position, Bound):
            raise self._unsupported(
                f"the counter is one position of a tensor from outside, as in Y[{counter},i]",
                part.span,
                "" if plain else f"define what is run through before it, Y = ..., for Y[{counter}]",
            )
        assert isinstance(base, Name)
        beside = self._offset(position, "a position")
        offset = self._names.integer(beside, {}, "what is added to the counter in a position")
        shown = [":"] * len(positions)
        shown[axis] = shifted(counter, offset)
        source = self._names.stepped(base.name, base.steps, {})
        name = f"{source}[{','.join(shown)}]"
        found = Slice(source, axis, offset, len(positions))
        self._slices.setdefault(found, (name, replace(base, span=part.span)))
        taken = Name(name, (), part.span)
        rest = tuple(
            replace(x, at=rewritten(x.at, self._in_step)) if isinstance(x, Gathered) else x
            for x in (*positions[:axis], *positions[axis + 1 :])
        )
        return replace(part, base=taken, positions=rest) if rest else taken

    # What stands before the loop, and behind it

    def _in_front(self, statement: Statement) -> Statement:
        """A statement with steps that are numbered from the first one, where that is no number."""
        if not is_open(self._course.start):
            return statement
        match statement:
            case Definition(targets=targets):
                found = [replace(x, name=self._from_first(x.name) or x.name) for x in targets]
                value = rewritten(statement.value, self._from_first)
                return replace(statement, targets=tuple(found), value=value)
            case Result():
                return replace(statement, value=rewritten(statement.value, self._from_first))
            case Loop() | Declaration():
                return statement

    def _from_first(self, part: Expression) -> Name | None:
        """A name with steps that depend on the sizes as the first one does."""
        if not isinstance(part, Name):
            return None
        steps = [self._numbered_from_first(step) for step in part.steps]
        return replace(part, steps=tuple(steps)) if steps else None

    def _numbered_from_first(self, step: Bound) -> Bound:
        terms = linear(step, self._names)
        distance = self._course.from_first(terms) if is_open(terms) else None
        return step if distance is None else _exactly(step, FIRST + distance)

    def _behind(self, early: Mapping[str, Span], statement: Statement) -> Statement:
        match statement:
            case Definition() | Result():
                value = rewritten(statement.value, lambda part: self._last(part, early))
                return replace(statement, value=value)
            case Loop() | Declaration():
                return statement

    def _last(self, part: Expression, early: Mapping[str, Span]) -> Expression | None:
        """A name whose step is the last one of the loop, or a number of steps from it."""
        if not isinstance(part, Name) or not part.steps:
            return None
        first = self._from_first(part) or part
        known = not any(is_open(linear(step, self._names)) for step in first.steps)
        if known and self._names.stepped(first.name, first.steps, {}) in early:
            return first
        forms = (x for x in self._offsets if (x.name, len(x.steps)) == (part.name, len(part.steps)))
        stem = next(forms, None)
        if stem is None:
            for step in filter(self._is_of_loop, part.steps):
                raise UnknownNameError(
                    f"nothing defines `{part.span.text}`",
                    span=step.span,
                    hint=f"the last step has {self._last_names}",
                )
            return None
        k = stem.steps.index(None)
        steps = (*part.steps[:k], self._from_last(part.steps[k], stem), *part.steps[k + 1 :])
        return replace(part, steps=steps)

    def _from_last(self, step: Bound, stem: Stem) -> Bound:
        """A step by its distance from the last one."""
        distance = self._course.from_last(linear(step, self._names))
        if distance is None:
            last = stem.shown(self._course.at_last(self._offsets[stem]))
            raise UnknownNameError(
                "behind a loop that is kept only its last steps are known",
                span=step.span,
                hint=f"{last}, and some steps before it; carry along what is wanted of others",
            )
        return _exactly(step, LAST + distance)

    def _is_of_loop(self, bound: Bound) -> bool:
        """Whether a bound has names in common with those of the loop."""
        return any(name in self._course.names for _, factors in bound.terms for name in factors)

    @property
    def _last_names(self) -> str:
        """What the last step has."""
        return ", ".join(x.shown(self._course.at_last(n)) for x, n in self._offsets.items())

    # Who needs which step

    def _found_offsets(self, steps: Iterable[Unrolled]) -> dict[Stem, int]:
        """For each name that the loop defines, which step it defines: t + offset."""
        found: dict[Stem, int] = {}
        for step in steps:
            assert isinstance(step.statement, Definition)
            for name, target in zip(step.targets, step.statement.targets, strict=True):
                here = self._parted(name, STEP, target.span)
                assert here is not None
                stem, offset = here
                if found.setdefault(stem, offset) != offset:
                    raise UnknownNameError(
                        f"`{target.name.name}` is assigned twice",
                        span=target.span,
                        hint="a step assigns each name once",
                    )
        return found

    def _check_early(self, early: Mapping[str, Span]) -> None:
        """Refuse steps that are defined before the loop and by it."""
        for stem, offset in self._offsets.items():
            for name, span in early.items():
                number = stem.number(name)
                if number is not None and self._course.assigns(number, offset):
                    named = stem.shown(self._course.told(number))
                    step = f"{self._course.counter} = {self._course.told(number - offset)}"
                    error = UnknownNameError(f"`{named}` is assigned twice", span=span)
                    raise error.advise(f"the loop assigns it in step {step}")

    def _lags(self, steps: Iterable[Unrolled], origin: int) -> dict[Stem, dict[int, Span]]:
        """How far back names are taken from.

        From a step, the one before it is 1, and what it defines itself 0; from behind the loop,
        the last step is 1.
        """
        found: dict[Stem, dict[int, Span]] = {}
        for step in steps:
            for part in walk(step.statement.value):
                if not isinstance(part, Name) or not part.steps:
                    continue
                name = self._names.stepped(part.name, part.steps, step.counters)
                here = self._parted(name, origin, part.span)
                if here is None:
                    continue
                stem, distance = here
                lag = self._lag(stem, distance, part.span, origin)
                if lag:
                    found.setdefault(stem, {}).setdefault(lag, part.span)
        return found

    def _parted(self, name: str, origin: int, span: Span) -> tuple[Stem, int] | None:
        """A name by its distance from a step; raises for numbers that no loop reaches."""
        for number in map(int, re.findall(r"-?\d+", name.partition("{")[2])):
            if min(abs(number - x) for x in (0, STEP, FIRST, LAST)) >= NEAR:
                raise self._unsupported(f"the numbers of steps are below {NEAR:,}", span)
        return parted(name, origin)

    def _lag(self, stem: Stem, distance: int, span: Span, origin: int) -> int:
        course, counter, behind = self._course, self._loop.counter, origin == LAST
        if stem not in self._offsets:
            defined = (x.shown(shifted(counter, n)) for x, n in self._offsets.items())
            hint = "it defines " + ", ".join(defined)
            if not any(stem.name == other.name for other in self._offsets):
                hint += f"; data of a step are {stem.name}[{counter},:]"
            if stem.name in self._names.variables:
                hint = f"a slice of a tensor stands in brackets, {stem.name}[{counter}]"
            shown = stem.shown(course.at_last(distance) if behind else counter)
            raise UnknownNameError(f"the loop defines no `{shown}`", span=span, hint=hint)
        offset = self._offsets[stem]
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
            raise self._unsupported(
                f"a step hands on at most {MOST_STEPS_BACK} others, and this is {back} back", span
            )
        return back + behind


def _defined(target: Name, value: Expression) -> Definition:
    return Definition((Target(target, None, target.span),), value, value.span)


def _plus(bound: Bound, number: int) -> Bound:
    return replace(bound, terms=(*bound.terms, (number, ())))


def _exactly(bound: Bound, number: int) -> Bound:
    return replace(bound, terms=((number, ()),))
