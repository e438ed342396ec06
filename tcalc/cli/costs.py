"""The command that compares what derivatives cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

import tcalc
from tcalc.calculus import MODES, Mode
from tcalc.cli import options
from tcalc.cli.options import FormulaCommand
from tcalc.cli.output import write
from tcalc.cli.results import dump
from tcalc.cli.source import Program, tell_guesses
from tcalc.costing import Cost, CostTable


@click.command(cls=FormulaCommand)
@options.program
@options.wrt
@click.option(
    "--wrt2", metavar="NAME", multiple=True, help="A second variable, for a mixed derivative."
)
@click.option(
    "--order",
    type=click.IntRange(1, 8),
    help="The order of the derivative; by default 2 for a scalar, 1 for a tensor.",
)
@options.sizes("for which to order products, and to state costs as numbers")
@click.option(
    "--mode",
    "modes",
    type=click.Choice(MODES),
    multiple=True,
    help="A mode to show; repeat the option for several.  By default, all are shown.",
)
@options.report
def cost(
    program: Program,
    wrt: Sequence[str],
    wrt2: Sequence[str],
    order: int | None,
    sizes: Mapping[str, int],
    modes: Sequence[Mode],
    as_json: bool,
) -> None:
    """Compare what a derivative costs in each mode.

    For each mode, the table has the dense derivative and the factored one: the number of nodes of
    its graph, their highest order, the floating-point operations (a flop is one multiplication or
    one addition), and the most numbers held in memory at one time.  Costs are polynomials in the
    sizes; with --sizes they are numbers too, with memory in bytes of float64.  Several --wrt mean
    the derivative by each in turn.
    """
    names = [*program.default_wrt(wrt), *wrt2]
    table = tcalc.cost(
        program.expression,
        names[0] if len(names) == 1 else names,
        order,
        sizes=sizes,
        modes=modes or MODES,
    )
    tell_guesses(program.expression)
    write(dump(document(table)) if as_json else str(table))


def document(table: CostTable) -> dict[str, Any]:
    """A table of costs for JSON, polynomials written in full."""
    return {
        "wrt": list(table.wrt),
        "sizes": dict(table.sizes),
        "nominal": not table.given,
        "costs": [_entry(row, table.given) for row in table],
    }


def _entry(row: Cost, given: bool) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "mode": row.mode,
        "form": row.form,
        "nodes": row.nodes,
        "highest_order": row.order,
        "flops": str(row.flops),
        "memory": str(row.memory),
    }
    if given:
        entry |= {"operations": row.operations, "bytes": row.bytes}
    return entry
