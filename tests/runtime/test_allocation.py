"""Memory of some megabytes is kept from call to call."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

CALLS = """
import resource

import numpy as np

import tcalc

products = tcalc.compile([tcalc.parse(f"{y}*x'", "x[n]") for y in ("x", "exp(x)", "sin(x)")])
x = np.ones(500)  # three results of 2 MB
for _ in range(20):
    products(x=x)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    products(x=x)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no limits")
@pytest.mark.parametrize("limited", [False, True])
def test_pages_are_made_once(limited: bool) -> None:
    environment = {k: x for k, x in os.environ.items() if not k.startswith("MALLOC_")}
    if limited:
        environment["MALLOC_MMAP_THRESHOLD_"] = "131072"
    run = [sys.executable, "-c", CALLS]
    told = subprocess.run(run, env=environment, capture_output=True, text=True, check=True)
    faults = int(told.stdout)
    # 2 MB are 488 pages of 4 KB.
    assert (faults > 10_000) if limited else (faults < 1_000)
