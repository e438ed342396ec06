"""A program with loops that are kept, as what one step of each computes."""

from __future__ import annotations

from collections.abc import Mapping

from tcalc.expr import Dim, Node, Var
from tcalc.language.program import Program
from tcalc.records import dataclass


@dataclass(frozen=True, slots=True)
class State:
    """What a step hands on: ``m{t}`` as the program has it, or what it was some steps before.

    Attributes:
        name: how it is written after a step, ``m{t}``.
        name_before: how it is written before it, ``m{t-1}``.
        stem: the same as a name without braces.
        before: the input of a step that it is; None where no step needs it.
        initial: what that is in the first step.
        after: what a step makes of it.
        last: the input of the value that it is after the last step; None where that needs none.
    """

    name: str
    name_before: str
    stem: str
    before: Var | None
    initial: Node | None
    after: Node
    last: Var | None


@dataclass(frozen=True, slots=True)
class Series:
    """What a step takes of a tensor: the slice at the counter + `offset`, from 1, on one axis.

    `name` is how it is written, ``Y[t,:]``, and `slice` the input that it is.
    """

    name: str
    source: Node
    axis: int
    offset: int
    slice: Var


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What a loop hands on to later ones of each step, in the order of the steps' numbers.

    Attributes:
        name: how it is written after a step, ``m{t}``.
        rows: the input of later loops that has all of it, with an axis in front.
        row: what a step makes.
        early: what stands before the row of the first step, the one next to it first.
    """

    name: str
    rows: Var
    row: Node
    early: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class RecurrenceProgram:
    """The last one of a program's loops that are kept, or an earlier one, and what is before it.

    Attributes:
        counter: the number of a step as an input of it.
        start, stop: the numbers of the first step and of the last one.
        direction: 1 where the counter goes up, -1 where it goes down.
        states: what steps hand on.
        series: what they take of tensors, each time another slice.
        written: how the program writes what the inputs of a step and of the value stand for, as
            ``m{t-1}`` and ``Y[t,:]``, by their names.
        steps: by name everything that a step defines.
        program: its value, of inputs and of what the last step leaves; its inputs, and the like.
        handed: the inputs of the step and of the value that earlier loops hand on.
        earlier: the program as far as each earlier loop, without a value.
        trajectories: what it hands on to later loops of each step.
    """

    counter: Var
    start: Dim
    stop: Dim
    direction: int
    states: tuple[State, ...]
    series: tuple[Series, ...]
    written: Mapping[str, str]
    steps: Mapping[str, Node]
    program: Program
    handed: tuple[Var, ...] = ()
    earlier: tuple[RecurrenceProgram, ...] = ()
    trajectories: tuple[Trajectory, ...] = ()
