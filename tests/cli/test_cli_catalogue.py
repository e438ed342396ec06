"""The commands that show what there is, and those around the compiler."""

from __future__ import annotations

import re
import shlex

import pytest

import tcalc
from tcalc import gallery
from tcalc.cli.app import EXAMPLES, cli
from tcalc.language.calls import FORMS
from tcalc.language.catalogue import BY_NAME, FUNCTIONS


class TestExamples:
    def test_are_listed(self, run):
        out = run("examples").out
        assert out == run("examples", "list").out
        assert [line.split()[0] for line in out.splitlines()] == list(gallery.names())

    def test_are_listed_as_json(self, run):
        entries = run("examples", "list", "--json").json
        assert entries == run("examples", "--json").json
        assert run("examples", "show", "ridge", "--json").json in entries
        assert {entry["name"] for entry in entries} == set(gallery.names())

    def test_are_shown_in_full(self, run):
        assert run("examples", "show", "ridge").out == gallery.load("ridge").text

    def test_can_be_piped_into_another_command(self, run):
        text = run("examples", "show", "trace_product").out.encode()
        outcome = run("gradient", "-", "--wrt", "X", stdin=text)
        assert set(outcome.out.strip().split(" + ")) == {"B*X*C*A", "B'*X*A'*C'"}

    @pytest.mark.parametrize("name", gallery.names())
    def test_run(self, run, name):
        out = run("examples", "run", name).out
        assert out.startswith(gallery.load(name).title)
        assert "value" in out

    def test_run_as_json(self, run):
        document = run("examples", "run", "ridge", "--json", "--seed", "3").json
        assert [result["kind"] for result in document["results"]] == [
            "value",
            "gradient",
            "hessian",
        ]

    def test_run_by_another_variable(self, run):
        assert "gradient by X" in run("examples", "run", "ridge", "--wrt", "X").out

    def test_an_unknown_one_is_refused(self, run):
        outcome = run("examples", "run", "rigde")
        assert outcome.status == 1
        assert "did you mean 'ridge'" in outcome.err


def starts(lines):
    return [line.split()[0] for line in lines if not line.startswith(" ")]


class TestFunctions:
    def test_are_listed(self, run):
        out = run("functions").out
        whole, _, rest = out.partition("\n\non a device\n")
        hosted, _, in_c = rest.partition("\n\nin C\n")
        lines = whole.splitlines()
        assert lines[0].split() == ["function", "domain", "derivative", "at", "kinks"]
        assert starts(lines[1:]) == [function.name for function in FUNCTIONS]
        assert starts(hosted.splitlines()) == [x.name for x in FUNCTIONS if x.on_device]
        told = re.sub(r"value alone|no code|,|\n", " ", in_c).split()
        assert {*told} == {x.name for x in tcalc.functions().values() if x.in_c}
        assert max(map(len, out.splitlines())) <= 120

    @pytest.mark.parametrize("width", [30, 60, 80, 100, 200])
    def test_fit_the_terminal(self, run, monkeypatch, width):
        monkeypatch.setenv("COLUMNS", str(width))
        lines = run("functions").out.splitlines()
        assert max(map(len, lines)) <= max(width, 60)

    def test_every_one_documents_itself(self):
        for function in FUNCTIONS:
            assert function.summary and function.domain and function.derivative, function.name

    def test_those_of_more_than_tensors_are_listed(self):
        assert FORMS.keys() <= BY_NAME.keys()

    def test_one_of_them(self, run):
        out = run("functions", "relu").out
        assert "relu" in out and "derivative" in out and "kinks" in out

    def test_what_has_no_code_in_c(self, run, monkeypatch):
        assert "in C" not in run("functions").out
        known = {"lgamma": "value", "polygamma": "none"}
        monkeypatch.setattr(
            "tcalc.codegen.c.coverage.coverage", lambda function: known.get(function.name, "all")
        )
        assert re.search(r"^in C +value alone$", run("functions", "lgamma").out, re.MULTILINE)
        assert run("functions", "polygamma", "--json").json[0]["in C"] == "no code"
        assert "in C" not in run("functions", "exp").out
        told = run("functions").out.partition("\nin C")[2]
        assert re.search(r"^value alone +lgamma$", told, re.MULTILINE)
        assert re.search(r"^no code +polygamma$", told, re.MULTILINE)

    def test_an_alias(self, run):
        assert run("functions", "arcsin").out == run("functions", "asin").out

    def test_as_json(self, run):
        assert len(run("functions", "--json").json) == len(FUNCTIONS)
        assert run("functions", "exp", "--json").json[0]["name"] == "exp"

    def test_an_unknown_one_is_refused(self, run):
        outcome = run("functions", "expp")
        assert outcome.status == 1
        assert "did you mean" in outcome.err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run, shell):
    script = run("completion", shell).out
    assert "_TCALC_COMPLETE" in script
    assert f"{shell}_complete" in script


def test_completion_for_an_unknown_shell_is_wrong_usage(run):
    assert run("completion", "cmd").status == 2


def test_completion_of_names(run, monkeypatch):
    monkeypatch.setenv("COMP_WORDS", "tcalc examples run ri")
    monkeypatch.setenv("COMP_CWORD", "3")
    monkeypatch.setenv("_TCALC_COMPLETE", "bash_complete")
    assert run().out == "plain,ridge\n"


@pytest.mark.parametrize("words", ["gradient mo", "compile x -o mo", "evaluate x --data mo"])
def test_completion_of_files(run, monkeypatch, words):
    monkeypatch.setenv("COMP_WORDS", f"tcalc {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    monkeypatch.setenv("_TCALC_COMPLETE", "bash_complete")
    assert run().out == "file,mo\n"


def test_help_is_there_for_every_command(run):
    out = run("--help").out
    assert "..." not in out.partition("Commands:")[2]  # no summary is cut short
    listed = re.findall(r"^  (\w+)  +[A-Z]", out, re.MULTILINE)
    assert listed == list(cli.commands)
    for command in listed:
        assert run(command, "--help").status == 0


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "serve"])
def test_the_example_in_the_help_of_a_command(run, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = re.search(r"Example:\n  +tcalc (.*)\n", run(name, "--help").out)
    command, *arguments = shlex.split(found.group(1))
    assert command == name
    outcome = run(command, *arguments)
    assert outcome.status == 0
    if "-o" in arguments:
        assert (tmp_path / arguments[-1]).stat().st_size
    else:
        assert outcome.out


def test_the_version(run):
    assert run("--version").out.startswith("tcalc, version ")
