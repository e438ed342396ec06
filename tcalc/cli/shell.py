"""Completion for the shell."""

from __future__ import annotations

import click


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
