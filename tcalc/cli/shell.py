"""The commands around the compiler: completion for the shell, and the web page."""

from __future__ import annotations

import click

from tcalc.errors import UnsupportedError

PAGES = "tcalc.pages"
"""The group of entry points under which a package offers a page to serve."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for a shell.

    bash: eval "$(tcalc completion bash)"
    """
    from click.shell_completion import get_completion_class

    from tcalc.cli.app import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    script = kind(cli, {}, "tcalc", "_TCALC_COMPLETE")
    # Not script.source(), which starts a bash to learn its version.
    click.echo(script.source_template % script.source_vars())


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
def serve(host: str, port: int) -> None:
    """Open tcalc as a page in the browser."""
    # Costs a fifth of the start of any command.
    from importlib.metadata import entry_points

    for entry in entry_points(group=PAGES):
        entry.load()(host, port)
        return
    raise UnsupportedError(
        "the web page is not part of this installation",
        hint="everything it will show, the other commands print: see tcalc --help",
    )
