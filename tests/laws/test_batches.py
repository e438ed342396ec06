"""A batch of small matrices is one batched call, derivatives included: no loop over its cells."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from enrolled import SIZES, Case, cases

from tcalc.calculus import jvp, vjp
from tcalc.expr import build
from tcalc.primitives import FUNCTIONS, Kind
from tcalc.runtime.compiled import compile as compile_nodes

MAPPED = {f.name for f in FUNCTIONS for form in f.forms if form.kind is Kind.TENSOR}
CASES = [
    case
    for case in cases()
    # The third derivative of det is of order six, and its own derivatives are enormous.
    if case.id.split("-")[0] in MAPPED - {"cofactors3"} and all("b" in x for x in case.letters)
]
SIZE = {**SIZES[2], "b": 3}
TIMES = 40


def calls_in(run: Callable[[], Any]) -> int:
    """How many functions are called, Python's own and those in C."""
    count = 0

    def watch(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(watch)
    try:
        run()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_a_batch_takes_as_many_calls_as_a_few_matrices(case: Case) -> None:
    x = case.arguments[0]
    dx, y_bar = build.var("dx", x.dims), build.var("y_bar", case.result.dims)
    pulled = vjp(case.result, x, y_bar)
    inputs = [*case.arguments, dx, y_bar]
    function = compile_nodes([case.result, pulled, jvp(pulled, {x: dx})], variables=inputs)
    few = case.data(SIZE)
    generator = np.random.default_rng(1)
    for node in (dx, y_bar):
        few[node.name] = generator.standard_normal(tuple(d.evaluate(SIZE) for d in node.dims))
    # The same matrices again and again, so that iterations take as many steps.
    many = {name: np.tile(array, (TIMES, *[1] * (array.ndim - 1))) for name, array in few.items()}
    counts = []
    for data in (few, many):
        function(**data)
        counts.append(calls_in(lambda data=data: function(**data)))
    # A loop makes a call at least for each of the further matrices; the choice of an order of
    # contraction some more or less.
    assert abs(counts[1] - counts[0]) < TIMES
    for one, other in zip(function(**few), function(**many), strict=True):
        np.testing.assert_allclose(other[-len(one) :], one, rtol=1e-9, atol=1e-9)


def test_many_matrices_are_seen_to_be_looped_over() -> None:
    """The counter counts: what is called for one cell after the other is found out."""
    stack = np.stack([np.eye(2)] * 5)
    loop = calls_in(lambda: [np.linalg.inv(cell) for cell in stack])
    assert loop > 4 * calls_in(lambda: np.linalg.inv(stack))
