"""What the C library does with memory that is freed, and how to have it kept for the next call.

glibc takes a block of 128 KB or more from the system, and gives it back as soon as it is freed: in
each call its pages are made anew, which takes three times as long as to fill them.  But whenever
such a block is freed, of up to 32 MB, glibc concludes that more will follow, and keeps what is no
larger from then on (mallopt(3), M_MMAP_THRESHOLD); at most twice as much stays with the process.
One block of that size that is freed untouched spares the calls of a function with arrays of some
megabytes most of their time.  Limits that are set in the environment remain as they are
(``MALLOC_MMAP_THRESHOLD_``, ``MALLOC_TRIM_THRESHOLD_``), and other C libraries have none of this.
"""

from __future__ import annotations

from functools import cache

import numpy as np

LARGEST = 31 * 2**20
"""The bytes of the largest blocks that are kept."""


@cache
def keep_freed_blocks() -> None:
    """Have freed blocks of up to `LARGEST` bytes kept by the process, once and for all."""
    np.empty(LARGEST, np.uint8)
