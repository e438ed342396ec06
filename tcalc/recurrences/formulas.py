"""The adjoint recurrence as formulas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tcalc import printing
from tcalc.expr import build
from tcalc.expr.facts import known_properties
from tcalc.expr.nodes import Node, Var
from tcalc.expr.traverse import rebuild
from tcalc.recurrences.adjoint import Adjoint, adjoint_of
from tcalc.recurrences.step import Step, with_suffix

_NOTHING = "# the cotangents are the same before and behind a step"


def adjoint_formulas(
    step: Step, wrt: Sequence[Var], notation: printing.Notation, medium: printing.Medium
) -> str:
    """What a step backwards does, with names as the program writes them."""
    opened = _with_constants(step)
    adjoint = adjoint_of(opened, step.value, wrt)
    made: dict[Node, Node] = dict(adjoint.kept.items())
    results = rebuild(adjoint.results, replacements=made)
    named = {x: _called(x, name) for name, x in opened.defined.items() if x.operands}
    results = rebuild(results, replacements=named)
    results = rebuild(results, replacements=_shown(step, adjoint))
    targets = [(_bar(step.states[k].name_before), "=") for k in adjoint.before]
    series = [step.series[k] for k in adjoint.slices]
    sources = Counter(x.source for x in series)
    # Slices of one tensor at several offsets have cotangents from several steps.
    targets += [(_bar(x.name), "=" if sources[x.source] == 1 else "+=") for x in series]
    targets += [(_bar(x.name), "+=") for x in adjoint.constants]
    if not targets:
        return _NOTHING if medium == "text" else ""
    order = tuple(step.inputs)
    return printing.assigned(targets, results, medium, notation=notation, order=order)


def _shown(step: Step, adjoint: Adjoint) -> dict[Node, Node]:
    """The inputs of a step and of the step backwards, as the program writes them."""
    shown: dict[Node, Node] = {x.slice: _called(x.slice, x.name) for x in step.series}
    for state in step.states:
        if state.before is not None:
            shown[state.before] = _called(state.before, state.name_before)
    for k, cotangent in adjoint.cotangents.items():
        shown[cotangent] = _called(cotangent, _bar(step.states[k].name))
    return shown


def _with_constants(step: Step) -> Step:
    """The step with what is computed before the loop as formulas of the inputs."""
    known: dict[Node, Node] = {x: step.prologue[x] for x in step.constants}
    afters = rebuild([x.after for x in step.states], replacements=known)
    defined = rebuild([*step.defined.values()], replacements=known)
    return replace(
        step,
        states=tuple(replace(x, after=y) for x, y in zip(step.states, afters, strict=True)),
        defined=dict(zip(step.defined, defined, strict=True)),
        prologue={x: node for x, node in step.prologue.items() if x not in known},
        constants=(),
    )


def _bar(name: str) -> str:
    return with_suffix(name, "bar")


def _called(node: Node, name: str) -> Var:
    return build.var(name, node.dims, known_properties(node))
