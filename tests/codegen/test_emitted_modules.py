"""Generated modules as files of a user's project: annotated throughout, and clean for linters."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tcalc
from tcalc import gallery
from tcalc.codegen.wrapping import WIDTH, wrapped

LOSS = tcalc.parse("sum(log(1 + exp(-y .* (X*w)))) + c*norm2(w)^2", "X[m,n], y[m], w[n], c")


def _modules() -> dict[str, str]:
    gradient, hessian = tcalc.gradient(LOSS, "w"), tcalc.hessian(LOSS, "w")
    by_name = tcalc.gradient(LOSS, ["w", "X", "y", "c"])
    data = {"X": np.ones((300, 200)), "y": np.ones(300), "w": np.zeros(200), "c": 1.0}
    bound = tcalc.compile([LOSS, gradient, hessian], reuse=True).bind(X=data["X"])
    bound(y=data["y"], w=data["w"], c=data["c"])
    resolvent = tcalc.function(
        "resolvent", "A[n,n] -> Y[n,n]", np.linalg.inv, pushforward="-Y*dA*Y"
    )
    found = {
        "one": tcalc.compile(gradient).source,
        "number": tcalc.compile(LOSS).source,
        "several": tcalc.compile([LOSS, by_name]).source,
        "bound": bound.source,
        "factored": tcalc.compile(hessian, form="factored").source,
        "constant": tcalc.compile(tcalc.parse("2*pi")).source,
        "supplied": tcalc.compile(tcalc.parse("tr(resolvent(A))", functions=[resolvent])).source,
        "result": tcalc.compile(tcalc.parse("result'*Array*result", "Array[n,n]")).source,
    }
    for name in ("gaussian_process", "kalman_filter", "cca", "markov_chain", "lyapunov_cost"):
        model = gallery.load(name)
        f = tcalc.parse(model.program)
        found[name] = tcalc.compile([f, tcalc.gradient(f, model.wrt[0])]).source
    return found


@pytest.fixture(scope="module")
def modules() -> dict[str, str]:
    return _modules()


def test_every_function_says_what_it_takes_and_gives(modules: dict[str, str]) -> None:
    for name, source in modules.items():
        for function in ast.walk(ast.parse(source)):
            if isinstance(function, ast.FunctionDef):
                taken = (*function.args.args, *function.args.kwonlyargs)
                assert all(argument.annotation for argument in taken), (name, function.name)
                assert function.returns is not None, (name, function.name)


def test_annotations_tell_numbers_from_arrays(modules: dict[str, str]) -> None:
    def returned(name: str) -> str:
        functions = {f.name: f for f in ast.parse(modules[name]).body if hasattr(f, "returns")}
        result: Any = functions["evaluate"].returns
        return ast.unparse(result)

    assert returned("one") == "NDArray[Any]"
    assert returned("number") == "np.inexact[Any]"
    assert returned("gaussian_process") == "tuple[np.inexact[Any], np.inexact[Any]]"
    several = "np.inexact[Any], NDArray[Any], NDArray[Any], NDArray[Any], np.inexact[Any]"
    assert returned("several") == f"tuple[{several}]"


def test_lines_are_short_where_no_string_is_long(modules: dict[str, str]) -> None:
    for name, source in modules.items():
        long = [line for line in source.splitlines() if len(line) > WIDTH]
        assert all("where=" in line for line in long), (name, long)


def test_linters_find_nothing(modules: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("ruff")
    for name, source in modules.items():
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    # Line lengths are looked at above, names are the user's, and each step is a line.
    rules = ["--select=E,W,F,I,UP,B,C4,SIM,RET,RUF,NPY", "--ignore=E501,RET504,RUF001,RUF002"]
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", *rules]
    command += ["--target-version=py311", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_strict_type_checkers_find_nothing(modules: dict[str, str], tmp_path: Path) -> None:
    for name, source in modules.items():
        (tmp_path / f"emitted_{name}.py").write_text(source, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


LONG = ", ".join(f"argument_{k}" for k in range(12))


@pytest.mark.parametrize(
    "line",
    [
        f"    return {LONG}",
        f"    del {LONG}",
        f"    {LONG} = prepared",
        f"    t1 = function({LONG}, where='a, (b', last=[1, 2])  # ij,jk->ik",
        f"    t1 = (first(second({LONG})) + 1) * t2.reshape((n*n), n)",
        f"def compute({LONG.replace(',', ': Array,')}: Array) -> tuple[Array, Array]:",
    ],
)
def test_long_lines_are_broken_and_mean_the_same(line: str) -> None:
    parts = wrapped(line)
    assert len(parts) > 1 and max(map(len, parts)) <= WIDTH
    assert _meaning([line]) == _meaning(parts)


def test_names_longer_than_a_line_stay_whole() -> None:
    line = f"    return {'a' * 200}, {LONG}, {'b' * 200}"
    assert _meaning([line]) == _meaning(wrapped(line))


def _meaning(lines: list[str]) -> str:
    """The tree of a statement, `del (a, b)` being `del a, b`."""
    text = textwrap.dedent("\n".join(lines))
    (statement,) = ast.parse(text + "\n    pass" if text.endswith(":") else text).body
    match statement:
        case ast.Delete(targets=[ast.Tuple(elts=elements)]):
            statement.targets = elements
    return ast.dump(statement)


def test_a_line_without_brackets_stays_as_it_is() -> None:
    line = "    t1 = " + " + ".join(["argument"] * 20)
    assert wrapped(line) == [line]
