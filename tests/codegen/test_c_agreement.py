"""C functions compute what NumPy's code computes, for any graph and at sizes of all kinds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compilers import needs_compiler
from guarded import guarded
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import INPUTS, data, graphs, law

from tcalc import interpret, runtime
from tcalc.expr.nodes import Node

pytestmark = [needs_compiler, pytest.mark.filterwarnings("ignore::RuntimeWarning")]

LOOPS = {"m": 2, "n": 3, "k": 2}
SIZES = (
    {"m": 1, "n": 1, "k": 1},
    LOOPS,
    {"m": 4, "n": 4, "k": 4},
    {"m": 3, "n": 7, "k": 5},  # products of matrices are those of BLAS
    {"m": 1, "n": 5, "k": 2},
    {"m": 6, "n": 1, "k": 3},
    {"m": 17, "n": 16, "k": 3},
)
several = st.lists(graphs(), min_size=6, max_size=6)


def agree(found: Any, due: Any, tolerance: float) -> None:
    for mine, other in zip(found, due, strict=True):
        assert np.shape(mine) == np.shape(other)
        scale = max(1.0, float(np.abs(other).max(initial=0)))
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance * scale)


def check(roots: list[Node], sizes: dict[str, int], kind: Any = np.float64) -> None:
    """Plain calls, calls with memory around all arrays, and calls with some arguments bound."""
    tolerance = 1e-8 if kind is np.float64 else 5e-3
    fun = runtime.compile(roots, runtime.Options(backend="c"), variables=INPUTS)
    if not fun.signature.arguments:
        return
    arrays = data(sizes, dtype=kind)
    given_ = {name: arrays[name] for name in fun.signature.names}
    due = interpret.evaluate(roots, arrays, sizes)
    found = fun(**given_)
    assert {np.asarray(x).dtype for x in found} == {np.dtype(kind)}
    agree(found, due, tolerance)
    inside = guarded(fun, **given_)
    assert inside is not None
    agree(inside, due, tolerance)
    first = list(given_)[::2]
    bound = fun.bind(**{name: given_[name] for name in first})
    agree(bound(**{k: x for k, x in given_.items() if k not in first}), due, tolerance)
    inside = guarded(bound, **given_)
    assert inside is not None
    agree(inside, due, tolerance)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_any_graphs_at_all_sizes(sizes: dict[str, int]) -> None:
    @law(1 if sizes["m"] > 9 else 2, derandomize=True)
    @given(several)
    def check_all(drawn: list[list[Node]]) -> None:
        check([root for roots in drawn for root in roots], sizes)

    check_all()


@law(2, derandomize=True)
@given(several)
def test_any_graphs_of_single_precision(drawn: list[list[Node]]) -> None:
    check([root for roots in drawn for root in roots], LOOPS, np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_each_of_many_graphs(sizes: dict[str, int], kind: Any) -> None:
    @law(40, derandomize=True)
    @given(graphs())
    def check_one(roots: list[Node]) -> None:
        check(roots, sizes, kind)

    check_one()
