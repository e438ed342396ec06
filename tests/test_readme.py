"""The README tells the truth: its examples run, its commands are those of the checks.

A ``console`` block holds commands after ``$`` with what they print; a ``pycon`` block is a Python
session, and all of them together are one.  A line ``...`` stands for any output.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from sessions import run_sessions

import tcalc

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

MAIN_JOB = "tcalc examples run logistic"


@dataclass(frozen=True)
class Command:
    """One command of the README, and what it prints."""

    line: str
    output: str


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def sessions() -> list[list[Command]]:
    """The console blocks, each a list of commands that share a directory."""
    return [
        [
            Command(line, output.strip())
            for line, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
        ]
        for block in blocks("console")
    ]


@pytest.mark.parametrize("session", sessions(), ids=lambda session: session[0].line[:40])
def test_commands(session, tmp_path):
    tcalc_command = f'tcalc() {{ {shlex.quote(sys.executable)} -m tcalc.cli "$@"; }}\n'
    for command in session:
        done = subprocess.run(
            ["bash", "-c", tcalc_command + command.line],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        if not matches(done.stdout, command.output):
            pytest.fail(f"{command.line}\nprints\n{done.stdout}", pytrace=False)


def matches(found: str, expected: str) -> bool:
    pattern = re.escape(expected).replace(re.escape("..."), "(?s:.*)")
    return re.fullmatch(pattern, found.strip()) is not None


def test_python_sessions():
    assert run_sessions(README, "README.md")


def test_the_commands_of_a_newcomer():
    commands = [block.strip() for block in blocks("sh")]
    assert commands[0].endswith("&& pip install -e . && " + MAIN_JOB)
    assert all("\n" not in command for command in commands)


def test_the_checks_run_the_test_command_of_the_readme():
    (invocation,) = re.findall(r"python -m pytest.*", "".join(blocks("sh")))
    assert re.findall(r"^python -m pytest.*", CI, re.MULTILINE) == [invocation]


@pytest.mark.parametrize("what", ["JAX", "BROWSER"])
def test_the_checks_insist_on(what):
    assert re.search(rf"^export TCALC_REQUIRE_{what}=1$", CI, re.MULTILINE)


def test_the_checks_install_all_that_tests_can_use():
    assert ".[dev,oracle,web,browser,gpu]" in CI


def test_the_table_has_every_public_function_and_each_has_an_example():
    rows = re.findall(r"^\| (`.*?) \|", README, re.MULTILINE)
    functions = set(tcalc.__all__) - {"Expression", "TcalcError"}
    assert sorted(re.findall(r"`(\w+)`", "".join(rows))) == sorted(functions)
    for name in functions:
        assert ">>>" in getattr(tcalc, name).__doc__, name
