"""Errors of the command line, as JSON where JSON was asked for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TCALC = [sys.executable, "-m", "tcalc"]


def ran(*arguments, **more):
    done = subprocess.run([*TCALC, *arguments], capture_output=True, check=False, text=True, **more)
    assert "Traceback" not in done.stderr
    return done


def test_an_error_has_its_kind_its_place_and_its_hint():
    done = ran("gradient", "2 + x*y", "--wrt", "x", "--json")
    found = json.loads(done.stdout)["error"]
    places = found.pop("places")
    assert (done.returncode, done.stderr) == (1, "")
    assert found == {
        "kind": "orientation error",
        "message": "`*` of a column and a column",
        "hint": "x'*y is the scalar product, x.*y element-wise, x*y' the outer one",
        "source": "program",
        "line": 1,
        "column": 5,
        "text": "x*y",
    }
    assert [(place["text"], place["column"]) for place in places] == [("x", 5), ("y", 7)]


@pytest.mark.parametrize(
    ("arguments", "status", "kind"),
    [
        (["hessian", "x'*", "--format", "json"], 1, "syntax error"),
        (["evaluate", "x'*x", "--format=json"], 1, "argument error"),
        (["evaluate", "inv(A)", "--declare", "A[n,n]", "--data", "A=-", "--json"], 1, None),
        (["explain", "x'*z", "--json"], 2, "usage error"),
        (["gradient", "--json"], 2, "usage error"),
        (["gradient", "x'*x", "--wtr", "x", "--json"], 2, "usage error"),
        (["gradient", "x'*x", "--mode", "no", "--json"], 2, "usage error"),
        (["check", "x'*x", "--order", "9", "--json"], 2, "usage error"),
        (["compile", "x'*x", "--json"], 2, "usage error"),
        (["examples", "show", "no", "--json"], 1, "argument error"),
        (["examples", "solve", "no", "--json"], 1, None),
        (["functions", "no", "--json"], 1, None),
        (["no", "--json"], 2, "usage error"),
        (["--json"], 2, "usage error"),
    ],
)
def test_whatever_fails_is_one_document(run, arguments, status, kind):
    outcome = run(*arguments)
    found = json.loads(outcome.out)["error"]
    assert outcome.status == status
    assert "rror" not in outcome.err
    assert found["message"] and kind in (None, found["kind"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("gradient", "x'*y*"),
        ("gradient", "x'*y", "--wrt", "X"),
        ("explain", "x'*y"),
        ("evaluate",),
        ("functions", "no"),
        ("examples", "run", "no"),
    ],
)
def test_text_and_json_say_the_same(run, arguments):
    as_text, as_json = run(*arguments), run(*arguments, "--json")
    found = json.loads(as_json.out)["error"]
    assert (as_text.status, as_text.out) == (as_json.status, "")
    assert found["message"] in as_text.err
    assert found["hint"] is None or found["hint"] in as_text.err


def test_the_place_may_be_in_a_file_or_in_the_declarations(tmp_path):
    path = tmp_path / "model.tc"
    path.write_bytes(b"tensor x[n]\r\nf = x'*x\r\nf + nope(x)\r\n")
    found = json.loads(ran("gradient", str(path), "--json").stdout)["error"]
    assert (found["source"], found["line"], found["column"]) == (str(path), 3, 5)
    found = json.loads(ran("gradient", "x'*x", "--declare", "x[n", "--json").stdout)["error"]
    assert (found["source"], found["text"]) == ("declarations", "[")


def test_the_place_may_be_in_the_claim():
    claim = ["check", "x'*x", "--wrt", "x", "--claim", "2*x*x"]
    found = json.loads(ran(*claim, "--json").stdout)["error"]
    assert (found["source"], found["text"], found["column"]) == ("claim", "2*x*x", 1)
    assert "at claim, line 1" in ran(*claim).stderr


def test_without_json_it_is_text_and_a_formula_is_no_option():
    for arguments in (["gradient", "x*y"], ["gradient", "--", "--json"]):
        done = ran(*arguments)
        assert (done.returncode, done.stdout) == (1, "") and "error: " in done.stderr


def test_json_stays_json_where_the_terminal_knows_ascii_alone():
    for formula in ("é'*é", "é*é"):
        done = ran(
            "gradient",
            formula,
            *("--wrt", "é", "--json", "--declare", "é[n]"),
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
        )
        assert "é" in str(json.loads(done.stdout))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_an_output_that_takes_nothing_leaves_the_error_to_standard_error():
    command = f'"{sys.executable}" -m tcalc gradient "x*y" --json > /dev/full'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("orientation error: ")


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        ("diff", "gradient EXPR"),
        ("simplify", "print EXPR"),
        ("latex", "print EXPR --format latex"),
        ("help", "--help"),
    ],
)
def test_commands_of_other_names_are_told_what_they_are_here(run, command, meant):
    outcome = run(command, "x'*x")
    assert outcome.status == 2
    assert f"No such command '{command}'. Did you mean 'tcalc {meant}'?" in outcome.err


def test_a_formula_that_the_shell_has_taken_apart(run):
    outcome = run("gradient", "x'", "*", "x")
    assert outcome.status == 2
    assert "extra arguments (* x). A formula with blanks in it stands in quotes." in outcome.err


def test_a_program_and_a_folder_are_not_written_over(run, tmp_path):
    model = tmp_path / "model.tc"
    model.write_text("x'*x")
    outcome = run("compile", str(model), "-o", str(model))
    assert outcome.status == 1
    assert "the name is that of a program" in outcome.err
    assert model.read_text() == "x'*x"
    assert "that of a directory" in run("compile", "x'*x", "-o", f"{tmp_path}/new/").err
    assert [*tmp_path.iterdir()] == [model]


def test_guesses_come_before_what_they_lead_to(run):
    for command in (["check"], ["evaluate"], ["compile", "--backend", "c"]):
        assert run(*command, "norm2(X*w - y)").err.startswith("guessed: ")
    missing = run("check", "norm2(X*w - y)", "--data", "w=1,2").err
    assert "no data for X[m,n], y[m]" in missing and "--random draws them" in missing


def test_a_size_that_data_contradict_is_told_with_where_it_comes_from(run):
    data = ("--data", "w=1,2,3", "--data", "X=[[1,2],[3,4]]", "--data", "y=1,2")
    for command in ("check", "evaluate"):
        error = run(command, "norm2(X*w - y)", "--declare", "w[n], X[m,n], y[m]", *data).err
        assert re.search(
            r"(X has the shape \(2, 2\).*\(2, 3\)|w has the shape \(3,\).*\(2,\))", error
        )
        assert re.search("n = . is what [Xw] says", error)
