"""The peers: one module each, which makes the contenders of a task in the peer's best idioms.

Each module names its package in ``PACKAGE``, and ``contenders(task)`` yields `Contender` objects.
A peer that is not installed, or that lacks an operation, takes no part, with the reason told.
"""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

NAMES = ("jax", "torch", "autograd", "pytensor", "casadi")


def installed() -> tuple[str, ...]:
    return tuple(name for name in NAMES if importlib.util.find_spec(name) is not None)


def module(name: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.peers.{name}_peer")
