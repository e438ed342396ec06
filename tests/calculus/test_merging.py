"""Sums of factored terms: which are merged, and that many do not take long."""

from __future__ import annotations

import time
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tcalc
from tcalc.calculus import terms as merging
from tcalc.calculus.terms import dense, merge
from tcalc.expr import build, shape
from tcalc.expr.build import OpenProduct

VECTORS = [build.var(name, shape("n")) for name in "uvw"]
MATRICES = [build.var(name, shape("n", "n")) for name in "AB"]
SCALAR = build.var("c", ())


def product(parts: list[tuple[int, int, int]], output: tuple[int, int]) -> OpenProduct:
    """An open product: vectors and matrices, and labels from 0 to 3."""
    factors, rows = [], []
    for kind, first, second in parts:
        node = [*VECTORS, *MATRICES, SCALAR][kind]
        factors.append(node)
        rows.append((first, second)[: node.order])
    (n,) = shape("n")
    return build.open_product(factors, rows, output, dict.fromkeys(range(4), n))


labels = st.integers(0, 3)
products = st.builds(
    product,
    st.lists(st.tuples(st.integers(0, 5), labels, labels), min_size=1, max_size=3),
    st.sampled_from([(0, 1), (1, 0), (0, 0)]),
)


def compared_with_all(pool: merging._Pool, term: merging._Weighed) -> list[int]:
    return list(pool.terms)


@given(st.lists(products, min_size=2, max_size=8))
@settings(max_examples=200, deadline=None)
def test_terms_that_are_not_compared_do_not_fit(terms: list[OpenProduct]) -> None:
    found = merge(terms)
    near = merging._Pool.near
    merging._Pool.near = compared_with_all
    try:
        expected = merge(terms)
    finally:
        merging._Pool.near = near
    assert found == expected
    assert all(term.coefficient for term in found)
    for one, other in combinations(map(merging._Weighed, found), 2):
        assert merging._merged(one, other) is None


def test_products_of_sums_are_found_again() -> None:
    u, v, w = VECTORS
    opened = [build.open_product([x, y], "ij", "ij") for x in (u, v) for y in (v, w)]
    (term,) = merge(opened)
    assert len(term.factors) == 2
    expected = build.einsum([build.sum_of(u, v), build.sum_of(v, w)], "i,j->ij")
    assert dense([term]) is expected


RECURRENT = """
tensor W[n,n], X[{T},n], h0[n]
h{{0}} = h0
for t = 1:{T}
    h{{t}}[i] = tanh(W[i,j]*h{{t-1}}[j] + X[t,i])
end
h{{{T}}}'*h{{{T}}}
"""


@pytest.mark.slow
def test_the_hessian_of_a_recurrent_net_takes_its_time_by_the_pairs_of_steps() -> None:
    def seconds(steps: int) -> float:
        f = tcalc.parse(RECURRENT.format(T=steps))
        start = time.process_time()
        tcalc.hessian(f, "W")
        return time.process_time() - start

    seconds(4)
    few, many = (min(seconds(steps) for _ in range(2)) for steps in (6, 12))
    assert many < 8 * few
