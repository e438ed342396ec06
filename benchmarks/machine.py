"""The machine, and its measured ceilings: what no program on it can exceed."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg

from benchmarks.measuring import plan, timed
from benchmarks.task import Call

PACKAGES = ("tcalc", "numpy", "scipy", "jax", "torch", "autograd", "pytensor", "casadi")


def description(threads: int) -> dict[str, Any]:
    """Processor, versions and threads: what makes two runs comparable."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
        "blas": f"{blas.get('name')} {blas.get('version')}",
        "versions": versions,
    }


def processor() -> str:
    """The name that the system has for the processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def ceilings() -> dict[str, float]:
    """Rates in Gflop/s and GB/s, call overheads in microseconds."""
    rng = np.random.default_rng(0)
    n = 1024
    A, B = rng.standard_normal((2, n, n))
    S = A @ A.T + n * np.eye(n)
    long, target = rng.standard_normal(1 << 23), np.empty(1 << 23)
    small = rng.standard_normal((4, 4))

    def rate(call: Call, work: float) -> float:
        number, repetitions = plan(call, 0.5)
        return work / min(timed(call, number) for _ in range(repetitions)) / 1e9

    return {
        "dgemm, Gflop/s": rate(lambda: A @ B, 2 * n**3),
        "syrk, Gflop/s": rate(lambda: A.T @ A, n**3),
        "potrf, Gflop/s": rate(lambda: scipy.linalg.lapack.dpotrf(S), n**3 / 3),
        "copy, GB/s": rate(lambda: np.copyto(target, long), 16 * len(long)),
        "a product of 4×4, µs": 1e-3 / rate(lambda: small @ small, 1.0),
        "an addition of 4×4, µs": 1e-3 / rate(lambda: small + small, 1.0),
        "an empty array of 50 MB filled, ms": 1e-6 / rate(lambda: np.ones(50 * 2**17), 1.0),
    }
