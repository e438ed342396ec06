"""A C function while it is written: the places of its values, its names, and its memory."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod

from tcalc.codegen.binding import crossing
from tcalc.codegen.c.loops import Loop, nested
from tcalc.codegen.c.places import Place, number, row_major, viewed
from tcalc.codegen.memory import lifetimes, shared
from tcalc.codegen.program import Factorise, Operation, Program, Solver, Value, View
from tcalc.codegen.signature import Names, Signature
from tcalc.codegen.texts import renamed
from tcalc.expr.dims import Dim, Shape

ALIGNED = 8
"""Of how many elements the beginnings of arrays are multiples, for vector instructions."""
INDICES = "ijkl"
MOST_INDICES = 64
"""More than loops over the axes of two arrays have: C's integers count 2^30 elements of each."""
NUMERAL = r"\(?-?\d[\d.e+-]*\)?"
KEYWORDS = frozenset((
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else",
    "enum", "extern", "float", "for", "goto", "if", "inline", "int", "long", "register",
    "restrict", "return", "short", "signed", "sizeof", "static", "struct", "switch",
    "typedef", "union", "unsigned", "void", "volatile", "while", "asm", "typeof", "linux", "unix",
    "main", "real", "work", "work_size", "kept", "kept_size", "compute", "prepare",
))  # fmt: skip

DENSE = (Solver.GENERAL, Solver.SPD)
"""The solvers by factors that are made, where a triangle is its own."""
RESERVED = re.compile(r"(t|sum)\d+|(M|FP)_\w+|(HUGE_VAL|MATH_ERR)\w*")
"""What numbers are called within a loop over elements; and constants of the C library."""


def identifier(wish: str) -> str:
    """A name of the user's with ASCII letters alone: ``α`` is ``alpha``."""
    letters = [x if x.isascii() else _spelled(x) for x in unicodedata.normalize("NFKC", wish)]
    name = re.sub(r"\W", "_", "".join(letters), flags=re.ASCII)
    return f"{name}_" if RESERVED.fullmatch(name) else name


def lender_of(operation: Operation) -> Value | None:
    """The value whose memory the result of an operation is a part of, if it is.

    Factors have their own, those of stacks too.
    """
    match operation:
        case Factorise(solver=solver) if solver in DENSE:
            return None
        case _:
            return shared(operation)


def _spelled(letter: str) -> str:
    return unicodedata.name(letter, "x").rpartition(" ")[2].lower()


class Memory:
    """Stretches of one array that are given out, and given out again once they are free."""

    def __init__(self) -> None:
        self.size = 0
        self._free: dict[int, list[int]] = {}

    def take(self, count: int) -> int:
        """The beginning of a stretch: a free one of this length, or a new one."""
        count = _aligned(count)
        free = self._free.get(count)
        if free:
            return free.pop()
        start, self.size = self.size, self.size + count
        return start

    def give_back(self, start: int, count: int) -> None:
        self._free.setdefault(_aligned(count), []).append(start)


