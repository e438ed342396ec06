"""Programs with loops that are kept: one step is elaborated, for as many as there will be.

What is carried from step to step is an input of the step, with the shape of what it is at first
and whatever properties that has and every step keeps: they are assumed, and those that a step is
not known to keep are dropped until none is left to drop.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

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
    Row,
    Slice,
    Stem,
)
from tcalc.language.course import Course, size_of
from tcalc.language.dimensions import Side
from tcalc.language.einstein import wrong_number
from tcalc.language.kept_loops import kept
from tcalc.language.kept_program import RecurrenceProgram, Series, State, Trajectory
from tcalc.language.loops import Script, Unrolled
from tcalc.language.names import check_parameters
from tcalc.language.one_step import UNROLL
from tcalc.language.program import Compilation, Program, declare, source_of
from tcalc.language.syntax import Definition, Name, Result
from tcalc.language.tape import Slot
from tcalc.primitives.function import Function


@collector_paused()
def parse_recurrence(
    text: str,
    declarations: str = "",
    /,
    *,
    functions: Iterable[Function] = (),
    **parameters: float,
) -> RecurrenceProgram:
    """Parse and elaborate a program with loops, which are kept as such.

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
    """One run from text to the nodes of a step of each loop."""

    _kept = Kept((), {}, (), {})

    def recurrence(self) -> RecurrenceProgram:
        """The program."""
        program = self.run()
        known: dict[str, Node] = {**program.variables, **program.definitions}
        self._require_own_derivatives(known)
        rows = {stem: self._rows(stem, early, known) for stem, early in self._kept.rows.items()}
        written = [
            (_input(known[name]).name, self._kept.told(name), self._place(carried))
            for carried, name in self._entered.items()
            if not isinstance(carried, Count)
        ]
        loops: list[RecurrenceProgram] = []
        handed: list[Var] = []
        for place, defined in enumerate(self._kept.loops):
            course = defined.course
            made = {stem: rows[stem] for stem in defined.offsets if stem in rows}
            start, stop = self._ends(course)
            states = self._states(place, known)
            loop = RecurrenceProgram(
                counter=self._counters_of_steps[place],
                start=start,
                stop=stop,
                direction=course.direction,
                states=states,
                series=tuple(self._series(place, rows, known)),
                written={name: told for name, told, at in written if at <= place},
                steps={defined.shown(stem): known[defined.name(stem)] for stem in defined.offsets},
                program=program,
                handed=tuple(handed),
                trajectories=tuple(made.values()),
            )
            loops.append(loop)
            handed += [x.last for x in states if x.last is not None]
            handed += [x.rows for x in made.values()]
        return replace(loops[-1], earlier=tuple(loops[:-1]))

    def _place(self, carried: Carried) -> int:
        """The place of the loop that something is carried through."""
        if isinstance(carried, Slice | Row | Count):
            return carried.loop
        return self._kept.of(carried.stem).course.place

    def _states(self, place: int, known: Mapping[str, Node]) -> tuple[State, ...]:
        """What the steps of a loop hand on."""
        states: dict[Before, State] = {}
        for carried in self._entered:
            if isinstance(carried, Before | Last) and self._place(carried) == place:
                before = Before(carried.stem, carried.lag)
                states.setdefault(before, self._state(before, known))
        return tuple(states.values())

    def _series(
        self, place: int, rows: Mapping[Stem, Trajectory], known: Mapping[str, Node]
    ) -> Iterator[Series]:
        """What the steps of a loop take of tensors, and of what earlier loops have made."""
        for carried, name in self._entered.items():
            match carried:
                case Slice(base=base, axis=axis, offset=offset) if carried.loop == place:
                    told = self._kept.told(name)
                    yield Series(told, known[base], axis, offset, _input(known[name]))
                case Row(stem=stem, offset=offset) if carried.loop == place:
                    lowest = self._kept.of(stem).lowest(stem, self._kept.rows[stem])
                    told, source = self._kept.told(name), rows[stem].rows
                    yield Series(told, source, 0, offset - lowest + 1, _input(known[name]))
                case _:
                    pass

    def _rows(self, stem: Stem, early: int, known: Mapping[str, Node]) -> Trajectory:
        """What later loops take of a name, with some values before the first step."""
        defined = self._kept.of(stem)
        row = known[defined.name(stem)]
        start, stop = self._ends(defined.course)
        count = (stop - start) * defined.course.direction + (1 + early)
        name = self._free.give(f"{stem.plain}_all")
        before = range(1, early + 1)
        return Trajectory(
            name=defined.shown(stem),
            rows=build.var(name, (count, *row.dims)),
            row=row,
            early=tuple(known[defined.early(stem, lag)] for lag in before),
        )

    def _require_own_derivatives(self, known: Mapping[str, Node]) -> None:
        """Refuse derivatives through what is carried into a step, or out of a loop."""
        made: list[tuple[Var, Node]] = []
        for carried, name in self._entered.items():
            if not isinstance(carried, Count):
                made += [(_input(known[name]), known[x]) for x in self._origins(carried)]
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
                    f"`{self._kept.told(next(names))}` depends on the variable by the loop that is "
                    "kept, and a derivative in the program does not go through it",
                    span=span,
                    hint=f"value_and_gradient differentiates the value; {UNROLL}",
                )

    def _origins(self, carried: Before | Last | Slice | Row) -> list[str]:
        """The names of what something that is carried is made of, in the first step and others."""
        if isinstance(carried, Slice):
            return [carried.base]
        defined = self._kept.of(carried.stem)
        match carried:
            case Before(stem=stem, lag=lag):
                return [defined.early(stem, lag), defined.name(stem, lag - 1)]
            case Last(stem=stem, lag=lag):
                return [defined.name(stem, lag - 1)]
            case Row(stem=stem):
                lags = range(1, self._kept.rows[stem] + 1)
                return [defined.name(stem), *(defined.early(stem, lag) for lag in lags)]

    def _state(self, carried: Before, known: Mapping[str, Node]) -> State:
        """What a step hands on, from the nodes of what is defined."""
        stem, lag = carried.stem, carried.lag
        defined = self._kept.of(stem)
        before = self._entered.get(carried)
        last = self._entered.get(Last(stem, lag))
        return State(
            name=defined.shown(stem, lag - 1),
            name_before=defined.shown(stem, lag),
            stem=stem.plain,
            before=None if before is None else _input(known[before]),
            initial=None if before is None else known[defined.early(stem, lag)],
            after=known[defined.name(stem, lag - 1)],
            last=None if last is None else _input(known[last]),
        )

    def _ends(self, course: Course) -> tuple[Dim, Dim]:
        """The numbers of the first step of a loop and of the last one."""
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
        courses = [x.course for x in self._kept.loops]
        for course in courses:
            self._ends(course)
            self._names.lengths |= course.names
        self._entered: dict[Carried, str] = {}
        for definition, carried in self._kept.carried.items():
            if isinstance(carried, Slice) and self._is_free(carried.base):
                self._names.used_with_brackets(carried.base, carried.order, definition.span)
        self._free = FreeNames({*re.findall(r"\w+", self._source.text), *self._names.variables})
        script = Script(loops.unroll(self._kept.statements, self._names), self._names)
        self._names.check_spaces()
        needed = {script.position(x.name(stem)) for x in self._kept.loops for stem in x.offsets}
        for carried in self._kept.carried.values():
            if isinstance(carried, Before):
                # What was two steps back is handed on by what was one back, though nothing else
                # names it.
                defined = self._kept.of(carried.stem)
                needed.add(script.position(defined.name(carried.stem, carried.lag)))
            elif isinstance(carried, Row):
                needed |= {*map(script.position, self._origins(carried))}
        value = script.value
        assert value is not None
        live = [script.steps[k] for k in script.live(value, *needed)]
        taken = [*self._names.variables]
        self._counters_of_steps: list[Var] = []
        for course in courses:
            name = free_name(course.counter, taken)
            self._counters_of_steps.append(build.var(name, (), ()))
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
            count = self._counters_of_steps[carried.loop]
            return algebra.atom(algebra.tape.call(lambda: count), (), span)
        assert isinstance(definition.value, Name)
        like = self._elaborator.named(definition.value, {})
        dims = list(like.dims)
        if isinstance(carried, Slice):
            if carried.order != like.order:
                raise wrong_number(carried.order, like, span)
            del dims[carried.axis]
        wish = self._wish(carried)
        called = self._free.give(wish)
        values = [like]
        if isinstance(carried, Row):
            # What is known of rows is known of those before the first step too.
            values = [self._elaborator.definitions[name] for name in self._origins(carried)]
        slot = algebra.tape.call(
            lambda *nodes: self._input(nodes, carried, called), [algebra.slot(x) for x in values]
        )
        return algebra.atom(slot, dims, span)._replace(row=like.row and len(dims) == 1)

    def _wish(self, carried: Before | Last | Slice | Row) -> str:
        counter = self._kept.loops[self._place(carried)].course.counter
        if isinstance(carried, Slice):
            base = re.sub(r"\W+", "_", carried.base).strip("_")
            return f"{base}_{counter}"
        if isinstance(carried, Row):
            return f"{carried.stem.plain}_{counter}"
        where = "before" if isinstance(carried, Before) else "last"
        back = str(carried.lag) if carried.lag > 1 else ""
        return f"{carried.stem.plain}_{where}{back}"

    def _input(self, alike: Sequence[Node], carried: Before | Last | Slice | Row, name: str) -> Var:
        """An input like tensors, or like slices of one, with the properties that these have."""
        like, *others = alike
        dims = list(like.dims)
        if isinstance(carried, Slice):
            del dims[carried.axis]
            matrices = carried.axis < like.order - 2
        else:
            matrices = True
        dropped = self._dropped.get(name, ())
        known = [x for x in known_properties(like) if matrices or x not in OF_MATRICES]
        for other in others:
            known = [x for x in known if x in known_properties(other)]
        if isinstance(carried, Slice) and holds(like, Fact.INTEGER):
            known.append("integer")
        return build.var(name, dims, [word for word in known if word not in dropped])

    # What steps keep

    def _finish(self, result: Value, statements: Sequence[Definition | Result]) -> Program:
        definitions = self._elaborator.definitions
        for carried, name in self._entered.items():
            if isinstance(carried, Before):
                after = definitions[self._origins(carried)[-1]]
                self._require_alike(definitions[name], after, carried.stem)
            elif isinstance(carried, Row):
                made, *before = self._origins(carried)
                for early in before:
                    self._require_alike(definitions[early], definitions[made], carried.stem)
        return super()._finish(result, statements)

    def _require_alike(self, before: Value, after: Value, stem: Stem) -> None:
        """Refuse a step whose result has not the shape of what the step before it has left."""
        defined = self._kept.of(stem)
        name = defined.shown(stem)
        if (before.kind, before.row) != (after.kind, after.row):
            error = DimensionError(f"`{name}` is {after.kind}", span=after.span)
            error.mention(f"here {before.kind} is carried on", before.span)
            first = stem.shown(defined.course.at_first(defined.back(stem, 1)))
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
                after = nodes[self._slots[self._origins(carried)[-1]]]
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
        told = self._kept.told
        error.message = told(error.message)
        error.args = (error.message,)
        error.hint = None if error.hint is None else told(error.hint)
        error.places = tuple(Place(told(x.note), x.span) for x in error.places)


def _input(node: Node) -> Var:
    assert isinstance(node, Var)
    return node
