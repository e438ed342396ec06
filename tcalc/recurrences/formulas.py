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
from tcalc.recurrences.seeds import Seeding, active_outputs
from tcalc.recurrences.step import Step, with_suffix

_NOTHING = "# the cotangents are the same before and behind a step"


def adjoint_formulas(
    loops: Sequence[Step], wrt: Sequence[Var], notation: printing.Notation, medium: printing.Medium
) -> str:
    """What the steps backwards do, with names as the program writes them, the last loop first."""
    *before, last = loops
    if not before:
        return _formulas_of(last, wrt, notation, medium)
    by = [*wrt]
    blocks = []
    for step in before:
        outputs = active_outputs(step, by)
        if outputs:
            seeding = Seeding(step, outputs)
            found = _formulas_of(seeding.step, by, notation, medium, seeding)
            blocks.append(_titled(step, found, medium))
        by += outputs
    blocks.append(_titled(last, _formulas_of(last, by, notation, medium), medium))
    return "\n".join(filter(None, reversed(blocks)))


def _titled(step: Step, formulas: str, medium: printing.Medium) -> str:
    """The formulas of one of several loops, under its head."""
    sign = {"text": "#", "latex": "%"}.get(medium)
    if sign is None or not formulas:
        return formulas
    increment = "" if step.direction > 0 else "-1:"
    course = f"{step.counter.name} = {step.start}:{increment}{step.stop}".replace(" - ", "-")
    return f"{sign} for {course}, backwards\n{formulas}"


def _formulas_of(
    step: Step,
    wrt: Sequence[Var],
    notation: printing.Notation,
    medium: printing.Medium,
    seeding: Seeding | None = None,
) -> str:
    """What a step backwards does.

    With a `seeding`, cotangents of what later loops take are there already, and are added to.
    """
    opened = _with_constants(step)
    adjoint = adjoint_of(opened, step.value, wrt)
    made: dict[Node, Node] = dict(adjoint.kept.items())
    results = rebuild(adjoint.results, replacements=made)
    slices = seeding.slices if seeding is not None else {}
    added = {step.states[k].name for k in adjoint.before} & {x.name for x in slices}
    seeds: dict[Node, Node] = {
        bar: build.zeros(bar.dims) if x.name in added else _called(bar, _bar(x.name))
        for x, bar in slices.items()
    }
    results = rebuild(results, replacements=seeds)
    named = {x: _called(x, name) for name, x in opened.defined.items() if x.operands}
    results = rebuild(results, replacements=named)
    results = rebuild(results, replacements=_shown(step, adjoint))
    states = [step.states[k] for k in adjoint.before]
    targets = [(_bar(x.name_before), "+=" if x.name in added else "=") for x in states]
    series = [step.series[k] for k in adjoint.slices]
    sources = Counter(x.source for x in series)
    handed = {x for x in sources if isinstance(x, Var) and x.name in step.handed}
    # Slices of one tensor at several offsets have cotangents from several steps, and what an
    # earlier loop has made from its own too.
    targets += [
        (_bar(x.name), "=" if sources[x.source] == 1 and x.source not in handed else "+=")
        for x in series
    ]
    words = step.wording.words
    targets += [(_bar(words.get(x.name, x.name)), "+=") for x in adjoint.constants]
    if not targets:
        return _NOTHING if medium == "text" else ""
    order = tuple(step.inputs)
    return printing.assigned(targets, results, medium, notation=notation, order=order)


def _shown(step: Step, adjoint: Adjoint) -> dict[Node, Node]:
    """The inputs of a step and of the step backwards, as the program writes them."""
    shown: dict[Node, Node] = {x.slice: _called(x.slice, x.name) for x in step.series}
    for name in step.handed & step.wording.words.keys():
        shown[step.inputs[name]] = _called(step.inputs[name], step.wording.words[name])
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
