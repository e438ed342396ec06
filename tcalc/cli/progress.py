"""A line on the terminal that says what takes long, and goes when it is done.

A thread looks, now and then, at which package the command is in, so that no pass has to tell, and
none gets slower.  The line stands on standard error, and only where that is a terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event, Lock, Thread, get_ident
from time import monotonic
from types import FrameType

from tcalc import cli
from tcalc.expr.nodes import Node
from tcalc.expr.traverse import postorder

PASSES: Mapping[str, str] = {
    "tcalc.language": "reading",
    "tcalc.calculus": "differentiating",
    "tcalc.simplify": "simplifying",
    "tcalc.printing": "writing the formula",
    "tcalc.planning": "planning",
    "tcalc.codegen": "writing code",
    "tcalc.costing": "counting operations",
    "tcalc.pictures": "drawing",
    "tcalc.checking": "checking",
    "tcalc.interpret": "computing",
    "tcalc.runtime": "computing",
}
"""What goes on in the packages that may take long."""

LONG = 1.0
"""Seconds that a command may take before there is a line."""
INTERVAL = 0.2
"""Seconds between two looks at what goes on."""
COLUMNS = 80
"""The columns of a terminal that does not tell."""

_lines: list[Line] = []
"""The line of the command that runs, if it has one."""


class Line:
    """A line on a terminal about what one thread does."""

    def __init__(self, terminal: int, long: float = LONG) -> None:
        self.nodes = 0
        self.lock = Lock()
        self._terminal = terminal
        self._long = long
        self._watched = get_ident()
        self._ended = Event()
        self._text = ""
        self._thread = Thread(target=self._watch, name="progress", daemon=True)

    def __enter__(self) -> Line:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        self.erase()

    def erase(self) -> None:
        """Leave the terminal as it was without the line."""
        self._put("")

    def leave(self) -> None:
        """Erase it for good: the process ends, perhaps while the lock is held."""
        self.lock.acquire(timeout=INTERVAL)
        self.erase()

    def _watch(self) -> None:
        began: float | None = None
        while not self._ended.wait(INTERVAL):
            at = pass_of(sys._current_frames().get(self._watched))
            if at is None:
                continue
            now = monotonic()
            began = now if began is None else began
            if now - began >= self._long - INTERVAL:
                size = f", {self.nodes:,} nodes" if self.nodes else ""
                with self.lock:
                    self._put(f"{at}{size}, {now - began:.0f} s")

    def _put(self, text: str) -> None:
        """Write over what stands in the line; a terminal that is gone is not told.

        It goes past the stream, which may be in the midst of a write when Ctrl-C is pressed.
        """
        try:
            text = text[: (os.get_terminal_size(self._terminal).columns or COLUMNS) - 1]
            if text != self._text:
                os.write(self._terminal, f"\r{text:{len(self._text)}}\r{text}".encode())
        except OSError:
            self._ended.set()
        self._text = text


def pass_of(frame: FrameType | None) -> str | None:
    """What goes on in a frame, or in the nearest of its callers that is in one of the packages."""
    while frame is not None:
        package = ".".join(frame.f_globals.get("__name__", "").split(".")[:2])
        if package in PASSES:
            return PASSES[package]
        frame = frame.f_back
    return None


@contextmanager
def shown() -> Iterator[None]:
    """Show a line for what the block does, if it takes long, and there is a terminal."""
    stream = sys.stderr
    if stream is None or not stream.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    with Line(stream.fileno()) as line:
        _lines.append(line)
        cli.at_interrupt.append(line.leave)
        try:
            yield
        finally:
            cli.at_interrupt.remove(line.leave)
            _lines.remove(line)


@contextmanager
def hidden() -> Iterator[None]:
    """Keep the line away while the block writes to the terminal."""
    if not _lines:
        yield
        return
    line = _lines[-1]
    with line.lock:
        line.erase()
        yield


def about(roots: Sequence[Node]) -> None:
    """Say what the command is about now: the line tells of how many nodes it is."""
    for line in _lines:
        line.nodes = len(postorder(roots))
