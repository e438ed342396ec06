"""A program as the source of a module that stands by itself.

The module has a function `evaluate`, which checks its arguments and takes them by keyword, and a
function `compute`, which is the straight line.  It imports its array library and nothing of
tcalc.  Names from the user's program become identifiers of their own, and never meet a generated
name; whatever else he wrote stands in docstrings and in string literals only.  Functions of his
are not in the module: one that calls some has a dictionary `supplied`, to be filled before the
first call, and its docstring lists them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tcalc.codegen import checks
from tcalc.codegen.binding import bound_first, crossing
from tcalc.codegen.memory import LARGE, counter, last_uses, overwritten, renamed, reuses_names
from tcalc.codegen.program import (
    Argument,
    Call,
    Extent,
    Factorise,
    FromFactor,
    Number,
    Program,
    Solve,
    Statement,
    Value,
)
from tcalc.codegen.signature import Names, Signature, Source, describe, sources_of
from tcalc.codegen.targets import NumPy, Target
from tcalc.codegen.targets.target import quoted
from tcalc.codegen.texts import harmless, read, size_text, uses
from tcalc.codegen.workspace import Workspace, workspace
from tcalc.errors import ArgumentError
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Var
from tcalc.primitives.routines import Supplied

_CHECKED = ("symmetric", "psd", "spd", "diagonal", "lower", "upper", "orthogonal")
_SIGNED = ("positive", "nonnegative", "integer")
_RESERVED = ("np", "cp", "linalg", "special", "host", "numpy", "xp", "min", "map", "dtype",
             "evaluate", "compute", "prepare", "prepared", "workspace", "work", "Array", "Any",
             "supplied", "TERMS", "AXES", "ValueError", "TypeError")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Module:
    """The source of a module, and for each argument's name the keyword that it has there.

    `supplied` are the functions of the user's that it calls, by name.
    """

    source: str
    parameters: Mapping[str, str]
    supplied: Mapping[str, Callable[..., Any]]


def emit(
    program: Program,
    signature: Signature,
    sizes: Mapping[str, int],
    *,
    title: str = "",
    tables: str = "",
    target: Target | None = None,
    contiguous: bool = False,
    single: bool = False,
    given: Collection[str] = (),
    reuse: bool = False,
) -> Module:
    """The module that computes a program, with `title` as the first words of its docstring.

    `tables` are constants that say what its results are for, `TERMS` and `AXES`, as their source.

    It returns a tuple of results, or with `single` the only one.  Where some arguments are
    `given`, its function `prepare` computes what depends on these alone, and `compute` takes the
    others, and what `prepare` returned.
    """
    if given:
        program = bound_first(program, signature, given)
    target = target or NumPy()
    program = target.prepared(program)
    emitter = _Emitter(program, signature, sizes, target, contiguous, single, given, reuse)
    return emitter.run(title, tables)


class _Emitter:
    """One module as it is written; the `Writer` of its target."""

    def __init__(
        self,
        program: Program,
        signature: Signature,
        sizes: Mapping[str, int],
        target: Target,
        contiguous: bool,
        single: bool,
        given: Collection[str],
        reuse: bool,
    ) -> None:
        self.program = program
        self.signature = signature
        self.planned = sizes
        self.target = target
        self.contiguous = contiguous
        self.single = single
        self.given = tuple(x for x in signature.arguments if x.name in given)
        self.open = tuple(x for x in signature.arguments if x.name not in given)
        self.embedded: dict[str, Callable[..., Any]] = {}
        self.supplied: dict[str, Supplied] = {}
        self.globals: dict[str, str] = {}
        self.texts: dict[Value, str] = {}
        self.typed = False
        self.used_sizes: set[str] = set()
        self.names = Names(_RESERVED)
        self._reserve_functions()
        self.parameters = self.names.parameters(signature.arguments)
        self.sizes = {name: self.names.give(name) for name in signature.sizes}
        self.made = {x: s.operation for s in program.statements for x in s.results}
        self.last = last_uses(program)
        self.taken = overwritten(program, sizes)
        self.elements = counter(program, sizes)
        self.reused = reuses_names(program)
        self.space = workspace(program, sizes) if reuse else Workspace()
        self.buffers = [self.names.give(f"b{k + 1}") for k in range(len(self.space.shapes))]
        self.counter = 0
        self.free: list[str] = []

    def _reserve_functions(self) -> None:
        """Let the names of all functions that the statements call be taken first."""
        scout = _Scout(self)
        for statement in self.program.statements:
            if isinstance(statement.operation, Call | Factorise | Solve | FromFactor):
                self.target.write(statement, ("_",) * len(statement.results), scout, None)
        self.names.taken.update(scout.functions)
        self.names.taken.update(f.__name__ for f in _CHECKS)

    # What a target asks of its writer.

    def name(self, value: Value) -> str:
        return self.texts[value]

    def size(self, dim: Dim) -> str:
        self.used_sizes |= dim.names()
        return size_text(dim, self.sizes)

    def embed(self, function: Callable[..., Any]) -> str:
        self.embedded[function.__name__] = function
        return function.__name__

    def supply(self, function: Supplied) -> str:
        known = self.supplied.setdefault(function.name, function)
        if known != function:
            raise ArgumentError(
                f"two different functions have the name {function.name}", hint="rename one"
            )
        return f"supplied[{quoted(function.name)}]"

    def dtype(self) -> str:
        self.typed = True
        return "dtype"

    def define(self, stem: str, text: str) -> str:
        if text not in self.globals:
            self.globals[text] = self.names.give(f"{stem}{len(self.globals) + 1}")
        return self.globals[text]

    def is_sparse(self, value: Value) -> bool:
        return value in self.program.sparse

    def buffer(self, value: Value) -> tuple[str, bool] | None:
        place = self.space.place.get(value)
        return None if place is None else (self.buffers[place], place in self.space.zeroed)

    def run(self, title: str, tables: str) -> Module:
        computing = self._functions()
        parts = ["supplied: dict[str, Any] = {}"] if self.supplied else []
        defined = [f"{name} = {text.format(name=name)}" for text, name in self.globals.items()]
        parts += ["\n".join(defined)] if defined else []
        parts += [tables] if tables else []
        parts += [self._evaluate(), *computing]
        functions = [self.target.source(f) for f in self.embedded.values()]
        code = "\n\n\n".join(text.strip("\n") for text in (*parts, *functions))
        code = self.target.spelled(code)
        header = [self._docstring(title), "", "from __future__ import annotations", ""]
        if re.search(r"\bAny\b", code):
            header += ["from typing import Any", ""]
        header += [line for name, line in self.target.imports.items() if uses(code, name)]
        if re.search(r"\bArray\b", code):
            header += ["", f"Array = {self.target.module}.ndarray"]
        supplied = {name: x.function for name, x in self.supplied.items()}
        return Module("\n".join((*header, "", "", code, "")), self.parameters, supplied)

    def _docstring(self, title: str) -> str:
        lines = [
            *(title or "A function generated by tcalc.").splitlines(),
            "",
            "Arguments of `evaluate`:",
            "",
        ]
        for argument in self.signature.arguments:
            name = self.parameters[argument.name]
            alias = "" if name == argument.name else f"  (the input {argument.name})"
            lines.append(f"    {name}{describe(argument)[len(argument.name) :]}{alias}")
        if not self.signature.arguments:
            lines.append("    none")
        lines += ["", f"{self.target.arrays}; the results have their type."]
        shapes = [f"[{', '.join(map(str, o.view.dims))}]" for o in self.program.outputs]
        lines += [f"Results: {', '.join(x if x != '[]' else 'a number' for x in shapes)}."]
        lines += self.target.notes(self.embedded.values())
        if self.supplied:
            lines += [
                "",
                "Functions to be put into `supplied`, by name, before the first call:",
                "",
            ]
            lines += [f"    {x.name}: {x.signature}" for x in self.supplied.values()]
            lines += ["", "Each maps over leading axes that its arguments have in common.", ""]
        if self.program.tuned and self.planned:
            tuned = ", ".join(f"{name} = {size}" for name, size in self.planned.items())
            lines += [f"Right for all sizes, and ordered for {tuned}."]
        text = "\n".join(harmless(line) for line in lines)
        return f'"""{text}\n"""'

    def _functions(self) -> list[str]:
        """The straight line as one function, or as two where arguments are given."""
        count, end = self.program.prepared, len(self.program.statements)
        further = ["work"] if self.buffers else []
        comma = "," if len(self.buffers) == 1 else ""
        unpacked = [f"{', '.join(self.buffers)}{comma} = work"] if self.buffers else []
        if not self.given:
            lines = [*unpacked, *self._lines(0, end), self._return()]
            computing = self._function("compute", self.open, lines, *further)
            return [computing, *self._workspace()]
        before = self._lines(0, count)
        sizes, typed = self.used_sizes, self.typed
        self.used_sizes, self.typed = set(), False
        after = [*self._lines(count, end), self._return()]
        passed = list(dict.fromkeys(filter(None, map(self._passed, crossing(self.program)))))
        carried = sorted(self.used_sizes - {s.name for s in sources_of(self.open)})
        passed += [self.sizes[name] for name in carried]
        if self.typed and not self.open:
            passed, typed, self.typed = [*passed, "dtype"], True, False
        self.used_sizes -= set(carried)
        if passed:
            after.insert(0, f"{', '.join(passed)}{',' if len(passed) == 1 else ''} = prepared")
        after = [*unpacked, *after]
        rest = self._function("compute", self.open, after, "prepared", *further)
        self.used_sizes, self.typed = sizes | set(carried), typed
        before.append(f"return ({', '.join(passed)}{',' if len(passed) == 1 else ''})")
        return [self._function("prepare", self.given, before), rest, *self._workspace()]

    def _workspace(self) -> list[str]:
        """The function that makes the memory which is kept between calls."""
        if not self.buffers:
            return []
        self.used_sizes, self.typed = set(), False
        made = [
            f"np.{'zeros' if k in self.space.zeroed else 'empty'}("
            f"{self.target.shape(dims, self)}, {self.dtype()}),"
            for k, dims in enumerate(self.space.shapes)
        ]
        lines = ["return (", *(f"    {line}" for line in made), ")"]
        return [self._function("workspace", self.signature.arguments, lines)]

    def _passed(self, value: Value) -> str:
        """The name by which the second part knows a value of the first; empty for numbers."""
        operation = self.made[value]
        while (source := renamed(operation)) is not None:
            value, operation = source, self.made[source]
        if isinstance(operation, Extent):
            self.size(operation.dim)
        return "" if isinstance(operation, Number | Extent) else self.texts[value]

    def _lines(self, start: int, stop: int) -> list[str]:
        """The lines of some statements, one or a few for each."""
        lines: list[str] = []
        for place in range(start, stop):
            statement = self.program.statements[place]
            over = self.taken.get(place)
            match statement.operation:
                case Argument(name=name):
                    self.texts[statement.results[0]] = self.parameters[name]
                case Number(value=number):
                    self.texts[statement.results[0]] = self.target.literal(number)
                case Extent(dim=dim):
                    self.texts[statement.results[0]] = self.size(dim)
                case Factorise(matrix=view) if renamed(statement.operation):
                    self.texts[statement.results[0]] = self.target.operand(view, self)
                case _:
                    lines += self._written(statement, over)
            done = [value for value in self.last.get(place, ()) if value is not over]
            gone = [
                self.texts[value]
                for value in done
                if self.elements(value) >= LARGE and value not in self.space.place
            ]
            if gone:
                lines.append(f"del {', '.join(gone)}")
            if self.reused:
                kept = (self.program.hints, self.space.place)
                self.free += [self.texts[x] for x in done if not any(x in y for y in kept)]
        return lines

    def _return(self) -> str:
        outputs = self._outputs()
        comma = "," if len(outputs) == 1 and not self.single else ""
        return f"return {', '.join(outputs)}{comma}"

    def _written(self, statement: Statement, over: Value | None) -> list[str]:
        """The lines of a statement, its result in the memory of `over` if there is one."""
        opaque = isinstance(statement.operation, Factorise | FromFactor)
        if over is not None and not opaque and statement.results[0] not in self.program.hints:
            names: tuple[str, ...] = (self.texts[over],)
        elif (buffer := self.buffer(statement.results[0])) is not None:
            names = (buffer[0],)
        else:
            names = tuple(self._fresh(value) for value in statement.results)
        written = self.target.write(statement, names, self, over)
        self.texts.update(zip(statement.results, names, strict=True))
        if statement.remark:
            written[-1] += f"  # {statement.remark}"
        return written

    def _fresh(self, value: Value) -> str:
        hint = self.program.hints.get(value)
        if hint is not None:
            return self.names.give(hint)
        if self.free:
            return self.free.pop()
        self.counter += 1
        while f"t{self.counter}" in self.names.taken:
            self.counter += 1
        return f"t{self.counter}"

    def _outputs(self) -> list[str]:
        texts: list[str] = []
        for output in self.program.outputs:
            text = self.target.operand(output.view, self)
            scalar = not output.view.dims
            if self.is_sparse(output.view.value):
                text += ".toarray()"
            elif output.copied and not scalar:
                text = self.target.copied(text, self.contiguous)
            texts.append(text)
        return texts

    def _function(
        self, title: str, arguments: Sequence[Var], body: Sequence[str], *further: str
    ) -> str:
        """A function of the straight line, its sizes and its type read off the arguments."""
        names = [self.parameters[x.name] for x in arguments]
        lines = [f"def {title}({', '.join((*names, *further))}):", f'    """{_ABOUT[title]}"""']
        used = [s for s in sources_of(arguments) if s.name in self.used_sizes]
        lines += [f"    {line}" for line in self._reads(arguments, used)]
        if self.typed:
            kind = f"{names[0]}.dtype.type" if names else "np.float64"
            lines.append(f"    dtype = {kind}")
        lines += [f"    {line}" for line in body]
        return "\n".join(lines)

    def _reads(self, arguments: Sequence[Var], sources: Sequence[Source]) -> list[str]:
        """The lines that read sizes off the shapes of the arguments."""
        lines: list[str] = []
        for place, argument in enumerate(arguments):
            mine = [s for s in sources if s.argument == place]
            if not mine:
                continue
            name = self.parameters[argument.name]
            plain = len(mine) == argument.order and all(
                (s.offset, s.factor) == (0, 1) for s in mine
            )
            if plain:
                targets = ", ".join(self.sizes[s.name] for s in mine)
                lines.append(f"{targets if len(mine) > 1 else f'({targets},)'} = {name}.shape")
                continue
            lines += [f"{self.sizes[s.name]} = {read(name, s)}" for s in mine]
        return lines

    def _evaluate(self) -> str:
        """The function that checks its arguments first."""
        arguments = self.signature.arguments
        names = [self.parameters[x.name] for x in arguments]
        star = "*, " if names else ""
        lines = [f"def evaluate({star}{', '.join(names)}):"]
        lines.append('    """The results, after a check of the arguments."""')
        if names:
            pairs = ", ".join(f"{name}={name}" for name in names)
            comma = "," if len(names) == 1 else ""
            function = self.target.embedded(checks.as_arrays, None, self)
            lines.append(f"    {', '.join(names)}{comma} = {function}({pairs})")
        measured = {s.argument for s in self.signature.sources}
        for place, argument in enumerate(arguments):
            if place in measured:
                call = f"{self.embed(checks.expect_axes)}({self._said(argument)}, {argument.order})"
                lines.append(f"    {call}")
        lines += [f"    {line}" for line in self._reads(arguments, self.signature.sources)]
        for place, argument in enumerate(arguments):
            lines += [f"    {line}" for line in self._checks(place, argument)]
        for requirement in self.program.requirements:
            low, high = (size_text(d, self.sizes) for d in (requirement.low, requirement.high))
            text = f"the sizes do not fit: {requirement.low} is beyond {requirement.high}"
            lines += [f"    if {low} > {high}:", f"        raise ValueError({quoted(text)})"]
        given = [self.parameters[x.name] for x in self.given]
        rest = [self.parameters[x.name] for x in self.open]
        if given:
            rest.append(f"prepare({', '.join(given)})")
        if self.buffers:
            rest.append(f"workspace({', '.join(names)})")
        lines.append(f"    return compute({', '.join(rest)})")
        return "\n".join(lines)

    def _said(self, argument: Var) -> str:
        axes = ", ".join(map(str, argument.dims))
        name = self.parameters[argument.name]
        return f"{quoted(argument.name)}, {name}, {quoted(axes)}"

    def _checks(self, place: int, argument: Var) -> list[str]:
        lines: list[str] = []
        mine = [s for s in self.signature.sources if s.argument == place]
        exact = [s for s in mine if (s.offset, s.factor) == (0, 1)]
        if len(exact) < argument.order or not mine:
            sizes = [size_text(dim, self.sizes) for dim in argument.dims]
            shape = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
            function = self.embed(checks.expect_shape)
            lines.append(f"{function}({self._said(argument)}, {shape})")
        for kind in (*_CHECKED, *_SIGNED):
            if kind in argument.properties:
                name = self.parameters[argument.name]
                function = self.embed(checks.expect_property)
                lines.append(f"{function}({quoted(argument.name)}, {name}, {quoted(kind)})")
        return lines


_ABOUT = {
    "compute": "The same for arrays that are known to fit.",
    "workspace": "The memory that `compute` writes into, and whose contents it returns.",
    "prepare": "What depends on these arguments alone, for `compute`.",
}
_CHECKS = (checks.as_arrays, checks.expect_axes, checks.expect_shape, checks.expect_property)


class _Scout:
    """A writer that only notes which functions are called."""

    def __init__(self, emitter: _Emitter) -> None:
        self.functions: set[str] = set()

    def name(self, value: Value) -> str:
        return "_"

    def size(self, dim: Dim) -> str:
        return "_"

    def embed(self, function: Callable[..., Any]) -> str:
        self.functions.add(function.__name__)
        return function.__name__

    def supply(self, function: Supplied) -> str:
        return "_"

    def dtype(self) -> str:
        return "_"

    def is_sparse(self, value: Value) -> bool:
        return False

    def buffer(self, value: Value) -> tuple[str, bool] | None:
        return None

    def define(self, stem: str, text: str) -> str:
        return "_"
