"""Memory that a function keeps between calls: which large arrays it is for.

Each array of results and temporaries is written into one of a few buffers, which are given on
among values of one shape as they are needed no more.  A buffer for zeros with something placed on
a part of them is zeroed once: every call writes the same places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from tcalc.codegen.memory import WORTHWHILE, counter, lifetimes, overwritten
from tcalc.codegen.program import Call, MatMul, Operation, Product, Program, Sum, Value
from tcalc.expr.dims import Shape
from tcalc.primitives.routines import Template
from tcalc.records import dataclass


@dataclass(slots=True)
class Workspace:
    """The buffers: their shapes, which of them are zeroed, and for each value its buffer."""

    shapes: list[Shape] = field(default_factory=list)
    zeroed: set[int] = field(default_factory=set)
    place: dict[Value, int] = field(default_factory=dict)


def workspace(program: Program, sizes: Mapping[str, int]) -> Workspace:
    """The buffers for the arrays of a program, at certain sizes."""
    allotment = _Allotment(program, sizes)
    if program.in_place:
        for place in range(len(program.statements)):
            allotment.give(place)
            allotment.take_back(place)
    return allotment.found


class _Allotment:
    """Buffers as they are given to values, statement by statement, and come back."""

    def __init__(self, program: Program, sizes: Mapping[str, int]) -> None:
        self.program = program
        self.found = Workspace()
        self.held: dict[Value, int] = {}
        self.elements = counter(program, sizes)
        self.overwritten = overwritten(program, sizes)
        self.kept = set(self.overwritten.values())
        self.final = lifetimes(program)
        self.free: dict[Shape, list[int]] = {}
        self.ending: dict[int, list[int]] = {}

    def give(self, place: int) -> None:
        """A buffer to the result of a statement, if it is written into one."""
        statement = self.program.statements[place]
        result, operation = statement.results[0], statement.operation
        if place in self.overwritten:
            # The buffer goes with the array that is written over.
            source = self.overwritten[place]
            buffer = self.held.get(source)
            if buffer is None:
                return
            if source in self.found.place and result.dims == source.dims:
                self._let(result, buffer, place)
            else:
                self._hold(result, buffer, place)  # a factorisation, or what is made of it
        elif place >= self.program.prepared and self._is_large(result) and _writable(operation):
            if _placed_alone(operation) and result not in self.kept:
                buffer = self._new(result.dims)
                self.found.zeroed.add(buffer)
                self.found.place[result] = buffer
            else:
                known = self.free.get(result.dims, [])
                self._let(result, known.pop() if known else self._new(result.dims), place)

    def take_back(self, place: int) -> None:
        """The buffers of values that nobody reads after a statement, and no later one has."""
        for buffer in self.ending.pop(place, []):
            if not any(buffer in buffers for buffers in self.ending.values()):
                self.free.setdefault(self.found.shapes[buffer], []).append(buffer)

    def _is_large(self, value: Value) -> bool:
        return bool(value.dims) and self.elements(value) >= WORTHWHILE

    def _new(self, dims: Shape) -> int:
        self.found.shapes.append(dims)
        return len(self.found.shapes) - 1

    def _let(self, value: Value, buffer: int, place: int) -> None:
        """A buffer for as long as a value is read."""
        self.found.place[value] = buffer
        self._hold(value, buffer, place)

    def _hold(self, value: Value, buffer: int, place: int) -> None:
        """A buffer that a value may lie in is no other's for as long as the value is read."""
        self.held[value] = buffer
        self.ending.setdefault(self.final.get(value, place), []).append(buffer)


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
