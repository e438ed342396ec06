"""The statements of a loop that is kept, as those of the step that stands for all.

Its number is the one that `Course.step` has; what is taken of tensors at the counter becomes names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from tcalc.errors import ParseError, Span, UnknownNameError, UnsupportedError
from tcalc.language.carried import MARK, Slice
from tcalc.language.course import Course, linear, shifted
from tcalc.language.loops import another_meaning
from tcalc.language.names import ADDED, Names
from tcalc.language.syntax import (
    Around,
    Bound,
    Call,
    Declaration,
    Definition,
    Expression,
    Gathered,
    Index,
    Loop,
    Name,
    Position,
    Range,
    Result,
    Statement,
    changed,
    rewritten,
    walk,
)

UNROLL = "tcalc.parse unrolls a loop whose bounds are numbers, and can have it"
"""What to do about what only a loop that is unrolled can have."""


def unsupported(message: str, span: Span, hint: str = "") -> UnsupportedError:
    """What only a loop that is unrolled can have."""
    return UnsupportedError(f"in a loop that is kept {message}", span=span, hint=hint or UNROLL)


def counts(loop: Loop, position: Position) -> bool:
    """Whether a position, or the number of a name, depends on the counter of a loop."""
    if isinstance(position, Gathered):
        return False
    bounds = (position.start, position.stop) if isinstance(position, Range) else (position,)
    return any(loop.counter in names for x in bounds for _, names in x.terms)


class OneStep:
    """One step of a loop.

    `settled` gives the names with numbers that the counter has no part in, with these known.
    """

    def __init__(
        self, course: Course, names: Names, settled: Callable[[Name], Name | None]
    ) -> None:
        self._course = course
        self._loop = course.loop
        self._names = names
        self._settled = settled
        self._inner: set[str] = set()
        self._slices: dict[Slice, tuple[str, Name]] = {}
        self._counts = partial(counts, course.loop)

    def body(self) -> tuple[Statement, ...]:
        """The statements of the loop, for the step that stands for all."""
        return changed(self._loop.body, self._in_body)

    def counter(self, span: Span) -> Name:
        """The counter as a number, by a name that nothing outside of the loop can have."""
        return Name(f"[{self._loop.counter}]" + MARK * self._course.place, (), span)

    def slices(self) -> Iterator[tuple[Slice, Name, Name]]:
        """What the step takes of tensors at the counter: the name that has it, and the tensor."""
        for found, (name, base) in self._slices.items():
            yield found, Name(name, (), base.span), base

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
                raise unsupported("each step has the same loops within it", bound.span)
            unknown = {x for factors in linear(bound, self._names) for x in factors} - self._inner
            if unknown:
                name = min(unknown)
                raise UnknownNameError(
                    f"`{name}` is not known: a loop within the one that is kept is unrolled",
                    span=bound.span,
                    hint=f"write a number, or give one: tcalc.recurrence(..., {name}=3)",
                )

    def _offset(self, bound: Bound, what: str) -> Bound:
        """What a bound has beside the counter."""
        counter = self._loop.counter
        own = [c for c, names in bound.terms if counter in names]
        rest = tuple(term for term in bound.terms if counter not in term[1])
        ends = any("end" in names for _, names in rest)
        if own != [1] or (1, (counter,)) not in bound.terms or ends:
            raise unsupported(f"{what} is {counter} plus or minus a number", bound.span)
        return replace(bound, terms=rest)

    def _numbered(self, name: Name) -> Name:
        """A name whose counter is the step that stands for all."""
        if sum(map(self._counts, name.steps)) > 1:
            raise unsupported("one number of a name counts its steps", name.span)
        steps = [
            _plus(self._offset(step, "a step"), self._course.step) if self._counts(step) else step
            for step in name.steps
        ]
        return replace(name, steps=tuple(steps))

    def _in_step(self, part: Expression) -> Expression | Around | None:
        match part:
            case Name(name=self._loop.counter, steps=()):
                return self.counter(part.span)
            case Name() if any(map(self._counts, part.steps)):
                return self._numbered(part)
            case Name() if part.steps:
                return self._settled(part)
            case Index(positions=positions) if any(map(self._counts, positions)):
                return self._slice(part)
            case Call(indices=indices) if any(map(self._counts, indices or ())):
                raise unsupported("the counter is no index of a function", part.span)
            case Call(function="ones" | "zeros" | "eye", arguments=sizes):
                for size in (x for argument in sizes for x in walk(argument)):
                    if isinstance(size, Name) and size.name == self._loop.counter:
                        raise unsupported("sizes are the same in all steps", size.span)
        return None

    def _slice(self, part: Index) -> Expression | Around:
        """``Y[t,i]`` as the slice of Y at the step, with its other indices."""
        counter = self._loop.counter
        base, positions = part.base, part.positions
        places = [k for k, position in enumerate(positions) if self._counts(position)]
        (axis, *others), position = places, positions[places[0]]
        plain = isinstance(base, Name) and not any(map(self._counts, base.steps))
        if others or not plain or not isinstance(position, Bound):
            raise unsupported(
                f"the counter is one position of a tensor from outside, as in Y[{counter},i]",
                part.span,
                "" if plain else f"define what is run through before it, Y = ..., for Y[{counter}]",
            )
        assert isinstance(base, Name)
        base = (self._settled(base) if base.steps else None) or base
        beside = self._offset(position, "a position")
        offset = self._names.integer(beside, {}, ADDED)
        shown = [":"] * len(positions)
        shown[axis] = shifted(counter, offset)
        source = self._names.stepped(base.name, base.steps, {})
        name = f"{source}[{','.join(shown)}]" + MARK * self._course.place
        found = Slice(source, axis, offset, len(positions), self._course.place)
        self._slices.setdefault(found, (name, replace(base, span=part.span)))
        taken = Name(name, (), part.span)
        rest = (*positions[:axis], *positions[axis + 1 :])
        return Around(replace(part, base=taken, positions=rest)) if rest else taken


def _plus(bound: Bound, number: int) -> Bound:
    return replace(bound, terms=(*bound.terms, (number, ())))
