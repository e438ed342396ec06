"""Times that can be compared: interleaved, on pinned threads, distrusted while others run."""

from __future__ import annotations

import ctypes
import gc
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.task import Call

BUSY = 0.08
"""The share of one core that other processes may take while a row is measured."""
SAMPLE = 3e-4
"""The least duration of one sample: quicker calls are repeated within a sample."""
LONG = 1.0
"""Seconds from which on a call is repeated twice only."""


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of a call."""

    median: float
    minimum: float
    samples: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """Calls timed side by side."""

    times: Mapping[str, Times]
    busy: float
    """Cores that other processes kept busy meanwhile; nan where the system does not tell."""

    @property
    def trusted(self) -> bool:
        """Whether the machine was quiet, or does not tell."""
        return not self.busy > BUSY


def interleaved(calls: Mapping[str, Call], seconds: float) -> Measurement:
    """Time the calls in turns, each for about so many seconds, and at least five times."""
    plans = {name: plan(call, seconds) for name, call in calls.items()}
    samples: dict[str, list[float]] = {name: [] for name in calls}
    most = max(repetitions for _, repetitions in plans.values())
    gc.collect()
    gc.disable()
    started, others = time.perf_counter(), other_processes()
    try:
        for turn in range(most):
            for name, call in calls.items():
                number, repetitions = plans[name]
                # The slow ones are spread over the turns, so that all see the same weather.
                if turn * repetitions // most == len(samples[name]):
                    samples[name].append(timed(call, number))
    finally:
        gc.enable()
    elapsed = time.perf_counter() - started
    busy = (other_processes() - others) / elapsed
    times = {
        name: Times(statistics.median(found), min(found), len(found))
        for name, found in samples.items()
    }
    return Measurement(times, busy)


def plan(call: Call, seconds: float) -> tuple[int, int]:
    """Calls within a sample, and samples, after one call to warm up where calls are short."""
    once = timed(call, 1)
    if once < LONG:
        once = timed(call, 1)
    number = max(1, min(1000, round(SAMPLE / once)))
    return number, max(5 if once < LONG else 2, min(200, int(seconds / (once * number))))


def timed(call: Call, number: int) -> float:
    """Seconds of one call, the mean of so many."""
    clock = time.perf_counter
    start = clock()
    for _ in range(number):
        call()
    return (clock() - start) / number


def other_processes() -> float:
    """CPU seconds that all other processes have used since the machine started."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return float("nan")
    user, nice, system, _idle, _wait, irq, soft, *_ = map(
        int, stat.read_text().split("\n", 1)[0].split()[1:]
    )
    own = os.times()
    total = (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")
    return total - own.user - own.system


def peak_memory(call: Call) -> float:
    """Bytes by which the resident set grows during one call; nan where Linux does not tell."""
    clear = Path("/proc/self/clear_refs")
    if not clear.exists():
        return float("nan")
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    before = status("VmRSS")
    try:
        clear.write_text("5")  # resets the high-water mark
    except OSError:
        return float("nan")
    result = call()
    grown = status("VmHWM") - before
    del result
    return max(0.0, grown)


def status(key: str) -> float:
    """Bytes, from the line of that name in what Linux tells of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return 1024.0 * int(line.split()[1])
    return float("nan")


def pin(threads: int) -> None:
    """Hold this process to so many cores, and every library to so many threads.

    Sets environment variables, which NumPy and the peers read when they are imported: raises
    `RuntimeError` where NumPy is there already.
    """
    if "numpy" in sys.modules:
        raise RuntimeError("NumPy has its threads already: pin before it is imported")
    for name in ("OPENBLAS", "OMP", "MKL", "NUMEXPR", "VECLIB_MAXIMUM"):
        os.environ[f"{name}_NUM_THREADS"] = str(threads)
    if threads == 1:
        os.environ["XLA_FLAGS"] = (
            "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        )
    if hasattr(os, "sched_setaffinity"):
        cores: Sequence[int] = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[-threads:])
