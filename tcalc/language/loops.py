"""Unrolling, and which definitions the value needs.

A loop becomes as many copies of its statements as it has steps, each with the counters' values;
the statements themselves are shared.  Only what the value needs, directly or through other
definitions, is elaborated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tcalc.errors import LimitError, ParseError, Span, UnknownNameError
from tcalc.language.names import BOUND, INCREMENT, Counters, Names
from tcalc.language.syntax import (
    Declaration,
    Definition,
    Expression,
    Loop,
    Name,
    Result,
    Statement,
    walk,
)
from tcalc.records import dataclass

LONGEST_PROGRAM = 100_000
"""The most statements after unrolling."""

_INSTEAD = "steps that do not depend on each other are one tensor with an axis more"


@dataclass(frozen=True, slots=True, eq=False)
class Unrolled:
    """A definition or a result with the values of the counters around it."""

    statement: Definition | Result
    counters: Counters
    targets: tuple[str, ...]


def declarations(statements: Sequence[Statement]) -> Iterator[Declaration]:
    """The declarations of a program, which stand outside of loops."""
    yield from (statement for statement in statements if isinstance(statement, Declaration))


def unroll(statements: Sequence[Statement], names: Names) -> list[Unrolled]:
    """Definitions and results in the order of their execution."""
    unrolled: list[Unrolled] = []
    pending: list[Iterator[tuple[Statement, Counters]]] = [_once(statements, {})]
    while pending:
        found = next(pending[-1], None)
        if found is None:
            pending.pop()
            continue
        statement, counters = found
        match statement:
            case Loop():
                pending.append(_steps(statement, counters, names))
            case Declaration() if counters or len(pending) > 1:
                raise ParseError(
                    "variables are declared outside of loops",
                    span=statement.span,
                    hint="move the declaration before the `for`",
                )
            case Definition() | Result():
                unrolled.append(Unrolled(statement, counters, _targets(statement, counters, names)))
                if len(unrolled) > LONGEST_PROGRAM:
                    raise LimitError(
                        f"the program has more than {LONGEST_PROGRAM:,} steps after unrolling",
                        span=statement.span,
                        hint=_INSTEAD,
                    )
    return unrolled


def _once(
    statements: Sequence[Statement], counters: Counters
) -> Iterator[tuple[Statement, Counters]]:
    return ((statement, counters) for statement in statements)


def _steps(loop: Loop, outer: Counters, names: Names) -> Iterator[tuple[Statement, Counters]]:
    numbers = _numbers(loop, outer, names)
    if len(numbers) > LONGEST_PROGRAM:
        raise LimitError(
            f"a loop of {len(numbers):,} steps; the limit is {LONGEST_PROGRAM:,}",
            span=loop.span,
            hint=_INSTEAD,
        )
    taken = loop.counter in outer or loop.counter in names.variables
    if taken or loop.counter in names.parameters or loop.counter in names.dimensions.declared:
        raise another_meaning(loop)
    steps = ({**outer, loop.counter: number} for number in numbers)
    return ((statement, counters) for counters in steps for statement in loop.body)


def _numbers(loop: Loop, outer: Counters, names: Names) -> range:
    """The numbers that the counter of a loop takes; both bounds are included."""
    start = names.integer(loop.start, outer, BOUND)
    stop = names.integer(loop.stop, outer, BOUND)
    step = 1 if loop.step is None else names.integer(loop.step, outer, INCREMENT)
    if not step:
        assert loop.step is not None
        raise ParseError(
            "the counter of a loop moves by 0",
            span=loop.step.span,
            hint="write for t = 1:10, for t = 1:2:10, or for t = 10:-1:1",
        )
    return range(start, stop + (1 if step > 0 else -1), step)


def another_meaning(loop: Loop) -> UnknownNameError:
    """The error about a loop whose counter is something else already."""
    return UnknownNameError(
        f"the counter `{loop.counter}` has another meaning already",
        span=loop.counter_span,
        hint="choose another name for the counter",
    )


def _targets(statement: Definition | Result, counters: Counters, names: Names) -> tuple[str, ...]:
    if isinstance(statement, Result):
        return ()
    return tuple(
        names.stepped(target.name.name, target.name.steps, counters) for target in statement.targets
    )


class Script:
    """The unrolled statements, who defines which name, and who needs whom."""

    def __init__(self, steps: Sequence[Unrolled], names: Names) -> None:
        self.steps = steps
        self._names = names
        self._mentions: dict[Expression, list[Name]] = {}
        self._definer: dict[str, int] = {}
        for position, step in enumerate(steps):
            if isinstance(step.statement, Definition):
                for name, target in zip(step.targets, step.statement.targets, strict=True):
                    self._define(name, target.span, position, step)
        self._check_order()

    def _define(self, name: str, span: Span, position: int, step: Unrolled) -> None:
        if name in self._definer:
            error = UnknownNameError(f"`{name}` is assigned twice", span=span)
            error.mention("first assigned here", self._names.defined[name])
            hint = "each name is assigned once: choose another name"
            if step.counters:
                counter = list(step.counters)[-1]
                hint = f"each name is assigned once: number the steps, {name}{{{counter}}} = ..."
            raise error.advise(hint)
        if name in self._names.parameters:
            raise UnknownNameError(
                f"`{name}` is given as a number and assigned",
                span=span,
                hint="rename one of the two",
            )
        self._definer[name] = position
        self._names.defined[name] = span

    def _check_order(self) -> None:
        """A name is defined before it is used, and never by itself."""
        for position, step in enumerate(self.steps):
            for mention, name in self.mentioned(step):
                definer = self._definer.get(name)
                if definer is None and mention.steps:
                    raise UnknownNameError(
                        f"nothing defines `{name}`",
                        span=mention.span,
                        hint=self._step_hint(mention.name, name),
                    )
                if definer is None or definer < position:
                    continue
                if definer == position:
                    raise UnknownNameError(
                        f"`{name}` is defined by itself",
                        span=mention.span,
                        hint="each name is assigned once: choose another name on the left, or"
                        f" number the steps, {mention.name}{{t+1}} = ... {mention.name}{{t}} ...",
                    )
                error = UnknownNameError(
                    f"`{name}` is used before it is defined",
                    span=mention.span,
                    hint="move the definition up",
                )
                raise error.mention("defined here", self._names.defined[name])

    def _step_hint(self, stem: str, name: str) -> str:
        """What to do about a step that nothing defines."""
        named = (known for known in self._definer if known.endswith("}"))  # and is no slice of one
        steps = [known for known in named if known.startswith(f"{stem}{{")]
        if stem.endswith("_"):
            return f"an index stands in brackets, {stem[:-1]}[1]; braces number a name"
        if not steps or _number(name) < min(map(_number, steps)):
            return f"define the first step: {name} = ..."
        low, high = (choose(steps, key=_number) for choose in (min, max))
        return f"its steps go from {low} to {high}: the bounds of a `for` are both included"

    def mentioned(self, step: Unrolled) -> Iterator[tuple[Name, str]]:
        """The names that a statement mentions, with their braces filled in."""
        expression = step.statement.value
        if expression not in self._mentions:
            found = [part for part in walk(expression) if isinstance(part, Name)]
            self._mentions[expression] = found
        for mention in self._mentions[expression]:
            yield mention, self._names.stepped(mention.name, mention.steps, step.counters)

    @property
    def value(self) -> int | None:
        """The position of the statement that is the value: the last bare expression, if any."""
        results = [k for k, step in enumerate(self.steps) if isinstance(step.statement, Result)]
        if results:
            return results[-1]
        return len(self.steps) - 1 if self.steps else None

    def position(self, name: str) -> int:
        """The position of the statement that defines a name."""
        return self._definer[name]

    def live(self, *values: int) -> list[int]:
        """The positions of the statements that some need, in order, themselves included."""
        needed = {*values}
        pending = [*values]
        while pending:
            for _, name in self.mentioned(self.steps[pending.pop()]):
                definer = self._definer.get(name)
                if definer is not None and definer not in needed:
                    needed.add(definer)
                    pending.append(definer)
        return sorted(needed)


def _number(step: str) -> tuple[int, ...]:
    """The numbers of a step, by which steps are in order.

    >>> _number("s{2,-1}")
    (2, -1)
    """
    return tuple(map(int, step.partition("{")[2].rstrip("}").split(",")))
