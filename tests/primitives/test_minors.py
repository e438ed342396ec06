"""Derivatives of determinants: by minors where matrices are small, else by singular values."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from tcalc.primitives.determinant import cofactors

SMALL = [(n, k) for n in (1, 2, 3, 4) for k in (1, 2, 3, 4, 5) if n ** (2 * k) < 10**5]


def sign(order) -> int:
    """Of a permutation of any numbers; 0 where two of them are the same."""
    pairs = [(a, b) for place, b in enumerate(order) for a in order[:place]]
    return int(np.prod([np.sign(b - a) for a, b in pairs], dtype=int))


def by_definition(A: np.ndarray, k: int) -> np.ndarray:
    """Leibniz's formula, each factor that is taken away once in the place of a derivative."""
    n = len(A)
    found = np.zeros((n,) * (2 * k))
    for rows in permutations(range(n), k):
        rest = [i for i in range(n) if i not in rows]
        for columns in permutations(range(n)):
            at = [x for pair in zip(rows, columns, strict=False) for x in pair]
            factors = [A[i, j] for i, j in zip(rest, columns[k:], strict=True)]
            found[tuple(at)] += sign((*rows, *rest)) * sign(columns) * np.prod(factors)
    return found


@pytest.mark.parametrize(("n", "k"), SMALL)
def test_small_matrices(n: int, k: int):
    A = np.random.default_rng(n + 10 * k).standard_normal((n, n))
    due = by_definition(A, k) if k <= n else np.zeros((n,) * (2 * k))
    np.testing.assert_allclose(cofactors(A, k), due, atol=1e-13)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_larger_ones_agree_with_those_that_they_are_made_of(k: int):
    """The determinant of a block matrix with a 1 beside A has the derivatives of that of A."""
    A = np.random.default_rng(k).standard_normal((4, 4))
    larger = np.eye(5)
    larger[:4, :4] = A
    inner = cofactors(larger, k)[(slice(4),) * (2 * k)]
    np.testing.assert_allclose(inner, cofactors(A, k), atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128])
@pytest.mark.parametrize(("n", "k"), [(2, 1), (3, 1), (3, 2), (4, 2)])
def test_stacks_with_values_that_are_not_finite(n: int, k: int, dtype: type):
    A = np.random.default_rng(0).standard_normal((2, 3, n, n)).astype(dtype)
    A[1, 0, -1, 0] = np.inf
    found = cofactors(A, k)
    assert found.dtype == dtype and found.shape == (2, 3, *(n,) * (2 * k))
    assert np.isnan(found[1, 0]).all()
    for place in product(range(2), range(3)):
        if place != (1, 0):
            np.testing.assert_allclose(found[place], cofactors(A[place], k), rtol=1e-5)


def test_they_are_exact_where_the_numbers_are():
    whole = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])  # of rank 2
    assert cofactors(whole, 1).tolist() == [[-3, 6, -3], [6, -12, 6], [-3, 6, -3]]
    assert np.abs(np.einsum("ij,ij->i", whole, cofactors(whole, 1))).max() == 0
