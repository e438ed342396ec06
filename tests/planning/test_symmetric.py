"""Symmetric products: the halves, and plans in which one is computed once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcalc.planning import plan
from tcalc.planning.symmetric import halves

N = 10


def chain(length, centre=True):
    """``W1' .. Wk' D Wk .. W1`` between the labels 0 and 1, and which factors are alike."""
    left = [0, *range(2, 2 + length)]
    right = [1, *range(2 + length, 1 + 2 * length), left[-1]]
    rows = [(side[k + 1], side[k]) for side in (left, right) for k in range(length)]
    alike = [*range(length), *range(length)]
    return ([*rows, (left[-1],)], [*alike, length]) if centre else (rows, alike)


def sizes(rows, size=N):
    return {label: size for row in rows for label in row}


def contracted(rows, output, arrays, path):
    """The product along a path, by einsum on two operands at a time."""
    operands = list(zip(arrays, rows, strict=True))
    waiting = set(range(len(rows)))
    for a, b in path:
        waiting -= {a, b}
        kept = {label for k in waiting for label in operands[k][1]} | set(output)
        (x, left), (y, right) = operands[a], operands[b]
        labels = tuple(label for label in dict.fromkeys(left + right) if label in kept)
        waiting.add(len(operands))
        operands.append((np.einsum(x, left, y, right, labels), labels))
    ((last, labels),) = (operands[k] for k in waiting)
    return np.einsum(last, labels, output)


@pytest.mark.parametrize("length", [2, 3, 5, 8])
@pytest.mark.parametrize("centre", [True, False])
def test_the_halves_of_a_chain_are_found(length, centre):
    rows, alike = chain(length, centre)
    found = halves(rows, (0, 1), alike)
    assert sorted((*found.first, *found.second)) == list(range(2 * length))
    assert [alike[k] for k in found.first] == [alike[k] for k in found.second]


@pytest.mark.parametrize("length", [2, 3, 5, 8])
def test_one_half_of_a_chain_is_paid_for(length):
    rows, alike = chain(length)
    found = plan(rows, (0, 1), sizes(rows), alike=alike)
    product = 2 * N**3 - N**2
    # The chain once, its scaling, and its product with itself.
    assert found.flops == (length - 1) * product + N**2 + product
    assert plan(rows, (0, 1), sizes(rows)).flops > found.flops


def test_halves_of_a_trace_meet_at_both_ends():
    # tr(V F V F) = Σ P[i,j] P[j,i] with P = V F
    rows, alike = [(0, 1), (1, 2), (2, 3), (3, 0)], [0, 1, 0, 1]
    found = plan(rows, (), sizes(rows), alike=alike)
    assert found.flops == 2 * N**3 - N**2 + 2 * N**2 - 1
    assert plan(rows, (), sizes(rows)).flops > found.flops


def test_axes_that_may_be_exchanged_make_halves():
    # Σ V[a,b] F[i,a,c] V[c,d] F[j,b,d]: P[i] P[j] with P[i] = V F[i], as V and F are symmetric.
    rows, alike = [(0, 1), (2, 3), (4, 0, 2), (5, 1, 3)], [0, 0, 1, 1]
    assert halves(rows, (4, 5), alike) is None
    assert halves(rows, (4, 5), alike, {0: (0, 1)}) is None
    found = halves(rows, (4, 5), alike, {0: (0, 1), 1: (1, 2)})
    assert found is not None
    assert (found.first, found.second) == ((0, 2), (1, 3))
    assert [found.image[x] for x in (4, 0, 1, 2)] == [5, 3, 2, 1]


def test_what_is_cheaper_in_one_piece_stays_so():
    # x' A' B' B A x: from the vector on.
    x, a, b = (0,), (1, 0), (2, 1)
    rows, alike = [x, a, b, (3,), (4, 3), (2, 4)], [0, 1, 2, 0, 1, 2]
    found = plan(rows, (), sizes(rows), alike=alike)
    assert found.flops == 2 * (2 * N**2 - N) + 2 * N - 1  # A x, B (A x), and its square


@pytest.mark.parametrize(
    ("rows", "output", "alike"),
    [
        ([(0, 1), (1, 2), (2, 3), (3, 0)], (), [0, 1, 2, 3]),  # nothing alike
        ([(0, 1), (2, 1)], (0, 2), [0, 0]),  # halves of one factor
        ([(2, 0), (3, 2), (2, 1), (3, 4)], (0, 1, 4), [0, 1, 0, 1]),  # an end without counterpart
    ],
)
def test_what_is_not_symmetric_has_no_halves(rows, output, alike):
    assert halves(rows, output, alike) is None


@st.composite
def symmetric_products(draw):
    """A half at random and its mirror image, joined by labels that they share."""
    count = draw(st.integers(2, 4))
    shared = draw(st.integers(0, 2))
    labels = st.integers(0, 3 + shared)
    half = [
        tuple(draw(st.lists(labels, min_size=1, max_size=3, unique=True))) for _ in range(count)
    ]
    mirror = [tuple(x if x < shared else x + 10 for x in row) for row in half]
    used = sorted({label for row in half for label in row})
    ends = draw(st.lists(st.sampled_from(used), max_size=2, unique=True))
    output = tuple(dict.fromkeys(y for x in ends for y in (x, x if x < shared else x + 10)))
    alike = [*range(count)] * 2
    order = draw(st.permutations(range(2 * count)))
    rows = [*half, *mirror]
    extents = {x: draw(st.sampled_from([2, 3])) for x in used}
    extents.update({x + 10: extents[x] for x in used})
    return [rows[k] for k in order], output, [alike[k] for k in order], extents


@given(symmetric_products())
@settings(max_examples=150, deadline=None)
def test_plans_of_symmetric_products_are_right_and_no_dearer(problem):
    rows, output, alike, extents = problem
    found = plan(rows, output, extents, alike=alike)
    assert found.flops <= plan(rows, output, extents).flops
    generator = np.random.default_rng(0)
    tensors = {}
    for row, name in zip(rows, alike, strict=True):
        tensors.setdefault(name, generator.standard_normal([extents[x] for x in row]))
    arrays = [tensors[name] for name in alike]
    operands = [x for pair in zip(arrays, rows, strict=True) for x in pair]
    expected = np.einsum(*operands, output, optimize="greedy")
    np.testing.assert_allclose(contracted(rows, output, arrays, found.path), expected, atol=1e-9)


def test_diagonals_are_told_apart_by_their_labels():
    # Σ A[i,i,k] B[j,k] A[l,m,m] B[j,l]: the diagonals are over other axes.
    rows, alike = [(0, 0, 1), (2, 1), (3, 4, 4), (2, 3)], [0, 1, 0, 1]
    assert halves(rows, (), alike) is None
    # Σ A[i,i,k] B[j,k] A[l,l,m] B[j,m]
    rows[2:] = (3, 3, 4), (2, 4)
    assert halves(rows, (), alike) is not None


def test_axes_of_diagonals_are_exchanged_where_they_stand():
    # Σ A[i,i,k,l] v[k] A[m,m,n,o] v[o], where the last two axes of A are exchangeable
    rows, alike = [(0, 0, 1, 2), (1,), (3, 3, 4, 5), (5,)], [0, 1, 0, 1]
    assert halves(rows, (2, 4), alike) is None
    found = halves(rows, (2, 4), alike, {0: (2, 3)})
    assert found is not None
    assert [found.image[x] for x in (0, 1, 2)] == [3, 5, 4]
