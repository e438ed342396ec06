"""The options that commands share, and the kinds of value that they take."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeAlias, get_args

import click
from click.shell_completion import CompletionItem

from tcalc.calculus import MODES
from tcalc.cli.output import QUIET
from tcalc.cli.progress import shown
from tcalc.cli.results import Form
from tcalc.cli.source import load, load_loop
from tcalc.printing import Cse

Function: TypeAlias = Callable[..., Any]

FORMATS = (*get_args(Form), "python", "json")


def _be_quiet(ctx: click.Context, param: click.Parameter, quiet: bool) -> None:
    if quiet:
        ctx.meta[QUIET] = True


class FormulaCommand(click.Command):
    """A command whose argument may be a formula that begins with a minus sign.

    While it works for long, a terminal shows what it does.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        told = "Print errors and results only: no guesses, and no progress."
        quiet = click.Option(
            ["--quiet"], is_flag=True, expose_value=False, callback=_be_quiet, help=told
        )
        self.params.append(quiet)

    def invoke(self, ctx: click.Context) -> Any:
        formats = (ctx.params.get("form"), ctx.params.get("report_format"))
        silent = QUIET in ctx.meta or ctx.params.get("as_json") or "json" in formats
        with nullcontext() if silent else shown():
            return super().invoke(ctx)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, self._with_formula_last(ctx, args))
        except click.UsageError as error:
            if "unexpected extra argument" not in error.message:
                raise
            told = f"{error.message}. A formula with blanks in it stands in quotes."
            raise click.UsageError(told, error.ctx) from None

    def _with_formula_last(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The arguments, with a formula that begins with a minus sign where it is no option."""
        options: dict[str, bool] = {}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option):
                takes_value = not parameter.is_flag
                options.update(
                    dict.fromkeys((*parameter.opts, *parameter.secondary_opts), takes_value)
                )
        kept: list[str] = []
        formulas: list[str] = []
        others = 0
        for position, text in enumerate(args):
            if text == "--":
                formulas += args[position + 1 :]
                break
            is_value = position > 0 and options.get(args[position - 1], False)
            if len(text) > 1 and text[0] == "-" != text[1] and text not in options and not is_value:
                formulas.append(text)
            else:
                kept.append(text)
                others += not is_value and (text == "-" or not text.startswith("-"))
        if others:
            # There is one formula only: what begins with a minus sign is an option then.
            return args
        return [*kept, "--", *formulas] if formulas else kept


def to_sizes(ctx: click.Context, param: click.Parameter, given: Sequence[str]) -> dict[str, int]:
    """The sizes in texts like ``m=2000,n=100``."""
    sizes = {}
    for name, text in _assignments(given, "m=2000,n=100"):
        if not text.isascii() or not text.isdigit():
            raise click.BadParameter(f"the size of {name} is {text!r}, not a whole number")
        sizes[name] = int(text)
    return sizes


def to_numbers(
    ctx: click.Context, param: click.Parameter, given: Sequence[str]
) -> dict[str, int | float]:
    """The numbers in texts like ``T=200``, integers where they are written as such."""
    numbers: dict[str, int | float] = {}
    for name, text in _assignments(given, "T=200"):
        try:
            numbers[name] = int(text) if text.lstrip("+-").isdigit() else float(text)
        except ValueError:
            raise click.BadParameter(f"{name} is {text!r}, not a number") from None
    return numbers


def to_names(ctx: click.Context, param: click.Parameter, given: Sequence[str]) -> tuple[str, ...]:
    """The names in texts like ``x`` and ``X,w``."""
    names = tuple(name.strip() for text in given for name in text.split(","))
    if "" in names:
        raise click.BadParameter(f"{','.join(given)!r} is not of the form x,y")
    return names


def to_cse(ctx: click.Context, param: click.Parameter, given: bool | None) -> Cse:
    """What the printers take: where it shortens, if nothing is said."""
    return "auto" if given is None else given


def _assignments(given: Sequence[str], example: str) -> Iterator[tuple[str, str]]:
    seen: dict[str, str] = {}
    for item in ",".join(given).split(",") if given else ():
        name, equals, text = (part.strip() for part in item.partition("="))
        if not equals or not name.isidentifier():
            raise click.BadParameter(f"{item!r} is not of the form {example}")
        if name in seen:
            raise click.BadParameter(f"{name} is given twice, as {seen[name]} and {text}")
        seen[name] = text
        yield name, text


def complete_file(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


def together(*decorators: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """Several decorators as one, in the order in which the help shows them."""

    def decorate(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def as_one(
    name: str, make: Callable[..., Any], *decorators: Callable[[Function], Function]
) -> Callable[[Function], Function]:
    """Several options of which the function gets one argument: what `make` makes of their values.

    The parameters of `make` are the names of the options.
    """
    names = inspect.signature(make).parameters

    def decorate(function: Function) -> Function:
        @wraps(function)
        def merged(*arguments: Any, **values: Any) -> Any:
            made = make(**{key: values.pop(key) for key in names})
            return function(*arguments, **{name: made}, **values)

        return together(*decorators)(merged)

    return decorate


_text = together(
    click.argument("expr", metavar="EXPR", shell_complete=complete_file),
    click.option(
        "--declare",
        metavar="TEXT",
        multiple=True,
        help="Declarations to add, such as 'X[m,n], K[n,n] spd, w[n]'.",
    ),
    click.option(
        "--let",
        metavar="NAME=NUMBER",
        multiple=True,
        callback=to_numbers,
        help="The value of a name in the bounds of loops, such as T=10.",
    ),
)
"""A program: its text, and what is said besides."""

program = as_one("program", load, _text)

loop = as_one("loop", load_loop, _text)

wrt = click.option(
    "--wrt",
    metavar="NAME",
    multiple=True,
    callback=to_names,
    help="The variable to differentiate by; repeat the option, or use commas, for several.",
)

mode = click.option(
    "--mode",
    type=click.Choice(MODES),
    default="cross-country",
    show_default=True,
    help="The order in which local Jacobians are multiplied; the result is the same tensor.",
)


def sizes(purpose: str) -> Callable[[Function], Function]:
    """The option ``--sizes``, for a stated purpose."""
    return click.option(
        "--sizes",
        metavar="m=2000,n=100",
        multiple=True,
        callback=to_sizes,
        help=f"Sizes of dimensions, {purpose}.",
    )


as_json = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON, also for errors (the same as --format json).",
)


report = as_one(
    "as_json",
    lambda report_format, as_json: as_json or report_format == "json",
    click.option(
        "--format",
        "report_format",
        type=click.Choice(("text", "json")),
        default="text",
        show_default=True,
        help="The output format.",
    ),
    as_json,
)


def formats(known: Sequence[str]) -> Callable[[Function], Function]:
    """The option ``--format``, for a command that has some of the formats."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(known),
        default="auto",
        show_default=True,
        help="The output format; auto is matrix notation where it exists, else Einstein notation.",
    )


