"""The lines of generated modules, which tracebacks show."""

from __future__ import annotations

import gc
import linecache

import numpy as np
import pytest

import tcalc
from tcalc.runtime import compiled, plans


def _shown() -> set[str]:
    return {name for name in linecache.cache if name.startswith("<tcalc ")}


def test_lines_of_functions_that_are_gone_go_when_others_come() -> None:
    f = tcalc.parse("sum(x.^2)", "x[n]")
    function = tcalc.compile(f)
    before = _shown()
    assert function(x=[1.0, 2.0]) == 5
    (mine,) = _shown() - before
    assert any("def compute" in line for line in linecache.getlines(mine))
    del function
    gc.collect()
    # Not at once: the standard library may be walking through its cache.
    assert mine in _shown()
    assert tcalc.compile(f)(x=[3.0]) == 9
    assert mine not in _shown()


def test_modules_for_sizes_that_are_past_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memory is kept there is a module for each combination of sizes."""
    monkeypatch.setattr(plans, "PLANS", 3)
    monkeypatch.setattr(compiled, "ENTRIES", 3)
    f = tcalc.parse("sum(x.^2)", "x[n]")
    before = _shown()
    function = tcalc.compile(f, reuse=True)
    for n in range(1, 21):
        assert function(x=np.ones(n)) == n
    gc.collect()
    assert tcalc.compile(f)(x=[3.0]) == 9  # lines of what is gone go now
    assert len(_shown() - before) <= 10
