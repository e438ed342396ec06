"""The command that prints the adjoint of a recurrence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import click

from tcalc.cli import options
from tcalc.cli.output import write
from tcalc.cli.results import dump, inputs
from tcalc.cli.source import default_wrt, tell_guesses
from tcalc.printing import Notation

if TYPE_CHECKING:
    from tcalc.recurrences import Recurrence

FORMATS = ("auto", "matrix", "einstein", "latex", "mathml", "json")


@click.command(cls=options.FormulaCommand)
@options.loop
@options.wrt
@options.formats(FORMATS)
@options.as_json
def adjoint(
    loop: Recurrence,
    wrt: Sequence[str],
    form: Notation | Literal["latex", "mathml", "json"],
    as_json: bool,
) -> None:
    """Print the adjoint recurrence of a program with a loop.

    The loop is not unrolled: its bound may be a dimension, as in `for t = 1:T`.  The result is one
    step of the backward pass: s_bar{t} is the derivative of the value by s{t}, and the derivatives
    by inputs are accumulated with +=.
    """
    names = default_wrt(wrt, loop.variables)
    tell_guesses(loop)
    gradient = loop.value_and_gradient(names)
    if as_json or form == "json":
        steps = {
            "text": gradient.formulas(),
            "einstein": gradient.formulas("einstein"),
            "latex": gradient.formulas(medium="latex"),
        }
        write(dump({**inputs(loop), "wrt": names, **steps}))
        return
    match form:
        case "latex" | "mathml":
            write(gradient.formulas(medium=form))
        case "auto" | "matrix" | "einstein":
            write(gradient.formulas(form))
