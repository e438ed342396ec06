"""The adjoint recurrence as formulas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from tcalc import printing
from tcalc.expr import build
from tcalc.expr.facts import known_properties
from tcalc.expr.nodes import Node, Var
from tcalc.expr.traverse import rebuild
from tcalc.recurrences.adjoint import adjoint_of
from tcalc.recurrences.step import Step, with_suffix


def adjoint_formulas(step: Step, wrt: Sequence[Var], notation: printing.Notation) -> str:
    """What a step backwards does, a statement to a line, as the program writes names."""
    bar = partial(with_suffix, suffix="bar")
    opened = _with_constants(step)
    adjoint = adjoint_of(opened, step.value, wrt)
    made: dict[Node, Node] = dict(adjoint.kept.items())
    results = rebuild(adjoint.results, replacements=made)
    # What the program has a name for, the last name first: it may be made of the others.
    for name, node in reversed([*opened.defined.items()]):
        if node.operands:
            results = rebuild(results, replacements={node: _called(node, name)})
    shown: dict[Node, Node] = {}
    for state in step.states:
        if state.before is not None:
            shown[state.before] = _called(state.before, state.name_before)
    for series in step.series:
        shown[series.slice] = _called(series.slice, series.name)
    for k, cotangent in adjoint.cotangents.items():
        shown[cotangent] = _called(cotangent, bar(step.states[k].name))
    results = rebuild(results, replacements=shown)
    text = printing.to_text(results, notation=notation, order=tuple(step.inputs))
    names = [f"{with_suffix(step.states[k].name_before, 'bar')} =" for k in adjoint.before]
    sources = Counter(step.series[k].source for k in adjoint.slices)
    for k in adjoint.slices:
        series = step.series[k]
        # Slices of one tensor at several offsets have cotangents from several steps.
        names.append(
            f"{with_suffix(series.name, 'bar')} {'=' if sources[series.source] == 1 else '+='}"
        )
    names += [f"{with_suffix(x.name, 'bar')} +=" for x in adjoint.constants]
    lines = text.split("\n")
    parts = lines[: len(lines) - len(names)]
    ends = lines[len(parts) :]
    return "\n".join([*parts, *(f"{x} {line}" for x, line in zip(names, ends, strict=True))])


def _with_constants(step: Step) -> Step:
    """The step with what is computed before the loop as formulas of the inputs."""
    known: dict[Node, Node] = {x: step.opening[x] for x in step.constants}
    afters = rebuild([x.after for x in step.states], replacements=known)
    defined = rebuild([*step.defined.values()], replacements=known)
    return replace(
        step,
        states=tuple(replace(x, after=y) for x, y in zip(step.states, afters, strict=True)),
        defined=dict(zip(step.defined, defined, strict=True)),
        opening={x: node for x, node in step.opening.items() if x not in known},
        constants=(),
    )


def _called(node: Node, name: str) -> Var:
    return build.var(name, node.dims, known_properties(node))
