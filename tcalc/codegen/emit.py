"""A program as the source of a module that stands by itself.

The module has a function `evaluate`, which checks its arguments and takes them by keyword, and a
function `compute`, which is the straight line.  It imports its array library and nothing of
tcalc.  Names from the user's program become identifiers of their own, and never meet a generated
name; whatever else he wrote stands in docstrings and in string literals only.  Functions of his
are not in the module: one that calls some has a dictionary `supplied`, to be filled before the
first call, and its docstring lists them.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tcalc.codegen import checks
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
from tcalc.codegen.signature import Names, Signature, Source, describe
from tcalc.codegen.targets import NumPy, Target
from tcalc.codegen.targets.target import quoted
from tcalc.errors import ArgumentError
from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Var
from tcalc.primitives.routines import Supplied

_CHECKED = ("symmetric", "psd", "spd", "diagonal", "lower", "upper")
_SIGNED = ("positive", "nonnegative", "integer")
_RESERVED = ("np", "linalg", "special", "xp", "min", "dtype", "evaluate", "compute", "Array", "Any",
             "supplied", "ValueError", "TypeError")  # fmt: skip


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
    target: Target | None = None,
    contiguous: bool = False,
    single: bool = False,
) -> Module:
    """The module that computes a program, with `title` as the first words of its docstring.

    It returns a tuple of results, or with `single` the only one.
    """
    emitter = _Emitter(program, signature, sizes, target or NumPy(), contiguous, single)
    return emitter.run(title)


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
    ) -> None:
        self.program = program
        self.signature = signature
        self.planned = sizes
        self.target = target
        self.contiguous = contiguous
        self.single = single
        self.embedded: dict[str, Callable[..., Any]] = {}
        self.supplied: dict[str, Supplied] = {}
        self.texts: dict[Value, str] = {}
        self.typed = False
        self.used_sizes: set[str] = set()
        self.names = Names(_RESERVED)
        self._reserve_functions()
        self.parameters = self.names.parameters(signature.arguments)
        self.sizes = {name: self.names.give(name) for name in signature.sizes}
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
        return _size_text(dim, self.sizes)

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

    def run(self, title: str) -> Module:
        body = self._body()
        parts = ["supplied: dict[str, Any] = {}"] if self.supplied else []
        parts += [self._evaluate(), self._compute(body)]
        functions = [_source(f) for f in self.embedded.values()]
        code = "\n\n\n".join(text.strip("\n") for text in (*parts, *functions))
        header = [self._docstring(title), "", "from __future__ import annotations", ""]
        if re.search(r"\bAny\b", code):
            header += ["from typing import Any", ""]
        header += [line for name, line in self.target.imports.items() if _uses(code, name)]
        if re.search(r"\bArray\b", code):
            header += ["", "Array = np.ndarray"]
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
        lines += ["", "Arrays of float32, float64 or complex numbers; the results have their type."]
        shapes = [f"[{', '.join(map(str, o.view.dims))}]" for o in self.program.outputs]
        lines += [f"Results: {', '.join(x if x != '[]' else 'a number' for x in shapes)}."]
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
        text = "\n".join(_harmless(line) for line in lines)
        return f'"""{text}\n"""'

    def _body(self) -> list[str]:
        """The statements, one line or a few for each."""
        last = last_uses(self.program)
        reused = reuses_names(self.program)
        elements = counter(self.program, self.planned)
        taken = overwritten(self.program, self.planned)
        lines: list[str] = []
        for place, statement in enumerate(self.program.statements):
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
                    lines += self._written(statement, taken.get(place))
            done = [value for value in last.get(place, ()) if value is not taken.get(place)]
            gone = [self.texts[value] for value in done if elements(value) >= LARGE]
            if gone:
                lines.append(f"del {', '.join(gone)}")
            if reused:
                self.free += [self.texts[x] for x in done if x not in self.program.hints]
        outputs = self._outputs()
        comma = "," if len(outputs) == 1 and not self.single else ""
        lines.append(f"return {', '.join(outputs)}{comma}")
        return lines

    def _written(self, statement: Statement, over: Value | None) -> list[str]:
        """The lines of a statement, its result in the memory of `over` if there is one."""
        factor = isinstance(statement.operation, Factorise)
        if over is not None and not factor and statement.results[0] not in self.program.hints:
            names: tuple[str, ...] = (self.texts[over],)
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
            if output.copied and not scalar:
                text = self.target.copied(text, self.contiguous)
            texts.append(text)
        return texts

    def _compute(self, body: Sequence[str]) -> str:
        names = list(self.parameters.values())
        lines = [f"def compute({', '.join(names)}):"]
        lines.append('    """The same for arrays that are known to fit."""')
        used = [s for s in self.signature.sources if s.name in self.used_sizes]
        lines += [f"    {line}" for line in self._reads(used)]
        if self.typed:
            lines.append(f"    dtype = {self._dtype_text()}")
        lines += [f"    {line}" for line in body]
        return "\n".join(lines)

    def _dtype_text(self) -> str:
        names = list(self.parameters.values())
        return f"{names[0]}.dtype.type" if names else "np.float64"

    def _reads(self, sources: Sequence[Source]) -> list[str]:
        """The lines that read sizes off the shapes of the arguments."""
        lines: list[str] = []
        for place, argument in enumerate(self.signature.arguments):
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
            lines += [f"{self.sizes[s.name]} = {_read(name, s)}" for s in mine]
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
            lines.append(f"    {', '.join(names)}{comma} = {self.embed(checks.as_arrays)}({pairs})")
        measured = {s.argument for s in self.signature.sources}
        for place, argument in enumerate(arguments):
            if place in measured:
                call = f"{self.embed(checks.expect_axes)}({self._said(argument)}, {argument.order})"
                lines.append(f"    {call}")
        lines += [f"    {line}" for line in self._reads(self.signature.sources)]
        for place, argument in enumerate(arguments):
            lines += [f"    {line}" for line in self._checks(place, argument)]
        for requirement in self.program.requirements:
            low, high = (_size_text(d, self.sizes) for d in (requirement.low, requirement.high))
            text = f"the sizes do not fit: {requirement.low} is beyond {requirement.high}"
            lines += [f"    if {low} > {high}:", f"        raise ValueError({quoted(text)})"]
        lines.append(f"    return compute({', '.join(names)})")
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
            sizes = [_size_text(dim, self.sizes) for dim in argument.dims]
            shape = f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"
            function = self.embed(checks.expect_shape)
            lines.append(f"{function}({self._said(argument)}, {shape})")
        for kind in (*_CHECKED, *_SIGNED):
            if kind in argument.properties:
                name = self.parameters[argument.name]
                function = self.embed(checks.expect_property)
                lines.append(f"{function}({quoted(argument.name)}, {name}, {quoted(kind)})")
        return lines


_CHECKS = (checks.as_arrays, checks.expect_axes, checks.expect_shape, checks.expect_property)


@lru_cache(maxsize=512)
def _source(function: Callable[..., Any]) -> str:
    return inspect.getsource(function)


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


def _size_text(dim: Dim, sizes: Mapping[str, str]) -> str:
    """A dimension as an atom of an expression, with the identifiers of its names put in."""
    if dim.value is not None:
        return str(dim.value) if dim.value >= 0 else f"({dim.value})"
    # With identifiers for names, the text of a polynomial is an expression of Python.
    text = str(dim.substitute({name: Dim.of(sizes[name]) for name in dim.names()}))
    return text if dim.is_name else f"({text})"


def _read(name: str, source: Source) -> str:
    text = f"{name}.shape[{source.axis}]"
    if source.offset:
        text += f" {'-' if source.offset > 0 else '+'} {abs(source.offset)}"
    if source.factor == 1:
        return text
    return f"({text}) // {source.factor}" if source.offset else f"{text} // {source.factor}"


def _uses(code: str, name: str) -> bool:
    return re.search(rf"\b{name}\.", code) is not None


def _harmless(line: str) -> str:
    """A line that can stand in a docstring, whatever it holds."""
    printable = "".join(c if c.isprintable() else "?" for c in line)
    return (
        textwrap.shorten(printable, 400, placeholder=" …")
        if len(printable) > 400
        else (printable.replace("\\", "\\\\").replace('"""', "'''"))
    )
