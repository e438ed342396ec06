"""The command that opens the web form."""

from __future__ import annotations

import importlib

import click

from tcalc.errors import UnsupportedError

WEB = "tcalc.web.serving"
"""Imported by name: it is outside this package's folder, and needs the extra `web`."""


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on; by default, only this machine can connect.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="The port; 0 means any free port.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help="How many short requests to compute at once; by default, one per processor.",
)
@click.option("--open", "browser", is_flag=True, help="Open the page in the browser.")
def serve(host: str, port: int, workers: int | None, browser: bool) -> None:
    """Serve tcalc as a page in the browser.

    Everything is computed on this machine, and nothing is loaded from elsewhere.
    """

    def ready(address: str) -> None:
        click.echo(f"tcalc is at {address} (Ctrl-C ends it)")
        if browser:
            click.launch(address)

    try:
        importlib.import_module(WEB).serve(host, port, workers, ready)
    except ModuleNotFoundError as error:
        raise UnsupportedError(
            f"the web page needs the package {error.name}",
            hint="install it with: pip install 'tcalc[web]'",
        ) from None
