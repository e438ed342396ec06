"""Programs with a loop that is kept: one step is elaborated, for as many as there will be.

What is carried from step to step is an input of the step, with the shape of what it is at first
and whatever properties that has and every step keeps: they are assumed, and those that a step is
not known to keep are dropped until none is left to drop.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from tcalc.errors import (
    DimensionError,
    Place,
    TcalcError,
    UnknownNameError,
    UnsupportedError,
)
from tcalc.expr import Dim, Node, Var, build
from tcalc.expr.collector import collector_paused
from tcalc.expr.facts import holds, known_properties
from tcalc.expr.names import FreeNames, free_name
from tcalc.expr.primitive import Fact
from tcalc.expr.properties import OF_MATRICES
from tcalc.expr.traverse import dependents, postorder
from tcalc.language import loops
from tcalc.language.algebra import Value
from tcalc.language.carried import (
    Before,
    Carried,
    Count,
    Kept,
    Last,
    Slice,
    Stem,
)
from tcalc.language.course import STEP, Course, shifted, size_of
from tcalc.language.dimensions import Side
from tcalc.language.einstein import wrong_number
from tcalc.language.kept_loops import UNROLL, kept
from tcalc.language.loops import Script, Unrolled
from tcalc.language.names import check_parameters
from tcalc.language.program import Compilation, Program, declare, source_of
from tcalc.language.syntax import Definition, Name, Result
from tcalc.language.tape import Slot
from tcalc.primitives.function import Function
from tcalc.records import dataclass


@dataclass(frozen=True, slots=True)
class State:
    """What a step hands on: ``m{t}`` as the program has it, or what it was some steps before.

    Attributes:
        name: how it is written after a step, ``m{t}``.
        name_before: how it is written before it, ``m{t-1}``.
        stem: the same as a name without braces.
        before: the input of a step that it is; None where no step needs it.
        initial: what that is in the first step.
        after: what a step makes of it.
        last: the input of the value that it is after the last step; None where that needs none.
    """

    name: str
    name_before: str
    stem: str
    before: Var | None
    initial: Node | None
    after: Node
    last: Var | None


@dataclass(frozen=True, slots=True)
class Series:
    """What a step takes of a tensor: the slice at the counter + `offset`, from 1, on one axis.

    `name` is how it is written, ``Y[t,:]``, and `slice` the input that it is.
    """

    name: str
    source: Node
    axis: int
    offset: int
    slice: Var


@dataclass(frozen=True, slots=True)
class RecurrenceProgram:
    """A program with a loop that is kept.

    Attributes:
        counter: the number of a step as an input of it.
        start, stop: the numbers of the first step and of the last one.
        direction: 1 where the counter goes up, -1 where it goes down.
        states: what steps hand on.
        series: what they take of tensors, each time another slice.
        written: how the program writes what the inputs of a step and of the value stand for, as
            ``m{t-1}`` and ``Y[t,:]``, by their names.
        steps: by name everything that a step defines.
        program: its value, of inputs and of what the last step leaves; its inputs, and the like.
    """

    counter: Var
    start: Dim
    stop: Dim
    direction: int
    states: tuple[State, ...]
    series: tuple[Series, ...]
    written: Mapping[str, str]
    steps: Mapping[str, Node]
    program: Program


@collector_paused()
def parse_recurrence(
    text: str,
    declarations: str = "",
    /,
    *,
    functions: Iterable[Function] = (),
    **parameters: float,
) -> RecurrenceProgram:
    """Parse and elaborate a program with a loop, which is kept as one.

    The arguments are those of `tcalc.language.parse`.

    >>> found = parse_recurrence('''
    ... s{0} = 0
    ... for t = 1:T
    ...     s{t} = a*s{t-1} + x[t]
    ... end
    ... s{T}^2''', "x[T], a")
    >>> [(state.name, state.before, state.last) for state in found.states]
    [('s{t}', s_before[], s_last[])]
    >>> found.series[0].slice, found.start, found.stop
    (x_t[], Dim(1), Dim(T))
    """
    source, declared = source_of(text, ""), source_of(declarations, "declarations")
    numbers = check_parameters(parameters, (text, declarations))
    known = {x.name: x for function in functions for x in (function, *function.companions)}
    compilation = _Recurring(source, declared, numbers, known, {})
    try:
        return compilation.recurrence()
    except TcalcError as error:
        compilation.tell_steps(error)
        raise


class _Recurring(Compilation):
    """One run from text to the nodes of a step."""

    _kept: Kept
    _counter = "t"

    def recurrence(self) -> RecurrenceProgram:
        """The program."""
        program = self.run()
        known: dict[str, Node] = {**program.variables, **program.definitions}
        states: dict[Before, State] = {}
        series: list[Series] = []
        counter = self._count()
        start, stop = self._ends()
        for carried, name in self._entered.items():
            match carried:
                case Before():
                    states[carried] = self._state(carried, known)
                case Last(stem=stem, lag=lag):
                    states.setdefault(Before(stem, lag), self._state(Before(stem, lag), known))
                case Slice(base=base, axis=axis, offset=offset):
                    series.append(Series(name, known[base], axis, offset, _input(known[name])))
        self._require_own_derivatives(states.values(), series, known)
        steps = {self._shown(stem): known[self._defined(stem)] for stem in self._kept.offsets}
        return RecurrenceProgram(
            counter=counter,
            start=start,
            stop=stop,
            direction=self._course.direction,
            states=tuple(states.values()),
            series=tuple(series),
            written={
                _input(known[name]).name: self._told(name)
                for carried, name in self._entered.items()
                if not isinstance(carried, Count)
            },
            steps=steps,
            program=program,
        )

    def _require_own_derivatives(
        self, states: Collection[State], series: Iterable[Series], known: Mapping[str, Node]
    ) -> None:
        """Refuse derivatives through what is carried into a step, or out of the loop."""
        pairs: list[tuple[Var | None, Node | None]] = [(x.slice, x.source) for x in series]
        for x in states:
            pairs += [(x.before, x.initial), (x.before, x.after), (x.last, x.after)]
        made = [(x, node) for x, node in pairs if x is not None and node is not None]
        for function, by, span in self._derived:
            active: set[Node] = {*by}
            while True:
                live = dependents([node for _, node in made], active)
                found = {x for x, node in made if node in live}
                if found <= active:
                    break
                active |= found
            through = active.difference(by) & {*postorder([function])}
            if through:
                names = (x for x in self._entered.values() if known[x] in through)
                raise UnsupportedError(
                    f"`{self._told(next(names))}` depends on the variable by the loop that is "
                    "kept, and a derivative in the program does not go through it",
                    span=span,
                    hint=f"value_and_gradient differentiates the value; {UNROLL}",
                )

    def _state(self, carried: Before, known: Mapping[str, Node]) -> State:
        """What a step hands on, from the nodes of what is defined."""
        stem, lag = carried.stem, carried.lag
        before = self._entered.get(carried)
        last = self._entered.get(Last(stem, lag))
        return State(
            name=self._shown(stem, lag - 1),
            name_before=self._shown(stem, lag),
            stem=stem.plain,
            before=None if before is None else _input(known[before]),
            initial=None if before is None else known[self._sources[carried]],
            after=known[self._defined(stem, lag - 1)],
            last=None if last is None else _input(known[last]),
        )

    def _defined(self, stem: Stem, lag: int = 0) -> str:
        """The name of what a step defines, or of what it takes from some steps before it."""
        return stem.shown(str(STEP + self._course.back(self._kept.offsets[stem], lag)))

    def _shown(self, stem: Stem, lag: int = 0) -> str:
        """How what a step defines is written, or what one some steps before it does."""
        offset = self._course.back(self._kept.offsets[stem], lag)
        return stem.shown(shifted(self._counter, offset))

    @property
    def _course(self) -> Course:
        return self._kept.course

    def _ends(self) -> tuple[Dim, Dim]:
        """The numbers of the first step and of the last one."""
        course = self._course
        for bound, terms in ((course.loop.start, course.start), (course.loop.stop, course.stop)):
            for name in (name for names in terms for name in names):
                if self._names.dimension(name) is None:
                    raise UnknownNameError(
                        f"`{name}` is neither a dimension nor given",
                        span=bound.span,
                        hint=f"declare what is run through, as in `tensor y[{name}]`, or give a "
                        f"number: {name}=200",
                    )
        return size_of(course.start), size_of(course.stop)

    # What is live, and how it is elaborated

    def _live(self) -> list[Unrolled]:
        declare(self._names, self._statements)
        self._kept = kept(self._statements, self._names)
        self._counter = self._course.counter
        self._ends()
        self._names.lengths |= self._course.names
        self._entered: dict[Carried, str] = {}
        self._sources: dict[Carried, str] = {}
        for definition, carried in self._kept.carried.items():
            if isinstance(carried, Slice) and self._is_free(carried.base):
                self._names.used_with_brackets(carried.base, carried.order, definition.span)
        self._free = FreeNames({*re.findall(r"\w+", self._source.text), *self._names.variables})
        script = Script(loops.unroll(self._kept.statements, self._names), self._names)
        self._names.check_spaces()
        needed = {script.position(self._defined(stem)) for stem in self._kept.offsets}
        # What was two steps back is handed on by what was one back, though nothing else names it.
        needed |= {
            script.position(self._defined(carried.stem, carried.lag))
            for carried in self._kept.carried.values()
            if isinstance(carried, Before)
        }
        value = script.value
        assert value is not None
        live = [script.steps[k] for k in script.live(value, *needed)]
        self._counters = {name for step in live for name in step.counters}
        self._survey(live)
        self._names.positions |= {
            carried.base
            for definition, carried in self._kept.carried.items()
            if isinstance(carried, Slice)
            and definition.targets[0].name.name in self._names.positions
        }
        return live

    def _elaborate(self, step: Unrolled) -> Value:
        statement = step.statement
        if isinstance(statement, Definition) and statement in self._kept.carried:
            carried = self._kept.carried[statement]
            value = self._carried(carried, statement)
            self._entered[carried] = step.targets[0]
            self._elaborator.definitions[step.targets[0]] = value
            return value
        return super()._elaborate(step)

    def _carried(self, carried: Carried, definition: Definition) -> Value:
        """The input that something carried is."""
        algebra, span = self._algebra, definition.span
        if isinstance(carried, Count):
            return algebra.atom(algebra.tape.call(self._count), (), span)
        assert isinstance(definition.value, Name)
        like = self._elaborator.named(definition.value, {})
        self._sources[carried] = self._names.stepped(
            definition.value.name, definition.value.steps, {}
        )
        dims = list(like.dims)
        if isinstance(carried, Slice):
            if carried.order != like.order:
                raise wrong_number(carried.order, like, span)
            del dims[carried.axis]
        wish = self._wish(carried)
        called = self._free.give(wish)
        slot = algebra.tape.call(
            lambda node: self._input(node, carried, called), [algebra.slot(like)]
        )
        return algebra.atom(slot, dims, span)._replace(row=like.row and len(dims) == 1)

    def _count(self) -> Var:
        """The number of a step as an input of it; outside of the loop its name may be another's."""
        return build.var(free_name(self._counter, self._names.variables), (), ())

    def _wish(self, carried: Before | Last | Slice) -> str:
        if isinstance(carried, Slice):
            base = re.sub(r"\W+", "_", carried.base).strip("_")
            return f"{base}_{self._counter}"
        where = "before" if isinstance(carried, Before) else "last"
        back = str(carried.lag) if carried.lag > 1 else ""
        return f"{carried.stem.plain}_{where}{back}"

    def _input(self, like: Node, carried: Before | Last | Slice, name: str) -> Var:
        """An input like a tensor, or like slices of it, with the properties that these have."""
        dims = list(like.dims)
        if isinstance(carried, Slice):
            del dims[carried.axis]
            matrices = carried.axis < like.order - 2
        else:
            matrices = True
        dropped = self._dropped.get(name, ())
        known = [x for x in known_properties(like) if matrices or x not in OF_MATRICES]
        if isinstance(carried, Slice) and holds(like, Fact.INTEGER):
            known.append("integer")
        return build.var(name, dims, [word for word in known if word not in dropped])

    # What steps keep

    def _finish(self, result: Value, statements: Sequence[Definition | Result]) -> Program:
        definitions = self._elaborator.definitions
        for carried, name in self._entered.items():
            if isinstance(carried, Before):
                after = definitions[self._defined(carried.stem, carried.lag - 1)]
                self._require_alike(definitions[name], after, carried.stem)
        return super()._finish(result, statements)

    def _require_alike(self, before: Value, after: Value, stem: Stem) -> None:
        """Refuse a step whose result has not the shape of what the step before it has left."""
        name = self._shown(stem)
        if (before.kind, before.row) != (after.kind, after.row):
            error = DimensionError(f"`{name}` is {after.kind}", span=after.span)
            error.mention(f"here {before.kind} is carried on", before.span)
            course = self._course
            first = stem.shown(course.at_first(course.back(self._kept.offsets[stem], 1)))
            raise error.advise(f"`{first}`, before the loop, has the shape that all steps have")
        for left, right in zip(before.dims, after.dims, strict=True):
            self._dimensions.equate(
                Side(left, before.span),
                Side(right, after.span),
                f"`{name}` has another size in the step before",
                after.span,
            )

    def _replayed(self, needed: Sequence[Slot]) -> dict[Slot, Node]:
        self._dropped: dict[str, set[str]] = {}
        while True:
            nodes = super()._replayed(needed)
            lost = False
            for carried, name in self._entered.items():
                if not isinstance(carried, Before):
                    continue
                variable = _input(nodes[self._slots[name]])
                after = nodes[self._slots[self._defined(carried.stem, carried.lag - 1)]]
                gone = {*variable.properties} - {*known_properties(after)}
                self._dropped.setdefault(variable.name, set()).update(gone)
                lost = lost or bool(gone)
            if not lost:
                self._derived = [
                    (nodes[function], [nodes[x] for x in by], span)
                    for function, by, span in self._tape.derivatives
                    if function in nodes
                ]
                return nodes

    def tell_steps(self, error: TcalcError) -> None:
        """Say in an error ``m{t-1}`` where the step that stands for all has a number."""
        error.message = self._told(error.message)
        error.args = (error.message,)
        error.hint = None if error.hint is None else self._told(error.hint)
        error.places = tuple(Place(self._told(x.note), x.span) for x in error.places)

    def _told(self, text: str) -> str:
        return re.sub(r"\d{12,}", lambda found: self._course.told(int(found.group())), text)


def _input(node: Node) -> Var:
    assert isinstance(node, Var)
    return node
