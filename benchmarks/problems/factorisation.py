"""B. Matrix factorisation, full and with missing entries: Hessians that are mostly unit tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg

from benchmarks.task import Problem

FULL = "tensor T[n,m], U[n,k], V[m,k]\nnorm2(T - U*V')^2"
MASKED = "tensor T[n,m], U[n,k], V[m,k], Omega[n,m] nonnegative\nsum(Omega .* (T - U*V').^2)"
SIZES = tuple({"n": n, "m": n, "k": k} for n, k in ((50, 5), (100, 5), (200, 5), (200, 10)))
NEWTON = (*SIZES, {"n": 1000, "m": 1000, "k": 10})


def data(rng: np.random.Generator, n: int, m: int, k: int) -> dict[str, Any]:
    U, V = rng.standard_normal((n, k)), rng.standard_normal((m, k))
    return {"T": U @ V.T, "U": rng.standard_normal((n, k)), "V": rng.standard_normal((m, k))}


def masked_data(rng: np.random.Generator, n: int, m: int, k: int) -> dict[str, Any]:
    return {**data(rng, n, m, k), "Omega": (rng.random((n, m)) < 0.7).astype(float)}


def objective(ops: Any, T: Any, U: Any, V: Any) -> Any:
    return ops.sum((T - U @ V.T) ** 2)


def masked_objective(ops: Any, T: Any, U: Any, V: Any, Omega: Any) -> Any:
    return ops.sum(Omega * (T - U @ V.T) ** 2)


def gradient(T: Any, U: Any, V: Any) -> Any:
    R = U @ V.T - T
    return np.vdot(R, R), 2 * (R @ V)


def hessian(T: Any, U: Any, V: Any) -> Any:
    n, k = U.shape
    H = np.zeros((n, k, n, k))
    np.einsum("ijil->ijl", H)[...] = 2 * (V.T @ V)
    return H


def core(T: Any, U: Any, V: Any) -> Any:
    return 2 * (V.T @ V)


def newton(T: Any, U: Any, V: Any) -> Any:
    return np.linalg.solve(V.T @ V, ((U @ V.T - T) @ V).T).T


def masked_gradient(T: Any, U: Any, V: Any, Omega: Any) -> Any:
    R = U @ V.T - T
    S = Omega * R
    return np.vdot(S, R), 2 * (S @ V)


def masked_core(T: Any, U: Any, V: Any, Omega: Any) -> Any:
    k = V.shape[1]
    return 2 * (Omega @ (V[:, :, None] * V[:, None]).reshape(-1, k * k)).reshape(-1, k, k)


def masked_hessian(T: Any, U: Any, V: Any, Omega: Any) -> Any:
    n, k = U.shape
    H = np.zeros((n, k, n, k))
    np.einsum("ijil->ijl", H)[...] = masked_core(T, U, V, Omega)
    return H


def masked_newton(T: Any, U: Any, V: Any, Omega: Any) -> Any:
    G = 2 * ((Omega * (U @ V.T - T)) @ V)
    return np.linalg.solve(masked_core(T, U, V, Omega), G[..., None])[..., 0]


def by_dense(hessian: Any, gradient: Any) -> Any:
    """Newton's step with the dense Hessian, n k × n k numbers, by Cholesky."""

    def step(**data: Any) -> Any:
        _, G = gradient(**data)
        H = hessian(**data).reshape(G.size, G.size)
        return linalg.solve(H, G.ravel(), assume_a="pos", overwrite_a=True).reshape(G.shape)

    return step


def widest(n: int, m: int, k: int) -> int:
    return n * m


PROBLEMS = [
    Problem(
        row="B",
        name="factorisation",
        title="Matrix factorisation",
        program=lambda n, m, k: FULL,
        wrt="U",
        data=data,
        objective=objective,
        sizes={"gradient": SIZES, "hessian": SIZES, "factored": SIZES, "newton": NEWTON},
        experts={"gradient": gradient, "hessian": hessian, "factored": core, "newton": newton},
        widest=widest,
        beside={"newton": {"expert, dense": by_dense(hessian, gradient)}},
    ),
    Problem(
        row="B",
        name="masked",
        title="Matrix factorisation with missing entries",
        program=lambda n, m, k: MASKED,
        wrt="U",
        data=masked_data,
        objective=masked_objective,
        sizes={"gradient": SIZES, "hessian": SIZES, "factored": SIZES, "newton": NEWTON},
        experts={
            "gradient": masked_gradient,
            "hessian": masked_hessian,
            "factored": masked_core,
            "newton": masked_newton,
        },
        widest=widest,
        beside={"newton": {"expert, dense": by_dense(masked_hessian, masked_gradient)}},
    ),
]
