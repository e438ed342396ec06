"""Factored tensors of random terms are the arrays that these make up, in all that they offer."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest

from tcalc.runtime import FactoredTensor, FactoredTerm

Shape = tuple[int, ...]


def random_term(random: np.random.Generator, shape: Shape) -> FactoredTerm:
    """A term with labels that repeat in its output, that are summed over, and that no core has."""
    sizes: list[int] = []
    output: list[int] = []
    for size in shape:
        same = [label for label, other in enumerate(sizes) if other == size]
        if same and random.random() < 0.5:
            output.append(int(random.choice(same)))
        else:
            output.append(len(sizes))
            sizes.append(size)
    sizes += random.integers(1, 4, random.integers(0, 3)).tolist()
    cores, subscripts = [], []
    for _ in range(random.integers(0, 4)):
        count = min(int(random.integers(0, 4)), len(sizes))
        row = tuple(random.choice(len(sizes), count, replace=random.random() < 0.1).tolist())
        cores.append(random.standard_normal([sizes[label] for label in row]))
        subscripts.append(row)
    coefficient = float(random.choice([1.0, -2.0, 0.5]))
    return FactoredTerm(coefficient, tuple(cores), tuple(subscripts), tuple(output))


def dense(terms: list[FactoredTerm], shape: Shape) -> np.ndarray:
    """What the terms make up, by `einsum` alone: repeated labels of an output are unit matrices."""
    total = np.zeros(shape)
    for term in terms:
        operands: list[Any] = []
        free: list[int] = []
        for k, (label, size) in enumerate(zip(term.output, shape, strict=True)):
            again = label in free
            operands += [np.eye(size), (label, 20 + k)] if again else [np.ones(size), (label,)]
            free.append(20 + k if again else label)
        for core, row in zip(term.cores, term.subscripts, strict=True):
            operands += [core, row]
        total += term.coefficient * np.einsum(*operands, free)
    return total


@pytest.mark.parametrize("seed", range(60))
def test_all_that_they_offer_is_that_of_the_array(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = tuple(random.integers(1, 4, random.integers(1, 3)).tolist())
    columns = tuple(random.integers(1, 4, random.integers(1, 3)).tolist()) if seed % 5 else rows
    rank, other = len(rows), len(columns)
    made = [
        [random_term(random, rows + columns) for _ in range(random.integers(0, 4))] for _ in "HG"
    ]
    H, G = (FactoredTensor(terms, rows, columns, float) for terms in made)
    A, B = (dense(terms, rows + columns) for terms in made)
    x, u = random.standard_normal((*columns, 2)), random.standard_normal((2, *rows))
    shared = list(range(rank)), list(range(rank))
    for found, due in (
        (H.dense(), A),
        (H @ x, np.tensordot(A, x, other)),
        (u @ H, np.tensordot(u, A, rank)),
        ((2 * H - G / 4).dense(), 2 * A - B / 4),
        ((H + G + H).dense(), 2 * A + B),
        ((H.T @ G).dense(), np.tensordot(A, B, shared)),
    ):
        np.testing.assert_allclose(found, due, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(60))
def test_systems_with_them_are_those_with_the_array(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = tuple(random.integers(1, 4, random.integers(1, 3)).tolist())
    terms = [random_term(random, rows + rows) for _ in range(random.integers(1, 4))]
    if seed % 2:
        terms.append(FactoredTerm(3.0, (), (), (*range(len(rows)), *range(len(rows)))))
    H, size = FactoredTensor(terms, rows, rows, float), prod(rows)
    matrix = dense(terms, rows + rows).reshape(size, size)
    np.testing.assert_allclose(H.diagonal().reshape(-1), np.diagonal(matrix), atol=1e-9)
    values = np.linalg.eigvalsh((matrix + matrix.T) / 2)
    np.testing.assert_allclose(H.eigvalsh(), values, atol=1e-8 * max(1, abs(values).max()))
    if np.linalg.cond(matrix) < 1e6:
        b = random.standard_normal((*rows, 2))
        due = np.linalg.solve(matrix, b.reshape(size, 2)).reshape(b.shape)
        np.testing.assert_allclose(H.solve(b), due, rtol=1e-6, atol=1e-6 * abs(due).max())
        np.testing.assert_allclose(H.logdet(), np.linalg.slogdet(matrix), atol=1e-7)
