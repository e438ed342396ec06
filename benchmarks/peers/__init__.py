"""The peers: one module each, which makes the contenders of a task in the peer's best idioms.

Each module has a function ``contenders(task)``, which yields `Contender` objects.  A peer that is
not installed, or that lacks an operation, does not take part, and the reason is reported.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator

from benchmarks.task import Contender, Task

NAMES = ("jax", "torch", "autograd", "pytensor", "casadi")


def installed() -> tuple[str, ...]:
    """The names of the peers that can be imported."""
    return tuple(name for name in NAMES if importlib.util.find_spec(name) is not None)


def contenders(name: str, task: Task) -> Iterator[Contender]:
    """A peer's contenders for a task; raises `UnavailableError` where it takes no part."""
    module = importlib.import_module(f"benchmarks.peers.{name}_peer")
    made: Iterator[Contender] = module.contenders(task)
    return made
