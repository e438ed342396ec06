"""What can be set about a server."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

LOOPBACK = ("127.0.0.1", "localhost", "::1")

MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Settings:
    """The limits of a server.

    Attributes:
        workers: how many short requests are computed at once.
        slow: how many long ones are computed beside them, at low priority.
        queue: how many requests wait for a worker before more are refused.
        patience: seconds of computing after which a request counts as a long one.
        wait: seconds that a long request may stay among the short ones for want of a place.
        time: seconds after which a request is ended.
        memory: bytes of address space of a worker.
        body: bytes of the body of a request.
        arrival: seconds that a body may take to arrive.
        hosts: the names by which a browser may call the server; empty for all.
    """

    workers: int = field(default_factory=lambda: max(2, os.cpu_count() or 2))
    slow: int = 4
    queue: int = 64
    patience: float = 0.06
    wait: float = 0.4
    time: float = 5.0
    memory: int = 1024 * MEBIBYTE
    body: int = 256 * 1024
    arrival: float = 10.0
    hosts: tuple[str, ...] = LOOPBACK
