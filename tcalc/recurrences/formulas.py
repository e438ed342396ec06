"""The adjoint recurrence as formulas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from tcalc import printing
from tcalc.expr import build
from tcalc.expr.facts import known_properties
from tcalc.expr.nodes import Node, Var
from tcalc.expr.traverse import rebuild
from tcalc.language.kept_program import Series, State
from tcalc.primitives.operators import is_zero
from tcalc.recurrences.adjoint import Adjoint, adjoint_of
from tcalc.recurrences.seeds import Seeded, Seeding
from tcalc.recurrences.step import Step, with_suffix

_NOTHING = "# the cotangents are the same before and behind a step"


def adjoint_formulas(
    last: Step,
    by: Sequence[Var],
    earlier: Sequence[Seeded],
    notation: printing.Notation,
    medium: printing.Medium,
) -> str:
    """What the steps backwards do, with names as the program writes them.

    `by` are the inputs of the last loop whose cotangents are wanted, and `earlier` the gradients of
    the loops before it, backwards.
    """
    found = [_backwards(last, by), *(_backwards(x.seeding.step, x.by, x.seeding) for x in earlier)]
    # A tensor of which steps take several slices has cotangents from several steps, or loops.
    uses = Counter(_source(x) for loop in found for x in loop.series)
    several = {name for name, count in uses.items() if count > 1}
    blocks = [_formulas_of(x, several, notation, medium) for x in found]
    if last.handed:
        blocks = [_titled(x.step, text, medium) for x, text in zip(found, blocks, strict=True)]
    return "\n".join(filter(None, blocks)) or (_NOTHING if medium == "text" else "")


def _titled(step: Step, formulas: str, medium: printing.Medium) -> str:
    """The formulas of one of several loops, under its head."""
    sign = {"text": "#", "latex": "%"}.get(medium)
    if sign is None or not formulas:
        return formulas
    increment = "" if step.direction > 0 else "-1:"
    course = f"{step.counter.name} = {step.start}:{increment}{step.stop}".replace(" - ", "-")
    return f"{sign} for {course}, backwards\n{formulas}"


@dataclass(frozen=True, slots=True)
class _Backwards:
    """A step backwards; with a `seeding`, later loops have cotangents of what it takes of them."""

    step: Step
    adjoint: Adjoint
    seeding: Seeding | None

    @property
    def states(self) -> list[State]:
        """The states before the step that have cotangents."""
        return [self.step.states[k] for k in self.adjoint.before]

    @property
    def series(self) -> list[Series]:
        """The series whose slices have cotangents."""
        return [self.step.series[k] for k in self.adjoint.slices]


def _backwards(step: Step, wrt: Sequence[Var], seeding: Seeding | None = None) -> _Backwards:
    opened = _with_constants(step)
    return _Backwards(opened, adjoint_of(opened, step.value, wrt), seeding)


def _source(series: Series) -> str:
    """How the tensor is written that is run through."""
    return series.name.partition("[")[0]


def _formulas_of(
    backwards: _Backwards,
    several: Collection[str],
    notation: printing.Notation,
    medium: printing.Medium,
) -> str:
    """What a step backwards does, if anything.

    The cotangents of the `several` tensors, and of what loops hand on, are there already, and are
    added to.
    """
    step, adjoint = backwards.step, backwards.adjoint
    made: dict[Node, Node] = dict(adjoint.kept.items())
    results = rebuild(adjoint.results, replacements=made)
    cotangents, added = _added_to(backwards)
    results = rebuild(results, replacements=cotangents)
    named = {x: _called(x, name) for name, x in step.defined.items() if x.operands}
    results = rebuild(results, replacements=named)
    results = rebuild(results, replacements=_shown(step, adjoint))
    targets = [(_bar(x.name_before), "+=" if x.stem in added else "=") for x in backwards.states]
    for x in backwards.series:
        assert isinstance(x.source, Var)
        is_added = x.source.name in step.handed or _source(x) in several
        targets.append((_bar(x.name), "+=" if is_added else "="))
    words = step.wording.words
    targets += [(_bar(words.get(x.name, x.name)), "+=") for x in adjoint.constants]
    pairs = [
        (target, x)
        for target, x in zip(targets, results, strict=True)
        if target[1] == "=" or not is_zero(x)
    ]
    if not pairs:
        return ""
    order = tuple(step.inputs)
    targets, results = [x for x, _ in pairs], [x for _, x in pairs]
    return printing.assigned(targets, results, medium, notation=notation, order=order)


def _added_to(backwards: _Backwards) -> tuple[dict[Node, Node], set[str]]:
    """What stands for the cotangents of what later loops take; the states that these are of.

    Such a state has one cotangent for the reader, ``m_bar{t}``, though here it has several: that of
    the rows, and one for each number of steps back.  One is left, and a step adds to it.
    """
    step, cotangents = backwards.step, backwards.adjoint.cotangents
    if backwards.seeding is None:
        return {}, set()
    taken = {x.name: bar for x, bar in backwards.seeding.slices.items()}
    states = {k: step.states[k] for k in cotangents}
    added = {x.stem for x in states.values() if x.name in taken}
    beside = [taken[x.name] for x in states.values() if x.name in taken]
    beside += [cotangents[k] for k, x in states.items() if x.stem in added and x.name not in taken]
    found: dict[Node, Node] = {bar: _called(bar, _bar(name)) for name, bar in taken.items()}
    return found | {bar: build.zeros(bar.dims) for bar in beside}, added


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
