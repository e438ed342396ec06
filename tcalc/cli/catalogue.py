"""The commands that show what there is: the model programs, and the functions of the language."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from itertools import zip_longest

import click
from click.shell_completion import CompletionItem

import tcalc
from tcalc import gallery
from tcalc.calculus import Mode
from tcalc.cli import options
from tcalc.cli.numeric import computation, numbers, numbers_document, upto_order
from tcalc.cli.output import write
from tcalc.cli.results import dump, formula
from tcalc.cli.source import Program
from tcalc.language.catalogue import BY_NAME
from tcalc.reference import FunctionEntry

COLUMNS = (14, 24, 44, 30)
"""The most characters of each column of the table of functions."""


def complete_model(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    found = (model for model in gallery.models() if model.name.startswith(incomplete))
    return [CompletionItem(model.name, help=model.title) for model in found]


def complete_function(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    found = (function for name, function in BY_NAME.items() if name.startswith(incomplete))
    return [CompletionItem(function.name, help=function.summary) for function in found]


model_name = click.argument("name", metavar="NAME", shell_complete=complete_model)


@click.group(invoke_without_command=True)
@options.report
@click.pass_context
def examples(ctx: click.Context, as_json: bool) -> None:
    """List, show and run the model programs.

    Without a command, list them.  The output of `show` can be piped into another command:

        tcalc examples show ridge | tcalc gradient - --wrt w
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_models, as_json=as_json)
    elif as_json:
        ctx.default_map = {ctx.invoked_subcommand: {"as_json": True}}


@examples.command("list")
@options.report
def list_models(as_json: bool = False) -> None:
    """List the model programs."""
    if as_json:
        write(dump(list(map(_entry, gallery.models()))))
    else:
        write(_columns([(model.name, model.title) for model in gallery.models()]))


@examples.command("show")
@model_name
@options.report
def show_model(name: str, as_json: bool) -> None:
    """Print a model program."""
    model = gallery.load(name)
    write(dump(_entry(model)) if as_json else model.text)


def _entry(model: gallery.Model) -> dict[str, str | list[str]]:
    return {
        "name": model.name,
        "title": model.title,
        "about": model.about,
        "source": model.source,
        "wrt": list(model.wrt),
        "program": model.program,
    }


@examples.command("run")
@model_name
@click.option(
    "--wrt", metavar="NAME", help="The variable to differentiate by; by default, the usual one."
)
@options.mode
@click.option(
    "--size",
    type=click.Choice(["small", "medium"]),
    default="small",
    show_default=True,
    help="The size of the data.",
)
@options.seed("the data")
@options.report
def run_model(name: str, wrt: str | None, mode: Mode, size: str, seed: int, as_json: bool) -> None:
    """Print gradient and Hessian of a model program, and evaluate them on data."""
    model = gallery.load(name)
    program = Program(model.text, "", tcalc.parse(model.text))
    results = upto_order(program, [wrt or model.wrt[0]], 2, mode)
    data = gallery.make_data(name, seed, size)
    values = computation(results)(data)
    if as_json:
        write(dump(numbers_document(program, results, values, data)))
        return
    parts = [model.title, model.program]
    parts += [f"{result.title}:\n{formula(result)}" for result in results[1:]]
    shapes = ", ".join(f"{name}{list(array.shape)}" for name, array in data.items())
    parts += [f"On random data {shapes}, seed {seed}:", numbers(results, values)]
    write("\n\n".join(parts))


@click.command()
@click.argument("name", metavar="[NAME]", required=False, shell_complete=complete_function)
@options.report
def functions(name: str | None, as_json: bool) -> None:
    """Show functions of the language: domain, derivative, kinks.

    With NAME, show everything about that function.
    """
    known = tcalc.functions()
    chosen = known.values() if name is None else (known[name],)
    if as_json:
        write(dump([_document(entry) for entry in chosen]))
    elif name is not None:
        write(str(known[name]))
    else:
        rows = [("function", "domain", "derivative", "at kinks")]
        rows += [(f.name, f.domain, f.derivative, f.kinks) for f in chosen]
        width = shutil.get_terminal_size((120, 24)).columns
        hosted = [("on a device", "")] + [(f.name, f.on_device) for f in chosen if f.on_device]
        lacking: dict[str, list[str]] = {}
        for f in chosen:
            if f.in_c:
                lacking.setdefault(f.in_c, []).append(f.name)
        in_c = [(what, ", ".join(names)) for what, names in lacking.items()]
        told = COLUMNS[0], max(width, 60) - COLUMNS[0] - 2
        tables = [_columns(rows, _within(width)), _columns(hosted, told)]
        if in_c:
            tables.append(_columns([("in C", ""), *in_c], told))
        write("\n\n".join(tables))


def _document(entry: FunctionEntry) -> dict[str, str | list[str]]:
    return {
        "name": entry.name,
        "aliases": list(entry.aliases),
        "elsewhere": list(entry.elsewhere),
        "summary": entry.summary,
        "domain": entry.domain,
        "derivative": entry.derivative,
        "kinks": entry.kinks,
        "on a device": entry.on_device,
        "in C": entry.in_c,
        "source": entry.source,
    }


def _within(width: int) -> tuple[int, ...]:
    """The most characters of each column of the table of functions, on so wide a terminal.

    >>> _within(120), _within(80)
    ((14, 24, 44, 30), (14, 14, 26, 18))
    """
    first, *others = COLUMNS
    room = max(width - first - 2 * len(others), 36)
    return first, *(min(each, each * room // sum(others)) for each in others)


def _columns(rows: Sequence[Sequence[str]], limits: Sequence[int] = ()) -> str:
    """A table as text: columns as wide as their widest entry, two blanks between.

    `limits` are the most characters of each column, beyond which entries are wrapped.

    >>> print(_columns([("a", "one two"), ("long", "three")], (4, 5)))
    a     one
          two
    long  three
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths = [min(pair) for pair in zip(widths, limits or widths, strict=True)]
    lines: list[str] = []
    for row in rows:
        cells = [textwrap.wrap(text, width) for text, width in zip(row, widths, strict=True)]
        for parts in zip_longest(*cells, fillvalue=""):
            padded = (part.ljust(width) for part, width in zip(parts, widths, strict=True))
            lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)
