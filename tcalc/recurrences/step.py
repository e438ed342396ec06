"""What a step of a recurrence is made of: what is the same in all of them is computed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tcalc.calculus import prepare
from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.facts import known_properties
from tcalc.expr.names import free_name
from tcalc.expr.nodes import Add, Const, Delta, Einsum, Node, Var
from tcalc.expr.traverse import dependents, postorder, rebuild
from tcalc.language import RecurrenceProgram, Series, State


@dataclass(frozen=True, slots=True)
class Step:
    """One step, apart from what is the same in all of them.

    Attributes:
        start, stop: the numbers of the first step and of the last one.
        counter: its number, as an input.
        states: what it hands on.
        series: the slices that it takes; their sources are inputs.
        opening: inputs of the first step or of all that are computed before the loop, and what
            they are: constants, what the states are at first, tensors that are run through.
        constants: those of them that are the same in all steps.
        defined: by name, everything that the program defines in a step.
        inputs: those of the program, by name.
        value: the value, of inputs of the program and of what the last step leaves.
    """

    start: int
    stop: Dim
    counter: Var
    states: tuple[State, ...]
    series: tuple[Series, ...]
    opening: Mapping[Var, Node]
    constants: tuple[Var, ...]
    defined: Mapping[str, Node]
    inputs: Mapping[str, Var]
    value: Node

    @property
    def moving(self) -> tuple[Var, ...]:
        """The inputs that are others in each step: states, slices, and the counter."""
        return (*_moving(self.states, self.series), self.counter)

    @property
    def fixed(self) -> tuple[Var, ...]:
        """The inputs that are the same in all steps, which need not take all of them."""
        return (*self.inputs.values(), *self.constants)

    @property
    def names(self) -> set[str]:
        """The names of all inputs."""
        return {x.name for x in (*self.moving, *self.fixed, *self.opening)}


def step_of(recurrence: RecurrenceProgram) -> Step:
    """The step of a program, with all that does not change from step to step in its opening."""
    program, states = recurrence.program, recurrence.states
    moving = (*_moving(states, recurrence.series), recurrence.counter)
    last = [x.last for x in states if x.last is not None]
    taken = {x.name for x in (*program.variables.values(), *moving, *last)}
    opening: dict[Var, Node] = {}

    def opened(node: Node, wish: str) -> Var:
        name = free_name(wish, taken)
        taken.add(name)
        variable = build.var(name, node.dims, known_properties(node))
        opening[variable] = node
        return variable

    named = {name: x for name, x in program.definitions.items() if name.isidentifier()}
    made = prepare([*(x.after for x in states), *recurrence.steps.values(), *named.values()])
    inside, behind = made[: -len(named) or None], made[len(made) - len(named) :]
    wishes = dict(zip(reversed(behind), reversed([*named]), strict=True))
    constants: dict[Node, Node] = {
        node: opened(node, wishes.get(node, f"constant_{k}"))
        for k, node in enumerate(_fixed(inside, moving), 1)
    }
    inside = rebuild(inside, replacements=constants)
    afters, defined = inside[: len(states)], inside[len(states) :]
    sources: dict[Node, Node] = {}
    for x in recurrence.series:
        if x.source not in sources:
            source = x.source
            sources[source] = (
                source if isinstance(source, Var) else opened(source, f"{x.slice.name}_all")
            )
    opening |= {x.before: x.initial for x in states if x.before and x.initial}
    return Step(
        start=recurrence.start,
        stop=recurrence.stop,
        counter=recurrence.counter,
        states=tuple(replace(x, after=after) for x, after in zip(states, afters, strict=True)),
        series=tuple(replace(x, source=sources[x.source]) for x in recurrence.series),
        opening=opening,
        constants=tuple(x for x in constants.values() if isinstance(x, Var)),
        defined=dict(zip(recurrence.steps, defined, strict=True)),
        inputs=program.variables,
        value=program.value,
    )


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
        if is_light(node):
            pending += node.operands
        else:
            found[node] = None
    return [node for node in postorder(roots) if node in found]


def is_light(node: Node) -> bool:
    """Whether a tensor is but another view of one, or a multiple."""
    if isinstance(node, Einsum):
        return node.is_view
    return isinstance(node, Add) and len(node.terms) == 1
