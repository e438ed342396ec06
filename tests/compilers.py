"""The machine's C compiler, if there is one."""

from __future__ import annotations

import pytest

from tcalc.errors import UnsupportedError
from tcalc.runtime.libraries import compiler


def _command() -> tuple[str, ...] | None:
    try:
        return compiler()
    except UnsupportedError:
        return None


COMPILER = _command()
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
