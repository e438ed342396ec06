"""The commands that print derivatives, and where programs come from."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest

import tcalc
from tcalc.calculus import MODES

TRACE = "tr(A*X'*B*X*C)"
LOGISTIC = "tensor X[m,n], y[m], w[n]\nsum(log(1 + exp(-y .* (X*w))))\n"


def test_the_gradient_of_a_trace(run):
    outcome = run("gradient", TRACE, "--wrt", "X")
    assert outcome.status == 0
    assert set(outcome.out.strip().split(" + ")) == {"B*X*C*A", "B'*X*A'*C'"}


def test_guesses_go_to_standard_error(run):
    outcome = run("gradient", "a*x'*x", "--wrt", "x")
    assert "x" in outcome.err and "--declare" in outcome.err
    assert "guess" not in outcome.out
    assert run("gradient", "a*x'*x", "--wrt", "x", "--declare", "a, x[n]").err == ""


def test_several_variables_print_with_their_names(run):
    lines = run("gradient", "x'*A*y", "--wrt", "x", "--wrt", "y").out.splitlines()
    assert lines == ["x: A*y", "y: A'*x"]


def test_an_operator_that_nobody_would_read_is_left_out(run):
    layers = ["tanh(A*x)", *[f"tanh(A{k}*h{k})" for k in range(1, 5)]]
    net = "; ".join(f"h{k} = {layer}" for k, layer in enumerate(layers, 1))
    printed = run("hessian", f"{net}; norm2(h5)^2", "--wrt", "A").out
    assert "# factored" in printed
    assert "# operator" not in printed
    assert max(map(len, printed.splitlines())) < 500


def test_what_else_a_result_is_stands_below_it_as_comments(run):
    command = ("hessian", "norm2(U*V' - X)^2", "--declare", "U[m,k], V[n,k], X[m,n]", "--wrt", "U")
    formula, operator, factored = run(*command).out.splitlines()
    assert operator == "# operator: 2 (V'*V ⊗ I)"
    assert factored.startswith("# factored: the core [k,k] instead of [m,k,m,k]")
    assert run(*command, "--format", "latex").out.count("\n") == 1
    (result,) = json.loads(run(*command, "--format", "json").out)["results"]
    assert f"# operator: {result['operator']}" == operator
    assert f"# factored: {result['factored']}" == factored
    back = tcalc.parse(f"{formula}\n{operator}\n{factored}", "U[m,k], V[n,k]")
    assert back.shape == ("m", "k", "m", "k")


@pytest.mark.parametrize("text", ["c*x'*x", "x'*x", "sum(x)"])
def test_a_multiple_of_the_unit_matrix_has_no_note(run, text):
    assert "#" not in run("hessian", text, "--wrt", "x").out


def test_a_hessian_by_several_variables_has_all_blocks(run):
    lines = run("hessian", "x'*A*y", "--wrt", "x", "--wrt", "y").out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["x,x", "x,y", "y,y"]
    assert lines[1] == "x,y: A"


@pytest.mark.parametrize("command", ["gradient", "hvp"])
def test_guesses_are_told_before_what_is_wrong_because_of_them(run, command):
    outcome = run(command, "a*x", "--declare", "a", "--wrt", "a")
    assert outcome.status == 1
    guess, complaint, *_ = outcome.err.splitlines()
    assert guess.startswith("guessed: x[m]")
    assert "has the axes [m]" in complaint


def test_an_i_that_is_taken_for_a_matrix_is_remarked(run):
    remark = "the unit matrix is eye(n)"
    assert remark in run("gradient", "logdet(A + c*I)", "--wrt", "c").err
    assert remark not in run("gradient", "sum(I)*c", "--wrt", "c", "--declare", "I[m]").err


def test_variables_may_be_separated_by_commas(run):
    repeated = run("gradient", "x'*A*y", "--wrt", "x", "--wrt", "y")
    assert run("gradient", "x'*A*y", "--wrt", "x, y").out == repeated.out
    assert run("gradient", "x'*A*y", "--wrt", "x,").status == 2


def test_the_only_variable_needs_no_wrt(run):
    assert run("gradient", "sum(exp(x))").out == "exp(x)\n"


def test_a_missing_wrt_is_wrong_usage_and_lists_the_variables(run):
    outcome = run("gradient", "x'*y")
    assert outcome.status == 2
    assert "x, y" in outcome.err


def test_a_third_derivative(run):
    wrt = ["--wrt", "x"] * 3
    assert run("derivative", "x^5", *wrt, "--declare", "x").out == "60*x^2\n"


def test_a_jacobian(run):
    assert run("jacobian", "A*x", "--wrt", "x").out == "A\n"


def test_a_derivation_step_by_step(run):
    out = run("explain", "sum(exp(A*x))", "--wrt", "x").out
    assert "t1 = A*x" in out and out.endswith("A'*exp(A*x)\n")


@pytest.mark.parametrize("command", ["gradient", "hessian", "explain"])
def test_the_gradient_of_a_vector_is_refused(run, command):
    outcome = run(command, "A*x", "--wrt", "x")
    assert outcome.status == 1
    assert "is that of a scalar" in outcome.err


def test_a_formula_may_begin_with_a_minus_sign(run):
    assert run("gradient", "-x'*y", "--wrt", "x").out == "-y\n"
    assert run("gradient", "--wrt", "x", "--", "-x'*y").out == "-y\n"


@pytest.mark.parametrize("mode", MODES)
def test_all_modes(run, mode):
    assert run("hessian", "x'*A*x", "--wrt", "x", "--mode", mode).out == "A + A'\n"


def test_the_default_mode_is_that_of_the_api(run):
    default = inspect.signature(tcalc.derivative).parameters["mode"].default
    assert run("gradient", "x'*x", "--json").json["mode"] == default


def test_a_file(run, tmp_path):
    path = tmp_path / "model.tc"
    path.write_text(LOGISTIC)
    from_file = run("gradient", str(path), "--wrt", "w")
    assert from_file.status == 0
    assert from_file.out == run("gradient", "-", "--wrt", "w", stdin=LOGISTIC.encode()).out
    assert from_file.out == run("gradient", LOGISTIC, "--wrt", "w").out


def test_an_error_in_a_file_names_it(run, tmp_path):
    path = tmp_path / "model.tc"
    path.write_text("tensor x[n]\nx' * * x\n")
    outcome = run("gradient", str(path), "--wrt", "x")
    assert outcome.status == 1
    assert "model.tc, line 2" in outcome.err and "^" in outcome.err


def test_a_missing_file(run):
    outcome = run("gradient", "./nowhere.tc", "--wrt", "x")
    assert outcome.status == 1
    assert "cannot read the file ./nowhere.tc: No such file" in outcome.err


@pytest.mark.parametrize("content", [b"\xff\xfe\x00x", b"x'*x \xe9"])
def test_a_text_that_is_not_utf8(run, content):
    outcome = run("gradient", "-", "--wrt", "x", stdin=content)
    assert outcome.status == 1
    assert "UTF-8" in outcome.err


def test_a_file_that_is_not_utf8(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("x.tc").write_bytes(b"x'*x \xe9")
    outcome = run("gradient", "x.tc", "--wrt", "x")
    assert outcome.status == 1
    assert "error: x.tc: byte 6 is not UTF-8" in outcome.err
    assert "save the text as UTF-8" in outcome.err


def test_a_byte_order_mark_is_no_part_of_the_program(run):
    assert run("gradient", "-", "--wrt", "x", stdin=b"\xef\xbb\xbfx'*y").out == "y\n"


def test_loops_take_their_bounds_from_the_command_line(run):
    text = "s{0} = x\nfor t = 1:T; s{t} = s{t-1}*x; end\ns{T}"
    assert run("gradient", text, "--declare", "x", "--let", "T=3").out == "4*x^3\n"


class TestFormats:
    def test_einstein(self, run):
        out = run("gradient", "x'*A*x", "--wrt", "x", "--format", "einstein").out
        assert "[" in out

    def test_matrix_is_refused_where_there_is_none(self, run):
        outcome = run("jacobian", "A*x", "--wrt", "A", "--format", "matrix")
        assert outcome.status == 1

    def test_latex(self, run):
        assert "\\top" in run("gradient", "x'*A*y", "--wrt", "y", "--format", "latex").out

    def test_mathml(self, run):
        assert run("gradient", "x'*x", "--format", "mathml").out.startswith("<math")

    def test_python_is_a_module_that_runs_alone(self, run):
        source = run("gradient", "x'*x", "--format", "python").out
        assert "import tcalc" not in source and "from tcalc" not in source
        compile(source, "module", "exec")

    def test_json(self, run):
        outcome = run("gradient", "x'*A*y", "--wrt", "x", "--json")
        document = outcome.json
        assert document["mode"] in MODES
        assert [variable["name"] for variable in document["variables"]] == ["x", "A", "y"]
        assert len(document["guesses"]) == 3
        (result,) = document["results"]
        assert result["kind"] == "gradient" and result["wrt"] == ["x"]
        assert result["matrix"] == "A*y"
        assert len(result["dims"]) == 1
        assert outcome.out == run("gradient", "x'*A*y", "--wrt", "x", "--format", "json").out

    def test_json_of_a_tensor_without_matrix_notation(self, run):
        (result,) = run("jacobian", "A*x", "--wrt", "A", "--json").json["results"]
        assert result["matrix"] is None
        assert result["einstein"]

    def test_json_is_valid_whatever_is_in_the_text(self, run):
        text = '# "quotes" \\ and λ\nλ*x\'*x'
        document = json.loads(run("gradient", text, "--wrt", "x", "--json").out)
        assert document["program"] == text


class TestBadInput:
    """Every mistake gets a message, a place and status 1, or 2 where the usage is wrong."""

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "x +",
            "x * * y",
            "(((",
            "x*y",
            "x = x + 1; x",
            "__import__('os').system('true')",
            "9^9^9^9",
            "\x00",
            "\udcff",
            "A[i,j",
            "sum(",
            "#(",
            "for t = 1:3; x",
            "x{t}",
            "tensor x[n] nonsense; x'*x",
            "f(x)",
            "C[i,k] = A[i,j]",
            "tensor A[m,n], x[m]; A*x",
        ],
    )
    def test_programs(self, run, text):
        outcome = run("gradient", text, "--wrt", "x")
        assert outcome.status == 1
        assert outcome.out == ""
        assert outcome.err

    def test_a_megabyte_of_text(self, run):
        outcome = run("gradient", "-", "--wrt", "x", stdin=b"x + " * 250_000 + b"*")
        assert outcome.status == 1
        assert len(outcome.err) < 1000

    def test_a_place_in_the_text(self, run):
        err = run("gradient", "x'*x + * y", "--wrt", "x").err
        assert "line 1, column 8" in err and "^" in err

    @pytest.mark.parametrize(
        "arguments",
        [
            ["--format", "nonsense"],
            ["--mode", "sideways"],
            ["--sizes", "m"],
            ["--sizes", "m=-3"],
            ["--let", "T=three"],
            ["--nonsense"],
            ["another formula"],
        ],
    )
    def test_wrong_usage(self, run, arguments):
        assert run("gradient", "x'*x", "--wrt", "x", *arguments).status == 2

    def test_an_unknown_command(self, run):
        assert run("differentiate", "x").status == 2

    def test_an_unknown_variable(self, run):
        outcome = run("gradient", "x'*x", "--wrt", "y")
        assert outcome.status == 1
        assert "'y'" in outcome.err


class TestPrint:
    """The value of a program, in every format that derivatives have."""

    TEXT = "log(1 + exp(x'*x))"

    @pytest.mark.parametrize(
        ("options", "printed"),
        [
            ([], "softplus(x'*x)"),
            (["--format", "einstein"], "softplus(x[i]*x[i])"),
            (["--no-simplify"], TEXT),
            (
                ["--no-simplify", "--format", "latex"],
                r"\log\left( 1 + \exp\left( x^\top x \right) \right)",
            ),
        ],
    )
    def test_formats(self, run, options, printed):
        assert run("print", self.TEXT, *options).out == f"{printed}\n"

    def test_it_guesses_and_takes_declarations_and_bounds(self, run):
        assert run("print", "c*x").err.startswith("guessed: c, x[m]")
        assert run("print", "x[g[i]]").err.startswith("guessed: g[m] integer, x[n] (")
        text = "s{0} = x\nfor t = 1:T; s{t} = s{t-1}*x; end\ns{T}"
        assert run("print", text, "--declare", "x", "--let", "T=3").out == "x^4\n"

    def test_json(self, run):
        document = run("print", self.TEXT, "--json", "--no-simplify").json
        (result,) = document["results"]
        assert (result["kind"], result["wrt"]) == ("value", [])
        assert result["matrix"] == self.TEXT

    def test_code_is_never_left_as_written(self, run):
        assert "def compute" in run("print", self.TEXT, "--format", "python").out
        assert run("print", self.TEXT, "--format", "python", "--no-simplify").status == 2


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("auto", "  t1 = A*x"),
        ("matrix", "  t1 = A*x"),
        ("einstein", "  t1[i] = A[i,j]*x[j]"),
        ("latex", r"t_1 &= A x \\"),
    ],
)
def test_derivations_in_every_notation(run, form, line):
    outcome = run("explain", "sum(sin(A*x))", "--wrt", "x", "--format", form)
    assert line in [text.rstrip() for text in outcome.out.splitlines()]


def test_derivations_as_json(run):
    outcome = run("explain", "sum(sin(A*x))", "--wrt", "x,A", "--format", "json")
    assert outcome.out == run("explain", "sum(sin(A*x))", "--wrt", "x,A", "--json").out
    document = json.loads(outcome.out)
    assert document["guesses"] == ["A[m,n]", "x[n]"]
    by_x, by_A = document["derivations"]
    assert (by_x["wrt"], by_A["wrt"]) == ("x", "A")
    assert by_x["values"][0] == {"name": "t1", "formula": "A*x", "reason": ""}
    assert by_x["result"]["formula"] == "A'*cos(A*x)"


@pytest.mark.parametrize("form", ["auto", "latex", "json"])
def test_a_gradient_is_explained_where_that_is_asked_for(run, form):
    given = ("sum(sin(A*x))", "--wrt", "x,A", "--format", form)
    assert run("gradient", *given, "--explain") == run("explain", *given)
    assert "--explain" not in run("hessian", "--help").out


def test_a_derivation_has_no_module(run):
    outcome = run("gradient", "sum(sin(A*x))", "--wrt", "x", "--explain", "--format", "python")
    assert outcome.status == 2
    assert "--explain has the formats auto, matrix" in outcome.err


def test_a_derivation_is_that_of_a_scalar(run):
    outcome = run("explain", "A*x", "--wrt", "x")
    assert outcome.status == 1 and "has the axes [m]" in outcome.err


@pytest.mark.parametrize(
    "command",
    [
        ("evaluate", "x'*x", "--random"),
        ("check", "x'*x"),
        ("linearize", "x'*x"),
        ("cost", "x'*x"),
        ("explain", "x'*x"),
        ("gradient", "x'*x"),
        ("functions",),
        ("examples", "list"),
    ],
    ids=lambda command: command[0],
)
def test_every_report_has_a_format(run, command):
    outcome = run(*command, "--format", "json")
    assert outcome.status == 0
    json.loads(outcome.out)
    assert run(*command, "--json").out == outcome.out


def test_a_short_option_that_does_not_exist_is_no_formula(run):
    for arguments in (("x'*x", "-w", "x"), ("-w", "x", "x'*x")):
        outcome = run("gradient", *arguments)
        assert outcome.status == 2
        assert "No such option" in outcome.err and "-w" in outcome.err
    assert run("gradient", "--wrt", "x", "-x'*x").out == "-2*x\n"


def test_a_file_without_the_ending_is_read_by_its_path(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "./model.txt" not in run("gradient", "model.txt").err
    Path("model.txt").write_text("x'*x", encoding="utf-8")
    assert "./model.txt" in run("gradient", "model.txt").err
    assert run("gradient", "./model.txt").out == "2*x\n"


def test_a_formula_with_an_index_left_over_is_told_to_be_summed(run):
    outcome = run("gradient", "p[i] - p[i]*K[i,j]*p[j]", "--wrt", "p")
    assert outcome.status == 1
    assert "`s = ...`" in outcome.err
    assert run("gradient", "s = p[i] - p[i]*K[i,j]*p[j]", "--wrt", "p").status == 0


def test_a_variable_that_is_named_twice_is_explained_once(run):
    assert run("explain", "x'*x", "--wrt", "x,x").out == run("explain", "x'*x", "--wrt", "x").out
