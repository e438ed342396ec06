"""The command that shows the linearised graph of a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import click

from tcalc.backslash import Steps
from tcalc.cli import options
from tcalc.cli.output import write
from tcalc.cli.results import describe, dump
from tcalc.cli.source import Program, tell_guesses
from tcalc.linearization import MOST_SHOWN, Linearization
from tcalc.linearization import linearize as linearized


@click.command(cls=options.FormulaCommand)
@options.program
@options.wrt
@click.option(
    "--steps",
    type=click.Choice(get_args(Steps)),
    default="auto",
    show_default=True,
    help="What the vertices are: definitions, functions, or all operations; auto takes definitions "
    "if the program has any, else functions.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=MOST_SHOWN,
    show_default=True,
    help="The largest number of vertices to print.",
)
@options.report
def linearize(
    program: Program,
    wrt: Sequence[str],
    steps: Steps,
    limit: int,
    as_json: bool,
) -> None:
    """Show the derivatives of all steps as one linear system.

    The linearised graph of the program is a block-triangular system, dx = L dx + D dp, whose blocks
    are linear operators.  Solving it from the first row down is forward mode; from the last row up,
    reverse mode.  Without --wrt, all variables vary.
    """
    linearization = linearized(program.expression, list(wrt) or None, steps=steps)
    text = _document(program, linearization) if as_json else linearization.text(limit)
    tell_guesses(program.expression)
    write(text)


def _document(program: Program, linearization: Linearization) -> str:
    return dump(
        {
            **describe(program),
            "inputs": list(linearization.inputs),
            "outputs": list(linearization.outputs),
            "vertices": [
                {"name": name, "dims": list(vertex.shape), "formula": vertex.text()}
                for name, vertex in linearization.vertices.items()
            ],
            "blocks": [
                {
                    "row": entry.row,
                    "column": entry.column,
                    "kind": entry.kind,
                    "notation": entry.notation,
                    "adjoint": entry.adjoint,
                }
                for entry in linearization.entries
            ],
        }
    )
