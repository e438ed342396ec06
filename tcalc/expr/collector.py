"""Pauses Python's cyclic garbage collector while a large graph is made.

The collector would look at all nodes again each time their number has grown by a quarter, which
doubles the time of a pass over 50,000 nodes.  It would find nothing: nodes refer to older nodes
only, so that reference counts free them.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_pauses = 0
_resume = False


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the collector for a block, or for the calls of a decorated function.

    Nested pauses and those of several threads count; the last one to end restores the state.
    """
    global _pauses, _resume
    with _lock:
        if _pauses == 0:
            _resume = gc.isenabled()
            gc.disable()
        _pauses += 1
    try:
        yield
    finally:
        with _lock:
            _pauses -= 1
            if _pauses == 0 and _resume:
                gc.enable()
