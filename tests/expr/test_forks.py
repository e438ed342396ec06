"""A forked process works, whatever the threads did that it has not taken along."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

BUSY = """
import gc, os, sys, threading
import tcalc
from tcalc.expr import dims, nodes
from tcalc.expr.collector import collector_paused
from tcalc.runtime import libraries

holding, over = threading.Event(), threading.Event()

def hold():
    with collector_paused():
        with nodes._lock, dims._lock, libraries._lock:
            holding.set()
            over.wait(0.2)
        over.wait()

thread = threading.Thread(target=hold)
thread.start()
holding.wait()
child = os.fork()
if not child:
    x = tcalc.parse("sum(exp(q.*x))", "q[unseen], x[unseen]")
    tcalc.gradient(x, "q")
    os._exit(0 if gc.isenabled() and libraries._lock.acquire(False) else 1)
over.set()
thread.join()
_, status = os.waitpid(child, 0)
x = tcalc.parse("sum(exp(q.*x))", "q[unknown], x[unknown]")
sys.exit(os.waitstatus_to_exitcode(status) or not gc.isenabled())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_threads_that_hold_locks_or_pause_the_collector_are_no_harm() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", BUSY], timeout=60, check=False)
    assert done.returncode == 0
