"""Fifty thousand nodes: everything is linear, and nothing recurses on depth.

Times are those of the processor, the best of two; the bound is the promised ratio with a margin
for a busy machine.
"""

from __future__ import annotations

import gc
import time

import numpy as np
import pytest

import tcalc
from tcalc.expr.traverse import postorder

MARGIN = 1.15

PROGRAM = """
s{0} = x
for t = 1:T
    s{t} = s{t-1} + tanh(s{t-1}) .* w
end
sum(s{T})
"""


def stages(steps: int) -> dict[str, float]:
    """The seconds that each stage takes for a chain of three nodes a step."""
    seconds: dict[str, float] = {}

    def timed(name, work):
        start = time.process_time()
        result = work()
        seconds[name] = time.process_time() - start
        return result

    f = timed("parse", lambda: tcalc.parse(PROGRAM, "x[n], w[n]", T=steps))
    assert len(postorder([f.node])) > 3 * steps
    g = timed("differentiate", lambda: tcalc.gradient(f, "w"))
    text = timed("print", lambda: str(g))
    assert text.count("\n") > steps / 4
    function = tcalc.compile([f, g])
    data = {"x": np.full(2, 0.1), "w": np.full(2, 1e-4)}
    value, gradient = timed("compile", lambda: function(**data))
    step = 1e-6
    moved = (
        function(x=data["x"], w=data["w"] + step)[0] - function(x=data["x"], w=data["w"] - step)[0]
    )
    assert np.isfinite(value)
    assert np.sum(gradient) == pytest.approx(moved / (2 * step), rel=1e-4)
    return seconds


@pytest.mark.slow
def test_fifty_thousand_nodes_take_twelve_times_as_long_as_five_thousand():
    stages(100)
    small = [stages(1_667) for _ in range(2)]
    large = [stages(16_670) for _ in range(2)]
    for name in small[0]:
        few, many = (min(run[name] for run in runs) for runs in (small, large))
        assert many < MARGIN * 12 * few, f"{name}: {few:.2f} s, {many:.2f} s"


def test_a_long_chain_goes_all_the_way():
    stages(1_000)


def test_what_a_compilation_needed_is_let_go_without_the_collector():
    f = tcalc.parse(PROGRAM, "x[n], w[n]", T=50)
    function = tcalc.compile([f, tcalc.gradient(f, "w")])
    gc.collect()
    gc.disable()
    try:
        function.source_for(n=3)
        assert gc.collect() < 100
    finally:
        gc.enable()
