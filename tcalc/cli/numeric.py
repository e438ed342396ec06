"""The commands that work with numbers: evaluate, compile, check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import click

import tcalc
from tcalc.calculus import Mode
from tcalc.cli import options
from tcalc.cli.options import Data, FormulaCommand
from tcalc.cli.output import tell, write, write_to
from tcalc.cli.results import Result, derive, describe, dump, heading, source
from tcalc.cli.source import Program, tell_guesses
from tcalc.codegen.options import BACKENDS, Backend
from tcalc.errors import ArgumentError
from tcalc.expr.traverse import variables as inputs_of
from tcalc.requirements import require_sizes

if TYPE_CHECKING:
    from tcalc.primitives.arrays import NumPyArray as Array

upto = options.together(
    options.wrt,
    click.option(
        "--order",
        type=click.IntRange(0, 8),
        default=1,
        show_default=True,
        help="The highest order of derivative; needs --wrt.",
    ),
    options.mode,
)


@click.command(cls=FormulaCommand)
@options.program
@options.data
@upto
@options.report
@options.output("FILE.npz", "Write the results to this file.")
def evaluate(
    program: Program,
    data: Data,
    wrt: Sequence[str],
    order: int,
    mode: Mode,
    as_json: bool,
    output: str | None,
) -> None:
    """Print the value on data, and with --wrt derivatives too."""
    from tcalc.cli import arrays, draws

    variables = program.expression.variables
    if data.sizes and not data.at_random:
        raise click.UsageError("--sizes are for what --random draws; the data have their own.")
    require_sizes(program.expression, data.sizes)
    if output is not None:
        arrays.require_npz(output)
    tell_guesses(program.expression)
    results = upto_order(program, wrt, order, mode)
    given = arrays.load_data(data.files, variables)
    if data.at_random:
        roots = [program.expression.node]
        titles = [result.title for result in results]
        used, values = draws.values_at_random(
            computation(results), titles, variables, given, data.sizes, data.seed, roots
        )
    else:
        _require_data(program, given)
        used, values = given, computation(results)(given)
    for result, value in zip(results, values, strict=True):
        note = arrays.not_finite(value)
        if note is not None:
            tell(f"the {result.title} {note}")
    if output is not None:
        named = zip(results, values, strict=True)
        arrays.save_npz(output, {result.title.replace(" ", "_"): x for result, x in named})
    if as_json:
        write(dump(numbers_document(program, results, values, used)))
    elif output is None:
        write(numbers(results, values))


def _require_data(program: Program, given: Mapping[str, Array]) -> None:
    missing = [
        repr(variable).removesuffix("[]")
        for variable in inputs_of([program.expression.node])
        if variable.name not in given
    ]
    if missing:
        raise ArgumentError(
            f"no data for {', '.join(missing)}",
            hint="--data FILE has them by name, --data NAME=FILE or --data NAME=1,2,3 one of them; "
            "--random draws them",
        )


@click.command("compile", cls=FormulaCommand)
@options.program
@upto
@options.sizes("as hints for the order of computation; a C file needs all of them, and fixes them")
@click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    default="numpy",
    show_default=True,
    help="What runs the code: NumPy; C, for fixed sizes; or CuPy, on a CUDA device.",
)
@click.option(
    "--form",
    type=click.Choice(["dense", "factored", "auto"]),
    default="dense",
    show_default=True,
    help="Return dense arrays, or the cores of factored tensors; the docstring of the module says "
    "how to combine them.  auto decides by structure.",
)
@options.output("FILE", "The file to write: FILE.py or FILE.c.")
def compile_module(
    program: Program,
    wrt: Sequence[str],
    order: int,
    mode: Mode,
    sizes: Mapping[str, int],
    backend: Backend,
    form: Literal["dense", "factored", "auto"],
    output: str | None,
) -> None:
    """Write a module, or a C file, with derivatives by --wrt.

    The result does not need tcalc: a module needs NumPy and SciPy, or CuPy; a C file needs BLAS and
    LAPACK only if it multiplies large matrices or factorises.
    """
    if output is not None and output.endswith(".c") and backend != "c":
        raise click.UsageError(f"{output} is no name for a module; --backend c writes C.")
    if output is not None and output.endswith(".py") and backend == "c":
        raise click.UsageError(f"{output} is no name for a C file.")
    require_sizes(program.expression, sizes)
    tell_guesses(program.expression)
    text = source(upto_order(program, wrt, order, mode), sizes, backend, form)
    write_to(output, text)


@click.command(cls=FormulaCommand)
@options.program
@options.data
@options.wrt
@click.option(
    "--order",
    type=click.IntRange(1, 8),
    default=1,
    show_default=True,
    help="The highest order to check.",
)
@options.mode
@click.option(
    "--form",
    type=click.Choice(["dense", "factored"]),
    default="dense",
    show_default=True,
    help="The form of the derivative to check.",
)
@click.option(
    "--claim",
    metavar="FORMULA",
    help="Check this formula, instead of tcalc's own, as the derivative of that order; takes one "
    "--wrt.",
)
@options.report
def check(
    program: Program,
    data: Data,
    wrt: Sequence[str],
    order: int,
    mode: Mode,
    form: Literal["dense", "factored"],
    claim: str | None,
    as_json: bool,
) -> None:
    """Verify derivatives numerically, on random or given data.

    They are compared with the complex step, or with dual numbers where it does not apply, and with
    five-point differences.  If a derivative is wrong, the report names the function at fault.

    Derivatives by each --wrt are checked, by default by every variable.  The exit status is 1 if
    one of them is wrong.
    """
    if not program.expression.variables:
        raise ArgumentError("the program has no variable to differentiate by")
    tell_guesses(program.expression)
    given = _given(program, data)
    verify = partial(
        tcalc.check,
        program.expression,
        mode=mode,
        form=form,
        claim=claim,
        data=given,
        sizes=data.sizes,
        seed=data.seed,
    )
    orders = range(1 if claim is None else order, order + 1)
    names = _checked(program, wrt, claim)
    reports = [(x, verify(x, k)) for x in names for k in orders]
    if as_json:
        entries = [{"wrt": name, **report.document()} for name, report in reports]
        write(dump({**describe(program), "mode": mode, "checks": entries}))
    else:
        write("\n".join(f"{name}: {report}" for name, report in reports))
    if not all(report.passed for _, report in reports):
        raise click.exceptions.Exit(1)


def _checked(program: Program, wrt: Sequence[str], claim: str | None) -> Sequence[str]:
    """The variables by which derivatives are checked; a claim is about the one."""
    if claim is None:
        return wrt or [*program.expression.variables]
    names = program.default_wrt(wrt)
    if len(names) > 1:
        raise click.UsageError("--claim is about the derivative by one variable.")
    return names


def _given(program: Program, data: Data) -> Mapping[str, Array] | None:
    """The arrays to check on; None where no file is given, and all are to be drawn."""
    from tcalc.cli import arrays, draws

    if not data.files:
        return None
    variables = program.expression.variables
    found = arrays.load_data(data.files, variables)
    if data.at_random:
        roots = [program.expression.node]
        return next(draws.draw(variables, found, data.sizes, data.seed, roots))
    _require_data(program, found)
    return found


def upto_order(program: Program, wrt: Sequence[str], order: int, mode: Mode) -> list[Result]:
    """The value, and the derivatives by the given variables up to an order."""
    results = derive(program, (), 0, mode)
    for k in range(1, order + 1 if wrt else 1):
        results += derive(program, wrt, k, mode)
    return results


def computation(results: Sequence[Result]) -> Callable[[Mapping[str, Any]], list[Array]]:
    """From data to the numbers for all results: compiled code that shares their common work."""
    import numpy as np

    compiled = tcalc.compile([result.expression for result in results])

    def values(data: Mapping[str, Any]) -> list[Array]:
        with np.errstate(all="ignore"):  # numbers that are not finite are seen in the results
            return [np.asarray(value) for value in compiled(**data)]

    return values


def numbers(results: Sequence[Result], values: Sequence[Array]) -> str:
    """The numbers as text; a single result stands alone, several under their titles."""
    from tcalc.cli.arrays import to_text

    if len(results) == 1:
        return to_text(values[0])
    lines: list[str] = []
    for result, value in zip(results, values, strict=True):
        text = to_text(value)
        lines.append(f"{result.title} ={chr(10) if value.ndim > 1 else ' '}{text}")
    return "\n".join(lines)


def numbers_document(
    program: Program, results: Sequence[Result], values: Sequence[Array], data: Mapping[str, Array]
) -> dict[str, Any]:
    """The numbers, and the shapes of the data that they come from, for JSON."""
    from tcalc.cli.arrays import to_lists

    return {
        **describe(program),
        "data": {name: list(array.shape) for name, array in data.items()},
        "results": [
            {**heading(result), "shape": list(value.shape), "value": to_lists(value)}
            for result, value in zip(results, values, strict=True)
        ],
    }
