"""What a step of a recurrence is made of: what is the same in all of them is computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from tcalc.calculus import prepare
from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.facts import holds, known_properties
from tcalc.expr.names import FreeNames
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.primitive import Fact
from tcalc.expr.traverse import dependents, postorder, rebuild
from tcalc.language.kept_program import RecurrenceProgram, Series, State, Trajectory
from tcalc.primitives.cholesky import Cholesky
from tcalc.primitives.inverse import Inverse
from tcalc.recurrences.wording import Wording


@dataclass(frozen=True, slots=True)
class Step:
    """One step, apart from what is the same in all of them.

    Attributes:
        start, stop: the numbers of the first step and of the last one.
        direction: 1 where the counter goes up, -1 where it goes down.
        counter: its number, as an input.
        states: what it hands on.
        series: the slices that it takes; their sources are inputs.
        prologue: inputs of the first step or of all that are computed before the loop, and what
            they are: constants, what the states are at first, tensors that are run through.
        constants: those of them that are the same in all steps.
        defined: by name, everything that the program defines in a step.
        inputs: those of the program, by name, and those that earlier loops hand on.
        handed: the names of the latter.
        value: the value, of inputs and of what the last step leaves.
        wording: what the program has for the names of inputs.
        trajectories: what it hands on to later loops of each step.
    """

    start: Dim
    stop: Dim
    direction: int
    counter: Var
    states: tuple[State, ...]
    series: tuple[Series, ...]
    prologue: Mapping[Var, Node]
    constants: tuple[Var, ...]
    defined: Mapping[str, Node]
    inputs: Mapping[str, Var]
    handed: frozenset[str]
    value: Node
    wording: Wording
    trajectories: tuple[Trajectory, ...]

    @property
    def moving(self) -> tuple[Var, ...]:
        """The inputs that are others in each step: states, slices, and the counter."""
        return (*_moving(self.states, self.series), self.counter)

    @property
    def outputs(self) -> dict[Var, list[Node]]:
        """What later loops may take of it: inputs of theirs, and what these are made of."""
        found = {x.last: [x.after] for x in self.states if x.last is not None}
        return found | {x.rows: [x.row, *x.early] for x in self.trajectories}

    @property
    def growing(self) -> frozenset[str]:
        """The names of sizes on which the number of steps depends."""
        return frozenset(self.start.names() | self.stop.names())

    @property
    def names(self) -> set[str]:
        """The names of all inputs, and of what is computed before the loop."""
        return {x.name for x in (*self.moving, *self.inputs.values(), *self.prologue)}

    def needed(self, roots: Sequence[Node], of: Iterable[Var]) -> list[Var]:
        """Those of some inputs that some tensors need, which steps or the last one make."""
        part = self.part(roots)
        needed = {*postorder([*roots, *part.prologue.values(), *(x.after for x in part.states)])}
        needed |= {x.source for x in part.series}
        return [x for x in of if x in needed]

    def part(self, roots: Iterable[Node]) -> Step:
        """The step as far as some tensors need it: what it makes, or the value is made of."""
        roots = [*roots]
        states = tuple(self.states[k] for k in useful_states(self, roots))
        needed = {*postorder([*roots, *(x.after for x in states)])}
        series = tuple(x for x in self.series if x.slice in needed)
        needed |= {x.source for x in series} | {x.before for x in states if x.before is not None}
        return replace(
            self,
            states=states,
            series=series,
            prologue={x: node for x, node in self.prologue.items() if x in needed},
            constants=tuple(x for x in self.constants if x in needed),
        )


def step_of(recurrence: RecurrenceProgram) -> Step:
    """The step of a program, with all that does not change from step to step in its prologue."""
    program, states = recurrence.program, recurrence.states
    moving = (*_moving(states, recurrence.series), recurrence.counter)
    named = {name: x for name, x in program.definitions.items() if name.isidentifier()}
    made = prepare(
        [
            *(x.after for x in states),
            *(x.row for x in recurrence.trajectories),
            *recurrence.steps.values(),
            *named.values(),
        ]
    )
    count = len(made) - len(named)
    inside, outside = made[:count], made[count:]
    last = [x.last for x in states if x.last is not None]
    inputs = {**program.variables, **{x.name: x for x in recurrence.handed}}
    taken = {*inputs, *(x.name for x in (*moving, *last))}
    stand_ins = StandIns(made, taken)
    wishes: dict[Node, str] = {}
    for name, node in zip(named, outside, strict=True):
        wishes.setdefault(node, name)
    constants = stand_ins.of(_fixed(inside, moving), "constant", wishes)
    inside = rebuild(inside, replacements=constants)
    rest = iter(inside)
    afters = [*islice(rest, len(states))]
    rows = [*islice(rest, len(recurrence.trajectories))]
    through = dict.fromkeys(x.source for x in recurrence.series if not isinstance(x.source, Var))
    sources = stand_ins.of(through, "through", {x.source: x.slice.name for x in recurrence.series})
    prologue: dict[Var, Node] = {x: node for node, x in (*constants.items(), *sources.items())}
    prologue |= {x.before: x.initial for x in states if x.before and x.initial}
    return Step(
        start=recurrence.start,
        stop=recurrence.stop,
        direction=recurrence.direction,
        counter=recurrence.counter,
        states=tuple(replace(x, after=after) for x, after in zip(states, afters, strict=True)),
        series=tuple(replace(x, source=sources.get(x.source, x.source)) for x in recurrence.series),
        prologue=prologue,
        constants=tuple(constants.values()),
        defined=dict(zip(recurrence.steps, rest, strict=True)),
        inputs=inputs,
        handed=frozenset(x.name for x in recurrence.handed),
        value=program.value,
        wording=_wording(recurrence, [*program.variables, *named]),
        trajectories=tuple(
            replace(x, row=row) for x, row in zip(recurrence.trajectories, rows, strict=True)
        ),
    )


def needed_loops(loops: Sequence[Step]) -> Sequence[Step]:
    """The loops of a program up to the last one that the value has something of."""
    needed = {*postorder([loops[-1].value])}
    lasts = ({x.last for x in step.states if x.last is not None} for step in loops)
    place = max((k for k, last in enumerate(lasts) if not needed.isdisjoint(last)), default=0)
    return loops[: place + 1]


def _wording(recurrence: RecurrenceProgram, plain: Iterable[str]) -> Wording:
    """What the program has for the names of inputs; some are its own."""
    words = {name: name for name in plain} | {**recurrence.written}
    words |= {x.before.name: x.name_before for x in recurrence.states if x.before is not None}
    return Wording(words | {x.slice.name: x.name for x in recurrence.series})


def _moving(states: Iterable[State], series: Iterable[Series]) -> tuple[Var, ...]:
    before = [x.before for x in states if x.before is not None]
    return (*before, *(x.slice for x in series))


def _fixed(roots: Sequence[Node], moving: Iterable[Var]) -> list[Node]:
    """The largest parts of some tensors that depend on none of the inputs, and take any work."""
    live = dependents(roots, moving)
    found: dict[Node, None] = {}
    pending = [node for node in roots if node not in live]
    pending += [x for node in postorder(roots) if node in live for x in node.operands]
    while pending:
        node = pending.pop()
        if node in live or isinstance(node, Var | Const | Delta):
            continue
        # An inverse is applied in each step: formed once, it would lose digits.
        if is_view_or_multiple(node) or is_inverse(node):
            pending += node.operands
        else:
            found[node] = None
    return [node for node in postorder(roots) if node in found]


class StandIns:
    """Inputs that stand for tensors, which have what is known of these; names are given once."""

    def __init__(self, made: Iterable[Node], taken: Iterable[str]) -> None:
        self.names = FreeNames(taken)
        # What is symmetric and has a Cholesky factor is positive definite, or there is no value.
        # Of any other matrix the factor tells of its symmetric part alone.
        self._definite = {
            node.args[0]
            for node in postorder(made)
            if isinstance(node, Apply)
            and type(node.primitive) is Cholesky
            and holds(node.args[0], Fact.SYMMETRIC)
        }

    def of(
        self, nodes: Iterable[Node], wish: str, wishes: Mapping[Node, str] | None = None
    ) -> dict[Node, Var]:
        """Inputs for some tensors, with the names that are wished for them, or numbered ones."""
        found: dict[Node, Var] = {}
        for k, node in enumerate(nodes, 1):
            name = self.names.give((wishes or {}).get(node, f"{wish}_{k}"))
            words = dict.fromkeys(known_properties(node))
            if node in self._definite:
                words["spd"] = None
            found[node] = build.var(name, node.dims, [*words])
        return found


def reached(roots: Iterable[Node], is_goal: Callable[[Node], bool]) -> list[Node]:
    """The tensors of some kind that others are made of, not looking below them."""
    found: dict[Node, None] = {}
    pending = [*dict.fromkeys(roots)]
    seen = {*pending}
    while pending:
        node = pending.pop()
        if is_goal(node):
            found[node] = None
            continue
        new = [x for x in node.operands if x not in seen]
        seen.update(new)
        pending += new
    return [*found]


def is_worth_keeping(node: Node) -> bool:
    """Whether a tensor is work to make; inverses are never made, but applied."""
    if not node.operands or is_view_or_multiple(node):
        return False
    return not is_inverse(node)


def is_inverse(node: Node) -> bool:
    """Whether a tensor is an inverse."""
    return isinstance(node, Apply) and isinstance(node.primitive, Inverse)


def is_view_or_multiple(node: Node) -> bool:
    """Whether a tensor is but another view of one, or a multiple."""
    if isinstance(node, Einsum):
        return node.is_view
    return isinstance(node, Add) and len(node.terms) == 1


def useful_states(step: Step, roots: Iterable[Node]) -> list[int]:
    """The places of the states that some tensors depend on, which the last step or each makes."""
    needed = {*postorder(roots)}
    found: set[int] = set()
    while True:
        new = {
            k
            for k, state in enumerate(step.states)
            if state.last in needed or state.before in needed
        }
        if new <= found:
            return sorted(found)
        found |= new
        needed.update(postorder([step.states[k].after for k in new]))


def with_suffix(name: str, suffix: str) -> str:
    """The name of what goes with something named, as a cotangent does.

    >>> with_suffix("m{t-1}", "bar"), with_suffix("Y[t,:]", "bar"), with_suffix("A", "bar")
    ('m_bar{t-1}', 'Y_bar[t,:]', 'A_bar')
    """
    end = min(k for k in (name.find("{"), name.find("["), len(name)) if k >= 0)
    return f"{name[:end]}_{suffix}{name[end:]}"
