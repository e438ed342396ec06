"""Locks that are free in a forked process, whatever other threads do when it is made.

A fork copies the locks and the thread that forks, and no other: one that another thread holds would
be held forever, and the tables that it guards might be half written.
"""

from __future__ import annotations

import os
import threading
from typing import TypeVar

Lock = TypeVar("Lock", bound="threading.Lock | threading.RLock")


def free_in_forks(lock: Lock) -> Lock:
    """The same lock, for which forks wait: for one that lives as long as the process.

    Forks take locks in the opposite order of these calls, which must be the one in which threads
    do so that hold several.
    """
    if hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(
            before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
        )
    return lock
