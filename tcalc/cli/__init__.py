"""The command line: a thin layer over the public API.

Results go to standard output; messages, and guesses about undeclared names, to standard error; with
``--json``, errors go to standard output as well.  The exit status is 0 on success, 1 on an error in
the input, 2 on wrong usage.  Nothing is computed here: each command reads a program, calls the API,
and shows the result.  NumPy is imported only by the commands that need numbers, so that printing a
formula is quick.

This file is imported before everything that takes time to import, so that Ctrl-C works from the
first moment on.
"""

import os
import signal
from collections.abc import Callable, Sequence
from types import FrameType

__all__ = ["main"]

INTERRUPTED = 130
"""The exit status after Ctrl-C, by the convention of shells: 128 and the number of the signal."""

at_interrupt: list[Callable[[], None]] = []
"""What is done before the process ends by Ctrl-C; it must neither wait for long nor raise."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line on the given arguments, by default the process's, and exit."""
    if arguments is None:
        signal.signal(signal.SIGINT, _end)
    from tcalc.cli.app import main as run

    run(arguments)


def _end(number: int, frame: FrameType | None) -> None:
    """End the process at once.

    `KeyboardInterrupt` would be reported, and lost, where Python can raise nothing: in a callback
    of a weak reference, or while it ends.
    """
    for leave in at_interrupt:
        leave()
    os._exit(INTERRUPTED)
