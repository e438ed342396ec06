"""Which parts of a sum lie where nothing lies yet."""

import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tcalc
from tcalc.codegen.placement import fills, stacked, written
from tcalc.codegen.program import Placed, Slice, Sum, View
from tcalc.codegen.tensor import Builder
from tcalc.expr.dims import Dim
from tcalc.expr.dims import shape as shape_of

ROW = View.of(Builder().filled(Fraction(0), ()))


def total_of(parts, spans=False):
    dims = shape_of("m", "n")[: len(parts[0])]
    return Sum(dims, (), tuple(Placed(Fraction(1), ROW, part, ()) for part in parts), spans)


def cells(part, size):
    axes = []
    for index in part:
        match index:
            case None:
                axes.append(range(size))
            case Slice(start=start, length=length):
                first = start.evaluate({"n": size // 2})
                axes.append(range(first, first + length.evaluate({"n": size // 2})))
            case place:
                axes.append([place.evaluate({"n": size // 2})])
    return {(i, j) for i in axes[0] for j in axes[1]}


places = st.one_of(
    st.integers(0, 6).map(Dim.of),
    st.integers(0, 6).map(lambda k: Dim.of("n") + k),
    st.tuples(st.integers(0, 5), st.integers(1, 3)).map(lambda x: Slice(*map(Dim.of, x))),
    st.sampled_from([None, Slice(Dim.of(0), Dim.of("n")), Slice(Dim.of("n"), Dim.of(2))]),
)


@given(st.lists(st.tuples(places, places), min_size=1, max_size=12))
@settings(max_examples=300, deadline=None)
def test_what_is_written_covers_nothing_before_it(parts):
    found = written(total_of(parts))
    assert written(total_of(parts, spans=True)) == [False] * len(parts)
    lying: set[tuple[int, int]] = set()
    for alone, part in zip(found, parts, strict=True):
        mine = cells(part, 20)
        assert not (alone and mine & lying)
        lying |= mine


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_elements_are_written_just_when_they_come_first(elements):
    parts = [(Dim.of(i), Dim.of(j)) for i, j in elements]
    assert written(total_of(parts)) == [x not in elements[:k] for k, x in enumerate(elements)]


def test_stretches_of_named_lengths_may_come_in_any_order():
    n = Dim.of("n")
    rows = [Slice(n * k, n) for k in (3, 0, 2, 4, 1)]
    assert written(total_of([(row, None) for row in rows])) == [True] * 5
    rows.append(Slice(n * 2 + 1, n))
    assert written(total_of([(row, None) for row in rows])) == [True] * 5 + [False]


@pytest.mark.parametrize("row", [True, False])
def test_elements_of_one_row_and_of_a_square_are_told_apart(row):
    elements = [(3, k) if row else divmod(k, 12) for k in range(144)]
    assert all(written(total_of([(Dim.of(i), Dim.of(j)) for i, j in elements])))


def test_the_gradient_by_a_vector_of_which_each_element_is_named():
    f = tcalc.parse(
        "f{0} = 0\nfor t = 1:T\nf{t} = f{t-1} + (x[t+1] - x[t]^2)^2\nend\nf{T}", "x[21]", T=20
    )
    x = np.linspace(-1, 1, 21)
    residual = x[1:] - x[:-1] ** 2
    expected = np.append(0, 2 * residual) - np.append(4 * residual * x[:-1], 0)
    np.testing.assert_allclose(tcalc.compile(tcalc.gradient(f, "x"))(x=x), expected, atol=1e-12)


def test_rows_from_the_first_to_the_last_fill_a_sum():
    m, one = Dim.of("m"), Dim.of(1)
    first, rest = Slice(Dim.of(0), m - 1), m - 1
    assert fills(total_of([(rest, None), (first, None)]))
    assert fills(total_of([(Slice(one, m - 1), None), (Dim.of(0), None)]))
    gaps = [[first], [rest], [first, m - 2], [first, rest, rest], [Slice(one, m - 1), one]]
    for rows in gaps:
        assert not fills(total_of([(row, None) for row in rows]))
    assert not fills(total_of([(first, Dim.of(0)), (rest, None)]))
    assert not fills(total_of([(first, None), (rest, None)], spans=True))
    # What is not known to lie apart is added, and needs zeros to be added to.
    n = Dim.of("n")
    uneven = [Slice(Dim.of(0), n - 1), Slice(n - 1, m - n - 3), Slice(m - 4, Dim.of(4))]
    assert not fills(total_of([(row, None) for row in uneven]))
    diagonal = Placed(Fraction(1), ROW, (None, None), (0, 0))
    assert not fills(Sum(shape_of("m", "m"), (), (diagonal,), spans=False))


@pytest.mark.slow
def test_four_times_the_parts_take_four_times_as_long():
    def seconds(count):
        order = np.random.default_rng(0).permutation(count).tolist()
        total = total_of([(Dim.of(k % count), None) for k in (*order, *order)])
        start = time.process_time()
        assert sum(written(total)) == count
        return time.process_time() - start

    seconds(100)
    assert min(seconds(4000) for _ in range(3)) < 8 * min(seconds(1000) for _ in range(3))


def stack_of(*lengths, rest=(3,), start=0, more=0):
    """A sum of arrays one after the other; without a length a row."""
    parts, reached = [], start
    for length in lengths:
        dims = shape_of(*(() if length is None else (length,)), *rest)
        place = Dim.of(reached)
        index = place if length is None else Slice(place, Dim.of(length))
        view = View.of(Builder().filled(Fraction(2), dims))
        labels = tuple(range(len(dims)))
        parts.append(Placed(Fraction(1), view, (index, *[None] * len(rest)), labels))
        reached += length or 1
    return Sum(shape_of(reached + more, *rest), (), tuple(parts), spans=False)


@pytest.mark.parametrize(
    ("total", "found"),
    [
        (stack_of(2, 4, 1), True),
        (stack_of(2, None, 4, None), True),
        (stack_of(2, 3, rest=()), True),
        (stack_of(None, None, None), False),
        (stack_of(2, 4, rest=(3, 3)), False),
        (stack_of(2, 4, start=1), False),
        (stack_of(2, 4, more=1), False),
        (stack_of(5), False),
    ],
)
def test_what_is_a_stack(total, found):
    assert bool(stacked(total)) == found
    if found:
        assert fills(total)


def test_stacks_are_written_by_one_call_where_they_end_in_order():
    data = {name: np.arange(6.0).reshape(2, 3) + k for k, name in enumerate("ABC")}
    joined = tcalc.compile(tcalc.parse("concat(A, 2*B, -C)", "A[m,n], B[m,n], C[m,n]"))
    expected = np.concatenate([data["A"], 2 * data["B"], -data["C"]])
    np.testing.assert_array_equal(joined(**data), expected)
    assert "np.concat((\n        A, 2 * B, -C,\n    ))" in joined.source
    single = {name: x.astype(np.float32) for name, x in data.items()}
    assert joined(**single).dtype == np.float32
    np.testing.assert_array_equal(joined(**single), expected)
