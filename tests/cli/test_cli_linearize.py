"""`tcalc linearize`."""

from __future__ import annotations

import json

from click.testing import CliRunner

from tcalc import gallery
from tcalc.cli.app import cli


def run(*arguments: str, text: str | None = None) -> str:
    result = CliRunner().invoke(cli, ["linearize", *arguments], input=text, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_system_of_a_gallery_program() -> None:
    text = run("-", "--wrt", "W", text=gallery.load("perceptron").text)
    assert "(I ⊗ W[2,:,:]) dX{1}" in text
    assert "[1,:,:]' (X ⊗ I) diag(1 - X{1}.^2) X{1}_bar" in text


def test_without_wrt_all_variables_move() -> None:
    text = run("x'*A*x", "--declare", "A[n,n], x[n]")
    assert "given d of A, x:" in text


def test_as_json() -> None:
    document = json.loads(run("y = A*x; sum(exp(y))", "--declare", "A[m,n], x[n]", "--json"))
    assert [vertex["name"] for vertex in document["vertices"]] == ["y", "f"]
    (block,) = (b for b in document["blocks"] if b["column"] == "A")
    assert block["notation"] == "(x' ⊗ I)"
    assert block["adjoint"] == "(x ⊗ I)"


def test_a_limit() -> None:
    text = run("y = A*x; sum(exp(y))", "--declare", "A[m,n], x[n]", "--limit", "1")
    assert "2 vertices" in text and "--limit 2" in text


def test_operations() -> None:
    assert "t1" in run("sum(exp(A*x))", "--wrt", "x", "--steps", "operations")


def test_a_program_that_computes_nothing_has_no_rows(run):
    outcome = run("linearize", "x")
    assert outcome.status == 0
    assert "x_bar, given" in outcome.out
    assert run("linearize", "x", "--json").json["vertices"] == []
