"""Whether there is a C compiler, for tests that need one."""

from __future__ import annotations

import pytest

from tcalc.errors import UnsupportedError
from tcalc.runtime.native import compiler


def _is_there() -> bool:
    try:
        return bool(compiler())
    except UnsupportedError:
        return False


needs_compiler = pytest.mark.skipif(not _is_there(), reason="there is no C compiler")
