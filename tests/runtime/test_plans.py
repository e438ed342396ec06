"""The lines of generated modules, which tracebacks show."""

from __future__ import annotations

import gc
import linecache

import tcalc


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
