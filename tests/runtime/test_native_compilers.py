"""The compilers of functions in C: which is taken, and what is said where none does."""

from __future__ import annotations

import itertools
import os
import shutil
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compilers import needs_compiler

import tcalc
from tcalc.errors import UnsupportedError
from tcalc.runtime import libraries


@pytest.fixture
def other_compiler(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """What sets the variable CC for one test."""
    libraries.compiler.cache_clear()

    def named(command: str) -> None:
        monkeypatch.setenv("CC", command)

    yield named
    libraries.compiler.cache_clear()


NUMBERS = itertools.count(101)


def fresh() -> tuple[Any, int]:
    """A function of two ones whose C nobody has compiled, and its value."""
    number = next(NUMBERS)
    return tcalc.compile(tcalc.parse(f"sum(x) + {number}", "x[n]"), backend="c"), number + 2


def test_a_compiler_that_is_not_there(other_compiler: Callable[[str], None]) -> None:
    other_compiler("/nonexistent/cc -O1")
    fun, _ = fresh()
    with pytest.raises(UnsupportedError, match=r"/nonexistent/cc, which CC names, is not there"):
        fun(x=np.ones(2))
    assert "int compute(" in fun.source_for(n=2)  # to read it takes no compiler


def test_no_compiler_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    libraries.compiler.cache_clear()
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnsupportedError, match="none of cc, gcc and clang") as caught:
        fresh()[0](x=np.ones(2))
    assert 'backend="numpy"' in str(caught.value)
    libraries.compiler.cache_clear()


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("#!/bin/sh\necho 'no space left' >&2; exit 1\n", "no space left"),
        ("#!/bin/sh\nexit 0\n", "cannot open shared object file"),
        ("\x7fELF nonsense", "Exec format error"),
    ],
    ids=["fails", "makes nothing", "is no program"],
)
def test_a_compiler_that_fails(
    script: str, told: str, other_compiler: Callable[[str], None], tmp_path: Path
) -> None:
    command = tmp_path / "cc"
    command.write_text(script)
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    other_compiler(str(command))
    fun, value = fresh()
    with pytest.raises(UnsupportedError, match=told) as caught:
        fun(x=np.ones(2))
    assert 'backend="numpy"' in str(caught.value)
    other_compiler("cc")
    libraries.compiler.cache_clear()
    if shutil.which("cc"):
        assert fun(x=np.ones(2)) == value  # a failure is not remembered


@needs_compiler
def test_a_compiler_without_the_usual_options(
    other_compiler: Callable[[str], None], tmp_path: Path
) -> None:
    """Options that not all compilers take are left out where one refuses them."""
    command = tmp_path / "cc"
    real = libraries.compiler()[0]
    refusing = f'#!/bin/sh\ncase "$*" in *-march=native*) exit 1;; esac\nexec {real} "$@"\n'
    command.write_text(refusing)
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    libraries.compiler.cache_clear()
    other_compiler(f"{command} -DOTHER")
    fun, value = fresh()
    assert fun(x=np.ones(2)) == value


@needs_compiler
def test_a_forked_process_leaves_the_files_of_its_parent() -> None:
    program = """
        import os
        import numpy as np
        import tcalc

        def call(number):
            f = tcalc.parse(f"sum(x) + {number}", "x[n]")
            return tcalc.compile(f, backend="c")(x=np.ones(2))

        assert call(1) == 3
        if os.fork() == 0:
            assert call(2) == 4
            raise SystemExit(0)
        assert os.wait()[1] == 0
        assert call(3) == 5
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
    subprocess.run(command, check=True, env=environment)
