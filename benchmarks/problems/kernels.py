"""F. A Kronecker-structured Hessian, and pairwise distances."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.task import Problem

SANDWICH = "tensor B[d,d], X[d,d], A[d,d]\nnorm2(B*X*A')^2 / 2"
DISTANCES = "tensor X[n,d]\nR[i,j] = sqrt((X[i,k] - X[j,k])^2 + 1e-6)\nsum(R)"


def sandwich_data(rng: np.random.Generator, d: int) -> dict[str, Any]:
    return {name: rng.standard_normal((d, d)) / np.sqrt(d) for name in "BXA"}


def sandwich(ops: Any, B: Any, X: Any, A: Any) -> Any:
    R = B @ X @ A.T
    return ops.sum(R * R) / 2


def sandwich_factored(B: Any, X: Any, A: Any) -> Any:
    return B.T @ B, A.T @ A


def sandwich_hessian(B: Any, X: Any, A: Any) -> Any:
    return (B.T @ B)[:, None, :, None] * (A.T @ A)[:, None, :]


def distances_data(rng: np.random.Generator, n: int, d: int) -> dict[str, Any]:
    return {"X": rng.standard_normal((n, d))}


def distances(ops: Any, X: Any) -> Any:
    return ops.sum(ops.sqrt(ops.squared_distances(X) + 1e-6))


def distances_by_differences(ops: Any, X: Any) -> Any:
    """Which JAX fuses with their second derivatives, more quickly than products."""
    return ops.sum(ops.sqrt(ops.sum((X[:, None] - X[None]) ** 2, axis=2) + 1e-6))


def distances_gradient(X: Any) -> Any:
    squares = np.einsum("ik,ik->i", X, X)
    R = np.sqrt(np.maximum(squares[:, None] + squares - 2 * (X @ X.T), 0.0) + 1e-6)
    np.fill_diagonal(R, 1e-3)
    S = 1 / R
    return R.sum(), 2 * (S.sum(axis=1)[:, None] * X - S @ X)


def distances_hessian(X: Any) -> Any:
    d = X.shape[1]
    D = X[:, None] - X
    S = 1 / np.sqrt(np.einsum("ijk,ijk->ij", D, D) + 1e-6)
    D *= np.sqrt(2 * S**3)[:, :, None]
    H = np.einsum("ija,ijb->iajb", D, D)
    diagonal = np.einsum("iajb->iab", H).copy()
    np.einsum("iaja->aij", H)[...] -= 2 * S
    blocks = np.einsum("iaib->iab", H)
    blocks[...] = -diagonal
    blocks[:, range(d), range(d)] += (2 * (S.sum(axis=1) - S.diagonal()))[:, None]
    return H


PROBLEMS = [
    Problem(
        row="F",
        name="sandwich",
        title="½‖B X A'‖²",
        program=lambda d: SANDWICH,
        wrt="X",
        data=sandwich_data,
        objective=sandwich,
        sizes={"hessian": ({"d": 20}, {"d": 40}, {"d": 80}), "factored": ({"d": 80},)},
        experts={"hessian": sandwich_hessian, "factored": sandwich_factored},
        widest=lambda d: d * d,
    ),
    Problem(
        row="F",
        name="distances",
        title="Pairwise distances",
        program=lambda n, d: DISTANCES,
        wrt="X",
        data=distances_data,
        objective=distances,
        special={"jax hessian": distances_by_differences},
        sizes={
            "gradient": ({"n": 100, "d": 3}, {"n": 500, "d": 10}),
            "hessian": ({"n": 100, "d": 3}, {"n": 200, "d": 5}, {"n": 500, "d": 10}),
        },
        experts={"gradient": distances_gradient, "hessian": distances_hessian},
        widest=lambda n, d: n * n,
    ),
]
