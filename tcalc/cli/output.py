"""Where results and messages go: standard output, standard error, files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import click

from tcalc.cli.progress import hidden
from tcalc.errors import ArgumentError

STANDARD_OUTPUT = "-"
QUIET = "tcalc.quiet"
"""What the context of a command has that says nothing but errors."""


def write(text: str) -> None:
    """Put a text on standard output."""
    with hidden():
        click.echo(text.rstrip("\n"))


def tell(message: str) -> None:
    """Say something on standard error, unless ``--quiet`` says not to.

    Where nobody can hear it, the result is the same.
    """
    context = click.get_current_context(silent=True)
    if context is not None and QUIET in context.meta:
        return
    try:
        with hidden():
            click.echo(message, err=True)
    except OSError:
        # Python would try again, and fail, when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def write_to(path: str | None, text: str) -> None:
    """Put a text on standard output, or into a file."""
    if path is None or path == STANDARD_OUTPUT:
        write(text)
    else:
        save(path, lambda file: file.write(text.encode()))


def save(path: str, fill: Callable[[BinaryIO], object]) -> None:
    """Have a file written, and say so; a program is never written over."""
    if path.endswith((".tc", "/")):
        what = "that of a program" if path.endswith(".tc") else "that of a directory"
        raise ArgumentError(f"cannot write {path}: the name is {what}")
    try:
        with Path(path).open("wb") as file:
            fill(file)
    except OSError as error:
        raise ArgumentError(f"cannot write {path}: {error.strerror}") from None
    except UnicodeEncodeError:
        raise ArgumentError(
            f"cannot write {path}: the system has no such letters",
            hint="set the locale to one of UTF-8",
        ) from None
    tell(f"wrote {path}")
