"""Where results go: standard output, files, and what is said of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TCALC = [sys.executable, "-m", "tcalc"]


def unheard(*arguments):
    """A run whose standard error nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return subprocess.run(
            [*TCALC, *arguments], stdout=subprocess.PIPE, stderr=writer, check=False, text=True
        )
    finally:
        os.close(writer)


def test_a_result_comes_though_nobody_hears_what_was_guessed(tmp_path):
    done = unheard("gradient", "x'*x")
    assert (done.returncode, done.stdout) == (0, "2*x\n")
    done = unheard("compile", "x'*x", "-o", str(tmp_path / "model.py"))
    assert done.returncode == 0
    assert "def evaluate" in (tmp_path / "model.py").read_text()


def test_an_error_has_its_status_though_nobody_hears_it():
    assert unheard("gradient", "x*y").returncode == 1
    assert unheard("gradient", "x'*x", "--mode", "no").returncode == 2


@pytest.mark.parametrize("command", [["compile"], ["draw", "--wrt", "x"]])
def test_a_dash_is_standard_output(run, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    to_dash, as_ever = (run(*command, "x'*x", *more) for more in (["-o", "-"], []))
    assert to_dash.out == as_ever.out != ""
    assert "wrote" not in to_dash.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "name"),
    [(["compile"], "a.py"), (["draw"], "a.svg"), (["evaluate", "--random"], "a.npz")],
)
def test_what_cannot_be_written_is_named(run, command, name, tmp_path):
    path = tmp_path / "missing" / name
    outcome = run(*command, "x'*x", "--wrt", "x", "-o", str(path))
    assert outcome.status == 1
    assert f"argument error: cannot write {path}: No such file" in outcome.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_a_full_disk_is_told(run):
    outcome = run("draw", "x'*x", "-o", "/dev/full")
    assert "cannot write /dev/full: No space left" in outcome.err


def test_a_name_that_the_locale_cannot_write(tmp_path):
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [*TCALC, "compile", "x'*x", "-o", str(tmp_path / "λ.py")],
        capture_output=True,
        env={**os.environ, **ascii_only},
        check=False,
        text=True,
    )
    assert done.returncode == 1
    assert "internal" not in done.stderr and "cannot write" in done.stderr


def test_c_goes_to_no_module_of_python(run):
    options = ("--backend", "c", "--sizes", "m=3", "-o", "model.py")
    outcome = run("compile", "x'*x", *options)
    assert outcome.status == 2
    assert "model.py is no name for a C file" in outcome.err


def test_data_that_are_not_there(run, tmp_path):
    for name in ("a.npz", "a.npy", "a.csv", "a.json"):
        outcome = run("evaluate", "x'*x", "--data", str(tmp_path / name))
        assert outcome.status == 1
        assert "No such file" in outcome.err