layout = together(
    formats(FORMATS),
    as_json,
    click.option(
        "--cse/--no-cse",
        "cse",
        default=None,
        callback=to_cse,
        help="Name common subexpressions, or never; by default, if that shortens the formula.",
    ),
)


def seed(what: str) -> Callable[[Function], Function]:
    """The option ``--seed`` for random numbers of some kind."""
    return click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help=f"The seed of {what}.",
    )


def output(metavar: str, purpose: str, **more: Any) -> Callable[[Function], Function]:
    """The option ``--output``, the name of a file."""
    return click.option(
        "-o", "--output", metavar=metavar, shell_complete=complete_file, help=purpose, **more
    )


@dataclass(frozen=True, slots=True)
class Data:
    """Where the numbers of a command come from."""

    files: Sequence[str]
    """Those of ``--data``: a file, ``NAME=FILE``, or ``NAME=NUMBERS``."""
    at_random: bool
    """Whether what the files do not give is drawn."""
    seed: int
    sizes: Mapping[str, int]
    """The sizes of what is drawn."""


data = as_one(
    "data",
    Data,
    click.option(
        "--data",
        "files",
        metavar="[NAME=]FILE|NAME=NUMBERS",
        multiple=True,
        shell_complete=complete_file,
        help="A .npz, .npy, .csv or .json file with arrays by name, or with that of NAME; or the "
        "numbers themselves, such as x=1,2,3 and 'A=[[1,2],[3,4]]'.",
    ),
    click.option(
        "--random", "at_random", is_flag=True, help="Draw random data for variables not in --data."
    ),
    seed("--random"),
    sizes("for --random"),
)
