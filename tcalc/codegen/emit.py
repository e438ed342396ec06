"""A program as the source of a module that stands by itself.

The module has a function `evaluate`, which checks its arguments and takes them by keyword, and a
function `compute`, which is the straight line.  It imports its array library and nothing of
tcalc.  Names from the user's program become identifiers of their own, and never meet a generated
name; whatever else it holds stands in docstrings and in string literals only.  Functions of the
user's are not in the module: one that calls some has a dictionary `supplied`, to be filled before
the first call, and its docstring lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from tcalc.codegen import checks
from tcalc.codegen.binding import bound_first, crossing
from tcalc.codegen.entry_point import EntryPoint, reads
from tcalc.codegen.options import DEFAULTS, Options
from tcalc.codegen.program import Call, Factorise, FromFactor, Program, Solve
from tcalc.codegen.signature import Signature, sources_of
from tcalc.codegen.straight_line import StraightLine
from tcalc.codegen.targets import Target, target_of
from tcalc.codegen.texts import PLAIN, argument_lines, documented, imported
from tcalc.codegen.wrapping import wrapped
from tcalc.codegen.writers import DryRun
from tcalc.expr.nodes import Var
from tcalc.primitives.routines import Embedded, Supplied
from tcalc.records import dataclass

_RESERVED = ("np", "cp", "linalg", "special", "host", "numpy", "xp", "min", "map", "dtype",
             "evaluate", "compute", "prepare", "prepared", "workspace", "work", "Array", "Any",
             "ArrayLike", "NDArray", "TypeAlias", "supplied", "TERMS", "AXES", "ValueError",
             "TypeError", "LookupError")  # fmt: skip


_ARRAY = "Array: TypeAlias = Any  # an array, of a type that is known when it runs"
_STANDARD = {
    "math.": "import math",
    "Any": "from typing import Any",
    "TypeAlias": "from typing import TypeAlias",
}
FEW = 4
"""The most results of one type that an annotation lists one by one."""


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
    options: Options = DEFAULTS,
    *,
    target: Target | None = None,
    tables: str = "",
    single: bool = False,
    given: Collection[str] = (),
) -> Module:
    """The module that computes a program, for another `target` than that of the options if given.

    `tables` are constants that say what its results are for, `TERMS` and `AXES`, as their source.

    It returns a tuple of results, or with `single` the only one.  Where some arguments are
    `given`, its function `prepare` computes what depends on these alone, and `compute` takes the
    others, and what `prepare` returned.
    """
    if given:
        program = bound_first(program, signature, given)
    target = target or target_of(options)
    program = target.prepared(program)
    taken = {*_RESERVED, *_called(program, target)}
    code = StraightLine(program, signature, sizes, options, target, taken)
    return _Emitter(code, signature, single, given).run(tables)


def titled(source: str, title: str) -> str:
    """The source of a module as emitted, with a title as the first words of its docstring."""
    return source.replace(PLAIN, documented(title) or PLAIN, 1)


class _Emitter:
    """One module, in which the lines of its code stand in functions."""

    def __init__(
        self, code: StraightLine, signature: Signature, single: bool, given: Collection[str]
    ) -> None:
        self.code = code
        self.program = code.program
        self.target = code.target
        self.signature = signature
        self.single = single
        self.given = tuple(x for x in signature.arguments if x.name in given)
        self.open = tuple(x for x in signature.arguments if x.name not in given)

    def run(self, tables: str) -> Module:
        computing = self._functions()
        parts = ["supplied: dict[str, Any] = {}"] if self.code.supplied else []
        defined = [f"{name} = {text.format(name=name)}" for text, name in self.code.globals.items()]
        parts += ["\n".join(defined)] if defined else []
        parts += [tables] if tables else []
        parts += [self._entry_point(), *computing]
        functions = [self.target.source(f) for f in self.code.embedded.values()]
        code = "\n\n\n".join(text.strip("\n") for text in (*parts, *functions))
        code = self.target.spelled(code)
        header = [self._docstring(), "", "from __future__ import annotations", *self._imports(code)]
        supplied = {name: x.function for name, x in self.code.supplied.items()}
        source = "\n".join((*header, "", "", code, ""))
        return Module(source, self.code.parameters, supplied)

    def _imports(self, code: str) -> list[str]:
        """The lines between the docstring and the code: imports, and the type of arrays."""
        code = f"{code}\n{_ARRAY}"
        packages = [imported(_STANDARD, code), imported(self.target.imports, code)]
        return [line for lines in packages if lines for line in ("", *lines)] + ["", _ARRAY]

    def _docstring(self) -> str:
        lines = [
            PLAIN,
            "",
            "Arguments of `evaluate`:",
            "",
            *(argument_lines(self.signature, self.code.parameters) or ["    none"]),
        ]
        typed = f"{self.target.arrays}; the results have their type."
        lines += ["", typed if self.signature.arguments else "The results are of type float64."]
        shapes = [f"[{', '.join(map(str, o.view.dims))}]" for o in self.program.outputs]
        lines += [f"Results: {', '.join(x if x != '[]' else 'a number' for x in shapes)}."]
        lines += self.target.notes(self.code.embedded.values())
        if self.code.supplied:
            lines += [
                "",
                "Put these functions into `supplied`, by name, before the first call:",
                "",
            ]
            lines += [f"    {x.name}: {x.signature}" for x in self.code.supplied.values()]
            lines += ["", "Each must map over the leading axes that its arguments have in common."]
        if self.program.tuned and self.code.planned:
            tuned = ", ".join(f"{name} = {size}" for name, size in self.code.planned.items())
            lines += [""] * bool(self.code.supplied)
            lines += [f"Valid for all sizes; operations are ordered for {tuned}."]
        text = documented("\n".join(lines))
        return f'"""{text}\n"""'

    def _functions(self) -> list[str]:
        """The straight line as one function, or as two where arguments are given."""
        buffers = self.code.buffers
        further = ["work"] if buffers else []
        unpacked = [f"{_tuple(buffers)} = work"] if buffers else []
        if self.given:
            return [*self._two_parts(unpacked, further), *self._workspace()]
        lines = [*self.code.lines(0, len(self.program.statements)), self.code.returned(self.single)]
        return [
            self._function("compute", self.open, [*unpacked, *lines], *further),
            *self._workspace(),
        ]

    def _two_parts(self, unpacked: Sequence[str], further: Sequence[str]) -> list[str]:
        """What depends on given arguments alone, and the rest, to which that is handed over."""
        code, cut = self.code, self.program.prepared
        before = code.lines(0, cut)
        sizes, typed = code.used_sizes, code.typed
        code.begin()
        lines = [*code.lines(cut, len(self.program.statements)), code.returned(self.single)]
        passed = list(dict.fromkeys(filter(None, map(code.passed, crossing(self.program)))))
        # Sizes, and a type, that the other arguments do not tell.
        carried = sorted(code.used_sizes - {s.name for s in sources_of(self.open)})
        passed += [code.sizes[name] for name in carried]
        if code.typed and not self.open:
            passed, typed, code.typed = [*passed, "dtype"], True, False
        code.used_sizes -= set(carried)
        received = [f"{_tuple(passed)} = prepared"] if passed else []
        after = [*unpacked, *received, *lines]
        rest = self._function("compute", self.open, after, "prepared", *further)
        code.used_sizes, code.typed = sizes | set(carried), typed
        before.append(f"return ({_tuple(passed)})")
        return [self._function("prepare", self.given, before), rest]

    def _workspace(self) -> list[str]:
        """The function that makes the memory which is kept between calls."""
        if not self.code.buffers:
            return []
        self.code.begin()
        made = [
            f"np.{'zeros' if k in self.code.space.zeroed else 'empty'}("
            f"{self.target.shape(dims, self.code)}, {self.code.dtype()}),"
            for k, dims in enumerate(self.code.space.shapes)
        ]
        lines = ["return (", *(f"    {line}" for line in made), ")"]
        return [self._function("workspace", self.signature.arguments, lines)]

    def _function(
        self, title: str, arguments: Sequence[Var], body: Sequence[str], *further: str
    ) -> str:
        """A function of the straight line, its sizes and its type read off the arguments."""
        names = [self.code.parameters[x.name] for x in arguments]
        taken = [f"{name}: Array" for name in names]
        taken += [f"{name}: {_FURTHER[name]}" for name in further]
        result = self._result("Array", "Array") if title == "compute" else _FURTHER[_MADE[title]]
        lines = [f"def {title}({', '.join(taken)}) -> {result}:", f'    """{_ABOUT[title]}"""']
        used = [s for s in sources_of(arguments) if s.name in self.code.used_sizes]
        read = reads(arguments, used, self.code.parameters, self.code.sizes)
        lines += [f"    {line}" for line in read]
        if self.code.typed:
            kind = f"{names[0]}.dtype.type" if names else "np.float64"
            lines.append(f"    dtype = {kind}")
        lines += [f"    {line}" for line in body]
        return "\n".join(part for line in lines for part in wrapped(line))

    def _result(self, array: str, number: str) -> str:
        """The type of what the module returns, made of those of arrays and of numbers."""
        types = [array if x.view.dims else number for x in self.program.outputs]
        if self.single:
            return types[0]
        alike = len(types) > FEW and len(set(types)) == 1
        return f"tuple[{f'{types[0]}, ...' if alike else ', '.join(types) or '()'}]"

    def _entry_point(self) -> str:
        """The function that checks its arguments first."""
        given = [self.code.parameters[x.name] for x in self.given]
        rest = [self.code.parameters[x.name] for x in self.open]
        if given:
            rest.append(f"prepare({', '.join(given)})")
        if self.code.buffers:
            names = (self.code.parameters[x.name] for x in self.signature.arguments)
            rest.append(f"workspace({', '.join(names)})")
        entry = EntryPoint(
            self.signature,
            self.program.requirements,
            self.code.parameters,
            self.code.sizes,
            self.target,
            self.code,
            tuple(self.code.supplied),
        )
        result = self._result(self.target.array, self.target.number)
        single = self.code.names.give("result") if self.single else None
        return entry.source(rest, result, single)


def _tuple(names: Sequence[str]) -> str:
    """Names as a tuple, without parentheses."""
    return f"{names[0]}," if len(names) == 1 else ", ".join(names)


def _called(program: Program, target: Target) -> set[str]:
    """The names of all functions that a module calls, which are taken before any is given."""
    run = DryRun()
    for statement in program.statements:
        match statement.operation:
            case Call(routine=Embedded() | Supplied()) | Factorise() | Solve() | FromFactor():
                target.write(statement, ("_",) * len(statement.results), run, None)
    return run.functions.union(f.__name__ for f in _CHECKS)


_ABOUT = {
    "compute": "The same, without checks, for arrays that are known to fit.",
    "workspace": "The memory that `compute` writes into, and whose contents it returns.",
    "prepare": "What depends only on these arguments, for `compute`.",
}
_FURTHER = {"prepared": "tuple[Any, ...]", "work": "tuple[Array, ...]"}
"""The types of what `compute` takes beside the user's arguments."""
_MADE = {"prepare": "prepared", "workspace": "work"}
_CHECKS = (checks.as_arrays, checks.as_arrays_and_integers, checks.as_integers, checks.expect_axes,
           checks.expect_shape, checks.expect_property, checks.expect_supplied)  # fmt: skip
