"""The README tells the truth: its examples run, its commands are those of the checks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sessions import blocks, console_sessions, run_commands, run_sessions

import tcalc

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

MAIN_JOB = "tcalc examples run logistic"


@pytest.mark.parametrize("session", console_sessions(README), ids=lambda x: x[0].line[:40])
def test_commands(session, tmp_path):
    run_commands(session, tmp_path)


def test_python_sessions():
    assert run_sessions(README, "README.md")


def test_the_commands_of_a_newcomer():
    commands = [block.strip() for block in blocks(README, "sh")]
    assert commands[0].endswith("&& pip install -e . && " + MAIN_JOB)
    assert all("\n" not in command for command in commands)


def test_the_checks_run_the_test_command_of_the_readme():
    (invocation,) = re.findall(r"python -m pytest.*", "".join(blocks(README, "sh")))
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
