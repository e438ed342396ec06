"""A C file: its head, the routines and helpers that it needs, and the function itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from math import prod

from tcalc.codegen.binding import bound_first, crossing
from tcalc.codegen.c import elementwise
from tcalc.codegen.c.bands import Band, with_bands, write_band
from tcalc.codegen.c.code import Code
from tcalc.codegen.c.copies import with_copies
from tcalc.codegen.c.helpers import HELPERS, routines_of, text_of, with_needed
from tcalc.codegen.c.lapack import ROUTINES
from tcalc.codegen.c.loops import comment, commented, indented
from tcalc.codegen.c.merging import Nest, merged
from tcalc.codegen.c.nests import write_nest
from tcalc.codegen.c.places import row_major
from tcalc.codegen.c.special_helpers import OF_NUMBERS
from tcalc.codegen.c.statements import write
from tcalc.codegen.c.turning import turned
from tcalc.codegen.fusion import fused
from tcalc.codegen.memory import count
from tcalc.codegen.program import Argument, Program, Statement
from tcalc.codegen.signature import Signature
from tcalc.codegen.texts import PLAIN, argument_lines, documented, mentions
from tcalc.errors import LimitError
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Var
from tcalc.records import dataclass

LIMITS = {
    "EPSILON": ("2.220446049250313e-16", "1.1920929e-07f"),
    "CLEARLY_DEFINITE": ("1e-8", "1e-2f"),
    "CLEARLY_REGULAR": ("1e-4", "1e-2f"),
}
"""The constants of helpers, for both types."""
STATEMENTS = 20_000
"""The most statements of a C file."""
MOST = 1 << 30
"""The elements of an array, with what factors need besides, whose places are integers of C."""
POINTERS = 1000
"""The most arguments and results of a function."""
TAKEN = frozenset((
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "cos", "cosh", "exp",
    "expm1", "fabs", "floor", "hypot", "isfinite", "isinf", "isnan", "log", "log10", "log1p",
    "log2", "pow", "sin", "sinh", "sqrt", "tan", "tanh", "erf", "erfc", "tgamma", "lgamma",
    "INFINITY", "NAN", "found", "sum", "top", "count", "step", "least", "most", "squares",
    "info", "sizes", "part", "scale", "ldexp", "ilogb", "rint", "place", "whole", "product",
))  # fmt: skip
"""What the lines of functions call, and names in their loops."""


@dataclass(frozen=True, slots=True)
class CModule:
    """A C file: its text; and how its function `compute` is called.

    It takes a pointer for each argument, for each result, and to room for `work` elements.  Where
    some arguments are given, a function `prepare` takes pointers to these, to `kept` elements that
    it writes, and to the same room; `compute` then takes a pointer to those before the last one.
    `numbers` are the arguments of order 0, and `given` those that are, by their places.
    `routines` are those of BLAS and LAPACK that it calls, in the order in which it would take their
    addresses.
    """

    source: str
    numbers: tuple[bool, ...]
    given: tuple[int, ...]
    results: tuple[tuple[int, ...], ...]
    work: int
    kept: int
    routines: tuple[str, ...]

    @property
    def elements(self) -> int:
        """How many elements a call takes room for."""
        return self.work + self.kept + sum(map(prod, self.results))


def countable(program: Program, sizes: Mapping[str, int]) -> bool:
    """Whether all arrays of a program have elements, and no more than C's integers count.

    Nor may there be more arguments and results than a call of C from Python takes.
    """
    arguments = sum(isinstance(x.operation, Argument) for x in program.statements)
    if arguments + len(program.outputs) > POINTERS:
        return False
    shapes = {value.dims for statement in program.statements for value in statement.results}
    return all(0 < count(dims, sizes) < MOST for dims in shapes)


def c_module(
    program: Program,
    signature: Signature,
    sizes: Mapping[str, int],
    single: bool = False,
    given: Collection[str] = (),
) -> CModule:
    """The C file of a program for given sizes, of `single` precision if asked for.

    What depends on `given` arguments alone is computed by a function of its own, `prepare`.  Raises
    `UnsupportedError` for what has no code in C, and `LimitError` for programs that are too long.
    """
    program = with_copies(turned(program), sizes)
    if given:
        program = bound_first(program, signature, given)
    program = fused(program, elementwise.writable)
    if len(program.statements) > STATEMENTS:
        raise LimitError(
            f"the C function would have {len(program.statements)} statements, above the limit of "
            f"{STATEMENTS}: to compile them takes minutes",
            hint='compile with backend="numpy", or keep a loop by tcalc.recurrence',
        )
    first, rest = (with_bands(part, sizes) for part in merged(program, sizes))
    in_order = tuple(statement for x in (*first, *rest) for statement in x.statements)
    program = replace(program, statements=in_order)
    code = Code(program, signature, sizes, {*TAKEN, *HELPERS})
    _write_part(code, first, 0)
    before = code.next_part(crossing(program)) if given else []
    _write_part(code, rest, program.prepared)
    for output, name in zip(program.outputs, code.results, strict=True):
        source = code.place(output.view)
        target = row_major(name, source.dims)
        if source != target:
            code.copy(source, target)
    return _assembled(code, before, given, "s" if single else "d")


def _write_part(code: Code, nests: Sequence[Nest | Band], start: int) -> None:
    """The lines of some nests, the statements of which begin at a place of the program."""
    for nest in nests:
        if isinstance(nest, Band):
            write_band(code, nest)
        elif len(nest.statements) == 1:
            _write_alone(code, nest.statements[0])
        else:
            write_nest(code, nest)
        stop = start + len(nest.statements)
        for place in range(start, stop):
            code.end(place)
        start = stop


def _write_alone(code: Code, statement: Statement) -> None:
    first = len(code.lines)
    write(code, statement)
    if statement.remark and len(code.lines) > first:
        code.lines.insert(first, comment(statement.remark))


def _assembled(code: Code, before: Sequence[str], given: Collection[str], letter: str) -> CModule:
    """The file: a head, what is declared, helpers, and the functions."""
    written = "\n".join([*before, *code.lines])
    helpers = with_needed([*code.helpers, *(x for x in OF_NUMBERS if mentions(written, x))])
    needed = routines_of(helpers)
    work = max(code.memory.size, 1)
    lengths = f"work_size = {work}" + (f", kept_size = {code.kept.size}" if given else "")
    parts = [
        _head(code, bool(given)),
        "#include <math.h>",
        f"typedef {'double' if letter == 'd' else 'float'} real;",
        f"enum {{ {lengths} }};",
    ]
    if needed:
        parts.append(_declared(needed, letter))
    if limits := _limits(helpers, letter):
        parts.append(limits)
    parts += [text_of(name, letter) for name in helpers]
    arguments = code.signature.arguments
    if given:
        mine = [x for x in arguments if x.name in given]
        parts.append(_function(code, "prepare", mine, ["real *kept"], before))
    results = [f"real *{name}" for name in code.results]
    results += ["const real *kept"] if given else []
    parts.append(_function(code, "compute", arguments, results, code.lines))
    return CModule(
        source="\n\n".join(parts) + "\n",
        numbers=tuple(not x.dims for x in arguments),
        given=tuple(k for k, x in enumerate(arguments) if x.name in given),
        results=tuple(tuple(map(code.length, output.view.dims)) for output in code.program.outputs),
        work=work,
        kept=code.kept.size,
        routines=tuple(f"{letter}{name}" for name in needed),
    )


def _head(code: Code, prepared: bool) -> str:
    """The comment at the top, with the arguments and what is returned."""
    lines = [PLAIN, ""]
    if code.signature.sizes:
        told = ", ".join(f"{name} = {code.known[name]}" for name in code.signature.sizes)
        lines += [f"Only for arrays of these sizes: {told}.", ""]
    lines += ["Arguments of compute:", "", *argument_lines(code.signature, code.parameters)]
    shapes = zip(code.results, (x.view.dims for x in code.program.outputs), strict=True)
    lines += ["", *(f"    {name}{_shape(dims)}" for name, dims in shapes)]
    lines += ["    kept[kept_size], as prepare has written it"] if prepared else []
    lines += [
        "    work[work_size]",
        "",
        "Arrays are stored by rows.  The function returns 0, or 1 if a matrix",
        "may be singular, or may not be positive definite.",
    ]
    text = commented(documented("\n".join(lines))).replace("\n", "\n   ")
    return re.sub(" +$", "", f"/* {text} */", flags=re.M)


def _shape(dims: Shape) -> str:
    return f"[{', '.join(map(str, dims))}]" if dims else ""


def _declared(needed: Sequence[str], letter: str) -> str:
    lines = [
        "#ifdef TCALC_TABLE /* they are handed over */",
        "#define ROUTINE(name) static void (*name)",
        "#else",
        "#define ROUTINE(name) extern void name",
        "#endif",
    ]
    for name in needed:
        lines += _folded(f"ROUTINE({letter}{name}_)({ROUTINES[name]});", 2)
    return "\n".join(lines)


def _limits(helpers: Sequence[str], letter: str) -> str:
    """The constants of the type that helpers mention."""
    text = "\n".join(HELPERS[name].text for name in helpers)
    which = 0 if letter == "d" else 1
    lines = [f"#define {name} {x[which]}" for name, x in LIMITS.items() if mentions(text, name)]
    return "\n".join(lines)


def _function(
    code: Code,
    name: str,
    arguments: Sequence[Var],
    written: Sequence[str],
    lines: Sequence[str],
) -> str:
    """A function of some arguments, of what is written, and of the room to work in."""
    parameters = [f"const real *{code.parameters[x.name]}" for x in arguments]
    parameters += [*written, "real *work"]
    used = "\n".join(lines)
    known = [f"{x} = {code.known[size]}" for size, x in code.sizes.items() if mentions(used, x)]
    sizes = [f"enum {{ {', '.join(known)} }};"] if known else []
    body = indented([*sizes, *lines, "return 0;"])
    return "\n".join([*_folded(f"int {name}({', '.join(parameters)})"), "{", *body, "}"])


def _folded(head: str, which: int = 1) -> list[str]:
    """A declaration in lines of some length, those after the first behind a parenthesis."""
    start = -1
    for _ in range(which):
        start = head.index("(", start + 1)
    start += 1
    lines, line = [], ""
    for part in head.split(", "):
        if line and len(line) + len(part) > 96:
            lines.append(f"{line},")
            line = " " * start + part
        else:
            line = f"{line}, {part}" if line else part
    return [*lines, line]
