"""Memory that a function keeps between calls: which large arrays it is for.

Each array of results and temporaries is written into one of a few buffers, which are given on
among values of one shape as they are needed no more.  A buffer for zeros with something placed on
a part of them is zeroed once: every call writes the same places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tcalc.codegen.memory import WORTHWHILE, counter, lifetimes, overwritten
from tcalc.codegen.program import Call, MatMul, Operation, Product, Program, Sum, Value
from tcalc.expr.dims import Shape
from tcalc.primitives.routines import Template


@dataclass(slots=True)
class Workspace:
    """The buffers: their shapes, which of them are zeroed, and for each value its buffer."""

    shapes: list[Shape] = field(default_factory=list)
    zeroed: set[int] = field(default_factory=set)
    place: dict[Value, int] = field(default_factory=dict)


def workspace(program: Program, sizes: Mapping[str, int]) -> Workspace:
    """The buffers for the arrays of a program, at certain sizes."""
    found = Workspace()
    if not program.in_place:
        return found
    elements = counter(program, sizes)
    taken = overwritten(program, sizes)
    written_over = set(taken.values())
    final = lifetimes(program)
    free: dict[Shape, list[int]] = {}
    ending: dict[int, list[int]] = {}
    for place, statement in enumerate(program.statements):
        result = statement.results[0]
        operation = statement.operation
        if place in taken:
            # The buffer goes with the array that is written over.
            buffer = found.place.get(taken[place])
            if buffer is not None and result.dims == taken[place].dims:
                found.place[result] = buffer
                ending.setdefault(final.get(result, place), []).append(buffer)
        elif (
            place >= program.prepared
            and result.dims
            and _writable(operation)
            and elements(result) >= WORTHWHILE
        ):
            known = free.get(result.dims, [])
            alone = _placed_alone(operation) and result not in written_over
            if alone or not known:
                buffer = len(found.shapes)
                found.shapes.append(result.dims)
            else:
                buffer = known.pop()
            found.place[result] = buffer
            if alone:
                found.zeroed.add(buffer)
            else:
                ending.setdefault(final.get(result, place), []).append(buffer)
        for buffer in ending.pop(place, []):
            later = any(buffer in buffers for buffers in ending.values())
            if not later:
                free.setdefault(found.shapes[buffer], []).append(buffer)
    return found


def _writable(operation: Operation) -> bool:
    match operation:
        case Product() | Sum() | MatMul():
            return True
        case Call(routine=Template(ufunc=True)):
            return True
        case _:
            return False


def _placed_alone(operation: Operation) -> bool:
    """Whether the result is zeros but for one part, which nothing else is written over."""
    match operation:
        case Sum(addends=(), placed=(_,), spans=False):
            return True
        case _:
            return False
