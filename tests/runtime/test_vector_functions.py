"""Functions of many numbers at a time in C: how exact they are, and machines without them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compilers import needs_compiler
from scipy import special

import tcalc
from tcalc.runtime import libraries

MOST_UNITS = 4
ODD = (0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 800.0, -800.0, 1e-310, 5e-324, 1e22, 1e308)
RANGES = {
    "acos": (-1, 1), "asin": (-1, 1), "atan": (-50, 50), "cos": (-50, 50), "cosh": (-700, 700),
    "exp": (-745, 709), "log": (0, 1e9), "sin": (-50, 50), "sinh": (-700, 700), "tan": (-50, 50),
    "tanh": (-20, 20),
}  # fmt: skip
"""Functions of the language that NumPy has for longer numbers too, and where they are tried."""
EXACT: dict[str, Any] = {
    "acos": np.arccos, "asin": np.arcsin, "atan": np.arctan, "cos": np.cos, "cosh": np.cosh,
    "exp": np.exp, "log": np.log, "sin": np.sin, "sinh": np.sinh, "tan": np.tan, "tanh": np.tanh,
}  # fmt: skip


@needs_compiler
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", RANGES)
def test_within_four_units_in_the_last_place(name: str) -> None:
    function = tcalc.compile(tcalc.parse(f"{name}(x)", "x[n]"), backend="c")
    low, high = RANGES[name]
    rng = np.random.default_rng(0)
    spread = rng.uniform(low, high, 40_000)
    small = rng.uniform(low, high, 40_000) * 10 ** rng.uniform(-12, 0, 40_000)
    x = np.concatenate((spread, small, ODD))
    found, due = function(x=x), EXACT[name](x.astype(np.longdouble))
    rounded = due.astype(float)
    finite = np.isfinite(rounded)
    units = np.abs(found - due)[finite] / np.spacing(np.abs(rounded[finite]))
    assert units.max() < MOST_UNITS
    # What is not a number, or not finite, is so at the same places.
    np.testing.assert_array_equal(found[~finite], rounded[~finite])


@pytest.fixture
def scalar_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A compiler that refuses to declare functions of several numbers; a file that it writes."""
    command, told = tmp_path / "cc", tmp_path / "told"
    real = shutil.which(libraries.compiler()[0])
    taken = f'*TCALC_SCALAR*) echo "$*" > {told}; exec {real} "$@"'
    command.write_text(f'#!/bin/sh\ncase "$*" in {taken};; esac\nexit 1\n')
    command.chmod(0o755)
    libraries.compiler.cache_clear()
    monkeypatch.setenv("CC", str(command))
    yield told
    libraries.compiler.cache_clear()


@needs_compiler
def test_machines_without_them_call_one_after_the_other(scalar_machine: Path) -> None:
    function = tcalc.compile(tcalc.parse("exp(x) + 12345*erf(x)", "x[n]"), backend="c")
    x = np.linspace(-3, 3, 50)
    np.testing.assert_allclose(function(x=x), np.exp(x) + 12345 * special.erf(x), rtol=1e-14)
    assert "-march=native" in scalar_machine.read_text()  # all else is as ever