def _aligned(count: int) -> int:
    return -(-count // ALIGNED) * ALIGNED


class Code:
    """The lines of a function so far, and what they have in hand.

    `places` are those of the values, `helpers` the names of the functions of the preamble that are
    called.
    """

    def __init__(
        self,
        program: Program,
        signature: Signature,
        sizes: Mapping[str, int],
        taken: Iterable[str],
    ) -> None:
        self.program = program
        self.signature = signature
        self.known = sizes
        self.names = Names({*KEYWORDS, *taken})
        self.parameters = {x.name: self.names.give(identifier(x.name)) for x in signature.arguments}
        self.sizes = {name: self.names.give(identifier(name)) for name in signature.sizes}
        count = len(program.outputs)
        self.results = [
            self.names.give("result" if count == 1 else f"result{k + 1}") for k in range(count)
        ]
        self.places: dict[Value, Place] = {}
        self.lines: list[str] = []
        self.helpers: dict[str, None] = {}
        self.memory = Memory()
        self.kept = Memory()
        self._indices = self._index_names()
        self._blocks: dict[Value, tuple[int, int]] = {}
        self._arrays: dict[str, str] = {}
        self._count = 0
        self._direct = self._direct_results()
        self._ending = self._endings()
        self._crossing = self._lenders(crossing(program))

    def _index_names(self) -> list[str]:
        found: list[str] = []
        round_ = 0
        while len(found) < MOST_INDICES:
            for letter in INDICES:
                name = f"{letter}{round_ or ''}"
                if name not in self.names.taken:
                    found.append(name)
            round_ += 1
        self.names.taken.update(found)
        return found

    def _direct_results(self) -> dict[Value, str]:
        """The values that are made in the memory of the caller's results."""
        outputs = [x.view.value for x in self.program.outputs]
        first = self.program.statements[: self.program.prepared]
        prepared = {value for statement in first for value in statement.results}
        return {
            x.view.value: name
            for x, name in zip(self.program.outputs, self.results, strict=True)
            if x.view.plain
            and x.view.dims
            and outputs.count(x.view.value) == 1
            and x.view.value not in prepared
        }

    def _lenders(self, values: Iterable[Value]) -> set[Value]:
        """Some values, and those whose memory they are a part of."""
        source: dict[Value, Value] = {}
        for statement in self.program.statements[: self.program.prepared]:
            if (lender := lender_of(statement.operation)) is not None:
                source.update(dict.fromkeys(statement.results, source.get(lender, lender)))
        return {x for value in values for x in (value, source.get(value, value))}

    def _endings(self) -> dict[int, list[Value]]:
        """For each statement the values whose memory nobody needs after it."""
        final = lifetimes(self.program, lender_of)
        ending: dict[int, list[Value]] = {}
        for place, statement in enumerate(self.program.statements):
            for value in statement.results:
                ending.setdefault(final.get(value, place), []).append(value)
        return ending

    # sizes and indices

    def length(self, dim: Dim) -> int:
        return dim.evaluate(self.known)

    def count(self, dims: Shape) -> int:
        return prod(map(self.length, dims))

    def size(self, dim: Dim) -> str:
        """A dimension as a factor of an expression."""
        if dim.value is not None:
            return str(dim.value) if dim.value >= 0 else f"({dim.value})"
        if "min(" in str(dim):
            return str(self.length(dim))
        text = str(renamed(dim, self.sizes))
        text = re.sub(r"(\w+)\^(\d+)", lambda power: "*".join([power[1]] * int(power[2])), text)
        return f"({text})" if re.search("[-+]", text) else text

    def indices(self, dims: Sequence[Dim]) -> list[str | None]:
        """An index for each axis; None for one of length 1, which needs none."""
        names = iter(self._indices)
        return [None if self.length(dim) == 1 else next(names) for dim in dims]

    def loops(self, dims: Sequence[Dim], indices: Sequence[str | None]) -> list[Loop]:
        return [(x, self.size(dim)) for dim, x in zip(dims, indices, strict=True) if x is not None]

    def offset(self, place: Place, indices: Sequence[str | None]) -> str:
        """Which element of an array stands at some indices; those of the last axes are given."""
        missing = len(indices) - len(place.dims)
        terms = [
            self._term(stride, index)
            for dim, stride, index in zip(place.dims, place.strides, indices[missing:], strict=True)
            if index is not None and stride.value != 0 and self.length(dim) != 1
        ]
        if place.start.value != 0:
            terms.append(self.size(place.start))
        return " + ".join(terms)

    def _term(self, stride: Dim, index: str) -> str:
        if stride.value == 1:
            return index
        return self.size(stride) if index == "1" else f"{self.size(stride)}*{index}"

    def element(self, place: Place, indices: Sequence[str | None]) -> str:
        """An element as an expression."""
        if place.is_number:
            return place.name
        return f"{place.name}[{self.offset(place, indices) or '0'}]"

    def pointer(self, place: Place, indices: Sequence[str | None] = ()) -> str:
        """A pointer to the element at some indices."""
        if place.is_number:
            return f"(real[]){{{place.name}}}"
        padded = [*indices, *[None] * (len(place.dims) - len(indices))]
        offset = self.offset(place, padded)
        return f"{place.name} + {offset}" if offset else place.name

    # values

    def place(self, view: View) -> Place:
        """The place of an operand."""
        return viewed(self.places[view.value], view)

    def name(self, value: Value) -> str:
        """A new name for a value: that of the user's program, or a number."""
        hint = self.program.hints.get(value)
        if hint is not None:
            return self.names.give(identifier(hint))
        self._count += 1
        return self.names.give(f"v{self._count}")

    def make(self, value: Value, dims: Shape | None = None) -> Place:
        """A new array for a value, in row-major order: with its dimensions, or with others."""
        direct = self._direct.get(value) if dims is None else None
        dims = value.dims if dims is None else dims
        if direct is not None:
            place = row_major(direct, dims)
        else:
            name = self.name(value)
            size = self.count(dims)
            self.lines.append(f"real *const {name} = {self._room(value, name, size)};")
            place = row_major(name, dims)
        self.places[value] = place
        return place

    def _room(self, value: Value, name: str, size: int) -> str:
        """A pointer to new room for an array, which the second part may have to read."""
        if value in self._crossing:
            text = f"kept + {self.kept.take(size)}"
            self._arrays[name] = text
            return text
        start = self.memory.take(size)
        self._blocks[value] = start, size
        return f"work + {start}"

    def next_part(self, passed: Sequence[Value]) -> list[str]:
        """Begin the function that reads the values that are passed; the lines of the first one."""
        numbers: list[str] = []
        for value in passed:
            place = self.places[value]
            if place.is_number and not re.fullmatch(NUMERAL, place.name):
                start = self.kept.take(1)
                self.lines.append(f"kept[{start}] = {place.name};")
                name = self.name(value)
                numbers.append(f"const real {name} = kept[{start}];")
                self.places[value] = replace(place, name=name)
        before = self.lines
        arrays = [f"const real *const {name} = {text};" for name, text in self._arrays.items()]
        self.lines = [*arrays, *numbers]
        return before

    def argument(self, name: str, dims: Shape) -> Place:
        """The place of an argument; one of order 0 is read once, which no compiler could know."""
        parameter = self.parameters[name]
        if dims:
            return row_major(parameter, dims)
        read = self.names.give(f"{parameter}0")
        self.lines.append(f"const real {read} = *{parameter};")
        return number(read)

    def scratch(self, count: int) -> str:
        """A pointer to room that a single statement needs."""
        return self.scratches(count)[0]

    def scratches(self, *counts: int) -> list[str]:
        """Pointers to several rooms that a single statement needs."""
        starts = [self.memory.take(count) for count in counts]
        for start, count in zip(starts, counts, strict=True):
            self.memory.give_back(start, count)
        return [f"work + {start}" for start in starts]

    def define(self, value: Value, text: str) -> None:
        """A number that is the value of an expression."""
        name = self.name(value)
        self.lines.append(f"const real {name} = {text};")
        self.places[value] = number(name)

    def end(self, place: int) -> None:
        """Take back the memory of what is not needed after a statement."""
        for value in self._ending.get(place, ()):
            self.release(value)

    def release(self, value: Value) -> None:
        """Take back the memory of a value, if it has any."""
        block = self._blocks.pop(value, None)
        if block is not None:
            self.memory.give_back(*block)

    def aside(self, dims: Sequence[Dim]) -> Value:
        """A value that no statement of the program has made."""
        return Value(-1 - len(self.lines), tuple(dims))

    def copy(self, source: Place, target: Place) -> None:
        """Write a loop that copies all elements."""
        self.assign(target, self.element(source, self.indices(target.dims)))

    def assign(self, target: Place, text: str, before: Sequence[str] = ()) -> None:
        """Write a loop that gives each element of a place the value of an expression.

        `before` are lines of its body that the expression needs.
        """
        indices = self.indices(target.dims)
        line = f"{self.element(target, indices)} = {text};"
        self.lines += nested(self.loops(target.dims, indices), [*before, line])

    def copied(self, source: Place, core: int, start: str, element: str = "") -> list[str]:
        """Lines that copy what lies along the last axes to some room, in rows.

        They are for the indices of the other axes; another `element` than that of the source is an
        expression of the indices of all axes.
        """
        indices = self.indices(source.dims)
        dims, inner = source.dims[-core:], indices[-core:]
        copy = row_major(f"({start})", dims)
        line = f"{self.element(copy, inner)} = {element or self.element(source, indices)};"
        return nested(self.loops(dims, inner), [line])

    def symmetric_part(self, source: Place, indices: Sequence[str | None]) -> str:
        """An element of ``(A + A')/2`` as an expression."""
        *outer, row, column = indices
        both = (self.element(source, x) for x in (indices, [*outer, column, row]))
        return f"(real)0.5 * ({' + '.join(both)})"

    def fail(self, condition: str) -> None:
        """Write a line that gives up, for NumPy's code to tell what is wrong."""
        self.lines.append(f"if ({condition}) return 1;")

    def helper(self, name: str) -> str:
        self.helpers[name] = None
        return name
