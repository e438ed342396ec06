"""One task measured: build, compare, time, and say what came out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np

from benchmarks.contenders import gather
from benchmarks.measuring import interleaved, peak_memory, timed
from benchmarks.task import Call, Contender, Task, UnavailableError, listed

TOLERANCE = 1e-8
SLOWEST = 10.0
"""A contender whose first call takes longer (in seconds, compiling included) drops out.

One that keeps compiled code on disk is given a second build before that; the first is told.
"""
ATTEMPTS = 3
"""How often a task is measured anew while other processes are busy."""


@dataclass(slots=True)
class Entry:
    """What is known of one contender in one task; times in seconds, memory in bytes."""

    contender: str
    peer: bool
    compile: float = float("nan")
    error: float = float("nan")
    peak: float = float("nan")
    median: float = float("nan")
    minimum: float = float("nan")
    samples: int = 0
    absent: str = ""


@dataclass(slots=True)
class Row:
    """A task as measured, with what is known of each contender."""

    row: str
    problem: str
    title: str
    quantity: str
    sizes: dict[str, int]
    scale: int
    entries: list[Entry] = field(default_factory=list)
    busy: float = float("nan")
    trusted: bool = False

    @property
    def name(self) -> str:
        """The row as the table calls it."""
        return f"{self.row}  {self.problem} {self.quantity} ({listed(self.sizes)})"

    def entry(self, contender: str) -> Entry | None:
        """What was measured of a contender; None where it took no part."""
        return next((e for e in self.entries if e.contender == contender and e.samples), None)

    def best_peer(self) -> Entry | None:
        """The quickest of the peers that took part."""
        peers = [e for e in self.entries if e.peer and e.samples]
        return min(peers, key=lambda e: e.median, default=None)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def measured(task: Task, names: Sequence[str], seconds: float) -> Row:
    """Measure all contenders of a task, again while other processes disturb."""
    problem = task.problem
    row = Row(problem.row, problem.name, problem.title, task.quantity, dict(task.sizes), task.scale)
    contenders, absent = gather(task, names)
    row.entries += [Entry(name, peer=True, absent=reason) for name, reason in absent.items()]
    calls = prepared(contenders, row)
    if not calls:
        return row
    for _ in range(ATTEMPTS):
        measurement = interleaved(calls, seconds)
        if measurement.trusted:
            break
    row.busy, row.trusted = measurement.busy, measurement.trusted
    for entry in row.entries:
        if entry.contender in calls:
            times = measurement.times[entry.contender]
            entry.median, entry.minimum, entry.samples = times.median, times.minimum, times.samples
            entry.peak = peak_memory(calls[entry.contender])
    return row


def prepared(contenders: Sequence[Contender], row: Row) -> dict[str, Call]:
    """Build every contender and compare its result with that of the first that has one."""
    calls: dict[str, Call] = {}
    reference: tuple[np.ndarray, ...] | None = None
    for contender in contenders:
        entry = Entry(contender.name, contender.peer)
        row.entries.append(entry)
        started = begun(contender, entry)
        if started is None:
            continue
        call, result = started
        if row.quantity == "factored" and contender.name == "expert":
            entry.error = 0.0  # cores, in no common layout: compared in the dense task
        elif reference is None:
            reference, entry.error = result, 0.0
        else:
            entry.error = difference(result, reference)
        if not entry.error <= TOLERANCE:
            entry.absent = f"differs by {entry.error:.1e}"
            continue
        calls[contender.name] = call
    return calls


def begun(contender: Contender, entry: Entry) -> tuple[Call, tuple[np.ndarray, ...]] | None:
    """A contender built and called once, and its result; None where the entry says why not."""
    made: list[Call] = []
    try:
        again = entry.compile = timed(partial(first, contender, made), 1)
        if again > SLOWEST and contender.cached:
            again = timed(partial(first, contender, made), 1)
        if again <= SLOWEST:
            return made[-1], contender.arrays(made[-1]())
        entry.absent = f"first call took {entry.compile:.0f} s"
    except (UnavailableError, ModuleNotFoundError) as reason:
        entry.absent = str(reason)
    except (AttributeError, NotImplementedError, TypeError) as error:
        # The ways in which the peers say that they lack an operation; of ours it is a fault.
        if not contender.peer:
            raise
        entry.absent = f"not supported: {brief(error)}"
    except (MemoryError, RuntimeError, ValueError) as error:
        # The ways in which a peer fails on a problem, too large for it among them.
        if not contender.peer:
            raise
        entry.absent = f"failed: {brief(error)}"
    return None


def brief(error: Exception) -> str:
    """The first line of what an error says, cut to the width of a table."""
    return str(error).partition("\n")[0][:100]


def first(contender: Contender, into: list[Call]) -> None:
    """Build a contender and call it once, which for some is when they compile."""
    into.append(contender.build())
    into[0]()


def difference(a: tuple[np.ndarray, ...], b: tuple[np.ndarray, ...]) -> float:
    """The largest difference, relative to the largest entry of each array."""
    if [x.shape for x in a] != [x.shape for x in b]:
        return float("inf")
    return max(
        float(np.max(np.abs(x - y), initial=0.0) / max(np.max(np.abs(y), initial=0.0), 1e-300))
        for x, y in zip(a, b, strict=True)
    )
