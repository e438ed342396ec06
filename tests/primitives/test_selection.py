"""Unit vectors, windows and masks."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from tcalc.expr import Dim, Fact, build, shape
from tcalc.expr.facts import holds
from tcalc.interpret import evaluate
from tcalc.primitives.routines import routine_of
from tcalc.primitives.selection import LowerMask, UnitVector, Window, lower, unit, window

M, N = shape("m", "n")
SIZES = {"m": 3, "n": 5}


def test_values():
    e, W, mask = evaluate([unit(N, N), window(2, N - 1, N), lower(M, N, -1)], {}, SIZES)
    np.testing.assert_array_equal(e, np.eye(5)[4])
    np.testing.assert_array_equal(W, np.eye(5)[1:4])
    np.testing.assert_array_equal(mask, np.tril(np.ones((3, 5)), -1))


def test_they_select():
    A = build.var("A", (M, N))
    values = {"A": np.arange(15.0).reshape(3, 5)}
    row = build.einsum([A, unit(2, M)], "ij,i->j")
    block = build.einsum([window(1, 2, M), A, window(4, 5, N)], "ai,ij,bj->ab")
    found = evaluate([row, block], values)
    np.testing.assert_array_equal(found[0], values["A"][1])
    np.testing.assert_array_equal(found[1], values["A"][:2, 3:])


def test_a_whole_window_is_the_unit_tensor():
    assert window(1, N, N) is build.delta(N)
    assert window(1, 4, Dim.of(4)) is build.delta(Dim.of(4))


def test_dimensions_are_parameters():
    primitive = Window(Dim.of(2), N - 1, N).substitute({"n": Dim.of(7)})
    assert primitive == Window(Dim.of(2), Dim.of(6), Dim.of(7))
    assert routine_of(unit(N, N)).sizes == (N, N)
    for primitive in (UnitVector(N, N), Window(Dim.of(1), M, N), LowerMask(M, N, 1)):
        assert pickle.loads(pickle.dumps(primitive)) == primitive


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: unit(0, N), "position 0 is below 1"),
        (lambda: unit(6, Dim.of(5)), "position 6 is beyond the dimension 5"),
        (lambda: window(3, 2, N), "the range 3:2 is empty"),
        (lambda: window(2, 6, Dim.of(5)), "position 6 is beyond the dimension 5"),
    ],
)
def test_positions_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("node", "size", "message"),
    [
        (unit(4, N), 3, "position 4 is beyond the dimension 3"),
        (unit(N - 1, N), 1, "position 0 is below 1"),
        (window(2, 4, N), 3, "position 4 is beyond the dimension 3"),
        (window(3, N, N), 1, "the range 3:1 does not exist"),
    ],
)
def test_positions_are_checked_again_where_sizes_are_known(node, size, message):
    with pytest.raises(ValueError, match=message):
        evaluate([node], {}, {"n": size})


def test_a_range_may_turn_out_empty():
    assert evaluate([window(2, N, N)], {}, {"n": 1})[0].shape == (0, 1)


def test_the_mask_is_lower():
    assert holds(lower(N, N), Fact.LOWER)
    assert holds(lower(N, N, 1), Fact.LOWER) is None
    assert holds(lower(N, N), Fact.CONSTANT)
