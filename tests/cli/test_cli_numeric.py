"""The commands that work with numbers: evaluate, compile, check."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tcalc
from tcalc.checking import CheckReport

X = np.arange(6.0).reshape(3, 2)
W = np.array([1.0, -2.0])
PROGRAM = "tensor X[m,n], w[n]\nsum((X*w).^2)"
VALUE = float(np.sum((X @ W) ** 2))
GRADIENT = 2 * X.T @ X @ W


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save_npz():
    np.savez("data.npz", X=X, w=W)
    return ["--data", "data.npz"]


def save_npy():
    np.save("X.npy", X)
    np.save("w.npy", W)
    return ["--data", "X=X.npy", "--data", "w=w.npy"]


def save_csv():
    np.savetxt("X.csv", X, delimiter=",")
    np.savetxt("w.csv", W)
    return ["--data", "X=X.csv", "--data", "w=w.csv"]


def save_json():
    Path("data.json").write_text(json.dumps({"X": X.tolist(), "w": W.tolist()}))
    return ["--data", "data.json"]


def save_mixed():
    np.save("X.npy", X)
    Path("w.json").write_text(json.dumps(W.tolist()))
    return ["--data", "X=X.npy", "--data", "w=w.json"]


@pytest.mark.parametrize("save", [save_npz, save_npy, save_csv, save_json, save_mixed])
def test_data_from_files(run, directory, save):
    outcome = run("evaluate", PROGRAM, *save())
    assert outcome.status == 0, outcome.err
    assert float(outcome.out) == pytest.approx(VALUE, rel=1e-14)


def test_a_variable_that_is_given_twice_is_refused(run, directory):
    for name, value in (("one", 1.0), ("two", 2.0)):
        np.save(f"{name}.npy", np.array([value]))
    outcome = run("evaluate", "sum(x)", "--data", "x=one.npy", "--data", "x=two.npy")
    assert outcome.status == 1
    assert "x is given twice, as one.npy and two.npy" in outcome.err


def test_columns_of_a_csv_file_go_by_their_header(run, directory):
    Path("table.csv").write_text("x, y\n1, 2\n3, 4\n")
    assert float(run("evaluate", "x'*y", "--data", "table.csv").out) == 14.0


@pytest.mark.parametrize(
    "table",
    [
        '"","x","y"\n"a",1,2\n"b",3,4\n',  # R
        ",x,y\n0,1,2\n1,3,4\n",  # pandas
        "name,x,y,height (cm)\na,1,2,\nb,3,4,NA\n",
        "\ufeffx,y\r\n1,2\r\n\r\n3,4\r\n",
        "# made by hand\n x , y\n 1 , 2\n 3 , 4\n",
        '"x","y"\n"1","2"\n"3","4"\n',
    ],
    ids=["R", "pandas", "text", "Windows", "blanks", "quotes"],
)
def test_tables_that_other_programs_write(run, directory, table):
    Path("table.csv").write_text(table, encoding="utf-8")
    assert float(run("evaluate", "x'*y", "--data", "table.csv").out) == 14.0
    assert float(run("evaluate", "sum(x)", "--data", "x=table.csv").out) == 4.0


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("x,y\n1,2\n3,\n", "'' in row 2 of y is no number"),
        ("x,y\n1,NA\n3,4\n", "fill or drop what is missing"),
        ("x,y\n1,2\n3,four\n", "'four' in row 2 of y is no number"),
        ("1,2\n3,four\n", "'four' in row 2, column 2, is no number"),
        ("x;y\n1;2\n", "its columns are separated by semicolons"),
        ("x\ty\n1\t2\n", "its columns are separated by tabs"),
        ("x,y\n1,2\n3\n", "row 2 has 1 columns, and the first 2"),
        ("x,x\n1,2\n", "two columns have the name x"),
        ("x,y\n1,2,3\n", "2 names for 3 columns"),
    ],
)
def test_what_is_wrong_with_a_table_is_told_by_its_place(run, directory, table, message):
    Path("table.csv").write_text(table, encoding="utf-8")
    outcome = run("evaluate", "x'*y", "--data", "table.csv")
    assert outcome.status == 1
    assert message in outcome.err


def test_a_scalar_from_a_csv_file(run, directory):
    Path("c.csv").write_text("3\n")
    assert float(run("evaluate", "c^2", "--data", "c=c.csv").out) == 9.0


def test_what_a_file_holds_beyond_the_program_is_left_out_and_said(run, directory):
    np.savez("data.npz", X=X, w=W, other=W)
    outcome = run("evaluate", PROGRAM, "--data", "data.npz")
    assert outcome.status == 0
    assert "left out: other" in outcome.err


def test_derivatives_up_to_an_order(run, directory):
    outcome = run("evaluate", PROGRAM, *save_npz(), "--wrt", "w", "--order", "2", "--json")
    value, gradient, hessian = outcome.json["results"]
    assert [value["kind"], gradient["kind"], hessian["kind"]] == ["value", "gradient", "hessian"]
    assert value["value"] == pytest.approx(VALUE)
    np.testing.assert_allclose(gradient["value"], GRADIENT, rtol=1e-12)
    np.testing.assert_allclose(hessian["value"], 2 * X.T @ X, rtol=1e-12)
    assert outcome.json["data"] == {"X": [3, 2], "w": [2]}


def test_results_as_text_stand_under_their_titles(run, directory):
    out = run("evaluate", PROGRAM, *save_npz(), "--wrt", "w", "--order", "2").out
    assert out.startswith("value = ")
    assert "\ngradient by w = [" in out
    assert "\nHessian by w =\n[[" in out


def test_results_in_a_file(run, directory):
    outcome = run("evaluate", PROGRAM, *save_npz(), "--wrt", "w", "-o", "results.npz")
    assert outcome.status == 0 and outcome.out == ""
    outcome = run("evaluate", PROGRAM, *save_npz(), "--wrt", "w", "-o", "results.npz", "--json")
    assert outcome.json["results"][0]["value"] == pytest.approx(VALUE)
    with np.load("results.npz") as results:
        np.testing.assert_allclose(results["value"], VALUE)
        np.testing.assert_allclose(results["gradient_by_w"], GRADIENT)


def test_random_data_are_seeded(run):
    def value(*seed):
        return run("evaluate", PROGRAM, "--random", *seed, "--sizes", "m=5,n=4").out

    assert value() == value("--seed", "0")
    assert value() != value("--seed", "1")


def test_random_data_beside_given_ones(run, directory):
    np.save("w.npy", W)
    arguments = ["--random", "--sizes", "m=7", "--data", "w=w.npy"]
    document = run("evaluate", PROGRAM, *arguments, "--json").json
    assert document["data"] == {"X": [7, 2], "w": [2]}


@pytest.mark.parametrize("formula", ["log(det(A))", "sum(log(x))", "logdet(A)", "sum(asin(x))"])
def test_random_data_are_drawn_where_the_function_has_a_value(run, formula):
    assert np.isfinite(float(run("evaluate", formula, "--random").out))


def test_numbers_that_json_has_not(run, directory):
    np.save("x.npy", np.array([0.0, -1.0, 1.0]))
    document = run("evaluate", "log(x)", "--data", "x=x.npy", "--json").json
    assert document["results"][0]["value"] == ["-inf", "nan", 0.0]


class TestBadData:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "X"),
            (["--data", "X=nowhere.npy"], "cannot read nowhere.npy: No such file"),
            (["--data", "Z=X.npy"], "no variable 'Z'"),
            (["--data", "X=X.txt"], ".npz, .npy, .csv, .json"),
            (["--data", "X=2.5x"], "numbers are typed as --data x=1,2,3"),
            (["--data", "X.npy"], "--data X=X.npy"),
            (["--data", "X=pickle.npy"], "cannot read pickle.npy: it holds objects of Python"),
            (["--data", "X=text.npy"], "cannot read text.npy: it is no .npy file"),
            (["--data", "X=text.npz"], "cannot read text.npz: it is no .npz file"),
            (["--data", "X=none.csv"], "cannot read none.csv: it has no rows of numbers"),
            (["--data", "X=header.csv"], "cannot read header.csv: it has no rows of numbers"),
            (["--data", "X=broken.npz"], "cannot read broken.npz: it is no .npz file"),
            (["--data", "X=broken.json"], "cannot read broken.json"),
            (["--data", "X=ragged.json"], "cannot read ragged.json"),
            (["--data", "X=null.json"], "cannot read null.json: null is no number"),
            (["--data", "X=text.json"], 'cannot read text.json: "1" is no number'),
            (["--data", "twice.json"], "cannot read twice.json: two arrays have the name X"),
            (["--data", "X=words.csv"], "cannot read words.csv"),
            (["--data", "X=empty.npy"], "cannot read empty.npy"),
            (["--data", "X=w.npy", "--data", "w=w.npy"], "X"),
            (["--data", "X=X.npy", "--data", "w=X.npy"], "w"),
        ],
    )
    def test_is_refused_by_name(self, run, directory, arguments, message):
        save_npy()
        np.save("pickle.npy", np.array([{}], dtype=object))
        files = {
            "X.txt": "1 2",
            "broken.npz": "PK no archive",
            "broken.json": "{[",
            "ragged.json": "[[1, 2], [3]]",
            "null.json": "[[1, 2], [3, null]]",
            "text.json": '[["1", "2"]]',
            "twice.json": '{"X": [[1]], "X": [[2]]}',
            "words.csv": "1,two\n3,4",
            "empty.npy": "",
            "text.npy": "1 2",
            "text.npz": "1 2",
            "none.csv": "\n",
            "header.csv": "a,b\n",
        }
        for name, content in files.items():
            Path(name).write_text(content)
        outcome = run("evaluate", PROGRAM, *arguments)
        assert outcome.status == 1
        assert message in outcome.err

    def test_numbers_that_json_has_not_are_read_as_they_are_written(self, run, directory):
        for numbers, expected in (
            ('[1, "nan", "-inf", true]', [1, "nan", "-inf", 1]),
            ("[2, 1e999, 12345678901234567890123]", [2, "inf", 12345678901234567890123.0]),
        ):
            Path("x.json").write_text(numbers)
            for _ in range(2):
                outcome = run("evaluate", "x", "--data", "x=x.json", "--json")
                value = outcome.json["results"][0]["value"]
                assert value == expected
                Path("x.json").write_text(json.dumps(value))

    def test_results_go_to_npz_files_only(self, run):
        arguments = ["--random", "-o", "results.csv"]
        assert run("evaluate", PROGRAM, *arguments).status == 2


class TestCompile:
    def test_writes_a_module_that_runs_alone(self, run, directory):
        outcome = run("compile", PROGRAM, "--wrt", "w", "--order", "2", "-o", "module.py")
        assert outcome.status == 0 and outcome.out == ""
        assert "wrote module.py" in outcome.err
        source = (directory / "module.py").read_text()
        assert "tcalc" not in "\n".join(
            line for line in source.splitlines() if line.lstrip().startswith(("import", "from"))
        )
        names = runpy.run_path("module.py")
        functions = [f for f in names.values() if getattr(f, "__module__", "") == "<run_path>"]
        assert functions

    @pytest.mark.usefixtures("directory")
    def test_a_factored_module_returns_cores(self, run):
        program = "tensor U[m,k], V[n,k], T[m,n]; norm2(U*V' - T)^2"
        arguments = ["--wrt", "U", "--order", "2", "--form", "factored", "-o", "factored.py"]
        assert run("compile", program, *arguments).status == 0
        names = runpy.run_path("factored.py")
        U, V = np.ones((3, 2)), np.arange(8.0).reshape(4, 2)
        returned = names["evaluate"](U=U, V=V, T=np.zeros((3, 4)))
        ((coefficient, cores, _, output),) = names["TERMS"][2]
        assert output == (0, 1, 0, 2) and names["AXES"][2] == ("m", "k", "m", "k")
        np.testing.assert_allclose(coefficient * returned[cores[0]], 2 * V.T @ V)

    def test_prints_without_a_file(self, run):
        assert "def " in run("compile", PROGRAM).out

    def test_is_deterministic(self, directory):
        command = [sys.executable, "-m", "tcalc.cli", "compile", PROGRAM, "--wrt", "w"]
        outputs = {
            subprocess.run(
                command,
                capture_output=True,
                check=True,
                env={**os.environ, "PYTHONHASHSEED": seed},
            ).stdout
            for seed in ("1", "2")
        }
        assert len(outputs) == 1

    def test_a_file_that_cannot_be_written(self, run, directory):
        outcome = run("compile", PROGRAM, "-o", "nowhere/module.py")
        assert outcome.status == 1
        assert "cannot write nowhere/module.py" in outcome.err

    def test_writes_c_for_given_sizes(self, run, directory):
        arguments = ["--wrt", "w", "--backend", "c", "--sizes", "m=3,n=2", "-o", "model.c"]
        outcome = run("compile", PROGRAM, *arguments)
        assert outcome.status == 0 and "wrote model.c" in outcome.err
        text = (directory / "model.c").read_text()
        assert "arrays of these sizes: m = 3, n = 2." in text
        assert "int compute(const real *X, const real *w, real *result1" in text

    def test_c_needs_no_compiler_to_be_written(self, run, monkeypatch):
        monkeypatch.setenv("CC", "nocompiler")
        monkeypatch.setenv("PATH", "")
        assert "int compute(" in run("compile", "sin(a)", "--backend", "c").out

    def test_c_needs_all_sizes(self, run):
        outcome = run("compile", PROGRAM, "--backend", "c", "--sizes", "m=3")
        assert outcome.status == 1 and outcome.out == ""
        assert "fixed sizes, and n is not given" in outcome.err
        assert "--sizes n=10" in outcome.err

    def test_what_has_no_c_code_is_told(self, run):
        program = "derivative(log(normcdf(x)), x, x, x)"
        outcome = run("compile", program, "--declare", "x", "--backend", "c")
        assert outcome.status == 1
        assert "no C code for log normcdf derivative" in outcome.err

    def test_a_module_is_not_called_c(self, run, directory):
        outcome = run("compile", PROGRAM, "-o", "model.c")
        assert outcome.status == 2 and "--backend c" in outcome.err
        assert not (directory / "model.c").exists()


class TestCheck:
    def test_reports_every_variable(self, run):
        outcome = run("check", PROGRAM, "--order", "2")
        assert outcome.status == 0
        lines = outcome.out.splitlines()
        assert [line.partition(":")[0] for line in lines] == ["X", "X", "w", "w"]
        assert all("correct" in line and "relative error" in line for line in lines)

    def test_on_given_data(self, run, directory):
        document = run("check", PROGRAM, "--wrt", "w", *save_npz(), "--json").json
        (entry,) = document["checks"]
        assert entry["passed"] and entry["wrt"] == "w" and entry["error"] <= entry["tolerance"]

    def test_a_claim(self, run):
        right = run("check", "x'*A*x", "--wrt", "x", "--claim", "(A + A')*x")
        assert right.status == 0
        assert "correct: derivative of order 1 as claimed" in right.out
        wrong = run("check", "x'*A*x", "--wrt", "x", "--claim", "2*A*x", "--json")
        assert wrong.status == 1
        assert not wrong.json["checks"][0]["passed"]
        second = run("check", "x'*A*x", "--wrt", "x", "--order", "2", "--claim", "A + A'")
        assert second.out.count("order 2 as claimed") == 1
        assert len(second.out.splitlines()) == 1
        several = run("check", "x'*A*x", "--wrt", "x,A", "--claim", "x")
        assert several.status == 2
        assert "by one variable" in several.err

    def test_a_program_without_variables(self, run):
        outcome = run("check", "1 + 2")
        assert outcome.status == 1
        assert "no variable" in outcome.err

    def test_fails_where_a_derivative_is_wrong(self, run, monkeypatch):
        report = CheckReport("complex step", 1, 5, 0.1, 1e-12, {"n": 4})
        monkeypatch.setattr(tcalc, "check", lambda *arguments, **options: report)
        outcome = run("check", PROGRAM, "--wrt", "w")
        assert outcome.status == 1
        assert "WRONG" in outcome.out


def test_a_size_that_the_program_does_not_have(run):
    outcome = run("evaluate", "x'*A*x", "--random", "--sizes", "q=3")
    assert outcome.status == 1
    assert "q is no size of the program" in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [("evaluate", "--random"), ("check",), ("compile",), ("gradient", "--format", "python")],
    ids=lambda arguments: arguments[0],
)
def test_a_size_is_at_least_one(run, arguments):
    command, *options = arguments
    outcome = run(command, "x'*x", *options, "--sizes", "m=0")
    assert outcome.status == 1
    assert "the size m is 0" in outcome.err


@pytest.mark.parametrize("command", ["gradient", "hvp", "evaluate"])
def test_sizes_that_would_change_nothing_are_refused(run, command):
    outcome = run(command, "x'*x", "--sizes", "m=3")
    assert outcome.status == 2
    assert "--sizes are" in outcome.err


def test_results_in_a_file_are_told_of(run, tmp_path):
    path = tmp_path / "out.npz"
    outcome = run("evaluate", "x'*x", "--random", "-o", str(path))
    assert outcome.out == ""
    assert f"wrote {path}" in outcome.err
    assert np.load(path)["value"].shape == ()


def test_missing_data_are_told_of_with_the_options_that_give_them(run):
    outcome = run("evaluate", "x'*A*x")
    assert outcome.status == 1
    assert "no data for x[m], A[m,m]" in outcome.err
    assert "--data NAME=FILE" in outcome.err
    assert "--random" in outcome.err


def test_complex_numbers_are_text_in_json(run, directory):
    np.save("x.npy", np.array([1j, 2.0]))
    document = run("evaluate", "x", "--data", "x=x.npy", "--json").json
    assert [complex(text) for text in document["results"][0]["value"]] == [1j, 2.0]
    document = run("evaluate", "sum(x)", "--data", "x=x.npy", "--json").json
    assert complex(document["results"][0]["value"]) == 2 + 1j


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("words.csv", "x;y\n1;2\n", "with commas between them"),
        ("ragged.csv", "x,y\n1\n2,3,4\n", "with commas between them"),
        ("ragged.json", '{"x": [[1, 2], [3]]}', "nested lists of numbers"),
        ("broken.json", '{"x": [1, 2', "nested lists of numbers"),
    ],
)
def test_what_a_file_has_to_hold_is_told(run, directory, name, content, message):
    Path(name).write_text(content, encoding="utf-8")
    outcome = run("evaluate", "sum(x)", "--data", name)
    assert outcome.status == 1
    assert message in outcome.err and "usecols" not in outcome.err


def test_an_array_without_a_name_is_offered_to_a_variable_that_it_fits(run, directory):
    np.save("a.npy", np.eye(3))
    assert "--data A=a.npy" in run("evaluate", "x'*A*x", "--data", "a.npy").err


@pytest.mark.parametrize(
    "command",
    [("evaluate", "x'*x", "--random"), ("check", "x'*x"), ("examples", "run", "ridge")],
    ids=lambda command: command[0],
)
def test_a_seed_is_not_negative(run, command):
    outcome = run(*command, "--seed", "-1")
    assert outcome.status == 2
    assert "--seed" in outcome.err


def test_pictures_go_to_the_eighth_order(run):
    assert run("draw", "sin(a)", "--order", "9").status == 2


@pytest.mark.parametrize("command", ["evaluate", "check"])
def test_sizes_that_the_data_contradict_are_refused(run, directory, command):
    np.save(directory / "X.npy", np.ones((3, 2)))
    arguments = [PROGRAM, "--data", "X=X.npy", "--random"]
    assert run(command, *arguments, "--sizes", "n=2").status == 0
    outcome = run(command, *arguments, "--sizes", "n=7")
    assert outcome.status == 1
    assert "--sizes says n=7, and the data have n=2" in outcome.err


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("t.txt", "save it as that"),
        ("t.MAT", "scipy.io.loadmat"),
        ("t.pt", "tensor.numpy()"),
        ("t.pkl", "pickles are not read"),
    ],
)
def test_files_of_other_kinds_are_told_what_to_become(run, name, hint):
    outcome = run("evaluate", "sum(x)", "--data", f"x={name}")
    assert outcome.status == 1 and hint in outcome.err
