"""The comparison on a device, run from end to end on a CuPy that is the host's."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from host_cupy import COMPILER
from host_device import DeviceArray, cupy  # noqa: F401 - a fixture

from benchmarks import gpu, gpu_contenders

SMALL: dict[str, dict[str, tuple[dict[str, int], ...]]] = {
    "logistic": {"gradient": ({"m": 9, "n": 4},), "hessian": ({"m": 9, "n": 4},)},
    "factorisation": {"hessian": ({"n": 4, "m": 5, "k": 2},)},
    "masked": {"hessian": ({"n": 4, "m": 5, "k": 2},)},
    "net": {"gradient": ({"n": 4, "b": 5},), "hessian": ({"n": 3, "b": 4},)},
    "gp": {"gradient": ({"n": 6, "d": 2},)},
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "SIZES", SMALL)
    monkeypatch.setattr(gpu, "SQUARE", 32)
    monkeypatch.setattr(gpu, "COPIED", 1 << 10)
    monkeypatch.setattr(gpu, "SAMPLE", 0.0)
    monkeypatch.setattr(gpu, "SAMPLES", 2)
    monkeypatch.setattr(gpu_contenders, "JAX_PLATFORM", "cpu")
    monkeypatch.setattr(gpu_contenders, "TORCH_DEVICE", "cpu")


def installed(*packages: str) -> list[str]:
    return [name for name in packages if importlib.util.find_spec(name) is not None]


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler for the kernels")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_the_whole_comparison(cupy: Any, small: None, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    cupy.from_dlpack = lambda x: np.from_dlpack(x).view(DeviceArray)
    arguments = ["--seconds", "0", "--types", "float64", "--output", str(tmp_path)]
    done = CliRunner().invoke(gpu.main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    content = json.loads((tmp_path / "table.json").read_text())
    assert content["machine"]["device"] == "none"
    assert content["machine"]["copy in float64, GB/s"] >= 0
    rows = {(row["problem"], row["quantity"]): row for row in content["rows"]}
    assert set(rows) == {(name, kind) for name, kinds in SMALL.items() for kind in kinds}
    for key, row in rows.items():
        assert {"expert", "tcalc", "tcalc, unchecked"} <= set(row["seconds"]), row["absent"]
        assert all(error < 1e-8 for error in row["error"].values()), (key, row["error"])
        assert row["ceiling"] > 0
        for package in installed("jax", "torch"):
            assert any(name.startswith(package) for name in row["peers"]), row["absent"]
    # A graph has no factorisations; everything else here fits in one.
    assert "cannot be a part of a CUDA graph" in rows["gp", "gradient"]["absent"]["tcalc, graph"]
    assert all("tcalc, graph" in row["seconds"] for key, row in rows.items() if key[0] != "gp")
    table = (tmp_path / "table.md").read_text()
    assert "| logistic hessian (m=9, n=4) | float64 |" in table
    assert "- gp gradient (n=6, d=2), float64: tcalc, graph: " in table


def test_a_wrong_result_is_not_timed(
    cupy: Any,  # noqa: F811 - the fixture
    small: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = {**gpu_contenders.EXPERTS, ("logistic", "hessian"): lambda X, y, w: X.T @ X}
    monkeypatch.setattr(gpu_contenders, "EXPERTS", wrong)
    monkeypatch.setattr(gpu, "SIZES", {"logistic": {"hessian": ({"m": 9, "n": 4},)}})
    done = CliRunner().invoke(gpu.main, ["--seconds", "0", "--types", "float64"])
    assert done.exit_code == 1
    assert "a result of tcalc's differs from the expert's" in done.output


def test_unknown_names_are_refused() -> None:
    done = CliRunner().invoke(gpu.main, ["--types", "float16"])
    assert done.exit_code == 2
    assert "float16: known are" in done.output


def test_without_cupy_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "cupy", None)
    done = CliRunner().invoke(gpu.main, [])
    assert done.exit_code == 1
    assert "needs the package CuPy" in done.output


def test_every_row_has_an_expert() -> None:
    for name, quantities in gpu.SIZES.items():
        for quantity in quantities:
            assert (name, quantity) in gpu_contenders.EXPERTS
