"""The sessions of a page: those of Python run as one, those of a console by a shell.

A ``console`` block holds commands after ``$`` with what they print; a line ``...`` stands for any
output, and `cc` is the compiler that there is.  Without one the Python sessions that need it are
left out.
"""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from compilers import COMPILER


@dataclass(frozen=True)
class Command:
    """One command of a page, and what it prints."""

    line: str
    output: str


def blocks(page: str, language: str) -> list[str]:
    """The code of a page that is marked as that of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def run_sessions(page: str, name: str) -> int:
    """Run what stands in the ``pycon`` blocks of a page, and tell the number of its examples."""
    sessions = blocks(page, "pycon")
    if COMPILER is None:
        sessions = [session for session in sessions if 'backend="c"' not in session]
    test = doctest.DocTestParser().get_doctest("\n".join(sessions), {}, name, name, 0)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    report: list[str] = []
    doctest.DocTestRunner(optionflags=options, verbose=False).run(test, out=report.append)
    if report:
        pytest.fail("".join(report), pytrace=False)
    return len(test.examples)


def console_sessions(page: str) -> list[list[Command]]:
    """The console blocks of a page, each a list of commands that share a directory."""
    return [
        [
            Command(line, output.strip())
            for line, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
        ]
        for block in blocks(page, "console")
    ]


def run_commands(session: list[Command], folder: Path) -> None:
    """Run commands in a folder; the test fails where one prints something else."""
    known = {"tcalc": (sys.executable, "-m", "tcalc.cli"), "cc": COMPILER or ("cc",)}
    defined = "".join(
        f'{name}() {{ command {shlex.join(x)} "$@"; }}\n' for name, x in known.items()
    )
    for command in session:
        done = subprocess.run(
            ["bash", "-c", defined + command.line],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            check=False,
        )
        if not _matches(done.stdout, command.output):
            pytest.fail(f"{command.line}\nprints\n{done.stdout}", pytrace=False)


def _matches(found: str, expected: str) -> bool:
    pattern = re.escape(expected).replace(re.escape("..."), "(?s:.*)")
    return re.fullmatch(pattern, found.strip()) is not None
