"""The command that draws the graph of a program or of a derivative."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from tcalc.calculus import Mode
from tcalc.cli import options
from tcalc.cli.output import write_to
from tcalc.cli.results import derive
from tcalc.cli.source import Program, tell_guesses
from tcalc.drawing import MOST_NODES
from tcalc.drawing import draw as drawn


def to_svg(ctx: click.Context, param: click.Parameter, given: str | None) -> str | None:
    """The name of a file for SVG."""
    if given is not None and Path(given).suffix not in ("", ".svg"):
        raise click.UsageError(f"The picture goes to an .svg file, and {given!r} is none.")
    return given


@click.command(cls=options.FormulaCommand)
@options.program
@options.wrt
@click.option(
    "--order",
    type=click.IntRange(0, 8),
    help="The order of the derivative; by default 1 with --wrt, else 0: the program itself.",
)
@options.mode
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=MOST_NODES,
    show_default=True,
    help="The largest number of nodes to draw.",
)
@options.output(
    "FILE.svg", "Write the picture to this file instead of printing it.", callback=to_svg
)
def draw(
    program: Program,
    wrt: Sequence[str],
    order: int | None,
    mode: Mode,
    limit: int,
    output: str | None,
) -> None:
    """Draw the graph of a program, or of a derivative, as SVG.

    Colours tell the order of each tensor.
    """
    depth = order if order is not None else int(bool(wrt))
    results = derive(program, program.default_wrt(wrt) if depth else (), depth, mode)
    title = ", ".join(result.title for result in results) if depth else "Expression graph"
    if depth:
        title = f"Graph of the {title}, in {mode} mode"
    text = drawn([result.expression for result in results], title=title, limit=limit)
    tell_guesses(program.expression)
    write_to(output, text)
