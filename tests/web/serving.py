"""What the tests of the web form need: packages, and a server as users start it."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

REQUIRED = bool(os.environ.get("TCALC_REQUIRE_BROWSER"))
"""In continuous integration nothing of the web form is skipped."""


def needed(module: str, extra: str) -> Any:
    """A module of an extra; without it the test is skipped, or fails where it is required."""
    if REQUIRED:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what another's package says of itself, as below
            return importlib.import_module(module)
    reason = f"{module} is not installed; pip install -e '.[{extra}]' adds it"
    return pytest.importorskip(module, reason=reason)


@contextmanager
def served(arguments: Sequence[str] = ()) -> Iterator[str]:
    """The address of a running ``tcalc serve``; it must end at Ctrl-C, with no complaint."""
    command = [sys.executable, "-m", "tcalc.cli", "serve", "--port", "0", *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.fullmatch(r"tcalc is at (http://\S+)/ \(Ctrl-C ends it\)\n", line)
        if found is None:
            process.kill()
            raise AssertionError(line + process.communicate()[1])
        yield found[1]
    finally:
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert not errors.strip(), errors
