"""Pauses Python's cyclic garbage collector while a large graph is made.

The collector would look at all nodes again each time their number has grown by a quarter, which
doubles the time of a pass over 50,000 nodes.  It would find nothing: nodes refer to older nodes
only, so that reference counts free them.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tcalc.expr.forks import free_in_forks

_lock = free_in_forks(threading.Lock())
_pausing: list[int] = []  # the threads that pause it
_resume = False


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the collector for a block, or for the calls of a decorated function.

    Nested pauses and those of several threads count; the last one to end restores the state.
    """
    global _resume
    with _lock:
        if not _pausing:
            _resume = gc.isenabled()
            gc.disable()
        _pausing.append(threading.get_ident())
    try:
        yield
    finally:
        with _lock:
            _pausing.remove(threading.get_ident())
            _resumed()


def _resumed() -> None:
    if not _pausing and _resume:
        gc.enable()


def _forked() -> None:
    """End the pauses of threads that are not in a forked process."""
    paused = bool(_pausing)
    _pausing[:] = [thread for thread in _pausing if thread == threading.get_ident()]
    if paused:
        _resumed()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forked)
