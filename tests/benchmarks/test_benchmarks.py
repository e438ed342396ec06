"""The benchmark's formulations agree: tcalc, the expert's NumPy, and autodiff of the objective."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tcalc
from benchmarks import growth, minimising, peers, report, rows
from benchmarks.__main__ import listing
from benchmarks.contenders import gather
from benchmarks.measuring import interleaved, pin
from benchmarks.peers import installed
from benchmarks.problems import PROBLEMS
from benchmarks.rows import Row, measured, prepared
from benchmarks.task import Contender, Task, UnavailableError, as_arrays, tasks
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
    told = {e.contender.split()[0] for e in row.entries if e.peer} | absent.keys()
    assert told == set(installed())


def test_programs_grow_in_every_peer() -> None:
    assert tuple(growth.PEERS) == peers.NAMES
    names = {name.split()[0] for made in growth.PEERS.values() for name in made}
    assert names == set(peers.NAMES)


@pytest.mark.slow
def test_peers_agree_on_a_program_that_grows() -> None:
    for row in growth.rows(installed(), "small"):
        assert not [e.contender for e in row.entries if "differs" in e.absent]


def test_large_full_jacobians_by_casadi_are_the_coloured_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    casadi = pytest.importorskip("casadi")
    casadi_peer = importlib.import_module("benchmarks.peers.casadi_peer")
    x = casadi.MX.sym("x", 7)
    result = casadi.sin(x) * casadi.sum1(x)
    point = np.arange(7.0)
    coloured = casadi_peer.jacobian(result, x, [x])(point).full()
    monkeypatch.setattr(casadi_peer, "MOST_COLUMNS", 5)
    monkeypatch.setattr(casadi_peer, "COLUMNS", 3)
    by_calls = casadi_peer.jacobian(result, x, [x])(point).full()
    np.testing.assert_allclose(by_calls, coloured, rtol=1e-15)


def test_rows_one_by_one_are_refused_where_they_are_many() -> None:
    first = next(task for task in tasks(PROBLEMS, {"hessian"}, "all") if task.variables > 100)
    first.require_patience()
    with pytest.raises(UnavailableError, match=f"each of {first.variables} directions"):
        first.require_patience(directions=100)
    with pytest.raises(UnavailableError, match=f"each of {first.variables} directions"):
        first.require_patience(work=1.0)


def test_a_peer_has_its_own_idiom() -> None:
    task = next(task for task in SMALL if task.name.startswith("F distances hessian"))
    special = task.problem.special
    assert task.objective("jax") is special["jax hessian"]
    assert task.objective("torch") is task.problem.objective
    series = next(task for task in SMALL if task.name.startswith("D kalman value"))
    assert series.objective("pytensor") is series.problem.special["pytensor"]


@pytest.mark.parametrize("cached", [True, False])
def test_what_is_kept_on_disk_is_built_twice(monkeypatch: pytest.MonkeyPatch, cached: bool) -> None:
    builds = []
    seconds = iter([2 * rows.SLOWEST, 0.0])

    def build() -> Any:
        builds.append(None)
        return lambda: np.ones(3)

    def timed(call: Any, number: int) -> float:
        call()
        return next(seconds)

    monkeypatch.setattr(rows, "timed", timed)
    row = empty(SMALL[0])
    made = prepared([Contender("slow at first", build, as_arrays, cached=cached)], row)
    assert (list(made), len(builds)) == ((["slow at first"], 2) if cached else ([], 1))
    assert row.entries[0].compile == 2 * rows.SLOWEST


def test_products_at_one_point_share_what_depends_on_it() -> None:
    points: list[Any] = []

    def make(x: Any) -> Any:
        points.append(x)
        return lambda v: x * v

    product = minimising.at_point(make)
    x, v = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    for factor in (1.0, 2.0):
        np.testing.assert_array_equal(product(factor * x, v), factor * x * v)
        np.testing.assert_array_equal(product(factor * x, 2 * v), 2 * factor * x * v)
    assert len(points) == 2


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
