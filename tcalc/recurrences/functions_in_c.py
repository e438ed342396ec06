"""The functions of a run through all steps that is one call of C."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tcalc import runtime
from tcalc.expr import build
from tcalc.expr.dims import Dim
from tcalc.expr.names import FreeNames
from tcalc.expr.nodes import Const, Einsum, Node, Var
from tcalc.expr.traverse import postorder, rebuild, variables
from tcalc.language.kept_program import Series
from tcalc.recurrences.adjoint import Adjoint
from tcalc.recurrences.running import Runner
from tcalc.recurrences.step import Step

C = runtime.Options(backend="c")
Function: TypeAlias = runtime.CompiledFunction


@dataclass(frozen=True, slots=True)
class EachStep:
    """What is wanted of all steps, with an axis in front that counts them.

    Attributes:
        row: what a step makes.
        early: what stands before the row of the first step, the one next to it first.
        sorted: whether the rows are in the order of the numbers of steps, not in that of the loop.
    """

    row: Node
    early: Sequence[Node] = ()
    sorted: bool = False


@dataclass(frozen=True, slots=True)
class Back:
    """What is done behind the value for a gradient.

    Attributes:
        adjoint: the step backwards.
        direct: the derivatives of the value by inputs that it takes besides the last step.
        bars: inputs of the gradient: the cotangents of inputs and constants.
        gradient: the gradient, of the arguments, of these, and of the cotangents of states.
    """

    adjoint: Adjoint
    direct: Mapping[Var, Node]
    bars: Mapping[Var, Var]
    gradient: Sequence[Node]


@dataclass(frozen=True, slots=True)
class Functions:
    """The functions of a run, in C, those that are there.

    Attributes:
        step: the step, with what is before and behind the loop.
        names: those of the arguments.
        results: what is made of what the last step leaves, as the value, and the parts of the
            gradient.
        ends: how many of them are the former.
        rows: what is wanted of all steps, further results.
        back: what is done behind the value.
        tape: what the way back takes of each step, where the way forth was done before.
        before: inputs of steps that are computed before the loop.
        series: the slices that steps take.
        opening: what is computed before the loop: for these inputs, and what stands before rows.
        prologue: this, of the arguments.
        forth: of what a step takes, what it makes, rows, and what the way back needs.
        end: the value or the like, cotangents of what the last step leaves, and of inputs by the
            value alone.
        way_back: a step backwards.
        gradient: the parts of the gradient but for those of `spread`.
        spread: series of which the value takes slices along one axis alone: the parts that are
            their cotangents, by their places among the results.
        lengths: inputs of the functions that are numbers of steps, as in a mean over all of them.
    """

    step: Step
    names: Sequence[str]
    results: Sequence[Node]
    ends: int
    rows: Sequence[EachStep]
    back: Back | None
    tape: Sequence[Var] | None
    before: Mapping[Var, Node]
    series: Sequence[Series]
    opening: Sequence[Node]
    prologue: Function | None
    forth: Function | None
    end: Function | None
    way_back: Function | None
    gradient: Function | None
    spread: Mapping[Var, int]
    lengths: Mapping[Var, Dim]

    @property
    def parts(self) -> list[int]:
        """The places of the parts of the gradient that `gradient` makes, among the results."""
        return _parts_beside(self.spread, range(self.ends, len(self.results)))


def functions_of(
    loop: Runner,
    ends: Sequence[Node],
    rows: Sequence[EachStep],
    back: Back | None,
    tape: Sequence[Var] | None,
) -> Functions:
    """The functions of a run; they are compiled when the shapes are known."""
    step, inputs = loop.step, loop.inputs
    inside = (*step.moving, *loop.fixed)
    before, series = step.prologue, step.series
    forth = [*(x.after for x in step.states), *(x.row for x in rows)]
    bars: tuple[Var, ...] = ()
    behind: tuple[Var, ...] = inside
    last, results = [*ends], [*ends]
    way_back: list[Node] = []
    spread: dict[Var, int] = {}
    if back is not None:
        adjoint = back.adjoint
        forth += adjoint.kept.values()
        last += [*adjoint.first.values(), *back.direct.values()]
        way_back += adjoint.results
        results += back.gradient
        spread = _spread(step, back, inputs, len(ends))
        cotangents = (*adjoint.cotangents.values(),)
        bars = (*cotangents, *back.bars.values())
        behind = (*cotangents, *adjoint.kept, *inside)
    if tape is not None:
        forth = []
        taken: set[Node] = {*variables(way_back)}
        series = tuple(x for x in series if x.slice in taken)
        taken |= {x.source for x in series}
        before = {x: node for x, node in before.items() if x in taken.difference(tape)}
    opening = [*before.values(), *(node for x in rows for node in x.early)]
    parts = [results[k] for k in _parts_beside(spread, range(len(ends), len(results)))]
    lengths = _lengths(step, [*opening, *forth, *last, *way_back, *parts], (*behind, *bars))
    numbers = (*lengths.values(),)

    def in_c(roots: Sequence[Node], variables: Iterable[Var]) -> Function | None:
        if not roots:
            return None
        alike = rebuild(roots, replacements=lengths)
        return runtime.compile(alike, C, variables=(*variables, *numbers))

    return Functions(
        step=step,
        names=loop.signature.names,
        results=results,
        ends=len(ends),
        rows=rows,
        back=back,
        tape=tape,
        before=before,
        series=series,
        opening=opening,
        prologue=in_c(opening, inputs),
        forth=in_c(forth, inside),
        end=in_c(last, (*inputs, *loop.last)),
        way_back=in_c(way_back, behind),
        gradient=in_c(parts, (*inputs, *bars)),
        spread=spread,
        lengths={x: dim for node, x in lengths.items() if (dim := _length_of(node)) is not None},
    )


def _parts_beside(spread: Mapping[Var, int], places: Iterable[int]) -> list[int]:
    """The places of the parts of the gradient, but for those of `spread`."""
    apart = {*spread.values()}
    return [k for k in places if k not in apart]


def _lengths(step: Step, roots: Sequence[Node], others: Iterable[Var]) -> dict[Node, Var]:
    """Inputs for the number of steps where it is a number, so that no function is for one alone."""
    names = FreeNames({*step.names, *(x.name for x in others)})
    growing = step.growing
    return {
        node: build.var(names.give(f"length_{k}"), ())
        for k, node in enumerate(postorder(roots), 1)
        if (dim := _length_of(node)) is not None and not growing.isdisjoint(dim.names())
    }


def _length_of(node: Node) -> Dim | None:
    """The dimension whose number of elements a scalar is, if it is one."""
    match node:
        case Einsum(factors=(Const(value=value, dims=(dim,)),), output=()) if value == 1:
            return dim
        case _:
            return None


def _spread(step: Step, back: Back, inputs: Iterable[Var], ends: int) -> dict[Var, int]:
    """The series whose slices along one axis are all that the value takes of them.

    With their places among the results, which are behind the `ends`.
    """
    apart = {*inputs} - {*back.adjoint.constants, *back.direct}
    axes: dict[Node, set[int]] = {}
    for k in back.adjoint.slices:
        axes.setdefault(step.series[k].source, set()).add(step.series[k].axis)
    bars: Mapping[Node, Var] = {
        bar: x for x, bar in back.bars.items() if x in apart and len(axes.get(x, ())) == 1
    }
    return {bars[part]: k for k, part in enumerate(back.gradient, ends) if part in bars}
