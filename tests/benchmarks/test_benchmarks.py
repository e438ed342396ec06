"""The benchmark's formulations agree: tcalc, the expert's NumPy, and autodiff of the objective."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tcalc
from benchmarks import report
from benchmarks.__main__ import listing
from benchmarks.contenders import gather
from benchmarks.measuring import interleaved, pin
from benchmarks.peers import installed
from benchmarks.problems import PROBLEMS
from benchmarks.rows import Row, measured, prepared
from benchmarks.task import Contender, Task, as_arrays, tasks
from tcalc.errors import UnknownNameError

ROOT = Path(__file__).parents[2]
SMALL = tasks(PROBLEMS, None, "small")


def empty(task: Task) -> Row:
    problem = task.problem
    return Row(problem.row, problem.name, problem.title, task.quantity, dict(task.sizes), 1)


@pytest.mark.parametrize("task", SMALL, ids=lambda task: task.name)
def test_tcalc_and_the_expert_agree(task: Task) -> None:
    contenders, _ = gather(task, [])
    contenders = [c for c in contenders if not c.peer and "torch" not in c.name]
    row = empty(task)
    prepared(contenders, row)
    assert [entry.absent for entry in row.entries] == ["" for _ in contenders]


@pytest.mark.parametrize(
    "task", [x for x in SMALL if x.problem.kept is not None], ids=lambda task: task.name
)
def test_loops_are_unrolled_and_kept(task: Task) -> None:
    names = [contender.name for contender in gather(task, [])[0]]
    assert ("tcalc, loop kept" in names) == (task.quantity in ("value", "gradient"))
    assert task.problem.kept is not None
    with pytest.raises(UnknownNameError, match="the bound of a loop must be a number"):
        tcalc.parse(task.problem.kept(**task.sizes))


@pytest.mark.slow
@pytest.mark.parametrize("task", SMALL, ids=lambda task: task.name)
def test_peers_agree_or_say_why_not(task: Task) -> None:
    contenders, absent = gather(task, installed())
    row = empty(task)
    prepared(contenders, row)
    assert all(absent.values())
    assert not [e.contender for e in row.entries if "differs" in e.absent]


def test_a_wrong_result_is_not_timed() -> None:
    right = Contender("right", lambda: lambda: np.ones(3), as_arrays)
    wrong = Contender("wrong", lambda: lambda: np.ones(3) + 1e-7, as_arrays)
    row = empty(SMALL[0])
    assert list(prepared([right, wrong], row)) == ["right"]
    assert row.entries[1].absent == "differs by 1.0e-07"


def test_libraries_are_pinned_before_they_are_imported() -> None:
    loaded = "import sys, benchmarks.__main__; print('numpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", loaded], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "False"
    with pytest.raises(RuntimeError, match="before it is imported"):
        pin(1)


def test_every_problem_is_listed() -> None:
    lines = list(listing(PROBLEMS, grows=True))
    letters = [line[0] for line in lines if line[0] != " "]
    assert letters == sorted(letters)
    assert len(letters) == len(PROBLEMS) + 1
    assert "E  growth         Program to first gradient: gradient" in lines
    assert not [line for line in listing([], grows=False) if line[0] != " "]


def test_calls_take_turns() -> None:
    seen: list[str] = []
    calls = {name: lambda name=name: seen.append(name) for name in "ab"}
    measurement = interleaved(calls, 0.01)
    assert set(measurement.times) == {"a", "b"}
    assert all(times.minimum <= times.median for times in measurement.times.values())
    # After the warming up, neither runs all of its samples before the other begins.
    assert "".join(seen[-3000:]).strip("a") != "".join(seen[-3000:]).strip("b")


def test_results_are_written(tmp_path: Path) -> None:
    row = measured(SMALL[0], [], 0.001)
    machine = {"processor": "p", "threads": 1, "python": "3", "blas": "b", "versions": {}}
    report.save([row], machine, {"dgemm": 1.0}, tmp_path)
    content = json.loads((tmp_path / "table.json").read_text())
    assert content["rows"][0]["entries"][0]["contender"] == "expert"
    assert "logistic value" in (tmp_path / "table.md").read_text()
    assert "logistic value" in report.line(row)


def test_rows_of_an_earlier_run_are_kept(tmp_path: Path) -> None:
    machine = {"processor": "p", "threads": 1, "python": "3", "blas": "b", "versions": {}}
    old = [measured(task, [], 0.001) for task in SMALL[:2]]
    report.save(old, machine, {}, tmp_path)
    kept = report.earlier(machine, tmp_path)
    assert [row.name for row in kept] == [row.name for row in old]
    new = measured(SMALL[0], [], 0.001)
    rows = report.updated(kept, [new])
    assert rows[0] is new
    assert rows[1:] == kept[1:]
    assert report.earlier(machine | {"threads": 2}, tmp_path) == []
