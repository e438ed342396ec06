"""C files as libraries, made by the machine's compiler beside what else there is to do."""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path

from tcalc.errors import UnsupportedError
from tcalc.expr.forks import free_in_forks

FLAGS = (
    *("-std=gnu11", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"),
    *("-fopenmp-simd", "-w"),
)
"""How files are compiled: nothing that changes a result beyond the order of sums, and beyond the
last digits of functions.

Products that are not rounded before they are added would make `x*x - y*y` less than 0 at y = x.
"""
VECTORISED = ("-O2", "-march=native", "-ftree-loop-vectorize", "-fvect-cost-model=dynamic")
EFFORT = ((1_000, VECTORISED), (5_000, ("-O1", "-march=native")), (sys.maxsize, ("-O0",)))
"""How much compilers are to improve files of up to so many lines.

Their time grows faster than these, and without it small loops still take less than calls of NumPy.
GCC 12 makes wrong code of some nests of loops at -O3, where it joins steps that lie side by side.
"""
COMPILERS = ("cc", "gcc", "clang")


@cache
def compiler() -> tuple[str, ...]:
    """The command that compiles C: that of the variable CC, or the first one that is there.

    Raises `UnsupportedError` where there is none.
    """
    named = os.environ.get("CC")
    command = shlex.split(named) if named else [x for x in COMPILERS if shutil.which(x)][:1]
    if not command or shutil.which(command[0]) is None:
        missing = f"{command[0]}, which CC names," if command else "none of cc, gcc and clang"
        raise UnsupportedError(
            f'the backend "c" needs a C compiler, and {missing} is '
            f"{'not ' if command else ''}there",
            hint='install one, or compile with backend="numpy"',
        )
    return tuple(command)


class Library:
    """A C file that is compiled from now on; `load` waits for it.

    There is one for each text: see `library`.
    """

    def __init__(self, source: str, path: Path) -> None:
        self._file, self._made = path.with_suffix(".c"), path.with_suffix(".so")
        path.parent.mkdir(mode=0o700, exist_ok=True)  # a forked process takes it along when it ends
        self._file.write_text(source, encoding="utf-8")
        lines = source.count("\n")
        best = next(flags for most, flags in EFFORT if lines <= most)
        # The last flags are those that every compiler takes.
        self._further = [("-O1", "-DTCALC_SCALAR"), (*best, "-DTCALC_SCALAR"), best]
        if sys.platform == "linux":
            self._further.append((*best, "-nostdlib"))
        self._failure = ""
        self._process = os.getpid()
        self._running: subprocess.Popen[str] | None = None
        self._loaded: ctypes.CDLL | None = None
        self._lock = threading.Lock()
        self._start()

    def _start(self) -> None:
        """Compile with the next flags."""
        names = ("-shared", "-fPIC", "-o", str(self._made), str(self._file), "-lm")
        command = [*compiler(), *FLAGS, *self._further.pop(), *names]
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        try:
            self._running = subprocess.Popen(command, text=True, stdout=nothing, stderr=pipe)
        except OSError as error:  # it is no program
            self._failure = str(error)

    def load(self) -> ctypes.CDLL:
        """The library, once it is there.

        Raises `UnsupportedError` where the compiler does not take the file.
        """
        with self._lock:
            while self._loaded is None:
                self._load()
                if self._loaded is None and not self._further:
                    raise UnsupportedError(
                        f"{compiler()[0]} does not compile the generated C: "
                        f"{self._failure.strip()[:500]}",
                        hint="name another compiler by the variable CC, or compile with "
                        'backend="numpy"',
                    )
                if self._loaded is None:
                    self._start()
            return self._loaded

    def _load(self) -> None:
        """Wait for what is running, and load what it has made."""
        if self._running is None:
            return
        _, told = self._running.communicate()
        if self._running.returncode:
            self._failure = told
        else:
            try:
                self._loaded = ctypes.CDLL(str(self._made))
            except OSError as error:  # nothing is made, or the folder is one for data alone
                self._failure = str(error)
        self._running = None

    @property
    def failed(self) -> bool:
        """Whether no flags are left to compile it with."""
        return self._loaded is None and self._running is None and not self._further

    def stop(self) -> None:
        """Let a compiler that nobody waits for end at once, unless it is a parent's."""
        if self._running is not None and self._process == os.getpid():
            self._running.kill()
            self._running.communicate()


_libraries: dict[str, Library] = {}
_lock = free_in_forks(threading.Lock())


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="tcalc")


@atexit.register
def _stop_all() -> None:
    for found in _libraries.values():
        found.stop()


def library(source: str) -> Library:
    """The library of a C file: one for each text, and one more where a compiler has failed.

    Raises `UnsupportedError` where there is no compiler.
    """
    key = hashlib.sha256(source.encode()).hexdigest()[:32]
    with _lock:
        if key not in _libraries or _libraries[key].failed:
            _libraries[key] = Library(source, Path(_folder().name) / key)
        return _libraries[key]
