"""The directional derivative of a recurrence, which is a recurrence: each state has a tangent.

    s' = F(s, x, c),    ṡ' = ∂F/∂s ṡ + ∂F/∂x ẋ + ∂F/∂c ċ

Its gradient by the inputs is the product of the Hessian with the direction (Pearlmutter, *Fast
exact multiplication by the Hessian*).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tcalc import calculus
from tcalc.expr import build
from tcalc.expr.names import FreeNames
from tcalc.expr.nodes import Node, Var
from tcalc.expr.traverse import variables
from tcalc.language.kept_program import RecurrenceProgram, Series, State
from tcalc.recurrences.adjoint import active_inputs
from tcalc.recurrences.seeds import active_outputs
from tcalc.recurrences.step import Step, with_suffix

CARRIED_OVER = ("symmetric", "diagonal", "lower", "upper")
"""What a tangent is where the state is."""


class _Tangents:
    """Inputs for the tangents of others, by these."""

    def __init__(
        self, program: RecurrenceProgram, step: Step, directions: Mapping[Var, Var]
    ) -> None:
        self.known: dict[Var, Node] = {**directions}
        inputs = (*program.program.variables.values(), *program.handed)
        last = [x.last for x in program.states if x.last is not None]
        taken = (*inputs, *last, *step.moving, *directions.values())
        self._names = FreeNames({x.name for x in taken})

    def add(self, x: Var) -> Var:
        """An input for the tangent of one."""
        name = self._names.give(f"{x.name}_dot")
        words = [word for word in x.properties if word in CARRIED_OVER]
        tangent = build.var(name, x.dims, words)
        self.known[x] = tangent
        return tangent

    def input(self, x: Var | None) -> Var | None:
        """The input that the tangent of one is, if it has one."""
        tangent = None if x is None else self.known.get(x)
        return tangent if isinstance(tangent, Var) else None

    def of(self, node: Node) -> Node:
        """The tangent of a tensor."""
        own = {x: d for x in variables([node]) if (d := self.known.get(x)) is not None}
        return calculus.jvp(node, own) if own else build.zeros(node.dims)


def tangent_of(
    program: RecurrenceProgram, steps: Sequence[Step], directions: Mapping[Var, Var]
) -> RecurrenceProgram:
    """The program of the directional derivative; directions are inputs, by those they are for.

    `steps` are those of the loops of the program, in their order.
    """
    moving = dict(directions)  # with what earlier loops hand on
    own = [*directions.values()]
    earlier: list[RecurrenceProgram] = []
    for loop, step in zip(program.earlier, steps, strict=False):
        made, tangents = _tangent_loop(loop, step, moving, own)
        earlier.append(made)
        moving |= tangents
    found, _ = _tangent_loop(program, steps[-1], moving, own)
    return replace(found, earlier=tuple(earlier))


def _tangent_loop(
    program: RecurrenceProgram, step: Step, directions: Mapping[Var, Var], own: Sequence[Var]
) -> tuple[RecurrenceProgram, dict[Var, Var]]:
    """One loop with its tangents, and the tangents of what it hands on that has any.

    Those of the `directions` that are no `own` inputs of the whole are handed on by earlier loops.
    """
    active = active_inputs(step, [*directions])
    tangents = _Tangents(program, step, directions)
    series: list[Series] = []
    for x in program.series:
        if x.slice in active:
            dot = tangents.add(x.slice)
            series.append(
                replace(x, name=with_suffix(x.name, "dot"), source=tangents.of(x.source), slice=dot)
            )
    for state in program.states:
        if state.before is not None and state.before in active:
            tangents.add(state.before)
        if state.last is not None:
            tangents.add(state.last)
    states = [_tangent_state(state, tangents) for state in program.states]
    handed = active_outputs(step, [*directions])
    trajectories = [
        replace(
            x,
            name=with_suffix(x.name, "dot"),
            rows=tangents.add(x.rows),
            row=tangents.of(x.row),
            early=tuple(map(tangents.of, x.early)),
        )
        for x in program.trajectories
        if x.rows in handed
    ]
    whole = program.program
    found = replace(
        program,
        states=(*program.states, *states),
        series=(*program.series, *series),
        program=replace(
            whole,
            value=tangents.of(whole.value),
            variables={**whole.variables, **{x.name: x for x in own}},
        ),
        handed=(*program.handed, *(x for x in directions.values() if x not in own)),
        trajectories=(*program.trajectories, *trajectories),
    )
    return found, {x: d for x in handed if (d := tangents.input(x)) is not None}


def _tangent_state(state: State, tangents: _Tangents) -> State:
    before = tangents.input(state.before)
    return replace(
        state,
        name=with_suffix(state.name, "dot"),
        name_before=with_suffix(state.name_before, "dot"),
        stem=f"{state.stem}_dot",
        before=before,
        initial=None if before is None or state.initial is None else tangents.of(state.initial),
        after=tangents.of(state.after),
        last=tangents.input(state.last),
    )
