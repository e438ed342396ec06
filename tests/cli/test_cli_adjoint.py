"""The command that prints the adjoint of a loop that is kept."""

from __future__ import annotations

from pathlib import Path

WALK = "s{0} = 0\nfor t = 1:T\n  s{t} = tanh(a*s{t-1} + x[t])\nend\ns{T}^2\n"


def test_the_step_backwards(run):
    outcome = run("adjoint", WALK, "--declare", "x[T], a", "--wrt", "a,x")
    assert outcome.status == 0
    assert outcome.err == ""
    assert outcome.out.splitlines() == [
        "s_bar{t-1} = a*s_bar{t}*(1 - s{t}^2)",
        "x_bar[t] = s_bar{t}*(1 - s{t}^2)",
        "a_bar += s_bar{t}*s{t-1}*(1 - s{t}^2)",
    ]


def test_a_file_whose_bound_is_given(run, tmp_path: Path):
    file = tmp_path / "power.tc"
    file.write_text("v{0} = x\nfor t = 1:N\n  v{t} = A*v{t-1}\nend\nnorm2(v{N})^2\n")
    arguments = ("adjoint", str(file), "--wrt", "A", "--format", "einstein")
    outcome = run(*arguments, "--let", "N=1000")
    assert outcome.out.splitlines()[-1] == "A_bar += v_bar{t}[i]*v{t-1}[j]"
    assert "guessed" in outcome.err
    refused = run(*arguments)
    assert refused.status == 1
    assert "`N` is neither a dimension nor given" in refused.err
    assert f"{file}, line 2" in refused.err


def test_which_inputs_there_are(run):
    outcome = run("adjoint", WALK, "--declare", "x[T], a")
    assert outcome.status == 2
    assert "The variables are: x, a" in outcome.err


def test_json_has_the_notations(run):
    arguments = ("adjoint", WALK, "--declare", "x[T]", "--wrt", "a")
    found = run(*arguments, "--json").json
    assert found == run(*arguments, "--format", "json").json
    assert (found["guesses"], found["wrt"]) == (["a"], ["a"])
    assert [variable["name"] for variable in found["variables"]] == ["x", "a"]
    for key, form in {"text": "auto", "einstein": "einstein", "latex": "latex"}.items():
        assert found[key] == run(*arguments, "--format", form).out.rstrip("\n")
