"""The commands that print formulas: derivatives, and programs themselves."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import click

import tcalc
from tcalc.calculus import Mode
from tcalc.cli import options
from tcalc.cli.output import write
from tcalc.cli.results import Format, Result, derive, describe, dump, present
from tcalc.cli.source import Program, tell_guesses
from tcalc.printing import Cse
from tcalc.requirements import require_scalar

if TYPE_CHECKING:
    from tcalc.derivation import Derivation, Line

Compute: TypeAlias = Callable[[Program, Sequence[str], Mode], list[Result]]

STEPWISE = ("auto", "matrix", "einstein", "latex", "json")
"""The formats that a derivation in steps has."""


def printing(compute: Compute, steps: bool = False) -> click.Command:
    """The command that prints what `compute` finds; its name and its help are the function's.

    Where there are `steps` to be shown, the option ``--explain`` shows them.
    """
    explains: Callable[[options.Function], options.Function] = _nothing
    if steps:
        told = "Derive it step by step, like `tcalc explain`."
        explains = click.option("--explain", "explained", is_flag=True, help=told)

    @click.command(compute.__name__, cls=options.FormulaCommand, help=inspect.getdoc(compute))
    @options.program
    @options.wrt
    @options.mode
    @options.layout
    @options.sizes("as hints for --format python")
    @explains
    def command(
        program: Program,
        wrt: Sequence[str],
        mode: Mode,
        form: Format,
        as_json: bool,
        cse: Cse,
        sizes: Mapping[str, int],
        explained: bool = False,
    ) -> None:
        variables = program.default_wrt(wrt)
        layout: Format = "json" if as_json else form
        if explained:
            if layout not in STEPWISE:
                raise click.UsageError(f"--explain has the formats {', '.join(STEPWISE)}")
            write_steps(program, variables, layout)
            return
        tell_guesses(program.expression)
        results = compute(program, variables, mode)
        write(present(program, results, layout, cse, sizes, mode=mode))

    return command


def _nothing(function: options.Function) -> options.Function:
    """No option."""
    return function


@partial(printing, steps=True)
def gradient(program: Program, wrt: Sequence[str], mode: Mode) -> list[Result]:
    """Print the gradient of a scalar.

    It has the shape of the variable.  Several variables give one gradient each.
    """
    require_scalar(program.expression, "gradient")
    return derive(program, wrt, 1, mode)


@printing
def jacobian(program: Program, wrt: Sequence[str], mode: Mode) -> list[Result]:
    """Print the first derivative of a tensor of any order.

    It has the axes of the tensor, then those of the variable.
    """
    return derive(program, wrt, 1, mode)


@printing
def hessian(program: Program, wrt: Sequence[str], mode: Mode) -> list[Result]:
    """Print the Hessian of a scalar.

    Several variables give one block for every pair.
    """
    require_scalar(program.expression, "hessian")
    return derive(program, wrt, 2, mode)


@printing
def derivative(program: Program, wrt: Sequence[str], mode: Mode) -> list[Result]:
    """Print the derivative by each --wrt in turn.

    --wrt x,x,x gives the third derivative by x.
    """
    found = tcalc.derivative(program.expression, *wrt, mode=mode)
    return [Result(tuple(wrt), not program.expression.shape, found)]


@click.command("print", cls=options.FormulaCommand)
@options.program
@options.layout
@click.option(
    "--simplify/--no-simplify",
    default=True,
    help="Simplify the formula, or leave functions and products as they were written.",
)
@options.sizes("as hints for --format python")
def print_program(
    program: Program,
    form: Format,
    as_json: bool,
    cse: Cse,
    simplify: bool,
    sizes: Mapping[str, int],
) -> None:
    """Print the value of a program as one formula.

    Definitions are put in, and loops unrolled.
    """
    layout: Format = "json" if as_json else form
    if layout == "python" and not simplify:
        raise click.UsageError("--no-simplify is about formulas, and changes no code.")
    tell_guesses(program.expression)
    value = Result((), not program.expression.shape, program.expression, simplify=simplify)
    write(present(program, [value], layout, cse, sizes))


@click.command(cls=options.FormulaCommand)
@options.program
@options.wrt
@options.formats(STEPWISE)
@options.as_json
def explain(program: Program, wrt: Sequence[str], form: Format, as_json: bool) -> None:
    """Derive a gradient step by step, naming the rule of each step."""
    write_steps(program, program.default_wrt(wrt), "json" if as_json else form)


def write_steps(program: Program, variables: Sequence[str], form: Format) -> None:
    """Print the derivations of a gradient, in one of the formats `STEPWISE`."""
    tell_guesses(program.expression)
    require_scalar(program.expression, "gradient")
    found = [tcalc.explain(program.expression, name) for name in dict.fromkeys(variables)]
    match form:
        case "json":
            derivations = [_entries(derivation) for derivation in found]
            write(dump({**describe(program), "derivations": derivations}))
        case "latex":
            write("\n\n".join(derivation.latex() for derivation in found))
        case "auto" | "matrix" | "einstein" as notation:
            write("\n\n".join(derivation.text(notation) for derivation in found))


def _entries(derivation: Derivation) -> dict[str, Any]:
    """A derivation for JSON."""
    return {
        "wrt": derivation.variable,
        "values": [_line_entry(line) for line in derivation.values],
        "cotangents": [_line_entry(line) for line in derivation.cotangents],
        "result": _line_entry(derivation.result),
    }


def _line_entry(line: Line) -> dict[str, str]:
    return {"name": line.name, "formula": line.formula, "reason": line.reason}
