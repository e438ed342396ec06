"""What programs hold, and when they let go."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np

from tcalc import runtime
from tcalc.expr import build, shape
from tcalc.expr.nodes import Node
from tcalc.primitives.trigonometric import sin

x = build.var("x", shape("n"))


def chain(length: int) -> Node:
    node: Node = x
    for _ in range(length):
        node = sin(node)
    return node


def test_large_temporaries_are_dropped_by_name_and_small_ones_are_not() -> None:
    fun = runtime.compile(chain(4))
    assert "del" not in fun.source_for(n=100)
    assert "del t1\n" in runtime.compile(build.outer(chain(2), chain(2))).source_for(n=10**6)


def test_peak_memory_is_predicted() -> None:
    n = 200_000
    fun = runtime.compile(chain(10))
    fun(x=np.ones(3))
    predicted = fun.peak_memory(n=n)
    assert predicted == n * 8  # each sine is written over the last
    given: dict[str, Any] = {"x": np.ones(n)}
    fun(**given)
    tracemalloc.start()
    fun(**given)
    measured = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert abs(measured - predicted) < 0.1 * predicted


def test_a_long_chain_does_not_hold_all_its_steps() -> None:
    fun = runtime.compile([chain(3000), build.sum_all(chain(2500))])
    given = {"x": np.ones(1000)}
    result, _ = fun(**given)
    due = np.ones(1000)
    for _ in range(3000):
        due = np.sin(due)
    np.testing.assert_allclose(result, due)
    tracemalloc.start()
    fun(**given)
    measured = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert measured < 10 * 8000
