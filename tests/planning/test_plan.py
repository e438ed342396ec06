"""Contraction orders: cheapest where the product is short, good and quick where it is long."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import opt_einsum
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcalc.planning import Indicator, Inversion, Plan, Triangle, cost, pair_flops, plan
from tcalc.planning.flops import reduction_flops

Labels = tuple[int, ...]
Problem = tuple[list[Labels], Labels, dict[int, int]]


@st.composite
def problems(draw: st.DrawFn, least: int = 2, most: int = 5) -> Problem:
    count = draw(st.integers(least, most))
    rows = [
        tuple(draw(st.lists(st.integers(0, count + 1), min_size=1, max_size=3, unique=True)))
        for _ in range(count)
    ]
    used = sorted({label for row in rows for label in row})
    output = tuple(draw(st.lists(st.sampled_from(used), max_size=2, unique=True)))
    return rows, output, {label: draw(st.sampled_from([2, 3, 10, 50])) for label in used}


def cheapest_by_trying(rows: list[Labels], output: Labels, sizes: dict[int, int]) -> int:
    """The least flops over all orders in which every pair shares a label."""

    @cache
    def least(operands: tuple[frozenset[int], ...]) -> int:
        if len(operands) == 1:
            return 0
        best = None
        for a in range(len(operands)):
            for b in range(a):
                rest = [x for k, x in enumerate(operands) if k not in (a, b)]
                kept = frozenset(output).union(*rest)
                result = (operands[a] | operands[b]) & kept
                joined = operands[a] & operands[b]
                alone = not any(x & y for x in operands for y in operands if x is not y)
                if not (joined or alone):
                    continue
                now = pair_flops(operands[a], operands[b], result, sizes)
                total = now + least(tuple(sorted([*rest, result], key=sorted)))
                best = total if best is None else min(best, total)
        assert best is not None
        return best

    count = Counter(label for row in rows for label in row)
    start = [frozenset(x for x in row if count[x] > 1 or x in output) for row in rows]
    return least(tuple(sorted(start, key=sorted))) + reduction_flops(rows, output, sizes)


@settings(max_examples=100, deadline=None)
@given(problems())
def test_short_products_are_ordered_no_worse_than_by_trying_all(problem: Problem) -> None:
    rows, output, sizes = problem
    assert plan(rows, output, sizes).flops <= cheapest_by_trying(rows, output, sizes)


@settings(max_examples=60, deadline=None)
@given(problems(2, 14))
def test_the_path_contracts_everything_once_at_the_stated_cost(problem: Problem) -> None:
    rows, output, sizes = problem
    found = plan(rows, output, sizes)
    assert sorted(k for step in found.path for k in step) == list(range(2 * len(rows) - 2))
    assert replayed(found, rows, output, sizes) == found.flops


def replayed(found: Plan, rows: list[Labels], output: Labels, sizes: dict[int, int]) -> int:
    count = Counter(label for row in rows for label in set(row))
    items = [frozenset(x for x in row if count[x] > 1 or x in output) for row in rows]
    alive = dict(enumerate(items))
    total = reduction_flops(rows, output, sizes)
    for a, b in found.path:
        x, y = alive.pop(a), alive.pop(b)
        result = (x | y) & frozenset(output).union(*alive.values())
        total += pair_flops(x, y, result, sizes)
        alive[len(items)] = result
        items.append(result)
    return total


@pytest.mark.parametrize(("count", "seed"), [(14, 1), (14, 2), (30, 1), (30, 2), (60, 1)])
def test_long_products_against_the_random_greedy_search_of_opt_einsum(
    count: int, seed: int
) -> None:
    drawn = random.Random(seed)
    labels = int(count * 1.3)
    sizes = {label: drawn.choice([2, 5, 10, 50, 100]) for label in range(labels)}
    rows = [tuple(drawn.sample(range(labels), drawn.choice([1, 2, 2, 2, 3]))) for _ in range(count)]
    output = tuple(drawn.sample(sorted({x for row in rows for x in row}), 2))
    mine = plan(rows, output, sizes).flops
    random.seed(0)
    search = opt_einsum.path_random.random_greedy_128
    path = search([frozenset(row) for row in rows], frozenset(output), sizes)
    used = Counter(label for row in rows for label in row)
    operands = [frozenset(x for x in row if used[x] > 1 or x in output) for row in rows]
    theirs = reduction_flops(rows, output, sizes)
    for step in path:
        taken = [operands.pop(k) for k in sorted(step, reverse=True)]
        if len(taken) == 1:
            operands.append(taken[0])
            continue
        result = (taken[0] | taken[1]) & frozenset(output).union(*operands)
        theirs += pair_flops(taken[0], taken[1], result, sizes)
        operands.append(result)
    assert mine <= 1.05 * theirs


def test_a_chain_of_matrices_is_ordered_as_the_textbook_does() -> None:
    drawn = random.Random(3)
    for count in (10, 25, 40):
        sizes = {k: drawn.randint(2, 200) for k in range(count + 1)}
        rows = list(pairwise(range(count + 1)))
        best = {(k, k + 1): 0 for k in range(count)}
        for width in range(2, count + 1):
            for i in range(count - width + 1):
                j = i + width
                best[i, j] = min(
                    best[i, k] + best[k, j] + sizes[i] * sizes[j] * (2 * sizes[k] - 1)
                    for k in range(i + 1, j)
                )
        drawn.shuffle(rows)
        assert plan(rows, (0, count), sizes).flops == best[0, count]


def test_a_chain_that_ends_in_a_vector_is_walked_from_there() -> None:
    for count in (5, 20, 45, 70, 300):
        rows = [*pairwise(range(count + 1)), (count,)]
        random.Random(count).shuffle(rows)
        sizes = dict.fromkeys(range(count + 1), 100)
        assert cost(rows, (0,), sizes) == count * (2 * 100 * 100 - 100)


def test_scalars_meet_the_smallest_operand() -> None:
    # c · U · V' with thin factors: scaling U costs 100·2, the result 100·100
    assert cost([(), (0, 1), (2, 1)], (0, 2), {0: 100, 1: 2, 2: 100}) == 200 + 3 * 100 * 100


def test_an_inverse_is_applied_to_few_columns_and_formed_in_a_trace() -> None:
    sizes = dict.fromkeys(range(4), 100)
    applied = plan([(0, 1), (1,)], (0,), sizes, {0: Inversion()})
    assert (applied.flops, dict(applied.solved)) == (2 * 100**2, {0: 1})
    quadratic = plan([(0, 1), (0,), (1,)], (), sizes, {0: Inversion()})
    assert quadratic.solved == {0: 1}
    trace = plan([(0, 1), (1, 0)], (), sizes, {0: Inversion()})
    assert trace.solved == {}
    assert trace.flops > 100**3
    # inv(A) B c: the vector goes first, and one column is solved
    assert plan([(0, 1), (1, 2), (2,)], (0,), sizes, {0: Inversion()}).solved == {0: 1}


def test_an_inverse_over_two_axes() -> None:
    sizes = {0: 4, 1: 5, 2: 4, 3: 5}
    found = plan([(0, 1, 2, 3), (2, 3)], (0, 1), sizes, {0: Inversion(axes=2)})
    assert (found.flops, dict(found.solved)) == (2 * 20**2, {0: 1})


def test_a_triangle_is_solved_with_whatever_the_columns() -> None:
    sizes = dict.fromkeys(range(4), 100)
    triangle = Inversion(triangular=True)
    both_sides = plan([(0, 1), (1, 2), (3, 2)], (0, 3), sizes, {0: triangle, 2: triangle})
    assert (both_sides.flops, dict(both_sides.solved)) == (2 * 100**3, {0: 100, 2: 100})
    trace = plan([(0, 1), (1, 0)], (), sizes, {0: triangle})
    assert (trace.flops, trace.solved) == (100**3 // 3 + 2 * 100**2 - 1, {})


def test_the_inverses_of_both_halves_are_solved_with_alike() -> None:
    # inv(L)' S inv(L)' … between two equal thin matrices: the columns are counted once
    rows = [(2, 0), (2, 4), (4, 5), (3, 1), (3, 6), (6, 5)]
    sizes = {0: 3, 1: 3, 2: 50, 3: 50, 4: 50, 6: 50, 5: 50}
    triangle = Inversion(triangular=True)
    found = plan(rows, (0, 1), sizes, {1: triangle, 4: triangle}, alike=[0, 1, 2, 0, 1, 2])
    assert dict(found.solved) == {1: 3, 4: 0}
    assert found.flops < plan(rows, (0, 1), sizes, {1: triangle, 4: triangle}).flops


@pytest.mark.slow
def test_thousands_of_factors_take_near_linear_time() -> None:
    def seconds(count: int, make: Callable[[int], list[Labels]]) -> float:
        times: list[float] = []
        for n in range(count, count + 3):  # plans are remembered: each is another one
            start = time.process_time()
            plan(make(n), (0,), dict.fromkeys(range(n + 1), 100))
            times.append(time.process_time() - start)
        return min(times)

    for make in (lambda n: [*pairwise(range(n + 1)), (n,)], lambda n: [(0,)] * n):
        assert seconds(10_000, make) < 25 * seconds(1000, make)


def test_no_arrays_are_imported() -> None:
    code = "import sys, tcalc.planning; print('numpy' in sys.modules, 'opt_einsum' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]


def test_a_dimension_of_size_zero_costs_nothing() -> None:
    found = plan([(0,), (0, 1), (1, 2), (2,)], (), {0: 3, 1: 0, 2: 3})
    assert len(found.path) == 3
    assert found.flops == 0


def test_planning_takes_elements_where_they_are_fewest() -> None:
    i, j, k = 0, 1, 2
    sizes = {i: 1000, j: 10, k: 20}
    rows, out = [(i, j), (j, k), (k,)], (i,)
    # X w first, of which the elements are then taken: S (X w); or (S X) w for few rows.
    assert plan(rows, out, sizes, {0: Indicator()}).path == ((1, 2), (0, 3))
    few = plan(rows, out, {i: 2, j: 10**6, k: 20}, {0: Indicator()})
    assert few.path == ((0, 1), (3, 2))


def test_planning_adds_up_along_a_triangle_of_ones() -> None:
    i, j, k = 0, 1, 2
    rows, out, sizes = [(i, j), (j,), (j, k)], (i, k), {i: 1000, j: 1000, k: 10}
    # T (diag(w) X), by running sums of ten columns, and not (T diag(w)) X.
    found = plan(rows, out, sizes, {0: Triangle()})
    assert found.path == ((1, 2), (0, 3))
    assert found.flops < cost(rows, out, sizes) / 10
    # What has both of its labels is multiplied, or masked, element by element.
    both = [(i, j), (i, j), (j,)]
    assert cost(both, (i, j), sizes, {0: Triangle()}) == cost(both, (i, j), sizes)
