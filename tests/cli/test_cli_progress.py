"""The line on the terminal about what takes long."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from contextlib import contextmanager
from time import monotonic

import pytest

import tcalc
from tcalc.cli import options, progress

pty = pytest.importorskip("pty", reason="the system has no pseudo-terminals")

LONG = "s{0} = x\nfor t = 1:T; s{t} = tanh(A*s{t-1} + c*sin(s{t-1})); end\nsum(s{T})"
PATIENCE = 60


@pytest.fixture
def terminal():
    """Both ends of a pseudo-terminal: what is read, and what a program has."""
    ends = pty.openpty()
    yield ends
    for end in ends:
        os.close(end)


def has_text(reader, seconds=0.0):
    return bool(select.select([reader], [], [], seconds)[0])


def text_of(reader):
    found = b""
    while has_text(reader):
        found += os.read(reader, 4096)
    return found.decode()


def stands(text):
    """What is left to read on a line of a terminal."""
    row: list[str] = []
    at = 0
    for letter in text:
        if letter == "\r":
            at = 0
        else:
            row[at : at + 1] = letter
            at += 1
    return "".join(row).rstrip()


def work_until(condition):
    began = monotonic()
    while not condition():
        assert monotonic() - began < PATIENCE
        str(tcalc.gradient(tcalc.parse("sum(tanh(A*sin(x)))"), "x"))


def test_it_tells_the_pass_the_size_and_the_time_and_goes(terminal, monkeypatch):
    reader, writer = terminal
    monkeypatch.setattr(progress, "INTERVAL", 0.01)
    with progress.Line(writer, long=0.0) as line:
        line.nodes = 12345
        work_until(lambda: has_text(reader))
        shown = text_of(reader)
    assert re.search(r"\r[a-z ]+, 12,345 nodes, \d+ s", shown)
    assert stands(shown + text_of(reader)) == ""


def test_there_is_none_while_something_is_written(terminal, monkeypatch):
    reader, writer = terminal
    monkeypatch.setattr(progress, "INTERVAL", 0.01)
    with progress.Line(writer, long=0.0) as line:
        monkeypatch.setattr(progress, "_lines", [line])
        work_until(lambda: has_text(reader))
        with progress.hidden():
            assert stands(text_of(reader)) == ""
            os.write(writer, b"guessed")
        work_until(lambda: has_text(reader, 0.01))
        assert text_of(reader).startswith("guessed")


def test_short_work_has_none(terminal):
    reader, writer = terminal
    with progress.Line(writer):
        tcalc.parse("x'*x")
    assert not has_text(reader)


def test_what_is_no_terminal_has_none(capsys):
    with progress.shown():
        assert not progress._lines
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("choice", [["--quiet"], ["--json"], ["--format", "json"], []])
def test_neither_json_nor_quiet_commands_have_one(run, monkeypatch, choice):
    watched = []

    @contextmanager
    def shown():
        watched.append(True)
        yield

    monkeypatch.setattr(options, "shown", shown)
    for command in ("gradient", "check"):
        assert run(command, "x'*x", *choice).status == 0
    assert bool(watched) == (not choice)


def test_waiting_for_input_is_no_work():
    assert progress.pass_of(sys._getframe()) is None


def test_quiet_commands_say_nothing_but_errors(run, tmp_path):
    model = tmp_path / "model.py"
    for arguments in (["gradient", "x'*x"], ["compile", "x'*x", "-o", str(model)]):
        assert run(*arguments).err != ""
        outcome = run(*arguments, "--quiet")
        assert (outcome.status, outcome.err) == (0, "")
    assert model.exists()
    assert "orientation error" in run("gradient", "x*x", "--quiet").err


def test_ctrl_c_takes_it_away(terminal):
    reader, writer = terminal
    command = ["gradient", LONG, "--let", "T=2000", "--declare", "A[n,n], x[n], c", "--wrt", "A"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tcalc", *command], stdout=subprocess.PIPE, stderr=writer
    )
    assert has_text(reader, PATIENCE)
    process.send_signal(signal.SIGINT)
    assert process.communicate()[0] == b""
    assert process.returncode == 130
    shown = text_of(reader)
    assert " s\r" in shown and stands(shown) == ""
