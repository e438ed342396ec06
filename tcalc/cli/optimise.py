"""The command that runs the worked examples of optimisation."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from tcalc import examples as worked
from tcalc.cli import options
from tcalc.cli.output import write
from tcalc.cli.results import dump


def complete_example(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    found = (e for e in worked.all_examples() if e.name.startswith(incomplete))
    return [CompletionItem(e.name, help=e.title) for e in found]


@click.command("solve")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=complete_example)
@options.report
def solve(name: str | None, as_json: bool) -> None:
    """Solve a worked example of optimisation, up to its known optimum.

    Without NAME, list the examples.  The exit status is 1 if the optimum is not the known one.
    """
    if name is None:
        listed = worked.all_examples()
        width = max(len(example.name) for example in listed)
        if as_json:
            write(dump([{"name": e.name, "title": e.title, "source": e.source} for e in listed]))
        else:
            write("\n".join(f"{e.name.ljust(width)}  {e.title}" for e in listed))
        return
    example = worked.load(name)
    outcome = example.solve()
    if as_json:
        write(
            dump(
                {
                    "name": example.name,
                    "title": example.title,
                    "source": example.source,
                    "agrees": outcome.agrees,
                    "steps": list(outcome.steps),
                    "findings": [
                        {"what": f.what, "error": f.error, "tolerance": f.tolerance}
                        for f in outcome.findings
                    ],
                }
            )
        )
    else:
        parts = [example.title, example.about, example.program, str(outcome)]
        parts.append(f"Known from: {example.source}.")
        write("\n\n".join(parts))
    if not outcome.agrees:
        raise click.exceptions.Exit(1)
