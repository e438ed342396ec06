"""The command: ``python -m benchmarks``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks.measuring import pin

if TYPE_CHECKING:
    from benchmarks.rows import Row
    from benchmarks.task import Problem


@click.command(help="Measure tcalc side by side with its peers and with an expert's NumPy.")
@click.option("--rows", default="A,B,C,D,E,F,G", show_default=True, help="Which rows of the table.")
@click.option("--problems", "chosen", default="", help="Only these problems, by name.")
@click.option("--quantities", default="", help="Only these quantities, such as hessian,newton.")
@click.option("--peers", "names", default=None, help="Only these peers; none: --peers ''.")
@click.option("--sizes", type=click.Choice(["small", "all"]), default="all", show_default=True)
@click.option("--seconds", default=1.0, show_default=True, help="For each contender of a task.")
@click.option("--threads", default=1, show_default=True, help="Threads and cores to use.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for table and plot; rows of an earlier run there are kept.",
)
@click.option("--list", "listed", is_flag=True, help="List the problems and stop.")
def main(
    rows: str,
    chosen: str,
    quantities: str,
    names: str | None,
    sizes: str,
    seconds: float,
    threads: int,
    output: Path | None,
    listed: bool,
) -> None:
    pin(threads)
    # Only now: NumPy and the peers read the number of threads when they are imported.
    from benchmarks import growth, machine, peers
    from benchmarks.problems import PROBLEMS
    from benchmarks.rows import measured
    from benchmarks.task import QUANTITIES, tasks

    letters, wanted, measures = set(split(rows)), set(split(chosen)), set(split(quantities))
    known = {p.name for p in PROBLEMS} | {"growth"} | QUANTITIES.keys()
    if unknown := (wanted | measures) - known:
        raise click.BadParameter(f"{', '.join(sorted(unknown))}: see --list")
    problems = [p for p in PROBLEMS if p.row in letters and (not wanted or p.name in wanted)]
    grows = "E" in letters and (not wanted or "growth" in wanted)
    if listed:
        print("\n".join(listing(problems, grows)))
        return
    installed = peers.installed()
    found = installed if names is None else tuple(n for n in split(names) if n in installed)
    print("peers:", ", ".join(found) or "none", flush=True)
    ceilings = machine.ceilings()
    print("; ".join(f"{name}: {value:.3g}" for name, value in ceilings.items()), flush=True)
    started = time.perf_counter()
    table = Table(machine.description(threads), ceilings, output)
    for task in tasks(problems, measures or None, sizes):
        table.add(measured(task, found, seconds))
    if grows:
        for row in growth.rows(found, sizes):
            table.add(row)
    print(f"{len(table.rows)} rows in {time.perf_counter() - started:.0f} s")
    table.draw()


class Table:
    """The rows of a run, kept in a folder if one is given beside those of earlier runs."""

    def __init__(
        self, machine: dict[str, Any], ceilings: dict[str, float], folder: Path | None
    ) -> None:
        from benchmarks import report

        self.machine, self.ceilings, self.folder = machine, ceilings, folder
        self.kept = report.earlier(machine, folder) if folder is not None else []
        self.rows: list[Row] = []

    def add(self, row: Row) -> None:
        """Show a row, and save all: an interrupted run leaves what it has."""
        from benchmarks import report

        self.rows.append(row)
        print(report.line(row), flush=True)
        if self.folder is not None:
            rows = report.updated(self.kept, self.rows)
            report.save(rows, self.machine, self.ceilings, self.folder)

    def draw(self) -> None:
        """Draw the rows, if there is a folder for that."""
        from benchmarks import report

        if self.folder is not None:
            report.draw(report.updated(self.kept, self.rows), self.folder)
            print(f"wrote table.md, table.json, plot.svg to {self.folder}")


def listing(problems: Sequence[Problem], grows: bool) -> Iterator[str]:
    """The problems with their quantities, and what these are."""
    from benchmarks import growth
    from benchmarks.task import QUANTITIES

    lines = [f"{p.row}  {p.name:14s} {p.title}: {', '.join(p.sizes)}" for p in problems]
    if grows:
        lines.append(f"E  {'growth':14s} {growth.TITLE}: gradient")
    yield from sorted(lines, key=lambda line: line[0])
    for quantity, meaning in QUANTITIES.items():
        yield f"   {quantity:14s} {meaning}"


def split(text: str) -> list[str]:
    """The items of a list with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


if __name__ == "__main__":
    main()
