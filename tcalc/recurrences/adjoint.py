"""The adjoint of a recurrence: a step backwards, from the cotangents of what a step has left.

With states s, what comes from outside of a step x, and constants c, the step s' = F(s, x, c) and
the value V(s of the last step, c), cotangents go backwards (Griewank and Walther, *Evaluating
Derivatives*, ch. 4):

    s̄ = (∂F/∂s)' s̄',    x̄ = (∂F/∂x)' s̄',    c̄ = c̄ + (∂F/∂c)' s̄'

Tensors that a step makes on its way and that its adjoint needs are kept from the way forth, not
made again.  A cotangent that is the same in all steps is put in where it is a number, as is that
of a sum that grows from step to step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tcalc import calculus
from tcalc.expr import build
from tcalc.expr.facts import known_properties
from tcalc.expr.names import FreeNames
from tcalc.expr.nodes import Const, Node, Var
from tcalc.expr.traverse import dependents, postorder, rebuild
from tcalc.primitives.operators import is_zero
from tcalc.recurrences.step import StandIns, Step, is_worth_keeping, reached, useful_states


@dataclass(frozen=True, slots=True)
class Adjoint:
    """A step backwards, for the derivatives of a value by some inputs of the program.

    States and series are told by their places.

    Attributes:
        first: the cotangents of the states after the last step, of inputs of the value; what a step
            backwards hands on may be missing where it is zero.
        steady: the cotangents of states that are a number, the same in all steps.
        cotangents: the cotangents of the states after a step, as inputs of the step backwards.
        before: the cotangents of what the states were before it.
        slices: the cotangents of the slices that it has taken.
        constants: what it adds to the cotangents of its constants.
        kept: the inputs of the step backwards that stand for tensors of the step, and these.
    """

    first: Mapping[int, Node]
    steady: Mapping[int, Node]
    cotangents: Mapping[int, Var]
    before: Mapping[int, Node]
    slices: Mapping[int, Node]
    constants: Mapping[Var, Node]
    kept: Mapping[Var, Node]

    @property
    def results(self) -> tuple[Node, ...]:
        """All that a step backwards computes, in the order of the attributes."""
        return (*self.before.values(), *self.slices.values(), *self.constants.values())


def adjoint_of(step: Step, value: Node, wrt: Sequence[Var]) -> Adjoint:
    """The step backwards for the derivative of a value by some inputs of the program."""
    states = step.states
    active = active_inputs(step, wrt)
    useful = useful_states(step, [value])
    live = dependents([states[k].after for k in useful], active)
    # What depends on them at first only counts too: a step may hand it on to another state.
    places = [k for k in useful if states[k].after in live or states[k].before in live]
    if not places:
        return Adjoint({}, {}, {}, {}, {}, {}, {})
    last = {k: x for k in places if (x := states[k].last) is not None}
    first = dict(zip(last, calculus.derivatives(value, [*last.values()], "reverse"), strict=True))
    cotangents = _cotangent_inputs(step, places, wrt)
    before = {k: x for k in places if (x := states[k].before) is not None and x in active}
    slices = {k: x.slice for k, x in enumerate(step.series) if x.slice in active}
    constants = [x for x in (*wrt, *step.constants) if x in active]
    targets = [*before.values(), *slices.values(), *constants]
    found = calculus.vjps([(states[k].after, cotangents[k]) for k in places], targets)
    parts = dict(zip(targets, found, strict=True))
    for x in before.values():
        parts[x] = calculus.project(parts[x], x)
    steady: dict[int, Node] = {
        k: start
        for k, x in before.items()
        if parts[x] is cotangents[k] and isinstance(start := first.get(k), Const)
    }
    known: dict[Node, Node] = {cotangents[k]: number for k, number in steady.items()}
    results = calculus.prepare(rebuild([parts[x] for x in targets], replacements=known))
    afters = [state.after for state in states]
    made = {node for node in postorder(afters) if is_worth_keeping(node)}
    taken = {*step.names, *(x.name for x in (*wrt, *cotangents.values()))}
    inputs = StandIns(afters, taken).of(reached(results, made.__contains__), "kept")
    parts = dict(zip(targets, rebuild(results, replacements=inputs), strict=True))
    # Zeros of a size that an input alone tells would make the value depend on this.
    nothing = {k for k, node in first.items() if k in before and is_zero(node)}
    return Adjoint(
        first={k: node for k, node in first.items() if k not in {*steady, *nothing}},
        steady=steady,
        cotangents={k: x for k, x in cotangents.items() if k not in steady},
        before={k: parts[x] for k, x in before.items() if k not in steady},
        slices={k: parts[x] for k, x in slices.items()},
        constants={x: parts[x] for x in constants if not is_zero(parts[x])},
        kept={variable: node for node, variable in inputs.items()},
    )


def active_inputs(step: Step, wrt: Sequence[Var]) -> set[Node]:
    """The inputs of a step that depend on some inputs of the program, and these."""
    active: set[Node] = {*wrt}
    live = dependents(step.prologue.values(), wrt)
    active |= {x for x, node in step.prologue.items() if node in live}
    active |= {x.slice for x in step.series if x.source in active}
    afters = [x.after for x in step.states]
    while True:
        live = dependents(afters, active)
        found = {x.before for x in step.states if x.before is not None and x.after in live}
        if found <= active:
            return active
        active |= found


def _cotangent_inputs(step: Step, places: Iterable[int], wrt: Sequence[Var]) -> dict[int, Var]:
    names = FreeNames({*step.names, *(x.name for x in wrt)})
    found: dict[int, Var] = {}
    for k in places:
        state = step.states[k]
        name = names.give(f"{state.stem}_bar")
        like = state.after if state.before is None else state.before
        words = [x for x in known_properties(like) if x == "symmetric"]
        found[k] = build.var(name, like.dims, words)
    return found
